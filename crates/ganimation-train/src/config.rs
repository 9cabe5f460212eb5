//! Every setting of a run.

use std::path::PathBuf;

use ganimation_data::{AU_COUNT, Face};
use ganimation_model::{
    DiscriminatorConfig, GeneratorConfig, LossWeights, Preset, ProjectionDiscriminatorConfig,
};
use serde::{Deserialize, Serialize};

use crate::error::{Result, Source};
use crate::motion::MotionConfig;
use crate::schedule::Schedule;
use crate::settings::{Renamed, renew};

/// Version of the settings file. Files of other versions are refused.
pub const CONFIG_VERSION: u32 = 1;

/// Settings of Adam, with PyTorch's names and meanings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamConfig {
    /// Learning rate of the constant part of the schedule.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta_1: f64,
    /// Decay of the second moment.
    pub beta_2: f64,
    /// Added to the denominator.
    pub epsilon: f64,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-4,
            beta_1: 0.5,
            beta_2: 0.999,
            epsilon: 1e-8,
        }
    }
}

/// Element type of activations; weights, their moments and statistics are always f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// Half precision. Not supported yet; [`TrainConfig::check`] refuses it.
    Bf16,
}

/// Which network is trained. It determines the training protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Network {
    /// The paper's network: it paints, receives action units as constant planes, and trains with WGAN-GP.
    #[default]
    Paper,
    /// Moves pixels and paints what the motion uncovers. Trained with landmarks first, then against a projection
    /// discriminator.
    Motion,
}

fn validate_every() -> u64 {
    500
}

fn validate_faces() -> usize {
    64
}

/// Every setting of a run, as stored in its `config.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// [`CONFIG_VERSION`].
    pub version: u32,
    /// Which network is trained.
    #[serde(default)]
    pub network: Network,
    /// The dataset folder.
    pub data: PathBuf,
    /// Seed of every random stream.
    pub seed: u64,
    /// Side of the faces in pixels, a multiple of 64.
    pub image_size: usize,
    /// Channels after the generator's first layer.
    pub generator_channels: usize,
    /// Residual blocks of the generator.
    pub generator_blocks: usize,
    /// Channels after the discriminator's first layer.
    pub discriminator_channels: usize,
    /// Faces per batch; an incomplete last batch is dropped.
    pub batch_size: usize,
    /// Discriminator steps of the whole run; 30 epochs of the dataset when absent.
    pub steps: Option<u64>,
    /// Discriminator steps per generator step (the paper's `n_critic`).
    pub n_critic: u64,
    /// Mirror half of the faces.
    pub flip: bool,
    /// Largest random shift of a target action unit, in OpenFace intensity / 5.
    pub target_noise: f32,
    /// Keep shifted targets within 0..1.
    pub clamp_targets: bool,
    /// Fraction of targets that are the face's own action units with a few changes. The others come from another face.
    #[serde(default)]
    pub target_edits: f32,
    /// How much more often faces with rare action units are drawn; 0 draws all faces equally often.
    pub balance: f32,
    /// Decay of the generator's EMA (moving average). Previews, evaluation and users get the EMA.
    pub ema_decay: f64,
    /// Threads that decode pictures.
    pub workers: usize,
    /// Keep decoded pictures in memory.
    pub cache: bool,
    /// Discriminator steps between checkpoints.
    pub checkpoint_every: u64,
    /// Newest checkpoints to keep; older ones are removed.
    pub checkpoint_keep: usize,
    /// Keep checkpoints permanently if their step is a multiple of this.
    #[serde(default)]
    pub checkpoint_keep_every: Option<u64>,
    /// Discriminator steps between validations on held-out faces. The best validated checkpoint is kept too.
    #[serde(default = "validate_every")]
    pub validate_every: u64,
    /// Maximum number of held-out faces per validation; below 2, validation is skipped.
    #[serde(default = "validate_faces")]
    pub validate_faces: usize,
    /// Discriminator steps between preview pictures.
    pub preview_every: u64,
    /// Discriminator steps between lines of metrics.
    pub log_every: u64,
    /// Element type of activations.
    #[serde(default)]
    pub precision: Precision,
    /// Initial weights: a generator's file, or a folder (such as a checkpoint) with `generator.safetensors` and
    /// optionally `discriminator.safetensors`. The optimisers start from their initial state.
    #[serde(default)]
    pub from: Option<PathBuf>,
    /// File with the discriminator's initial weights.
    #[serde(default)]
    pub discriminator_from: Option<PathBuf>,
    /// Both optimisers.
    pub adam: AdamConfig,
    /// The paper's losses.
    pub loss: LossWeights,
    /// Settings that only the motion network uses.
    #[serde(default)]
    pub motion: MotionConfig,
}

impl TrainConfig {
    /// The paper's network and this project's recommended training on the dataset in `data`.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            version: CONFIG_VERSION,
            network: Network::Paper,
            data: data.into(),
            seed: 0,
            image_size: 128,
            generator_channels: 64,
            generator_blocks: 6,
            discriminator_channels: 64,
            batch_size: 25,
            steps: None,
            n_critic: 5,
            flip: true,
            target_noise: 0.1,
            clamp_targets: true,
            target_edits: 0.0,
            balance: 0.0,
            ema_decay: 0.999,
            workers: 2,
            cache: true,
            checkpoint_every: 500,
            checkpoint_keep: 3,
            checkpoint_keep_every: None,
            validate_every: validate_every(),
            validate_faces: validate_faces(),
            preview_every: 250,
            log_every: 10,
            precision: Precision::F32,
            from: None,
            discriminator_from: None,
            adam: AdamConfig::default(),
            loss: LossWeights::default(),
            motion: MotionConfig::default(),
        }
    }

    /// The motion network and its training on the dataset in `data`.
    pub fn motion(data: impl Into<PathBuf>) -> Self {
        Self {
            network: Network::Motion,
            generator_channels: 32,
            discriminator_channels: 48,
            batch_size: 16,
            steps: Some(60_000),
            n_critic: 1,
            adam: AdamConfig {
                learning_rate: 4e-4,
                beta_1: 0.5,
                beta_2: 0.99,
                epsilon: 1e-8,
            },
            ..Self::new(data)
        }
    }

    /// Sets the mean action units of all faces, which training needs.
    pub fn with_mean_aus(mut self, faces: &[Face]) -> Self {
        let count = faces.len().max(1) as f32;
        let mut mean = [0.0; AU_COUNT];
        for face in faces {
            for (mean, value) in mean.iter_mut().zip(face.intensities.normalized()) {
                *mean += value / count;
            }
        }
        self.motion.mean_aus = mean;
        self
    }

    /// Reads the text of a `config.toml`, and lists its old names.
    pub(crate) fn from_toml(text: &str) -> Result<(Self, Vec<Renamed>), Source> {
        /// Read first: otherwise settings of another version would only be reported as unknown.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = toml::from_str(text)?;
        if version != CONFIG_VERSION {
            return Err(format!("its version is {version}; this program reads {CONFIG_VERSION}").into());
        }
        let mut table: toml::Table = toml::from_str(text)?;
        let renamed = renew(&mut table);
        // A file without old names is parsed from its text, so that errors have a line.
        let config = match &renamed[..] {
            [] => toml::from_str(text)?,
            _ => table.try_into()?,
        };
        Ok((config, renamed))
    }

    /// Sets the losses and the protocol of `preset`.
    pub fn with_preset(mut self, preset: Preset) -> Self {
        self.loss = preset.into();
        self.clamp_targets = preset != Preset::Released;
        self
    }

    /// Gives action units with a small variance among `faces` a larger weight in both losses. Each squared error is
    /// multiplied by `variance^-balance`, scaled to a mean factor of 1. `balance` is from 0 (equal weights) to 1
    /// (errors are relative to each unit's variance).
    pub fn with_balanced_aus(mut self, faces: &[Face], balance: f32) -> Self {
        let factors = variances(faces).map(|variance| f64::from(variance).powf(-f64::from(balance)));
        let mean = factors.iter().sum::<f64>() / AU_COUNT as f64;
        self.loss.au_factors = factors.iter().map(|factor| factor / mean).collect();
        self
    }

    /// The generator that these settings describe.
    pub fn generator(&self) -> GeneratorConfig {
        let config = match self.network {
            Network::Paper => GeneratorConfig::new().with_channels(self.generator_channels),
            Network::Motion => GeneratorConfig::motion(self.generator_channels),
        };
        config.with_blocks(self.generator_blocks)
    }

    /// The motion network's discriminator that these settings describe.
    pub fn projection_discriminator(&self) -> ProjectionDiscriminatorConfig {
        ProjectionDiscriminatorConfig::new(self.image_size)
            .with_channels(self.discriminator_channels)
            .with_local_channels(self.motion.local_channels)
    }

    /// The optimisers' settings in step `step`, counted from 0.
    pub(crate) fn adam_at(&self, step: u64) -> AdamConfig {
        match self.network {
            Network::Motion if step >= self.motion.taught_steps => self.motion.matched.adam,
            _ => self.adam,
        }
    }

    /// The learning rate in step `step` of a schedule of `steps` steps. Each stage has its own schedule.
    pub(crate) fn learning_rate_at(&self, step: u64, steps: u64) -> f64 {
        let taught = self.motion.taught_steps.min(steps);
        let learning_rate = self.adam_at(step).learning_rate;
        match self.network {
            Network::Paper => Schedule { learning_rate, steps }.learning_rate_at(step),
            // The first stage has a constant learning rate.
            Network::Motion if step < taught => learning_rate,
            Network::Motion => {
                let steps = steps - taught;
                Schedule { learning_rate, steps }.learning_rate_at(step - taught)
            }
        }
    }

    /// The discriminator that these settings describe.
    pub fn discriminator(&self) -> DiscriminatorConfig {
        DiscriminatorConfig::new(self.image_size).with_channels(self.discriminator_channels)
    }

    /// The learning rate for each step, for a dataset of `faces` training faces.
    ///
    /// # Panics
    /// If the batch size is 0; [`Self::check`] reports this as an error.
    pub fn schedule(&self, faces: usize) -> Schedule {
        let epoch = (faces / self.batch_size) as u64;
        Schedule {
            learning_rate: self.adam.learning_rate,
            steps: self.steps.unwrap_or(30 * epoch),
        }
    }
}

/// Variance of each action unit among `faces`, in (intensity / 5)². The minimum corresponds to a standard deviation of
/// 0.1 in intensity.
pub(crate) fn variances(faces: &[Face]) -> [f32; AU_COUNT] {
    let count = faces.len().max(1) as f32;
    let mut mean = [0.0; AU_COUNT];
    let mut square = [0.0; AU_COUNT];
    for face in faces {
        for (unit, value) in face.intensities.normalized().into_iter().enumerate() {
            mean[unit] += value / count;
            square[unit] += value * value / count;
        }
    }
    std::array::from_fn(|unit| (square[unit] - mean[unit] * mean[unit]).max(4e-4))
}

#[cfg(test)]
mod tests {
    use ganimation_data::{ActionUnit, Intensities};

    use super::*;

    #[test]
    fn the_defaults_survive_toml() {
        let config = TrainConfig::new("faces");
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<TrainConfig>(&text).unwrap(), config);
        config.check().unwrap();
    }

    #[test]
    fn the_defaults_are_the_papers_protocol() {
        let config = TrainConfig::new("faces");
        let adam = AdamConfig {
            learning_rate: 1e-4,
            beta_1: 0.5,
            beta_2: 0.999,
            epsilon: 1e-8,
        };
        assert_eq!(config.adam, adam);
        assert_eq!(
            (config.image_size, config.batch_size, config.n_critic),
            (128, 25, 5)
        );
        assert!(config.flip && config.clamp_targets && (config.target_noise - 0.1).abs() < 1e-9);
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        let text = toml::to_string(&TrainConfig::new("faces")).unwrap();
        let error = toml::from_str::<TrainConfig>(&format!("speed = 3\n{text}")).unwrap_err();
        assert!(error.to_string().contains("speed"), "{error}");
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        let with = |change: fn(&mut TrainConfig)| {
            let mut config = TrainConfig::new("faces");
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert_eq!(
            with(|c| c.batch_size = 0),
            "setting `batch_size` is 0; expected 1 to 4096"
        );
        assert_eq!(
            with(|c| c.image_size = 100),
            "image size 100 is not a positive multiple of 64"
        );
        assert_eq!(
            with(|c| c.loss.lambda_cycle = f64::NAN),
            "setting `loss.lambda_cycle` is NaN; expected 0 or more"
        );
        assert_eq!(
            with(|c| c.precision = Precision::Bf16),
            "setting `precision` is bf16; expected f32: no device here has bf16 activations with f32 weights yet"
        );
        assert_eq!(
            with(|c| c.ema_decay = 1.0),
            "setting `ema_decay` is 1; expected 0 or more, below 1"
        );
        assert_eq!(
            with(|c| c.adam.learning_rate = f64::NAN),
            "setting `adam.learning_rate` is NaN; expected above 0"
        );
    }

    #[test]
    fn balanced_units_count_the_same_in_deviations() {
        let face = |index: usize| {
            let mut intensities = Intensities::default();
            intensities.set(ActionUnit::LipCornerPuller, index as f32);
            intensities.set(ActionUnit::Blink, index as f32 / 2.0);
            Face {
                id: index.to_string(),
                path: PathBuf::new(),
                intensities,
                landmarks: None,
            }
        };
        let faces: Vec<_> = (0..5).map(face).collect();
        let config = TrainConfig::new("faces").with_balanced_aus(&faces, 1.0);
        config.check().unwrap();
        let factor = |unit: ActionUnit| config.loss.au_factors[unit.index()];
        let ratio = factor(ActionUnit::Blink) / factor(ActionUnit::LipCornerPuller);
        assert!((ratio - 4.0).abs() < 1e-3, "{ratio}");
        assert!((config.loss.au_factors.iter().sum::<f64>() - 17.0).abs() < 1e-9);
    }

    #[test]
    fn thirty_epochs_are_the_default_length() {
        let schedule = TrainConfig::new("faces").schedule(1010);
        assert_eq!(schedule.steps, 30 * 40);
    }

    #[test]
    fn the_released_preset_does_not_clamp_targets() {
        assert!(
            !TrainConfig::new("faces")
                .with_preset(Preset::Released)
                .clamp_targets
        );
        assert!(TrainConfig::new("faces").with_preset(Preset::Paper).clamp_targets);
    }
}
