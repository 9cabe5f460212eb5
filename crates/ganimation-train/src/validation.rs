//! Validation during a run: the averaged generator on held-out faces.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ganimation_data::Intensities;
use ganimation_data::pixels::{tensor_from_images, tensor_from_intensities};
use ganimation_model::{Discriminator, ProjectionDiscriminator};
use serde::{Deserialize, Serialize};

use crate::config::Network;
use crate::evaluate::{Area, Region, others};
use crate::samples::SampledFace;
use crate::trainer::FaceBatch;
use crate::training::Training;

/// One line of `validation.jsonl`. The discriminator's head estimates the action units, because training has no independent AU
/// regressor. Use these values to compare steps of one run, not to judge a network. For that, use `ganimation
/// evaluate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Discriminator steps taken.
    pub step: u64,
    /// Number of held-out faces.
    pub faces: usize,
    /// The generator's weighted action-unit and cycle errors. The best checkpoint has the smallest score.
    pub score: f64,
    /// Mean squared error of action units on edited faces, in (intensity / 5)².
    pub aus: f64,
    /// The value of `aus` if every edited face showed the mean of all targets.
    pub aus_of_mean: f64,
    /// Mean squared error of the discriminator's head on unedited faces.
    #[serde(alias = "critic_aus")]
    pub discriminator_aus: f64,
    /// The value of `discriminator_aus` if the head always predicted the mean of the labels.
    #[serde(alias = "critic_aus_of_mean")]
    pub discriminator_aus_of_mean: f64,
    /// Mean absolute error of faces after a cycle of edits, for a value range of 2.
    pub cycle: f64,
    /// Mean absolute error of faces edited to their own action units, for a value range of 2.
    pub self_edit: f64,
    /// Mean critic score of the faces minus that of their edits.
    #[serde(alias = "realness_gap")]
    pub discriminator_score_gap: f64,
    /// Mask coverage: mean of `1 - A`.
    #[serde(alias = "painted")]
    pub mask_coverage: f64,
    /// Mean over faces of the largest `1 - A`.
    #[serde(alias = "painted_peak")]
    pub mask_coverage_peak: f64,
    /// Mean of `1 - A` in the corners of the crop.
    #[serde(alias = "painted_corners")]
    pub mask_coverage_corners: f64,
}

/// The held-out faces, the same in every validation.
pub(crate) struct HeldOut {
    batches: Vec<FaceBatch>,
    corners: Area,
    aus_of_mean: f64,
    count: usize,
}

impl HeldOut {
    /// Takes faces in batches of `batch_size`. The targets are the action units of other faces among them, so at least
    /// two faces are needed.
    pub(crate) fn new(faces: &[SampledFace<'_>], batch_size: usize, device: &Device) -> Option<Self> {
        let (first, _) = faces.first().filter(|_| faces.len() > 1)?.1.dimensions();
        let labels: Vec<Intensities> = faces.iter().map(|(face, _)| face.intensities).collect();
        let others = others(faces.len(), 0);
        let batch = |places: &[usize]| {
            let pictures: Vec<_> = places.iter().map(|&at| faces[at].1.clone()).collect();
            let of = |at: &dyn Fn(usize) -> usize| {
                let rows: Vec<Intensities> = places.iter().map(|&face| labels[at(face)]).collect();
                tensor_from_intensities(&rows, device)
            };
            FaceBatch {
                images: tensor_from_images(&pictures, device),
                aus: of(&|face| face),
                targets: of(&|face| others[face]),
            }
        };
        let places: Vec<usize> = (0..faces.len()).collect();
        Some(Self {
            batches: places.chunks(batch_size).map(batch).collect(),
            corners: Area::inside(&Region::CORNERS, first as usize, device),
            aus_of_mean: variance(&labels),
            count: faces.len(),
        })
    }

    /// Measures the current networks on the faces.
    pub(crate) fn measure(&self, training: &Training, step: u64) -> Validation {
        let discriminator = AnyDiscriminator::of(training);
        let generator = training.average();
        let mut sums = [0.0; 8];
        for batch in &self.batches {
            let [size, ..] = batch.images.dims();
            let (current, targets) = (&batch.aus, &batch.targets);
            let edited = |images: &Tensor<4>, from: &Tensor<2>, to: &Tensor<2>| {
                generator.edit_towards(images.clone(), from.clone(), to.clone())
            };
            let edit = edited(&batch.images, current, targets);
            let back = edited(&edit.image, targets, current).image;
            let same = edited(&batch.images, current, current).image;
            let of_face = discriminator.forward(batch.images.clone(), current.clone());
            let of_edit = discriminator.forward(edit.image, targets.clone());
            let mask_coverage = edit.attention.neg() + 1.0;
            let means: [Tensor<1>; 8] = [
                (of_edit.aus - batch.targets.clone()).square().mean(),
                (of_face.aus - batch.aus.clone()).square().mean(),
                (back - batch.images.clone()).abs().mean(),
                (same - batch.images.clone()).abs().mean(),
                of_face.score - of_edit.score,
                mask_coverage.clone().mean(),
                mask_coverage.clone().flatten::<2>(1, 3).max_dim(1).mean(),
                self.corners.mean(mask_coverage).mean(),
            ];
            #[expect(clippy::cast_precision_loss, reason = "far fewer faces than 2^52")]
            let share = size as f64 / self.count as f64;
            for (sum, mean) in sums.iter_mut().zip(means) {
                *sum += share * f64::from(mean.into_scalar::<f32>());
            }
        }
        let [
            aus,
            discriminator_aus,
            cycle,
            self_edit,
            discriminator_score_gap,
            mask_coverage,
            mask_coverage_peak,
            mask_coverage_corners,
        ] = sums;
        let config = training.config();
        let [of_aus, of_cycle] = match config.network {
            Network::Paper => [config.loss.lambda_au, config.loss.lambda_cycle],
            Network::Motion => [config.motion.matched.aus, config.motion.matched.cycle],
        };
        Validation {
            step,
            faces: self.count,
            score: of_aus * aus + of_cycle * cycle,
            aus,
            aus_of_mean: self.aus_of_mean,
            discriminator_aus,
            discriminator_aus_of_mean: self.aus_of_mean, // the targets are the labels in another order
            cycle,
            self_edit,
            discriminator_score_gap,
            mask_coverage,
            mask_coverage_peak,
            mask_coverage_corners,
        }
    }
}

/// The discriminator of either protocol, without autodiff.
enum AnyDiscriminator {
    Paper(Box<Discriminator>),
    Motion(Box<ProjectionDiscriminator>),
}

/// Its outputs for a batch.
struct Estimates {
    /// Mean, `[1]`.
    score: Tensor<1>,
    /// `[batch, 17]`, OpenFace intensity / 5.
    aus: Tensor<2>,
}

impl AnyDiscriminator {
    fn of(training: &Training) -> Self {
        match training {
            Training::Paper(trainer) => Self::Paper(trainer.discriminator().valid().into()),
            Training::Motion(trainer) => Self::Motion(trainer.discriminator().valid().into()),
        }
    }

    fn forward(&self, images: Tensor<4>, claimed: Tensor<2>) -> Estimates {
        match self {
            Self::Paper(discriminator) => {
                let output = discriminator.forward(images);
                Estimates {
                    score: output.score.mean(),
                    aus: output.aus,
                }
            }
            Self::Motion(discriminator) => {
                let output = discriminator.forward(images, claimed);
                Estimates {
                    score: output.score.mean(),
                    aus: output.aus,
                }
            }
        }
    }
}

/// Mean over action units of the variance of intensity / 5.
#[expect(clippy::cast_precision_loss, reason = "far fewer faces than 2^52")]
fn variance(labels: &[Intensities]) -> f64 {
    let rows: Vec<_> = labels.iter().map(Intensities::normalized).collect();
    let (faces, units) = (rows.len() as f64, ganimation_data::AU_COUNT);
    let column = |unit: usize| rows.iter().map(move |row| f64::from(row[unit]));
    let variance = |unit: usize| {
        let mean = column(unit).sum::<f64>() / faces;
        column(unit).map(|value| (value - mean).powi(2)).sum::<f64>() / faces
    };
    (0..units).map(variance).sum::<f64>() / units as f64
}
