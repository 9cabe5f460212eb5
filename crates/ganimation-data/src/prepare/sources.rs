//! The photos, their names in the dataset, and the sources of their labels.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::frames::Frames;
use super::listing::{Listed, Listing, list};
use super::outcome::{Drop, Reason};
use super::{PrepareConfig, Source};
use crate::error::{Error, Result};
use crate::openface::Reading;

/// OpenFace's default folder for its tables.
pub(super) const PROCESSED: &str = "processed";

/// One photo to prepare.
#[derive(Debug)]
pub(super) struct Photo {
    /// Its name in the dataset, without extension.
    pub(super) id: String,
    pub(super) path: PathBuf,
    pub(super) label: Label,
    /// Changes when the photo or its table changes.
    pub(super) stamp: String,
}

/// The source of a photo's label.
#[derive(Debug)]
pub(super) enum Label {
    /// A table for this photo.
    Table(PathBuf),
    /// Rows of a video's table.
    Rows(Vec<Reading>),
    /// A network, which estimates the label from the photo.
    Estimator,
    /// There is no label.
    Missing(Drop),
}

/// All photos, sorted by their names in the dataset or by their frames, and the numbers of skipped files by extension.
pub(super) fn find(
    config: &PrepareConfig,
    source: Source<'_>,
) -> Result<(Vec<Photo>, BTreeMap<String, usize>)> {
    let tables = match source {
        Source::Tables(folder) => folder,
        Source::Frames(_) | Source::Estimator(..) => None,
    };
    let Listing { photos, skipped } = list(config, tables)?;
    if photos.is_empty() {
        return Err(Error::NoPhotos {
            places: config.photos.clone(),
            skipped,
        });
    }
    let mut frames = match source {
        Source::Frames(table) => Some(Frames::read(table, &photos)?),
        Source::Tables(_) | Source::Estimator(..) => None,
    };
    let order = frames.as_ref().map(Frames::order);
    let photo = |listed: Listed| {
        let label = match (source, &mut frames) {
            (Source::Frames(_), Some(frames)) => frames.take(&listed.id),
            (Source::Tables(folder), _) => table_of(&listed, folder),
            _ => Label::Estimator,
        };
        let mut stamp = stamp(&listed.path);
        match &label {
            Label::Table(table) => stamp = format!("{stamp} {}", self::stamp(table)),
            // The settings contain the stamp of a video's table.
            Label::Rows(_) | Label::Estimator | Label::Missing(_) => {}
        }
        Photo {
            id: listed.id,
            path: listed.path,
            label,
            stamp,
        }
    };
    let mut photos: Vec<Photo> = photos.into_iter().map(photo).collect();
    if let Some(order) = order {
        photos.sort_by_key(|photo| order.get(&photo.id).copied());
    }
    Ok((photos, skipped))
}

/// The table with a photo's name. A table in the same subfolders of `folder` as the photo in its own folder is
/// preferred.
fn table_of(photo: &Listed, folder: Option<&Path>) -> Label {
    let name = photo.path.with_extension("csv");
    let name = name.file_name().unwrap_or_default();
    let inner = photo.folders.join(name);
    let beside = photo.path.parent().unwrap_or(Path::new(""));
    let mut candidates = match folder {
        Some(folder) => vec![folder.join(&inner), folder.join(format!("{}.csv", photo.id))],
        None => vec![beside.join(name), beside.join(PROCESSED).join(name)],
    };
    // If several photos have this name, the table could belong to any of them, and is not used.
    candidates.extend(folder.filter(|_| photo.alone).map(|folder| folder.join(name)));
    let missing = || Label::Missing(Reason::NoLabel.because(format!("no table {}", inner.display())));
    candidates
        .into_iter()
        .find(|path| path.is_file())
        .map_or_else(missing, Label::Table)
}

/// Length of a file, and time of its last change.
pub(super) fn stamp(path: &Path) -> String {
    let Ok(metadata) = fs::metadata(path) else {
        return "gone".to_owned();
    };
    let changed = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("{}@{}", metadata.len(), changed.map_or(0, |time| time.as_nanos()))
}
