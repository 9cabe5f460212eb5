//! Files read within bounds, and files that appear under their name only once they are complete.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};

/// The largest file of labels or ids that is read, in bytes: an hour of video with every column of OpenFace.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 30;

/// Reads a file of at most `limit` bytes; one that never ends, as a device may, is left after so many.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| {
        let expected = file.metadata().map_or(0, |metadata| metadata.len()).min(limit);
        // One byte more than expected, so that the end is seen without growing the buffer.
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

/// Writes `bytes` to `path` through a synced scratch file, so that a kill or a power cut leaves the old file or the new
/// one.
///
/// # Errors
/// [`Error::Write`]; `path` is then as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write_through(path, |file| file.write_all(bytes))
}

/// Lets `write` fill a scratch file beside `path`, then renames it; a failure leaves `path` as it was.
pub(crate) fn write_through(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<()> {
    let scratch = scratch_name(path);
    let written = (|| {
        let mut file = BufWriter::new(File::create_new(&scratch)?);
        write(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()?; // or a power cut may leave the new name on an empty file
        fs::rename(&scratch, path)
    })();
    written.map_err(|source| {
        // The scratch file may not even exist; the error that counts is the first one.
        let _ = fs::remove_file(&scratch);
        Error::Write {
            path: path.to_owned(),
            source,
        }
    })
}

/// Takes a folder for this process, until the file that is returned is dropped. A process that was killed may take a moment
/// to let go of it.
///
/// # Errors
/// [`Error::Busy`] if another process has it, [`Error::Write`] if its lock cannot be made.
pub fn lock_folder(folder: &Path) -> Result<File> {
    const ATTEMPTS: u32 = 10;
    let path = folder.join(".lock");
    let file = File::create(&path).map_err(|source| Error::Write { path, source })?;
    for _ in 0..ATTEMPTS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(50)),
            // Not every file system has locks; a run there is as safe as its user is careful.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
    Err(Error::Busy {
        folder: folder.to_owned(),
    })
}

/// Removes the scratch files that killed writers left in a folder, which only whoever has locked it may do.
pub fn remove_scratch(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(SCRATCH) {
            let _ = fs::remove_file(entry.path()); // one that stays takes room and does no harm
        }
    }
}

/// How the names of scratch files end.
const SCRATCH: &str = ".part";

/// A hidden name in the same folder, unique in this process, so that the rename stays on one file system.
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
