//! Weights files: reads are limited in size, and writes are atomic.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use safetensors::SafeTensorError;

use crate::{Error, Result};

/// The largest file to read, in bytes: about three times the size of both networks with their optimisers.
const MAX_FILE: u64 = 2 << 30;

/// The largest header of a safetensors file, in bytes. A tensor needs about a hundred bytes.
const MAX_HEADER: u64 = 4 << 20;

/// Opens a weights file and returns its size in bytes.
///
/// # Errors
/// [`Error::Read`], and [`Error::TooLarge`] for a file larger than any network.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (size, file) = opened.map_err(read_error(path))?;
    if size > MAX_FILE {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            size,
            limit: MAX_FILE,
        });
    }
    Ok((file, size))
}

/// Reads the bytes of a safetensors file. If the start is not that of a safetensors file, the rest is not read.
///
/// # Errors
/// The errors of [`open`], and [`Error::Format`].
pub(crate) fn read_safetensors(path: &Path) -> Result<Vec<u8>> {
    const FRONT: u64 = 9; // the header's length, and its opening brace
    let (mut file, size) = open(path)?;
    let mut bytes = Vec::new();
    let mut read = |bytes: &mut Vec<u8>, until| {
        let more = (&mut file).take(until).read_to_end(bytes);
        more.map(drop).map_err(read_error(path))
    };
    read(&mut bytes, FRONT)?;
    let (Some(length), Some(brace)) = (bytes.first_chunk(), bytes.get(8)) else {
        return Err(SafeTensorError::HeaderTooSmall.into());
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER {
        return Err(SafeTensorError::HeaderTooLarge.into());
    }
    if length + FRONT - 1 > size || *brace != b'{' {
        return Err(SafeTensorError::InvalidHeaderLength.into());
    }
    read(&mut bytes, size - FRONT)?;
    Ok(bytes)
}

/// Decodes a safetensors file with `decode`.
///
/// # Errors
/// [`Error::Read`], [`Error::TooLarge`], and [`Error::Weights`] with the error of `decode`.
pub(crate) fn of_file<T>(path: &Path, decode: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
    match read_safetensors(path) {
        Ok(bytes) => decode(&bytes).map_err(unusable(path)),
        Err(error @ Error::Format { .. }) => Err(unusable(path)(error)),
        Err(error) => Err(error),
    }
}

/// Writes a file atomically: it gets its name only when it is complete and on disk.
///
/// # Errors
/// [`Error::Write`].
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    ganimation_io::write_atomically(path, bytes).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

pub(crate) fn unusable(path: &Path) -> impl Fn(Error) -> Error {
    move |source| Error::Weights {
        path: path.to_owned(),
        source: Box::new(source),
    }
}

pub(crate) fn read_error(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Read {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_no_safetensors_file_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.mkv");
        let file = File::create(&path).unwrap();
        for (size, length, brace, expected) in [
            (5_u64, 0_u64, b'{', "header too small"),
            (1 << 30, 5 << 20, b'{', "header too large"),
            (1 << 30, 1 << 12, b'[', "invalid header length"),
            (1 << 10, 1 << 12, b'{', "invalid header length"),
        ] {
            // A sparse file: it uses no disk space.
            fs::write(&path, [&length.to_le_bytes()[..], &[brace]].concat()).unwrap();
            file.set_len(size).unwrap();
            let error = read_safetensors(&path).unwrap_err();
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert_eq!(source, expected);
        }
        file.set_len(MAX_FILE + 1).unwrap();
        let message = open(&path).unwrap_err().to_string();
        assert!(
            message.ends_with("has 2147483649 bytes; weights of more than 2147483648 are not read"),
            "{message}"
        );
    }
}
