//! Progress display during training.

use std::path::Path;
use std::time::{Duration, Instant};

use ganimation_train::{Observer, Progress, Validation, Warning};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::note;

/// Minimum time between lines if no bar can be drawn.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Shows a run on stderr: a bar on a terminal, otherwise a line from time to time.
pub(super) struct Display {
    pub(super) bar: ProgressBar,
    last_line: Option<Instant>,
}

impl Display {
    pub(super) fn new(step: u64) -> Self {
        let bar = ProgressBar::no_length().with_position(step);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        bar.set_message("preparing");
        Self { bar, last_line: None }
    }

    fn print(&self, line: std::fmt::Arguments<'_>) {
        self.bar.suspend(|| note(line));
    }
}

impl Observer for Display {
    fn stepped(&mut self, step: u64, steps: u64) {
        self.bar.set_length(steps);
        self.bar.set_position(step);
    }

    fn measured(&mut self, progress: &Progress) {
        let line = summary(progress);
        if self.bar.is_hidden() && self.last_line.is_none_or(|last| last.elapsed() >= BETWEEN_LINES) {
            note(format_args!("{}/{} {line}", progress.step, progress.steps));
            self.last_line = Some(Instant::now());
        }
        self.bar.set_message(line);
    }

    fn previewed(&mut self, path: &Path) {
        self.print(format_args!("preview {}", path.display()));
    }

    fn skipped(&mut self, problem: &ganimation_data::Error) {
        self.print(format_args!("skipped: {}", problem.with_sources()));
    }

    fn validated(&mut self, found: &Validation) {
        self.print(format_args!(
            "validation at {}: score {:.3} | AUs: discriminator {:.4}, edits {:.4} (predicting the mean: {:.4}) | cycle {:.4} | \
             self-edit {:.4}",
            found.step, found.score, found.discriminator_aus, found.aus, found.aus_of_mean, found.cycle, found.self_edit
        ));
    }

    fn warned(&mut self, warning: &Warning) {
        self.print(format_args!("warning: {warning}\nhint: {}", warning.advice));
    }
}

/// Speed, remaining time, and the most informative losses.
fn summary(progress: &Progress) -> String {
    let left = Duration::try_from_secs_f64(progress.seconds_left.max(0.0).round()).unwrap_or_default();
    let pace = format!(
        "{:.0} faces/s, {} left, {:.0}% waiting | AUs: discriminator {:.4}, generator {:.4}",
        progress.faces_per_second,
        indicatif::HumanDuration(left),
        100.0 * progress.waiting,
        progress.discriminator_aus,
        progress.generator_aus,
    );
    match &progress.motion {
        // Compared with the values without any edit.
        Some(motion) => format!(
            "{pace} | field {:.2} of {:.2} px | pixels {:.4} of {:.4} | mask coverage {:.3}",
            motion.field,
            motion.field_baseline,
            motion.pixels,
            motion.pixels_baseline,
            progress.mask_coverage,
        ),
        None => format!(
            "{pace} | cycle {:.4} | mask coverage {:.3}",
            progress.cycle, progress.mask_coverage
        ),
    }
}

#[cfg(test)]
mod tests {
    use ganimation_train::MotionProgress;

    use super::*;

    #[test]
    fn a_motion_run_shows_the_baselines() {
        let mut progress = Progress::default();
        assert!(summary(&progress).contains("cycle 0.0000"));
        progress.motion = Some(MotionProgress {
            field: 0.25,
            field_baseline: 1.5,
            pixels: 0.03,
            pixels_baseline: 0.05,
            ..MotionProgress::default()
        });
        let line = summary(&progress);
        assert!(
            line.contains("field 0.25 of 1.50 px | pixels 0.0300 of 0.0500"),
            "{line}"
        );
    }
}
