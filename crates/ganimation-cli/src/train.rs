//! `ganimation train`: trains on a dataset folder.

mod display;
mod settings;

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use ganimation::device::{self, DeviceChoice, PresentDevice};
use ganimation_data::OpenOptions;
use ganimation_data::{Dataset, Split};
use ganimation_train::{Limits, Outcome, Run, TrainConfig};
use indicatif::ProgressBar;

use super::output::{note, say};
use crate::error::{Error, LibraryError, Result};
use display::Display;
use settings::Settings;

/// Number of faces with problems to list.
const PROBLEMS_SHOWN: usize = 5;

const EXAMPLES: &str = "Examples:
  Train the full network:
    ganimation train --data faces --name experiment_1 --batch-size 25

  Stop with Ctrl-C or after a time, then resume exactly:
    ganimation train --data faces --name experiment_2 --max-time 8h
    ganimation train --name experiment_2 --resume

  A small network for a machine without a GPU:
    ganimation train --data faces --name small --image-size 64 --channels 32 --discriminator-channels 32 --n-critic 3

  The motion network, like the bundled weights (needs landmarks.csv in the folder):
    ganimation train --data faces --name motion --network motion

  Settings from a file, with changes by flag and by name:
    ganimation train --config small.toml --name other --learning-rate 2e-4 --set adam.beta_1=0

  Resume with a lower learning rate (sizes, seed and batch size cannot change):
    ganimation train --name small --resume --learning-rate 5e-5

  Start with trained weights and new optimisers:
    ganimation train --data faces --name tuned --from runs/small/checkpoints/step-5000 --image-size 64 --channels 32 \\
        --discriminator-channels 32

The run folder contains config.toml, metrics.jsonl, validation.jsonl, TensorBoard events, previews/, checkpoints/ and
generator.safetensors for `ganimation animate --weights`. `ganimation runs` compares runs, `ganimation plot` draws one, and
`ganimation evaluate` scores it.";

/// Train on a dataset folder, or resume a run
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Train {
    /// Name of the run and of its folder
    #[arg(long, value_name = "NAME", value_parser = run_name)]
    name: String,

    /// Folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs_dir: PathBuf,

    /// Resume the run from its newest checkpoint; given settings are changed and listed
    #[arg(long)]
    resume: bool,

    /// Stop when the whole run has this number of discriminator steps; the schedule does not change
    #[arg(long, value_name = "N")]
    max_steps: Option<u64>,

    /// Stop after this time: 90s, 10m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_time: Option<Duration>,

    /// Maximum time between checkpoints, for slow machines
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    checkpoint_time: Duration,

    /// Stop at the first warning
    #[arg(long)]
    strict: bool,

    /// Skip faces without a readable picture or a valid label, and report them
    #[arg(long)]
    skip_bad: bool,

    /// Device: auto, flex, cuda, cuda:1, wgpu, vulkan, metal, ndarray
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: DeviceChoice,

    /// Divide each batch among several devices: cuda:0,cuda:1. The cores of a CPU share a batch without this option
    #[arg(
        long,
        value_name = "DEVICE,…",
        value_delimiter = ',',
        conflicts_with = "device"
    )]
    devices: Vec<DeviceChoice>,

    /// Train on a device that is emulated on the CPU even if batches are too large for it to compute correctly
    #[arg(long)]
    software: bool,

    #[command(flatten)]
    settings: Settings,
}

impl Train {
    pub(super) fn run(self) -> Result<()> {
        let folder = self.runs_dir.join(&self.name);
        let found = match &self.devices[..] {
            [] => vec![device::present(self.device)?],
            devices => devices
                .iter()
                .map(|choice| device::present(*choice))
                .collect::<Result<_, LibraryError>>()?,
        };
        let team: Vec<_> = found.iter().map(|found| found.device.clone()).collect();
        let device = team[0].clone();
        let overlay = self.settings.overlay()?;
        for renamed in overlay.renamed() {
            note(format_args!("note: {renamed}"));
        }
        let (mut run, dataset) = if self.resume {
            let (run, changes) = Run::resume_changed(&folder, &overlay, &device)?;
            if !run.renamed().is_empty() {
                let names: Vec<_> = run.renamed().iter().map(ToString::to_string).collect();
                note(format_args!(
                    "note: config.toml has old names: {}",
                    names.join(", ")
                ));
            }
            for change in changes {
                note(format_args!("changed {change}"));
            }
            self.check_emulated(&found, run.config())?;
            let dataset = self.open(&run.config().data)?;
            (run, dataset)
        } else {
            let mut config = self.settings.config(&overlay)?;
            config.check()?;
            config.check_devices(team.len())?;
            self.check_emulated(&found, &config)?;
            if config.data.as_os_str().is_empty() {
                return Err(Error::NoData);
            }
            let dataset = self.open(&config.data)?;
            let (faces, batch_size) = (dataset.split(Split::Train).len(), config.batch_size);
            if faces < batch_size {
                // This is checked before the run's folder is created, because an existing folder would prevent the next
                // attempt.
                return Err(ganimation_data::Error::TooFewFaces { faces, batch_size }.into());
            }
            config.steps = Some(config.schedule(faces).steps); // fixed, even if the dataset grows
            if let Some(balance) = self.settings.au_balance.filter(|balance| *balance > 0.0) {
                config = config.with_balanced_aus(dataset.split(Split::Train), balance);
            }
            config = config.with_mean_aus(dataset.split(Split::Train));
            (Run::start(&folder, config, &device)?, dataset)
        };

        run.share(&team)?;

        let stop = Arc::new(AtomicBool::new(false));
        let mut display = Display::new(run.step());
        stop_on_interrupt(&stop, display.bar.clone());
        let limits = Limits {
            steps: self.max_steps,
            time: self.max_time,
            strict: self.strict,
            unsaved: Some(self.checkpoint_time),
        };
        let outcome = run.train(&dataset, limits, &mut display, &stop);
        display.bar.finish_and_clear();
        match outcome? {
            Outcome::Finished => say(folder.join("generator.safetensors").display()),
            Outcome::Stopped { step: 0 } => say("stopped before the first step; --resume starts the run"),
            Outcome::Stopped { step } => say(format_args!(
                "stopped after {step} discriminator steps; --resume continues the run"
            )),
        }
    }

    /// Reports emulated devices. Refuses batches for which they may compute wrong results.
    fn check_emulated(&self, devices: &[PresentDevice], config: &TrainConfig) -> Result<()> {
        for device in devices.iter().filter(|device| device.software) {
            note(format_args!(
                "warning: {device} is emulated on the CPU by {}; flex is faster",
                device.adapter().as_deref().unwrap_or("its driver")
            ));
            if !self.software {
                device.check_training(config.batch_size / devices.len(), config.image_size)?;
            }
        }
        Ok(())
    }

    fn open(&self, folder: &Path) -> Result<Dataset> {
        let options = OpenOptions {
            skip_bad: self.skip_bad,
            ..OpenOptions::default()
        };
        let dataset = Dataset::open_with(folder, options)?;
        let problems = dataset.problems();
        for problem in problems.iter().take(PROBLEMS_SHOWN) {
            note(format_args!("skipped: {problem}"));
        }
        if problems.len() > PROBLEMS_SHOWN {
            note(format_args!("skipped: {} faces in all", problems.len()));
        }
        Ok(dataset)
    }
}

/// Parses the name of a run: the name of one folder in the folder of runs.
pub(super) fn run_name(text: &str) -> Result<String> {
    let mut parts = Path::new(text).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(name)), None) if name == text => Ok(text.to_owned()),
        _ => Err(Error::RunName {
            found: text.to_owned(),
        }),
    }
}

/// `90s`, `10m` or `2h`.
fn duration(text: &str) -> Result<Duration, &'static str> {
    let seconds = || {
        let unit = text.chars().last()?;
        let of_unit = match unit {
            's' => 1.0,
            'm' => 60.0,
            'h' => 3600.0,
            _ => return None,
        };
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Duration::try_from_secs_f64(number * of_unit).ok()
    };
    seconds().ok_or("expected a time such as 90s, 10m or 2h")
}

/// The first Ctrl-C stops after the current step. The second one exits immediately.
pub(super) fn stop_on_interrupt(stop: &Arc<AtomicBool>, bar: ProgressBar) {
    let stop = Arc::clone(stop);
    let installed = ctrlc::set_handler(move || {
        if stop.swap(true, Ordering::Relaxed) {
            std::process::exit(130); // as in shells
        }
        bar.suspend(|| note("stopping; press Ctrl-C again to exit immediately"));
    });
    if let Err(error) = installed {
        note(format_args!("warning: Ctrl-C will not save the run ({error})"));
    }
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

    #[test]
    fn times_have_units() {
        for (text, seconds) in [
            ("3s", 3.0),
            ("10m", 600.0),
            ("2h", 7200.0),
            ("1.5h", 5400.0),
            ("0s", 0.0),
        ] {
            assert_eq!(duration(text).unwrap().as_secs_f64(), seconds, "{text}");
        }
        for text in ["", "10", "m", "-3s", "1d", "nans", "infh", "ss", "1e400h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
