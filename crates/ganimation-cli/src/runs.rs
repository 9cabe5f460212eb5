//! `ganimation runs` and `ganimation plot`: reports from run folders.

use std::path::PathBuf;

use clap::Args;
use ganimation_data::write_whole;
use ganimation_train::{History, run_folders};

use super::inputs::check_outputs;
use super::output::{note, say};
use super::train::run_name;
use crate::error::Result;

/// List runs and compare them
///
/// AU error: mean squared error of action units (intensity / 5) on held-out faces, estimated by the run's own discriminator.
/// Use it to compare steps of one run. To compare runs, use `ganimation evaluate`. Best: the validation with the
/// smallest error. Loop: fraction of time not spent on the networks' steps, such as waiting for pictures, validation
/// and checkpoints.
#[derive(Debug, Args)]
pub(super) struct Runs {
    /// Folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs_dir: PathBuf,
}

const HEADER: [&str; 12] = [
    "run",
    "steps",
    "of",
    "px",
    "channels",
    "batch",
    "learning rate",
    "AU error",
    "cycle",
    "best at",
    "loop",
    "warnings",
];

impl Runs {
    pub(super) fn run(self) -> Result<()> {
        let mut rows = vec![HEADER.map(str::to_owned)];
        for folder in run_folders(&self.runs_dir)? {
            match History::read(&folder) {
                Ok(history) => rows.push(row(&history)),
                // One damaged run must not prevent the list of the others.
                Err(error) => note(format_args!("skipped: {error}")),
            }
        }
        if rows.len() == 1 {
            note(format_args!("no runs in {}", self.runs_dir.display()));
            return Ok(());
        }
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: [usize; HEADER.len()] = std::array::from_fn(width);
        for row in &rows {
            let cells: Vec<String> = (row.iter().zip(widths).enumerate())
                .map(|(column, (cell, width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            say(cells.join("  "))?;
        }
        Ok(())
    }
}

fn row(history: &History) -> [String; HEADER.len()] {
    let config = &history.config;
    let dash = || "-".to_owned();
    let newest = history.validations.last();
    [
        history.name.clone(),
        history
            .metrics
            .last()
            .map_or(history.saved, |line| line.step.max(history.saved))
            .to_string(),
        config.steps.map_or_else(dash, |steps| steps.to_string()),
        config.image_size.to_string(),
        format!("{}/{}", config.generator_channels, config.discriminator_channels),
        config.batch_size.to_string(),
        config.adam.learning_rate.to_string(),
        newest.map_or_else(dash, |line| format!("{:.4}", line.aus)),
        newest.map_or_else(dash, |line| format!("{:.4}", line.cycle)),
        history.best().map_or_else(dash, |line| line.step.to_string()),
        history
            .overhead()
            .map_or_else(dash, |share| format!("{:.1} %", 100.0 * share)),
        history.warnings.to_string(),
    ]
}

const EXAMPLES: &str = "Examples:
  Draw runs/experiment_1/losses.svg:
    ganimation plot experiment_1";

/// Draw a run's losses as a picture (SVG)
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Plot {
    /// Name of the run
    #[arg(value_name = "RUN", value_parser = run_name)]
    name: String,

    /// Folder of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs_dir: PathBuf,

    /// The picture to write; by default losses.svg in the run's folder
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Plot {
    pub(super) fn run(self) -> Result<()> {
        let folder = self.runs_dir.join(&self.name);
        let history = History::read(&folder)?;
        let output = self.output.unwrap_or_else(|| folder.join("losses.svg"));
        check_outputs(&folder, [(output.as_path(), &["svg"][..])])?;
        write_whole(&output, history.plot().as_bytes())?;
        say(output.display())
    }
}
