//! Which photos there are, what they will be called, and where their labels are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::frames::Frames;
use super::outcome::{Drop, Reason};
use super::{PrepareConfig, Source};
use crate::dataset::{PICTURE_EXTENSIONS, stem};
use crate::error::{Error, Result};
use crate::openface::Reading;

/// Where OpenFace puts its tables unless it is told otherwise.
const PROCESSED: &str = "processed";

/// One photo to prepare.
#[derive(Debug)]
pub(super) struct Photo {
    /// Its name in the dataset, without extension.
    pub(super) id: String,
    pub(super) path: PathBuf,
    pub(super) label: Label,
    /// Changes when the photo or its table does.
    pub(super) stamp: String,
}

/// Where a photo's label is.
#[derive(Debug)]
pub(super) enum Label {
    /// In a table of its own.
    Table(PathBuf),
    /// In these rows.
    Rows(Vec<Reading>),
    /// In the photo: a network reads it.
    Reader,
    /// Nowhere.
    Missing(Drop),
}

/// All photos by their names in the dataset, or by their frames.
pub(super) fn find(config: &PrepareConfig, source: Source<'_>) -> Result<Vec<Photo>> {
    let mut by_id: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in list(&config.photos)? {
        if let Some(first) = by_id.insert(id(&path), path.clone()) {
            return Err(Error::SameName { first, second: path });
        }
    }
    if by_id.is_empty() {
        return Err(Error::NoPhotos {
            places: config.photos.clone(),
        });
    }
    let mut frames = match source {
        Source::Frames(table) => Some(Frames::read(table, &by_id)?),
        Source::Tables(_) | Source::Reader(..) => None,
    };
    let order = frames.as_ref().map(Frames::order);
    let photo = |(id, path): (String, PathBuf)| {
        let label = match (source, &mut frames) {
            (Source::Frames(_), Some(frames)) => frames.take(&id),
            (Source::Tables(folder), _) => table_of(&path, folder),
            _ => Label::Reader,
        };
        let mut stamp = stamp(&path);
        match &label {
            Label::Table(table) => stamp = format!("{stamp} {}", self::stamp(table)),
            // A table of frames has one stamp, and is in the settings.
            Label::Rows(_) | Label::Reader | Label::Missing(_) => {}
        }
        Photo {
            id,
            path,
            label,
            stamp,
        }
    };
    let mut photos: Vec<Photo> = by_id.into_iter().map(photo).collect();
    if let Some(order) = order {
        photos.sort_by_key(|photo| order.get(&photo.id).copied());
    }
    Ok(photos)
}

/// The photos in folders, and those named one by one.
fn list(places: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for place in places {
        if !place.is_dir() {
            fs::metadata(place).map_err(read_error(place))?;
            paths.push(place.clone());
            continue;
        }
        for entry in fs::read_dir(place).map_err(read_error(place))? {
            let path = entry.map_err(read_error(place))?.path();
            let is_picture = path
                .extension()
                .and_then(|extension| extension.to_str())
                .is_some_and(|extension| {
                    PICTURE_EXTENSIONS
                        .iter()
                        .any(|known| extension.eq_ignore_ascii_case(known))
                });
            if is_picture {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// A name that is one line without blank ends, and has no second extension of a picture.
fn id(path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut id: String = name.trim().replace(char::is_control, "_");
    if stem(&id) != id {
        id = id.replace('.', "_");
    }
    id
}

fn table_of(photo: &Path, folder: Option<&Path>) -> Label {
    let name = photo.with_extension("csv");
    let name = name.file_name().unwrap_or_default();
    let beside = photo.parent().unwrap_or(Path::new(""));
    let candidates = match folder {
        Some(folder) => vec![folder.join(name)],
        None => vec![beside.join(name), beside.join(PROCESSED).join(name)],
    };
    let missing = || Label::Missing(Reason::NoLabel.because(format!("no table {}", name.display())));
    candidates
        .into_iter()
        .find(|path| path.is_file())
        .map_or_else(missing, Label::Table)
}

/// Length and time of the last change.
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

fn read_error(path: &Path) -> impl Fn(std::io::Error) -> Error {
    |source| Error::Read {
        path: path.to_owned(),
        source,
    }
}
