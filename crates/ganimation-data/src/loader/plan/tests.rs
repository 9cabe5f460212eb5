//! Tests of the contents of batches, without reading files.

use super::*;
use crate::au::Intensities;
use std::path::PathBuf;

fn faces(count: usize, intensity: impl Fn(usize) -> [f32; AU_COUNT]) -> Arc<[Face]> {
    (0..count)
        .map(|i| Face {
            id: i.to_string(),
            path: PathBuf::new(),
            intensities: Intensities::new(intensity(i)),
            landmarks: None,
        })
        .collect()
}

fn config() -> LoaderConfig {
    LoaderConfig {
        batch_size: 4,
        ..LoaderConfig::default()
    }
}

fn chosen(plan: &Plan, step: u64) -> Vec<usize> {
    plan.samples(step, &mut Order::default())
        .iter()
        .map(|sample| sample.face)
        .collect()
}

#[test]
fn an_epoch_shows_no_face_twice_and_drops_the_short_batch() {
    let plan = Plan::new(faces(11, |_| [0.0; AU_COUNT]), &config());
    assert_eq!(plan.batches_per_epoch(), 2);
    let mut seen: Vec<_> = [0, 1].into_iter().flat_map(|step| chosen(&plan, step)).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 8);
}

#[test]
fn every_epoch_is_shuffled_anew() {
    let plan = Plan::new(faces(64, |_| [0.0; AU_COUNT]), &config());
    assert_ne!(chosen(&plan, 0), chosen(&plan, 16));
}

#[test]
fn targets_come_from_another_face_within_the_noise() {
    let plan = Plan::new(faces(8, |i| [i as f32 * 0.5 + 0.5; AU_COUNT]), &config());
    for step in 0..20 {
        for sample in plan.samples(step, &mut Order::default()) {
            let nearest = (sample.target.iter().sum::<f32>() / 17.0 * 10.0 - 1.0).round();
            assert_ne!(nearest, sample.face as f32);
            for value in sample.target {
                assert!((value - (nearest + 1.0) / 10.0).abs() <= 0.1 + 1e-6);
            }
        }
    }
}

#[test]
fn targets_are_clamped_only_if_asked() {
    let extremes = |config: LoaderConfig| {
        let plan = Plan::new(
            faces(8, |i| [if i % 2 == 0 { 0.0 } else { 5.0 }; AU_COUNT]),
            &config,
        );
        let all: Vec<f32> = (0..10)
            .flat_map(|step| plan.samples(step, &mut Order::default()))
            .flat_map(|s| s.target)
            .collect();
        (
            all.iter().copied().fold(f32::MAX, f32::min),
            all.iter().copied().fold(f32::MIN, f32::max),
        )
    };
    assert_eq!(extremes(config()), (0.0, 1.0));
    let (low, high) = extremes(LoaderConfig {
        clamp_targets: false,
        ..config()
    });
    assert!(low < -0.05 && high > 1.05, "{low} {high}");
}

#[test]
fn balance_prefers_faces_with_rare_units() {
    // Every 50th face raises its brows: a fraction of 2 %, a weight of 50^0.5 = 7.07.
    let rare = |i: usize| {
        let mut aus = [0.0; AU_COUNT];
        aus[0] = if i.is_multiple_of(50) { 3.0 } else { 0.0 };
        aus
    };
    let share = |balance| {
        let plan = Plan::new(faces(500, rare), &LoaderConfig { balance, ..config() });
        let drawn: Vec<_> = (0..2_500).flat_map(|step| chosen(&plan, step)).collect();
        drawn.iter().filter(|face| face.is_multiple_of(50)).count() as f64 / drawn.len() as f64
    };
    assert!((share(0.0) - 0.02).abs() < 0.001);
    let expected = 7.07 * 0.02 / (7.07 * 0.02 + 0.98);
    assert!((share(0.5) - expected).abs() < 0.01);
}

#[test]
fn a_step_depends_on_the_seed_and_the_step_alone() {
    for balance in [0.0, 0.7] {
        let config = LoaderConfig { balance, ..config() };
        let plan = Plan::new(faces(40, |i| [i as f32 / 10.0; AU_COUNT]), &config);
        let mut used = Order::default();
        for step in [3, 25, 4, 900, 3] {
            let (fresh, again) = (
                plan.samples(step, &mut Order::default()),
                plan.samples(step, &mut used),
            );
            for (a, b) in fresh.iter().zip(&again) {
                assert_eq!((a.face, a.flip, a.target), (b.face, b.flip, b.target));
            }
        }
        let other = Plan::new(
            faces(40, |_| [0.0; AU_COUNT]),
            &LoaderConfig { seed: 1, ..config },
        );
        assert_ne!(chosen(&plan, 3), chosen(&other, 3));
    }
}

#[test]
fn edited_targets_keep_most_of_the_faces_own_units() {
    let config = LoaderConfig {
        target_edits: 1.0,
        ..config()
    };
    let plan = Plan::new(faces(8, |i| [i as f32 * 0.5; AU_COUNT]), &config);
    let mut changes = Vec::new();
    for step in 0..40 {
        for sample in plan.samples(step, &mut Order::default()) {
            let changed = plan
                .aus(sample.face)
                .into_iter()
                .zip(sample.target)
                .filter(|(own, requested)| own != requested);
            changes.push(changed.count());
            assert!(
                sample
                    .target
                    .iter()
                    .all(|requested| (0.0..=0.8).contains(requested))
            );
        }
    }
    assert!(changes.iter().all(|&count| count <= 3), "{changes:?}");
    assert!((0..=3).all(|count| changes.contains(&count)), "{changes:?}");
}
