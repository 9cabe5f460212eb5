//! The watchdog: detects signs that a run does not learn, and gives advice.

use std::fmt;

use serde::Serialize;

use crate::metrics::Progress;
use crate::validation::Validation;

/// Number of metrics lines to average, because single batches are noisy.
const SMOOTHING: f64 = 10.0;
/// Critic steps before masks, critics and losses are checked: the first steps of every run look abnormal.
const SETTLED: u64 = 1000;
/// Critic steps after which the critic's estimates must be better than the mean of the labels.
const CRITIC_READS: u64 = 2000;
/// Critic steps after which edits must be closer to their targets than the mean of all targets is.
const EDITS_FOLLOW: u64 = 6000;

/// The kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Trouble {
    /// The mask keeps all pixels: mask coverage is 0.
    MaskDead,
    /// The mask keeps almost no pixels: mask coverage is high over the whole picture.
    MaskFlooding,
    /// The critic's action units are not better than predicting the mean.
    CriticReadsNothing,
    /// Edited faces are not closer to their targets than the mean of all targets is.
    EditsDoNotFollow,
    /// The critic's gradient has vanished: all faces get the same score.
    CriticFlat,
    /// The critic's gradient norm is far from 1: its scores diverge.
    CriticRunsAway,
    /// A large part of the time is spent waiting for pictures.
    Starving,
}

impl Trouble {
    /// Advice for this problem.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::MaskDead => {
                "train for more steps first; then decrease loss.smoothness, increase loss.attention or loss.aus, and check that \
                the labels vary"
            }
            Self::MaskFlooding => "decrease loss.attention, increase loss.smoothness or loss.cycle",
            Self::CriticReadsNothing => {
                "check that labels belong to their pictures (same file names, OpenFace columns by name) and are from 0 to 5; use \
                at least 10,000 faces"
            }
            Self::EditsDoNotFollow => {
                "train longer, decrease generator_every to 3, use more faces, or increase balance for rare action units"
            }
            Self::CriticFlat => {
                "decrease adam.rate or increase loss.penalty, and continue from an older checkpoint"
            }
            Self::CriticRunsAway => "decrease adam.rate, increase loss.penalty to at least 10, and use f32",
            Self::Starving => {
                "increase --workers, keep decoded pictures (omit --no-cache), or store faces at the training size"
            }
        }
    }
}

/// A warning at a step, with the numbers that show the problem. One line of `warnings.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Warning {
    /// Critic steps taken.
    pub step: u64,
    /// The kind of problem.
    pub trouble: Trouble,
    /// The numbers that show the problem.
    pub sign: String,
    /// Advice.
    pub advice: &'static str,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sign)
    }
}

/// Monitors one session of a run. Each problem is reported once until it disappears.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    smooth: Option<Smooth>,
    lines: u64,
    told: Vec<Trouble>,
}

/// Running means of the monitored values.
#[derive(Debug)]
struct Smooth {
    painted: f64,
    painted_peak: f64,
    penalty: f64,
    realness: f64,
    waiting: f64,
}

impl Watchdog {
    /// Checks a line of metrics.
    pub(crate) fn measured(&mut self, progress: &Progress) -> Vec<Warning> {
        let newest = Smooth {
            painted: progress.painted.into(),
            painted_peak: progress.painted_peak.into(),
            penalty: progress.penalty.into(),
            realness: progress.critic_realness.into(),
            waiting: progress.waiting,
        };
        self.lines += 1;
        let mut mean = self.smooth.take().unwrap_or(Smooth { ..newest });
        let towards = |mean: &mut f64, newest: f64| *mean += (newest - *mean) / SMOOTHING;
        towards(&mut mean.painted, newest.painted);
        towards(&mut mean.painted_peak, newest.painted_peak);
        towards(&mut mean.penalty, newest.penalty);
        towards(&mut mean.realness, newest.realness);
        towards(&mut mean.waiting, newest.waiting);

        let step = progress.step;
        let settled = step >= SETTLED;
        // The motion network's discriminator has no target for its gradient norm.
        let wasserstein = progress.motion.is_none();
        let enough = self.lines >= 10;
        let signs = [
            (
                Trouble::MaskDead,
                settled && mean.painted_peak < 0.03,
                format!(
                    "the mask is dead: the largest 1 - A of a face is {:.3} on average",
                    mean.painted_peak
                ),
            ),
            (
                Trouble::MaskFlooding,
                settled && mean.painted > 0.6,
                format!(
                    "mask coverage is too high: 1 - A is {:.2} on average",
                    mean.painted
                ),
            ),
            (
                Trouble::CriticFlat,
                settled && wasserstein && (mean.penalty - 1.0).abs() < 0.2 && mean.realness.abs() < 0.05,
                format!(
                    "the critic does not distinguish faces: gradient penalty {:.2}, score gap {:.3}",
                    mean.penalty, -mean.realness
                ),
            ),
            (
                Trouble::CriticRunsAway,
                settled && wasserstein && mean.penalty > 5.0,
                format!(
                    "the critic's gradient norm is far from 1: penalty {:.1}",
                    mean.penalty
                ),
            ),
            (
                Trouble::Starving,
                enough && mean.waiting > 0.3,
                format!(
                    "{:.0} % of the time is spent waiting for pictures",
                    100.0 * mean.waiting
                ),
            ),
        ];
        self.smooth = Some(mean);
        self.tell(step, signs)
    }

    /// Checks a validation.
    pub(crate) fn validated(&mut self, found: &Validation) -> Vec<Warning> {
        let signs = [
            (
                Trouble::CriticReadsNothing,
                found.step >= CRITIC_READS && found.critic_aus >= found.critic_aus_of_mean,
                format!(
                    "the critic's action-unit error on held-out faces is {:.4}; the error of predicting the mean is {:.4}",
                    found.critic_aus, found.critic_aus_of_mean
                ),
            ),
            (
                Trouble::EditsDoNotFollow,
                found.step >= EDITS_FOLLOW && found.aus >= found.aus_of_mean,
                format!(
                    "the target error of edited held-out faces is {:.4}; the error of the mean of all targets is {:.4}",
                    found.aus, found.aus_of_mean
                ),
            ),
        ];
        self.tell(found.step, signs)
    }

    fn tell<const N: usize>(&mut self, step: u64, signs: [(Trouble, bool, String); N]) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for (trouble, holds, sign) in signs {
            let known = self.told.iter().position(|told| *told == trouble);
            match (holds, known) {
                (true, None) => {
                    self.told.push(trouble);
                    warnings.push(Warning {
                        step,
                        trouble,
                        sign,
                        advice: trouble.advice(),
                    });
                }
                (false, Some(at)) => {
                    self.told.swap_remove(at);
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
            painted: 0.03,
            painted_peak: 0.6,
            penalty: 0.02,
            critic_realness: -1.5,
            waiting: 0.01,
            ..Progress::default()
        }
    }

    /// The problems reported for a run with the metrics of `line`.
    fn told(line: impl Fn(u64) -> Progress) -> Vec<Trouble> {
        let mut watchdog = Watchdog::default();
        (1..=200)
            .flat_map(|at| watchdog.measured(&line(10 * at)))
            .map(|warning| warning.trouble)
            .collect()
    }

    #[test]
    fn a_healthy_run_hears_nothing() {
        assert_eq!(told(healthy), []);
    }

    #[test]
    fn each_trouble_is_told_once() {
        type Change = fn(&mut Progress);
        let cases: [(Trouble, Change); 5] = [
            (Trouble::MaskDead, |line| line.painted_peak = 0.01),
            (Trouble::MaskFlooding, |line| line.painted = 0.9),
            (Trouble::CriticFlat, |line| {
                (line.penalty, line.critic_realness) = (0.99, 0.001)
            }),
            (Trouble::CriticRunsAway, |line| line.penalty = 40.0),
            (Trouble::Starving, |line| line.waiting = 0.7),
        ];
        for (trouble, change) in cases {
            let ill = |step| {
                let mut line = healthy(step);
                change(&mut line);
                line
            };
            assert_eq!(told(ill), [trouble]);
        }
    }

    #[test]
    fn one_bad_batch_is_no_trouble_and_the_first_steps_are_not_judged() {
        let once = |step| Progress {
            painted_peak: if step == 1500 { 0.0 } else { 0.6 },
            ..healthy(step)
        };
        assert_eq!(told(once), []);
        let young = |step| Progress {
            painted: if step < 900 { 0.9 } else { 0.03 },
            ..healthy(step)
        };
        assert_eq!(told(young), []);
    }

    #[test]
    fn what_is_no_better_than_the_mean_is_told() {
        let line = |step, aus, critic_aus| Validation {
            step,
            faces: 64,
            score: 0.0,
            aus,
            aus_of_mean: 0.017,
            critic_aus,
            critic_aus_of_mean: 0.017,
            cycle: 0.01,
            self_edit: 0.01,
            realness_gap: 1.0,
            painted: 0.03,
            painted_peak: 0.5,
            painted_corners: 0.0,
        };
        let mut watchdog = Watchdog::default();
        assert_eq!(watchdog.validated(&line(500, 0.03, 0.03)), []);
        assert_eq!(watchdog.validated(&line(6000, 0.012, 0.01)), []);
        let warnings = watchdog.validated(&line(7000, 0.02, 0.03));
        let troubles: Vec<Trouble> = warnings.iter().map(|warning| warning.trouble).collect();
        assert_eq!(troubles, [Trouble::CriticReadsNothing, Trouble::EditsDoNotFollow]);
        assert!(warnings[0].to_string().contains("0.0300"), "{}", warnings[0]);
        assert_eq!(watchdog.validated(&line(8000, 0.02, 0.03)), []);
    }
}
