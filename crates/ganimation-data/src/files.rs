//! Files that appear under their name only once they are complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};

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

/// A hidden name in the same folder, unique in this process, so that the rename stays on one file system.
fn scratch_name(path: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}-{count}.part", process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
