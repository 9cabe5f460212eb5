//! Files of a run with one JSON object per line. Each object contains its `step`.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use ganimation_data::write_whole;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// An open file of lines.
pub(crate) struct Lines {
    path: PathBuf,
    file: File,
}

impl Lines {
    /// Opens the file to append lines after step `step`. Lines of later steps are removed: the process was killed after
    /// its last checkpoint, and the run takes those steps again.
    pub(crate) fn open(folder: &Path, name: &str, step: u64) -> Result<Self> {
        let path = folder.join(name);
        drop_lines_after(step, &path)?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        Ok(Self { path, file })
    }

    /// Writes a line.
    pub(crate) fn write(&mut self, entry: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_string(entry).map_err(Error::damaged(&self.path))?;
        line.push('\n');
        // One write: if the process is killed, the file ends with this line or a part of it, without a gap.
        (self.file.write_all(line.as_bytes())).map_err(Error::file("write", &self.path))
    }
}

/// Every valid line; none if the file does not exist.
pub(crate) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    Ok(read(path)?
        .unwrap_or_default()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}

fn read(path: &Path) -> Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}

fn drop_lines_after(step: u64, path: &Path) -> Result<()> {
    let Some(text) = read(path)? else {
        return Ok(());
    };
    let of_line = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["step"].as_u64();
    let kept: String = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n') && of_line(line).is_some_and(|found| found <= step))
        .collect();
    if kept.len() == text.len() {
        return Ok(());
    }
    Ok(write_whole(path, kept.as_bytes())?)
}
