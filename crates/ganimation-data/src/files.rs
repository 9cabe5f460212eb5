//! Reading files with size limits, and writing files atomically.

use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};

/// The largest file of labels or ids, in bytes: an hour of video with all columns of OpenFace.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 30;

/// The extension of `path` in lower case; empty if it has none.
pub fn file_extension(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default();
    extension.to_string_lossy().to_ascii_lowercase()
}

/// Reads a file of at most `limit` bytes. For an endless file, such as a device, reading stops at the limit.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| {
        let expected = file.metadata().map_or(0, |metadata| metadata.len()).min(limit);
        // One byte more than expected, to detect the end without growing the buffer.
        bytes.reserve_exact(usize::try_from(expected).unwrap_or(0) + 1);
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)
    });
    match read {
        Ok(length) if length as u64 <= limit => Ok(bytes),
        Ok(_) => Err(Error::FileTooLarge {
            path: path.to_owned(),
            limit,
        }),
        Err(source) => Err(Error::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Writes `bytes` to `path` through a synced scratch file. After a kill or a power failure, the file is either the old
/// or the new one.
///
/// # Errors
/// [`Error::Write`]; `path` is then unchanged.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    ganimation_io::write_atomically(path, bytes).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

/// Locks a folder for this process until the returned file is dropped. After a kill, releasing the lock can take a
/// moment.
///
/// # Errors
/// [`Error::Busy`] if another process has the lock, [`Error::Write`] if the lock file cannot be created.
pub fn lock_folder(folder: &Path) -> Result<File> {
    const ATTEMPTS: u32 = 10;
    let path = folder.join(".lock");
    let file = File::create(&path).map_err(|source| Error::Write { path, source })?;
    for _ in 0..ATTEMPTS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(50)),
            // Some file systems have no locks. There, the user must not start two processes in one folder.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
    Err(Error::Busy {
        folder: folder.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_beyond_its_bound_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.csv");
        fs::write(&path, b"12345").unwrap();
        assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
        let message = read_bounded(&path, 4).unwrap_err().to_string();
        assert!(
            message.ends_with("labels.csv is larger than 4 bytes"),
            "{message}"
        );
    }

    #[test]
    fn writing_into_a_missing_folder_names_the_file() {
        let message = write_whole(Path::new("/nowhere/at/all.gif"), b"")
            .unwrap_err()
            .to_string();
        assert_eq!(message, "cannot write /nowhere/at/all.gif");
    }
}
