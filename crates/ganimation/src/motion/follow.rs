//! Faces that another face drives: intensities measured over time, as a film.

use std::str::FromStr;

use ganimation_data::au::MAX_INTENSITY;
use ganimation_data::{AU_COUNT, ActionUnit, Intensities};

use super::{Ease, Key, Timeline};
use crate::{Change, Error, Expression, Result};

/// Standard deviation of the smoothing, in seconds: measured intensities tremble from frame to frame.
const SMOOTHING: f32 = 0.07;
/// Share of a film in which a unit of a face at rest is lower: low, yet no single wrong measurement.
const AT_REST: f32 = 0.1;

/// When a driver's face is at rest; what changes since then is added to the photo's face.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Neutral {
    /// Each action unit where it is low: at the level that it stays under for a tenth of the film.
    #[default]
    Calm,
    /// In the first measurement.
    First,
    /// So many seconds after the first measurement.
    At(f32),
}

impl FromStr for Neutral {
    type Err = Error;

    /// Reads `calm`, `first` or seconds.
    fn from_str(text: &str) -> Result<Self> {
        match text.trim() {
            "calm" => Ok(Self::Calm),
            "first" => Ok(Self::First),
            seconds => match seconds.parse() {
                Ok(seconds) if (0.0..=f32::MAX).contains(&seconds) => Ok(Self::At(seconds)),
                _ => Err(Error::Neutral {
                    found: text.to_owned(),
                }),
            },
        }
    }
}

/// The film that follows measured intensities, smoothed; times are seconds.
///
/// With a `neutral`, it adds to the photo's face what changes since then, so that a driver whose brows are always low
/// lowers nobody's brows; without, it asks for the very intensities.
///
/// # Errors
/// Those of [`Timeline::new`].
pub fn follow(measured: &[(f32, Intensities)], neutral: Option<Neutral>) -> Result<Timeline> {
    let smooth = smoothed(measured);
    let rest = neutral.map(|neutral| at_rest(measured, &smooth, neutral));
    let keys: Result<Vec<Key>> = measured
        .iter()
        .zip(&smooth)
        .map(|((time, _), now)| {
            let expression = match &rest {
                Some(rest) => difference(rest, now)?,
                None => Expression::from(*now),
            };
            Ok(Key {
                time: *time,
                expression,
                ease: Ease::Linear,
            })
        })
        .collect();
    Timeline::new(keys?)
}

fn at_rest(measured: &[(f32, Intensities)], smooth: &[Intensities], neutral: Neutral) -> Intensities {
    let at = |seconds: f32| {
        let distance = |index: &usize| (measured[*index].0 - seconds).abs();
        (0..smooth.len()).min_by(|one, other| distance(one).total_cmp(&distance(other)))
    };
    let one = |index: Option<usize>| index.and_then(|index| smooth.get(index)).copied();
    match neutral {
        Neutral::First => one(Some(0)),
        Neutral::At(seconds) => one(at(seconds)),
        Neutral::Calm => Some(calm(smooth)),
    }
    .unwrap_or_default()
}

fn calm(smooth: &[Intensities]) -> Intensities {
    Intensities::new(ActionUnit::ALL.map(|unit| {
        let mut values: Vec<f32> = smooth.iter().map(|shown| shown.get(unit)).collect();
        values.sort_by(f32::total_cmp);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of an index is an index"
        )]
        let index = (values.len().saturating_sub(1) as f32 * AT_REST) as usize;
        values.get(index).copied().unwrap_or_default()
    }))
}

fn difference(rest: &Intensities, now: &Intensities) -> Result<Expression> {
    rest.iter()
        .zip(now.iter())
        .try_fold(Expression::new(), |expression, ((unit, rest), (_, now))| {
            let change = (now - rest).clamp(-MAX_INTENSITY, MAX_INTENSITY);
            expression.with(unit, Change::By(change))
        })
}

/// An action unit that a film asks for beyond 0 to 5, where it stays at the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clipped {
    /// The action unit.
    pub unit: ActionUnit,
    /// In how many frames it is asked for beyond the end by more than half an intensity.
    pub frames: usize,
    /// The intensity asked for that is furthest out.
    pub furthest: f32,
}

/// The action units that a face which shows `shown` cannot follow, the worst first.
pub fn clipped(film: &[Expression], shown: &Intensities) -> Vec<Clipped> {
    const SLACK: f32 = 0.5;
    let beyond = |asked: f32| (-asked).max(asked - MAX_INTENSITY);
    let mut clipped: Vec<Clipped> = Vec::new();
    for unit in ActionUnit::ALL {
        let asked = film.iter().map(|frame| frame.apply_unclamped(shown).get(unit));
        let outside = asked.filter(|&asked| beyond(asked) > SLACK);
        let worst = outside.fold(None, |worst: Option<Clipped>, asked| {
            let worst = worst.unwrap_or(Clipped {
                unit,
                frames: 0,
                furthest: asked,
            });
            let further = beyond(asked) > beyond(worst.furthest);
            Some(Clipped {
                frames: worst.frames + 1,
                furthest: if further { asked } else { worst.furthest },
                ..worst
            })
        });
        clipped.extend(worst);
    }
    clipped.sort_by(|one, other| beyond(other.furthest).total_cmp(&beyond(one.furthest)));
    clipped
}

/// Each measurement as the mean of its neighbours in time, weighted by a Gaussian.
pub(crate) fn smoothed(measured: &[(f32, Intensities)]) -> Vec<Intensities> {
    let reach = 3.0 * SMOOTHING;
    let mut first = 0;
    measured
        .iter()
        .map(|&(now, _)| {
            while measured[first].0 < now - reach {
                first += 1;
            }
            let near = measured[first..]
                .iter()
                .take_while(|(time, _)| *time <= now + reach);
            let (mut sum, mut weights) = ([0.0; AU_COUNT], 0.0);
            for (time, intensities) in near {
                let distance = (time - now) / SMOOTHING;
                let weight = (-0.5 * distance * distance).exp();
                weights += weight;
                for (sum, value) in sum.iter_mut().zip(intensities.as_array()) {
                    *sum += weight * value;
                }
            }
            Intensities::new(sum.map(|sum| sum / weights))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMILE: ActionUnit = ActionUnit::LipCornerPuller;

    fn measured(smile: impl Fn(u16) -> f32) -> Vec<(f32, Intensities)> {
        (0..60)
            .map(|frame| {
                let mut intensities = Intensities::default();
                intensities.set(SMILE, smile(frame));
                intensities.set(ActionUnit::BrowLowerer, 3.0);
                (f32::from(frame) / 30.0, intensities)
            })
            .collect()
    }

    fn smiles(film: &Timeline, shown: f32) -> Vec<f32> {
        let shown = Intensities::new([shown; AU_COUNT]);
        film.frames(30.0)
            .iter()
            .map(|frame| frame.apply(&shown).get(SMILE))
            .collect()
    }

    #[test]
    fn a_relative_film_adds_what_changes() {
        let driver = measured(|frame| if frame < 30 { 1.0 } else { 3.0 });
        for neutral in [Neutral::Calm, Neutral::First, Neutral::At(0.5)] {
            let film = follow(&driver, Some(neutral)).unwrap();
            let smiles = smiles(&film, 0.5);
            assert!((smiles[0] - 0.5).abs() < 1e-5, "{smiles:?}");
            assert!((smiles[59] - 2.5).abs() < 1e-4, "{smiles:?}");
            let brows = film.at(1.0).apply(&Intensities::default());
            assert!(
                brows.get(ActionUnit::BrowLowerer).abs() < 1e-5,
                "the driver's low brows stay its own"
            );
        }
    }

    #[test]
    fn a_driver_that_starts_with_a_smile_starts_the_film_with_one_that_fades() {
        let driver = measured(|frame| 3.0 - f32::from(frame) / 20.0);
        let fading = smiles(&follow(&driver, Some(Neutral::Calm)).unwrap(), 0.0);
        assert!(fading[0] > 2.3 && fading[59] < 0.1, "{fading:?}");
        let at_the_end = smiles(&follow(&driver, Some(Neutral::At(9.0))).unwrap(), 0.0);
        assert!(at_the_end[0] > 2.6, "{at_the_end:?}");
        let still = smiles(&follow(&driver, Some(Neutral::First)).unwrap(), 0.0);
        assert!(still.iter().all(|smile| *smile < 0.1), "{still:?}");
    }

    #[test]
    fn what_the_face_cannot_follow_is_counted() {
        let driver = measured(|frame| 3.0 - f32::from(frame) / 20.0);
        let film = follow(&driver, Some(Neutral::First)).unwrap().frames(30.0);
        let beyond = clipped(&film, &Intensities::default());
        assert_eq!(beyond.len(), 1);
        assert_eq!(beyond[0].unit, SMILE);
        assert!((-3.0..-2.7).contains(&beyond[0].furthest), "{beyond:?}");
        assert!((45..52).contains(&beyond[0].frames), "{beyond:?}");
        let mut shown = Intensities::default();
        shown.set(SMILE, 3.0);
        assert_eq!(clipped(&film, &shown), []);
    }

    #[test]
    fn an_absolute_film_asks_for_the_very_intensities() {
        let film = follow(&measured(|_| 2.0), None).unwrap();
        assert!(smiles(&film, 4.0).iter().all(|smile| (smile - 2.0).abs() < 1e-5));
    }

    #[test]
    fn a_neutral_is_calm_first_or_a_time() {
        let read = |text: &str| text.parse::<Neutral>();
        assert_eq!(read("calm").unwrap(), Neutral::Calm);
        assert_eq!(read("first").unwrap(), Neutral::First);
        assert_eq!(read("1.5").unwrap(), Neutral::At(1.5));
        for text in ["", "-1", "NaN", "last"] {
            assert!(matches!(read(text), Err(Error::Neutral { .. })), "{text}");
        }
    }

    #[test]
    fn trembling_is_smoothed_and_a_step_stays_one() {
        let trembling = measured(|frame| 2.0 + f32::from(frame % 2));
        let smooth = smoothed(&trembling);
        let tremor = |a: &Intensities, b: &Intensities| (a.get(SMILE) - b.get(SMILE)).abs();
        let largest = smooth[10..50]
            .windows(2)
            .map(|pair| tremor(&pair[0], &pair[1]))
            .fold(0.0, f32::max);
        assert!(largest < 0.05, "frames differ by {largest} of 1");

        let step = smoothed(&measured(|frame| if frame < 30 { 0.0 } else { 4.0 }));
        assert!(step[20].get(SMILE) < 0.01 && step[40].get(SMILE) > 3.99);
    }
}
