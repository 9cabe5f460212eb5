//! Emotions as sets of action units.

use std::fmt;
use std::str::FromStr;

use ganimation_data::ActionUnit;

use crate::{Error, Result};

/// Intensity of each action unit of an emotion at full strength: "severe", the fourth of the five letters of FACS.
const FULL: f32 = 4.0;

/// Intensity of the raised upper lids (AU05) in surprise. EMFACS writes 5B, the second letter.
const SLIGHT: f32 = 2.0;

/// A prototypical facial expression of an emotion.
///
/// | emotion | also written | action units |
/// |---|---|---|
/// | happiness | happy | 6 12 |
/// | sadness | sad | 1 4 15 |
/// | surprise | surprised | 1 2 5 26 |
/// | fear | afraid | 1 2 4 5 7 20 26 |
/// | anger | angry | 4 5 7 23 |
/// | disgust | disgusted | 9 15 17 |
/// | contempt | contemptuous | 14 |
///
/// The sets are those of EMFACS, the emotional interpretation of the Facial Action Coding System (Ekman and Friesen,
/// *Facial Action Coding System*, 1978; Friesen and Ekman, *EMFACS-7*, 1983). Where EMFACS has variants, the table uses
/// the one that OpenFace's 17 units can express. The manual's set for disgust is 9 and 15; 17 is added because it
/// usually occurs with them. Contempt appears on one side of a face; here it appears on both sides. At strength 1, each
/// unit has intensity 4, except AU05 in surprise, which has 2 (EMFACS: 5B). The intensity is proportional to the
/// strength.
///
/// All emotions except happiness and contempt contradict a smile, so they set AU06 and AU12 to 0. Sadness, anger and
/// disgust also close the lips: they set AU10, AU25 and AU26 to 0. If two emotions are combined, the larger intensity
/// of each unit is used.
///
/// A facial expression does not prove an emotion, and an emotion does not always cause a facial expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Emotion {
    /// Cheeks and the corners of the mouth rise.
    Happiness,
    /// The inner brows rise and draw together, the corners of the mouth go down.
    Sadness,
    /// Brows and upper lids rise, the jaw drops.
    Surprise,
    /// Brows rise and draw together, eyes widen, the mouth stretches.
    Fear,
    /// Brows go down, lids and lips tighten.
    Anger,
    /// The nose wrinkles, the corners of the mouth go down, the chin pushes up.
    Disgust,
    /// The corners of the mouth tighten.
    Contempt,
}

impl Emotion {
    /// Every emotion.
    pub const ALL: [Self; 7] = [
        Self::Happiness,
        Self::Sadness,
        Self::Surprise,
        Self::Fear,
        Self::Anger,
        Self::Disgust,
        Self::Contempt,
    ];

    /// The noun, for example `happiness`.
    pub const fn name(self) -> &'static str {
        self.words().0
    }

    /// Noun and adjective.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Happiness => ("happiness", "happy"),
            Self::Sadness => ("sadness", "sad"),
            Self::Surprise => ("surprise", "surprised"),
            Self::Fear => ("fear", "afraid"),
            Self::Anger => ("anger", "angry"),
            Self::Disgust => ("disgust", "disgusted"),
            Self::Contempt => ("contempt", "contemptuous"),
        }
    }

    /// The action units of the emotion.
    pub const fn units(self) -> &'static [ActionUnit] {
        use ActionUnit as Au;
        match self {
            Self::Happiness => &[Au::CheekRaiser, Au::LipCornerPuller],
            Self::Sadness => &[Au::InnerBrowRaiser, Au::BrowLowerer, Au::LipCornerDepressor],
            Self::Surprise => &[
                Au::InnerBrowRaiser,
                Au::OuterBrowRaiser,
                Au::UpperLidRaiser,
                Au::JawDrop,
            ],
            Self::Fear => &[
                Au::InnerBrowRaiser,
                Au::OuterBrowRaiser,
                Au::BrowLowerer,
                Au::UpperLidRaiser,
                Au::LidTightener,
                Au::LipStretcher,
                Au::JawDrop,
            ],
            Self::Anger => &[
                Au::BrowLowerer,
                Au::UpperLidRaiser,
                Au::LidTightener,
                Au::LipTightener,
            ],
            Self::Disgust => &[Au::NoseWrinkler, Au::LipCornerDepressor, Au::ChinRaiser],
            Self::Contempt => &[Au::Dimpler],
        }
    }

    /// The action units that contradict the emotion.
    const fn contradicting_units(self) -> &'static [ActionUnit] {
        use ActionUnit as Au;
        match self {
            Self::Happiness | Self::Contempt => &[],
            Self::Surprise | Self::Fear => &[Au::CheekRaiser, Au::LipCornerPuller],
            Self::Sadness | Self::Anger | Self::Disgust => &[
                Au::CheekRaiser,
                Au::UpperLipRaiser,
                Au::LipCornerPuller,
                Au::LipsPart,
                Au::JawDrop,
            ],
        }
    }

    /// The action units of the emotion and their intensities, 0 to 5, at a strength from 0 to 1. The units that
    /// contradict the emotion follow, with intensity 0.
    ///
    /// # Errors
    /// [`Error::Strength`] for other strengths.
    pub fn at(self, strength: f32) -> Result<Vec<(ActionUnit, f32)>> {
        if !(0.0..=1.0).contains(&strength) {
            return Err(Error::Strength {
                emotion: self,
                found: strength,
            });
        }
        let intensity = |unit| match (self, unit) {
            (Self::Surprise, ActionUnit::UpperLidRaiser) => SLIGHT,
            _ => FULL,
        };
        let own = (self.units().iter()).map(|&unit| (unit, strength * intensity(unit)));
        let contradicting = (self.contradicting_units().iter()).map(|&unit| (unit, 0.0));
        Ok(own.chain(contradicting).collect())
    }
}

impl fmt::Display for Emotion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Emotion {
    type Err = Error;

    /// Parses `happiness` and `happy`, ignoring case.
    fn from_str(text: &str) -> Result<Self> {
        let word = text.trim().to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|emotion| emotion.words().0 == word || emotion.words().1 == word)
            .ok_or_else(|| Error::UnknownEmotion {
                found: text.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_and_adjectives_are_read() {
        for emotion in Emotion::ALL {
            assert_eq!(emotion.name().parse::<Emotion>().unwrap(), emotion);
            assert_eq!(
                emotion.words().1.to_uppercase().parse::<Emotion>().unwrap(),
                emotion
            );
        }
        assert!(matches!(
            "hunger".parse::<Emotion>(),
            Err(Error::UnknownEmotion { .. })
        ));
    }

    #[test]
    fn no_unit_belongs_to_an_emotion_and_contradicts_it() {
        for emotion in Emotion::ALL {
            let contradicting = emotion.contradicting_units();
            assert!(
                emotion.units().iter().all(|unit| !contradicting.contains(unit)),
                "{emotion}"
            );
        }
    }

    #[test]
    fn sadness_ends_a_smile() {
        let units = Emotion::Sadness.at(0.5).unwrap();
        assert!(
            units.contains(&(ActionUnit::LipCornerDepressor, 2.0)),
            "{units:?}"
        );
        assert!(units.contains(&(ActionUnit::LipCornerPuller, 0.0)), "{units:?}");
    }

    #[test]
    fn strength_scales_every_unit() {
        let half = Emotion::Happiness.at(0.5).unwrap();
        assert_eq!(
            half,
            [(ActionUnit::CheekRaiser, 2.0), (ActionUnit::LipCornerPuller, 2.0)]
        );
        for wrong in [-0.1, 1.1, f32::NAN] {
            assert!(
                matches!(Emotion::Anger.at(wrong), Err(Error::Strength { .. })),
                "{wrong}"
            );
        }
    }
}
