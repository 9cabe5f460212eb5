//! A training run: a folder, and the loop that fills it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use ganimation_data::{ActionUnit, Dataset, Loader, LoaderConfig, Split, save_image};
use ganimation_model::weights::{FloatFormat, Metadata, save_generator};

use crate::config::TrainConfig;
use crate::metrics::{Metrics, Position, Progress};
use crate::preview::Preview;
use crate::trainer::{FaceBatch, Trainer};
use crate::{Error, Result, checkpoint};

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
}

impl Run {
    /// Starts a run in a new folder.
    ///
    /// # Errors
    /// Those of [`TrainConfig::check`], [`Error::RunExists`] if the folder holds a run, [`Error::File`] if it cannot
    /// be made.
    pub fn start(folder: impl Into<PathBuf>, config: TrainConfig, device: &Device) -> Result<Self> {
        let folder = folder.into();
        config.check()?;
        let settings = folder.join("config.toml");
        if settings.exists() {
            return Err(Error::RunExists(folder));
        }
        for part in ["previews", "checkpoints"] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(Error::file("create", &path))?;
        }
        let text = toml::to_string(&config).map_err(|error| Error::Damaged {
            path: settings.clone(),
            reason: error.to_string(),
        })?;
        fs::write(&settings, text).map_err(Error::file("write", &settings))?;
        Ok(Self {
            folder,
            trainer: Trainer::new(config, device),
            step: 0,
            device: device.clone(),
        })
    }

    /// Continues the run in `folder` from its newest checkpoint, on the trajectory it was on.
    ///
    /// # Errors
    /// [`Error::NothingToResume`] without a checkpoint, [`Error::Damaged`] or [`Error::Model`] if a file of it is not
    /// what it should be.
    pub fn resume(folder: impl Into<PathBuf>, device: &Device) -> Result<Self> {
        let folder = folder.into();
        let settings = folder.join("config.toml");
        let newest = checkpoint::list(&folder.join("checkpoints"))?.pop();
        let Some((step, newest)) = newest else {
            return Err(Error::NothingToResume(folder));
        };
        let text = fs::read_to_string(&settings).map_err(Error::file("read", &settings))?;
        let config: TrainConfig = toml::from_str(&text).map_err(|error| Error::Damaged {
            path: settings,
            reason: error.to_string().trim_end().replace('\n', " "),
        })?;
        config.check()?;
        let trainer = checkpoint::load(&newest, config, device)?;
        Ok(Self {
            folder,
            trainer,
            step,
            device: device.clone(),
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
        let mut of_generator = None;

        while self.step < end && !stop.load(Ordering::Relaxed) {
            let Some(batch) = loader.next().transpose()? else {
                break;
            };
            let rate = schedule.rate_at(self.step);
            let batch = FaceBatch::new(batch, &self.device);
            let of_critic = self.trainer.critic_step(&batch, self.step, rate);
            self.step += 1;
            if self.step.is_multiple_of(config.critic_steps) {
                of_generator = Some(self.trainer.generator_step(&batch, rate));
            }
            observer.stepped(self.step, schedule.steps);
            if self.step.is_multiple_of(config.log_every)
                && let Some(of_generator) = &of_generator
            {
                let progress = metrics.measure(
                    &of_critic,
                    of_generator,
                    &Position {
                        step: self.step,
                        steps: schedule.steps,
                        batch: config.batch_size,
                        batches_per_epoch: loader.batches_per_epoch(),
                        rate,
                        waited: loader.waited(),
                    },
                )?;
                observer.measured(&progress);
            }
            if self.step.is_multiple_of(config.preview_every) {
                self.preview(preview.as_ref(), observer)?;
            }
            if self.step.is_multiple_of(config.checkpoint_every) {
                self.save(observer)?;
            }
        }
        if !self.step.is_multiple_of(config.checkpoint_every) {
            self.save(observer)?;
        }
        if !self.step.is_multiple_of(config.preview_every) {
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
            crop: "seetaface frontal detector, square box at scale 1.0, reflected border, lanczos".to_owned(),
            training: format!(
                "{} critic steps of {} faces, one generator step every {}, moving average",
                self.step, config.batch_size, config.critic_steps
            ),
            license: "research use only".to_owned(),
        }
    }

    fn save(&self, observer: &mut dyn Observer) -> Result<()> {
        let folder = self.folder.join("checkpoints");
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
            .join("previews")
            .join(format!("step-{:07}.png", self.step));
        save_image(&path, &picture)?;
        observer.previewed(&path);
        Ok(())
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
        cache: config.cache,
        balance: config.balance,
    }
}
