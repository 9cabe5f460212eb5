//! A training run: a folder, and the loop that fills it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use burn::tensor::Device;
use ganimation_data::{ActionUnit, Dataset, lock_folder, write_whole};
use ganimation_model::weights::{FloatFormat, Metadata, save_generator};

use crate::checkpoint::{self, Keep};
use crate::config::{Network, TrainConfig};
use crate::history::best_step;
use crate::lines::Lines;
use crate::metrics::Progress;
use crate::session::Session;
use crate::settings::{Change, Overlay, Renamed};
use crate::training::Training;
use crate::validation::Validation;
use crate::watchdog::Warning;
use crate::{Error, Result};

pub(crate) const SETTINGS: &str = "config.toml";
pub(crate) const CHECKPOINTS: &str = "checkpoints";
pub(crate) const PREVIEWS: &str = "previews";
const CHANGES: &str = "changes.jsonl";

/// Receives the progress of a run. By default, every method does nothing.
pub trait Observer {
    /// A line of metrics was written.
    fn measured(&mut self, _progress: &Progress) {}
    /// A discriminator step was taken. No values were read from the device.
    fn stepped(&mut self, _step: u64, _steps: u64) {}
    /// A checkpoint is complete.
    fn saved(&mut self, _path: &Path) {}
    /// A preview picture is complete.
    fn previewed(&mut self, _path: &Path) {}
    /// A validation on held-out faces is complete.
    fn validated(&mut self, _validation: &Validation) {}
    /// The watchdog found a problem.
    fn warned(&mut self, _warning: &Warning) {}
    /// A face was skipped because its picture cannot be read. The dataset was opened with the option to skip such
    /// faces.
    fn skipped(&mut self, _problem: &ganimation_data::Error) {}
}

impl Observer for () {}

/// Limits of one session of a run, in addition to the end of the schedule.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Stop at this number of discriminator steps of the whole run.
    pub steps: Option<u64>,
    /// Stop after this time. The time limit does not change any step.
    pub time: Option<Duration>,
    /// Stop at the first warning of the watchdog.
    pub strict: bool,
    /// Maximum time between checkpoints, for any number of steps. If the process is killed, at most this work is lost.
    /// Saving does not change any step.
    pub unsaved: Option<Duration>,
}

impl From<u64> for Limits {
    fn from(steps: u64) -> Self {
        Self {
            steps: Some(steps),
            ..Self::default()
        }
    }
}

/// The end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All steps were taken.
    Finished,
    /// A stop was requested, and the run was saved.
    Stopped {
        /// Discriminator steps taken.
        step: u64,
    },
}

/// A run folder: `config.toml`, `metrics.jsonl`, `validation.jsonl`, TensorBoard's events, `previews/`,
/// `checkpoints/step-N/`, `generator.safetensors`.
#[derive(Debug)]
pub struct Run {
    pub(crate) folder: PathBuf,
    pub(crate) training: Training,
    pub(crate) step: u64,
    pub(crate) device: Device,
    /// Settings with old names in `config.toml`.
    renamed: Vec<Renamed>,
    /// A lock while the run is open, so that two processes do not write to one folder.
    _lock: File,
}

impl Run {
    /// Starts a run in a new folder, or in a folder of a run without a checkpoint.
    ///
    /// # Errors
    /// The errors of [`TrainConfig::check`], [`Error::RunExists`] if the folder contains a checkpoint, [`Error::File`]
    /// or [`Error::Data`] if the folder cannot be created or another process trains in it.
    pub fn start(folder: impl Into<PathBuf>, config: TrainConfig, device: &Device) -> Result<Self> {
        let folder = folder.into();
        config.check()?;
        if !checkpoint::list(&folder.join(CHECKPOINTS))?.is_empty() {
            return Err(Error::RunExists(folder));
        }
        // First, so that unusable initial weights do not leave an empty folder.
        let training = Training::begin(config, device)?;
        for part in [PREVIEWS, CHECKPOINTS] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(Error::file("create", &path))?;
        }
        let lock = lock_folder(&folder)?;
        clear_leftovers(&folder)?;
        write_settings(&folder, training.config())?;
        Ok(Self {
            folder,
            training,
            step: 0,
            device: device.clone(),
            renamed: Vec::new(),
            _lock: lock,
        })
    }

    /// Continues the run in `folder` from its newest checkpoint, or from its start, on the same trajectory.
    ///
    /// # Errors
    /// [`Error::NothingToResume`] if the folder contains no run, [`Error::Data`] if another process trains in it,
    /// [`Error::Damaged`] if a file has invalid content.
    pub fn resume(folder: impl Into<PathBuf>, device: &Device) -> Result<Self> {
        Ok(Self::resume_changed(folder, &Overlay::default(), device)?.0)
    }

    /// [`Self::resume`] with changed settings, which changes the trajectory. The changes are stored in the settings,
    /// listed in `changes.jsonl` and returned.
    ///
    /// # Errors
    /// The errors of [`Self::resume`], [`TrainConfig::overlaid`] and [`TrainConfig::check`], and
    /// [`Error::Unchangeable`] for a setting that determines the meaning of stored data: the networks' sizes, the batch
    /// size, the seed.
    pub fn resume_changed(
        folder: impl Into<PathBuf>,
        changes: &Overlay,
        device: &Device,
    ) -> Result<(Self, Vec<Change>)> {
        let folder = folder.into();
        let settings = folder.join(SETTINGS);
        if !settings.exists() {
            return Err(Error::NothingToResume(folder));
        }
        let lock = lock_folder(&folder)?;
        clear_leftovers(&folder)?;
        let (before, renamed) = read_settings(&folder)?;
        let config = before.overlaid(changes)?;
        config.check()?;
        let newest = checkpoint::list(&folder.join(CHECKPOINTS))?.pop();
        let step = newest.as_ref().map_or(0, |(step, _)| *step);
        let changed = before.changes_to(&config, step)?;
        let training = match newest {
            Some((step, newest)) => Training::load(&newest, config, step, device)?,
            None => Training::begin(config, device)?,
        };
        if !changed.is_empty() {
            let mut lines = Lines::open(&folder, CHANGES, step)?;
            for change in &changed {
                lines.write(change)?;
            }
            write_settings(&folder, training.config())?;
        }
        let run = Self {
            folder,
            training,
            step,
            device: device.clone(),
            renamed,
            _lock: lock,
        };
        if run.step > 0 {
            run.settle()?;
        }
        Ok((run, changed))
    }

    /// Divides each batch among `devices`. The first one is the run's own device. The trajectory is the same as on one
    /// device, except for rounding.
    ///
    /// # Errors
    /// The errors of [`TrainConfig::check_devices`].
    pub fn share(&mut self, devices: &[Device]) -> Result<()> {
        self.training.share(devices)
    }

    /// The settings of the run.
    pub fn config(&self) -> &TrainConfig {
        self.training.config()
    }

    /// The settings that have an old name in the run's `config.toml`, which an older version wrote.
    pub fn renamed(&self) -> &[Renamed] {
        &self.renamed
    }

    /// Discriminator steps taken so far.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The current networks.
    pub fn training(&self) -> &Training {
        &self.training
    }

    /// Trains until the schedule ends, a limit is reached or `stop` is set, and then saves.
    ///
    /// # Errors
    /// [`Error::Data`] from the dataset, [`Error::File`] from the folder, [`Error::NotFinite`] or
    /// [`Error::BrokenWeights`] if a loss or a weight becomes NaN or infinite, [`Error::Warned`] if the watchdog warns
    /// and the limits are strict. Earlier checkpoints are kept.
    pub fn train(
        &mut self,
        dataset: &Dataset,
        limits: impl Into<Limits>,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Outcome> {
        Session::open(self, dataset, limits.into(), observer)?.train(stop)
    }

    /// The metadata of the averaged generator's file.
    pub fn metadata(&self) -> Metadata {
        let config = self.config();
        Metadata {
            image_size: config.image_size,
            channels: config.generator_channels,
            blocks: config.generator_blocks,
            action_units: ActionUnit::ALL.map(|unit| u32::from(unit.number())).to_vec(),
            orders: self.training.generator().orders(),
            fine_shading: self.training.generator().fine_shading(),
            crop: "square faces as in the dataset, resized with lanczos".to_owned(),
            training: match config.network {
                Network::Paper => format!(
                    "{} discriminator steps with {} faces each, one generator step every {}, moving average",
                    self.step, config.batch_size, config.n_critic
                ),
                Network::Motion => format!(
                    "{} steps with {} faces each, the first {} with landmarks, moving average",
                    self.step,
                    config.batch_size,
                    config.motion.taught_steps.min(self.step)
                ),
            },
            license: "determined by the terms of the dataset's pictures and labels".to_owned(),
        }
    }

    /// Saves, unless a weight is NaN or infinite.
    pub(crate) fn save(&self) -> Result<PathBuf> {
        let path = self.training.save(&self.folder.join(CHECKPOINTS), self.step)?;
        self.settle()?;
        Ok(path)
    }

    /// Work after a checkpoint, which can be repeated if the process was killed: removes older checkpoints according to
    /// the settings, and writes the latest averaged generator with its metadata for users.
    fn settle(&self) -> Result<()> {
        let config = self.config();
        let keep = Keep {
            newest: config.checkpoint_keep,
            every: config.checkpoint_keep_every,
            best: best_step(&self.folder)?,
        };
        checkpoint::prune(&self.folder.join(CHECKPOINTS), keep)?;
        let weights = self.folder.join("generator.safetensors");
        let (average, metadata) = (self.training.average(), self.metadata());
        Ok(save_generator(&weights, average, &metadata, FloatFormat::F32)?)
    }
}

pub(crate) fn read_settings(folder: &Path) -> Result<(TrainConfig, Vec<Renamed>)> {
    let settings = folder.join(SETTINGS);
    let text = fs::read_to_string(&settings).map_err(Error::file("read", &settings))?;
    TrainConfig::from_toml(&text).map_err(Error::damaged(&settings))
}

fn write_settings(folder: &Path, config: &TrainConfig) -> Result<()> {
    let settings = folder.join(SETTINGS);
    let text = toml::to_string(config).map_err(Error::damaged(&settings))?;
    Ok(write_whole(&settings, text.as_bytes())?)
}

/// Removes unfinished files of a killed process. The caller must hold the lock.
fn clear_leftovers(folder: &Path) -> Result<()> {
    ganimation_io::remove_scratch(folder);
    ganimation_io::remove_scratch(&folder.join(PREVIEWS));
    checkpoint::clear_leftovers(&folder.join(CHECKPOINTS))
}
