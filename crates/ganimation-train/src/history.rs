//! The contents of a run folder. It can be read while a process trains in it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::checkpoint;
use crate::config::TrainConfig;
use crate::lines::read_lines;
use crate::metrics::{METRICS, Progress};
use crate::run::{CHECKPOINTS, SETTINGS, read_settings};
use crate::validation::Validation;
use crate::{Error, Result};

/// The file of validations.
pub(crate) const VALIDATION: &str = "validation.jsonl";
/// The file of warnings.
pub(crate) const WARNINGS: &str = "warnings.jsonl";

/// A run, as recorded in its folder.
#[derive(Clone, Debug)]
pub struct History {
    /// Name of its folder.
    pub name: String,
    /// Its settings.
    pub config: TrainConfig,
    /// Lines of metrics, oldest first.
    pub metrics: Vec<Progress>,
    /// Validations, oldest first.
    pub validations: Vec<Validation>,
    /// Number of warnings of the watchdog.
    pub warnings: usize,
    /// Discriminator steps of the newest checkpoint, 0 without one.
    pub saved: u64,
}

impl History {
    /// Reads a run folder.
    ///
    /// # Errors
    /// [`Error::NotARun`] if the folder contains no run, [`Error::File`] or [`Error::Damaged`] if a file cannot be
    /// read.
    pub fn read(folder: &Path) -> Result<Self> {
        if !folder.join(SETTINGS).is_file() {
            return Err(Error::NotARun(folder.to_owned()));
        }
        let name = folder.file_name().unwrap_or(folder.as_os_str());
        let newest = checkpoint::list(&folder.join(CHECKPOINTS))?.pop();
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            config: read_settings(folder)?.0,
            metrics: read_lines(&folder.join(METRICS))?,
            validations: read_lines(&folder.join(VALIDATION))?,
            warnings: read_lines::<serde_json::Value>(&folder.join(WARNINGS))?.len(),
            saved: newest.map_or(0, |(step, _)| step),
        })
    }

    /// Fraction of the measured time not spent on steps of the networks: waiting for pictures, metrics, previews,
    /// validations, checkpoints, the loop itself. `None` if no time was measured.
    pub fn overhead(&self) -> Option<f64> {
        // All lines are the same number of steps apart, so each is weighted by its duration.
        let seconds_a_face = |line: &Progress| 1.0 / line.faces_per_second.max(f64::MIN_POSITIVE);
        let all: f64 = self.metrics.iter().map(seconds_a_face).sum();
        let lost = |line: &Progress| (line.waiting + line.upkeep) * seconds_a_face(line);
        (all > 0.0).then(|| self.metrics.iter().map(lost).sum::<f64>() / all)
    }

    /// The validation with the smallest error.
    pub fn best(&self) -> Option<&Validation> {
        best(&self.validations)
    }
}

/// The folders in `runs_dir` that contain a run, sorted by name.
///
/// # Errors
/// [`Error::File`] if the folder cannot be listed.
pub fn run_folders(runs_dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(runs_dir).map_err(Error::file("list", runs_dir))? {
        let path = entry.map_err(Error::file("list", runs_dir))?.path();
        if path.join(SETTINGS).is_file() {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The step of the best validation that has a checkpoint.
pub(crate) fn best_step(folder: &Path) -> Result<Option<u64>> {
    let checkpoints = checkpoint::list(&folder.join(CHECKPOINTS))?;
    let mut validations: Vec<Validation> = read_lines(&folder.join(VALIDATION))?;
    validations.retain(|line| checkpoints.iter().any(|(step, _)| *step == line.step));
    Ok(best(&validations).map(|line| line.step))
}

fn best(validations: &[Validation]) -> Option<&Validation> {
    validations.iter().min_by(|a, b| a.score.total_cmp(&b.score))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_lines_count_for_more_of_the_overhead() {
        let line = |faces_per_second, waiting, upkeep| Progress {
            faces_per_second,
            waiting,
            upkeep,
            ..Progress::default()
        };
        let history = |metrics| History {
            name: String::new(),
            config: TrainConfig::new(""),
            metrics,
            validations: Vec::new(),
            warnings: 0,
            saved: 0,
        };
        assert_eq!(history(Vec::new()).overhead(), None);
        let lines = vec![line(10.0, 0.0, 0.01), line(30.0, 0.02, 0.03)];
        let overhead = history(lines).overhead().unwrap();
        assert!((overhead - (3.0 * 0.01 + 0.05) / 4.0).abs() < 1e-12, "{overhead}");
    }
}
