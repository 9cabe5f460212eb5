//! What can go wrong between a photo and its frames.

use std::path::{Path, PathBuf};

use ganimation_data::ActionUnit;

use crate::Emotion;
use crate::device::{Backend, DeviceChoice, SOFTWARE_PIXELS};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong with photos, action units, devices and weights.
///
/// A message is one line and does not repeat its source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A device name that does not exist.
    #[error("unknown device `{found}`")]
    UnknownDevice {
        /// The text as it was given.
        found: String,
    },

    /// A device whose backend was left out of this build.
    #[error("this build has no {backend} backend")]
    DeviceCompiledOut {
        /// The backend.
        backend: Backend,
    },

    /// A device that this machine does not have.
    #[error("no device {backend}:{number} on this machine ({present} present)")]
    DeviceAbsent {
        /// The backend.
        backend: Backend,
        /// The number asked for, from 0.
        number: usize,
        /// How many devices the backend has here.
        present: usize,
    },

    /// A build without any backend, or one whose only backends found no device.
    #[error("no device to compute on")]
    NoDevice,

    /// A training batch that is too large for an emulated device to compute right.
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

    /// An action-unit command that cannot be read.
    #[error("cannot read action-unit command `{found}`")]
    AuCommand {
        /// The text as it was given.
        found: String,
    },

    /// An intensity outside OpenFace's scale.
    #[error("intensity {found} of {unit} is outside {lowest} to 5")]
    Intensity {
        /// The action unit.
        unit: ActionUnit,
        /// The intensity, or difference of intensities, as it was given.
        found: f32,
        /// The lowest that is accepted: 0, or -5 for a difference.
        lowest: f32,
    },

    /// An emotion that has no set of action units.
    #[error("unknown emotion `{found}`")]
    UnknownEmotion {
        /// The text as it was given.
        found: String,
    },

    /// A command for an emotion that cannot be read.
    #[error("cannot read emotion command `{found}`")]
    EmotionCommand {
        /// The text as it was given.
        found: String,
    },

    /// A strength of an emotion that is no share.
    #[error("strength {found} of {emotion} is outside 0 to 1")]
    Strength {
        /// The emotion.
        emotion: Emotion,
        /// The strength as it was given.
        found: f32,
    },

    /// A curve that does not exist.
    #[error("unknown ease `{found}`")]
    UnknownEase {
        /// The text as it was given.
        found: String,
    },

    /// Keys that make no film.
    #[error("{}", match found {
        Some(time) => format!("key {number} is at {time} s, expected later than the one before and within four hours"),
        None => "there is no key".to_owned(),
    })]
    Keys {
        /// The key, counted from 1.
        number: usize,
        /// Its time in seconds, if there is one.
        found: Option<f32>,
    },

    /// A table of OpenFace in which no frame has a face.
    #[error("{} holds no frame in which a face was tracked", path.display())]
    EmptySequence {
        /// The table.
        path: PathBuf,
    },

    /// A table that has not the face asked for.
    #[error("{} has no face {face}; it has: {}", path.display(), found.iter().map(u64::to_string).collect::<Vec<_>>().join(", "))]
    NoDriver {
        /// The table.
        path: PathBuf,
        /// The face asked for.
        face: u64,
        /// The faces that it has.
        found: Vec<u64>,
    },

    /// A table of a film that is too long.
    #[error("{} runs for {:.1} hours, more than four", path.display(), seconds / 3600.0)]
    LongDriver {
        /// The table.
        path: PathBuf,
        /// Its length, in seconds.
        seconds: f64,
    },

    /// A time at which no driver is at rest.
    #[error("cannot read the neutral `{found}`")]
    Neutral {
        /// The text as it was given.
        found: String,
    },

    /// A file of expressions or keys that is no TOML, or holds something else.
    #[error("{} is not as expected", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What the parser says, with the line.
        source: Box<toml::de::Error>,
    },

    /// What is wrong with a file.
    #[error("{}: {error}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: Box<Error>,
    },

    /// An action unit that was named twice.
    #[error("{unit} ({}) is named twice", unit.name())]
    RepeatedUnit {
        /// The action unit.
        unit: ActionUnit,
    },

    /// A photo in which the detector finds no face.
    #[error("no face found ({width} x {height} pixels)")]
    NoFace {
        /// The photo's width in pixels.
        width: u32,
        /// The photo's height in pixels.
        height: u32,
    },

    /// A face that is asked for by a number that no face of the photo has.
    #[error("no face {number}: {found} found")]
    NoSuchFace {
        /// The number asked for; the first is 1.
        number: usize,
        /// How many faces there are.
        found: usize,
    },

    /// Weights of a network that is conditioned on other action units.
    #[error("the weights are for action units {found:?}, not for OpenFace's 17")]
    OtherActionUnits {
        /// The action units' numbers.
        found: Vec<u32>,
    },

    /// Weights that claim an impossible size of faces.
    #[error("the weights are for faces of {found} pixels, expected a multiple of 4, {limit} at most")]
    NetworkSize {
        /// The size that the file claims, in pixels.
        found: usize,
        /// The largest size that is accepted, in pixels.
        limit: u32,
    },

    /// A face that is too large to be painted in memory.
    #[error("the face's box is {found} pixels wide, more than {limit}")]
    FaceTooLarge {
        /// Side of the box, in pixels.
        found: u32,
        /// The largest side that is accepted, in pixels.
        limit: u32,
    },

    /// A picture, dataset or other file that is not as it should be.
    #[error(transparent)]
    Data(#[from] ganimation_data::Error),

    /// Weights that are not as they should be.
    #[error(transparent)]
    Model(#[from] ganimation_model::Error),
}

impl Error {
    /// Says which file an error is about, where that was not known when it arose.
    #[must_use]
    pub fn in_file(self, path: &Path) -> Self {
        Self::InFile {
            path: path.to_owned(),
            error: Box::new(self),
        }
    }
}
