//! Every setting of a run.

use std::path::PathBuf;

use ganimation_data::{AU_COUNT, Face};
use ganimation_model::{DiscriminatorConfig, GeneratorConfig, LossWeights, Preset};
use serde::{Deserialize, Serialize};

use crate::schedule::Schedule;
use crate::{Error, Result};

/// Version of the settings file; an older or newer one is refused rather than half understood.
pub const CONFIG_VERSION: u32 = 1;

/// Settings of Adam, PyTorch's names and meaning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamConfig {
    /// Learning rate of the constant part of the schedule.
    pub rate: f64,
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
            rate: 1e-4,
            beta_1: 0.5,
            beta_2: 0.999,
            epsilon: 1e-8,
        }
    }
}

/// Every setting of a run, as stored in its `config.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// [`CONFIG_VERSION`].
    pub version: u32,
    /// The dataset folder.
    pub data: PathBuf,
    /// Start of every random stream.
    pub seed: u64,
    /// Side of the faces in pixels, a multiple of 64.
    pub image_size: usize,
    /// Channels after the generator's first layer.
    pub generator_channels: usize,
    /// Residual blocks of the generator.
    pub generator_blocks: usize,
    /// Channels after the discriminator's first layer.
    pub discriminator_channels: usize,
    /// Faces a batch; a last short batch is dropped.
    pub batch_size: usize,
    /// Critic steps of the whole run; 30 epochs of the dataset when absent.
    pub steps: Option<u64>,
    /// One generator step every so many critic steps.
    pub generator_every: u64,
    /// Mirror half of the faces.
    pub flip: bool,
    /// Largest random shift of a target action unit, in OpenFace intensity / 5.
    pub target_noise: f32,
    /// Keep shifted targets within 0..1.
    pub clamp_targets: bool,
    /// Share of targets that are the face's own action units with a few of them changed, in place of another face's.
    #[serde(default)]
    pub target_edits: f32,
    /// How strongly faces with rare action units are favoured; 0 draws all alike.
    pub balance: f32,
    /// Decay of the generator's moving average, which is what previews, evaluation and users get.
    pub ema_decay: f64,
    /// Threads that decode pictures.
    pub workers: usize,
    /// Keep decoded pictures in memory.
    pub cache: bool,
    /// Critic steps between checkpoints.
    pub checkpoint_every: u64,
    /// Checkpoints to keep; older ones are removed.
    pub checkpoint_keep: usize,
    /// Critic steps between preview pictures.
    pub preview_every: u64,
    /// Critic steps between lines of metrics.
    pub log_every: u64,
    /// Both optimisers.
    pub adam: AdamConfig,
    /// The losses.
    pub loss: LossWeights,
}

impl TrainConfig {
    /// The paper's network and this project's recommended training on the dataset in `data`.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            version: CONFIG_VERSION,
            data: data.into(),
            seed: 0,
            image_size: 128,
            generator_channels: 64,
            generator_blocks: 6,
            discriminator_channels: 64,
            batch_size: 25,
            steps: None,
            generator_every: 5,
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
            preview_every: 250,
            log_every: 10,
            adam: AdamConfig::default(),
            loss: LossWeights::default(),
        }
    }

    /// Reads the text of a `config.toml`; the error says in a line what is wrong with it.
    pub(crate) fn from_toml(text: &str) -> Result<Self, String> {
        /// Read first: another version's settings would only be told as unknown ones.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let one_line = |error: toml::de::Error| error.to_string().trim_end().replace('\n', " ");
        let Versioned { version } = toml::from_str(text).map_err(one_line)?;
        if version != CONFIG_VERSION {
            return Err(format!(
                "its version is {version}; this program reads {CONFIG_VERSION}"
            ));
        }
        toml::from_str(text).map_err(one_line)
    }

    /// Takes the losses and protocol of `preset`.
    pub fn with_preset(mut self, preset: Preset) -> Self {
        self.loss = preset.into();
        self.clamp_targets = preset != Preset::Released;
        self
    }

    /// Lets action units that hardly vary among `faces` count for more in both losses: each squared error is multiplied by
    /// `variance^-balance`, scaled to a mean factor of 1. `balance` is 0 (all alike) to 1 (all units' deviations count
    /// the same).
    pub fn with_balanced_aus(mut self, faces: &[Face], balance: f32) -> Self {
        let factors = variances(faces).map(|variance| f64::from(variance).powf(-f64::from(balance)));
        let mean = factors.iter().sum::<f64>() / AU_COUNT as f64;
        self.loss.au_factors = factors.iter().map(|factor| factor / mean).collect();
        self
    }

    /// Checks every setting before work starts.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Model`] for the first one that cannot work.
    pub fn check(&self) -> Result<()> {
        let require = |holds: bool, name, found: &dyn std::fmt::Display, expected| {
            if holds {
                return Ok(());
            }
            Err(Error::Setting {
                name,
                found: found.to_string(),
                expected,
            })
        };
        require(self.version == CONFIG_VERSION, "version", &self.version, "1")?;
        self.discriminator().check()?;
        require(
            self.image_size <= 1024,
            "image_size",
            &self.image_size,
            "at most 1024",
        )?;
        for (name, value) in [
            ("generator_channels", self.generator_channels),
            ("discriminator_channels", self.discriminator_channels),
        ] {
            require((1..=1024).contains(&value), name, &value, "1 to 1024")?;
        }
        require(
            self.generator_blocks <= 64,
            "generator_blocks",
            &self.generator_blocks,
            "at most 64",
        )?;
        require(
            (1..=4096).contains(&self.batch_size),
            "batch_size",
            &self.batch_size,
            "1 to 4096",
        )?;
        require(
            (1..=256).contains(&self.workers),
            "workers",
            &self.workers,
            "1 to 256",
        )?;
        require(
            self.checkpoint_keep > 0,
            "checkpoint_keep",
            &self.checkpoint_keep,
            "at least 1",
        )?;
        for (name, value) in [
            ("steps", self.steps.unwrap_or(1)),
            ("generator_every", self.generator_every),
            ("checkpoint_every", self.checkpoint_every),
            ("preview_every", self.preview_every),
            ("log_every", self.log_every),
        ] {
            require(value > 0, name, &value, "at least 1")?;
        }
        let share = |value: f64| (0.0..1.0).contains(&value);
        require(
            share(self.ema_decay),
            "ema_decay",
            &self.ema_decay,
            "0 or more, below 1",
        )?;
        require(
            share(self.adam.beta_1),
            "beta_1",
            &self.adam.beta_1,
            "0 or more, below 1",
        )?;
        require(
            share(self.adam.beta_2),
            "beta_2",
            &self.adam.beta_2,
            "0 or more, below 1",
        )?;
        for (name, value) in [
            ("loss.aus", self.loss.aus),
            ("loss.penalty", self.loss.penalty),
            ("loss.cycle", self.loss.cycle),
            ("loss.attention", self.loss.attention),
            ("loss.smoothness", self.loss.smoothness),
        ] {
            require(value.is_finite() && value >= 0.0, name, &value, "0 or more")?;
        }
        let positive = |value: f64| value.is_finite() && value > 0.0;
        require(positive(self.adam.rate), "rate", &self.adam.rate, "above 0")?;
        require(
            positive(self.adam.epsilon),
            "epsilon",
            &self.adam.epsilon,
            "above 0",
        )?;
        let noise = self.target_noise;
        require((0.0..=1.0).contains(&noise), "target_noise", &noise, "0 to 1")?;
        let edits = self.target_edits;
        require((0.0..=1.0).contains(&edits), "target_edits", &edits, "0 to 1")?;
        let factors = &self.loss.au_factors;
        require(
            factors.is_empty() || factors.len() == AU_COUNT,
            "loss.au_factors",
            &format_args!("{} numbers", factors.len()),
            "17 numbers, or none",
        )?;
        for factor in factors {
            let holds = factor.is_finite() && *factor >= 0.0;
            require(holds, "loss.au_factors", factor, "0 or more")?;
        }
        require(
            (0.0..=1.0).contains(&self.balance),
            "balance",
            &self.balance,
            "0 to 1",
        )
    }

    /// The generator that these settings describe.
    pub fn generator(&self) -> GeneratorConfig {
        GeneratorConfig::new()
            .with_channels(self.generator_channels)
            .with_blocks(self.generator_blocks)
    }

    /// The discriminator that these settings describe.
    pub fn discriminator(&self) -> DiscriminatorConfig {
        DiscriminatorConfig::new(self.image_size).with_channels(self.discriminator_channels)
    }

    /// The learning rate by step, for a dataset of `faces` training faces.
    ///
    /// # Panics
    /// If the batch size is 0; [`Self::check`] says so beforehand.
    pub fn schedule(&self, faces: usize) -> Schedule {
        let epoch = (faces / self.batch_size) as u64;
        Schedule {
            rate: self.adam.rate,
            steps: self.steps.unwrap_or(30 * epoch),
        }
    }
}

/// Variance of each action unit among `faces`, in (intensity / 5)²; at least that of a deviation of 0.1 in intensity.
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
            with(|c| c.loss.cycle = f64::NAN),
            "setting `loss.cycle` is NaN; expected 0 or more"
        );
        assert_eq!(
            with(|c| c.ema_decay = 1.0),
            "setting `ema_decay` is 1; expected 0 or more, below 1"
        );
        assert_eq!(
            with(|c| c.adam.rate = f64::NAN),
            "setting `rate` is NaN; expected above 0"
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
