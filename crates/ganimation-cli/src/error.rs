//! Errors of commands.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An error of the library, which does not depend on the command line.
pub(crate) use ganimation::Error as LibraryError;

/// Result of a command.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// All errors of a command.
///
/// A message is one line and does not repeat its source. [`Error::hint`] gives advice.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A movement is given, but the command makes only one picture.
    #[error("{what} moves from one value to another, but a single picture shows only one value")]
    Moving {
        /// The action unit or the emotion.
        what: String,
    },

    /// A folder without photos of faces.
    #[error("{} holds no photo with a face", path.display())]
    NoFaces {
        /// The folder.
        path: PathBuf,
    },

    /// An output picture for one photo, but several photos were given.
    #[error("an overlay shows one photo, and there are {count}")]
    OverlayOfMany {
        /// Number of photos.
        count: usize,
    },

    /// Some of several photos could not be read.
    #[error("{count} of the photos could not be read")]
    Unread {
        /// Number of unreadable photos.
        count: usize,
    },

    /// The extension of an output picture is not a supported format.
    #[error("cannot determine the format of {} from its extension", path.display())]
    OutputFormat {
        /// The file to be written.
        path: PathBuf,
        /// The supported extensions.
        accepted: &'static [&'static str],
    },

    /// The folder of an output file does not exist.
    #[error("cannot write {}: there is no folder {}", path.display(), folder.display())]
    NoFolder {
        /// The file to be written.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },

    /// The output is a folder.
    #[error("cannot write {}: it is a folder", path.display())]
    OutputIsFolder {
        /// The folder.
        path: PathBuf,
    },

    /// Two outputs of one command are the same file.
    #[error("{} would be written twice", path.display())]
    SameOutput {
        /// The file.
        path: PathBuf,
    },

    /// The output would replace the input.
    #[error("{} is the input and would be replaced", path.display())]
    OutputIsInput {
        /// The file.
        path: PathBuf,
    },

    /// Two files contain a network of the same kind.
    #[error("{} and {} both hold a {kind}", first.display(), second.display())]
    TwoNetworks {
        /// `generator` or `discriminator`.
        kind: &'static str,
        /// The first file.
        first: PathBuf,
        /// The second file.
        second: PathBuf,
    },

    /// The name of a run is not the name of one folder.
    #[error("run name `{found}` is not the name of one folder")]
    RunName {
        /// The text as it was given.
        found: String,
    },

    /// Training without a dataset.
    #[error("no dataset to train on")]
    NoData,

    /// A path is not a folder.
    #[error("{} is not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },

    /// A dataset on which training would not start, or would fail.
    #[error("{} is not suitable for training", folder.display())]
    Unfit {
        /// The dataset folder.
        folder: PathBuf,
    },

    /// Work was stopped on request before it was complete.
    #[error("stopped")]
    Stopped,

    /// The page cannot be served.
    #[error("cannot serve at {address}")]
    Serve {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },

    /// The text is not a host name.
    #[error("`{found}` is not the name of a host")]
    HostName {
        /// The text as it was given.
        found: String,
    },

    /// The result could not be written.
    #[error("cannot write to the standard output")]
    Stdout {
        /// Why.
        source: io::Error,
    },

    /// A film without a face.
    #[error("no face found in the {frames} frames of {}", path.display())]
    NoFaceInFilm {
        /// The film.
        path: PathBuf,
        /// Number of searched frames.
        frames: usize,
    },

    /// A film ended earlier when it was read again.
    #[error("{} changed while it was read", path.display())]
    FilmChanged {
        /// The film.
        path: PathBuf,
    },

    /// A film was given where photos are expected.
    #[error("{} is a film: {why}", path.display())]
    NotOfFilms {
        /// The film.
        path: PathBuf,
        /// Why the command does not accept it.
        why: &'static str,
    },

    /// An error of the library.
    #[error(transparent)]
    Library(LibraryError),

    /// An error in a picture, a dataset or another file.
    #[error(transparent)]
    Data(#[from] ganimation_data::Error),

    /// An error in weights.
    #[error(transparent)]
    Model(#[from] ganimation_model::Error),

    /// An error of a training run.
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
