//! The pictures of a dataset folder, found by their ids.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use crate::error::{Error, Result};

/// Extensions of the pictures of a dataset folder.
pub const PICTURE_EXTENSIONS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// Extensions of supported photos.
pub const PHOTO_EXTENSIONS: [&str; 9] = ["jpg", "jpeg", "png", "webp", "bmp", "gif", "qoi", "tif", "tiff"];

/// The folder of the pictures inside a dataset folder.
pub const PICTURES_DIR: &str = "imgs";

/// The pictures of a folder by [`key`].
pub(super) struct Pictures {
    dir: PathBuf,
    names: HashMap<String, Vec<String>>,
}

impl Pictures {
    pub(super) fn list(dir: &Path) -> Result<Self> {
        let read_error = |source| Error::Read {
            path: dir.to_owned(),
            source,
        };
        let mut names: HashMap<String, Vec<String>> = HashMap::new();
        for entry in fs::read_dir(dir).map_err(read_error)? {
            // Lists of ids are UTF-8, so they cannot contain a name that is not UTF-8.
            let Ok(name) = entry.map_err(read_error)?.file_name().into_string() else {
                continue;
            };
            if stem(&name) != name && !is_side_file(Path::new(&name)) {
                names.entry(key(&name)).or_default().push(name);
            }
        }
        Ok(Self {
            dir: dir.to_owned(),
            names,
        })
    }

    /// The file names without extension, in any order.
    pub(super) fn stems(&self) -> impl Iterator<Item = &String> {
        self.names.keys()
    }

    /// Whether there is a picture for an id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.names.contains_key(&key(id))
    }

    /// The picture of an id: the file with exactly this name if it exists, otherwise a file that differs in its
    /// extension or in the composition of its accents. With `explain`, an error contains a similar name.
    pub(super) fn find(&self, list: &Path, line: u64, id: &str, explain: bool) -> Result<PathBuf> {
        let names = self.names.get(&key(id)).map(Vec::as_slice).unwrap_or_default();
        let written = file_name(id);
        let very = names.iter().find(|name| *name == written);
        let alike = |name: &&String| stem(name) == stem(written);
        if let Some(name) = very {
            return Ok(self.dir.join(name));
        }
        if let [name] = names.iter().filter(alike).collect::<Vec<_>>()[..] {
            return Ok(self.dir.join(name));
        }
        let (path, id) = (list.to_owned(), id.to_owned());
        match names {
            [] => Err(Error::MissingPicture {
                near: explain
                    .then(|| nearly(&id, self.names.values().flatten()))
                    .flatten(),
                path,
                line,
                id,
                dir: self.dir.clone(),
            }),
            [name] => Ok(self.dir.join(name)),
            [first, second, ..] => {
                let (first, second) = (first.clone(), second.clone());
                Err(Error::AmbiguousPicture {
                    path,
                    line,
                    id,
                    first,
                    second,
                })
            }
        }
    }
}

/// The key for matching lists, labels and pictures: the file name without extension, with composed accents (NFC).
pub(crate) fn key(id: &str) -> String {
    stem(file_name(id)).nfc().collect()
}

/// The file name of a path into the folder of pictures, such as `imgs\1.jpg` or `./1.jpg`. Other paths are not changed.
fn file_name(id: &str) -> &str {
    let parts = id.rsplit_once(['/', '\\']);
    let last = |folder: &str| folder.rsplit(['/', '\\']).next() == Some(PICTURES_DIR);
    match parts {
        Some((folder, name)) if matches!(folder, "" | ".") || last(folder) => name,
        _ => id,
    }
}

/// The first name that differs from `id` only in case, in folders, or in text after a comma, semicolon or tab.
pub(super) fn nearly<'a>(id: &str, mut names: impl Iterator<Item = &'a String>) -> Option<String> {
    let core = |id: &str| {
        let cell = id.split([',', ';', '\t']).next().unwrap_or_default();
        let name = cell.rsplit(['/', '\\']).next().unwrap_or_default();
        key(name.trim().trim_matches('"')).to_lowercase()
    };
    let wanted = core(id);
    names
        .find(|name| !wanted.is_empty() && core(name) == wanted)
        .cloned()
}

/// Whether a file is one that macOS writes next to a photo on other file systems: `._1.jpg` is not a picture.
pub fn is_side_file(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("._"))
}

/// A file name without the extension of a picture; other dots are part of the name.
pub(crate) fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, extension))
            if PICTURE_EXTENSIONS
                .iter()
                .any(|e| extension.eq_ignore_ascii_case(e)) =>
        {
            stem
        }
        _ => name,
    }
}
