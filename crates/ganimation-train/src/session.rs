//! One session of a run: the loop over batches, and the files written between steps.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ganimation_data::teacher::MotionPrior;
use ganimation_data::teacher::Teacher;
use ganimation_data::{Dataset, Face, LessonConfig, Loader, LoaderConfig, Split, save_image};

use crate::config::{Network, TrainConfig};
use crate::events::Events;
use crate::history::{VALIDATION, WARNINGS};
use crate::lines::Lines;
use crate::metrics::{Metrics, Position, Progress, require_finite};
use crate::motion::MotionReport;
use crate::preview::{PREVIEWED, Preview};
use crate::run::{Limits, Observer, Outcome, PREVIEWS, Run};
use crate::samples::FaceSampler;
use crate::trainer::{DiscriminatorReport, GeneratorReport};
use crate::training::StepReport;
use crate::validation::{HeldOut, Validation};
use crate::watchdog::{Warning, Watchdog};
use crate::{Error, Result};

/// The state and the open files of a training session.
pub(crate) struct Session<'a> {
    run: &'a mut Run,
    config: TrainConfig,
    observer: &'a mut dyn Observer,
    limits: Limits,
    /// Steps of the whole run.
    steps: u64,
    loader: Loader,
    preview: Option<Preview>,
    held_out: Option<HeldOut>,
    metrics: Metrics,
    validations: Lines,
    warnings: Lines,
    events: Events,
    watchdog: Watchdog,
    discriminator: Option<DiscriminatorReport>,
    generator: Option<GeneratorReport>,
    motion: Option<MotionReport>,
    /// Steps of the newest checkpoint and of the newest preview.
    saved: u64,
    previewed: u64,
    /// Time of the newest checkpoint, or of the start of the session.
    saved_at: Instant,
    /// Time spent on steps of the networks.
    stepped: Duration,
}

impl<'a> Session<'a> {
    /// Opens the files and starts the loader.
    pub(crate) fn open(
        run: &'a mut Run,
        dataset: &Dataset,
        limits: Limits,
        observer: &'a mut dyn Observer,
    ) -> Result<Self> {
        let config = run.training.config().clone();
        let (folder, step, device) = (&run.folder, run.step, &run.device);
        let faces = dataset.split(Split::Train);
        let lessons = lessons(&config, faces)?; // first, because faces without landmarks are an error
        let previewed = match dataset.split(Split::Test) {
            [] => faces,
            held_out => held_out,
        };
        let mut sampler = FaceSampler::new(dataset, config.image_size, observer);
        let preview = Preview::new(sampler.sample(previewed, PREVIEWED)?, device);
        let held_out = sampler.sample(dataset.split(Split::Test), config.validate_faces)?;
        Ok(Self {
            steps: config.schedule(faces.len()).steps,
            loader: Loader::new(
                faces.to_vec(),
                LoaderConfig {
                    skip_bad: dataset.skips_bad(),
                    lessons,
                    ..loader_config(&config)
                },
                step,
            )?,
            preview,
            held_out: HeldOut::new(&held_out, config.batch_size, device),
            metrics: Metrics::open(folder, step)?,
            validations: Lines::open(folder, VALIDATION, step)?,
            warnings: Lines::open(folder, WARNINGS, step)?,
            events: Events::open(folder, step)?,
            watchdog: Watchdog::default(),
            discriminator: None,
            generator: None,
            motion: None,
            saved: step,
            previewed: step,
            saved_at: Instant::now(),
            stepped: Duration::ZERO,
            limits,
            observer,
            config,
            run,
        })
    }

    /// The loop.
    pub(crate) fn train(mut self, stop: &AtomicBool) -> Result<Outcome> {
        let start = Instant::now();
        let end = (self.limits.steps).map_or(self.steps, |steps| steps.min(self.steps));
        let in_time = |limit: Option<Duration>| limit.is_none_or(|limit| start.elapsed() < limit);
        while self.run.step < end && in_time(self.limits.time) && !stop.load(Ordering::Relaxed) {
            if !self.step()? {
                break;
            }
            let step = self.run.step;
            if step.is_multiple_of(self.config.log_every) {
                self.measure()?;
            }
            if step.is_multiple_of(self.config.validate_every) {
                self.validate()?;
            }
            let unsaved = self.saved_at.elapsed();
            if step.is_multiple_of(self.config.checkpoint_every)
                || self.limits.unsaved.is_some_and(|longest| unsaved >= longest)
            {
                self.save()?;
            }
            if step.is_multiple_of(self.config.preview_every) {
                self.preview()?;
            }
        }
        if self.run.step > self.saved {
            self.save()?;
        }
        if self.run.step > self.previewed {
            self.preview()?;
        }
        Ok(match self.run.step {
            step if step >= self.steps => Outcome::Finished,
            step => Outcome::Stopped { step },
        })
    }

    /// One discriminator step and, every `n_critic` steps, one generator step. Returns false if there are no more batches.
    fn step(&mut self) -> Result<bool> {
        let batch = match self.loader.next() {
            Some(Ok(batch)) => batch,
            Some(Err(error)) => {
                // Keep the training progress before the unreadable picture.
                self.save()?;
                return Err(error.into());
            }
            None => return Ok(false),
        };
        for problem in self.loader.take_problems() {
            self.observer.skipped(&problem);
        }
        let start = Instant::now();
        let rate = self.config.learning_rate_at(self.run.step, self.steps);
        let Run {
            training,
            device,
            step,
            ..
        } = &mut *self.run;
        match training.step(batch, device, *step, rate) {
            StepReport::Paper(discriminator, generator) => {
                self.discriminator = Some(discriminator);
                self.generator = generator.or(self.generator.take());
            }
            StepReport::Motion(motion) => {
                let motion = motion.or_latest(self.motion.take());
                self.discriminator = Some(motion.discriminator.clone());
                self.generator = Some(motion.generator.clone());
                self.motion = Some(motion);
            }
        }
        self.run.step += 1;
        self.stepped += start.elapsed();
        self.observer.stepped(self.run.step, self.steps);
        Ok(true)
    }

    fn measure(&mut self) -> Result<()> {
        let (Some(discriminator), Some(generator)) = (&self.discriminator, &self.generator) else {
            return Ok(()); // no generator step yet
        };
        let position = Position {
            step: self.run.step,
            steps: self.steps,
            batch: self.config.batch_size,
            batches_per_epoch: self.loader.batches_per_epoch(),
            learning_rate: self.config.learning_rate_at(self.run.step - 1, self.steps),
            waited: self.loader.waited(),
            stepped: self.stepped,
        };
        let progress = self
            .metrics
            .measure(discriminator, generator, self.motion.as_ref(), &position)?;
        self.events.scalars(progress.step, scalars_of(&progress))?;
        self.observer.measured(&progress);
        let warnings = self.watchdog.measured(&progress);
        self.warn(warnings)
    }

    fn validate(&mut self) -> Result<()> {
        let Some(held_out) = &self.held_out else {
            return Ok(());
        };
        let found = held_out.measure(&self.run.training, self.run.step);
        self.validations.write(&found)?;
        self.events.scalars(found.step, scalars_of_validation(&found))?;
        self.observer.validated(&found);
        let warnings = self.watchdog.validated(&found);
        self.warn(warnings)
    }

    fn warn(&mut self, warnings: Vec<Warning>) -> Result<()> {
        for warning in warnings {
            self.warnings.write(&warning)?;
            self.observer.warned(&warning);
            if self.limits.strict {
                self.save()?;
                return Err(Error::Warned(warning));
            }
        }
        Ok(())
    }

    /// Saves, unless the latest losses are NaN or infinite.
    fn save(&mut self) -> Result<()> {
        if let Some(discriminator) = &self.discriminator {
            require_finite(
                discriminator,
                self.generator.as_ref(),
                self.motion.as_ref(),
                self.run.step,
            )?;
        }
        let path = self.run.save()?;
        (self.saved, self.saved_at) = (self.run.step, Instant::now());
        self.observer.saved(&path);
        Ok(())
    }

    fn preview(&mut self) -> Result<()> {
        self.previewed = self.run.step;
        let average = self.run.training.average();
        let Some(picture) = self.preview.as_ref().and_then(|preview| preview.draw(average)) else {
            return Ok(());
        };
        let path: PathBuf = (self.run.folder.join(PREVIEWS)).join(format!("step-{:07}.png", self.run.step));
        save_image(&path, &picture)?;
        self.events.picture(self.run.step, "preview", &picture)?;
        self.observer.previewed(&path);
        Ok(())
    }
}

fn scalars_of(line: &Progress) -> Vec<(&'static str, f64)> {
    let mut scalars = vec![
        ("discriminator/adversarial", line.discriminator_adversarial.into()),
        ("discriminator/action units", line.discriminator_aus.into()),
        ("discriminator/gradient penalty", line.gradient_penalty.into()),
        ("generator/adversarial", line.generator_adversarial.into()),
        ("generator/action units", line.generator_aus.into()),
        ("generator/cycle", line.cycle.into()),
        ("mask/attention", line.attention.into()),
        ("mask/total variation", line.total_variation.into()),
        ("mask/coverage", line.mask_coverage.into()),
        ("mask/coverage peak", line.mask_coverage_peak.into()),
        ("run/learning rate", line.learning_rate),
        ("run/epoch", line.epoch),
        ("run/faces a second", line.faces_per_second),
        ("run/waiting", line.waiting),
        ("run/upkeep", line.upkeep),
    ];
    if let Some(motion) = &line.motion {
        scalars.extend([
            ("motion/field", motion.field.into()),
            ("motion/field baseline", motion.field_baseline.into()),
            ("motion/pixels", motion.pixels.into()),
            ("motion/pixels baseline", motion.pixels_baseline.into()),
            ("motion/shading", motion.shading.into()),
            ("mask/coverage outside", motion.mask_coverage_outside.into()),
        ]);
    }
    scalars
}

fn scalars_of_validation(line: &Validation) -> [(&'static str, f64); 9] {
    [
        ("validation/score", line.score),
        ("validation/action units", line.aus),
        ("validation/discriminator action units", line.discriminator_aus),
        ("validation/cycle", line.cycle),
        ("validation/self-edit", line.self_edit),
        ("validation/discriminator score gap", line.discriminator_score_gap),
        ("validation/mask coverage", line.mask_coverage),
        ("validation/mask coverage peak", line.mask_coverage_peak),
        ("validation/mask coverage corners", line.mask_coverage_corners),
    ]
}

/// The motion network's lessons, computed from the landmarks of the training faces.
fn lessons(config: &TrainConfig, faces: &[Face]) -> Result<Option<LessonConfig>> {
    if config.network == Network::Paper {
        return Ok(None);
    }
    let known = faces
        .iter()
        .filter_map(|face| Some((face.landmarks.as_ref()?, &face.intensities)));
    let prior = MotionPrior::fit(known)?.with_anatomy();
    Ok(Some(LessonConfig {
        teacher: Arc::new(Teacher::new(prior, config.motion.gains)),
        taught_steps: config.motion.taught_steps,
    }))
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
        skip_bad: false, // the dataset knows
        lessons: None,   // the faces teach them
    }
}
