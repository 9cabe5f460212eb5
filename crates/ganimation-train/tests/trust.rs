//! Runs with changed settings, several devices, given initial weights, limits, or errors.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod common;

use std::fs;

use burn::tensor::Device;
use common::{Fixture, never, weights};
use ganimation_model::state_dict;
use ganimation_train::{
    Change, Error, History, Limits, Observer, Outcome, Overlay, Problem, Progress, Run, TrainConfig, Warning,
};

/// Resumes the run in folder `name` with changed settings.
fn resume_changed(fixture: &Fixture, name: &str, changes: &[&str]) -> Result<(Run, Vec<Change>), Error> {
    let mut overlay = Overlay::default();
    for change in changes {
        overlay.set_text(change).unwrap();
    }
    Run::resume_changed(fixture.folder.path().join(name), &overlay, &Device::flex())
}

#[test]
fn settings_changed_on_resume_are_listed_and_stored() {
    let fixture = Fixture::new();
    let mut run = fixture.start("run");
    run.train(&fixture.dataset, 4, &mut (), &never()).unwrap();
    drop(run);
    let (run, changes) =
        resume_changed(&fixture, "run", &["adam.learning_rate=0.01", "batch_size=2"]).unwrap();
    let message: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(message, ["adam.learning_rate: 0.0001 -> 0.01"]);
    assert_eq!(run.config().adam.learning_rate, 0.01);
    drop(run);
    assert_eq!(fixture.resume("run").config().adam.learning_rate, 0.01);
    let listed = fs::read_to_string(fixture.folder.path().join("run/changes.jsonl")).unwrap();
    assert!(
        listed.contains("\"step\":4") && listed.lines().count() == 1,
        "{listed}"
    );
}

#[test]
fn the_size_of_a_network_cannot_change_on_resume() {
    let fixture = Fixture::new();
    fixture
        .start("run")
        .train(&fixture.dataset, 2, &mut (), &never())
        .unwrap();
    let error = resume_changed(&fixture, "run", &["generator_channels=4"]).unwrap_err();
    let expected = "setting `generator_channels` of a started run cannot change from 2 to 4";
    assert_eq!(error.to_string(), expected);
    assert_eq!(fixture.resume("run").config().generator_channels, 2);
}

#[test]
fn the_best_checkpoint_and_every_so_many_th_stay() {
    let mut fixture = Fixture::new();
    fixture.config = TrainConfig {
        checkpoint_every: 1,
        checkpoint_keep: 1,
        checkpoint_keep_every: Some(5),
        validate_every: 2,
        ..fixture.config
    };
    fixture
        .start("run")
        .train(&fixture.dataset, Limits::default(), &mut (), &never())
        .unwrap();
    let folder = fixture.folder.path().join("run");
    let history = History::read(&folder).unwrap();
    let validated: Vec<u64> = history.validations.iter().map(|line| line.step).collect();
    assert_eq!(validated, [2, 4, 6, 8, 10]);
    let kept: Vec<u64> = fs::read_dir(folder.join("checkpoints"))
        .unwrap()
        .filter_map(|entry| {
            entry
                .unwrap()
                .file_name()
                .to_str()?
                .strip_prefix("step-")?
                .parse()
                .ok()
        })
        .collect();
    let best = history.best().unwrap().step;
    let mut expected = vec![5, 10, best];
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(
        {
            let mut kept = kept;
            kept.sort_unstable();
            kept
        },
        expected
    );
}

#[test]
fn a_run_may_begin_with_the_weights_of_another() {
    let mut fixture = Fixture::new();
    let mut first = fixture.start("first");
    first.train(&fixture.dataset, 4, &mut (), &never()).unwrap();
    let checkpoint = fixture.folder.path().join("first/checkpoints/step-4");
    fixture.config.seed = 12;
    fixture.config.from = Some(checkpoint.clone());
    let second = fixture.start("second");
    let discriminator = |run: &Run| state_dict(run.training().paper().unwrap().discriminator());
    assert_eq!(discriminator(&second), discriminator(&first));
    assert_eq!(
        state_dict(second.training().average()),
        state_dict(first.training().generator())
    );

    // Only the generator's file, with a new discriminator; and a generator of another size.
    fixture.config.from = Some(checkpoint.join("generator.safetensors"));
    let third = fixture.start("third");
    assert_ne!(discriminator(&third), discriminator(&first));
    assert_eq!(
        state_dict(third.training().average()),
        state_dict(first.training().generator())
    );
    fixture.config.generator_channels = 4;
    let folder = fixture.folder.path().join("fourth");
    let error = Run::start(&folder, fixture.config.clone(), &Device::flex()).unwrap_err();
    assert!(error.to_string().contains("cannot start from"), "{error}");
    assert!(!folder.exists());
}

#[test]
fn time_ends_a_stretch_between_two_steps() {
    let fixture = Fixture::new();
    let mut run = fixture.start("run");
    let limits = Limits {
        time: Some(std::time::Duration::ZERO),
        ..Limits::default()
    };
    let outcome = run.train(&fixture.dataset, limits, &mut (), &never()).unwrap();
    assert_eq!(outcome, Outcome::Stopped { step: 0 });
}

#[test]
fn slow_steps_are_saved_by_the_clock_and_take_the_same_way() {
    #[derive(Default)]
    struct Saves(u64);
    impl Observer for Saves {
        fn saved(&mut self, _path: &std::path::Path) {
            self.0 += 1;
        }
    }
    let mut fixture = Fixture::new();
    fixture.config.checkpoint_every = 1000;
    let mut whole = fixture.start("whole");
    whole
        .train(&fixture.dataset, Limits::default(), &mut (), &never())
        .unwrap();
    let often = Limits {
        unsaved: Some(std::time::Duration::ZERO),
        ..Limits::default()
    };
    let mut saves = Saves::default();
    let mut saved = fixture.start("saved");
    saved
        .train(&fixture.dataset, often, &mut saves, &never())
        .unwrap();
    assert_eq!(saves.0, 10, "one per step, and none twice");
    assert_eq!(weights(&saved), weights(&whole));
}

#[test]
fn whatever_is_no_step_of_a_network_counts_as_upkeep() {
    const SLEEP: f64 = 0.03;
    struct Slow(Vec<Progress>);
    impl Observer for Slow {
        fn stepped(&mut self, _step: u64, _steps: u64) {
            std::thread::sleep(std::time::Duration::from_secs_f64(SLEEP));
        }
        fn measured(&mut self, progress: &Progress) {
            self.0.push(progress.clone());
        }
        fn previewed(&mut self, _path: &std::path::Path) {
            std::thread::sleep(std::time::Duration::from_secs_f64(SLEEP));
        }
    }
    let fixture = Fixture::new();
    let (mut slow, start) = (Slow(Vec::new()), std::time::Instant::now());
    fixture
        .start("run")
        .train(&fixture.dataset, Limits::default(), &mut slow, &never())
        .unwrap();
    let whole = start.elapsed().as_secs_f64();
    let mut measured = 0.0;
    for line in &slow.0 {
        let seconds = 4.0 / line.faces_per_second; // two steps of two faces
        // A preview is drawn after step 5. Its time belongs to the line of step 6.
        let slept = if line.step == 6 { 3.0 } else { 2.0 } * SLEEP;
        assert!(line.upkeep * seconds >= slept, "{line:?}");
        assert!(line.waiting + line.upkeep < 1.0, "{line:?}");
        measured += seconds;
    }
    assert_eq!(slow.0.len(), 5);
    assert!(measured < whole, "{measured} of {whole} s");
}

#[test]
fn weights_that_are_no_numbers_any_more_replace_no_checkpoint() {
    let fixture = Fixture::new();
    fixture
        .start("run")
        .train(&fixture.dataset, 4, &mut (), &never())
        .unwrap();
    let (mut run, _) = resume_changed(&fixture, "run", &["adam.learning_rate=1e38"]).unwrap();
    let error = run
        .train(&fixture.dataset, Limits::default(), &mut (), &never())
        .unwrap_err();
    let is_told = matches!(error, Error::NotFinite { .. } | Error::BrokenWeights { .. });
    assert!(is_told, "{error}");
    drop(run);
    assert_eq!(fixture.resume("run").step(), 4);
}

#[test]
fn a_shared_run_ends_close_to_one_alone() {
    let fixture = Fixture::new();
    let mut alone = fixture.start("alone");
    alone.train(&fixture.dataset, 4, &mut (), &never()).unwrap();
    let mut shared = fixture.start("shared");
    shared.share(&[Device::flex(), Device::flex()]).unwrap();
    shared.train(&fixture.dataset, 4, &mut (), &never()).unwrap();
    for ((name, alone), (_, shared)) in weights(&alone).iter().zip(weights(&shared)) {
        for (alone, shared) in alone.iter::<f32>().zip(shared.iter::<f32>()) {
            assert!((alone - shared).abs() < 1e-3, "{name}: {alone} and {shared}");
        }
    }
}

#[test]
fn a_run_that_learnt_nothing_is_warned_and_a_strict_one_stops_with_its_work_saved() {
    #[derive(Default)]
    struct Heard(Vec<Problem>);
    impl Observer for Heard {
        fn warned(&mut self, warning: &Warning) {
            self.0.push(warning.problem);
        }
    }
    let mut fixture = Fixture::new();
    fixture.config.steps = Some(7000);
    fixture.config.validate_every = 2;
    fixture
        .start("run")
        .train(&fixture.dataset, 2, &mut (), &never())
        .unwrap();
    let folder = fixture.folder.path().join("run");
    // After two steps the networks have hardly learned. The renamed checkpoint simulates 6,000 steps.
    let checkpoints = folder.join("checkpoints");
    fs::rename(checkpoints.join("step-2"), checkpoints.join("step-6000")).unwrap();

    let strict = Limits {
        steps: Some(6004),
        strict: true,
        ..Limits::default()
    };
    let mut run = fixture.resume("run");
    let error = run
        .train(&fixture.dataset, strict, &mut (), &never())
        .unwrap_err();
    assert!(matches!(error, Error::Warned(_)), "{error}");
    drop(run);
    let mut run = fixture.resume("run");
    assert_eq!(run.step(), 6002);

    let mut heard = Heard::default();
    run.train(&fixture.dataset, 6010, &mut heard, &never()).unwrap();
    for problem in [Problem::DiscriminatorAusNotLearned, Problem::EditsMissTargets] {
        let times = heard.0.iter().filter(|heard| **heard == problem).count();
        assert_eq!(times, 1, "{:?}", heard.0);
    }
    let message = fs::read_to_string(folder.join("warnings.jsonl")).unwrap();
    assert!(
        message.contains("discriminator-aus-not-learned") && message.contains("check that labels"),
        "{message}"
    );
}
