//! What can go wrong between a command and its outputs.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An error of the library, which knows no command line.
pub(crate) use ganimation::Error as LibraryError;

/// Result of a command.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in a command.
///
/// A message is one line and does not repeat its source; [`Error::hint`] says what helps.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A movement where only one picture is made.
    #[error("{what} moves from one value to another, but one picture shows one")]
    Moving {
        /// The action unit or the emotion.
        what: String,
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

    /// Some of many photos that could not be read.
    #[error("{count} of the photos could not be read")]
    Unread {
        /// How many.
        count: usize,
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

    /// What the library refuses.
    #[error(transparent)]
    Library(LibraryError),

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

impl From<LibraryError> for Error {
    fn from(error: LibraryError) -> Self {
        match error {
            LibraryError::Data(error) => Self::Data(error),
            LibraryError::Model(error) => Self::Model(error),
            error => Self::Library(error),
        }
    }
}
