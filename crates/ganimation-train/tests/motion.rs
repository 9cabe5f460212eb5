//! Runs of the motion network on drawn faces.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod common;

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use common::drawn::drawn_dataset;
use common::{Fixture, never};
use ganimation_data::{Dataset, Split};
use ganimation_model::{Orders, weights::load_generator};
use ganimation_train::{
    AdamConfig, Error, History, Limits, Network, Observer, Outcome, Overlay, Progress, Run, TrainConfig,
};

/// Steps of a first stage that is long enough to learn; it takes some seconds.
const STEPS: u64 = 300;

/// A small network with both stages in eight steps.
fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let data = drawn_dataset(folder.path(), true);
    let dataset = Dataset::open(&data).unwrap();
    let mut config = TrainConfig {
        image_size: 64,
        generator_channels: 2,
        generator_blocks: 1,
        discriminator_channels: 2,
        batch_size: 4,
        steps: Some(8),
        log_every: 1,
        checkpoint_every: 100,
        checkpoint_keep: 5,
        preview_every: 8,
        validate_every: 4,
        seed: 11,
        ..TrainConfig::motion(&data)
    };
    config.motion.taught_steps = 3;
    config.motion.local_channels = 2;
    Fixture {
        config: config.with_mean_aus(dataset.split(Split::Train)),
        dataset,
        folder,
    }
}

fn assert_same_checkpoints(expected: &Path, found: &Path) {
    let mut compared = 0;
    for entry in fs::read_dir(expected).unwrap() {
        let expected = entry.unwrap().path();
        let found = found.join(expected.file_name().unwrap());
        assert!(
            fs::read(&expected).unwrap() == fs::read(&found).unwrap(),
            "{} differs",
            found.display()
        );
        compared += 1;
    }
    assert_eq!(compared, 5, "both networks, the average, both optimisers");
}

/// Compares a whole run with runs that stop after each of `stops` and resume.
fn assert_stops_change_nothing(fixture: &Fixture, stops: &[u64]) {
    let folder = fixture.folder.path();
    let train =
        |run: &mut Run, limits: Limits| run.train(&fixture.dataset, limits, &mut (), &never()).unwrap();
    let mut whole = fixture.start("whole");
    assert_eq!(train(&mut whole, Limits::default()), Outcome::Finished);
    for &stop in stops {
        let name = format!("stop_{stop}");
        let mut part = fixture.start(&name);
        assert_eq!(train(&mut part, stop.into()), Outcome::Stopped { step: stop });
        drop(part);
        let mut resumed = fixture.resume(&name);
        assert_eq!(resumed.step(), stop);
        train(&mut resumed, Limits::default());
        assert_same_checkpoints(
            &folder.join("whole/checkpoints/step-8"),
            &folder.join(&name).join("checkpoints/step-8"),
        );
    }
}

#[test]
fn a_run_that_stops_in_either_stage_or_between_them_ends_bit_for_bit_the_same() {
    // In the first stage, between the stages, before a step with R1 and pairs, and in the second stage.
    assert_stops_change_nothing(&fixture(), &[2, 3, 4, 6]);
}

#[test]
fn distillation_from_the_starting_weights_resumes_bit_for_bit() {
    let mut fixture = fixture();
    fixture
        .start("first")
        .train(&fixture.dataset, Limits::default(), &mut (), &never())
        .unwrap();
    fixture.config.motion.taught.start = 5.0;
    let message = fixture.config.check().unwrap_err().to_string();
    assert!(message.contains("motion.taught.start"), "{message}");
    fixture.config.from = Some(fixture.folder.path().join("first"));
    assert_stops_change_nothing(&fixture, &[2]);
}

#[test]
fn a_motion_run_measures_its_own_losses_and_writes_weights_with_relative_orders() {
    #[derive(Default)]
    struct Heard(Vec<Progress>, usize);
    impl Observer for Heard {
        fn measured(&mut self, progress: &Progress) {
            self.0.push(progress.clone());
        }
        fn previewed(&mut self, path: &Path) {
            assert!(image::open(path).unwrap().width() > 64);
            self.1 += 1;
        }
    }
    let mut fixture = fixture();
    fixture.config.motion.matched.r1_every = 2;
    let mut heard = Heard::default();
    fixture
        .start("run")
        .train(&fixture.dataset, Limits::default(), &mut heard, &never())
        .unwrap();
    assert_eq!((heard.0.len(), heard.1), (8, 1));
    let history = History::read(&fixture.folder.path().join("run")).unwrap();
    let motions = |lines: &[Progress]| -> Vec<_> { lines.iter().map(|line| line.motion.clone()).collect() };
    assert_eq!(motions(&history.metrics), motions(&heard.0));
    for line in &history.metrics {
        let motion = line.motion.as_ref().unwrap();
        let measured = [
            motion.field,
            motion.field_baseline,
            motion.pixels,
            motion.pixels_baseline,
            motion.mask_coverage_outside,
        ];
        assert!(
            measured.iter().all(|value| value.is_finite() && *value > 0.0),
            "{line:?}"
        );
        assert!(
            motion.shading.is_finite() && line.discriminator_aus > 0.0,
            "{line:?}"
        );
        // The first stage has no terms of the second stage. A term keeps its value until the next step that computes
        // it.
        let matched = line.step > 3;
        assert_eq!(line.generator_aus > 0.0, matched, "{line:?}");
        assert_eq!(line.cycle > 0.0, matched, "{line:?}");
        assert_eq!(line.gradient_penalty > 0.0, line.step > 4, "{line:?}");
    }
    assert_eq!(history.validations.len(), 2);
    let plot = history.plot();
    assert!(
        plot.contains("in pixels") && !plot.contains("generator every"),
        "{plot}"
    );
    assert!(!plot.contains("nothing measured yet"));

    let weights = fixture.folder.path().join("run/generator.safetensors");
    let (generator, metadata) = load_generator(&weights, &Device::flex()).unwrap();
    assert_eq!(metadata.orders, Orders::Relative);
    assert_eq!(generator.orders(), Orders::Relative);
    assert!(
        metadata
            .training
            .starts_with("8 steps with 4 faces each, the first 3 with landmarks")
    );
}

#[test]
fn faces_without_landmarks_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let data = drawn_dataset(folder.path(), false);
    let config = TrainConfig {
        data: data.clone(),
        ..fixture().config
    };
    let mut run = Run::start(folder.path().join("run"), config, &Device::flex()).unwrap();
    let dataset = Dataset::open(&data).unwrap();
    let error = run.train(&dataset, 1, &mut (), &never()).unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with("0 face(s) have landmarks") && message.contains("add landmarks.csv"),
        "{message}"
    );
}

#[test]
fn settings_that_do_not_suit_the_motion_network_are_refused() {
    let config = fixture().config;
    let odd = TrainConfig {
        batch_size: 5,
        ..config.clone()
    };
    let message = odd.check().unwrap_err().to_string();
    assert!(
        message.starts_with("setting `batch_size` is 5; expected an even number"),
        "{message}"
    );
    for (change, expected) in [("motion.matched.r1_every", 0), ("motion.local_channels", 0)] {
        let mut overlay = Overlay::default();
        overlay.set(change, expected).unwrap();
        let message = config
            .overlaid(&overlay)
            .unwrap()
            .check()
            .unwrap_err()
            .to_string();
        assert!(message.contains(change), "{message}");
    }
}

#[test]
fn neither_the_network_nor_its_stages_change_on_resume() {
    let fixture = fixture();
    fixture
        .start("run")
        .train(&fixture.dataset, 1, &mut (), &never())
        .unwrap();
    let folder = fixture.folder.path().join("run");
    let resume = |change: &str| {
        let mut overlay = Overlay::default();
        overlay.set_text(change).unwrap();
        Run::resume_changed(&folder, &overlay, &Device::flex())
    };
    for (change, name) in [
        ("network=paper", "network"),
        ("motion.taught_steps=5", "motion.taught_steps"),
        ("motion.local_channels=3", "motion.local_channels"),
    ] {
        let error = resume(change).unwrap_err();
        assert!(
            matches!(&error, Error::Unchangeable { name: found, .. } if found == name),
            "{error}"
        );
    }
    let (run, changes) = resume("motion.matched.paint=10").unwrap();
    assert_eq!(changes[0].to_string(), "motion.matched.mask_coverage: 40 -> 10");
    assert_eq!(run.config().network, Network::Motion);
}

#[test]
fn the_taught_stage_moves_towards_the_teacher() {
    struct Last(Vec<(f32, f32)>);
    impl Observer for Last {
        fn measured(&mut self, progress: &Progress) {
            let motion = progress.motion.as_ref().unwrap();
            self.0.push((motion.field, motion.field_baseline));
        }
    }
    let mut fixture = fixture();
    fixture.config.steps = Some(STEPS);
    fixture.config.motion.taught_steps = STEPS;
    fixture.config.generator_channels = 8;
    fixture.config.batch_size = 8;
    fixture.config.adam = AdamConfig {
        learning_rate: 4e-3,
        ..fixture.config.adam
    };
    fixture.config.validate_faces = 0;
    // Drawn faces move very little. A larger gain gives more to learn.
    fixture.config.motion.gains = [6.0; 17];
    let mut last = Last(Vec::new());
    fixture
        .start("run")
        .train(&fixture.dataset, Limits::default(), &mut last, &never())
        .unwrap();
    let share = |lines: &[(f32, f32)]| {
        let (field, nothing) = lines
            .iter()
            .fold((0.0, 0.0), |sum, line| (sum.0 + line.0, sum.1 + line.1));
        field / nothing
    };
    let (first, last) = (share(&last.0[..20]), share(&last.0[last.0.len() - 20..]));
    println!("relative error {first} in the first steps, {last} in the last steps");
    assert!(
        last < 0.9 * first,
        "the relative error is {last} at the end, {first} at the start"
    );
}
