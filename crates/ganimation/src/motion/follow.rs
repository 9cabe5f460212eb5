//! Timelines from measured intensities.

use std::str::FromStr;

use ganimation_data::MAX_INTENSITY;
use ganimation_data::{AU_COUNT, ActionUnit, Intensities};

use super::{Ease, Key, Timeline};
use crate::{Change, Error, Expression, Result};

/// Standard deviation of the smoothing, in seconds. Measured intensities are noisy.
const SMOOTHING: f32 = 0.07;
/// The neutral intensity of a unit is this quantile of its values, which is low and robust against outliers.
const AT_REST: f32 = 0.1;

/// The neutral intensities of a driver. Changes from them are added to the photo's intensities.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Neutral {
    /// A low value of each action unit: its 10 % quantile over the film.
    #[default]
    Calm,
    /// The first measurement.
    First,
    /// The measurement nearest to this time, in seconds from the first measurement.
    At(f32),
}

impl FromStr for Neutral {
    type Err = Error;

    /// Parses `calm`, `first` or a time in seconds.
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

impl Timeline {
    /// A timeline that follows measured intensities, `(seconds, intensities)`, after smoothing.
    ///
    /// With `neutral`, the differences from the driver's neutral intensities are added to the photo's intensities. So a
    /// driver whose brows are always low does not lower the brows in the photo. Without `neutral`, the targets are the
    /// measured intensities.
    ///
    /// # Errors
    /// See [`Timeline::new`].
    pub fn following(measured: &[(f32, Intensities)], neutral: Option<Neutral>) -> Result<Self> {
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

/// An action unit whose targets in a film leave 0 to 5 and are clamped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clipped {
    /// The action unit.
    pub unit: ActionUnit,
    /// Number of frames with a target outside the range by more than 0.5.
    pub frames: usize,
    /// The target with the largest excess.
    pub furthest: f32,
}

impl Clipped {
    /// The action units that a face with the intensities `shown` cannot follow in the frames of `film`. The largest excess
    /// comes first.
    pub fn in_frames(film: &[Expression], shown: &Intensities) -> Vec<Self> {
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
}

/// Smooths the measurements over time with a Gaussian.
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
            let film = Timeline::following(&driver, Some(neutral)).unwrap();
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
        let fading = smiles(&Timeline::following(&driver, Some(Neutral::Calm)).unwrap(), 0.0);
        assert!(fading[0] > 2.3 && fading[59] < 0.1, "{fading:?}");
        let at_the_end = smiles(
            &Timeline::following(&driver, Some(Neutral::At(9.0))).unwrap(),
            0.0,
        );
        assert!(at_the_end[0] > 2.6, "{at_the_end:?}");
        let still = smiles(&Timeline::following(&driver, Some(Neutral::First)).unwrap(), 0.0);
        assert!(still.iter().all(|smile| *smile < 0.1), "{still:?}");
    }

    #[test]
    fn what_the_face_cannot_follow_is_counted() {
        let driver = measured(|frame| 3.0 - f32::from(frame) / 20.0);
        let film = Timeline::following(&driver, Some(Neutral::First))
            .unwrap()
            .frames(30.0);
        let beyond = Clipped::in_frames(&film, &Intensities::default());
        assert_eq!(beyond.len(), 1);
        assert_eq!(beyond[0].unit, SMILE);
        assert!((-3.0..-2.7).contains(&beyond[0].furthest), "{beyond:?}");
        assert!((45..52).contains(&beyond[0].frames), "{beyond:?}");
        let mut shown = Intensities::default();
        shown.set(SMILE, 3.0);
        assert_eq!(Clipped::in_frames(&film, &shown), []);
    }

    #[test]
    fn an_absolute_film_asks_for_the_very_intensities() {
        let film = Timeline::following(&measured(|_| 2.0), None).unwrap();
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
