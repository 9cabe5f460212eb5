//! Target expressions: action units, each with an intensity or a difference.

mod command;
mod emotion;
mod file;

use std::fmt;
use std::str::FromStr;

use ganimation_data::MAX_INTENSITY;
use ganimation_data::{AU_COUNT, ActionUnit, Intensities};

use crate::{Error, Result};

pub use command::{AuCommand, EmotionCommand};
pub use emotion::Emotion;
pub(crate) use file::{ExpressionFile, read_toml};

/// The target of one action unit.
///
/// In text, `3` is [`Change::To`], and `+1` and `-0.5` are [`Change::By`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Set this intensity, 0 to 5, regardless of the photo.
    To(f32),
    /// Add this difference, -5 to 5, to the photo's intensity. The result is limited to 0 to 5.
    By(f32),
}

impl Change {
    fn checked(self, unit: ActionUnit) -> Result<Self> {
        let (found, lowest) = match self {
            Self::To(intensity) => (intensity, 0.0),
            Self::By(difference) => (difference, -MAX_INTENSITY),
        };
        if (lowest..=MAX_INTENSITY).contains(&found) {
            Ok(self)
        } else {
            Err(Error::Intensity { unit, found, lowest })
        }
    }
}

impl From<f32> for Change {
    fn from(intensity: f32) -> Self {
        Self::To(intensity)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::To(intensity) => write!(f, "{intensity}"),
            Self::By(difference) => write!(f, "{difference:+}"),
        }
    }
}

impl FromStr for Change {
    type Err = std::num::ParseFloatError;

    /// Parses `3` and `+1`. A number with a sign is a difference.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let number = text.parse()?;
        Ok(if text.starts_with(['+', '-']) {
            Self::By(number)
        } else {
            Self::To(number)
        })
    }
}

/// Targets of some action units. The others keep the photo's intensities.
///
/// ```
/// use ganimation::{ActionUnit, Change, Expression, Intensities};
///
/// let mut shown = Intensities::default();
/// shown.set(ActionUnit::CheekRaiser, 0.5);
/// shown.set(ActionUnit::Blink, 2.0);
///
/// let smile = Expression::new()
///     .with(ActionUnit::LipCornerPuller, 3.0)?
///     .with(ActionUnit::CheekRaiser, Change::By(1.0))?;
/// let target = smile.apply(&shown);
/// assert_eq!(target.get(ActionUnit::LipCornerPuller), 3.0);
/// assert_eq!(target.get(ActionUnit::CheekRaiser), 1.5);
/// assert_eq!(target.get(ActionUnit::Blink), 2.0);
/// # Ok::<(), ganimation::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expression {
    // A target is `keep * shown + add`. Interpolations between two expressions also have this form. A list of changes
    // could not represent them.
    keep: [f32; AU_COUNT],
    add: [f32; AU_COUNT],
}

impl Expression {
    /// The photo's own expression.
    pub const fn new() -> Self {
        Self {
            keep: [1.0; AU_COUNT],
            add: [0.0; AU_COUNT],
        }
    }

    /// A neutral face: every action unit is 0, regardless of the photo.
    pub const fn neutral() -> Self {
        Self {
            keep: [0.0; AU_COUNT],
            add: [0.0; AU_COUNT],
        }
    }

    /// Sets the target of `unit`, replacing an earlier target.
    ///
    /// # Errors
    /// [`Error::Intensity`] for an intensity outside 0 to 5, a difference outside -5 to 5, and NaN.
    pub fn with(mut self, unit: ActionUnit, change: impl Into<Change>) -> Result<Self> {
        let (keep, add) = match change.into().checked(unit)? {
            Change::To(intensity) => (0.0, intensity),
            Change::By(difference) => (1.0, difference),
        };
        self.keep[unit.index()] = keep;
        self.add[unit.index()] = add;
        Ok(self)
    }

    /// Adds an emotion with a strength from 0 to 1. If two emotions have the same action unit, the larger intensity is
    /// used.
    ///
    /// # Errors
    /// [`Error::Strength`] unless `strength` is from 0 to 1.
    pub fn with_emotion(self, emotion: Emotion, strength: f32) -> Result<Self> {
        let units = emotion.at(strength)?;
        units.into_iter().try_fold(self, |expression, (unit, intensity)| {
            let so_far = match expression.change(unit) {
                Some(Change::To(intensity)) => intensity,
                _ => 0.0,
            };
            expression.with(unit, intensity.max(so_far))
        })
    }

    /// The target of `unit`; `None` if it keeps the photo's intensity.
    pub fn change(&self, unit: ActionUnit) -> Option<Change> {
        match (self.keep[unit.index()], self.add[unit.index()]) {
            (1.0, 0.0) => None,
            (0.0, intensity) => Some(Change::To(intensity)),
            (_, difference) => Some(Change::By(difference)),
        }
    }

    /// The target intensities for a face that shows `shown`, limited to 0 to 5.
    pub fn apply(&self, shown: &Intensities) -> Intensities {
        let target = self.apply_unclamped(shown);
        Intensities::new(target.as_array().map(|value| value.clamp(0.0, MAX_INTENSITY)))
    }

    /// Like [`Expression::apply`], but without the limit to 0 to 5, which differences can exceed.
    pub fn apply_unclamped(&self, shown: &Intensities) -> Intensities {
        let target = |unit: ActionUnit| self.keep[unit.index()] * shown.get(unit) + self.add[unit.index()];
        Intensities::new(ActionUnit::ALL.map(target))
    }

    /// Interpolates between this expression (`share` 0) and `other` (`share` 1).
    #[must_use]
    pub fn towards(&self, other: &Self, share: f32) -> Self {
        let between = |a: &[f32; AU_COUNT], b: &[f32; AU_COUNT]| {
            std::array::from_fn(|unit| a[unit] * (1.0 - share) + b[unit] * share)
        };
        Self {
            keep: between(&self.keep, &other.keep),
            add: between(&self.add, &other.add),
        }
    }
}

impl Default for Expression {
    fn default() -> Self {
        Self::new()
    }
}

/// Exactly these intensities, regardless of the photo.
impl From<Intensities> for Expression {
    fn from(intensities: Intensities) -> Self {
        Self {
            keep: [0.0; AU_COUNT],
            add: *intensities.as_array(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMILE: ActionUnit = ActionUnit::LipCornerPuller;

    fn shown(intensity: f32) -> Intensities {
        Intensities::new([intensity; AU_COUNT])
    }

    #[test]
    fn unnamed_units_keep_what_the_face_shows() {
        let target = Expression::new().with(SMILE, 4.0).unwrap().apply(&shown(2.0));
        assert_eq!((target.get(ActionUnit::Blink), target.get(SMILE)), (2.0, 4.0));
        let target = Expression::neutral().with(SMILE, 4.0).unwrap().apply(&shown(2.0));
        assert_eq!((target.get(ActionUnit::Blink), target.get(SMILE)), (0.0, 4.0));
    }

    #[test]
    fn differences_are_added_and_stay_within_the_scale() {
        let by = |difference| Expression::new().with(SMILE, Change::By(difference)).unwrap();
        assert_eq!(by(1.0).apply(&shown(2.0)).get(SMILE), 3.0);
        assert_eq!(by(4.0).apply(&shown(2.0)).get(SMILE), 5.0);
        assert_eq!(by(-3.0).apply(&shown(2.0)).get(SMILE), 0.0);
    }

    #[test]
    fn what_leaves_the_scale_is_refused() {
        for change in [
            Change::To(5.01),
            Change::To(-0.1),
            Change::To(f32::NAN),
            Change::By(5.5),
        ] {
            let error = Expression::new().with(SMILE, change).unwrap_err();
            assert!(matches!(error, Error::Intensity { unit: SMILE, .. }), "{error}");
        }
    }

    #[test]
    fn halfway_from_the_photo_to_an_expression_is_the_mean_of_both_targets() {
        let smile = Expression::new().with(SMILE, 4.0).unwrap();
        let halfway = Expression::new().towards(&smile, 0.5);
        assert_eq!(halfway.apply(&shown(1.0)).get(SMILE), 2.5);
        assert_eq!(halfway.apply(&shown(1.0)).get(ActionUnit::Blink), 1.0);
        assert_eq!(Expression::new().towards(&smile, 1.0), smile);
    }

    #[test]
    fn emotions_join_by_the_stronger_unit() {
        let both = Expression::new()
            .with_emotion(Emotion::Surprise, 0.5)
            .and_then(|half| half.with_emotion(Emotion::Fear, 1.0))
            .unwrap();
        let alone = |emotion| {
            Expression::new()
                .with_emotion(emotion, 1.0)
                .unwrap()
                .change(ActionUnit::JawDrop)
        };
        assert_eq!(both.change(ActionUnit::JawDrop), alone(Emotion::Fear));
        assert!(Expression::new().with_emotion(Emotion::Fear, 1.5).is_err());
    }

    #[test]
    fn changes_read_back_as_they_are_written() {
        for text in ["3", "0.5", "+1", "-0.5", "+0"] {
            assert_eq!(text.parse::<Change>().unwrap().to_string(), text);
        }
    }
}
