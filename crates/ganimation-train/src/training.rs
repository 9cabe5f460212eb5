//! A common interface to the networks of both protocols, used by runs.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use ganimation_data::Batch;
use ganimation_model::Generator;

use crate::Result;
use crate::checkpoint;
use crate::config::{Network, TrainConfig};
use crate::metrics::require_finite_weights;
use crate::motion::{LessonBatch, MotionReport, MotionTrainer};
use crate::trainer::{DiscriminatorReport, FaceBatch, GeneratorReport, Trainer};

/// The networks during training, by protocol.
#[derive(Debug)]
pub enum Training {
    /// The paper's network and its discriminator.
    Paper(Box<Trainer>),
    /// The motion network, trained with landmarks first and then against a projection discriminator.
    Motion(Box<MotionTrainer>),
}

/// The measurements of one step.
#[expect(clippy::large_enum_variant, reason = "one per step, consumed immediately")]
pub(crate) enum StepReport {
    /// A discriminator step and, every `n_critic` steps, a generator step.
    Paper(DiscriminatorReport, Option<GeneratorReport>),
    Motion(MotionReport),
}

impl Training {
    /// The initial networks according to the settings.
    pub(crate) fn begin(config: TrainConfig, device: &Device) -> Result<Self> {
        Ok(match config.network {
            Network::Paper => Self::Paper(checkpoint::begin(Trainer::new(config, device))?.into()),
            Network::Motion => Self::Motion(checkpoint::begin(MotionTrainer::draw(config, device))?.into()),
        })
    }

    /// Loads the networks and optimisers of the checkpoint in `path`, saved after `step` steps.
    pub(crate) fn load(path: &Path, config: TrainConfig, step: u64, device: &Device) -> Result<Self> {
        let adam = config.adam_at(step.saturating_sub(1));
        Ok(match config.network {
            Network::Paper => {
                let fresh = Trainer::new(config, device);
                Self::Paper(checkpoint::load(path, fresh, adam, device)?.into())
            }
            Network::Motion => {
                let fresh = MotionTrainer::draw(config, device);
                Self::Motion(checkpoint::load(path, fresh, adam, device)?.into())
            }
        })
    }

    /// Writes everything needed to resume to `folder/step-N`.
    pub(crate) fn save(&self, folder: &Path, step: u64) -> Result<PathBuf> {
        match self {
            Self::Paper(trainer) => save(trainer, folder, step),
            Self::Motion(trainer) => save(trainer, folder, step),
        }
    }

    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        match self {
            Self::Paper(trainer) => &trainer.config,
            Self::Motion(trainer) => &trainer.config,
        }
    }

    /// The current generator. For editing, use its [`average`](Self::average).
    pub fn generator(&self) -> &Generator {
        match self {
            Self::Paper(trainer) => trainer.generator(),
            Self::Motion(trainer) => trainer.generator(),
        }
    }

    /// The EMA (moving average) of the generator, without autodiff. Use it for previews, evaluation and release.
    pub fn average(&self) -> &Generator {
        match self {
            Self::Paper(trainer) => trainer.average(),
            Self::Motion(trainer) => trainer.average(),
        }
    }

    /// The paper's networks, if the run trains them.
    pub fn paper(&self) -> Option<&Trainer> {
        match self {
            Self::Paper(trainer) => Some(trainer),
            Self::Motion(_) => None,
        }
    }

    /// Divides each batch among `devices`; see [`Trainer::share`].
    pub(crate) fn share(&mut self, devices: &[Device]) -> Result<()> {
        match self {
            Self::Paper(trainer) => trainer.share(devices),
            Self::Motion(trainer) => trainer.share(devices),
        }
    }

    /// Takes step `step`, counted from 0. `device` is that of the networks.
    pub(crate) fn step(&mut self, batch: Batch, device: &Device, step: u64, rate: f64) -> StepReport {
        match self {
            Self::Paper(trainer) => {
                let batch = FaceBatch::new(batch, device);
                let discriminator = trainer.discriminator_step(&batch, step, rate);
                let due = (step + 1).is_multiple_of(trainer.config.n_critic);
                let generator = due.then(|| trainer.generator_step(&batch, rate));
                StepReport::Paper(discriminator, generator)
            }
            Self::Motion(trainer) => {
                let batch = LessonBatch::new(batch, device);
                StepReport::Motion(trainer.step(&batch, step, rate))
            }
        }
    }
}

fn save<D: Module>(trainer: &Trainer<D>, folder: &Path, step: u64) -> Result<PathBuf> {
    require_finite_weights("generator", &trainer.generator, step)?;
    require_finite_weights("discriminator", &trainer.discriminator, step)?;
    checkpoint::save(folder, trainer, step)
}
