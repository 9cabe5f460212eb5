//! The flags for a run's settings.

use std::path::{self, PathBuf};

use clap::Args;
use ganimation_model::Preset;
use ganimation_train::{Network, Overlay, Precision, TrainConfig};

use crate::error::Result;

/// Settings of a run. Omitted settings come from `--config`, from the resumed run, or from the defaults.
#[derive(Debug, Args)]
pub(super) struct Settings {
    /// TOML file with some or all settings; flags override it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Any setting by its name in config.toml, for example loss.lambda_cycle=5 or adam.beta_1=0.9; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    assignments: Vec<String>,

    /// Dataset folder: imgs/, aus_openface.pkl (or aus_openface.csv, labels.csv), train_ids.csv, test_ids.csv
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Network of a new run, with its recommended settings [default: paper]
    #[arg(long, value_enum, conflicts_with = "resume")]
    network: Option<Network>,

    /// Losses and protocol of a new run of the paper's network [default: default]
    #[arg(long, value_enum, conflicts_with = "resume")]
    preset: Option<Preset>,

    /// Faces per batch [default: 25]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    batch_size: Option<usize>,

    /// Discriminator steps of the whole run and of the learning-rate schedule; 30 epochs of the dataset by default
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    steps: Option<u64>,

    /// Side of the faces in pixels, a multiple of 64 [default: 128]
    #[arg(long, value_name = "PIXELS", allow_negative_numbers = true)]
    image_size: Option<usize>,

    /// Channels after the generator's first layer [default: 64]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    channels: Option<usize>,

    /// Channels after the discriminator's first layer [default: 64]
    #[arg(
        long,
        alias = "critic-channels",
        value_name = "N",
        allow_negative_numbers = true
    )]
    discriminator_channels: Option<usize>,

    /// Discriminator steps per generator step [default: 5]
    #[arg(
        long,
        alias = "generator-every",
        value_name = "N",
        allow_negative_numbers = true
    )]
    n_critic: Option<u64>,

    /// Learning rate of both networks [default: 0.0001]
    #[arg(long, aliases = ["rate", "lr"], value_name = "RATE", allow_negative_numbers = true)]
    learning_rate: Option<f64>,

    /// Weight of the action-unit error [default: 160]
    #[arg(
        long,
        alias = "au-weight",
        value_name = "WEIGHT",
        allow_negative_numbers = true
    )]
    lambda_au: Option<f64>,

    /// Weight of the cycle error [default: 10]
    #[arg(
        long,
        alias = "cycle-weight",
        value_name = "WEIGHT",
        allow_negative_numbers = true
    )]
    lambda_cycle: Option<f64>,

    /// Weight of the gradient penalty [default: 10]
    #[arg(
        long,
        alias = "penalty-weight",
        value_name = "WEIGHT",
        allow_negative_numbers = true
    )]
    lambda_gp: Option<f64>,

    /// Weight of the mask's size [default: 0.1]
    #[arg(
        long,
        alias = "attention-weight",
        value_name = "WEIGHT",
        allow_negative_numbers = true
    )]
    lambda_attention: Option<f64>,

    /// Weight of the mask's total variation [default: 0.032]
    #[arg(
        long,
        alias = "smoothness-weight",
        value_name = "WEIGHT",
        allow_negative_numbers = true
    )]
    lambda_tv: Option<f64>,

    /// How much more often faces with rare action units are drawn, 0 to 1 [default: 0]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    balance: Option<f64>,

    /// Fraction of targets that are the face's own action units with up to three changes, 0 to 1 [default: 0]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    target_edits: Option<f64>,

    /// How much more weight action units with a small variance get in the loss, 0 to 1 [default: 0]
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with = "resume")]
    pub(super) au_balance: Option<f32>,

    /// Decay of the generator's EMA (moving average) [default: 0.999]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    ema_decay: Option<f64>,

    /// Element type of activations [default: f32]
    #[arg(long, value_enum)]
    precision: Option<Precision>,

    /// Initial weights: a generator's file, or a folder with generator.safetensors and discriminator.safetensors
    #[arg(long, value_name = "PATH")]
    from: Option<PathBuf>,

    /// Initial weights of the discriminator
    #[arg(long, alias = "critic-from", value_name = "FILE")]
    discriminator_from: Option<PathBuf>,

    /// Seed of every random stream [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,

    /// Threads that decode pictures [default: 2]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    workers: Option<usize>,

    /// Decode pictures again in every epoch; keeping them in memory needs image-size² * 3 bytes per face
    #[arg(long)]
    no_cache: bool,

    /// Discriminator steps between checkpoints [default: 500]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    checkpoint_every: Option<u64>,

    /// Newest checkpoints to keep; the best checkpoint by validation is kept too [default: 3]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    keep: Option<usize>,

    /// Keep checkpoints permanently if their step is a multiple of this
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    keep_every: Option<u64>,

    /// Discriminator steps between validations on held-out faces [default: 500]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    validate_every: Option<u64>,

    /// Discriminator steps between preview pictures [default: 250]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    preview_every: Option<u64>,

    /// Discriminator steps between lines of metrics [default: 10]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    log_every: Option<u64>,
}

impl Settings {
    /// The settings of a new run. `overlay` contains the settings from the file and the flags.
    pub(super) fn config(&self, overlay: &Overlay) -> Result<TrainConfig> {
        let preset = self.preset.unwrap_or(Preset::Default);
        let config = match self.network.unwrap_or_default() {
            Network::Paper => TrainConfig::new("").with_preset(preset),
            Network::Motion => TrainConfig::motion(""),
        };
        let mut config = config.overlaid(overlay)?;
        if !config.data.as_os_str().is_empty() {
            config.data = absolute(config.data);
        }
        config.from = config.from.map(absolute);
        config.discriminator_from = config.discriminator_from.map(absolute);
        Ok(config)
    }

    /// Only the settings from the file and the flags.
    pub(super) fn overlay(&self) -> Result<Overlay> {
        let mut overlay = Overlay::default();
        if let Some(path) = &self.config {
            overlay.read(path)?;
        }
        for assignment in &self.assignments {
            overlay.set_text(assignment)?;
        }
        let numbers: [(&str, Option<u64>); 14] = [
            ("batch_size", whole(self.batch_size)),
            ("steps", self.steps),
            ("image_size", whole(self.image_size)),
            ("generator_channels", whole(self.channels)),
            ("discriminator_channels", whole(self.discriminator_channels)),
            ("n_critic", self.n_critic),
            ("seed", self.seed),
            ("workers", whole(self.workers)),
            ("checkpoint_every", self.checkpoint_every),
            ("checkpoint_keep", whole(self.keep)),
            ("checkpoint_keep_every", self.keep_every),
            ("validate_every", self.validate_every),
            ("preview_every", self.preview_every),
            ("log_every", self.log_every),
        ];
        for (name, value) in numbers {
            set(&mut overlay, name, value)?;
        }
        let shares = [
            ("adam.learning_rate", self.learning_rate),
            ("loss.lambda_au", self.lambda_au),
            ("loss.lambda_cycle", self.lambda_cycle),
            ("loss.lambda_gp", self.lambda_gp),
            ("loss.lambda_attention", self.lambda_attention),
            ("loss.lambda_tv", self.lambda_tv),
            ("balance", self.balance),
            ("target_edits", self.target_edits),
            ("ema_decay", self.ema_decay),
        ];
        for (name, value) in shares {
            set(&mut overlay, name, value)?;
        }
        for (name, path) in [
            ("data", &self.data),
            ("from", &self.from),
            ("discriminator_from", &self.discriminator_from),
        ] {
            set(&mut overlay, name, path.clone().map(absolute))?;
        }
        set(&mut overlay, "precision", self.precision)?;
        set(&mut overlay, "cache", self.no_cache.then_some(false))?;
        Ok(overlay)
    }
}

fn set(
    overlay: &mut Overlay,
    name: &str,
    value: Option<impl serde::Serialize + std::fmt::Debug>,
) -> Result<()> {
    if let Some(value) = value {
        overlay.set(name, value)?;
    }
    Ok(())
}

/// An absolute path, so that a run's stored settings are valid in any working folder.
fn absolute(path: PathBuf) -> PathBuf {
    path::absolute(&path).unwrap_or(path)
}

fn whole(number: Option<usize>) -> Option<u64> {
    number.map(|number| number as u64)
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        settings: Settings,
        #[arg(long)]
        resume: bool,
    }

    fn config(arguments: &[&str]) -> TrainConfig {
        let settings = Alone::parse_from(arguments).settings;
        settings.config(&settings.overlay().unwrap()).unwrap()
    }

    #[test]
    fn the_defaults_in_the_help_are_the_defaults() {
        let mut found = 0;
        for argument in Alone::command().get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let Some(default) = help
                .split_once("[default: ")
                .and_then(|(_, rest)| rest.strip_suffix(']'))
            else {
                continue;
            };
            let flag = format!("--{}={default}", argument.get_long().unwrap());
            assert_eq!(config(&["train", &flag]), TrainConfig::new(""), "{flag}");
            found += 1;
        }
        assert!(found > 15, "the help states only {found} defaults");
    }

    #[test]
    fn flags_win_over_assignments_and_assignments_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small.toml");
        std::fs::write(&path, "batch_size = 3\nworkers = 3\nlog_every = 3\n").unwrap();
        let file = path.to_str().unwrap();
        let arguments = [
            "train",
            "--config",
            file,
            "--set",
            "workers=4",
            "--set",
            "log_every=4",
            "--log-every",
            "5",
        ];
        let config = config(&arguments);
        assert_eq!((config.batch_size, config.workers, config.log_every), (3, 4, 5));
    }

    #[test]
    fn the_flags_of_older_versions_are_accepted() {
        let arguments = [
            "train",
            "--critic-channels=8",
            "--generator-every=2",
            "--rate=0.5",
            "--au-weight=1",
            "--cycle-weight=2",
            "--penalty-weight=3",
            "--attention-weight=4",
            "--smoothness-weight=5",
            "--critic-from=discriminator.safetensors",
        ];
        let config = config(&arguments);
        assert_eq!((config.discriminator_channels, config.n_critic), (8, 2));
        assert_eq!(config.adam.learning_rate, 0.5);
        let loss = &config.loss;
        let weights = [
            loss.lambda_au,
            loss.lambda_cycle,
            loss.lambda_gp,
            loss.lambda_attention,
            loss.lambda_tv,
        ];
        assert_eq!(weights, [1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!(
            config
                .discriminator_from
                .unwrap()
                .ends_with("discriminator.safetensors")
        );
    }
}
