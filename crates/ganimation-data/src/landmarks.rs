//! The 68 landmarks of a face, and the table that stores them in a dataset folder.

use std::collections::{BTreeMap, HashMap};
use std::iter;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::dataset::key;
use crate::error::{Error, Result};
use crate::files::{MAX_FILE_BYTES, read_bounded};
use crate::labels::{Row, Table};

/// How many landmarks a face has.
pub const LANDMARK_COUNT: usize = 68;

/// File name of the landmark table in a dataset folder.
pub const LANDMARKS_FILE: &str = "landmarks.csv";

/// How far outside the picture a landmark may be, as a fraction of the side. Chins and foreheads are often cut off.
pub(crate) const MARGIN: f64 = 0.5;

/// If all coordinates of a face are below this fraction of the side, the landmarks were measured on a smaller crop.
const TOO_SMALL: f64 = 0.55;

/// Minimum horizontal distance between the eyes, as a fraction of the side, in a face that fills its crop.
const NARROW: f32 = 0.1;

/// For each landmark, the index of its counterpart in the mirrored face.
pub(crate) const MIRROR: [usize; LANDMARK_COUNT] = [
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, // jaw
    26, 25, 24, 23, 22, 21, 20, 19, 18, 17, // brows
    27, 28, 29, 30, 35, 34, 33, 32, 31, // nose
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40, // eyes
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, // outer lips
    64, 63, 62, 61, 60, 67, 66, 65, // inner lips
];

/// The 68 landmarks of a face in the order of iBUG (300-W) and OpenFace: jaw 0 to 16, brows 17 to 26, nose 27 to 35,
/// eyes 36 to 47, outer lips 48 to 59, inner lips 60 to 67.
///
/// Points are `[x, y]`, measured from the upper left corner as fractions of the crop's width and height. Points outside
/// the crop have coordinates below 0 or above 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Landmarks([[f32; 2]; LANDMARK_COUNT]);

impl Landmarks {
    /// Creates landmarks from points `[x, y]`, as fractions of the crop's width and height.
    pub const fn new(points: [[f32; 2]; LANDMARK_COUNT]) -> Self {
        Self(points)
    }

    /// The points `[x, y]`, as fractions of the crop's width and height.
    pub const fn points(&self) -> &[[f32; 2]; LANDMARK_COUNT] {
        &self.0
    }

    /// Whether the points have the layout of an upright face. From top to bottom, the order must be brows, eyes, nose,
    /// mouth. The right eye must be 0.1 to 1 crop widths to the left of the left eye in the picture. The mouth must be
    /// below the eyes by more than a third of this distance.
    pub fn plausible(&self) -> bool {
        let centre = |points: Range<usize>| {
            let count = points.len() as f32;
            let sum = self.0[points]
                .iter()
                .fold([0.0; 2], |sum, point| [sum[0] + point[0], sum[1] + point[1]]);
            sum.map(|value| value / count)
        };
        let [right_eye, left_eye, mouth] = [centre(36..42), centre(42..48), centre(48..68)];
        let apart = left_eye[0] - right_eye[0];
        let eyes = (right_eye[1] + left_eye[1]) / 2.0;
        let (brows, nose) = (centre(17..27)[1], centre(31..36)[1]);
        (NARROW..1.0).contains(&apart)
            && brows < eyes
            && eyes < nose
            && nose < mouth[1]
            && mouth[1] - eyes > apart / 3.0
    }

    /// The landmarks of the mirrored picture.
    pub fn mirrored(&self) -> Self {
        Self(MIRROR.map(|other| [1.0 - self.0[other][0], self.0[other][1]]))
    }
}

/// Encodes landmarks as a table for [`LANDMARKS_FILE`]: the columns `file,x_0,…,x_67,y_0,…,y_67`, one line per face, in
/// pixels of the crop with two decimals.
pub fn landmarks_to_bytes<'a>(
    faces: impl IntoIterator<Item = (&'a str, &'a [[f64; 2]; LANDMARK_COUNT])>,
) -> Vec<u8> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let header = iter::once("file".to_owned())
        .chain(columns("x"))
        .chain(columns("y"));
    let rows = faces.into_iter().map(|(file, points)| {
        let [x, y] = [0, 1].map(|axis| points.iter().map(move |point| format!("{:.2}", point[axis])));
        iter::once(file.to_owned()).chain(x).chain(y).collect::<Vec<_>>()
    });
    for record in iter::once(header.collect()).chain(rows) {
        // Writing to memory cannot fail, and all records have the same length.
        let _ = table.write_record(&record);
    }
    table.into_inner().unwrap_or_default()
}

/// Reads a table with the columns `file,x_0,…,x_67,y_0,…,y_67`, in any order. Returns points `[x, y]` in pixels, by
/// file name without extension. Other columns are ignored. Errors use `path` as the name of the table.
///
/// # Errors
/// [`Error::Csv`] if the bytes are not a table, [`Error::MissingColumn`] or [`Error::NotANumber`] if the contents are
/// not landmarks, [`Error::RepeatedLandmarks`] if a face has two rows.
pub fn landmarks_from_bytes(
    path: &Path,
    bytes: &[u8],
) -> Result<BTreeMap<String, [[f64; 2]; LANDMARK_COUNT]>> {
    let mut entries: Vec<_> = LandmarkTable::from_bytes(path, bytes)?
        .entries
        .into_iter()
        .collect();
    entries.sort_by_key(|(_, entry)| entry.line); // so that the first error is the first in the file
    let rows = entries.into_iter().map(|(id, entry)| Ok((id, entry.points?)));
    rows.collect()
}

/// The names of the columns of one axis.
pub(crate) fn columns(axis: &str) -> impl Iterator<Item = String> {
    (0..LANDMARK_COUNT).map(move |landmark| format!("{axis}_{landmark}"))
}

/// The landmarks of one row, in pixels. `across` and `down` are the columns of the 68 x and y coordinates.
pub(crate) fn row_points(
    row: &Row<'_>,
    across: &[usize],
    down: &[usize],
) -> Result<[[f64; 2]; LANDMARK_COUNT]> {
    let mut points = [[0.0; 2]; LANDMARK_COUNT];
    for ((point, &x), &y) in points.iter_mut().zip(across).zip(down) {
        *point = [row.finite(x)?, row.finite(y)?];
    }
    Ok(points)
}

/// One row of the table.
struct Entry {
    line: u64,
    /// In pixels.
    points: Result<[[f64; 2]; LANDMARK_COUNT]>,
}

/// The landmarks of a dataset folder, before they are matched with pictures.
pub(crate) struct LandmarkTable {
    path: PathBuf,
    /// By file name without extension.
    entries: HashMap<String, Entry>,
    /// Faces taken so far.
    found: usize,
    /// Number of these faces whose points do not fit the size of their pictures.
    misfits: usize,
}

impl LandmarkTable {
    /// Reads the table of a dataset folder, if there is one.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::FileTooLarge`], [`Error::Csv`] or [`Error::MissingColumn`] if it is not such a table,
    /// [`Error::RepeatedLandmarks`] if a face has two rows.
    pub(crate) fn read_folder(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(LANDMARKS_FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let bytes = read_bounded(&path, MAX_FILE_BYTES)?;
        Self::from_bytes(&path, &bytes).map(Some)
    }

    fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let mut table = Table::new(path, bytes)?;
        let file = table.column(&["file", "id"])?;
        // In OpenFace's tables, capital letters are 3D landmarks: `X_0` is not `x_0`.
        let [across, down] = ["x", "y"].map(|axis| {
            columns(axis)
                .map(|name| table.exact_column(&name))
                .collect::<Result<Vec<_>>>()
        });
        let (across, down) = (across?, down?);
        let mut entries = HashMap::new();
        while let Some(row) = table.next_row()? {
            let (id, line) = (row.text(file).to_owned(), row.line());
            let points = row_points(&row, &across, &down);
            if entries.insert(key(&id), Entry { line, points }).is_some() {
                return Err(Error::RepeatedLandmarks {
                    path: path.to_owned(),
                    line,
                    id,
                });
            }
        }
        Ok(Self {
            path: path.to_owned(),
            entries,
            found: 0,
            misfits: 0,
        })
    }

    /// Takes the landmarks of a face out of the table, as fractions of the picture's width and height. Returns `None`
    /// if the face has no row.
    ///
    /// Reads the picture's header.
    ///
    /// # Errors
    /// [`Error::NotANumber`] if the row contains a NaN, an infinite value or text, [`Error::LandmarkOutside`] if a
    /// point is outside the picture by more than half a side, [`Error::Picture`] or [`Error::Read`] if the picture's
    /// size cannot be read.
    pub(crate) fn take(&mut self, stem: &str, picture: &Path) -> Result<Option<Landmarks>> {
        let Some(Entry { line, points }) = self.entries.remove(stem) else {
            return Ok(None);
        };
        let points = points?;
        let (width, height) = picture_size(picture)?;
        let sides = [f64::from(width), f64::from(height)];
        let shares = points.map(|point| [point[0] / sides[0], point[1] / sides[1]]);
        let outside = |share: &f64| !(-MARGIN..=1.0 + MARGIN).contains(share);
        let beyond = shares.iter().position(|share| share.iter().any(outside));
        let small = shares.as_flattened().iter().all(|&share| share < TOO_SMALL);
        self.found += 1;
        self.misfits += usize::from(beyond.is_some() || small);
        if let Some(landmark) = beyond {
            let [x, y] = points[landmark];
            return Err(Error::LandmarkOutside {
                path: self.path.clone(),
                line,
                landmark,
                x,
                y,
                width,
                height,
            });
        }
        #[allow(
            clippy::cast_possible_truncation,
            reason = "shares of a side are between -0.5 and 1.5"
        )]
        Ok(Some(Landmarks(
            shares.map(|share| share.map(|value| value as f32)),
        )))
    }

    /// Checks, from the faces taken so far, that the table belongs to crops of this size.
    ///
    /// # Errors
    /// [`Error::LandmarksOfOtherSize`] if more than half of the faces do not fit their pictures.
    pub(crate) fn check(&self) -> Result<()> {
        if 2 * self.misfits > self.found {
            return Err(Error::LandmarksOfOtherSize {
                path: self.path.clone(),
                misfits: self.misfits,
                faces: self.found,
            });
        }
        Ok(())
    }
}

/// Width and height of a picture, from its header.
fn picture_size(path: &Path) -> Result<(u32, u32)> {
    let read_error = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let reader = image::ImageReader::open(path).map_err(read_error)?;
    let reader = reader.with_guessed_format().map_err(read_error)?;
    reader.into_dimensions().map_err(|source| Error::Picture {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distinct points inside the crop.
    fn points() -> [[f32; 2]; LANDMARK_COUNT] {
        std::array::from_fn(|at| [0.1 + at as f32 * 0.01, 0.9 - at as f32 * 0.005])
    }

    #[test]
    fn mirrored_twice_is_the_same_and_once_swaps_the_sides() {
        let landmarks = Landmarks::new(points());
        let mirrored = landmarks.mirrored();
        for (left, right) in [
            (0, 16),
            (17, 26),
            (36, 45),
            (41, 46),
            (48, 54),
            (60, 64),
            (67, 65),
            (31, 35),
        ] {
            let [x, y] = landmarks.points()[right];
            assert_eq!(mirrored.points()[left], [1.0 - x, y]);
        }
        for middle in [8, 27, 30, 33, 51, 57, 62, 66] {
            assert_eq!(mirrored.points()[middle][1], landmarks.points()[middle][1]);
        }
        for (again, before) in mirrored.mirrored().points().iter().zip(landmarks.points()) {
            assert!((again[0] - before[0]).abs() < 1e-6 && again[1] == before[1]);
        }
    }

    #[test]
    fn a_written_table_is_read_back() {
        let pixels = points().map(|point| point.map(|share| f64::from(share) * 128.0));
        let bytes = landmarks_to_bytes([("a.jpg", &pixels)]);
        let table = landmarks_from_bytes(Path::new(LANDMARKS_FILE), &bytes).unwrap();
        for (read, written) in table["a"].as_flattened().iter().zip(pixels.as_flattened()) {
            assert!((read - written).abs() <= 0.005 + 1e-9);
        }
    }

    #[test]
    fn a_face_is_plausible_upright_and_in_order() {
        let mut face = [[0.5, 0.7]; LANDMARK_COUNT];
        face[17..27].fill([0.5, 0.3]);
        face[36..42].fill([0.3, 0.4]);
        face[42..48].fill([0.7, 0.4]);
        face[48..].fill([0.5, 0.85]);
        assert!(Landmarks::new(face).plausible() && Landmarks::new(face).mirrored().plausible());
        let upside_down = Landmarks::new(face.map(|[x, y]| [1.0 - x, 1.0 - y]));
        let swapped = Landmarks::new(face.map(|[x, y]| [1.0 - x, y]));
        let tiny = Landmarks::new(face.map(|[x, y]| [x * 0.2, y * 0.2]));
        assert!(!upside_down.plausible() && !swapped.plausible() && !tiny.plausible());
        let nowhere = Landmarks::new([[0.5; 2]; LANDMARK_COUNT]);
        assert!(!nowhere.plausible());
    }
}
