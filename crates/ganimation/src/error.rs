//! Errors.

use std::path::{Path, PathBuf};

use ganimation_data::ActionUnit;

use crate::Emotion;
use crate::device::{Backend, DeviceChoice, SOFTWARE_PIXELS};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with photos, action units, devices or weights.
///
/// A message is one line. It does not repeat its source, except that of [`Error::InFile`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A device name that does not exist.
    #[error("unknown device `{found}`")]
    UnknownDevice {
        /// The text as it was given.
        found: String,
    },

    /// The backend of a device is not compiled in.
    #[error("this build has no {backend} backend")]
    DeviceCompiledOut {
        /// The backend.
        backend: Backend,
    },

    /// The machine does not have the device.
    #[error("no device {backend}:{number} on this machine ({present} present)")]
    DeviceAbsent {
        /// The backend.
        backend: Backend,
        /// The requested number, from 0.
        number: usize,
        /// Number of devices of the backend on this machine.
        present: usize,
    },

    /// No backend is compiled in, or no compiled backend has a device.
    #[error("no device to compute on")]
    NoDevice,

    /// A training batch that is too large for an emulated device to compute correctly.
    #[error(
        "{device} is emulated on the CPU, and {batch} faces of {image_size} x {image_size} pixels are more than the \
         {SOFTWARE_PIXELS} pixels it is tested with"
    )]
    SoftwareDevice {
        /// The device.
        device: DeviceChoice,
        /// Faces in a batch.
        batch: usize,
        /// Side of the faces, in pixels.
        image_size: usize,
    },

    /// An action-unit command cannot be parsed.
    #[error("cannot read action-unit command `{found}`")]
    AuCommand {
        /// The text as it was given.
        found: String,
    },

    /// An intensity is outside OpenFace's scale.
    #[error("intensity {found} of {unit} is outside {lowest} to 5")]
    Intensity {
        /// The action unit.
        unit: ActionUnit,
        /// The given intensity or difference.
        found: f32,
        /// The minimum: 0, or -5 for a difference.
        lowest: f32,
    },

    /// An unknown emotion.
    #[error("unknown emotion `{found}`")]
    UnknownEmotion {
        /// The text as it was given.
        found: String,
    },

    /// An emotion command cannot be parsed.
    #[error("cannot read emotion command `{found}`")]
    EmotionCommand {
        /// The text as it was given.
        found: String,
    },

    /// The strength of an emotion is outside 0 to 1.
    #[error("strength {found} of {emotion} is outside 0 to 1")]
    Strength {
        /// The emotion.
        emotion: Emotion,
        /// The given strength.
        found: f32,
    },

    /// An unknown easing curve.
    #[error("unknown ease `{found}`")]
    UnknownEase {
        /// The text as it was given.
        found: String,
    },

    /// The keys of a timeline are invalid.
    #[error("{}", match found {
        Some(time) => format!("key {number} is at {time} s, expected later than the one before and within four hours"),
        None => "there is no key".to_owned(),
    })]
    Keys {
        /// The number of the invalid key, from 1.
        number: usize,
        /// Its time in seconds, if there is one.
        found: Option<f32>,
    },

    /// An OpenFace table has no frame with a tracked face.
    #[error("{} holds no frame with a tracked face", path.display())]
    EmptySequence {
        /// The table.
        path: PathBuf,
    },

    /// A table does not contain the requested face.
    #[error("{} has no face {face}; it has: {}", path.display(), found.iter().map(u64::to_string).collect::<Vec<_>>().join(", "))]
    NoDriver {
        /// The table.
        path: PathBuf,
        /// The requested face.
        face: u64,
        /// The faces in the table.
        found: Vec<u64>,
    },

    /// A table covers more than four hours.
    #[error("{} runs for {:.1} hours, more than four", path.display(), seconds / 3600.0)]
    LongDriver {
        /// The table.
        path: PathBuf,
        /// Its length, in seconds.
        seconds: f64,
    },

    /// A [`Neutral`](crate::Neutral) cannot be parsed.
    #[error("cannot read the neutral `{found}`")]
    Neutral {
        /// The text as it was given.
        found: String,
    },

    /// The TOML file of an expression or of a script is invalid.
    #[error("{} is not as expected", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// The error of the parser, with the line.
        source: Box<toml::de::Error>,
    },

    /// An error in a file.
    #[error("{}: {error}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// The error.
        #[source]
        error: Box<Error>,
    },

    /// An action unit is named twice.
    #[error("{unit} ({}) is named twice", unit.name())]
    RepeatedUnit {
        /// The action unit.
        unit: ActionUnit,
    },

    /// The detector finds no face in the photo.
    #[error("no face found ({width} x {height} pixels)")]
    NoFace {
        /// The photo's width in pixels.
        width: u32,
        /// The photo's height in pixels.
        height: u32,
    },

    /// The photo has no face with the requested number.
    #[error("no face {number}: {found} found")]
    NoSuchFace {
        /// The requested number, from 1.
        number: usize,
        /// Number of faces in the photo.
        found: usize,
    },

    /// The weights are for other action units.
    #[error("the weights are for action units {found:?}, not for OpenFace's 17")]
    OtherActionUnits {
        /// The action units' numbers.
        found: Vec<u32>,
    },

    /// The weights have an unsupported face size.
    #[error("the weights are for faces of {found} pixels, expected a multiple of 4, {limit} at most")]
    NetworkSize {
        /// The size in the file, in pixels.
        found: usize,
        /// The maximum size, in pixels.
        limit: u32,
    },

    /// A face is too large to be edited in memory.
    #[error("the face's box is {found} pixels wide, more than {limit}")]
    FaceTooLarge {
        /// Side of the box, in pixels.
        found: u32,
        /// The maximum side, in pixels.
        limit: u32,
    },

    /// An error with a picture, a dataset or another file.
    #[error(transparent)]
    Data(#[from] ganimation_data::Error),

    /// An error with weights.
    #[error(transparent)]
    Model(#[from] ganimation_model::Error),
}

impl Error {
    /// Adds the path of the file to an error.
    #[must_use]
    pub fn in_file(self, path: &Path) -> Self {
        Self::InFile {
            path: path.to_owned(),
            error: Box::new(self),
        }
    }
}
