//! The pictures of a dataset folder, found by their ids.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Extensions of pictures that are read.
pub const PICTURE_EXTENSIONS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// Where the pictures of a dataset folder are.
pub const PICTURES_DIR: &str = "imgs";

/// The pictures of a folder by file name without extension.
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
            // A name that is not UTF-8 cannot stand in a list of ids either.
            let Ok(name) = entry.map_err(read_error)?.file_name().into_string() else {
                continue;
            };
            if stem(&name) != name {
                names.entry(stem(&name).to_owned()).or_default().push(name);
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

    /// The picture of an id: the very name if it is there, else the one that differs in its extension.
    pub(super) fn find(&self, list: &Path, line: u64, id: &str) -> Result<PathBuf> {
        let names = self.names.get(stem(id)).map(Vec::as_slice).unwrap_or_default();
        if names.iter().any(|name| name == id) {
            return Ok(self.dir.join(id));
        }
        let (path, id) = (list.to_owned(), id.to_owned());
        match names {
            [] => Err(Error::MissingPicture {
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

/// A file name without the extension of a picture; other dots belong to the name.
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
