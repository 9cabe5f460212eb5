//! Runs on a small dataset: their files, and exact resuming.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use common::{Fixture, never, weights};
use ganimation_data::{Loader, LoaderConfig, Split};
use ganimation_model::{Preset, state_dict};
use ganimation_train::{Error, FaceBatch, Limits, Observer, Outcome, Progress, Run, Trainer};

#[test]
fn ten_steps_equal_five_and_five_bit_for_bit() {
    let fixture = Fixture::new();
    let mut whole = fixture.start("whole");
    let outcome = whole
        .train(&fixture.dataset, Limits::default(), &mut (), &never())
        .unwrap();
    assert_eq!(outcome, Outcome::Finished);

    let mut half = fixture.start("halves");
    let outcome = half.train(&fixture.dataset, 5, &mut (), &never()).unwrap();
    assert_eq!(outcome, Outcome::Stopped { step: 5 });
    drop(half);
    let mut resumed = fixture.resume("halves");
    assert_eq!(resumed.step(), 5);
    resumed
        .train(&fixture.dataset, Limits::default(), &mut (), &never())
        .unwrap();

    let folder = fixture.folder.path();
    let mut compared = 0;
    for entry in fs::read_dir(folder.join("whole/checkpoints/step-10")).unwrap() {
        let expected = entry.unwrap().path();
        let found = folder
            .join("halves/checkpoints/step-10")
            .join(expected.file_name().unwrap());
        assert!(
            fs::read(&expected).unwrap() == fs::read(&found).unwrap(),
            "{} differs",
            found.display()
        );
        compared += 1;
    }
    assert_eq!(compared, 5, "both networks, the average, both optimisers");
}

#[test]
fn training_changes_every_weight_of_the_generator() {
    let fixture = Fixture::new();
    let mut run = fixture.start("run");
    let before = weights(&run);
    run.train(&fixture.dataset, Limits::default(), &mut (), &never())
        .unwrap();
    for ((name, before), (_, after)) in before.iter().zip(weights(&run)) {
        assert_ne!(before, &after, "{name}");
    }
}

#[test]
fn a_run_folder_holds_what_it_promises() {
    #[derive(Default)]
    struct Heard {
        measured: Vec<Progress>,
        saved: usize,
        previewed: usize,
    }
    impl Observer for Heard {
        fn measured(&mut self, progress: &Progress) {
            self.measured.push(progress.clone());
        }
        fn saved(&mut self, path: &Path) {
            assert!(path.join("generator.safetensors").exists());
            self.saved += 1;
        }
        fn previewed(&mut self, path: &Path) {
            assert!(image::open(path).unwrap().width() > 64);
            self.previewed += 1;
        }
    }
    let fixture = Fixture::new();
    let mut heard = Heard::default();
    fixture
        .start("run")
        .train(&fixture.dataset, Limits::default(), &mut heard, &never())
        .unwrap();

    let folder = fixture.folder.path().join("run");
    let lines = fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 5);
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["cycle"].as_f64().unwrap() > 0.0 && line["step"].as_u64().unwrap() > 0);
    }
    assert_eq!(heard.measured.len(), 5);
    // Checkpoints are made after steps 4, 8 and the last. The two newest are kept, without scratch files.
    assert_eq!(heard.saved, 3);
    let mut kept: Vec<String> = fs::read_dir(folder.join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept, ["step-10", "step-8"]);
    assert_eq!(heard.previewed, 2);
    let weights = folder.join("generator.safetensors");
    let (_, metadata) = ganimation_model::weights::load_generator(&weights, &Device::flex()).unwrap();
    assert_eq!(metadata.image_size, 64);
    assert!(
        metadata.training.starts_with("10 discriminator steps"),
        "{}",
        metadata.training
    );
}

#[test]
fn a_run_that_is_asked_to_stop_saves_and_leaves() {
    struct StopAt<'a>(u64, &'a AtomicBool);
    impl Observer for StopAt<'_> {
        fn stepped(&mut self, step: u64, _steps: u64) {
            if step == self.0 {
                self.1.store(true, Ordering::Relaxed);
            }
        }
    }
    let fixture = Fixture::new();
    let stop = never();
    let outcome = fixture
        .start("run")
        .train(&fixture.dataset, Limits::default(), &mut StopAt(3, &stop), &stop)
        .unwrap();
    assert_eq!(outcome, Outcome::Stopped { step: 3 });
    assert_eq!(fixture.resume("run").step(), 3);
}

#[test]
fn metrics_of_steps_that_are_taken_again_stand_once() {
    let fixture = Fixture::new();
    let mut run = fixture.start("run");
    run.train(&fixture.dataset, 4, &mut (), &never()).unwrap();
    drop(run);
    let path = fixture.folder.path().join("run/metrics.jsonl");
    let before = fs::read_to_string(&path).unwrap();
    // A killed process left a line after the checkpoint and half of another line.
    let beyond = before.lines().last().unwrap().replace("\"step\":4", "\"step\":6");
    fs::write(&path, format!("{before}{beyond}\n{{\"step\":8,\"cy")).unwrap();
    fixture
        .resume("run")
        .train(&fixture.dataset, Limits::default(), &mut (), &never())
        .unwrap();
    let steps: Vec<u64> = fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["step"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert_eq!(steps, [2, 4, 6, 8, 10]);
}

#[test]
fn a_second_run_of_the_same_name_is_refused() {
    let fixture = Fixture::new();
    let mut first = fixture.start("run");
    first.train(&fixture.dataset, 2, &mut (), &never()).unwrap();
    let folder = fixture.folder.path().join("run");
    let start = || Run::start(&folder, fixture.config.clone(), &Device::flex()).unwrap_err();
    assert!(matches!(start(), Error::RunExists(found) if found == folder));
}

#[test]
fn a_run_that_is_being_trained_belongs_to_its_process() {
    let fixture = Fixture::new();
    let held = fixture.start("run");
    let folder = fixture.folder.path().join("run");
    let resumed = Run::resume(&folder, &Device::flex());
    let busy =
        |found: &_| matches!(found, ganimation_data::Error::Busy { folder: found } if *found == folder);
    assert!(matches!(resumed, Err(Error::Data(found)) if busy(&found)));
    drop(held);
    assert_eq!(fixture.resume("run").step(), 0);
}

#[test]
fn a_run_that_never_came_to_a_checkpoint_starts_over_or_goes_on() {
    let fixture = Fixture::new();
    drop(fixture.start("run"));
    drop(fixture.start("run"));
    assert_eq!(fixture.resume("run").step(), 0);
    let error = Run::resume(fixture.folder.path().join("none"), &Device::flex()).unwrap_err();
    assert!(
        error.to_string().ends_with("contains no run to resume"),
        "{error}"
    );
}

#[test]
fn leftovers_of_a_killed_save_are_cleared() {
    let fixture = Fixture::new();
    let mut run = fixture.start("run");
    let checkpoints = fixture.folder.path().join("run/checkpoints");
    for name in [".scratch", ".trash"] {
        fs::create_dir(checkpoints.join(name)).unwrap();
        fs::write(checkpoints.join(name).join("generator.safetensors"), "half").unwrap();
    }
    run.train(&fixture.dataset, Limits::default(), &mut (), &never())
        .unwrap();
    let mut kept: Vec<String> = fs::read_dir(checkpoints)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept, ["step-10", "step-8"]);
}

#[test]
fn work_before_an_unreadable_picture_is_saved() {
    let mut fixture = Fixture::new();
    fixture.config.cache = false;
    let broken = fixture.folder.path().join("data/imgs/face_3.png");
    fs::write(&broken, "no picture").unwrap();
    let mut run = fixture.start("run");
    let error = run
        .train(&fixture.dataset, Limits::default(), &mut (), &never())
        .unwrap_err();
    assert!(error.to_string().contains("face_3.png"), "{error}");
    let step = run.step();
    drop(run);
    assert_eq!(fixture.resume("run").step(), step);
}

#[test]
fn in_the_released_protocol_every_weight_takes_both_steps() {
    let mut fixture = Fixture::new();
    fixture.config = fixture.config.with_preset(Preset::Released);
    let batch = || {
        let loader = LoaderConfig {
            batch_size: 2,
            image_size: 64,
            ..LoaderConfig::default()
        };
        let batch = Loader::new(fixture.dataset.split(Split::Train).to_vec(), loader, 0)
            .unwrap()
            .next();
        FaceBatch::new(batch.unwrap().unwrap(), &Device::flex())
    };
    let mut trainer = Trainer::new(fixture.config.clone(), &Device::flex());
    let before = state_dict(trainer.discriminator());
    trainer.discriminator_step(&batch(), 0, 1e-3);
    // Adam's first step moves by the learning rate. A second step without a gradient moves a little less, by momentum.
    for ((name, before), (_, after)) in before.iter().zip(state_dict(trainer.discriminator())) {
        if !name.ends_with("bias") && name != "conv2.weight" {
            continue; // the gradient penalty has gradients for these
        }
        let momentum = (0.5 * 0.5 / (1.0 - 0.25)) / (0.999f32 * 0.001 / (1.0 - 0.999f32 * 0.999)).sqrt();
        for (before, after) in before.iter::<f32>().zip(after.iter::<f32>()) {
            let moved = (after - before).abs();
            // Gradients as small as Adam's epsilon move less.
            assert!(moved < 1e-3 * (1.0 + momentum) * 1.001, "{name} moved by {moved}");
        }
        let largest = before
            .iter::<f32>()
            .zip(after.iter::<f32>())
            .map(|(before, after)| (after - before).abs())
            .fold(0.0, f32::max);
        assert!(
            (largest - 1e-3 * (1.0 + momentum)).abs() < 2e-5,
            "{name} moved by {largest}"
        );
    }
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let fixture = Fixture::new();
    fixture
        .start("run")
        .train(&fixture.dataset, 2, &mut (), &never())
        .unwrap();
    let folder = fixture.folder.path().join("run");
    let file = folder.join("checkpoints/step-2/generator.safetensors");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let error = Run::resume(&folder, &Device::flex()).unwrap_err();
    assert!(
        error.to_string().contains("generator.safetensors is damaged"),
        "{error}"
    );
}
