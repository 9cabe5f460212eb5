//! Data for the page: action units by region, emotions, portraits.

use ganimation::{ActionUnit, Emotion};
use serde::Serialize;

use super::app::MAX_UPLOAD;

/// A portrait that is compiled in, in the public domain.
pub(super) struct Sample {
    pub(super) id: &'static str,
    name: &'static str,
    file: &'static str,
    pub(super) bytes: &'static [u8],
}

pub(super) const SAMPLES: [Sample; 2] = [
    Sample {
        id: "hopper",
        name: "Grace Hopper",
        file: "assets/grace_hopper.jpg",
        bytes: include_bytes!("portraits/grace_hopper.jpg"),
    },
    Sample {
        id: "collins",
        name: "Eileen Collins",
        file: "assets/astronaut.png",
        bytes: include_bytes!("portraits/astronaut.png"),
    },
];

#[derive(Serialize)]
pub(super) struct Facts {
    units: Vec<Unit>,
    emotions: Vec<Feeling>,
    samples: Vec<Portrait>,
    limits: Limits,
    /// The options that make a command use the same weights and device.
    options: Vec<String>,
}

#[derive(Serialize)]
struct Unit {
    number: u8,
    code: &'static str,
    name: String,
    region: &'static str,
    hint: &'static str,
}

#[derive(Serialize)]
struct Feeling {
    name: &'static str,
    label: String,
    /// Numbers of action units and their intensities at full strength.
    units: Vec<(u8, f32)>,
}

#[derive(Serialize)]
struct Portrait {
    id: &'static str,
    name: &'static str,
    file: &'static str,
}

#[derive(Serialize)]
struct Limits {
    bytes: usize,
}

impl Facts {
    pub(super) fn new(options: Vec<String>) -> ganimation::Result<Self> {
        let mut units = ActionUnit::ALL.map(|unit| (place(unit), unit));
        units.sort_by_key(|((order, ..), _)| *order); // stable: sorted by number within a region
        let units = units.into_iter().map(|((_, region, hint), unit)| Unit {
            number: unit.number(),
            code: unit.code(),
            name: sentence(&unit.name().replace('-', " ")),
            region,
            hint,
        });
        let emotions = Emotion::ALL.into_iter().map(|emotion| {
            let units = emotion.at(1.0)?.into_iter();
            Ok(Feeling {
                name: emotion.name(),
                label: sentence(emotion.name()),
                units: units
                    .map(|(unit, intensity)| (unit.number(), intensity))
                    .collect(),
            })
        });
        let samples = SAMPLES
            .iter()
            .map(|&Sample { id, name, file, .. }| Portrait { id, name, file });
        Ok(Self {
            units: units.collect(),
            emotions: emotions.collect::<ganimation::Result<_>>()?,
            samples: samples.collect(),
            limits: Limits { bytes: MAX_UPLOAD },
            options,
        })
    }
}

/// The position of a unit on the page, from the brows down, and its effect.
const fn place(unit: ActionUnit) -> (u8, &'static str, &'static str) {
    use ActionUnit as Au;
    const BROWS: (u8, &str) = (0, "Brows");
    const EYES: (u8, &str) = (1, "Eyes");
    const MIDDLE: (u8, &str) = (2, "Cheeks and nose");
    const MOUTH: (u8, &str) = (3, "Mouth");
    const JAW: (u8, &str) = (4, "Chin and jaw");
    let ((order, region), hint) = match unit {
        Au::InnerBrowRaiser => (BROWS, "The inner ends of the brows rise"),
        Au::OuterBrowRaiser => (BROWS, "The outer ends of the brows rise"),
        Au::BrowLowerer => (BROWS, "The brows come down and together"),
        Au::UpperLidRaiser => (EYES, "The upper lids rise, the eyes widen"),
        Au::LidTightener => (EYES, "The lids narrow"),
        Au::Blink => (EYES, "The eyes close"),
        Au::CheekRaiser => (MIDDLE, "The cheeks rise, as in a genuine smile"),
        Au::NoseWrinkler => (MIDDLE, "The nose wrinkles"),
        Au::UpperLipRaiser => (MOUTH, "The upper lip rises"),
        Au::LipCornerPuller => (MOUTH, "The corners of the mouth rise, a smile"),
        Au::Dimpler => (MOUTH, "The corners of the mouth tighten"),
        Au::LipCornerDepressor => (MOUTH, "The corners of the mouth go down"),
        Au::LipStretcher => (MOUTH, "The mouth stretches sideways"),
        Au::LipTightener => (MOUTH, "The lips tighten"),
        Au::LipsPart => (MOUTH, "The lips part"),
        Au::ChinRaiser => (JAW, "The chin pushes up"),
        Au::JawDrop => (JAW, "The jaw drops"),
    };
    (order, region, hint)
}

/// The text with a capital first letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_has_its_place_from_the_brows_down() {
        let facts = Facts::new(Vec::new()).unwrap();
        let numbers: Vec<_> = facts.units.iter().map(|unit| unit.number).collect();
        assert_eq!(
            numbers,
            [1, 2, 4, 5, 7, 45, 6, 9, 10, 12, 14, 15, 20, 23, 25, 17, 26]
        );
        assert_eq!(facts.units[0].name, "Inner brow raiser");
        assert_eq!(facts.emotions[0].units, [(6, 4.0), (12, 4.0)]);
    }
}
