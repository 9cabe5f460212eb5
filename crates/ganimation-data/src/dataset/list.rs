//! Lists of ids, and the conversion of ids to faces.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::Face;
use super::pictures::{PICTURES_DIR, Pictures, key, nearly};
use crate::au::{AU_COUNT, ActionUnit, Intensities};
use crate::error::{Error, Result};
use crate::files::{MAX_FILE_BYTES, read_bounded};
use crate::labels;
use crate::landmarks::{LandmarkTable, Landmarks};
use crate::pickle::Labels;

/// The ids in a list (one file name per line) and their line numbers, counted from 1.
///
/// Spaces and quotation marks around an id, commas after it, empty lines, and a byte order mark at the start are
/// ignored. Lines end with LF, CR LF or CR. Errors use `path` as the name of the list.
///
/// # Errors
/// [`Error::NotText`] if the list is not UTF-8.
pub fn ids_from_bytes<'a>(path: &Path, bytes: &'a [u8]) -> Result<Vec<(u64, &'a str)>> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = |(line, bytes)| match std::str::from_utf8(bytes) {
        Ok(id) => Ok((line, bare(id))),
        Err(_) => Err(Error::NotText {
            path: path.to_owned(),
            line,
        }),
    };
    let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    let lines = (1..).zip(bytes.split(|&byte| byte == end)).map(text);
    lines.filter(|line| !matches!(line, Ok((_, "")))).collect()
}

/// An id without the spaces, commas and quotation marks that spreadsheets add.
fn bare(line: &str) -> &str {
    let id = line.trim().trim_end_matches(',').trim();
    let quoted = id.strip_prefix('"').and_then(|id| id.strip_suffix('"'));
    quoted.map_or(id, str::trim)
}

/// Usual names of the column of ids, for lists with a header.
const HEADERS: &[&str] = &[
    "file",
    "filename",
    "file_name",
    "id",
    "ids",
    "image",
    "image_id",
    "img",
    "name",
    "photo",
    "picture",
];

/// Similar names are only searched for this many problems, because each search compares all names.
const EXPLAINED: usize = 100;

/// Turns lists of ids into faces.
pub(super) struct Lister {
    pictures: Pictures,
    /// Labels by file name without extension.
    labels: HashMap<String, Vec<f64>>,
    labels_path: PathBuf,
    landmarks: Option<LandmarkTable>,
    /// The list and the line of each valid face.
    seen: HashMap<String, (PathBuf, u64)>,
    /// All listed ids, without extension.
    listed: HashSet<String>,
    pub(super) problems: Vec<Error>,
}

impl Lister {
    /// Lists the pictures and reads the labels and landmarks of a dataset folder.
    pub(super) fn new(dir: &Path) -> Result<Self> {
        let (labels_path, labels) = labels::read_folder(dir)?;
        Ok(Self {
            pictures: Pictures::list(&dir.join(PICTURES_DIR))?,
            labels: by_stem(&labels_path, labels)?,
            labels_path,
            landmarks: LandmarkTable::read_folder(dir)?,
            seen: HashMap::new(),
            listed: HashSet::new(),
            problems: Vec::new(),
        })
    }

    /// The valid faces of a list. The others are added to `problems`.
    pub(super) fn read(&mut self, path: &Path) -> Result<Vec<Face>> {
        let bytes = read_bounded(path, MAX_FILE_BYTES)?;
        let mut faces = Vec::new();
        for (at, (line, id)) in ids_from_bytes(path, &bytes)?.into_iter().enumerate() {
            let is_header = at == 0 && HEADERS.iter().any(|header| id.eq_ignore_ascii_case(header));
            if is_header && !self.pictures.has(id) {
                continue;
            }
            self.listed.insert(key(id));
            match self.face(path, line, id) {
                Ok(face) => faces.push(face),
                Err(problem) => self.problems.push(problem),
            }
        }
        Ok(faces)
    }

    /// Ids of pictures and of labels that are in none of the lists read so far, sorted.
    pub(super) fn unlisted(&self) -> (Vec<String>, Vec<String>) {
        let missing = |ids: &mut dyn Iterator<Item = &String>| {
            let mut missing: Vec<_> = ids.filter(|id| !self.listed.contains(*id)).cloned().collect();
            missing.sort_unstable();
            missing
        };
        (
            missing(&mut self.pictures.stems()),
            missing(&mut self.labels.keys()),
        )
    }

    fn face(&mut self, list: &Path, line: u64, id: &str) -> Result<Face> {
        let explain = self.problems.len() < EXPLAINED;
        let path = self.pictures.find(list, line, id, explain)?;
        let stem = key(id);
        let intensities = self.intensities(list, line, id)?;
        if let Some((first_path, first_line)) = self.seen.insert(stem.clone(), (list.to_owned(), line)) {
            let (path, id) = (list.to_owned(), id.to_owned());
            return Err(Error::RepeatedId {
                path,
                line,
                id,
                first_path,
                first_line,
            });
        }
        let landmarks = self.landmarks(&stem, &path);
        Ok(Face {
            id: stem,
            path,
            intensities,
            landmarks,
        })
    }

    /// The landmarks of a face. If they are invalid, the problem is recorded, and the face is kept without landmarks.
    fn landmarks(&mut self, stem: &str, picture: &Path) -> Option<Landmarks> {
        let taken = self.landmarks.as_mut()?.take(stem, picture);
        taken.unwrap_or_else(|problem| {
            self.problems.push(problem);
            None
        })
    }

    /// # Errors
    /// [`Error::LandmarksOfOtherSize`] if most landmarks do not fit their pictures.
    pub(super) fn check_landmarks(&self) -> Result<()> {
        self.landmarks.as_ref().map_or(Ok(()), LandmarkTable::check)
    }

    fn intensities(&self, list: &Path, line: u64, id: &str) -> Result<Intensities> {
        let (path, id, labels) = (list.to_owned(), id.to_owned(), self.labels_path.clone());
        let Some(label) = self.labels.get(&key(&id)) else {
            let explain = self.problems.len() < EXPLAINED;
            return Err(Error::MissingLabel {
                near: explain.then(|| nearly(&id, self.labels.keys())).flatten(),
                path,
                line,
                id,
                labels,
            });
        };
        let Ok(label) = <&[f64; AU_COUNT]>::try_from(label.as_slice()) else {
            return Err(Error::LabelLength {
                path,
                line,
                id,
                labels,
                found: label.len(),
            });
        };
        // Values outside the range of f32 become infinite.
        #[allow(
            clippy::cast_possible_truncation,
            reason = "intensities are of the order of 5; f32 is what the network takes"
        )]
        let values = label.map(|value| value as f32);
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let (au, found) = (ActionUnit::ALL[at], label[at]);
            return Err(Error::LabelNotFinite {
                path,
                line,
                id,
                labels,
                au,
                found,
            });
        }
        Ok(Intensities::new(values))
    }
}

/// Labels by file name without extension.
fn by_stem(path: &Path, labels: Labels) -> Result<HashMap<String, Vec<f64>>> {
    let mut by_stem: HashMap<String, (String, Vec<f64>)> = HashMap::with_capacity(labels.len());
    for (id, label) in labels {
        let stem = key(&id);
        if let Some((first, _)) = by_stem.get(&stem) {
            return Err(Error::RepeatedLabel {
                path: path.to_owned(),
                first: first.clone(),
                second: id,
            });
        }
        by_stem.insert(stem, (id, label));
    }
    Ok(by_stem
        .into_iter()
        .map(|(stem, (_, label))| (stem, label))
        .collect())
}
