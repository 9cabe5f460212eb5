//! A training run: a folder, and the loop that fills it.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use ganimation_data::{ActionUnit, Dataset, Loader, LoaderConfig, Split, save_image, write_whole};
use ganimation_model::weights::{FloatFormat, Metadata, save_generator};

use crate::config::TrainConfig;
use crate::metrics::{Metrics, Position, Progress, require_finite};
use crate::preview::Preview;
use crate::trainer::{CriticReport, FaceBatch, GeneratorReport, Trainer};
use crate::{Error, Result, checkpoint};

const SETTINGS: &str = "config.toml";
const CHECKPOINTS: &str = "checkpoints";
const PREVIEWS: &str = "previews";
const LOCK: &str = ".lock";

/// Hears how a run gets on. Every method does nothing unless overridden.
pub trait Observer {
    /// A line of metrics was written.
    fn measured(&mut self, _progress: &Progress) {}
    /// A critic step was taken; nothing was read from the device.
    fn stepped(&mut self, _step: u64, _steps: u64) {}
    /// A checkpoint is complete.
    fn saved(&mut self, _path: &Path) {}
    /// A preview picture is complete.
    fn previewed(&mut self, _path: &Path) {}
}

impl Observer for () {}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All steps were taken.
    Finished,
    /// It was asked to stop, and saved.
    Stopped {
        /// Critic steps taken.
        step: u64,
    },
}

/// A run folder: `config.toml`, `metrics.jsonl`, `previews/`, `checkpoints/step-N/`, `generator.safetensors`.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    trainer: Trainer,
    step: u64,
    device: Device,
    /// Held as long as the run is open, so that two processes do not write into one folder.
    _lock: File,
}

impl Run {
    /// Starts a run in a new folder, or in one whose run never came to a checkpoint.
    ///
    /// # Errors
    /// Those of [`TrainConfig::check`], [`Error::RunExists`] if the folder holds a checkpoint, [`Error::Busy`] if another
    /// process trains in it, [`Error::File`] or [`Error::Data`] if it cannot be made.
    pub fn start(folder: impl Into<PathBuf>, config: TrainConfig, device: &Device) -> Result<Self> {
        let folder = folder.into();
        config.check()?;
        if !checkpoint::list(&folder.join(CHECKPOINTS))?.is_empty() {
            return Err(Error::RunExists(folder));
        }
        for part in [PREVIEWS, CHECKPOINTS] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(Error::file("create", &path))?;
        }
        let lock = lock(&folder)?;
        let settings = folder.join(SETTINGS);
        let text = toml::to_string(&config).map_err(|error| Error::Damaged {
            path: settings.clone(),
            reason: error.to_string(),
        })?;
        write_whole(&settings, text.as_bytes())?;
        Ok(Self {
            folder,
            trainer: Trainer::new(config, device),
            step: 0,
            device: device.clone(),
            _lock: lock,
        })
    }

    /// Continues the run in `folder` from its newest checkpoint, or from its start, on the trajectory it was on.
    ///
    /// # Errors
    /// [`Error::NothingToResume`] if the folder holds no run, [`Error::Busy`] if another process trains in it,
    /// [`Error::Damaged`] if a file of it is not what it should be.
    pub fn resume(folder: impl Into<PathBuf>, device: &Device) -> Result<Self> {
        let folder = folder.into();
        let settings = folder.join(SETTINGS);
        if !settings.exists() {
            return Err(Error::NothingToResume(folder));
        }
        let lock = lock(&folder)?;
        let text = fs::read_to_string(&settings).map_err(Error::file("read", &settings))?;
        let config = TrainConfig::from_toml(&text).map_err(|reason| Error::Damaged {
            path: settings,
            reason,
        })?;
        config.check()?;
        let (step, trainer) = match checkpoint::list(&folder.join(CHECKPOINTS))?.pop() {
            Some((step, newest)) => (step, checkpoint::load(&newest, config, device)?),
            None => (0, Trainer::new(config, device)),
        };
        Ok(Self {
            folder,
            trainer,
            step,
            device: device.clone(),
            _lock: lock,
        })
    }

    /// The settings it runs with.
    pub fn config(&self) -> &TrainConfig {
        &self.trainer.config
    }

    /// Critic steps taken so far.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The networks as they are now.
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// Trains until the schedule ends, `until` critic steps are reached or `stop` is set; then saves.
    ///
    /// # Errors
    /// [`Error::Data`] from the dataset, [`Error::File`] from the folder, [`Error::NotFinite`] if a loss stops being a
    /// number; the checkpoints before it stay.
    pub fn train(
        &mut self,
        dataset: &Dataset,
        until: Option<u64>,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Outcome> {
        let config = self.trainer.config.clone();
        let faces = dataset.split(Split::Train);
        let schedule = config.schedule(faces.len());
        let end = until.map_or(schedule.steps, |until| until.min(schedule.steps));
        let mut loader = Loader::new(faces.to_vec(), loader_config(&config), self.step)?;
        let shown = match dataset.split(Split::Test) {
            [] => faces,
            held_out => held_out,
        };
        let preview = Preview::new(shown, config.image_size, &self.device)?;
        let mut metrics = Metrics::open(&self.folder, self.step)?;
        let mut latest: Option<(CriticReport, Option<GeneratorReport>)> = None;
        let (mut saved, mut previewed) = (self.step, self.step);

        while self.step < end && !stop.load(Ordering::Relaxed) {
            let batch = match loader.next() {
                Some(Ok(batch)) => batch,
                Some(Err(error)) => {
                    // What was learnt before the picture that cannot be read is not lost with it.
                    self.save(latest.as_ref(), observer)?;
                    return Err(error.into());
                }
                None => break,
            };
            let rate = schedule.rate_at(self.step);
            let batch = FaceBatch::new(batch, &self.device);
            let of_critic = self.trainer.critic_step(&batch, self.step, rate);
            self.step += 1;
            let of_generator = if self.step.is_multiple_of(config.generator_every) {
                Some(self.trainer.generator_step(&batch, rate))
            } else {
                latest.take().and_then(|(_, of_generator)| of_generator)
            };
            let reports = latest.insert((of_critic, of_generator));
            observer.stepped(self.step, schedule.steps);
            if self.step.is_multiple_of(config.log_every)
                && let (of_critic, Some(of_generator)) = &*reports
            {
                let position = Position {
                    step: self.step,
                    steps: schedule.steps,
                    batch: config.batch_size,
                    batches_per_epoch: loader.batches_per_epoch(),
                    rate,
                    waited: loader.waited(),
                };
                observer.measured(&metrics.measure(of_critic, of_generator, &position)?);
            }
            if self.step.is_multiple_of(config.checkpoint_every) {
                self.save(latest.as_ref(), observer)?;
                saved = self.step;
            }
            if self.step.is_multiple_of(config.preview_every) {
                self.preview(preview.as_ref(), observer)?;
                previewed = self.step;
            }
        }
        if self.step > saved {
            self.save(latest.as_ref(), observer)?;
        }
        if self.step > previewed {
            self.preview(preview.as_ref(), observer)?;
        }
        if self.step >= schedule.steps {
            Ok(Outcome::Finished)
        } else {
            Ok(Outcome::Stopped { step: self.step })
        }
    }

    /// What the averaged generator's file says of itself.
    pub fn metadata(&self) -> Metadata {
        let config = self.config();
        Metadata {
            image_size: config.image_size,
            channels: config.generator_channels,
            blocks: config.generator_blocks,
            action_units: ActionUnit::ALL.map(|unit| u32::from(unit.number())).to_vec(),
            crop: "square faces as in the dataset, resized with lanczos".to_owned(),
            training: format!(
                "{} critic steps of {} faces, one generator step every {}, moving average",
                self.step, config.batch_size, config.generator_every
            ),
            license: "as the dataset's pictures and labels allow".to_owned(),
        }
    }

    /// Saves unless the latest losses, if any, are no numbers.
    fn save(
        &self,
        latest: Option<&(CriticReport, Option<GeneratorReport>)>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        if let Some((critic, generator)) = latest {
            require_finite(critic, generator.as_ref(), self.step)?;
        }
        let folder = self.folder.join(CHECKPOINTS);
        let path = checkpoint::save(&folder, &self.trainer, self.step, self.config().checkpoint_keep)?;
        // Beside it, what a user loads: the averaged generator with its metadata.
        let weights = self.folder.join("generator.safetensors");
        save_generator(
            &weights,
            self.trainer.average(),
            &self.metadata(),
            FloatFormat::F32,
        )?;
        observer.saved(&path);
        Ok(())
    }

    fn preview(&self, preview: Option<&Preview>, observer: &mut dyn Observer) -> Result<()> {
        let Some(picture) = preview.and_then(|preview| preview.draw(self.trainer.average())) else {
            return Ok(());
        };
        let path = self
            .folder
            .join(PREVIEWS)
            .join(format!("step-{:07}.png", self.step));
        save_image(&path, &picture)?;
        observer.previewed(&path);
        Ok(())
    }
}

/// Takes the run folder for this process.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(Error::file("create", &path))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::Busy(folder.to_owned())),
        // Not every file system has locks; a run there is as safe as its user is careful.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

fn loader_config(config: &TrainConfig) -> LoaderConfig {
    LoaderConfig {
        batch_size: config.batch_size,
        image_size: config.image_size,
        seed: config.seed,
        workers: config.workers,
        flip: config.flip,
        queue: 2 * config.workers,
        target_noise: config.target_noise,
        clamp_targets: config.clamp_targets,
        target_edits: config.target_edits,
        cache: config.cache,
        balance: config.balance,
    }
}
