//! The watchdog: detects signs that a run does not learn, and gives advice.

use std::fmt;

use serde::Serialize;

use crate::metrics::Progress;
use crate::validation::Validation;

/// Number of metrics lines to average, because single batches are noisy.
const SMOOTHING: f64 = 10.0;
/// Discriminator steps before masks, discriminators and losses are checked: the first steps of every run look abnormal.
const SETTLED: u64 = 1000;
/// Discriminator steps after which the discriminator's estimates must be better than the mean of the labels.
const DISCRIMINATOR_LEARNED: u64 = 2000;
/// Discriminator steps after which edits must be closer to their targets than the mean of all targets is.
const EDITS_LEARNED: u64 = 6000;

/// The kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Problem {
    /// The mask keeps all pixels: mask coverage is 0.
    MaskCollapsed,
    /// The mask keeps almost no pixels: mask coverage is high over the whole picture.
    MaskSaturated,
    /// The discriminator's action units are not better than predicting the mean.
    DiscriminatorAusNotLearned,
    /// Edited faces are not closer to their targets than the mean of all targets is.
    EditsMissTargets,
    /// The discriminator's gradient has vanished: all faces get the same score.
    DiscriminatorFlat,
    /// The discriminator's gradient norm is far from 1: its scores diverge.
    DiscriminatorDiverges,
    /// A large part of the time is spent waiting for pictures.
    WaitingForData,
}

impl Problem {
    /// Advice for this problem.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::MaskCollapsed => {
                "train for more steps first; then decrease loss.lambda_tv, increase loss.lambda_attention or loss.lambda_au, and check that \
                the labels vary"
            }
            Self::MaskSaturated => {
                "decrease loss.lambda_attention, increase loss.lambda_tv or loss.lambda_cycle"
            }
            Self::DiscriminatorAusNotLearned => {
                "check that labels belong to their pictures (same file names, OpenFace columns by name) and are from 0 to 5; use \
                at least 10,000 faces"
            }
            Self::EditsMissTargets => {
                "train longer, decrease n_critic to 3, use more faces, or increase balance for rare action units"
            }
            Self::DiscriminatorFlat => {
                "decrease adam.learning_rate or increase loss.lambda_gp, and continue from an older checkpoint"
            }
            Self::DiscriminatorDiverges => {
                "decrease adam.learning_rate, increase loss.lambda_gp to at least 10, and use f32"
            }
            Self::WaitingForData => {
                "increase --workers, keep decoded pictures (omit --no-cache), or store faces at the training size"
            }
        }
    }
}

/// A warning at a step, with the numbers that show the problem. One line of `warnings.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Warning {
    /// Discriminator steps taken.
    pub step: u64,
    /// The kind of problem.
    pub problem: Problem,
    /// The numbers that show the problem.
    pub message: String,
    /// Advice.
    pub advice: &'static str,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Monitors one session of a run. Each problem is reported once until it disappears.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    smooth: Option<Smooth>,
    lines: u64,
    reported: Vec<Problem>,
}

/// Running means of the monitored values.
#[derive(Debug)]
struct Smooth {
    mask_coverage: f64,
    mask_coverage_peak: f64,
    gradient_penalty: f64,
    score_gap: f64,
    waiting: f64,
}

impl Watchdog {
    /// Checks a line of metrics.
    pub(crate) fn measured(&mut self, progress: &Progress) -> Vec<Warning> {
        let newest = Smooth {
            mask_coverage: progress.mask_coverage.into(),
            mask_coverage_peak: progress.mask_coverage_peak.into(),
            gradient_penalty: progress.gradient_penalty.into(),
            score_gap: progress.discriminator_adversarial.into(),
            waiting: progress.waiting,
        };
        self.lines += 1;
        let mut mean = self.smooth.take().unwrap_or(Smooth { ..newest });
        let towards = |mean: &mut f64, newest: f64| *mean += (newest - *mean) / SMOOTHING;
        towards(&mut mean.mask_coverage, newest.mask_coverage);
        towards(&mut mean.mask_coverage_peak, newest.mask_coverage_peak);
        towards(&mut mean.gradient_penalty, newest.gradient_penalty);
        towards(&mut mean.score_gap, newest.score_gap);
        towards(&mut mean.waiting, newest.waiting);

        let step = progress.step;
        let settled = step >= SETTLED;
        // The motion network's discriminator has no target for its gradient norm.
        let wasserstein = progress.motion.is_none();
        let enough = self.lines >= 10;
        let signs = [
            (
                Problem::MaskCollapsed,
                settled && mean.mask_coverage_peak < 0.03,
                format!(
                    "the mask has collapsed: the largest 1 - A of a face is {:.3} on average",
                    mean.mask_coverage_peak
                ),
            ),
            (
                Problem::MaskSaturated,
                settled && mean.mask_coverage > 0.6,
                format!(
                    "mask coverage is too high: 1 - A is {:.2} on average",
                    mean.mask_coverage
                ),
            ),
            (
                Problem::DiscriminatorFlat,
                settled
                    && wasserstein
                    && (mean.gradient_penalty - 1.0).abs() < 0.2
                    && mean.score_gap.abs() < 0.05,
                format!(
                    "the discriminator does not distinguish faces: gradient penalty {:.2}, score gap {:.3}",
                    mean.gradient_penalty, -mean.score_gap
                ),
            ),
            (
                Problem::DiscriminatorDiverges,
                settled && wasserstein && mean.gradient_penalty > 5.0,
                format!(
                    "the discriminator's gradient norm is far from 1: penalty {:.1}",
                    mean.gradient_penalty
                ),
            ),
            (
                Problem::WaitingForData,
                enough && mean.waiting > 0.3,
                format!(
                    "{:.0} % of the time is spent waiting for pictures",
                    100.0 * mean.waiting
                ),
            ),
        ];
        self.smooth = Some(mean);
        self.report(step, signs)
    }

    /// Checks a validation.
    pub(crate) fn validated(&mut self, found: &Validation) -> Vec<Warning> {
        let signs = [
            (
                Problem::DiscriminatorAusNotLearned,
                found.step >= DISCRIMINATOR_LEARNED
                    && found.discriminator_aus >= found.discriminator_aus_of_mean,
                format!(
                    "the discriminator's action-unit error on held-out faces is {:.4}; the error of predicting the mean is {:.4}",
                    found.discriminator_aus, found.discriminator_aus_of_mean
                ),
            ),
            (
                Problem::EditsMissTargets,
                found.step >= EDITS_LEARNED && found.aus >= found.aus_of_mean,
                format!(
                    "the target error of edited held-out faces is {:.4}; the error of the mean of all targets is {:.4}",
                    found.aus, found.aus_of_mean
                ),
            ),
        ];
        self.report(found.step, signs)
    }

    fn report<const N: usize>(&mut self, step: u64, signs: [(Problem, bool, String); N]) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for (problem, holds, message) in signs {
            let known = self.reported.iter().position(|reported| *reported == problem);
            match (holds, known) {
                (true, None) => {
                    self.reported.push(problem);
                    warnings.push(Warning {
                        step,
                        problem,
                        message,
                        advice: problem.advice(),
                    });
                }
                (false, Some(at)) => {
                    self.reported.swap_remove(at);
                }
                _ => {}
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy(step: u64) -> Progress {
        Progress {
            step,
            mask_coverage: 0.03,
            mask_coverage_peak: 0.6,
            gradient_penalty: 0.02,
            discriminator_adversarial: -1.5,
            waiting: 0.01,
            ..Progress::default()
        }
    }

    /// The problems reported for a run with the metrics of `line`.
    fn reported(line: impl Fn(u64) -> Progress) -> Vec<Problem> {
        let mut watchdog = Watchdog::default();
        (1..=200)
            .flat_map(|at| watchdog.measured(&line(10 * at)))
            .map(|warning| warning.problem)
            .collect()
    }

    #[test]
    fn a_healthy_run_has_no_warnings() {
        assert_eq!(reported(healthy), []);
    }

    #[test]
    fn each_problem_is_reported_once() {
        type Change = fn(&mut Progress);
        let cases: [(Problem, Change); 5] = [
            (Problem::MaskCollapsed, |line| line.mask_coverage_peak = 0.01),
            (Problem::MaskSaturated, |line| line.mask_coverage = 0.9),
            (Problem::DiscriminatorFlat, |line| {
                (line.gradient_penalty, line.discriminator_adversarial) = (0.99, 0.001)
            }),
            (Problem::DiscriminatorDiverges, |line| {
                line.gradient_penalty = 40.0
            }),
            (Problem::WaitingForData, |line| line.waiting = 0.7),
        ];
        for (problem, change) in cases {
            let unhealthy = |step| {
                let mut line = healthy(step);
                change(&mut line);
                line
            };
            assert_eq!(reported(unhealthy), [problem]);
        }
    }

    #[test]
    fn one_bad_batch_is_no_problem_and_the_first_steps_are_not_judged() {
        let once = |step| Progress {
            mask_coverage_peak: if step == 1500 { 0.0 } else { 0.6 },
            ..healthy(step)
        };
        assert_eq!(reported(once), []);
        let young = |step| Progress {
            mask_coverage: if step < 900 { 0.9 } else { 0.03 },
            ..healthy(step)
        };
        assert_eq!(reported(young), []);
    }

    #[test]
    fn aus_no_better_than_the_mean_are_reported() {
        let line = |step, aus, discriminator_aus| Validation {
            step,
            faces: 64,
            score: 0.0,
            aus,
            aus_of_mean: 0.017,
            discriminator_aus,
            discriminator_aus_of_mean: 0.017,
            cycle: 0.01,
            self_edit: 0.01,
            discriminator_score_gap: 1.0,
            mask_coverage: 0.03,
            mask_coverage_peak: 0.5,
            mask_coverage_corners: 0.0,
        };
        let mut watchdog = Watchdog::default();
        assert_eq!(watchdog.validated(&line(500, 0.03, 0.03)), []);
        assert_eq!(watchdog.validated(&line(6000, 0.012, 0.01)), []);
        let warnings = watchdog.validated(&line(7000, 0.02, 0.03));
        let problems: Vec<Problem> = warnings.iter().map(|warning| warning.problem).collect();
        assert_eq!(
            problems,
            [Problem::DiscriminatorAusNotLearned, Problem::EditsMissTargets]
        );
        assert!(warnings[0].to_string().contains("0.0300"), "{}", warnings[0]);
        assert_eq!(watchdog.validated(&line(8000, 0.02, 0.03)), []);
    }
}
