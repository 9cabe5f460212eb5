//! The measurements of a run, and their file.

use std::path::Path;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::Tensor;
use ganimation_model::map_parameters;
use serde::{Deserialize, Serialize};

use crate::lines::Lines;
use crate::motion::MotionReport;
use crate::trainer::{CriticReport, GeneratorReport};
use crate::{Error, Result};

/// The file of losses.
pub(crate) const METRICS: &str = "metrics.jsonl";

/// One line of `metrics.jsonl`: the latest losses, unweighted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Critic steps taken.
    pub step: u64,
    /// Critic steps of the whole run.
    pub steps: u64,
    /// Passes through the training faces.
    pub epoch: f64,
    /// Learning rate.
    pub rate: f64,
    /// Mean critic score of edited faces minus that of real faces.
    pub critic_realness: f32,
    /// Squared error of action units on real faces.
    pub critic_aus: f32,
    /// Gradient penalty.
    pub penalty: f32,
    /// Negative mean critic score of edited faces.
    pub generator_realness: f32,
    /// Squared error of action units on edited faces.
    pub generator_aus: f32,
    /// Mean absolute cycle error, for a value range of 2.
    pub cycle: f32,
    /// Attention loss: size of the masks, both passes.
    pub attention: f32,
    /// Total variation of the masks, both passes.
    pub smoothness: f32,
    /// Mask coverage: mean of `1 - A`.
    pub painted: f32,
    /// Batch mean of each picture's largest `1 - A`.
    pub painted_peak: f32,
    /// Measurements of the motion network's training only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub motion: Option<MotionProgress>,
    /// Training faces per second since the last line.
    pub faces_per_second: f64,
    /// Fraction of the time since the last line spent waiting for pictures.
    pub waiting: f64,
    /// Fraction of that time spent on other work than pictures and networks: metrics, previews, validation,
    /// checkpoints, the loop.
    #[serde(default)]
    pub upkeep: f64,
    /// Estimated seconds left.
    pub seconds_left: f64,
}

/// Losses of the motion network's training, unweighted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MotionProgress {
    /// Mean absolute difference of the motion from the teacher's, in pixels of the face.
    pub field: f32,
    /// Mean absolute motion of the teacher, in pixels.
    pub field_of_nothing: f32,
    /// Mean absolute difference of pairs from the real face, for a value range of 2.
    pub pixels: f32,
    /// The same difference without any edit.
    pub pixels_of_nothing: f32,
    /// Mean of `1 - A` where motion uncovers nothing.
    pub outside: f32,
    /// Mean magnitude of the shading.
    pub shading: f32,
}

/// The progress of a run at a measurement.
pub(crate) struct Position {
    /// Critic steps taken.
    pub(crate) step: u64,
    /// Critic steps of the whole run.
    pub(crate) steps: u64,
    /// Faces per batch.
    pub(crate) batch: usize,
    /// Batches per pass through the training faces.
    pub(crate) batches_per_epoch: u64,
    /// Learning rate.
    pub(crate) rate: f64,
    /// Total time spent waiting for pictures so far.
    pub(crate) waited: Duration,
    /// Total time spent on steps of the networks so far.
    pub(crate) stepped: Duration,
}

/// The open `metrics.jsonl` and when its last line was written.
pub(crate) struct Metrics {
    lines: Lines,
    last_step: u64,
    last_time: Instant,
    last_waited: Duration,
    last_stepped: Duration,
}

impl Metrics {
    /// Continues the file of a run that has taken `step` steps.
    pub(crate) fn open(folder: &Path, step: u64) -> Result<Self> {
        Ok(Self {
            lines: Lines::open(folder, METRICS, step)?,
            last_step: step,
            last_time: Instant::now(),
            last_waited: Duration::ZERO,
            last_stepped: Duration::ZERO,
        })
    }

    /// Reads the losses from the device and writes a line.
    #[expect(clippy::cast_precision_loss, reason = "step counts are far below 2^52")]
    pub(crate) fn measure(
        &mut self,
        critic: &CriticReport,
        generator: &GeneratorReport,
        motion: Option<&MotionReport>,
        at: &Position,
    ) -> Result<Progress> {
        let reading = Instant::now();
        let read = |term, tensor: &Tensor<1>| read_finite(term, tensor, at.step);
        let or_none =
            |term, tensor: &Option<Tensor<1>>| tensor.as_ref().map_or(Ok(0.0), |tensor| read(term, tensor));
        let motion = motion.map(|motion| {
            Ok::<_, Error>(MotionProgress {
                field: read("motion", &motion.field)?,
                field_of_nothing: read("motion", &motion.field_of_nothing)?,
                pixels: or_none("pixel", &motion.pixels)?,
                pixels_of_nothing: or_none("pixel", &motion.pixels_of_nothing)?,
                outside: read("mask", &motion.outside)?,
                shading: read("shading", &motion.shading)?,
            })
        });
        let mut progress = Progress {
            step: at.step,
            steps: at.steps,
            epoch: at.step as f64 / at.batches_per_epoch as f64,
            rate: at.rate,
            critic_realness: read("critic's adversarial", &critic.realness)?,
            critic_aus: read("critic's action-unit", &critic.aus)?,
            penalty: read("penalty", &critic.penalty)?,
            generator_realness: read("generator's adversarial", &generator.realness)?,
            generator_aus: read("generator's action-unit", &generator.aus)?,
            cycle: read("cycle", &generator.cycle)?,
            attention: read("attention", &generator.attention)?,
            smoothness: read("smoothness", &generator.smoothness)?,
            painted: read("mask", &generator.painted)?,
            painted_peak: read("mask", &generator.painted_peak)?,
            motion: motion.transpose()?,
            ..Progress::default()
        };
        // Reading waits for devices that compute asynchronously. This time counts as the networks' time.
        let now = Instant::now();
        let stepped = at.stepped + (now - reading);
        let seconds = (now - self.last_time).as_secs_f64().max(1e-9);
        let share = |now: Duration, before: Duration| now.saturating_sub(before).as_secs_f64() / seconds;
        let steps = (at.step - self.last_step) as f64;
        progress.faces_per_second = steps * at.batch as f64 / seconds;
        progress.waiting = share(at.waited, self.last_waited);
        progress.upkeep = (1.0 - progress.waiting - share(stepped, self.last_stepped)).max(0.0);
        progress.seconds_left = at.steps.saturating_sub(at.step) as f64 * seconds / steps.max(1.0);
        (self.last_step, self.last_time) = (at.step, now);
        (self.last_waited, self.last_stepped) = (at.waited, at.stepped);
        self.lines.write(&progress)?;
        Ok(progress)
    }
}

/// Refuses losses that are NaN or infinite: such networks must not replace good checkpoints.
pub(crate) fn require_finite(
    critic: &CriticReport,
    generator: Option<&GeneratorReport>,
    step: u64,
) -> Result<()> {
    read_finite("critic's adversarial", &critic.realness, step)?;
    read_finite("critic's action-unit", &critic.aus, step)?;
    read_finite("penalty", &critic.penalty, step)?;
    if let Some(generator) = generator {
        read_finite("generator's adversarial", &generator.realness, step)?;
        read_finite("cycle", &generator.cycle, step)?;
    }
    Ok(())
}

fn read_finite(term: &'static str, tensor: &Tensor<1>, step: u64) -> Result<f32> {
    match tensor.clone().into_scalar::<f32>() {
        value if value.is_finite() => Ok(value),
        value => Err(Error::NotFinite { term, value, step }),
    }
}

/// Refuses a network with a weight that is NaN or infinite. Later steps cannot repair it.
pub(crate) fn require_finite_weights<M: Module>(network: &'static str, module: &M, step: u64) -> Result<()> {
    let mut sum: Option<Tensor<1>> = None;
    map_parameters(module.clone(), |_, values| {
        // A sum of magnitudes is finite only if each of them is.
        let magnitude = values.clone().abs().sum();
        sum = Some(match sum.take() {
            Some(sum) => sum + magnitude,
            None => magnitude,
        });
        values
    });
    match sum.map_or(0.0, |sum| sum.into_scalar::<f32>()) {
        value if value.is_finite() => Ok(()),
        _ => Err(Error::BrokenWeights { network, step }),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn number(value: f32) -> Tensor<1> {
        Tensor::from_data([value], &Device::flex())
    }

    #[test]
    fn the_loss_that_is_no_number_any_more_is_named() {
        let critic = |realness, aus, penalty| CriticReport {
            realness: number(realness),
            aus: number(aus),
            penalty: number(penalty),
        };
        let generator = |cycle| GeneratorReport {
            realness: number(0.5),
            aus: number(0.1),
            cycle: number(cycle),
            attention: number(1.0),
            smoothness: number(1.0),
            painted: number(0.1),
            painted_peak: number(0.5),
        };
        let told = |critic: &CriticReport, generator: Option<&GeneratorReport>| {
            require_finite(critic, generator, 70).unwrap_err().to_string()
        };
        let sound = critic(1.0, 0.1, 0.2);
        require_finite(&sound, Some(&generator(0.1)), 70).unwrap();
        assert_eq!(
            told(&critic(1.0, 0.1, f32::NAN), None),
            "the penalty loss became NaN at step 70"
        );
        assert_eq!(
            told(&critic(f32::NEG_INFINITY, 0.1, 0.2), None),
            "the critic's adversarial loss became -inf at step 70"
        );
        assert_eq!(
            told(&sound, Some(&generator(f32::INFINITY))),
            "the cycle loss became inf at step 70"
        );
    }
}
