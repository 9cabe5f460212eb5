//! Loss curves of a run as a picture: an SVG of small panels, each with its own scale.

use std::fmt::Write;

use crate::Progress;
use crate::config::Network;
use crate::history::History;
use crate::metrics::MotionProgress;
use crate::validation::Validation;

const WIDTH: f64 = 1010.0;
const PANEL_WIDTH: f64 = 430.0;
const PANEL_HEIGHT: f64 = 190.0;
const GAP_X: f64 = 60.0;
const GAP_Y: f64 = 66.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 114.0;
const COLUMNS: usize = 2;
/// Colours that people with colour blindness can distinguish (Okabe and Ito).
const COLORS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];
/// Maximum points per curve. More points than pixels are useless.
const POINTS: usize = 800;

/// One curve: discriminator steps and values.
struct Curve {
    name: &'static str,
    points: Vec<(f64, f64)>,
    /// Few points: drawn as dots with thin lines, without smoothing.
    sparse: bool,
}

struct Panel {
    title: &'static str,
    curves: Vec<Curve>,
    /// A reference level.
    level: Option<(&'static str, f64)>,
}

impl History {
    /// Draws the run's losses, masks and speed over discriminator steps.
    pub fn plot(&self) -> String {
        let panels = self.panels();
        let rows = panels.len().div_ceil(COLUMNS);
        #[expect(clippy::cast_precision_loss, reason = "a handful of panels")]
        let height = TOP + rows as f64 * (PANEL_HEIGHT + GAP_Y);
        let last = self.metrics.last().map_or(self.saved, |line| line.step);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
             font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#333\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <text x=\"{LEFT}\" y=\"34\" font-size=\"19\" font-weight=\"600\">{}</text>\n\
             <text x=\"{LEFT}\" y=\"54\" fill=\"#777\">{last} {}</text>\n",
            escaped(&self.name),
            self.settings(),
        );
        for (at, panel) in panels.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a handful of panels")]
            let (column, row) = ((at % COLUMNS) as f64, (at / COLUMNS) as f64);
            let (x, y) = (
                LEFT + column * (PANEL_WIDTH + GAP_X),
                TOP + row * (PANEL_HEIGHT + GAP_Y),
            );
            // Writing to a String cannot fail.
            let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">\n{}</g>", panel.draw());
        }
        svg + "</svg>\n"
    }

    /// The settings with the largest effect on the curves.
    fn settings(&self) -> String {
        let config = &self.config;
        let sizes = format!(
            "of {} faces · {} px · generator {} channels, discriminator {}",
            config.batch_size, config.image_size, config.generator_channels, config.discriminator_channels
        );
        let learning_rate = config.adam.learning_rate;
        match config.network {
            Network::Paper => format!(
                "discriminator steps {sizes} · learning rate {learning_rate} · n_critic {}",
                config.n_critic
            ),
            Network::Motion => format!(
                "steps {sizes} · {} with landmarks at learning rate {learning_rate}, then {}",
                config.motion.taught_steps, config.motion.matched.adam.learning_rate
            ),
        }
    }

    fn panels(&self) -> Vec<Panel> {
        match self.config.network {
            Network::Paper => self.paper_panels(),
            Network::Motion => self.motion_panels(),
        }
    }

    fn paper_panels(&self) -> Vec<Panel> {
        let curve = |name, value: fn(&Progress) -> f64| self.curve(name, |line| Some(value(line)));
        vec![
            Panel {
                level: self.level_of_mean(),
                ..panel(
                    "Squared error of action units (intensity / 5)",
                    vec![
                        curve("discriminator, real faces", |line| line.discriminator_aus.into()),
                        curve("generator, edited faces", |line| line.generator_aus.into()),
                        self.held_out("edited, held out", |line| line.aus),
                    ],
                )
            },
            panel(
                "Critic score: edited minus real",
                vec![
                    curve("training", |line| line.discriminator_adversarial.into()),
                    self.held_out("held out", |line| -line.discriminator_score_gap),
                ],
            ),
            panel(
                "Absolute pixel error, value range 2",
                vec![
                    curve("cycle", |line| line.cycle.into()),
                    self.held_out("cycle, held out", |line| line.cycle),
                    self.held_out("self-edit, held out", |line| line.self_edit),
                ],
            ),
            panel(
                "Gradient penalty",
                vec![curve("training", |line| line.gradient_penalty.into())],
            ),
            panel(
                "Mask coverage: 1 - A",
                vec![
                    curve("mean", |line| line.mask_coverage.into()),
                    curve("largest per face", |line| line.mask_coverage_peak.into()),
                    self.held_out("corners, held out", |line| line.mask_coverage_corners),
                ],
            ),
            panel(
                "Training faces per second",
                vec![curve("pace", |line| line.faces_per_second)],
            ),
        ]
    }

    fn motion_panels(&self) -> Vec<Panel> {
        let curve = |name, value: fn(&Progress) -> f64| self.curve(name, |line| Some(value(line)));
        let motion = |name, value: fn(&MotionProgress) -> f32| {
            self.curve(name, |line| {
                line.motion.as_ref().map(|motion| value(motion).into())
            })
        };
        // The first stage does not have these losses.
        let taught = self.config.motion.taught_steps;
        let matched = |name, value: fn(&Progress) -> f64| {
            self.curve(name, move |line| (line.step > taught).then(|| value(line)))
        };
        vec![
            panel(
                "Motion's difference from the teacher's, in pixels",
                vec![
                    motion("training", |line| line.field),
                    motion("without any edit", |line| line.field_baseline),
                ],
            ),
            panel(
                "Absolute pixel error of pairs, value range 2",
                vec![
                    motion("training", |line| line.pixels),
                    motion("without any edit", |line| line.pixels_baseline),
                ],
            ),
            Panel {
                level: self.level_of_mean(),
                ..panel(
                    "Squared error of action units (intensity / 5)",
                    vec![
                        curve("discriminator, real faces", |line| line.discriminator_aus.into()),
                        matched("generator, edited faces", |line| line.generator_aus.into()),
                        self.held_out("edited, held out", |line| line.aus),
                    ],
                )
            },
            panel(
                "Score: edited minus real",
                vec![
                    matched("training", |line| line.discriminator_adversarial.into()),
                    self.held_out("held out", |line| -line.discriminator_score_gap),
                ],
            ),
            panel(
                "Absolute pixel error, value range 2",
                vec![
                    matched("cycle, weighted", |line| line.cycle.into()),
                    self.held_out("cycle, held out", |line| line.cycle),
                    self.held_out("self-edit, held out", |line| line.self_edit),
                ],
            ),
            panel(
                "Squared gradient of the score (R1)",
                vec![matched("training", |line| line.gradient_penalty.into())],
            ),
            panel(
                "Mask coverage: 1 - A",
                vec![
                    curve("mean", |line| line.mask_coverage.into()),
                    curve("largest per face", |line| line.mask_coverage_peak.into()),
                    motion("where motion uncovers nothing", |line| line.mask_coverage_outside),
                    self.held_out("corners, held out", |line| line.mask_coverage_corners),
                ],
            ),
            panel(
                "Training faces per second",
                vec![curve("pace", |line| line.faces_per_second)],
            ),
        ]
    }

    /// The error of always predicting the mean of the labels.
    fn level_of_mean(&self) -> Option<(&'static str, f64)> {
        let newest = self.validations.last()?;
        Some(("predicting the mean", newest.aus_of_mean))
    }

    #[expect(clippy::cast_precision_loss, reason = "step counts are far below 2^52")]
    fn curve(&self, name: &'static str, value: impl Fn(&Progress) -> Option<f64>) -> Curve {
        let point = |line: &Progress| Some((line.step as f64, value(line)?));
        Curve {
            name,
            points: self.metrics.iter().filter_map(point).collect(),
            sparse: false,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "step counts are far below 2^52")]
    fn held_out(&self, name: &'static str, value: fn(&Validation) -> f64) -> Curve {
        let point = |line: &Validation| (line.step as f64, value(line));
        Curve {
            name,
            points: self.validations.iter().map(point).collect(),
            sparse: true,
        }
    }
}

fn panel(title: &'static str, curves: Vec<Curve>) -> Panel {
    Panel {
        title,
        curves,
        level: None,
    }
}

impl Panel {
    fn draw(&self) -> String {
        let mut svg = format!(
            "<text y=\"-26\" font-size=\"13\" font-weight=\"600\">{}</text>\n",
            self.title
        );
        let finite = |value: &(f64, f64)| value.1.is_finite();
        let points = || {
            self.curves
                .iter()
                .flat_map(|curve| &curve.points)
                .copied()
                .filter(finite)
        };
        let Some((first_x, first_y)) = points().next() else {
            return svg + "<text y=\"20\" fill=\"#999\">nothing measured yet</text>\n";
        };
        let bounds = |first: f64, values: &mut dyn Iterator<Item = f64>| {
            values.fold((first, first), |(low, high), value| {
                (low.min(value), high.max(value))
            })
        };
        let (_, right) = bounds(first_x, &mut points().map(|(x, _)| x));
        // The first measurements are often outliers. The scale is chosen for the others and always includes the newest.
        let settled = |x: f64| x >= 0.03 * right;
        let levels = self.level.iter().map(|(_, level)| *level);
        let (low, high) = bounds(
            first_y_settled(points(), settled, first_y),
            &mut points()
                .filter(|(x, _)| settled(*x))
                .map(|(_, y)| y)
                .chain(levels),
        );
        let (low, high) = (low.min(0.0_f64.min(high)), high.max(0.0));
        let high = if high - low < 1e-12 { low + 1.0 } else { high };
        let ticks_y = ticks(low, high);
        let (low, high) = (low.min(ticks_y[0]), high.max(ticks_y[ticks_y.len() - 1]));
        let x_of = |x: f64| PANEL_WIDTH * x / right.max(1.0);
        let y_of = |y: f64| PANEL_HEIGHT * (1.0 - (y.clamp(low, high) - low) / (high - low));

        for tick in ticks_y {
            let y = y_of(tick);
            let _ = writeln!(
                svg,
                "<line x2=\"{PANEL_WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#e6e6e6\"/>\
                 <text x=\"-8\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#777\">{}</text>",
                y + 4.0,
                label(tick)
            );
        }
        for tick in ticks(0.0, right).into_iter().filter(|tick| *tick <= right) {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#777\">{}</text>",
                x_of(tick),
                PANEL_HEIGHT + 17.0,
                label(tick)
            );
        }
        if let Some((name, level)) = self.level {
            let y = y_of(level);
            let _ = writeln!(
                svg,
                "<line x2=\"{PANEL_WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#999\" stroke-dasharray=\"4 4\"/>\
                 <text x=\"{PANEL_WIDTH}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#777\" font-size=\"11\">{name}</text>",
                y - 4.0
            );
        }
        let mut legend = 0.0;
        for (curve, color) in self.curves.iter().zip(COLORS) {
            if curve.points.is_empty() {
                continue;
            }
            let path = |points: &[(f64, f64)]| {
                let points = thinned(points).into_iter().filter(finite);
                let each = points.map(|(x, y)| format!("{:.1},{:.1}", x_of(x), y_of(y)));
                each.collect::<Vec<_>>().join(" ")
            };
            let mut line = |points: &str, width: f64, opacity: f64| {
                let _ = writeln!(
                    svg,
                    "<polyline points=\"{points}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" \
                     stroke-opacity=\"{opacity}\" stroke-linejoin=\"round\"/>"
                );
            };
            if curve.sparse {
                line(&path(&curve.points), 1.2, 1.0);
                for (x, y) in curve.points.iter().copied().filter(finite) {
                    let _ = writeln!(
                        svg,
                        "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.6\" fill=\"{color}\"/>",
                        x_of(x),
                        y_of(y)
                    );
                }
            } else {
                line(&path(&curve.points), 1.0, 0.25);
                line(&path(&smooth(&curve.points)), 1.8, 1.0);
            }
            let _ = writeln!(
                svg,
                "<rect x=\"{legend:.0}\" y=\"-16\" width=\"12\" height=\"4\" rx=\"2\" fill=\"{color}\"/>\
                 <text x=\"{:.0}\" y=\"-10\" font-size=\"11\">{}</text>",
                legend + 17.0,
                curve.name
            );
            #[expect(clippy::cast_precision_loss, reason = "short names")]
            let width = curve.name.chars().count() as f64 * 6.2;
            legend += width + 32.0;
        }
        svg
    }
}

/// The first value that determines the scale.
fn first_y_settled(
    mut points: impl Iterator<Item = (f64, f64)>,
    settled: impl Fn(f64) -> bool,
    otherwise: f64,
) -> f64 {
    points.find(|(x, _)| settled(*x)).map_or(otherwise, |(_, y)| y)
}

/// A running mean over one fiftieth of the curve on each side.
fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let reach = (points.len() / 50).max(1);
    (0..points.len())
        .map(|at| {
            let around = &points[at.saturating_sub(reach)..(at + reach + 1).min(points.len())];
            let sum: f64 = around.iter().map(|(_, y)| y).sum();
            #[expect(clippy::cast_precision_loss, reason = "far fewer points than 2^52")]
            let mean = sum / around.len() as f64;
            (points[at].0, mean)
        })
        .collect()
}

/// Every n-th point, and the last point.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(POINTS).max(1);
    let mut kept: Vec<_> = points.iter().copied().step_by(every).collect();
    if kept.last() != points.last() {
        kept.extend(points.last());
    }
    kept
}

/// Three to six round numbers from at most `low` to about `high`.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = ((high - low) / 4.0).max(1e-12);
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step).floor() * step;
    let mut ticks = vec![first];
    while let Some(last) = ticks.last().copied().filter(|last| last + step * 0.01 < high) {
        ticks.push(last + step);
    }
    ticks
}

fn label(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude < 1e-12 {
        return "0".to_owned();
    }
    if magnitude >= 1e4 {
        return format!("{}k", round(value / 1e3));
    }
    round(value)
}

/// At most three significant digits.
fn round(value: f64) -> String {
    let digits = 2.0 - value.abs().log10().floor();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let digits = digits.clamp(0.0, 9.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrainConfig;

    fn history(lines: u64) -> History {
        let line = |step| Progress {
            step,
            cycle: 1.0 / (1.0 + step as f32),
            gradient_penalty: f32::NAN,
            ..Progress::default()
        };
        History {
            name: "a <b".to_owned(),
            config: TrainConfig::new("faces"),
            metrics: (1..=lines).map(|at| line(10 * at)).collect(),
            validations: Vec::new(),
            warnings: 0,
            saved: 0,
        }
    }

    #[test]
    fn a_plot_is_one_picture_whatever_was_measured() {
        for lines in [0, 1, 3, 5000] {
            let svg = history(lines).plot();
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
            assert_eq!(svg.matches("<g ").count(), svg.matches("</g>").count());
            assert!(svg.contains("a &lt;b") && !svg.contains("NaN") && !svg.contains("inf"));
            assert!(svg.len() < 400_000, "{} bytes of {lines} lines", svg.len());
        }
    }

    #[test]
    fn a_motion_run_shows_its_own_losses_and_no_matched_ones_while_it_is_taught() {
        let mut history = history(40);
        history.config = TrainConfig::motion("faces");
        history.config.motion.taught_steps = 400;
        for line in &mut history.metrics {
            line.gradient_penalty = 1.0;
            line.motion = Some(MotionProgress {
                field: 0.5,
                field_baseline: 1.0,
                ..MotionProgress::default()
            });
        }
        let points = |history: &History, title: &str| {
            let panels = history.panels();
            let panel = panels
                .iter()
                .find(|panel| panel.title.starts_with(title))
                .unwrap();
            panel.curves[0].points.len()
        };
        assert_eq!(points(&history, "Motion's difference"), 40);
        assert_eq!(points(&history, "Score"), 0);
        // Scores, cycle, and R1.
        assert_eq!(history.plot().matches("nothing measured yet").count(), 3);
        history.config.motion.taught_steps = 100;
        assert_eq!(points(&history, "Score"), 30);
        assert_eq!(history.plot().matches("nothing measured yet").count(), 0);
    }

    #[test]
    fn ticks_are_round_and_enclose_the_values() {
        assert_eq!(ticks(0.0, 1.0), [0.0, 0.5, 1.0]);
        for (low, high) in [(0.0, 0.0173), (-3.2, 0.4), (0.0, 5600.0)] {
            let ticks = ticks(low, high);
            assert!((3..=7).contains(&ticks.len()), "{ticks:?}");
            assert!(
                ticks[0] <= low && ticks[ticks.len() - 1] >= high * 0.999,
                "{ticks:?}"
            );
        }
        assert_eq!(
            [0.0, 0.005, 25.0, 1500.0, 20000.0].map(label),
            ["0", "0.005", "25", "1500", "20k"]
        );
    }
}
