//! Atomic file writes, and one-line messages for errors and their sources. The other crates of GANimation share this
//! crate.
//!
//! ```
//! let path = std::env::temp_dir().join("ganimation-io-example.txt");
//! ganimation_io::write_atomically(&path, b"complete or absent")?;
//! assert_eq!(std::fs::read(&path)?, b"complete or absent");
//! # std::fs::remove_file(path)?;
//! # Ok::<(), std::io::Error>(())
//! ```

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// The suffix of scratch files.
const SCRATCH: &str = ".part";

/// Writes `bytes` to `path` through a synced scratch file. After a kill or a power failure, the file has either its old
/// or its new contents.
///
/// # Errors
/// The first I/O error; `path` is then unchanged.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_through(path, |file| file.write_all(bytes))
}

/// Lets `write` fill a scratch file next to `path`, then renames it.
fn write_through(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let scratch = scratch_path(path);
    let written = (|| {
        let mut file = BufWriter::new(File::create_new(&scratch)?);
        write(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()?; // otherwise a power failure can leave an empty file with the new name
        fs::rename(&scratch, path)
    })();
    written.inspect_err(|_| {
        // The scratch file may not exist. The first error is the one to report.
        let _ = fs::remove_file(&scratch);
    })
}

/// A hidden path next to `path`, unique in this process. It is in the same folder, so that a rename stays on one file
/// system.
pub fn scratch_path(path: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}-{count}{SCRATCH}", process::id()))
}

/// Removes scratch files of killed processes from a folder. No other process may be writing to the folder.
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

/// The message of an error and those of its sources in one line, separated by colons.
///
/// A source that the line already contains is not repeated. Control characters, which can come from file names or file
/// contents, become spaces.
///
/// ```
/// let error = std::io::Error::other("disk\nfull");
/// assert_eq!(ganimation_io::one_line(&error), "disk full");
/// ```
pub fn one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line.trim_end().replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing test may panic")]

    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_scratch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.pkl");
        write_atomically(&path, b"old").unwrap();
        let failed = write_through(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "disk full");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn scratch_files_of_killed_processes_are_removed_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        fs::write(scratch_path(&path), b"half").unwrap();
        fs::write(&path, b"whole").unwrap();
        fs::write(folder.path().join(".lock"), b"").unwrap();
        remove_scratch(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn sources_follow_once_and_control_characters_do_not() {
        #[derive(Debug)]
        struct Outer(io::Error);
        impl std::fmt::Display for Outer {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("cannot read a\tb.png")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let line = one_line(&Outer(io::Error::other("disk full\n")));
        assert_eq!(line, "cannot read a b.png: disk full");
        assert_eq!(
            one_line(&Outer(io::Error::other("a\tb.png"))),
            "cannot read a b.png"
        );
    }
}
