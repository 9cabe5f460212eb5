//! What became of a photo.

use serde::{Deserialize, Serialize};

use crate::au::AU_COUNT;

/// What became of a photo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its face is in the dataset.
    Face {
        /// What the face does, OpenFace units 0 to 5, in label order.
        intensities: [f32; AU_COUNT],
        /// It has no colour.
        grey: bool,
        /// It was smaller than the faces of the dataset.
        enlarged: bool,
        /// The photo shows several faces and the table does not say where its face is: the surest was taken.
        guessed: bool,
        /// Its 68 landmarks `[x, y]` in pixels of the dataset's picture, if the table has them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        landmarks: Option<Vec<[f32; 2]>>,
        /// Where its label was outside 0 to 5, if it was: table, line, column and value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        off_scale: Option<String>,
    },
    /// It is left out.
    Dropped(Drop),
}

/// Why a photo is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// The kind of reason.
    pub reason: Reason,
    /// One line about it, if there is more to say.
    pub detail: String,
}

/// Kinds of reasons for which a photo is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is no table of its name, or no row of its frame.
    NoLabel,
    /// Its table cannot be read.
    BadTable,
    /// Its table holds intensities far outside 0 to 5.
    OffScale,
    /// OpenFace found no face, or lost it.
    LostFace,
    /// OpenFace does not trust what it found.
    LowConfidence,
    /// It was gone or could not be read when its turn came; another run tries again.
    Gone,
    /// It is damaged, too large or no picture.
    Unreadable,
    /// The detector finds no face.
    NoFace,
    /// The detector finds no face where the table has it.
    FaceElsewhere,
    /// Its face has no colour.
    Grey,
}

impl Reason {
    /// A few words for a table.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoLabel => "no label",
            Self::BadTable => "table not readable",
            Self::OffScale => "label far outside 0 to 5",
            Self::LostFace => "no face in the table",
            Self::LowConfidence => "low confidence",
            Self::Gone => "gone or locked",
            Self::Unreadable => "not readable",
            Self::NoFace => "no face detected",
            Self::FaceElsewhere => "detected face is elsewhere",
            Self::Grey => "no colour",
        }
    }

    pub(super) fn because(self, detail: impl Into<String>) -> Drop {
        Drop {
            reason: self,
            detail: detail.into(),
        }
    }
}
