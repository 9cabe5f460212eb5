//! `ganimation export`: writes a generator's weights to a file for other programs.

use std::path::PathBuf;

use clap::Args;
use ganimation::device::{self, DeviceChoice};
use ganimation_model::weights::{FloatFormat, load_generator, save_generator};

use super::inputs::check_outputs;
use super::output::say;
use crate::error::Result;

/// Supported weights formats.
pub(super) const WEIGHTS: &[&str] = &["safetensors"];

const EXAMPLES: &str = "Examples:
  Half the file size, for distribution:
    ganimation export runs/experiment_1/generator.safetensors --float f16 -o generator.safetensors";

/// Write a generator's weights with another precision or other metadata
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Export {
    /// Weights of a generator (safetensors), for example of a run
    weights: PathBuf,

    /// The file to write (safetensors); tensors have the names of the released PyTorch network
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Element type on disk
    #[arg(long, value_enum, default_value_t)]
    float: FloatFormat,

    /// Description of the training in the file's metadata, instead of the current one
    #[arg(long, value_name = "TEXT")]
    training: Option<String>,

    /// Licence in the file's metadata, instead of the current one
    #[arg(long, value_name = "TEXT")]
    license: Option<String>,
}

impl Export {
    pub(super) fn run(self) -> Result<()> {
        check_outputs(&self.weights, [(self.output.as_path(), WEIGHTS)])?;
        let device = device::resolve(DeviceChoice::Auto)?;
        let (generator, mut metadata) = load_generator(&self.weights, &device)?;
        if let Some(training) = self.training {
            metadata.training = training;
        }
        if let Some(license) = self.license {
            metadata.license = license;
        }
        save_generator(&self.output, &generator, &metadata, self.float)?;
        say(self.output.display())?;
        Ok(())
    }
}
