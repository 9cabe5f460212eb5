//! What each batch consists of, as a pure function of the seed and the step.

use std::sync::Arc;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::LoaderConfig;
use crate::au::{AU_COUNT, ActionUnit};
use crate::dataset::Face;

/// Above this intensity (OpenFace units) a face counts as showing an action unit.
const ACTIVE: f32 = 1.5;

/// No face is preferred more than this many times to one that shows nothing.
const MAX_WEIGHT: f64 = 10.0;

/// One face of a batch.
pub(super) struct Sample {
    pub(super) face: usize,
    pub(super) flip: bool,
    /// Intensity / 5.
    pub(super) aus: [f32; AU_COUNT],
    /// Intensity / 5, with noise.
    pub(super) target: [f32; AU_COUNT],
}

/// What random numbers are for; each purpose has its own stream.
#[derive(Clone, Copy)]
enum Purpose {
    /// The shuffle of an epoch.
    Epoch = 0,
    /// Draws, flips and targets of a step.
    Step = 1,
}

/// The random stream of one purpose and one index: no state is carried from step to step.
fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
    key[16..24].copy_from_slice(&index.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// The shuffle of the latest epoch, kept so that it is not made for every batch.
#[derive(Default)]
pub(super) struct Order {
    epoch: Option<u64>,
    faces: Vec<usize>,
}

/// The recipe of all batches.
pub(super) struct Plan {
    faces: Arc<[Face]>,
    batch_size: usize,
    seed: u64,
    flip: bool,
    noise: f32,
    clamp: bool,
    /// Running sums of the faces' weights, if faces are drawn by weight.
    weights: Option<Vec<f64>>,
}

impl Plan {
    /// # Panics
    /// Panics if the faces do not fill a batch.
    pub(super) fn new(faces: Arc<[Face]>, config: &LoaderConfig) -> Self {
        let (count, batch_size) = (faces.len(), config.batch_size);
        assert!(
            count >= batch_size && batch_size > 0,
            "{count} faces for batches of {batch_size}"
        );
        let weights = (config.balance > 0.0).then(|| running_weights(&faces, config.balance.into()));
        Self {
            faces,
            batch_size,
            seed: config.seed,
            flip: config.flip,
            noise: config.target_noise,
            clamp: config.clamp_targets,
            weights,
        }
    }

    pub(super) fn batches_per_epoch(&self) -> u64 {
        (self.faces.len() / self.batch_size) as u64
    }

    /// The faces of one batch. `order` is scratch space: what is in it does not matter.
    pub(super) fn samples(&self, step: u64, order: &mut Order) -> Vec<Sample> {
        let mut random = stream(self.seed, Purpose::Step, step);
        let chosen: Vec<usize> = match &self.weights {
            Some(weights) => (0..self.batch_size).map(|_| draw(weights, &mut random)).collect(),
            None => self.shuffled(step, order).to_vec(),
        };
        chosen
            .into_iter()
            .map(|face| self.sample(face, &mut random))
            .collect()
    }

    /// The slice of the epoch's shuffle that belongs to a step.
    fn shuffled<'a>(&self, step: u64, order: &'a mut Order) -> &'a [usize] {
        let batches = self.faces.len() / self.batch_size;
        let epoch = step / batches as u64;
        if order.epoch != Some(epoch) {
            order.epoch = Some(epoch);
            order.faces.clear();
            order.faces.extend(0..self.faces.len());
            order.faces.shuffle(&mut stream(self.seed, Purpose::Epoch, epoch));
        }
        let batch = usize::try_from(step % batches as u64).unwrap_or_default();
        &order.faces[batch * self.batch_size..][..self.batch_size]
    }

    fn sample(&self, face: usize, random: &mut ChaCha8Rng) -> Sample {
        let other = self.other(face, random);
        // Always drawn, so that turning flips off changes nothing else.
        let heads: bool = random.random();
        let target = self.faces[other].intensities.normalized().map(|value| {
            let noisy = value + (random.random::<f32>() * 2.0 - 1.0) * self.noise;
            if self.clamp { noisy.clamp(0.0, 1.0) } else { noisy }
        });
        Sample {
            face,
            flip: self.flip && heads,
            aus: self.faces[face].intensities.normalized(),
            target,
        }
    }

    /// Another face than `face`; with weights, or when there is no other, it may be the same.
    fn other(&self, face: usize, random: &mut ChaCha8Rng) -> usize {
        match (&self.weights, self.faces.len()) {
            (_, 1) => face,
            (Some(weights), _) => draw(weights, random),
            (None, count) => {
                let other = random.random_range(0..count as u64 - 1);
                let other = usize::try_from(other).unwrap_or_default();
                if other >= face { other + 1 } else { other }
            }
        }
    }
}

/// Draws a place by its weight.
fn draw(running: &[f64], random: &mut ChaCha8Rng) -> usize {
    let total = running.last().copied().unwrap_or_default();
    let at = random.random::<f64>() * total;
    running.partition_point(|&sum| sum <= at).min(running.len() - 1)
}

fn running_weights(faces: &[Face], balance: f64) -> Vec<f64> {
    let shows = |face: &Face, au| face.intensities.get(au) > ACTIVE;
    let rarity = ActionUnit::ALL.map(|au| {
        let count = faces.iter().filter(|face| shows(face, au)).count().max(1);
        (faces.len() as f64 / count as f64).powf(balance)
    });
    let weight = |face: &Face| {
        let shown = ActionUnit::ALL.into_iter().filter(|&au| shows(face, au));
        shown
            .map(|au| rarity[au.index()])
            .fold(1.0, f64::max)
            .min(MAX_WEIGHT)
    };
    let mut sum = 0.0;
    faces
        .iter()
        .map(|face| {
            sum += weight(face);
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::au::Intensities;
    use std::path::PathBuf;

    fn faces(count: usize, intensity: impl Fn(usize) -> [f32; AU_COUNT]) -> Arc<[Face]> {
        (0..count)
            .map(|i| Face {
                id: i.to_string(),
                path: PathBuf::new(),
                intensities: Intensities::new(intensity(i)),
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
                assert_ne!(nearest as usize, sample.face);
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
        // Every 50th face raises its brows: a share of 2 %, a weight of 50^0.5 = 7.07.
        let rare = |i: usize| {
            let mut aus = [0.0; AU_COUNT];
            aus[0] = if i % 50 == 0 { 3.0 } else { 0.0 };
            aus
        };
        let share = |balance| {
            let plan = Plan::new(faces(500, rare), &LoaderConfig { balance, ..config() });
            let drawn: Vec<_> = (0..2_500).flat_map(|step| chosen(&plan, step)).collect();
            drawn.iter().filter(|&&face| face % 50 == 0).count() as f64 / drawn.len() as f64
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
}
