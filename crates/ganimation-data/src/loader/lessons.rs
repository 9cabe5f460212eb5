//! Batches for the motion network: faces with a teacher's lessons, and reverse pairs.

use std::sync::Arc;

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use super::pictures::Pictures;
use super::plan::{Purpose, draw, running, stream};
use super::{Batch, LoaderConfig};
use crate::au::{AU_COUNT, ActionUnit};
use crate::dataset::Face;
use crate::error::{Error, Result};
use crate::landmarks::Landmarks;
use crate::teacher::Teacher;

/// The motion network's training data for the faces of one batch.
///
/// In the first stage, a batch has `batch_size / 2` faces and the same number of reverse pairs. In the second stage, a
/// batch has all faces, and `batch_size / 2` pairs in even steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Lessons {
    /// The teacher's motion for `target_aus - aus`: `[batch, 2, 32, 32]`, the source position minus the own position, x
    /// then y, as fractions of the side.
    pub field: Vec<f32>,
    /// Where this motion uncovers areas that the picture does not show: `[batch, 1, size / 2, size / 2]`, 0 to 1.
    pub mask: Vec<f32>,
    /// Where a mouth closes and the lips must cover the area between them, and where upper lids come down: like `mask`.
    pub seam: Vec<f32>,
    /// Reverse pairs, in steps that have them.
    pub pairs: Option<Pairs>,
}

/// Real faces with an expression, and motion that leads to them from a weaker expression.
///
/// The input of a pair is the picture warped by `lead`, with closed lips drawn at `lead_seam`. The target is the picture
/// itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairs {
    /// The real faces: `[count, height, width, RGB]`.
    pub pixels: Vec<u8>,
    /// Number of pairs.
    pub count: usize,
    /// The real faces' action units: `[count, 17]`, OpenFace intensity / 5.
    pub aus: Vec<f32>,
    /// The action units of the weaker expression: `[count, 17]`, OpenFace intensity / 5.
    pub reduced_aus: Vec<f32>,
    /// The motion to the weaker expression: `[count, 2, 32, 32]`, like [`Lessons::field`].
    pub lead: Vec<f32>,
    /// Where the motion to the weaker expression closes mouth or eyes: `[count, 1, size / 2, size / 2]`, 0 to 1. Teeth would
    /// stay visible between the lips.
    pub lead_seam: Vec<f32>,
    /// The teacher's motion from there for `aus - reduced_aus`: `[count, 2, 32, 32]`, like [`Lessons::field`].
    pub field: Vec<f32>,
    /// Where this motion uncovers areas that the input does not show: `[count, 1, size / 2, size / 2]`, 0 to 1.
    pub mask: Vec<f32>,
    /// Where this motion closes mouth or eyes: like [`Lessons::seam`].
    pub seam: Vec<f32>,
}

/// Above this, in intensity / 5, a unit counts for the rarity of a face.
const RARE_ABOVE: f32 = 0.2;

/// The same for reverse pairs.
const EXPRESSIVE_ABOVE: f32 = 0.25;

/// The units of surprise.
const SURPRISE: [ActionUnit; 5] = [
    ActionUnit::InnerBrowRaiser,
    ActionUnit::OuterBrowRaiser,
    ActionUnit::UpperLidRaiser,
    ActionUnit::LipsPart,
    ActionUnit::JawDrop,
];

/// Number of faces to try for one position of a batch.
const ATTEMPTS: u64 = 100;

/// A face with landmarks.
struct Known {
    /// Its index among all faces.
    face: usize,
    aus: [f32; AU_COUNT],
    landmarks: Landmarks,
}

/// The recipe of all batches with lessons.
pub(super) struct LessonPlan {
    known: Vec<Known>,
    /// Running sums of their weights.
    weights: Vec<f64>,
    /// Indices in `known` of faces with an expression.
    expressive: Vec<usize>,
    /// Running sums of their weights.
    expressive_weights: Vec<f64>,
    /// The largest intensity of each unit in an edited target.
    most: [f32; AU_COUNT],
    teacher: Arc<Teacher>,
    taught_steps: u64,
    batch_size: usize,
    seed: u64,
    flip: bool,
    skip_bad: bool,
}

/// One face of a batch with its target or its weaker expression.
struct Drawn<'a> {
    known: &'a Known,
    flip: bool,
    landmarks: Landmarks,
    aus: [f32; AU_COUNT],
}

impl LessonPlan {
    /// The plan of lessons, if lessons are enabled.
    ///
    /// # Errors
    /// [`Error::NoLandmarks`] if the faces with landmarks do not fill a batch.
    pub(super) fn new(faces: &[Face], config: &LoaderConfig) -> Result<Option<Self>> {
        let Some(lessons) = &config.lessons else {
            return Ok(None);
        };
        let known: Vec<_> = faces
            .iter()
            .enumerate()
            .filter_map(|(at, face)| {
                Some(Known {
                    face: at,
                    aus: face.intensities.normalized(),
                    landmarks: face.landmarks?,
                })
            })
            .collect();
        if known.len() < config.batch_size {
            return Err(Error::NoLandmarks {
                found: known.len(),
                needed: config.batch_size,
            });
        }
        let (shown, strong) = (shares(&known, RARE_ABOVE), shares(&known, EXPRESSIVE_ABOVE));
        let rarity = |known: &Known, above: f32, shares: &[f64; AU_COUNT], soft: f64| {
            let units = known.aus.iter().zip(shares).filter(|(value, _)| **value > above);
            units.map(|(_, share)| 1.0 / (share + soft)).sum::<f64>()
        };
        let weight = |known: &Known| (rarity(known, RARE_ABOVE, &shown, 0.01) + 3.0).sqrt();
        let mut expressive: Vec<_> = (0..known.len())
            .filter(|&at| is_expressive(&known[at].aus))
            .collect();
        if expressive.is_empty() {
            expressive = (0..known.len()).collect();
        }
        let expressive_weight =
            |&at: &usize| rarity(&known[at], EXPRESSIVE_ABOVE, &strong, 0.02).sqrt() + 0.5;
        Ok(Some(Self {
            weights: running(known.iter().map(weight)),
            expressive_weights: running(expressive.iter().map(expressive_weight)),
            expressive,
            most: most(&known),
            known,
            teacher: Arc::clone(&lessons.teacher),
            taught_steps: lessons.taught_steps,
            batch_size: config.batch_size,
            seed: config.seed,
            flip: config.flip,
            skip_bad: config.skip_bad,
        }))
    }

    pub(super) fn batches_per_epoch(&self) -> u64 {
        (self.known.len() / self.batch_size) as u64
    }

    /// The numbers of faces and pairs in a step.
    fn counts(&self, step: u64) -> (usize, usize) {
        let half = self.batch_size / 2;
        match step < self.taught_steps {
            true => (half, half),
            false if step.is_multiple_of(2) => (self.batch_size, half),
            false => (self.batch_size, 0),
        }
    }

    /// The batch of a step.
    ///
    /// # Errors
    /// As decoding, and [`Error::TooManyBad`].
    pub(super) fn batch(&self, pictures: &Pictures, step: u64) -> Result<Batch> {
        let size = pictures.size();
        let (count, pairs) = self.counts(step);
        let mut pixels = vec![0; count * size * size * 3];
        let (mut aus, mut target_aus) = (Vec::new(), Vec::new());
        let (mut field, mut mask, mut seam) = (Vec::new(), Vec::new(), Vec::new());
        for (place, pixels) in (0..).zip(pixels.chunks_exact_mut(size * size * 3)) {
            let face = self.put(pictures, pixels, |attempt| self.forward(step, place, attempt))?;
            let (shown, target) = (&face.known.aus, &face.aus);
            let lesson = self.teacher.lesson(&face.landmarks, shown, target, size / 2);
            aus.extend(face.known.aus);
            target_aus.extend(face.aus);
            field.extend(lesson.field);
            mask.extend(lesson.mask);
            seam.extend(lesson.seam);
        }
        let pairs = (pairs > 0)
            .then(|| self.pairs(pictures, step, pairs))
            .transpose()?;
        Ok(Batch {
            step,
            pixels,
            batch: count,
            size,
            aus,
            target_aus,
            lessons: Some(Lessons {
                field,
                mask,
                seam,
                pairs,
            }),
        })
    }

    fn pairs(&self, pictures: &Pictures, step: u64, count: usize) -> Result<Pairs> {
        let size = pictures.size();
        let mut pairs = Pairs {
            pixels: vec![0; count * size * size * 3],
            count,
            aus: Vec::new(),
            reduced_aus: Vec::new(),
            lead: Vec::new(),
            lead_seam: Vec::new(),
            field: Vec::new(),
            mask: Vec::new(),
            seam: Vec::new(),
        };
        for (place, pixels) in (0..).zip(pairs.pixels.chunks_exact_mut(size * size * 3)) {
            let face = self.put(pictures, pixels, |attempt| self.pair(step, place, attempt))?;
            let (shown, led) = (&face.known.aus, &face.aus);
            let lead = self.teacher.lesson(&face.landmarks, shown, led, size / 2);
            // The motion of the pair ends at the real face.
            let back = self
                .teacher
                .lesson_between(&lead.moved, &face.landmarks, size / 2);
            pairs.aus.extend(face.known.aus);
            pairs.reduced_aus.extend(face.aus);
            pairs.lead.extend(lead.field);
            pairs.lead_seam.extend(lead.seam);
            pairs.field.extend(back.field);
            pairs.mask.extend(back.mask);
            pairs.seam.extend(back.seam);
        }
        Ok(pairs)
    }

    /// Copies the first readable drawn face to `pixels`.
    fn put<'a>(
        &self,
        pictures: &Pictures,
        pixels: &mut [u8],
        draw: impl Fn(u64) -> Drawn<'a>,
    ) -> Result<Drawn<'a>> {
        let mut attempt = 0;
        loop {
            let drawn = draw(attempt);
            let Err(error) = pictures.put(drawn.known.face, drawn.flip, pixels) else {
                return Ok(drawn);
            };
            attempt += 1;
            if !self.skip_bad || attempt == ATTEMPTS {
                return Err(error);
            }
            pictures.skip(drawn.known.face, error)?;
        }
    }

    /// The random stream of one position of a batch, after `attempt` unreadable faces.
    fn stream(&self, purpose: Purpose, step: u64, place: u64, attempt: u64) -> ChaCha8Rng {
        let mut random = stream(self.seed, purpose, step);
        random.set_stream(place | attempt << 32);
        random
    }

    /// A face and its target.
    fn forward(&self, step: u64, place: u64, attempt: u64) -> Drawn<'_> {
        let mut random = self.stream(Purpose::Lesson, step, place, attempt);
        let known = &self.known[draw(&self.weights, &mut random)];
        let other = &self.known[draw(&self.weights, &mut random)];
        let flip = self.flip & random.random::<bool>();
        let aus = self.target(&known.aus, &other.aus, &mut random);
        drawn(known, flip, aus)
    }

    /// The target of a face: 10 % of the faces keep their action units, 16 % close their eyes, 10 % are surprised, 30 % change
    /// up to 4 units, 12 % get half of another face's units, and the rest get all of another face's units.
    fn target(
        &self,
        own: &[f32; AU_COUNT],
        other: &[f32; AU_COUNT],
        random: &mut impl Rng,
    ) -> [f32; AU_COUNT] {
        let mut target = *own;
        match random.random::<f32>() {
            0.0..0.1 => {}
            // Few photos show closed eyes or surprise, so few targets of the other kinds do.
            0.1..0.26 => target[ActionUnit::Blink.index()] = random.random_range(0.6..1.0),
            0.26..0.36 => {
                for unit in SURPRISE {
                    target[unit.index()] = random.random_range(0.3..0.8);
                }
            }
            0.36..0.66 => {
                for _ in 0..random.random_range(1..=4) {
                    let unit = random.random_range(0..AU_COUNT as u64);
                    let unit = usize::try_from(unit).unwrap_or_default();
                    let off = random.random::<f32>() < 0.35;
                    let value = random.random::<f32>() * self.most[unit];
                    target[unit] = if off { 0.0 } else { value };
                }
            }
            0.66..0.78 => {
                for (target, other) in target.iter_mut().zip(other) {
                    *target = if random.random() { *other } else { *target };
                }
            }
            _ => target = *other,
        }
        target
    }

    /// A face with an expression, and a weaker expression: the mouth is closed, the smile is often reduced, and
    /// sometimes all units are reduced.
    fn pair(&self, step: u64, place: u64, attempt: u64) -> Drawn<'_> {
        const SHUT: [ActionUnit; 2] = [ActionUnit::LipsPart, ActionUnit::JawDrop];
        const SMILE: [ActionUnit; 3] = [
            ActionUnit::LipCornerPuller,
            ActionUnit::CheekRaiser,
            ActionUnit::UpperLipRaiser,
        ];
        let mut random = self.stream(Purpose::Pair, step, place, attempt);
        let known = &self.known[self.expressive[draw(&self.expressive_weights, &mut random)]];
        let flip = self.flip & random.random::<bool>();
        let mut aus = known.aus;
        for unit in SHUT {
            aus[unit.index()] = 0.0;
        }
        if random.random::<f32>() < 0.7 {
            let share = random.random::<f32>() * 0.6;
            for unit in SMILE {
                aus[unit.index()] *= share;
            }
        }
        if random.random::<f32>() < 0.4 {
            let share: f32 = random.random();
            aus = aus.map(|value| value * share);
        }
        drawn(known, flip, aus)
    }
}

fn drawn(known: &Known, flip: bool, aus: [f32; AU_COUNT]) -> Drawn<'_> {
    let landmarks = if flip {
        known.landmarks.mirrored()
    } else {
        known.landmarks
    };
    Drawn {
        known,
        flip,
        landmarks,
        aus,
    }
}

/// The fraction of faces that show each unit.
fn shares(known: &[Known], above: f32) -> [f64; AU_COUNT] {
    std::array::from_fn(|unit| {
        let count = known.iter().filter(|known| known.aus[unit] > above).count();
        count as f64 / known.len() as f64
    })
}

/// Whether a face's lips part, it smiles, shuts its eyes, or moves its brows.
fn is_expressive(aus: &[f32; AU_COUNT]) -> bool {
    let shows = |unit: ActionUnit| aus[unit.index()];
    shows(ActionUnit::LipsPart) > 0.25
        || shows(ActionUnit::LipCornerPuller) > 0.4
        || shows(ActionUnit::Blink) > 0.25
        || shows(ActionUnit::InnerBrowRaiser) + shows(ActionUnit::OuterBrowRaiser) > 0.5
        || shows(ActionUnit::BrowLowerer) > 0.4
}

/// The intensity of each unit that one face in 500 exceeds, at least 0.8: people ask for more than photos show.
fn most(known: &[Known]) -> [f32; AU_COUNT] {
    const LEAST: f32 = 0.8;
    std::array::from_fn(|unit| {
        let mut values: Vec<f32> = known.iter().map(|known| known.aus[unit]).collect();
        values.sort_unstable_by(f32::total_cmp);
        // The 0.998 quantile with linear interpolation, as in PyTorch and NumPy.
        let last = values.len() - 1;
        let (at, rest) = (last * 998 / 1_000, last * 998 % 1_000);
        let (low, high) = (values[at], values[(at + 1).min(last)]);
        (low + (high - low) * rest as f32 / 1_000.0).max(LEAST)
    })
}

#[cfg(test)]
mod tests;
