//! Reading files with size limits, and writing files atomically.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};

/// The largest file of labels or ids, in bytes: an hour of video with all columns of OpenFace.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 30;

/// The extension of `path` in lower case; empty if it has none.
pub fn extension(path: &Path) -> String {
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
    write_through(path, |file| file.write_all(bytes))
}

/// Lets `write` fill a scratch file next to `path`, then renames it. After a failure, `path` is unchanged.
pub(crate) fn write_through(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<()> {
    let scratch = scratch_name(path);
    let written = (|| {
        let mut file = BufWriter::new(File::create_new(&scratch)?);
        write(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()?; // otherwise a power failure can leave an empty file with the new name
        fs::rename(&scratch, path)
    })();
    written.map_err(|source| {
        // The scratch file may not exist. The first error is the one to report.
        let _ = fs::remove_file(&scratch);
        Error::Write {
            path: path.to_owned(),
            source,
        }
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

/// Removes scratch files of killed processes from a folder. The caller must hold the folder's lock.
pub fn remove_scratch(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(SCRATCH) {
            let _ = fs::remove_file(entry.path()); // a remaining file only uses disk space
        }
    }
}

/// The suffix of scratch files.
const SCRATCH: &str = ".part";

/// A hidden name, unique in this process. It is in the same folder, so that the rename stays on one file system.
fn scratch_name(path: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}-{count}{SCRATCH}", process::id()))
}

#[cfg(test)]
mod tests {
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
    fn a_failed_write_leaves_the_old_file_and_no_scratch() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.pkl");
        write_whole(&path, b"old").unwrap();
        let failed = write_through(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        });
        assert!(matches!(failed, Err(Error::Write { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn writing_into_a_missing_folder_names_the_file() {
        let message = write_whole(Path::new("/nowhere/at/all.gif"), b"")
            .unwrap_err()
            .to_string();
        assert_eq!(message, "cannot write /nowhere/at/all.gif");
    }
}
