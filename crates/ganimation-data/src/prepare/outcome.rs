//! The result for a photo.

use serde::{Deserialize, Serialize};

use crate::au::AU_COUNT;

/// The result for a photo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its face is in the dataset.
    Face {
        /// The intensities, OpenFace units 0 to 5, in label order.
        intensities: [f32; AU_COUNT],
        /// Whether it is grey.
        grey: bool,
        /// Whether it was enlarged.
        enlarged: bool,
        /// Whether the face is uncertain: the photo has several faces, and the table has no position. The detection with the
        /// highest score is used.
        guessed: bool,
        /// Its 68 landmarks `[x, y]` in pixels of the dataset's picture, if the table has them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        landmarks: Option<Vec<[f32; 2]>>,
        /// The first value of the label outside 0 to 5: table, line, column and value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        off_scale: Option<String>,
    },
    /// It is skipped.
    Dropped(Drop),
}

/// A skipped photo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// The kind of reason.
    pub reason: Reason,
    /// Details in one line, or empty.
    pub detail: String,
}

/// Reasons to skip a photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No table has its name, or no row has its frame.
    NoLabel,
    /// Its table cannot be read.
    BadTable,
    /// Its table contains intensities far outside 0 to 5.
    OffScale,
    /// OpenFace found no face.
    LostFace,
    /// OpenFace's confidence is too low.
    LowConfidence,
    /// It could not be read. The next call tries again.
    Gone,
    /// It is damaged, too large, or not a picture.
    Unreadable,
    /// The detector finds no face.
    NoFace,
    /// The detector finds no face at the position in the table.
    FaceElsewhere,
    /// Its face is grey.
    Grey,
}

impl Reason {
    /// A short text for tables.
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
