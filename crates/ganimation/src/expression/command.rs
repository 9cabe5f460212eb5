//! Parsing of `--au 12=3` and `--emotion happy=0.8`.

use std::str::FromStr;

use ganimation_data::ActionUnit;

use super::{Change, Emotion};
use crate::{Error, Result};

/// A value of `--au`: `12=3` is an intensity, `12=+1` is a difference, `12=0..4` is a movement from one intensity to
/// another.
///
/// The unit is written as a number (`12`), a code (`AU06`) or a name (`lip-corner-puller`).
///
/// ```
/// use ganimation::{ActionUnit, AuCommand, Change};
///
/// let command: AuCommand = "AU12=0..4".parse()?;
/// assert_eq!(command.unit, ActionUnit::LipCornerPuller);
/// assert_eq!((command.from, command.to), (Some(Change::To(0.0)), Change::To(4.0)));
/// # Ok::<(), ganimation::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AuCommand {
    /// The action unit.
    pub unit: ActionUnit,
    /// The start of the movement; the photo's intensity if `None`.
    pub from: Option<Change>,
    /// The target, or the end of the movement.
    pub to: Change,
}

impl FromStr for AuCommand {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || Error::AuCommand {
            found: text.to_owned(),
        };
        let (unit, change) = text.split_once('=').ok_or_else(malformed)?;
        let unit: ActionUnit = unit.parse()?;
        let change_of = |text: &str| {
            let change = text.parse::<Change>().ok().ok_or_else(malformed)?;
            change.checked(unit)
        };
        let (from, to) = ends(change);
        Ok(Self {
            unit,
            from: from.map(change_of).transpose()?,
            to: change_of(to)?,
        })
    }
}

/// A value of `--emotion`: `happy` is full strength, `happy=0.8` is a strength of 0.8, `happy=0..1` is a movement from
/// strength 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EmotionCommand {
    /// The emotion.
    pub emotion: Emotion,
    /// Strength at the start of a movement, 0 to 1; the photo's expression if `None`.
    pub from: Option<f32>,
    /// The strength, 0 to 1; in a movement, the strength at its end.
    pub to: f32,
}

impl FromStr for EmotionCommand {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || Error::EmotionCommand {
            found: text.to_owned(),
        };
        let (emotion, strength) = text.split_once('=').unwrap_or((text, "1"));
        let emotion: Emotion = emotion.parse()?;
        let strength_of = |text: &str| {
            let strength = text.trim().parse::<f32>().ok().ok_or_else(malformed)?;
            emotion.at(strength).map(|_| strength)
        };
        let (from, to) = ends(strength);
        Ok(Self {
            emotion,
            from: from.map(strength_of).transpose()?,
            to: strength_of(to)?,
        })
    }
}

/// The two sides of `0..4`, or the single value.
fn ends(text: &str) -> (Option<&str>, &str) {
    match text.split_once("..") {
        Some((from, to)) => (Some(from), to),
        None => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMILE: ActionUnit = ActionUnit::LipCornerPuller;

    #[test]
    fn a_unit_is_read_by_number_code_and_name() {
        for text in ["12=3", "AU12=3", "au12=3.0", "lip-corner-puller=3", " 12 = 3 "] {
            let expected = AuCommand {
                unit: SMILE,
                from: None,
                to: Change::To(3.0),
            };
            assert_eq!(text.parse::<AuCommand>().unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn signs_make_differences_and_dots_make_movements() {
        let read = |text: &str| {
            let command: AuCommand = text.parse().unwrap();
            (command.from, command.to)
        };
        assert_eq!(read("12=+1"), (None, Change::By(1.0)));
        assert_eq!(read("12=-0.5"), (None, Change::By(-0.5)));
        assert_eq!(read("12=0.5..4.25"), (Some(Change::To(0.5)), Change::To(4.25)));
        assert_eq!(read("12=+0..+2"), (Some(Change::By(0.0)), Change::By(2.0)));
    }

    #[test]
    fn a_malformed_command_differs_from_an_unknown_unit() {
        for text in [
            "12",
            "12=",
            "12=a",
            "12=..",
            "12=1..",
            "12=1..2..3",
            "12:3",
            "12=+-1",
        ] {
            let error = text.parse::<AuCommand>().unwrap_err();
            assert!(matches!(error, Error::AuCommand { .. }), "{text}: {error}");
        }
        for text in ["3=1", "smile=2", "=1"] {
            let error = text.parse::<AuCommand>().unwrap_err();
            assert!(matches!(error, Error::Data(_)), "{text}: {error}");
        }
    }

    #[test]
    fn what_leaves_the_scale_is_refused() {
        for text in ["12=5.01", "12=-6", "12=+5.5", "12=0..6", "12=nan", "12=inf"] {
            let error = text.parse::<AuCommand>().unwrap_err();
            assert!(
                matches!(error, Error::Intensity { unit: SMILE, .. }),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn emotions_are_read_with_and_without_strength() {
        let read = |text: &str| {
            let command: EmotionCommand = text.parse().unwrap();
            (command.emotion, command.from, command.to)
        };
        assert_eq!(read("happy"), (Emotion::Happiness, None, 1.0));
        assert_eq!(read("Fear=0.25"), (Emotion::Fear, None, 0.25));
        assert_eq!(read("sad=0..0.5"), (Emotion::Sadness, Some(0.0), 0.5));
        for text in ["happy=", "happy=much", "happy=0..", "happy=+0.x"] {
            let error = text.parse::<EmotionCommand>().unwrap_err();
            assert!(matches!(error, Error::EmotionCommand { .. }), "{text}: {error}");
        }
        assert!(matches!(
            "happy=2".parse::<EmotionCommand>(),
            Err(Error::Strength { .. })
        ));
    }
}
