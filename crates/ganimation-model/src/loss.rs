//! The losses of both networks, and the three settings of their weights.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{Discriminator, Generator};

/// How the squared error of action units becomes one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuTerm {
    /// Mean over batch and action units: independent of the batch size.
    Mean,
    /// That mean divided by the batch size once more, as the released code has it.
    MeanDividedByBatch,
    /// Batch mean of the squared L2 norm over action units (paper, eq. 3).
    SquaredNorm,
}

impl AuTerm {
    /// `read` and `asked`: `[batch, aus]`, OpenFace intensity / 5. `factors`: one for each action unit, or none for 1.
    /// Returns `[1]`.
    ///
    /// # Panics
    /// If there are factors, but not one for each action unit.
    fn measure(self, read: Tensor<2>, asked: Tensor<2>, factors: &[f64]) -> Tensor<1> {
        let [batch, aus] = read.dims();
        let mut error = (read - asked).square();
        if !factors.is_empty() {
            let count = factors.len();
            assert_eq!(count, aus, "{count} factors for {aus} action units");
            error =
                error.clone() * Tensor::<1>::from_data(factors, (&error.device(), error.dtype())).unsqueeze();
        }
        let mean = error.mean();
        match self {
            Self::Mean => mean,
            Self::MeanDividedByBatch => mean * share_of(batch),
            Self::SquaredNorm => mean * scalar(aus),
        }
    }
}

/// How the size of an attention mask is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttentionTerm {
    /// Mean of the mask.
    Mean,
    /// Batch mean of the mask's L2 norm (paper, eq. 2).
    Norm,
}

impl AttentionTerm {
    /// `attention`: `[batch, 1, height, width]`, in [0, 1]. Returns `[1]`.
    fn measure(self, attention: Tensor<4>) -> Tensor<1> {
        match self {
            Self::Mean => attention.mean(),
            Self::Norm => attention.square().sum_dims(&[1, 2, 3]).sqrt().mean(),
        }
    }
}

/// How uneven an attention mask is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmoothnessTerm {
    /// Batch mean of the absolute differences of neighbours, summed down and across and divided by the image's height
    /// and width: the length of the mask's outline in image sides, whatever the resolution.
    Outline,
    /// Absolute differences summed over batch and pixels, as the released code has it.
    Sum,
    /// Batch mean of the summed squared differences (paper, eq. 2).
    SquaredSum,
}

impl SmoothnessTerm {
    /// `attention`: `[batch, 1, height, width]`, in [0, 1]. Returns `[1]`.
    fn measure(self, attention: Tensor<4>) -> Tensor<1> {
        let [batch, _, height, width] = attention.dims();
        let neighbours = |axis, length: usize| {
            let next = attention.clone().narrow(axis, 1, length - 1);
            next - attention.clone().narrow(axis, 0, length - 1)
        };
        let (down, across) = (neighbours(2, height), neighbours(3, width));
        match self {
            // A step from row to row is a piece of outline one pixel wide, and the other way round.
            Self::Outline => {
                (down.abs().sum() * share_of(width) + across.abs().sum() * share_of(height)) * share_of(batch)
            }
            Self::Sum => down.abs().sum() + across.abs().sum(),
            Self::SquaredSum => (down.square().sum() + across.square().sum()) * share_of(batch),
        }
    }
}

/// Whether the penalty shares the critic's Adam step with the other terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CriticUpdates {
    /// One step on the sum.
    Together,
    /// One step on realness and action units, then one on the penalty.
    Apart,
}

/// A complete setting of the losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Independent of batch size and resolution; recommended.
    Default,
    /// What the code released in 2018 computes.
    Released,
    /// What the paper writes.
    Paper,
}

/// Which terms count, and how much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossWeights {
    /// Weight of the action-unit error, of both networks.
    pub aus: f64,
    /// How that error is measured.
    pub au_term: AuTerm,
    /// Factor of each action unit's squared error, in label order, both networks; empty means 1 for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub au_factors: Vec<f64>,
    /// Weight of the gradient penalty.
    pub penalty: f64,
    /// Weight of the cycle error.
    pub cycle: f64,
    /// Weight of the mask's size; it draws masks towards 0, the colour, against the AU error's wish for no change.
    pub attention: f64,
    /// How that size is measured.
    pub attention_term: AttentionTerm,
    /// Weight of the mask's unevenness.
    pub smoothness: f64,
    /// How that unevenness is measured.
    pub smoothness_term: SmoothnessTerm,
    /// One Adam step of the critic a batch, or two.
    pub critic_updates: CriticUpdates,
}

impl From<Preset> for LossWeights {
    fn from(preset: Preset) -> Self {
        let default = Self {
            aus: 160.0,
            au_term: AuTerm::Mean,
            au_factors: Vec::new(),
            penalty: 10.0,
            cycle: 10.0,
            attention: 0.1,
            attention_term: AttentionTerm::Mean,
            // The released weight at its batch of 25 faces of 128 pixels: 1e-5 * 25 * 128.
            smoothness: 0.032,
            smoothness_term: SmoothnessTerm::Outline,
            critic_updates: CriticUpdates::Together,
        };
        match preset {
            Preset::Default => default,
            Preset::Released => Self {
                aus: 4000.0,
                au_term: AuTerm::MeanDividedByBatch,
                smoothness: 1e-5,
                smoothness_term: SmoothnessTerm::Sum,
                critic_updates: CriticUpdates::Apart,
                ..default
            },
            Preset::Paper => Self {
                aus: 4000.0,
                au_term: AuTerm::SquaredNorm,
                attention_term: AttentionTerm::Norm,
                // Equation 5 weighs equation 2, whose own weight of this term is 1e-4.
                smoothness: 0.1 * 1e-4,
                smoothness_term: SmoothnessTerm::SquaredSum,
                ..default
            },
        }
    }
}

impl Default for LossWeights {
    fn default() -> Self {
        Preset::Default.into()
    }
}

/// The discriminator's terms, each `[1]` and not yet weighted; the gradient penalty stands apart
/// ([`gradient_penalty`](crate::gradient_penalty)).
#[derive(Clone, Debug)]
pub struct CriticLoss {
    /// Mean realness of the edited faces minus that of the real ones (minus the Wasserstein estimate).
    pub realness: Tensor<1>,
    /// Error of the action units read from the real faces.
    pub aus: Tensor<1>,
}

impl CriticLoss {
    /// The weighted sum.
    pub fn total(&self, weights: &LossWeights) -> Tensor<1> {
        self.realness.clone() + self.aus.clone() * weights.aus
    }
}

/// The discriminator's loss on a batch, without the penalty: `mean D(fake) - mean D(real) + w·AUs(real)`
/// (paper, eq. 1 and 3).
///
/// # Shapes
/// - `real`, `fake`: `[batch, 3, height, width]`, in [-1, 1]; `fake` is what the generator made of `real`, detached
/// - `aus`: `[batch, aus]` of `real`, OpenFace intensity / 5
pub fn critic_loss(
    discriminator: &Discriminator,
    real: Tensor<4>,
    aus: Tensor<2>,
    fake: Tensor<4>,
    weights: &LossWeights,
) -> CriticLoss {
    let [batch, ..] = real.dims();
    let both = discriminator.forward(Tensor::cat(vec![real, fake], 0));
    let realness_real = both.realness.clone().narrow(0, 0, batch).mean();
    let realness_fake = both.realness.narrow(0, batch, batch).mean();
    CriticLoss {
        realness: realness_fake - realness_real,
        aus: weights
            .au_term
            .measure(both.aus.narrow(0, 0, batch), aus, &weights.au_factors),
    }
}

/// The generator's terms, each `[1]` and not yet weighted.
#[derive(Clone, Debug)]
pub struct GeneratorLoss {
    /// Minus the mean realness of the edited faces.
    pub realness: Tensor<1>,
    /// Error of the action units read from the edited faces.
    pub aus: Tensor<1>,
    /// Mean absolute difference between a face and its edit edited back.
    pub cycle: Tensor<1>,
    /// Size of the masks, both passes.
    pub attention: Tensor<1>,
    /// Unevenness of the masks, both passes.
    pub smoothness: Tensor<1>,
    /// The first pass's masks, `[batch, 1, height, width]`, for those who watch over them.
    pub mask: Tensor<4>,
}

impl GeneratorLoss {
    /// The weighted sum (paper, eq. 5).
    pub fn total(&self, weights: &LossWeights) -> Tensor<1> {
        self.realness.clone()
            + self.aus.clone() * weights.aus
            + self.cycle.clone() * weights.cycle
            + self.attention.clone() * weights.attention
            + self.smoothness.clone() * weights.smoothness
    }
}

/// The generator's loss on a batch: edit towards `targets`, judge, edit back, compare (paper, section 5.1).
///
/// `discriminator` should be frozen (`no_grad`): its own gradients are not wanted here.
///
/// # Shapes
/// - `real`: `[batch, 3, height, width]`, in [-1, 1]
/// - `aus`, `targets`: `[batch, aus]`, OpenFace intensity / 5
pub fn generator_loss(
    generator: &Generator,
    discriminator: &Discriminator,
    real: Tensor<4>,
    aus: Tensor<2>,
    targets: Tensor<2>,
    weights: &LossWeights,
) -> GeneratorLoss {
    let there = generator.edit(real.clone(), targets.clone());
    let back = generator.edit(there.image.clone(), aus);
    let judgement = discriminator.forward(there.image);
    let both_passes = |measure: &dyn Fn(Tensor<4>) -> Tensor<1>| {
        measure(there.attention.clone()) + measure(back.attention.clone())
    };
    GeneratorLoss {
        realness: judgement.realness.mean().neg(),
        aus: weights
            .au_term
            .measure(judgement.aus, targets, &weights.au_factors),
        cycle: (back.image - real).abs().mean(),
        attention: both_passes(&|mask| weights.attention_term.measure(mask)),
        smoothness: both_passes(&|mask| weights.smoothness_term.measure(mask)),
        mask: there.attention,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of images and pixels are far below 2^52"
)]
fn scalar(count: usize) -> f64 {
    count as f64
}

/// `1 / count`. Losses multiply by it, for Burn takes the gradient of a division by a number through f32.
fn share_of(count: usize) -> f64 {
    scalar(count).recip()
}

#[cfg(test)]
mod tests;
