//! Training of an AU regressor: a network that estimates the action units of a face.

mod jitter;
mod score;

use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::Module;
use burn::tensor::Device;
use ganimation_data::pixels::{tensor_from_aus, tensor_from_bytes};
use ganimation_data::{Dataset, Loader, LoaderConfig, Split};
use ganimation_model::{AU_REGRESSOR_SIZE, AuEstimator, AuRegressor, AuRegressorConfig};

use crate::config::{AdamConfig, variances};
use crate::optimizer::Adam;
use crate::random::{drawn, jitter_stream};
use crate::{Error, Result};
use jitter::jitter;

pub use score::{AuEstimatorScore, score_au_estimator};

/// Steps between reports of the loss.
const LOOK_EVERY: u64 = 20;

/// Settings of an AU regressor's training.
#[derive(Clone, Debug, PartialEq)]
pub struct AuRegressorTraining {
    /// Channels after the first layer.
    pub channels: usize,
    /// Faces per batch.
    pub batch_size: usize,
    /// Passes through the training faces.
    pub epochs: u64,
    /// Adam's initial learning rate; it decreases to 0 along half a cosine.
    pub learning_rate: f64,
    /// Seed of every random stream.
    pub seed: u64,
    /// Threads that decode pictures.
    pub workers: usize,
}

impl Default for AuRegressorTraining {
    fn default() -> Self {
        Self {
            channels: 24,
            batch_size: 32,
            epochs: 12,
            learning_rate: 1e-3,
            seed: 0,
            workers: 2,
        }
    }
}

impl AuRegressorTraining {
    /// Checks every setting before work starts.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first invalid setting.
    pub fn check(&self) -> Result<()> {
        let require = |holds: bool, name, found: &dyn std::fmt::Display, expected| {
            if holds {
                return Ok(());
            }
            let found = found.to_string();
            Err(Error::Setting {
                name,
                found,
                expected,
            })
        };
        let Self {
            channels,
            batch_size,
            workers,
            epochs,
            learning_rate,
            ..
        } = self;
        require((1..=256).contains(channels), "channels", channels, "1 to 256")?;
        require(
            (1..=4096).contains(batch_size),
            "batch_size",
            batch_size,
            "1 to 4096",
        )?;
        require((1..=256).contains(workers), "workers", workers, "1 to 256")?;
        require(*epochs > 0, "epochs", epochs, "at least 1")?;
        require(
            learning_rate.is_finite() && *learning_rate > 0.0,
            "learning_rate",
            learning_rate,
            "above 0",
        )
    }
}

/// Trains an AU regressor on the training faces of `dataset` and evaluates it on the test faces.
///
/// The error of each action unit is divided by its variance among the training faces, so that rare and common units
/// have the same weight. Faces are mirrored, shifted, and changed in contrast and brightness. Half of the batches are
/// blurred to half the resolution, because the regressor must also evaluate the images of small networks. After each
/// step, `step` is called with the number of steps taken, the total number of steps, and sometimes the loss. If `stop`
/// is set, training ends early and the current regressor is returned.
///
/// # Errors
/// [`Error::Setting`], [`Error::Data`] from the dataset, [`Error::NotFinite`] if the loss becomes NaN or infinite.
pub fn train_au_regressor(
    dataset: &Dataset,
    training: &AuRegressorTraining,
    device: &Device,
    step: &mut dyn FnMut(u64, u64, Option<f32>),
    stop: &AtomicBool,
) -> Result<(AuRegressor, AuEstimatorScore)> {
    training.check()?;
    let faces = dataset.split(Split::Train);
    let loader = Loader::new(
        faces.to_vec(),
        LoaderConfig {
            batch_size: training.batch_size,
            image_size: AU_REGRESSOR_SIZE,
            seed: training.seed,
            workers: training.workers,
            ..LoaderConfig::default()
        },
        0,
    )?;
    let steps = training.epochs * loader.batches_per_epoch();
    let inverse_variance = tensor_from_aus(variances(faces).map(f32::recip).to_vec(), device).autodiff();
    let autodiff = device.clone().autodiff();
    let mut regressor = drawn(training.seed, &autodiff, || {
        AuRegressorConfig::new()
            .with_channels(training.channels)
            .init(&autodiff)
    });
    let mut adam = Adam::new(AdamConfig {
        learning_rate: training.learning_rate,
        beta_1: 0.9,
        ..AdamConfig::default()
    });
    for (taken, batch) in (0..steps).zip(loader) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let batch = batch?;
        let images = tensor_from_bytes(
            batch.pixels,
            [batch.batch, AU_REGRESSOR_SIZE, AU_REGRESSOR_SIZE],
            device,
        );
        let images = jitter(images, &mut jitter_stream(training.seed, taken)).autodiff();
        let labels = tensor_from_aus(batch.aus, device).autodiff();
        let error = (regressor.forward(images) - labels).square() * inverse_variance.clone();
        let loss = error.mean();
        adam.step(
            &mut regressor,
            &loss,
            learning_rate_at(training.learning_rate, taken, steps),
        );
        let shown = taken
            .is_multiple_of(LOOK_EVERY)
            .then(|| loss.into_scalar::<f32>());
        if let Some(value) = shown.filter(|value| !value.is_finite()) {
            return Err(Error::NotFinite {
                term: "AU regressor's",
                value,
                step: taken,
            });
        }
        step(taken + 1, steps, shown);
    }
    let regressor = regressor.valid();
    let judge = AuEstimator::Regressor(regressor.clone());
    let score = score_au_estimator(&judge, dataset.split(Split::Test), device)?;
    Ok((regressor, score))
}

fn learning_rate_at(rate: f64, step: u64, steps: u64) -> f64 {
    let share = step as f64 / steps as f64;
    rate * 0.5 * (1.0 + (std::f64::consts::PI * share).cos())
}
