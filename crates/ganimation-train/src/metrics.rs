//! The measurements of a run, and their file.

use std::path::Path;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::Tensor;
use ganimation_model::map_parameters;
use serde::{Deserialize, Serialize};

use crate::lines::Lines;
use crate::motion::MotionReport;
use crate::trainer::{DiscriminatorReport, GeneratorReport};
use crate::{Error, Result};

/// The file of losses.
pub(crate) const METRICS: &str = "metrics.jsonl";

/// One line of `metrics.jsonl`: the latest losses, unweighted. The aliases are the names before version 0.1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Discriminator steps taken.
    pub step: u64,
    /// Discriminator steps of the whole run.
    pub steps: u64,
    /// Passes through the training faces.
    pub epoch: f64,
    /// Learning rate.
    #[serde(alias = "rate")]
    pub learning_rate: f64,
    /// Mean critic score of edited faces minus that of real faces.
    #[serde(alias = "critic_realness")]
    pub discriminator_adversarial: f32,
    /// Squared error of action units on real faces.
    #[serde(alias = "critic_aus")]
    pub discriminator_aus: f32,
    /// Gradient penalty. For the motion network: R1.
    #[serde(alias = "penalty")]
    pub gradient_penalty: f32,
    /// Negative mean critic score of edited faces.
    #[serde(alias = "generator_realness")]
    pub generator_adversarial: f32,
    /// Squared error of action units on edited faces.
    pub generator_aus: f32,
    /// Mean absolute cycle error, for a value range of 2.
    pub cycle: f32,
    /// Attention loss: size of the masks, both passes.
    pub attention: f32,
    /// Total variation of the masks, both passes.
    #[serde(alias = "smoothness")]
    pub total_variation: f32,
    /// Mask coverage: mean of `1 - A`.
    #[serde(alias = "painted")]
    pub mask_coverage: f32,
    /// Batch mean of each picture's largest `1 - A`.
    #[serde(alias = "painted_peak")]
    pub mask_coverage_peak: f32,
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
    #[serde(alias = "field_of_nothing")]
    pub field_baseline: f32,
    /// Mean absolute difference of pairs from the real face, for a value range of 2.
    pub pixels: f32,
    /// The same difference without any edit.
    #[serde(alias = "pixels_of_nothing")]
    pub pixels_baseline: f32,
    /// Mean of `1 - A` where motion uncovers nothing.
    #[serde(alias = "outside")]
    pub mask_coverage_outside: f32,
    /// Mean magnitude of the shading.
    pub shading: f32,
}

/// The progress of a run at a measurement.
pub(crate) struct Position {
    /// Discriminator steps taken.
    pub(crate) step: u64,
    /// Discriminator steps of the whole run.
    pub(crate) steps: u64,
    /// Faces per batch.
    pub(crate) batch: usize,
    /// Batches per pass through the training faces.
    pub(crate) batches_per_epoch: u64,
    /// Learning rate.
    pub(crate) learning_rate: f64,
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
        discriminator: &DiscriminatorReport,
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
                field_baseline: read("motion", &motion.field_baseline)?,
                pixels: or_none("pixel", &motion.pixels)?,
                pixels_baseline: or_none("pixel", &motion.pixels_baseline)?,
                mask_coverage_outside: read("mask", &motion.mask_coverage_outside)?,
                shading: read("shading", &motion.shading)?,
            })
        });
        let mut progress = Progress {
            step: at.step,
            steps: at.steps,
            epoch: at.step as f64 / at.batches_per_epoch as f64,
            learning_rate: at.learning_rate,
            discriminator_adversarial: read("discriminator's adversarial", &discriminator.adversarial)?,
            discriminator_aus: read("discriminator's action-unit", &discriminator.aus)?,
            gradient_penalty: read("gradient penalty", &discriminator.gradient_penalty)?,
            generator_adversarial: read("generator's adversarial", &generator.adversarial)?,
            generator_aus: read("generator's action-unit", &generator.aus)?,
            cycle: read("cycle", &generator.cycle)?,
            attention: read("attention", &generator.attention)?,
            total_variation: read("total variation", &generator.total_variation)?,
            mask_coverage: read("mask", &generator.mask_coverage)?,
            mask_coverage_peak: read("mask", &generator.mask_coverage_peak)?,
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

/// Returns [`Error::NotFinite`] if a loss is NaN or infinite: such networks must not replace good checkpoints.
pub(crate) fn require_finite(
    discriminator: &DiscriminatorReport,
    generator: Option<&GeneratorReport>,
    motion: Option<&MotionReport>,
    step: u64,
) -> Result<()> {
    let generator = generator.map(GeneratorReport::terms);
    let motion = motion.map(MotionReport::terms);
    let terms = (discriminator.terms().into_iter())
        .chain(generator.into_iter().flatten())
        .chain(motion.into_iter().flatten());
    for (term, tensor) in terms {
        read_finite(term, tensor, step)?;
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

    fn discriminator(at: Option<usize>, value: f32) -> DiscriminatorReport {
        let number = |index| number(if at == Some(index) { value } else { 0.1 });
        DiscriminatorReport {
            adversarial: number(0),
            aus: number(1),
            gradient_penalty: number(2),
        }
    }

    fn generator(at: Option<usize>, value: f32) -> GeneratorReport {
        let number = |index| number(if at == Some(index) { value } else { 0.1 });
        GeneratorReport {
            adversarial: number(0),
            aus: number(1),
            cycle: number(2),
            attention: number(3),
            total_variation: number(4),
            mask_coverage: number(5),
            mask_coverage_peak: number(6),
        }
    }

    #[test]
    fn every_loss_that_is_not_finite_is_named() {
        let sound = discriminator(None, 0.0);
        require_finite(&sound, Some(&generator(None, 0.0)), None, 70).unwrap();
        for (at, term) in [
            "discriminator's adversarial",
            "discriminator's action-unit",
            "gradient penalty",
        ]
        .into_iter()
        .enumerate()
        {
            let error = require_finite(&discriminator(Some(at), f32::NAN), None, None, 70).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the {term} loss became NaN at step 70")
            );
        }
        for (at, term) in [
            "generator's adversarial",
            "generator's action-unit",
            "cycle",
            "attention",
            "total variation",
            "mask",
            "mask",
        ]
        .into_iter()
        .enumerate()
        {
            let broken = generator(Some(at), f32::NEG_INFINITY);
            let error = require_finite(&sound, Some(&broken), None, 70).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the {term} loss became -inf at step 70")
            );
        }
    }

    #[test]
    fn a_line_with_the_names_of_older_versions_is_read() {
        let line = r#"{"step":50,"steps":40000,"epoch":0.5,"rate":0.0004,"critic_realness":-1.5,"critic_aus":0.25,"penalty":0.75,"generator_realness":1.25,"generator_aus":0.125,"cycle":0.5,"attention":0.875,"smoothness":2.5,"painted":0.0625,"painted_peak":0.625,"motion":{"field":0.5,"field_of_nothing":0.75,"pixels":0.25,"pixels_of_nothing":0.375,"outside":0.03125,"shading":1.0},"faces_per_second":36.5,"waiting":0.5,"upkeep":0.25,"seconds_left":17371.5}"#;
        let found: Progress = serde_json::from_str(line).unwrap();
        let expected = Progress {
            step: 50,
            steps: 40_000,
            epoch: 0.5,
            learning_rate: 0.0004,
            discriminator_adversarial: -1.5,
            discriminator_aus: 0.25,
            gradient_penalty: 0.75,
            generator_adversarial: 1.25,
            generator_aus: 0.125,
            cycle: 0.5,
            attention: 0.875,
            total_variation: 2.5,
            mask_coverage: 0.0625,
            mask_coverage_peak: 0.625,
            motion: Some(MotionProgress {
                field: 0.5,
                field_baseline: 0.75,
                pixels: 0.25,
                pixels_baseline: 0.375,
                mask_coverage_outside: 0.03125,
                shading: 1.0,
            }),
            faces_per_second: 36.5,
            waiting: 0.5,
            upkeep: 0.25,
            seconds_left: 17_371.5,
        };
        assert_eq!(found, expected);
        let renewed = serde_json::to_string(&found).unwrap();
        assert!(
            renewed.contains("\"mask_coverage\":0.0625") && !renewed.contains("painted"),
            "{renewed}"
        );
    }
}
