//! Runs of older versions, with the old names of settings and measurements.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod common;

use std::fs;
use std::path::Path;

use common::{Fixture, never, weights};
use ganimation_train::History;

/// The folder of an older run: the settings, measurements, validations and warnings of a real one.
fn older_run(folder: &Path) {
    fs::write(folder.join("config.toml"), include_str!("data/config_0.toml")).unwrap();
    for (name, lines) in [
        ("metrics.jsonl", include_str!("data/metrics_0.jsonl")),
        ("validation.jsonl", include_str!("data/validation_0.jsonl")),
        ("warnings.jsonl", include_str!("data/warnings_0.jsonl")),
    ] {
        fs::write(folder.join(name), lines).unwrap();
    }
}

#[test]
fn the_measurements_of_an_older_run_are_read_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    older_run(folder.path());
    let history = History::read(folder.path()).unwrap();
    assert_eq!(history.metrics.len(), 6);
    assert_eq!((history.validations.len(), history.warnings), (2, 1));
    let first = &history.metrics[0];
    assert_eq!((first.step, first.learning_rate), (50, 0.0004));
    assert_eq!(first.mask_coverage_peak, 0.766_264_1);
    assert_eq!(first.motion.as_ref().unwrap().field_baseline, 0.471_208_5);
    assert_eq!(
        history.validations[0].discriminator_aus,
        0.010_808_326_303_958_893
    );
    assert!(history.metrics[5].discriminator_adversarial < 0.0);
    let svg = history.plot();
    assert!(svg.contains("<polyline") && !svg.contains("NaN"), "{svg}");
}

#[test]
fn a_run_with_old_names_resumes_on_the_same_trajectory() {
    let fixture = Fixture::new();
    let whole = {
        let mut run = fixture.start("whole");
        run.train(&fixture.dataset, 10, &mut (), &never()).unwrap();
        weights(&run)
    };
    let mut run = fixture.start("old");
    run.train(&fixture.dataset, 4, &mut (), &never()).unwrap();
    drop(run);
    let path = fixture.folder.path().join("old/config.toml");
    let mut text = fs::read_to_string(&path).unwrap();
    for (new, old) in [
        ("learning_rate", "rate"),
        ("n_critic", "generator_every"),
        ("lambda_gp", "penalty"),
        ("lambda_tv", "smoothness"),
        (
            "discriminator_updates = \"joint\"",
            "critic_updates = \"together\"",
        ),
    ] {
        assert!(text.contains(new), "{new}: {text}");
        text = text.replace(new, old);
    }
    fs::write(&path, text).unwrap();

    let mut run = fixture.resume("old");
    let notes: Vec<String> = run.renamed().iter().map(ToString::to_string).collect();
    assert!(
        notes.contains(&"generator_every is now n_critic".to_owned()),
        "{notes:?}"
    );
    assert_eq!(run.config(), &fixture.config);
    run.train(&fixture.dataset, 10, &mut (), &never()).unwrap();
    assert_eq!(weights(&run), whole);
}
