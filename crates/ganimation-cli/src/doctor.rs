//! `ganimation doctor`: checks whether a dataset is suitable for training, and lists its problems.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ganimation_data::doctor::{Examination, Report, draw, examine};
use ganimation_data::{available_workers, save_image};
use ganimation_train::TrainConfig;

use super::inputs::{PICTURES, check_outputs};
use super::output::say;
use super::progress::bar;
use crate::error::{Error, Result};

/// Bars for a histogram as text.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

const EXAMPLES: &str = "Examples:
  Check every picture and label, and draw histograms of the action units:
    ganimation doctor faces --sheet faces.png

  In a script, before a long training:
    ganimation doctor faces --format json > faces.json && ganimation train --data faces --name night

The exit code is 0 if training would start and end, 1 if not, 2 if the folder cannot be examined at all.";

/// Check whether a dataset folder is suitable for training
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Doctor {
    /// Dataset folder: imgs/, labels, train_ids.csv, test_ids.csv
    dataset: PathBuf,

    /// Also draw histograms of all action units (png, jpg, webp)
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,

    /// Format of the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// Batch size of the planned training
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), default_value = "25")]
    batch_size: u32,

    /// Side of the faces in the planned training, in pixels
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..=4096), default_value = "128")]
    image_size: u32,

    /// Threads that decode pictures; one per core by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    workers: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// Text for people
    #[default]
    Text,
    /// JSON for programs: the complete report with all names
    Json,
}

impl Doctor {
    pub(super) fn run(self) -> Result<()> {
        let sheet = self.sheet.as_deref();
        check_outputs(&self.dataset, sheet.map(|path| (path, PICTURES)))?;
        let examination = Examination {
            workers: self
                .workers
                .map_or_else(available_workers, |workers| workers as usize),
            batch_size: self.batch_size as usize,
            image_size: self.image_size,
        };
        let bar = bar(0, "examining");
        let report = examine(&self.dataset, &examination, &mut |done, of| {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        if let Some(path) = sheet {
            save_image(path, &draw(&report))?;
        }
        match self.format {
            Format::Text => print(&report, &self)?,
            Format::Json => say(serde_json::to_string_pretty(&report).unwrap_or_default())?,
        }
        if report.fit {
            Ok(())
        } else {
            Err(Error::Unfit { folder: self.dataset })
        }
    }
}

fn print(report: &Report, options: &Doctor) -> Result<()> {
    let pictures = &report.pictures;
    let sizes: Vec<_> = pictures
        .sizes
        .iter()
        .take(3)
        .map(|size| format!("{} x {} px: {}", size.width, size.height, size.count))
        .collect();
    let more = pictures.sizes.len().saturating_sub(3);
    let more = if more > 0 {
        format!(", {more} other sizes")
    } else {
        String::new()
    };
    say(format_args!(
        "{} faces to train on, {} held out ({}{more})",
        report.train,
        report.test,
        sizes.join(", ")
    ))?;
    say(format_args!(
        "unreadable {}, grey {}, repeated {}, not sound {}, in no list {}",
        pictures.unreadable.len(),
        pictures.grey.len(),
        pictures
            .duplicates
            .iter()
            .map(|group| group.len() - 1)
            .sum::<usize>(),
        report.problems.len(),
        report.unlisted_pictures.len()
    ))?;
    say(format_args!("landmarks {}", report.landmarks.known))?;
    say("")?;
    say("unit                      shown    mean     max   0 to 5")?;
    for unit in &report.units {
        say(format_args!(
            "{} {:<20} {:>5.1} % {:>6.2} {:>7.2}   {}",
            unit.code,
            unit.name,
            unit.shown * 100.0,
            unit.mean,
            unit.max,
            spark(&unit.histogram)
        ))?;
    }
    say("")?;
    for finding in &report.findings {
        say(finding)?;
    }
    say(training(report, options))?;
    if let Some(path) = &options.sheet {
        say(path.display())?;
    }
    Ok(())
}

/// The planned training on the dataset.
fn training(report: &Report, options: &Doctor) -> String {
    let mut config = TrainConfig::new(&report.folder);
    config.batch_size = options.batch_size as usize;
    config.image_size = options.image_size as usize;
    if let Err(error) = config.check() {
        return format!("training: would not start: {error}");
    }
    if report.batches_per_epoch == 0 {
        return "training: would not start".to_owned();
    }
    format!(
        "training: {} batches of {} an epoch, {} discriminator steps in all at {} px; decoded faces take {} MB of memory",
        report.batches_per_epoch,
        options.batch_size,
        config.schedule(report.train).steps,
        options.image_size,
        report.cache_bytes.div_ceil(1_000_000)
    )
}

/// A histogram in one line. Heights are proportional to the square roots of the counts.
fn spark(histogram: &[usize]) -> String {
    let most = histogram.iter().copied().max().unwrap_or(0).max(1) as f64;
    let bar = |&count: &usize| {
        let height = (count as f64 / most).sqrt() * (BARS.len() - 1) as f64;
        // Values above zero are always visible.
        #[allow(clippy::cast_possible_truncation, reason = "0 to 8")]
        #[allow(clippy::cast_sign_loss, reason = "0 to 8")]
        let height = height.ceil() as usize;
        BARS[height.min(BARS.len() - 1)]
    };
    histogram.iter().map(bar).collect()
}
