//! A file with one line for each finished photo, so that the next run can continue an interrupted one.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::cut::picture_path;
use super::outcome::{Drop, Outcome, Reason};
use super::sources::{Photo, stamp};
use super::{PrepareConfig, Source};
use crate::error::{Error, Result};
use crate::files::{MAX_FILE_BYTES, read_bounded, write_whole};

/// The journal's name in the dataset folder.
const NAME: &str = "prepare.jsonl";

/// The journal's version. Version 2 added landmarks, version 3 clamps labels to 0 to 5.
const VERSION: u32 = 3;

/// The first line: the settings of all faces in the folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Settings {
    version: u32,
    size: u32,
    format: String,
    labels: String,
    min_confidence: f64,
    drop_grey: bool,
    /// Whether each photo is a face crop.
    #[serde(default)]
    whole: bool,
}

/// Any other line.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    id: String,
    stamp: String,
    outcome: Outcome,
}

/// The journal of a dataset folder.
pub(super) struct Journal<'a> {
    config: &'a PrepareConfig,
    path: PathBuf,
    settings: Settings,
    file: File,
    known: HashMap<String, Entry>,
}

impl<'a> Journal<'a> {
    /// Reads the journal, or creates it.
    pub(super) fn open(config: &'a PrepareConfig, source: Source<'_>) -> Result<Self> {
        let path = config.output.join(NAME);
        let settings = Settings::of(config, source);
        let mut known = HashMap::new();
        if path.exists() {
            let bytes = read_bounded(&path, MAX_FILE_BYTES)?;
            // An incomplete last line is ignored. A full disk can cause one.
            let whole = bytes
                .iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(0, |at| at + 1);
            let mut lines = bytes[..whole].split(|&byte| byte == b'\n');
            let before = lines
                .next()
                .and_then(|line| serde_json::from_slice::<Settings>(line).ok());
            // Entries of an older version are ignored, and their photos are processed again.
            let old = before
                .as_ref()
                .is_some_and(|before| before.version < settings.version);
            let before = before.map(|before| Settings {
                version: settings.version,
                ..before
            });
            if let Some(before) = before.filter(|before| *before != settings) {
                let text = |settings: &Settings| serde_json::to_string(settings).unwrap_or_default();
                return Err(Error::OtherSettings {
                    folder: config.output.clone(),
                    before: text(&before),
                    now: text(&settings),
                });
            }
            let entries = lines.filter_map(|line| serde_json::from_slice::<Entry>(line).ok());
            let entries = entries.filter(|_| !old);
            known.extend(entries.map(|entry| (entry.id.clone(), entry)));
        }
        // Rewritten without an incomplete line, so that the next entry starts on a new line.
        let mut entries: Vec<&Entry> = known.values().collect();
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        write_whole(&path, &lines(&settings, entries))?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(|source| Error::Write {
                path: path.clone(),
                source,
            })?;
        Ok(Self {
            config,
            path,
            settings,
            file,
            known,
        })
    }

    /// The outcome of a photo, if it is known and still valid.
    pub(super) fn known(&self, photo: &Photo) -> Option<Outcome> {
        let entry = self
            .known
            .get(&photo.id)
            .filter(|entry| entry.stamp == photo.stamp)?;
        let written = || picture_path(self.config, &photo.id).is_file();
        let holds = matches!(entry.outcome, Outcome::Dropped(_)) || written();
        holds.then(|| entry.outcome.clone())
    }

    /// Appends the outcome of a photo.
    pub(super) fn add(&mut self, photo: &Photo, outcome: &Outcome) -> Result<()> {
        let Some(line) = entry(photo, outcome).map(|entry| line(&entry)) else {
            return Ok(());
        };
        self.file.write_all(&line).map_err(|source| Error::Write {
            path: self.path.clone(),
            source,
        })
    }

    /// Rewrites the lines in the order of `photos`, which does not depend on the order in which photos were finished.
    pub(super) fn close(self, photos: &[Photo], outcomes: &[Outcome]) -> Result<()> {
        let entries: Vec<Entry> = photos
            .iter()
            .zip(outcomes)
            .filter_map(|(photo, outcome)| entry(photo, outcome))
            .collect();
        write_whole(&self.path, &lines(&self.settings, entries.iter()))
    }
}

impl Settings {
    fn of(config: &PrepareConfig, source: Source<'_>) -> Self {
        Self {
            version: VERSION,
            size: config.size,
            format: format!("{:?}", config.format).to_lowercase(),
            labels: match source {
                Source::Tables(_) => "tables".to_owned(),
                Source::Frames(table) => format!("frames of {} {}", table.display(), stamp(table)),
                Source::Estimator(name, _) => format!("read by {name}"),
            },
            min_confidence: config.min_confidence,
            drop_grey: config.drop_grey,
            whole: config.whole,
        }
    }
}

/// The journal's entry for a photo. `None` if the photo could not be read or has no label, because both can change
/// before the next run.
fn entry(photo: &Photo, outcome: &Outcome) -> Option<Entry> {
    if matches!(
        outcome,
        Outcome::Dropped(Drop {
            reason: Reason::Gone | Reason::NoLabel,
            ..
        })
    ) {
        return None;
    }
    Some(Entry {
        id: photo.id.clone(),
        stamp: photo.stamp.clone(),
        outcome: outcome.clone(),
    })
}

fn lines<'b>(settings: &Settings, entries: impl IntoIterator<Item = &'b Entry>) -> Vec<u8> {
    let mut bytes = line(settings);
    entries.into_iter().for_each(|entry| bytes.extend(line(entry)));
    bytes
}

fn line(value: &impl Serialize) -> Vec<u8> {
    // Writing plain structures to memory cannot fail.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}
