//! Settings of the motion network's training.

use ganimation_data::teacher::GAINS;
use serde::{Deserialize, Serialize};

use crate::config::AdamConfig;

/// Every setting that the paper's protocol does not have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MotionConfig {
    /// Steps of the first stage; the second has the rest.
    pub taught_steps: u64,
    /// Channels after the first layer of the discriminator's looks at mouth and eyes.
    pub local_channels: usize,
    /// How much more each action unit moves than the regression on noisy labels says; 17 factors.
    pub gains: [f32; ganimation_data::AU_COUNT],
    /// Mean of each action unit over the training faces, intensity / 5; the discriminator keeps it.
    pub mean_aus: [f32; ganimation_data::AU_COUNT],
    /// The first stage.
    pub taught: TaughtConfig,
    /// The second stage.
    pub matched: MatchedConfig,
    /// How the views that the discriminator gets are changed, real and edited alike.
    pub views: ViewConfig,
}

impl Default for MotionConfig {
    fn default() -> Self {
        Self {
            taught_steps: 4000,
            local_channels: 32,
            gains: GAINS,
            mean_aus: [0.0; ganimation_data::AU_COUNT],
            taught: TaughtConfig::default(),
            matched: MatchedConfig::default(),
            views: ViewConfig::default(),
        }
    }
}

/// Weights of the first stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaughtConfig {
    /// Mean absolute difference of the motion from the teacher's, in pixels; places that move count more.
    pub motion: f64,
    /// Of that, the share that counts in pairs.
    pub motion_in_pairs: f64,
    /// Cross-entropy of `1 - A` against the teacher's mask.
    pub mask: f64,
    /// How much more a place counts in it that the teacher marks.
    pub mask_inside: f64,
    /// Mean absolute difference of the painted colours from the face itself.
    pub copy: f64,
    /// Mean absolute difference of pairs from the real face.
    pub pixels: f64,
    /// How much more the teacher's mask counts in it, beside 1.
    pub pixels_inside: f64,
    /// Mean magnitude of the shading.
    pub shading: f64,
    /// Mean absolute difference of mask and painted colours, where paint is visible, from those of the generator in the
    /// setting `from`: distillation. It keeps good paint while the network learns other motion.
    pub start: f64,
    /// Squared error of the action units that the discriminator reads on real faces.
    pub aus: f64,
}

impl Default for TaughtConfig {
    fn default() -> Self {
        Self {
            motion: 4.0,
            motion_in_pairs: 0.5,
            mask: 6.0,
            mask_inside: 4.0,
            copy: 0.3,
            pixels: 4.0,
            pixels_inside: 4.0,
            shading: 6.0,
            start: 0.0,
            aus: 20.0,
        }
    }
}

/// Weights of the second stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MatchedConfig {
    /// Both optimisers of this stage; `learning_rate` is the generator's, and `adam.learning_rate` is the first stage's.
    pub adam: AdamConfig,
    /// The discriminator's learning rate as a multiple of the generator's.
    pub discriminator_lr_factor: f64,
    /// Score of whole faces, mouths and eyes with their action units.
    pub adversarial: f64,
    /// Score of patches of mouths and eyes.
    pub patches: f64,
    /// The fraction of these two scores' gradient that reaches the brightness of paint; hues get none.
    pub adversarial_paint: f64,
    /// How much real faces with others' action units count, beside 1 for edited ones.
    pub mismatched: f64,
    /// Squared error of action units: read on edited faces, and on real ones for the discriminator.
    pub aus: f64,
    /// How much action units that are asked to fall count in the term of edited faces, beside 1. Wrinkles of a removed
    /// smile are hard to remove with shading.
    pub aus_falling: f64,
    /// Squared gradient of the score at real faces (R1).
    pub r1: f64,
    /// R1 is computed every so many steps, with as many times the weight.
    pub r1_every: u64,
    /// Difference of faces edited there and back: absolute brightness, squared hue.
    pub cycle: f64,
    /// How much more the teacher's mask counts in it, beside 1.
    pub cycle_inside: f64,
    /// The cycle is computed at odd steps of every so many, with as many times the weight.
    pub cycle_every: u64,
    /// Mean of `1 - A` outside the teacher's mask.
    pub mask_coverage: f64,
    /// Share of that inside it.
    pub mask_coverage_inside: f64,
    /// Cross-entropy of `1 - A` against the teacher's mask. Without it a mask that shuts never opens again: its gradient
    /// vanishes with it.
    pub mask: f64,
    /// How much more a place counts in it that the teacher marks.
    pub mask_inside: f64,
    /// Squared difference of the paint's hues in the teacher's mask from those of mouths, closed lips and lids.
    pub hues: f64,
    /// Squared difference of the paint's brightness inside mouths from that of mouths with the target action units, in 4 x 5
    /// cells, and of its deviation and its detail. Real mouths are off by about 2.
    pub mouths: f64,
    /// The same for lips that meet, in 3 x 5 cells.
    pub lips: f64,
    /// The same for upper lids that come down, in 3 x 3 cells.
    pub lids: f64,
    /// Total variation of the mask: mean absolute difference of neighbours.
    pub mask_tv: f64,
    /// Mean absolute difference of the motion from the teacher's, in shares of the picture's side; places that move count
    /// more.
    pub motion: f64,
    /// Mean magnitude of the shading.
    pub shading: f64,
    /// Mean magnitude of the shading's averages over squares of an eighth of the picture's side. Folds of the skin have
    /// light and dark sides and average out, stains do not.
    pub stains: f64,
    /// Total variation of the shading.
    pub shading_tv: f64,
    /// Mean absolute change of faces that are asked for nothing.
    pub identity: f64,
    /// Difference of pairs from the real face: absolute brightness, squared hue; at even steps, with twice the weight.
    pub pixels: f64,
    /// How much more the teacher's mask counts in it, beside 1.
    pub pixels_inside: f64,
    /// Mean absolute difference of the discriminator's activations at the mouth, between pairs and the real face
    /// (feature matching); with the steps and the factor of `pixels`. Weights of 3 and more paint notches into teeth.
    pub features: f64,
}

impl Default for MatchedConfig {
    fn default() -> Self {
        Self {
            adam: AdamConfig {
                learning_rate: 1.5e-4,
                beta_1: 0.0,
                beta_2: 0.99,
                epsilon: 1e-8,
            },
            discriminator_lr_factor: 1.0,
            adversarial: 0.5,
            patches: 1.2,
            adversarial_paint: 1.0,
            mismatched: 0.5,
            aus: 30.0,
            aus_falling: 0.5,
            r1: 0.5,
            r1_every: 8,
            cycle: 10.0,
            cycle_inside: 8.0,
            cycle_every: 2,
            mask_coverage: 40.0,
            mask_coverage_inside: 0.05,
            mask: 6.0,
            mask_inside: 4.0,
            hues: 30.0,
            mouths: 1.5,
            lips: 0.5,
            lids: 0.5,
            mask_tv: 1.0,
            motion: 400.0,
            shading: 6.0,
            stains: 300.0,
            shading_tv: 4.0,
            identity: 10.0,
            pixels: 10.0,
            pixels_inside: 4.0,
            features: 0.0,
        }
    }
}

/// How views differ from the pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ViewConfig {
    /// Largest change of brightness, of a range of 2.
    pub brightness: f32,
    /// Largest change of saturation, as a share.
    pub saturation: f32,
    /// Largest change of contrast, as a share.
    pub contrast: f32,
}

impl Default for ViewConfig {
    fn default() -> Self {
        Self {
            brightness: 0.2,
            saturation: 0.3,
            contrast: 0.2,
        }
    }
}
