//! `ganimation train-au-regressor`: trains an AU regressor on a folder of faces.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use ganimation::device::{self, DeviceChoice};
use ganimation_data::{ActionUnit, Dataset};
use ganimation_model::weights::{FloatFormat, Metadata, save_au_regressor};
use ganimation_model::{AU_REGRESSOR_SIZE, Orders};
use ganimation_train::{AuEstimatorScore, AuRegressorTraining, train_au_regressor};

use super::inputs::check_outputs;
use super::output::{note, say};
use super::progress::bar;
use super::train::stop_on_interrupt;
use crate::error::Result;

/// Supported weights formats.
const WEIGHTS: &[&str] = &["safetensors"];

const EXAMPLES: &str = "Examples:
  Train an AU regressor and print its accuracy on the test faces:
    ganimation train-au-regressor --data faces -o au_regressor.safetensors

Use the network with `ganimation evaluate --au-estimator` and `ganimation read --au-estimator`. Ctrl-C ends the training early
and saves the current weights.";

/// Train an AU regressor: a network that estimates the action units of faces
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TrainAuRegressor {
    /// Dataset folder: imgs/, aus_openface.pkl (or aus_openface.csv, labels.csv), train_ids.csv, test_ids.csv
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// The weights file to write (safetensors, half precision)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Passes through the training faces
    #[arg(long, value_name = "N", default_value_t = AuRegressorTraining::default().epochs)]
    epochs: u64,

    /// Faces per batch
    #[arg(long, value_name = "N", default_value_t = AuRegressorTraining::default().batch_size)]
    batch_size: usize,

    /// Channels after the first layer
    #[arg(long, value_name = "N", default_value_t = AuRegressorTraining::default().channels)]
    channels: usize,

    /// Initial learning rate
    #[arg(long, aliases = ["rate", "lr"], value_name = "RATE", default_value_t = AuRegressorTraining::default().learning_rate)]
    learning_rate: f64,

    /// Seed of every random stream
    #[arg(long, value_name = "N", default_value_t = AuRegressorTraining::default().seed)]
    seed: u64,

    /// Threads that decode pictures
    #[arg(long, value_name = "N", default_value_t = AuRegressorTraining::default().workers)]
    workers: usize,

    /// Licence in the file's metadata
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "determined by the terms of the dataset's pictures and labels"
    )]
    license: String,

    /// Device: auto, flex, cuda, cuda:1, wgpu, vulkan, metal, ndarray
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: DeviceChoice,
}

impl TrainAuRegressor {
    pub(super) fn run(self) -> Result<()> {
        check_outputs(&self.data, [(self.output.as_path(), WEIGHTS)])?;
        let device = device::resolve(self.device)?;
        let training = AuRegressorTraining {
            channels: self.channels,
            batch_size: self.batch_size,
            epochs: self.epochs,
            learning_rate: self.learning_rate,
            seed: self.seed,
            workers: self.workers,
        };
        training.check()?;
        let dataset = Dataset::open(&self.data)?;

        let bar = bar(0, "training");
        let stop = Arc::new(AtomicBool::new(false));
        stop_on_interrupt(&stop, bar.clone());
        let mut taken = 0;
        let mut show = |step: u64, steps: u64, loss: Option<f32>| {
            taken = step;
            bar.set_length(steps);
            bar.set_position(step);
            if let Some(loss) = loss {
                bar.set_message(format!("loss {loss:.3}"));
                if bar.is_hidden() && step % 200 == 1 {
                    note(format_args!("{step}/{steps} loss {loss:.3}"));
                }
            }
        };
        let (regressor, score) = train_au_regressor(&dataset, &training, &device, &mut show, &stop)?;
        bar.finish_and_clear();

        let metadata = Metadata {
            orders: Orders::Absolute,
            fine_shading: false,
            image_size: AU_REGRESSOR_SIZE,
            channels: training.channels,
            blocks: 0,
            action_units: ActionUnit::ALL.map(|unit| u32::from(unit.number())).to_vec(),
            crop: "square faces as in the dataset, resized with lanczos".to_owned(),
            training: format!(
                "{taken} steps with {} faces each; mean correlation {:.3} on {} test faces",
                training.batch_size,
                score.mean_correlation(),
                score.faces
            ),
            license: self.license,
        };
        save_au_regressor(&self.output, &regressor, &metadata, FloatFormat::F16)?;
        print(&score)?;
        say(self.output.display())
    }
}

/// Prints the score as a table.
fn print(score: &AuEstimatorScore) -> Result<()> {
    say(format_args!("{} test faces", score.faces))?;
    say("unit   correlation   mean error (0 to 5)")?;
    for (unit, (correlation, error)) in ActionUnit::ALL
        .into_iter()
        .zip(score.correlation.iter().zip(score.error))
    {
        say(format_args!(
            "{}        {correlation:5.2}                 {error:5.2}   {}",
            unit.code(),
            unit.name()
        ))?;
    }
    say(format_args!("mean        {:5.2}", score.mean_correlation()))
}
