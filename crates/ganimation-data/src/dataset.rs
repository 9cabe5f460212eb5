//! A folder of faces: pictures, labels and the split into training and test faces.

mod pictures;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::au::{AU_COUNT, ActionUnit, Intensities};
use crate::error::{Error, Result};
use crate::labels;
use crate::pickle::Labels;

pub use pictures::PICTURE_EXTENSIONS;
use pictures::{Pictures, stem};

/// One labelled face.
#[derive(Clone, Debug, PartialEq)]
pub struct Face {
    /// File name without its extension.
    pub id: String,
    /// The picture.
    pub path: PathBuf,
    /// What the face does, in OpenFace units.
    pub intensities: Intensities,
}

/// The two parts of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// Faces to learn from.
    Train,
    /// Faces held out.
    Test,
}

impl Split {
    /// The list of ids that defines this part.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Train => "train_ids.csv",
            Self::Test => "test_ids.csv",
        }
    }
}

/// How to open a dataset.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Leave faces with problems out and report them, in place of failing.
    pub skip_bad: bool,
}

/// A dataset folder:
///
/// | entry | holds |
/// |---|---|
/// | `imgs/` | pictures: jpg, jpeg, png or webp, any size |
/// | `aus_openface.pkl` | labels: pickled `dict` from an id to 17 intensities, OpenFace units 0 to 5 |
/// | or `aus_openface.csv`, `labels.csv` | labels: a table with the columns `file,AU01,AU02,…` |
/// | `train_ids.csv`, `test_ids.csv` | one file name a line, no header |
///
/// Ids match with or without their extension. Opening lists the folder once and decodes nothing.
#[derive(Debug)]
pub struct Dataset {
    train: Vec<Face>,
    test: Vec<Face>,
    problems: Vec<Error>,
}

impl Dataset {
    /// Opens a dataset folder in which every listed face is complete.
    ///
    /// # Errors
    /// [`Error::Dataset`] with the number of problems and the first of them if a listed face has no
    /// picture or no sound label, or is listed twice; other variants if a file cannot be read.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(dir, OpenOptions::default())
    }

    /// Opens a dataset folder; with `skip_bad`, leaves incomplete faces out and keeps the reasons in
    /// [`problems`](Self::problems).
    ///
    /// # Errors
    /// As [`open`](Self::open), where [`Error::Dataset`] needs `skip_bad` to be false.
    pub fn open_with(dir: impl AsRef<Path>, options: OpenOptions) -> Result<Self> {
        let dir = dir.as_ref();
        let (labels_path, labels) = labels::read_folder(dir)?;
        let mut lister = Lister {
            pictures: Pictures::list(&dir.join("imgs"))?,
            labels: by_stem(labels),
            labels_path,
            seen: HashMap::new(),
            problems: Vec::new(),
        };
        let train = lister.read(&dir.join(Split::Train.file_name()))?;
        let test = lister.read(&dir.join(Split::Test.file_name()))?;
        let mut problems = lister.problems;
        if !options.skip_bad && !problems.is_empty() {
            let count = problems.len();
            let first = Box::new(problems.swap_remove(0));
            return Err(Error::Dataset {
                dir: dir.to_owned(),
                count,
                first,
            });
        }
        Ok(Self {
            train,
            test,
            problems,
        })
    }

    /// The faces of one part, in the order of its list.
    pub fn split(&self, split: Split) -> &[Face] {
        match split {
            Split::Train => &self.train,
            Split::Test => &self.test,
        }
    }

    /// Why faces were left out, in the order of the lists.
    pub fn problems(&self) -> &[Error] {
        &self.problems
    }
}

/// Turns lists of ids into faces.
struct Lister {
    pictures: Pictures,
    /// Labels by file name without extension.
    labels: HashMap<String, Vec<f64>>,
    labels_path: PathBuf,
    /// Where each face has been listed.
    seen: HashMap<String, (PathBuf, u64)>,
    problems: Vec<Error>,
}

impl Lister {
    fn read(&mut self, path: &Path) -> Result<Vec<Face>> {
        let text = fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text); // what editors on Windows put first
        let mut faces = Vec::new();
        for (line, id) in (1..).zip(text.lines().map(str::trim)) {
            if id.is_empty() {
                continue;
            }
            match self.face(path, line, id) {
                Ok(face) => faces.push(face),
                Err(problem) => self.problems.push(problem),
            }
        }
        Ok(faces)
    }

    fn face(&mut self, list: &Path, line: u64, id: &str) -> Result<Face> {
        let path = self.pictures.find(list, line, id)?;
        let stem = stem(id).to_owned();
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
        Ok(Face {
            id: stem,
            path,
            intensities,
        })
    }

    fn intensities(&self, list: &Path, line: u64, id: &str) -> Result<Intensities> {
        let (path, id, labels) = (list.to_owned(), id.to_owned(), self.labels_path.clone());
        let Some(label) = self.labels.get(stem(&id)) else {
            return Err(Error::MissingLabel {
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
        // Beyond f32 is as good as infinite here.
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

fn by_stem(labels: Labels) -> HashMap<String, Vec<f64>> {
    labels
        .into_iter()
        .map(|(id, label)| (stem(&id).to_owned(), label))
        .collect()
}

#[cfg(test)]
mod tests;
