//! The 17 facial action units (AUs) that OpenFace measures, and vectors of their intensities.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// Number of action units, and the length of every label.
pub const AU_COUNT: usize = 17;

/// The maximum intensity of OpenFace. Inputs of networks are intensities divided by it.
pub const MAX_INTENSITY: f32 = 5.0;

/// One movement of the face, named as in the Facial Action Coding System (FACS).
///
/// ```
/// use ganimation_data::ActionUnit;
///
/// let smile: ActionUnit = "AU12".parse()?;
/// assert_eq!(smile, ActionUnit::LipCornerPuller);
/// assert_eq!(smile.code(), "AU12");
/// assert_eq!("lip-corner-puller".parse::<ActionUnit>()?, smile);
/// # Ok::<(), ganimation_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ActionUnit {
    /// AU01: the inner ends of the brows rise.
    InnerBrowRaiser,
    /// AU02: the outer ends of the brows rise.
    OuterBrowRaiser,
    /// AU04: the brows come down and together.
    BrowLowerer,
    /// AU05: the upper lids rise, the eyes widen.
    UpperLidRaiser,
    /// AU06: the cheeks rise, as in a felt smile.
    CheekRaiser,
    /// AU07: the lids narrow.
    LidTightener,
    /// AU09: the nose wrinkles.
    NoseWrinkler,
    /// AU10: the upper lip rises.
    UpperLipRaiser,
    /// AU12: the corners of the mouth rise, a smile.
    LipCornerPuller,
    /// AU14: the corners of the mouth tighten.
    Dimpler,
    /// AU15: the corners of the mouth sink.
    LipCornerDepressor,
    /// AU17: the chin pushes up.
    ChinRaiser,
    /// AU20: the mouth stretches sideways.
    LipStretcher,
    /// AU23: the lips tighten.
    LipTightener,
    /// AU25: the lips part.
    LipsPart,
    /// AU26: the jaw drops.
    JawDrop,
    /// AU45: the eyes close.
    Blink,
}

/// FACS number, code and name of every action unit, in label order.
const FACTS: [(u8, &str, &str); AU_COUNT] = [
    (1, "AU01", "inner-brow-raiser"),
    (2, "AU02", "outer-brow-raiser"),
    (4, "AU04", "brow-lowerer"),
    (5, "AU05", "upper-lid-raiser"),
    (6, "AU06", "cheek-raiser"),
    (7, "AU07", "lid-tightener"),
    (9, "AU09", "nose-wrinkler"),
    (10, "AU10", "upper-lip-raiser"),
    (12, "AU12", "lip-corner-puller"),
    (14, "AU14", "dimpler"),
    (15, "AU15", "lip-corner-depressor"),
    (17, "AU17", "chin-raiser"),
    (20, "AU20", "lip-stretcher"),
    (23, "AU23", "lip-tightener"),
    (25, "AU25", "lips-part"),
    (26, "AU26", "jaw-drop"),
    (45, "AU45", "blink"),
];

impl ActionUnit {
    /// Every action unit, in the order of labels and of the network's input.
    pub const ALL: [Self; AU_COUNT] = [
        Self::InnerBrowRaiser,
        Self::OuterBrowRaiser,
        Self::BrowLowerer,
        Self::UpperLidRaiser,
        Self::CheekRaiser,
        Self::LidTightener,
        Self::NoseWrinkler,
        Self::UpperLipRaiser,
        Self::LipCornerPuller,
        Self::Dimpler,
        Self::LipCornerDepressor,
        Self::ChinRaiser,
        Self::LipStretcher,
        Self::LipTightener,
        Self::LipsPart,
        Self::JawDrop,
        Self::Blink,
    ];

    /// Index in a label, `0..17`.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// FACS number, for example 12.
    pub const fn number(self) -> u8 {
        FACTS[self.index()].0
    }

    /// OpenFace's code, for example `AU12` or `AU01`.
    pub const fn code(self) -> &'static str {
        FACTS[self.index()].1
    }

    /// FACS name in lower case with hyphens, for example `lip-corner-puller`.
    pub const fn name(self) -> &'static str {
        FACTS[self.index()].2
    }

    /// Every accepted action unit as `1 (inner-brow-raiser), 2 (…), …`, for messages and help texts.
    pub fn accepted() -> String {
        let each = FACTS.map(|(number, _, name)| format!("{number} ({name})"));
        each.join(", ")
    }
}

impl fmt::Display for ActionUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl FromStr for ActionUnit {
    type Err = Error;

    /// Parses `12`, `AU12`, `au12`, `AU01`, `1` or `lip-corner-puller`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let name = text.trim().to_ascii_lowercase();
        let digits = name.strip_prefix("au").unwrap_or(&name);
        let number = digits.parse::<u8>().ok();
        Self::ALL
            .into_iter()
            .find(|au| number == Some(au.number()) || au.name() == name)
            .ok_or_else(|| Error::UnknownActionUnit {
                found: text.to_owned(),
            })
    }
}

/// A face shows an action unit if its intensity, in OpenFace units, is above this.
pub const ACTIVE_INTENSITY: f32 = 1.5;

/// Tolerance for intensities outside 0 to 5 without a note.
const ROUNDING: f32 = 0.05;

/// The intensity of each action unit, in OpenFace units: 0 is absent, 5 is maximal.
///
/// Values outside this range are not changed, so that callers can extrapolate.
///
/// ```
/// use ganimation_data::{ActionUnit, Intensities};
///
/// let mut face = Intensities::default();
/// face.set(ActionUnit::LipCornerPuller, 2.5);
/// assert_eq!(face.normalized()[ActionUnit::LipCornerPuller.index()], 0.5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Intensities([f32; AU_COUNT]);

impl Intensities {
    /// From intensities in OpenFace units, in label order.
    pub const fn new(values: [f32; AU_COUNT]) -> Self {
        Self(values)
    }

    /// From the network's units (intensity / 5).
    pub fn from_normalized(values: [f32; AU_COUNT]) -> Self {
        Self(values.map(|value| value * MAX_INTENSITY))
    }

    /// The intensities in the network's units (intensity / 5).
    pub fn normalized(&self) -> [f32; AU_COUNT] {
        self.0.map(|value| value / MAX_INTENSITY)
    }

    /// The intensities in OpenFace units, in label order.
    pub const fn as_array(&self) -> &[f32; AU_COUNT] {
        &self.0
    }

    /// The intensity of one action unit.
    pub const fn get(&self, au: ActionUnit) -> f32 {
        self.0[au.index()]
    }

    /// Sets the intensity of one action unit.
    pub const fn set(&mut self, au: ActionUnit, intensity: f32) {
        self.0[au.index()] = intensity;
    }

    /// The intensities outside 0 to 5, beyond rounding, in label order, without NaN.
    pub fn off_scale(&self) -> impl Iterator<Item = (ActionUnit, f32)> {
        let outside = |value: f32| (-value).max(value - MAX_INTENSITY) > ROUNDING;
        self.iter().filter(move |&(_, value)| outside(value))
    }

    /// Action units and their intensities, in label order.
    pub fn iter(&self) -> impl Iterator<Item = (ActionUnit, f32)> {
        ActionUnit::ALL.into_iter().zip(self.0)
    }
}

impl From<[f32; AU_COUNT]> for Intensities {
    fn from(values: [f32; AU_COUNT]) -> Self {
        Self(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_openface() {
        let numbers = ActionUnit::ALL.map(ActionUnit::number);
        assert_eq!(
            numbers,
            [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45]
        );
    }

    #[test]
    fn every_spelling_of_every_unit_is_read() {
        for (index, au) in ActionUnit::ALL.into_iter().enumerate() {
            assert_eq!(au.index(), index);
            let number = au.number();
            for text in [
                number.to_string(),
                format!("{number:02}"),
                format!("AU{number}"),
                format!("au{number:02}"),
                au.code().to_owned(),
                au.name().to_owned(),
                format!(" {} ", au.name().to_uppercase()),
            ] {
                assert_eq!(text.parse::<ActionUnit>().unwrap(), au, "{text}");
            }
        }
    }

    #[test]
    fn an_unknown_unit_names_what_is_accepted() {
        for text in ["3", "", "AU", "AU-1", "smile", "300"] {
            let message = text.parse::<ActionUnit>().unwrap_err().to_string();
            assert!(message.contains("12 (lip-corner-puller)"), "{message}");
            assert!(message.contains(&format!("`{text}`")), "{message}");
        }
    }

    #[test]
    fn what_is_off_the_scale_is_named_and_rounding_is_not() {
        let mut face = Intensities::new([5.04; AU_COUNT]);
        for (unit, value) in [(1, -0.04), (2, -0.06), (9, 5.06), (12, f32::NAN)] {
            face.set(unit.to_string().parse().unwrap(), value);
        }
        let found: Vec<_> = face.off_scale().map(|(unit, _)| unit.number()).collect();
        assert_eq!(found, [2, 9]);
    }

    #[test]
    fn normalising_divides_by_five_and_back() {
        let raw = std::array::from_fn(|i| i as f32 * 0.25);
        let face = Intensities::new(raw);
        assert_eq!(face.normalized()[4], 0.2);
        for (back, raw) in Intensities::from_normalized(face.normalized())
            .as_array()
            .iter()
            .zip(raw)
        {
            assert!((back - raw).abs() < 1e-6);
        }
    }
}
