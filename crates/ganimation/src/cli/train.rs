//! `ganimation train`: a folder of faces to weights.

use std::path::{self, Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use ganimation::device::{self, DeviceChoice};
use ganimation::{Error, Result};
use ganimation_data::dataset::OpenOptions;
use ganimation_data::{Dataset, Split};
use ganimation_model::Preset;
use ganimation_train::{Observer, Outcome, Progress, Run, TrainConfig};
use indicatif::{ProgressBar, ProgressStyle};

use super::output::{note, say};

/// Where no bar can be drawn, a line is written this often.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Faces with problems that are named one by one.
const PROBLEMS_TOLD: usize = 5;

const EXAMPLES: &str = "Examples:
  Train the full network:
    ganimation train --data faces --name experiment_1 --batch-size 25

  Stop with Ctrl-C, then go on exactly where it stopped:
    ganimation train --name experiment_1 --resume

  A small network for a machine without a GPU:
    ganimation train --data faces --name small --image-size 64 --channels 32 --critic-channels 32 --generator-every 3

The run folder holds config.toml, metrics.jsonl, previews/, checkpoints/ and generator.safetensors, which
`ganimation animate --weights` takes.";

/// Train on a folder of faces, or go on with a run
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Train {
    /// Name of the run, which is that of its folder
    #[arg(long, value_name = "NAME", value_parser = run_name)]
    name: String,

    /// Folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs_dir: PathBuf,

    /// Go on with the run from its newest checkpoint, with its own settings
    #[arg(long, conflicts_with = "settings")]
    resume: bool,

    /// Leave faces without a picture or a sound label out, and say why
    #[arg(long)]
    skip_bad: bool,

    /// Where to compute: auto, flex, cuda, cuda:1, wgpu, vulkan, metal, ndarray
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: DeviceChoice,

    #[command(flatten)]
    settings: Settings,
}

/// Settings of a new run; those left out are the defaults of [`TrainConfig`].
#[derive(Debug, Args)]
#[group(id = "settings", multiple = true)]
struct Settings {
    /// Dataset folder: imgs/, aus_openface.pkl (or aus_openface.csv, labels.csv), train_ids.csv, test_ids.csv
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    data: Option<PathBuf>,

    /// Faces a batch
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = defaults().batch_size)]
    batch_size: usize,

    /// Critic steps of the whole run; 30 epochs of the dataset when left out
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    steps: Option<u64>,

    /// Side of the faces in pixels, a multiple of 64
    #[arg(long, value_name = "PIXELS", allow_negative_numbers = true, default_value_t = defaults().image_size)]
    image_size: usize,

    /// Channels after the generator's first layer
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = defaults().generator_channels)]
    channels: usize,

    /// Channels after the critic's first layer
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = defaults().discriminator_channels)]
    critic_channels: usize,

    /// Critic steps for one generator step
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = defaults().generator_every)]
    generator_every: u64,

    /// Learning rate of both networks
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, default_value_t = defaults().adam.rate)]
    rate: f64,

    /// Losses and protocol
    #[arg(long, value_enum, default_value_t)]
    preset: Losses,

    /// How strongly faces with rare action units are favoured, 0 to 1
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, default_value_t = defaults().balance)]
    balance: f32,

    /// Share of targets that are the face's own action units with up to three of them changed, 0 to 1
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, default_value_t = defaults().target_edits)]
    target_edits: f32,

    /// How much more the error of an action unit counts that hardly varies among the faces, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    au_balance: f32,

    /// Decay of the generator's moving average
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, default_value_t = defaults().ema_decay)]
    ema_decay: f64,

    /// Start of every random stream
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = defaults().seed)]
    seed: u64,

    /// Threads that decode pictures
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = defaults().workers)]
    workers: usize,

    /// Decode pictures anew in every epoch; keeping them takes image-size² * 3 bytes a face
    #[arg(long)]
    no_cache: bool,

    /// Critic steps between checkpoints
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = defaults().checkpoint_every)]
    checkpoint_every: u64,

    /// Critic steps between preview pictures
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = defaults().preview_every)]
    preview_every: u64,

    /// Critic steps between lines of metrics
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = defaults().log_every)]
    log_every: u64,
}

fn defaults() -> TrainConfig {
    TrainConfig::new("")
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Losses {
    /// Independent of batch size and resolution
    #[default]
    Default,
    /// What the code released in 2018 computes
    Released,
    /// What the paper writes
    Paper,
}

impl From<Losses> for Preset {
    fn from(losses: Losses) -> Self {
        match losses {
            Losses::Default => Self::Default,
            Losses::Released => Self::Released,
            Losses::Paper => Self::Paper,
        }
    }
}

impl From<&Settings> for TrainConfig {
    fn from(settings: &Settings) -> Self {
        let mut config =
            Self::new(settings.data.clone().unwrap_or_default()).with_preset(settings.preset.into());
        config.batch_size = settings.batch_size;
        config.steps = settings.steps;
        config.image_size = settings.image_size;
        config.generator_channels = settings.channels;
        config.discriminator_channels = settings.critic_channels;
        config.generator_every = settings.generator_every;
        config.adam.rate = settings.rate;
        config.balance = settings.balance;
        config.target_edits = settings.target_edits;
        config.ema_decay = settings.ema_decay;
        config.seed = settings.seed;
        config.workers = settings.workers;
        config.cache = !settings.no_cache;
        config.checkpoint_every = settings.checkpoint_every;
        config.preview_every = settings.preview_every;
        config.log_every = settings.log_every;
        config
    }
}

impl Train {
    pub(super) fn run(self) -> Result<()> {
        let folder = self.runs_dir.join(&self.name);
        let device = device::resolve(self.device)?;
        let (mut run, dataset) = if self.resume {
            let run = Run::resume(&folder, &device)?;
            let dataset = self.open(&run.config().data)?;
            (run, dataset)
        } else {
            let mut config = TrainConfig::from(&self.settings);
            config.check()?;
            let dataset = self.open(&config.data)?;
            let (faces, batch_size) = (dataset.split(Split::Train).len(), config.batch_size);
            if faces < batch_size {
                // Before the run's folder is made, which would stand in the way of the next try.
                return Err(ganimation_data::Error::TooFewFaces { faces, batch_size }.into());
            }
            // What the run stores holds from any folder, and for a dataset that grows.
            config.data = absolute(&config.data)?;
            config.steps = Some(config.schedule(faces).steps);
            if self.settings.au_balance > 0.0 {
                config = config.with_balanced_aus(dataset.split(Split::Train), self.settings.au_balance);
            }
            (Run::start(&folder, config, &device)?, dataset)
        };

        let stop = Arc::new(AtomicBool::new(false));
        let mut display = Display::new(run.step());
        stop_on_interrupt(&stop, display.bar.clone());
        let outcome = run.train(&dataset, None, &mut display, &stop)?;
        display.bar.finish_and_clear();
        match outcome {
            Outcome::Finished => say(folder.join("generator.safetensors").display()),
            Outcome::Stopped { step: 0 } => say("stopped before the first step; --resume starts it"),
            Outcome::Stopped { step } => say(format_args!(
                "stopped after {step} critic steps; --resume goes on"
            )),
        }
    }

    fn open(&self, folder: &Path) -> Result<Dataset> {
        let options = OpenOptions {
            skip_bad: self.skip_bad,
        };
        let dataset = Dataset::open_with(folder, options)?;
        let problems = dataset.problems();
        for problem in problems.iter().take(PROBLEMS_TOLD) {
            note(format_args!("left out: {problem}"));
        }
        if problems.len() > PROBLEMS_TOLD {
            note(format_args!("left out: {} faces in all", problems.len()));
        }
        Ok(dataset)
    }
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

/// A name that is one folder and stays in the folder of runs.
fn run_name(text: &str) -> Result<String> {
    let mut parts = Path::new(text).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(name)), None) if name == text => Ok(text.to_owned()),
        _ => Err(Error::RunName {
            found: text.to_owned(),
        }),
    }
}

fn absolute(folder: &Path) -> Result<PathBuf> {
    path::absolute(folder).map_err(|source| {
        let path = folder.to_owned();
        ganimation_data::Error::Read { path, source }.into()
    })
}

/// The first Ctrl-C lets the step in hand end; the second one leaves at once.
pub(super) fn stop_on_interrupt(stop: &Arc<AtomicBool>, bar: ProgressBar) {
    let stop = Arc::clone(stop);
    let installed = ctrlc::set_handler(move || {
        if stop.swap(true, Ordering::Relaxed) {
            std::process::exit(130); // as a shell reports an interrupted program
        }
        bar.suspend(|| note("stopping; press Ctrl-C again to leave at once"));
    });
    if let Err(error) = installed {
        note(format_args!("warning: Ctrl-C will not save ({error})"));
    }
}

/// Shows a run on stderr: a bar on a terminal, now and then a line elsewhere.
struct Display {
    bar: ProgressBar,
    last_line: Option<Instant>,
}

impl Display {
    fn new(step: u64) -> Self {
        let bar = ProgressBar::no_length().with_position(step);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        bar.set_message("preparing");
        Self { bar, last_line: None }
    }
}

impl Observer for Display {
    fn stepped(&mut self, step: u64, steps: u64) {
        self.bar.set_length(steps);
        self.bar.set_position(step);
    }

    fn measured(&mut self, progress: &Progress) {
        let line = summary(progress);
        if self.bar.is_hidden() && self.last_line.is_none_or(|last| last.elapsed() >= BETWEEN_LINES) {
            note(format_args!("{}/{} {line}", progress.step, progress.steps));
            self.last_line = Some(Instant::now());
        }
        self.bar.set_message(line);
    }

    fn previewed(&mut self, path: &Path) {
        self.bar
            .suspend(|| note(format_args!("preview {}", path.display())));
    }
}

/// Rate, time left, and the losses that tell whether a run is healthy.
fn summary(progress: &Progress) -> String {
    let left = Duration::try_from_secs_f64(progress.seconds_left.max(0.0).round()).unwrap_or_default();
    format!(
        "{:.0} faces/s, {} left | AUs: critic {:.4}, generator {:.4} | cycle {:.4} | painted {:.3}",
        progress.faces_per_second,
        indicatif::HumanDuration(left),
        progress.critic_aus,
        progress.generator_aus,
        progress.cycle,
        progress.painted,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_name_is_one_folder() {
        for name in ["experiment_1", "a b", "..a"] {
            assert_eq!(run_name(name).unwrap(), name);
        }
        for name in ["", ".", "..", "/", "/a", "a/b", "../a", "a/", "./a", "a/."] {
            assert!(matches!(run_name(name), Err(Error::RunName { .. })), "{name}");
        }
    }
}
