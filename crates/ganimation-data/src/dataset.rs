//! A folder of faces: pictures, labels and the split into training and test faces.

mod list;
mod pictures;

use std::path::{Path, PathBuf};

use crate::au::Intensities;
use crate::error::{Error, Result};
use crate::landmarks::Landmarks;

use list::Lister;
pub use list::ids_from_bytes;
pub use pictures::{PHOTO_EXTENSIONS, PICTURE_EXTENSIONS, PICTURES_DIR, is_side_file};
pub(crate) use pictures::{key, stem};

/// One labelled face.
#[derive(Clone, Debug, PartialEq)]
pub struct Face {
    /// File name without its extension.
    pub id: String,
    /// The picture.
    pub path: PathBuf,
    /// Its action units, in OpenFace units.
    pub intensities: Intensities,
    /// Its landmarks, if the dataset has them.
    pub landmarks: Option<Landmarks>,
}

/// The two parts of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// Training faces.
    Train,
    /// Held-out faces.
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

/// Options for opening a dataset.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Skip and report faces with problems, instead of an error. If only the landmarks are invalid, the face is kept without
    /// landmarks.
    pub skip_bad: bool,
    /// Read only the list of this part. The other part is empty, and its list can be missing.
    pub only: Option<Split>,
}

/// A dataset folder:
///
/// | entry | contents |
/// |---|---|
/// | `imgs/` | pictures: jpg, jpeg, png or webp, any size |
/// | `aus_openface.pkl` | labels: pickled `dict` from an id to 17 intensities, OpenFace units 0 to 5 |
/// | or `aus_openface.csv`, `labels.csv` | labels: a table with the columns `file,AU01,AU02,…` |
/// | `train_ids.csv`, `test_ids.csv` | one file name per line, no header |
/// | `landmarks.csv` (optional) | a table with the columns `file,x_0,…,x_67,y_0,…,y_67`, in pixels of the picture |
///
/// Ids match with or without their extension, in any composition of accents, and as paths into `imgs/`. Opening lists
/// the folder once and decodes no pictures. With landmarks, it reads the size in each picture's header.
#[derive(Debug)]
pub struct Dataset {
    train: Vec<Face>,
    test: Vec<Face>,
    problems: Vec<Error>,
    skip_bad: bool,
    unlisted_pictures: Vec<String>,
    unlisted_labels: Vec<String>,
}

impl Dataset {
    /// Opens a dataset folder in which every listed face is complete.
    ///
    /// # Errors
    /// [`Error::Dataset`] with the number of problems and the first of them if a listed face has no
    /// picture or no valid label, has invalid landmarks or is listed twice; [`Error::LandmarksOfOtherSize`] if most landmarks
    /// do not fit their pictures; other variants if a file cannot be read.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(dir, OpenOptions::default())
    }

    /// Opens a dataset folder. With `skip_bad`, incomplete faces are skipped, with the reasons in
    /// [`problems`](Self::problems).
    ///
    /// # Errors
    /// See [`open`](Self::open). [`Error::Dataset`] is returned only without `skip_bad`.
    pub fn open_with(dir: impl AsRef<Path>, options: OpenOptions) -> Result<Self> {
        let dir = dir.as_ref();
        let mut lister = Lister::new(dir)?;
        let mut part = |split: Split| match options.only {
            Some(only) if only != split => Ok(Vec::new()),
            _ => lister.read(&dir.join(split.file_name())),
        };
        let (train, test) = (part(Split::Train)?, part(Split::Test)?);
        lister.check_landmarks()?;
        let (unlisted_pictures, unlisted_labels) = lister.unlisted();
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
            skip_bad: options.skip_bad,
            unlisted_pictures,
            unlisted_labels,
        })
    }

    /// The faces of one part, in the order of its list.
    pub fn split(&self, split: Split) -> &[Face] {
        match split {
            Split::Train => &self.train,
            Split::Test => &self.test,
        }
    }

    /// The problems of skipped faces and landmarks, in the order of the lists.
    pub fn problems(&self) -> &[Error] {
        &self.problems
    }

    /// Whether it was opened with [`OpenOptions::skip_bad`].
    pub fn skips_bad(&self) -> bool {
        self.skip_bad
    }

    /// Ids with a picture that are in no list, sorted.
    pub fn unlisted_pictures(&self) -> &[String] {
        &self.unlisted_pictures
    }

    /// Ids with a label that are in no list, sorted.
    pub fn unlisted_labels(&self) -> &[String] {
        &self.unlisted_labels
    }
}

#[cfg(test)]
mod tests;
