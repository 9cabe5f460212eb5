//! What can go wrong between a photo and its frames, and what a person can do about it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ganimation_data::ActionUnit;

use crate::Emotion;
use crate::device::Backend;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong with photos, action units, devices and weights.
///
/// A message is one line and does not repeat its source; [`Error::hint`] says what helps.
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

    /// A movement where only one picture is made.
    #[error("{what} moves from one value to another, but one picture shows one")]
    Moving {
        /// The action unit or the emotion.
        what: String,
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

    /// A folder without photos that show faces.
    #[error("{} holds no photo with a face", path.display())]
    NoFaces {
        /// The folder.
        path: PathBuf,
    },

    /// One picture of many photos.
    #[error("an overlay shows one photo, and there are {count}")]
    OverlayOfMany {
        /// How many photos there are.
        count: usize,
    },

    /// A film in which nobody is seen.
    #[error("no face found in the {frames} frames of {}", path.display())]
    NoFaceInFilm {
        /// The film.
        path: PathBuf,
        /// How many frames were looked at.
        frames: usize,
    },

    /// A film that ended earlier when it was read again.
    #[error("{} changed while it was read", path.display())]
    FilmChanged {
        /// The film.
        path: PathBuf,
    },

    /// A film where only photos will do.
    #[error("{} is a film: {why}", path.display())]
    NotOfFilms {
        /// The film.
        path: PathBuf,
        /// What cannot be done with it.
        why: &'static str,
    },

    /// Some of many photos that could not be read.
    #[error("{count} of the photos could not be read")]
    Unread {
        /// How many.
        count: usize,
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

    /// A picture file whose extension names no format that can be written.
    #[error("cannot tell the format of {} from its extension", path.display())]
    OutputFormat {
        /// The file to be written.
        path: PathBuf,
        /// The extensions that can be.
        accepted: &'static [&'static str],
    },

    /// A file that is to be written into a folder that is not there.
    #[error("cannot write {}: there is no folder {}", path.display(), folder.display())]
    NoFolder {
        /// The file to be written.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },

    /// An output that is a folder.
    #[error("cannot write {}: it is a folder", path.display())]
    OutputIsFolder {
        /// The folder.
        path: PathBuf,
    },

    /// Two outputs of one command that are the same file.
    #[error("{} would be written twice", path.display())]
    SameOutput {
        /// The file.
        path: PathBuf,
    },

    /// An output that would replace the input.
    #[error("{} is the input and would be replaced", path.display())]
    OutputIsInput {
        /// The file.
        path: PathBuf,
    },

    /// Two files that hold a network of the same kind.
    #[error("{} and {} both hold a {kind}", first.display(), second.display())]
    TwoNetworks {
        /// `generator` or `discriminator`.
        kind: &'static str,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },

    /// A name of a run that is not that of one folder.
    #[error("run name `{found}` is not the name of one folder")]
    RunName {
        /// The text as it was given.
        found: String,
    },

    /// A training without a dataset.
    #[error("there is nothing to train on")]
    NoData,

    /// A path that shall be a folder and is none.
    #[error("{} is not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },

    /// A dataset on which training would not start, or not end.
    #[error("{} is not fit to train on", folder.display())]
    Unfit {
        /// The dataset folder.
        folder: PathBuf,
    },

    /// Work that was stopped on request before it was done.
    #[error("stopped")]
    Stopped,

    /// A page that cannot be served.
    #[error("cannot serve at {address}")]
    Serve {
        /// Where it was to be.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },

    /// A text that is no name of a host.
    #[error("`{found}` is not the name of a host")]
    HostName {
        /// The text as it was given.
        found: String,
    },

    /// The result could not be told.
    #[error("cannot write to the standard output")]
    Stdout {
        /// Why.
        source: io::Error,
    },

    /// A picture, dataset or other file that is not as it should be.
    #[error(transparent)]
    Data(#[from] ganimation_data::Error),

    /// Weights that are not as they should be.
    #[error(transparent)]
    Model(#[from] ganimation_model::Error),

    /// A training run that cannot go on.
    #[error(transparent)]
    Train(#[from] ganimation_train::Error),
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
