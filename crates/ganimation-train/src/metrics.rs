//! What a run measures, and the file that it goes into.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::tensor::Tensor;
use ganimation_data::write_whole;
use serde::Serialize;

use crate::trainer::{CriticReport, GeneratorReport};
use crate::{Error, Result};

/// One line of `metrics.jsonl`: the newest losses, unweighted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// Critic steps taken.
    pub step: u64,
    /// Critic steps of the whole run.
    pub steps: u64,
    /// Passes through the training faces.
    pub epoch: f64,
    /// Learning rate.
    pub rate: f64,
    /// Mean realness of edited faces minus that of real ones.
    pub critic_realness: f32,
    /// Squared error of action units on real faces.
    pub critic_aus: f32,
    /// Gradient penalty.
    pub penalty: f32,
    /// Minus the mean realness of edited faces.
    pub generator_realness: f32,
    /// Squared error of action units on edited faces.
    pub generator_aus: f32,
    /// Mean absolute cycle error, of a range of 2.
    pub cycle: f32,
    /// Size of the masks, both passes.
    pub attention: f32,
    /// Unevenness of the masks, both passes.
    pub smoothness: f32,
    /// Mean of `1 - A`.
    pub painted: f32,
    /// Batch mean of each picture's largest `1 - A`.
    pub painted_peak: f32,
    /// Training faces a second since the last line.
    pub faces_per_second: f64,
    /// Share of the time since the last line spent waiting for pictures.
    pub waiting: f64,
    /// Seconds left at this pace.
    pub seconds_left: f64,
}

/// Where a run stands when it is measured.
pub(crate) struct Position {
    /// Critic steps taken.
    pub(crate) step: u64,
    /// Critic steps of the whole run.
    pub(crate) steps: u64,
    /// Faces a batch.
    pub(crate) batch: usize,
    /// Batches a pass through the training faces.
    pub(crate) batches_per_epoch: u64,
    /// Learning rate.
    pub(crate) rate: f64,
    /// All the time spent waiting for pictures so far.
    pub(crate) waited: Duration,
}

/// The open `metrics.jsonl` and when its last line was written.
pub(crate) struct Metrics {
    path: PathBuf,
    file: File,
    last_step: u64,
    last_time: Instant,
    last_waited: Duration,
}

impl Metrics {
    /// Appends to what the run had written when it had taken `step` steps; lines beyond, of a part that was killed after
    /// its last checkpoint, are dropped, for the run takes those steps again.
    pub(crate) fn open(folder: &Path, step: u64) -> Result<Self> {
        let path = folder.join("metrics.jsonl");
        drop_lines_after(step, &path)?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        Ok(Self {
            path,
            file,
            last_step: step,
            last_time: Instant::now(),
            last_waited: Duration::ZERO,
        })
    }

    /// Reads the losses from the device and writes a line.
    #[expect(clippy::cast_precision_loss, reason = "step counts are far below 2^52")]
    pub(crate) fn measure(
        &mut self,
        critic: &CriticReport,
        generator: &GeneratorReport,
        at: &Position,
    ) -> Result<Progress> {
        let read = |term, tensor| read_finite(term, tensor, at.step);
        let now = Instant::now();
        let seconds = (now - self.last_time).as_secs_f64().max(1e-9);
        let steps = (at.step - self.last_step) as f64;
        let waited = (at.waited - self.last_waited).as_secs_f64();
        (self.last_step, self.last_time, self.last_waited) = (at.step, now, at.waited);
        let progress = Progress {
            step: at.step,
            steps: at.steps,
            epoch: at.step as f64 / at.batches_per_epoch as f64,
            rate: at.rate,
            critic_realness: read("critic's realness", &critic.realness)?,
            critic_aus: read("critic's action-unit", &critic.aus)?,
            penalty: read("penalty", &critic.penalty)?,
            generator_realness: read("generator's realness", &generator.realness)?,
            generator_aus: read("generator's action-unit", &generator.aus)?,
            cycle: read("cycle", &generator.cycle)?,
            attention: read("attention", &generator.attention)?,
            smoothness: read("smoothness", &generator.smoothness)?,
            painted: read("mask", &generator.painted)?,
            painted_peak: read("mask", &generator.painted_peak)?,
            faces_per_second: steps * at.batch as f64 / seconds,
            waiting: waited / seconds,
            seconds_left: at.steps.saturating_sub(at.step) as f64 * seconds / steps.max(1.0),
        };
        let line = serde_json::to_string(&progress).map_err(|error| Error::Damaged {
            path: self.path.clone(),
            reason: error.to_string(),
        })?;
        writeln!(self.file, "{line}").map_err(Error::file("write", &self.path))?;
        Ok(progress)
    }
}

/// Refuses losses that are no numbers any more: such networks must not replace good checkpoints.
pub(crate) fn require_finite(
    critic: &CriticReport,
    generator: Option<&GeneratorReport>,
    step: u64,
) -> Result<()> {
    read_finite("critic's realness", &critic.realness, step)?;
    read_finite("critic's action-unit", &critic.aus, step)?;
    read_finite("penalty", &critic.penalty, step)?;
    if let Some(generator) = generator {
        read_finite("generator's realness", &generator.realness, step)?;
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

fn drop_lines_after(step: u64, path: &Path) -> Result<()> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::file("read", path)(error)),
    };
    let of_line = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["step"].as_u64();
    let kept: String = text
        .split_inclusive('\n')
        .filter(|line| of_line(line).is_some_and(|found| found <= step))
        .collect();
    if kept.len() == text.len() {
        return Ok(());
    }
    Ok(write_whole(path, kept.as_bytes())?)
}
