//! What a face is asked to do: action units by name, and how they grow over the frames.

use std::f32::consts::PI;
use std::str::FromStr;

use ganimation_data::au::MAX_INTENSITY;
use ganimation_data::{AU_COUNT, ActionUnit, Intensities};

use crate::{Error, Result};

/// Some action units and the intensities they shall have, 0 to 5; the others are left unnamed.
///
/// ```
/// use ganimation::{ActionUnit, Expression, Intensities};
///
/// let smile = Expression::new().with(ActionUnit::LipCornerPuller, 3.0)?;
/// let target = smile.over(&Intensities::default());
/// assert_eq!(target.get(ActionUnit::LipCornerPuller), 3.0);
/// # Ok::<(), ganimation::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Expression {
    named: [Option<f32>; AU_COUNT],
}

impl Expression {
    /// Names no action unit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names `unit`, replacing what was said of it before.
    ///
    /// # Errors
    /// [`Error::Intensity`] unless `intensity` lies in 0 to 5 (a NaN does not).
    pub fn with(mut self, unit: ActionUnit, intensity: f32) -> Result<Self> {
        self.named[unit.index()] = Some(checked(unit, intensity)?);
        Ok(self)
    }

    /// Puts the named action units over `face`, which keeps the rest.
    pub fn over(&self, face: &Intensities) -> Intensities {
        let mut target = *face;
        for unit in ActionUnit::ALL {
            if let Some(intensity) = self.named[unit.index()] {
                target.set(unit, intensity);
            }
        }
        target
    }
}

fn checked(unit: ActionUnit, intensity: f32) -> Result<f32> {
    if (0.0..=MAX_INTENSITY).contains(&intensity) {
        Ok(intensity)
    } else {
        Err(Error::Intensity {
            unit,
            found: intensity,
        })
    }
}

/// One `--au` as a person types it: `12=3` holds a unit at an intensity, `12=0..4` moves it between two.
///
/// The unit is written as a number (`12`), a code (`AU06`) or a name (`lip-corner-puller`).
///
/// ```
/// use ganimation::{ActionUnit, AuCommand};
///
/// let command: AuCommand = "AU12=0..4".parse()?;
/// assert_eq!(command.unit, ActionUnit::LipCornerPuller);
/// assert_eq!((command.from, command.to), (0.0, 4.0));
/// # Ok::<(), ganimation::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AuCommand {
    /// The action unit that moves.
    pub unit: ActionUnit,
    /// Intensity at rest, 0 to 5.
    pub from: f32,
    /// Intensity at the peak, 0 to 5; equal to `from` where the unit is held.
    pub to: f32,
}

impl FromStr for AuCommand {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || Error::AuCommand {
            found: text.to_owned(),
        };
        let number = |text: &str| text.trim().parse::<f32>().ok().ok_or_else(malformed);
        let (unit, intensity) = text.split_once('=').ok_or_else(malformed)?;
        let unit = unit.parse()?;
        let (from, to) = intensity.split_once("..").unwrap_or((intensity, intensity));
        Ok(Self {
            unit,
            from: checked(unit, number(from)?)?,
            to: checked(unit, number(to)?)?,
        })
    }
}

/// An expression that moves between rest and peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sweep {
    rest: Expression,
    peak: Expression,
}

impl Sweep {
    /// Joins commands for different action units.
    ///
    /// # Errors
    /// [`Error::RepeatedUnit`] if two commands name the same unit, [`Error::Intensity`] if one leaves 0 to 5.
    pub fn new(commands: &[AuCommand]) -> Result<Self> {
        let mut sweep = Self {
            rest: Expression::new(),
            peak: Expression::new(),
        };
        for &AuCommand { unit, from, to } in commands {
            if sweep.rest.named[unit.index()].is_some() {
                return Err(Error::RepeatedUnit { unit });
            }
            sweep.rest = sweep.rest.with(unit, from)?;
            sweep.peak = sweep.peak.with(unit, to)?;
        }
        Ok(sweep)
    }

    /// The expression at `share` of the way from rest (0) to peak (1).
    pub fn at(&self, share: f32) -> Expression {
        let mut named = self.rest.named;
        for (rest, peak) in named.iter_mut().zip(self.peak.named) {
            if let (Some(rest), Some(peak)) = (rest, peak) {
                *rest = (*rest * (1.0 - share) + peak * share).clamp(0.0, MAX_INTENSITY);
            }
        }
        Expression { named }
    }

    /// The expressions of `count` frames that go from rest to peak and back, ready to be repeated.
    pub fn there_and_back(&self, count: usize) -> Vec<Expression> {
        there_and_back(count).map(|share| self.at(share)).collect()
    }
}

/// Shares in `[0, 1]` of `count` frames that start at 0, reach the peak halfway and end one frame before 0.
///
/// A cosine: it rests at both ends, as a face does, and the frame after the last is the first, so the film loops
/// without a jolt. The peak is exactly 1 if `count` is even.
pub fn there_and_back(count: usize) -> impl Iterator<Item = f32> {
    (0..count).map(move |frame| (1.0 - (2.0 * PI * frame as f32 / count as f32).cos()) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMILE: ActionUnit = ActionUnit::LipCornerPuller;

    fn sweep(commands: &[&str]) -> Result<Sweep> {
        let commands: Result<Vec<AuCommand>> = commands.iter().map(|text| text.parse()).collect();
        Sweep::new(&commands?)
    }

    #[test]
    fn a_unit_is_read_by_number_code_and_name() {
        for text in ["12=3", "AU12=3", "au12=3.0", "lip-corner-puller=3", " 12 = 3 "] {
            let command: AuCommand = text.parse().unwrap();
            assert_eq!(
                command,
                AuCommand {
                    unit: SMILE,
                    from: 3.0,
                    to: 3.0
                },
                "{text}"
            );
        }
        let range: AuCommand = "12=0.5..4.25".parse().unwrap();
        assert_eq!((range.from, range.to), (0.5, 4.25));
    }

    #[test]
    fn a_malformed_command_is_told_apart_from_an_unknown_unit() {
        for text in ["12", "12=", "12=a", "12=..", "12=1..", "12=1..2..3", "12:3"] {
            let error = text.parse::<AuCommand>().unwrap_err();
            assert!(matches!(error, Error::AuCommand { .. }), "{text}: {error}");
        }
        for text in ["3=1", "smile=2", "=1"] {
            let error = text.parse::<AuCommand>().unwrap_err();
            assert!(matches!(error, Error::Data(_)), "{text}: {error}");
        }
    }

    #[test]
    fn intensities_outside_0_to_5_are_refused() {
        for text in ["12=5.01", "12=-1", "12=0..6", "12=nan", "12=inf"] {
            let error = text.parse::<AuCommand>().unwrap_err();
            assert!(
                matches!(error, Error::Intensity { unit: SMILE, .. }),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_unit_named_twice_is_refused() {
        let error = sweep(&["12=1", "6=2", "lip-corner-puller=3"]).unwrap_err();
        assert!(matches!(error, Error::RepeatedUnit { unit: SMILE }));
    }

    #[test]
    fn unnamed_units_keep_what_the_face_shows() {
        let mut face = Intensities::default();
        face.set(ActionUnit::Blink, 2.0);
        let target = Expression::new().with(SMILE, 4.0).unwrap().over(&face);
        assert_eq!((target.get(ActionUnit::Blink), target.get(SMILE)), (2.0, 4.0));
    }

    #[test]
    fn a_sweep_goes_from_rest_to_peak_and_back() {
        let sweep = sweep(&["12=0..4", "6=1"]).unwrap();
        let smile = |expression: &Expression| expression.over(&Intensities::default()).get(SMILE);
        let frames = sweep.there_and_back(8);
        assert_eq!(frames.len(), 8);
        assert_eq!(smile(&frames[0]), 0.0);
        assert_eq!(smile(&frames[4]), 4.0);
        for frame in 1..8 {
            assert!((smile(&frames[frame]) - smile(&frames[8 - frame])).abs() < 1e-5);
            assert_eq!(
                frames[frame]
                    .over(&Intensities::default())
                    .get(ActionUnit::CheekRaiser),
                1.0
            );
        }
    }
}
