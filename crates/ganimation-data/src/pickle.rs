//! Label files: pickled dictionaries from an id to a one-dimensional array of numbers.

use std::path::Path;

use crate::error::{Error, Result};
use crate::files::{MAX_FILE_BYTES, read_bounded, write_whole};

pub use ganimation_pickle::{Labels, PickleError, PickleProblem, labels_from_bytes, labels_to_bytes};

/// Reads labels from a file.
///
/// # Errors
/// [`Error::Read`] or [`Error::FileTooLarge`] if the file cannot be read; [`Error::Pickle`] with the position if it is
/// not a dictionary from text to one-dimensional arrays of numbers.
pub fn read_labels(path: impl AsRef<Path>) -> Result<Labels> {
    let path = path.as_ref();
    let bytes = read_bounded(path, MAX_FILE_BYTES)?;
    labels_from_bytes(&bytes).map_err(|PickleError { position, problem }| Error::Pickle {
        path: path.to_owned(),
        position,
        problem,
    })
}

/// Writes labels to a file: protocol 2, `dict` of text to float64 arrays.
///
/// The file is written atomically.
///
/// # Errors
/// [`Error::Write`] if the file cannot be written.
pub fn write_labels(path: impl AsRef<Path>, labels: &Labels) -> Result<()> {
    write_whole(path.as_ref(), &labels_to_bytes(labels))
}
