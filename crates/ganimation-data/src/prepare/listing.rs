//! Lists photos in folders and their subfolders, names them, and counts unsupported files.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use super::PrepareConfig;
use super::sources::PROCESSED;
use crate::dataset::{PHOTO_EXTENSIONS, is_side_file, stem};
use crate::error::{Error, Result};
use crate::files::file_extension;

/// Extensions of unsupported pictures and films that users may take for photos.
const UNSUPPORTED: &[&str] = &[
    "heic", "heif", "avif", "jxl", "jp2", "psd", "svg", "pdf", "dng", "cr2", "cr3", "nef", "arw", "raf",
    "orf", "rw2", "mov", "mp4", "m4v", "avi", "mkv", "webm",
];

/// Maximum depth of subfolders, because links can form a cycle.
const DEEPEST: usize = 32;

/// A photo and its name.
pub(super) struct Listed {
    /// Its name in the dataset, without extension.
    pub(super) id: String,
    pub(super) path: PathBuf,
    /// The folders between the given folder and the photo.
    pub(super) folders: PathBuf,
    /// Whether no other photo has the same file name.
    pub(super) alone: bool,
}

/// The photos, and the numbers of skipped files by extension.
pub(super) struct Listing {
    pub(super) photos: Vec<Listed>,
    pub(super) skipped: BTreeMap<String, usize>,
}

/// A photo and the given folder in which it was found.
struct Found {
    place: PathBuf,
    /// The path from `place` to the photo; only the file name if the photo itself was given.
    inner: PathBuf,
    path: PathBuf,
}

/// Searches the given folders and their subfolders.
pub(super) fn list(config: &PrepareConfig, tables: Option<&Path>) -> Result<Listing> {
    let mut walk = Walk {
        // The output folder and the folder of tables are not searched.
        without: [Some(config.output.as_path()), tables]
            .into_iter()
            .flatten()
            .filter_map(|path| fs::canonicalize(path).ok())
            .collect(),
        found: BTreeMap::new(),
        skipped: BTreeMap::new(),
    };
    for place in &config.photos {
        if place.is_dir() {
            walk.folder(place, Path::new(""), place)?;
        } else {
            fs::metadata(place).map_err(read_error(place))?;
            walk.photo(place.parent().unwrap_or(Path::new("")), place.clone());
        }
    }
    Ok(Listing {
        photos: named(walk.found.into_values().collect())?,
        skipped: walk.skipped,
    })
}

struct Walk {
    without: Vec<PathBuf>,
    /// By canonical path, so that each photo is counted once.
    found: BTreeMap<PathBuf, Found>,
    skipped: BTreeMap<String, usize>,
}

impl Walk {
    fn folder(&mut self, place: &Path, inner: &Path, folder: &Path) -> Result<()> {
        let mut entries = fs::read_dir(folder)
            .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
            .map_err(read_error(folder))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() {
                if self.is_searched(&path) && inner.components().count() < DEEPEST {
                    self.folder(place, &inner.join(name), &path)?;
                }
                continue;
            }
            let extension = file_extension(&path);
            if is_side_file(&path) {
                continue;
            } else if PHOTO_EXTENSIONS.contains(&extension.as_str()) {
                self.photo(place, path);
            } else if UNSUPPORTED.contains(&extension.as_str()) {
                *self.skipped.entry(extension).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Whether a folder is searched. `processed` and `…_aligned` are not, because they contain OpenFace's own pictures
    /// of faces.
    fn is_searched(&self, folder: &Path) -> bool {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let of_openface = name == PROCESSED || name.ends_with("_aligned");
        let made = |folder: PathBuf| self.without.contains(&folder);
        !of_openface && !name.starts_with('.') && !fs::canonicalize(folder).is_ok_and(made)
    }

    fn photo(&mut self, place: &Path, path: PathBuf) {
        if is_side_file(&path) {
            return;
        }
        let inner = path.strip_prefix(place).unwrap_or(&path).to_owned();
        let found = Found {
            place: place.to_owned(),
            inner,
            path,
        };
        let known = fs::canonicalize(&found.path).unwrap_or_else(|_| found.path.clone());
        self.found.entry(known).or_insert(found);
    }
}

/// Gives each photo a unique name: the file name after the names of the subfolders. If two names would be equal, the
/// names of the folders above are added too.
fn named(found: Vec<Found>) -> Result<Vec<Listed>> {
    let mut files: HashMap<PathBuf, usize> = HashMap::new();
    let mut groups: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for photo in found {
        *files.entry(file_stem(&photo.path)).or_default() += 1;
        groups.entry(id(&photo.inner)).or_default().push(photo);
    }
    let mut listed: BTreeMap<String, Listed> = BTreeMap::new();
    for (short, photos) in groups {
        for (id, photo) in apart(short, photos) {
            let other = Listed {
                alone: files.get(&file_stem(&photo.path)) == Some(&1),
                folders: photo.inner.parent().unwrap_or(Path::new("")).to_owned(),
                path: photo.path.clone(),
                id: id.clone(),
            };
            if let Some(first) = listed.insert(id, other) {
                return Err(Error::SameName {
                    first: first.path,
                    second: photo.path,
                });
            }
        }
    }
    Ok(listed.into_values().collect())
}

/// The photos with the same name, with as few folders above added as make their names different. If no number of
/// folders is enough, the names are unchanged.
fn apart(short: String, photos: Vec<Found>) -> Vec<(String, Found)> {
    let above = |photo: &Found| fs::canonicalize(&photo.place).unwrap_or_else(|_| photo.place.clone());
    let most = photos.iter().map(|photo| above(photo).components().count()).max();
    let with = |photo: &Found, depth: usize| {
        let above = above(photo);
        let parts: Vec<_> = above.components().collect();
        let last: PathBuf = parts[parts.len().saturating_sub(depth)..].iter().collect();
        id(&last.join(&photo.inner))
    };
    for depth in 0..=most.unwrap_or(0) {
        let mut names: Vec<String> = photos.iter().map(|photo| with(photo, depth)).collect();
        let all = photos.len();
        names.sort_unstable();
        names.dedup();
        if names.len() == all {
            return photos
                .into_iter()
                .map(|photo| (with(&photo, depth), photo))
                .collect();
        }
    }
    photos.into_iter().map(|photo| (short.clone(), photo)).collect()
}

/// A name in one line, without spaces at its ends and without a second picture extension: `s1/1.jpg` becomes `s1_1`.
fn id(inner: &Path) -> String {
    let parts = inner.with_extension("");
    let parts = parts.components().filter_map(|part| match part {
        std::path::Component::Normal(part) => Some(part.to_string_lossy()),
        _ => None,
    });
    let name = parts.collect::<Vec<_>>().join("_");
    let mut id: String = name.trim().replace(char::is_control, "_");
    if stem(&id) != id {
        id = id.replace('.', "_");
    }
    id
}

fn file_stem(path: &Path) -> PathBuf {
    path.file_stem().unwrap_or_default().into()
}

fn read_error(path: &Path) -> impl Fn(std::io::Error) -> Error {
    |source| Error::Read {
        path: path.to_owned(),
        source,
    }
}
