//! Expressions over time.

mod driver;
mod ease;
mod follow;
mod script;

use std::iter;

use crate::{Error, Expression, Result};

pub use driver::{Driver, DriverOptions, DriverRemark};
pub use ease::Ease;
pub(crate) use follow::smoothed;
pub use follow::{Clipped, Neutral};

/// Longest timeline, in seconds: four hours.
pub(crate) const MAX_SECONDS: f32 = 14_400.0;

/// A target expression at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// Seconds from the start.
    pub time: f32,
    /// The target expression.
    pub expression: Expression,
    /// The easing curve from the previous key.
    pub ease: Ease,
}

/// Keys over time. Expressions between keys are interpolated.
///
/// ```
/// use ganimation::{ActionUnit, Ease, Expression, Timeline};
///
/// let smile = Expression::new().with(ActionUnit::LipCornerPuller, 4.0)?;
/// let film = Timeline::there_and_back(Expression::new(), smile, 2.0, Ease::InOut);
/// assert_eq!(film.at(1.0), smile);
/// assert_eq!(film.frames(12.0).len(), 24); // it repeats, so the last key is not included
/// # Ok::<(), ganimation::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    keys: Vec<Key>,
}

impl Timeline {
    /// A timeline of keys with increasing times.
    ///
    /// # Errors
    /// [`Error::Keys`] if there are no keys, if the times do not increase, or if a time is outside 0 to 14,400 s.
    pub fn new(keys: Vec<Key>) -> Result<Self> {
        if keys.is_empty() {
            return Err(Error::Keys {
                number: 1,
                found: None,
            });
        }
        let earlier = iter::once(-1.0).chain(keys.iter().map(|key| key.time));
        for (number, (key, earlier)) in (1..).zip(keys.iter().zip(earlier)) {
            if !(0.0..=MAX_SECONDS).contains(&key.time) || key.time <= earlier {
                return Err(Error::Keys {
                    number,
                    found: Some(key.time),
                });
            }
        }
        Ok(Self { keys })
    }

    /// A movement from one expression to another in `seconds`.
    ///
    /// # Panics
    /// If `seconds` is not positive.
    pub fn once(from: Expression, to: Expression, seconds: f32, ease: Ease) -> Self {
        assert!(seconds > 0.0, "a movement of {seconds} s");
        let key = |time, expression| Key {
            time,
            expression,
            ease,
        };
        Self {
            keys: vec![key(0.0, from), key(seconds, to)],
        }
    }

    /// A movement from one expression to another and back, in `seconds` in total.
    ///
    /// # Panics
    /// If `seconds` is not positive.
    pub fn there_and_back(from: Expression, to: Expression, seconds: f32, ease: Ease) -> Self {
        let mut there = Self::once(from, to, seconds / 2.0, ease);
        there.keys.push(Key {
            time: seconds,
            expression: from,
            ease: ease.reversed(),
        });
        there
    }

    /// Length in seconds.
    pub fn seconds(&self) -> f32 {
        self.keys.last().map_or(0.0, |key| key.time)
    }

    /// The expression at `time` seconds. Before the first key, it is that of the first key; after the last key, that of
    /// the last key.
    pub fn at(&self, time: f32) -> Expression {
        let next = self.keys.partition_point(|key| key.time < time);
        match (next.checked_sub(1), self.keys.get(next)) {
            (Some(last), Some(next)) => {
                let last = self.keys[last];
                let share = (time - last.time) / (next.time - last.time);
                last.expression.towards(&next.expression, next.ease.at(share))
            }
            (None, Some(key)) => key.expression,
            (last, None) => last.map_or_else(Expression::new, |last| self.keys[last].expression),
        }
    }

    /// The expressions of the frames of a film.
    ///
    /// If there are at least three keys, and the last has the expression of the first, the film repeats: the last key
    /// is not included.
    ///
    /// # Panics
    /// If `fps` is not positive.
    pub fn frames(&self, fps: f32) -> Vec<Expression> {
        assert!(fps > 0.0, "{fps} frames a second");
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "four hours at any rate fit, and casts saturate"
        )]
        let steps = (self.seconds() * fps).round().max(1.0) as usize;
        let repeats = self.keys.len() > 2 && self.at(0.0) == self.at(self.seconds());
        let count = if repeats || self.keys.len() == 1 {
            steps
        } else {
            steps + 1
        };
        let step = self.seconds() / steps as f32;
        (0..count).map(|frame| self.at(frame as f32 * step)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganimation_data::{ActionUnit, Intensities};

    const SMILE: ActionUnit = ActionUnit::LipCornerPuller;

    fn smile(intensity: f32) -> Expression {
        Expression::new().with(SMILE, intensity).unwrap()
    }

    fn intensities(frames: &[Expression]) -> Vec<f32> {
        let shown = Intensities::default();
        frames
            .iter()
            .map(|frame| frame.apply(&shown).get(SMILE))
            .collect()
    }

    #[test]
    fn there_and_back_reaches_the_peak_halfway_and_repeats_without_a_jolt() {
        let film = Timeline::there_and_back(smile(0.0), smile(4.0), 1.0, Ease::InOut);
        let film = intensities(&film.frames(8.0));
        assert_eq!(film.len(), 8);
        assert_eq!((film[0], film[4]), (0.0, 4.0));
        for frame in 1..8 {
            assert!((film[frame] - film[8 - frame]).abs() < 1e-5, "{film:?}");
        }
    }

    #[test]
    fn once_shows_both_ends() {
        let film = Timeline::once(smile(1.0), smile(3.0), 1.0, Ease::Linear);
        assert_eq!(intensities(&film.frames(4.0)), [1.0, 1.5, 2.0, 2.5, 3.0]);
    }

    #[test]
    fn keys_are_passed_in_order_and_held_beyond_the_ends() {
        let key = |time, intensity| Key {
            time,
            expression: smile(intensity),
            ease: Ease::Linear,
        };
        let film = Timeline::new(vec![key(0.5, 1.0), key(1.0, 3.0), key(3.0, 0.0)]).unwrap();
        let at = |time| intensities(&[film.at(time)])[0];
        assert_eq!((at(0.0), at(0.5), at(0.75), at(1.0)), (1.0, 1.0, 2.0, 3.0));
        assert_eq!((at(2.0), at(3.0), at(9.0)), (1.5, 0.0, 0.0));
        assert_eq!(film.seconds(), 3.0);
    }

    #[test]
    fn keys_that_go_back_in_time_are_refused() {
        let key = |time| Key {
            time,
            expression: smile(1.0),
            ease: Ease::Linear,
        };
        for times in [
            &[][..],
            &[1.0, 1.0],
            &[1.0, 0.5],
            &[-1.0],
            &[f32::NAN],
            &[15_000.0],
        ] {
            let keys = times.iter().map(|&time| key(time)).collect();
            assert!(
                matches!(Timeline::new(keys), Err(Error::Keys { .. })),
                "{times:?}"
            );
        }
        assert_eq!(Timeline::new(vec![key(0.0)]).unwrap().frames(10.0).len(), 1);
    }
}
