//! The losses of both networks, and three presets of their weights.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{Discriminator, Generator};

/// How the squared errors of action units are reduced to one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuTerm {
    /// Mean over batch and action units: independent of the batch size.
    Mean,
    /// The mean, additionally divided by the batch size, as in the released code.
    MeanDividedByBatch,
    /// Batch mean of the squared L2 norm over action units (paper, eq. 3).
    SquaredNorm,
}

impl AuTerm {
    /// `estimates`, `targets`: `[batch, aus]`, OpenFace intensity / 5. `factors`: one for each action unit; an empty
    /// list means 1 for all. Returns `[1]`.
    ///
    /// # Panics
    /// If `factors` is not empty and its length is not the number of action units.
    fn measure(self, estimates: Tensor<2>, targets: Tensor<2>, factors: &[f64]) -> Tensor<1> {
        let [batch, aus] = estimates.dims();
        let mut error = (estimates - targets).square();
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

/// Measure of the size of an attention mask.
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

/// Measure of the total variation of an attention mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TotalVariationTerm {
    /// Batch mean of the summed absolute differences between neighbours. Vertical differences are divided by the
    /// image's width, horizontal differences by its height. This is the length of the mask's outline in image sides, at
    /// any resolution.
    Outline,
    /// Absolute differences summed over batch and pixels, as in the released code.
    Sum,
    /// Batch mean of the summed squared differences (paper, eq. 2).
    SquaredSum,
}

impl TotalVariationTerm {
    /// `attention`: `[batch, 1, height, width]`, in [0, 1]. Returns `[1]`.
    fn measure(self, attention: Tensor<4>) -> Tensor<1> {
        let [batch, _, height, width] = attention.dims();
        let neighbours = |axis, length: usize| {
            let next = attention.clone().narrow(axis, 1, length - 1);
            next - attention.clone().narrow(axis, 0, length - 1)
        };
        let (down, across) = (neighbours(2, height), neighbours(3, width));
        match self {
            // A difference between rows is a piece of outline one pixel wide, and vice versa.
            Self::Outline => {
                (down.abs().sum() * share_of(width) + across.abs().sum() * share_of(height)) * share_of(batch)
            }
            Self::Sum => down.abs().sum() + across.abs().sum(),
            Self::SquaredSum => (down.square().sum() + across.square().sum()) * share_of(batch),
        }
    }
}

/// Whether the gradient penalty and the other terms use the same Adam step of the discriminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiscriminatorUpdates {
    /// One step on the sum of all terms.
    #[serde(alias = "together")]
    Joint,
    /// One step on the adversarial loss and the action units, then one step on the gradient penalty.
    #[serde(alias = "apart")]
    Separate,
}

/// A complete preset of the losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Preset {
    /// Recommended: independent of batch size and resolution.
    Default,
    /// The losses of the code released in 2018.
    Released,
    /// The losses in the paper.
    Paper,
}

/// The terms and their weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossWeights {
    /// Weight of the action-unit error in both networks (`lambda_y` in the paper).
    pub lambda_au: f64,
    /// Measure of that error.
    pub au_term: AuTerm,
    /// Factor of each action unit's squared error in both networks, in label order. Empty means 1 for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub au_factors: Vec<f64>,
    /// Weight of the gradient penalty.
    pub lambda_gp: f64,
    /// Weight of the cycle error.
    pub lambda_cycle: f64,
    /// Weight of the mask's size. This term moves masks towards 0 (the colour). It counteracts the AU error, which
    /// favours no change.
    pub lambda_attention: f64,
    /// Measure of that size.
    pub attention_term: AttentionTerm,
    /// Weight of the mask's total variation.
    pub lambda_tv: f64,
    /// Measure of the total variation.
    pub total_variation_term: TotalVariationTerm,
    /// Whether the discriminator takes one or two Adam steps per batch.
    pub discriminator_updates: DiscriminatorUpdates,
}

impl From<Preset> for LossWeights {
    fn from(preset: Preset) -> Self {
        let default = Self {
            lambda_au: 160.0,
            au_term: AuTerm::Mean,
            au_factors: Vec::new(),
            lambda_gp: 10.0,
            lambda_cycle: 10.0,
            lambda_attention: 0.1,
            attention_term: AttentionTerm::Mean,
            // The released weight for its batch of 25 faces with 128 pixels: 1e-5 * 25 * 128.
            lambda_tv: 0.032,
            total_variation_term: TotalVariationTerm::Outline,
            discriminator_updates: DiscriminatorUpdates::Joint,
        };
        match preset {
            Preset::Default => default,
            Preset::Released => Self {
                lambda_au: 4000.0,
                au_term: AuTerm::MeanDividedByBatch,
                lambda_tv: 1e-5,
                total_variation_term: TotalVariationTerm::Sum,
                discriminator_updates: DiscriminatorUpdates::Separate,
                ..default
            },
            Preset::Paper => Self {
                lambda_au: 4000.0,
                au_term: AuTerm::SquaredNorm,
                attention_term: AttentionTerm::Norm,
                // Equation 5 has a weight for equation 2, which contains this term with a weight of 1e-4.
                lambda_tv: 0.1 * 1e-4,
                total_variation_term: TotalVariationTerm::SquaredSum,
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

/// The discriminator's unweighted terms, each `[1]`, without the gradient penalty
/// ([`gradient_penalty`](crate::gradient_penalty)).
#[derive(Clone, Debug)]
pub struct DiscriminatorLoss {
    /// Adversarial loss: mean critic score of the edited faces minus that of the real faces (the negative Wasserstein
    /// estimate).
    pub adversarial: Tensor<1>,
    /// Error of the action units estimated on the real faces.
    pub aus: Tensor<1>,
}

impl DiscriminatorLoss {
    /// The weighted sum.
    pub fn total(&self, weights: &LossWeights) -> Tensor<1> {
        self.adversarial.clone() + self.aus.clone() * weights.lambda_au
    }
}

/// The discriminator's loss on a batch, without the gradient penalty: `mean D(fake) - mean D(real) + w·AUs(real)`
/// (paper, eq. 1 and 3).
///
/// # Shapes
/// - `real`, `fake`: `[batch, 3, height, width]`, in [-1, 1]; `fake` contains the generator's edits of `real`, detached
/// - `aus`: `[batch, aus]` of `real`, OpenFace intensity / 5
pub fn discriminator_loss(
    discriminator: &Discriminator,
    real: Tensor<4>,
    aus: Tensor<2>,
    fake: Tensor<4>,
    weights: &LossWeights,
) -> DiscriminatorLoss {
    let [batch, ..] = real.dims();
    let both = discriminator.forward(Tensor::cat(vec![real, fake], 0));
    let real_score = both.score.clone().narrow(0, 0, batch).mean();
    let fake_score = both.score.narrow(0, batch, batch).mean();
    DiscriminatorLoss {
        adversarial: fake_score - real_score,
        aus: weights
            .au_term
            .measure(both.aus.narrow(0, 0, batch), aus, &weights.au_factors),
    }
}

/// The generator's unweighted terms, each `[1]`.
#[derive(Clone, Debug)]
pub struct GeneratorLoss {
    /// Adversarial loss: the negative mean critic score of the edited faces.
    pub adversarial: Tensor<1>,
    /// Error of the action units estimated on the edited faces.
    pub aus: Tensor<1>,
    /// Cycle error: mean absolute difference between a face and the result of editing it and editing it back.
    pub cycle: Tensor<1>,
    /// Attention loss: size of the masks, both passes.
    pub attention: Tensor<1>,
    /// Total variation of the masks, both passes.
    pub total_variation: Tensor<1>,
    /// The masks of the first pass, `[batch, 1, height, width]`, for monitoring.
    pub mask: Tensor<4>,
}

impl GeneratorLoss {
    /// The weighted sum (paper, eq. 5).
    pub fn total(&self, weights: &LossWeights) -> Tensor<1> {
        self.adversarial.clone()
            + self.aus.clone() * weights.lambda_au
            + self.cycle.clone() * weights.lambda_cycle
            + self.attention.clone() * weights.lambda_attention
            + self.total_variation.clone() * weights.lambda_tv
    }
}

/// The generator's loss on a batch: it edits towards `targets`, applies the discriminator, edits back and compares
/// (paper, section 5.1). The generator gets the target intensities, so it must have
/// [`Orders::Absolute`](crate::Orders::Absolute).
///
/// `discriminator` should be frozen (`no_grad`), because its own gradients are not needed here.
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
    let output = discriminator.forward(there.image);
    let both_passes = |measure: &dyn Fn(Tensor<4>) -> Tensor<1>| {
        measure(there.attention.clone()) + measure(back.attention.clone())
    };
    GeneratorLoss {
        adversarial: output.score.mean().neg(),
        aus: weights.au_term.measure(output.aus, targets, &weights.au_factors),
        cycle: (back.image - real).abs().mean(),
        attention: both_passes(&|mask| weights.attention_term.measure(mask)),
        total_variation: both_passes(&|mask| weights.total_variation_term.measure(mask)),
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

/// `1 / count`. Losses multiply by it, because Burn computes the gradient of a division by a number in f32.
fn share_of(count: usize) -> f64 {
    scalar(count).recip()
}

#[cfg(test)]
mod tests;
