//! The contents of each batch, as a pure function of the seed and the step.

use std::sync::Arc;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::LoaderConfig;
use crate::au::{ACTIVE_INTENSITY, AU_COUNT, ActionUnit};
use crate::dataset::Face;

/// Largest weight of a face, relative to a face without an expression.
const MAX_WEIGHT: f64 = 10.0;

/// Maximum number of action units that an edited target changes.
const MAX_EDITS: u32 = 3;

/// Largest intensity of a unit in an edited target, in intensity / 5. Faces above it are too rare to learn from.
const EDIT_TO: f32 = 0.8;

/// One face of a batch.
pub(super) struct Sample {
    pub(super) face: usize,
    pub(super) flip: bool,
    /// Intensity / 5, with noise.
    pub(super) target: [f32; AU_COUNT],
}

/// The purpose of random numbers. Each purpose has its own stream.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// The shuffle of an epoch.
    Epoch = 0,
    /// Draws, flips and targets of a step.
    Step = 1,
    /// Faces that replace unreadable faces.
    StandIn = 2,
    /// Lessons of a step.
    Lesson = 3,
    /// Reverse pairs of a step.
    Pair = 4,
}

/// The random stream of one purpose and one index. No state is carried between steps.
pub(super) fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
    key[16..24].copy_from_slice(&index.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// The shuffle of the latest epoch, stored so that it is not computed for every batch.
#[derive(Default)]
pub(super) struct Order {
    epoch: Option<u64>,
    faces: Vec<usize>,
}

/// The plan of all batches.
pub(super) struct Plan {
    faces: Arc<[Face]>,
    batch_size: usize,
    seed: u64,
    flip: bool,
    noise: f32,
    clamp: bool,
    edits: f32,
    skip_bad: bool,
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
            edits: config.target_edits,
            skip_bad: config.skip_bad,
            weights,
        }
    }

    pub(super) fn batches_per_epoch(&self) -> u64 {
        (self.faces.len() / self.batch_size) as u64
    }

    /// The faces of one batch. `order` is scratch space with any contents.
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

    /// Whether another face replaces an unreadable face.
    pub(super) fn skip_bad(&self) -> bool {
        self.skip_bad
    }

    /// The replacement face for a position of a batch, after `attempts` other unreadable faces.
    pub(super) fn stand_in(&self, step: u64, place: u64, attempts: usize) -> usize {
        let mut random = stream(self.seed, Purpose::StandIn, step);
        random.set_stream(place);
        let count = self.faces.len() as u64;
        let face = (0..=attempts).fold(0, |_, _| random.random_range(0..count));
        usize::try_from(face).unwrap_or_default()
    }

    /// The action units of a face, intensity / 5.
    pub(super) fn aus(&self, face: usize) -> [f32; AU_COUNT] {
        self.faces[face].intensities.normalized()
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
        // Always drawn, so that disabling flips does not change other random numbers.
        let heads: bool = random.random();
        let target = self.faces[other].intensities.normalized().map(|value| {
            let noisy = value + (random.random::<f32>() * 2.0 - 1.0) * self.noise;
            if self.clamp { noisy.clamp(0.0, 1.0) } else { noisy }
        });
        let target = if self.edits > 0.0 && random.random::<f32>() < self.edits {
            edited(self.aus(face), random)
        } else {
            target
        };
        Sample {
            face,
            flip: self.flip && heads,
            target,
        }
    }

    /// A face other than `face`. With weights, or if there is no other face, it can be the same.
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

/// A face's own action units with a few new values.
fn edited(mut aus: [f32; AU_COUNT], random: &mut ChaCha8Rng) -> [f32; AU_COUNT] {
    for _ in 0..random.random_range(0..=MAX_EDITS) {
        let unit = random.random_range(0..AU_COUNT as u64);
        if let Some(value) = usize::try_from(unit).ok().and_then(|unit| aus.get_mut(unit)) {
            *value = random.random::<f32>() * EDIT_TO;
        }
    }
    aus
}

/// Draws an index by weight.
pub(super) fn draw(running: &[f64], random: &mut ChaCha8Rng) -> usize {
    let total = running.last().copied().unwrap_or_default();
    let at = random.random::<f64>() * total;
    running.partition_point(|&sum| sum <= at).min(running.len() - 1)
}

fn running_weights(faces: &[Face], balance: f64) -> Vec<f64> {
    let shows = |face: &Face, au| face.intensities.get(au) > ACTIVE_INTENSITY;
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
    running(faces.iter().map(weight))
}

/// Running sums of weights for [`draw`].
pub(super) fn running(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    let sums = weights.scan(0.0, |sum, weight| {
        *sum += weight;
        Some(*sum)
    });
    sums.collect()
}

#[cfg(test)]
mod tests;
