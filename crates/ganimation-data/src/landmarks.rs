//! The 68 landmarks of a face, and the table of a dataset folder that holds them.

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

/// The table of landmarks in a dataset folder.
pub const LANDMARKS_FILE: &str = "landmarks.csv";

/// How far outside its picture a landmark may lie, in shares of the side: chins and foreheads are often cut off.
pub(crate) const MARGIN: f64 = 0.5;

/// If all points of a face lie above and left of this share of the side, they were measured on a smaller crop.
const TOO_SMALL: f64 = 0.55;

/// Eyes nearer to each other than this share of the side are none of a face that fills its crop.
const NARROW: f32 = 0.1;

/// Which landmark each one is in the mirror.
pub(crate) const MIRROR: [usize; LANDMARK_COUNT] = [
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, // jaw
    26, 25, 24, 23, 22, 21, 20, 19, 18, 17, // brows
    27, 28, 29, 30, 35, 34, 33, 32, 31, // nose
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40, // eyes
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, // outer lips
    64, 63, 62, 61, 60, 67, 66, 65, // inner lips
];

/// The 68 landmarks of a face in the order of iBUG (300-W), which is OpenFace's: jaw 0 to 16, brows to 26, nose to 35,
/// eyes to 47, outer lips to 59, inner lips to 67.
///
/// Points are `[x, y]` in shares of the crop's side, from its left upper corner; points outside the crop are below 0 or
/// above 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Landmarks([[f32; 2]; LANDMARK_COUNT]);

impl Landmarks {
    /// Takes points `[x, y]` in shares of the crop's side.
    pub const fn new(points: [[f32; 2]; LANDMARK_COUNT]) -> Self {
        Self(points)
    }

    /// The points `[x, y]` in shares of the crop's side.
    pub const fn points(&self) -> &[[f32; 2]; LANDMARK_COUNT] {
        &self.0
    }

    /// Whether this is the shape of an upright face: its right eye left of its left one in the picture, with brows above
    /// the eyes, and the mouth below nose and eyes.
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

/// Landmarks as a table for [`LANDMARKS_FILE`]: `file,x_0,…,x_67,y_0,…,y_67`, in pixels of the crop, a face a line.
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
        // Writing to memory cannot fail, and all records are of one length.
        let _ = table.write_record(&record);
    }
    table.into_inner().unwrap_or_default()
}

/// Reads the bytes of a table with the columns `file,x_0,…,x_67,y_0,…,y_67` in any order: points `[x, y]` by file name without
/// extension, in pixels. Other columns are ignored; errors name the table as `path`.
///
/// # Errors
/// [`Error::Csv`] if it is no table, [`Error::MissingColumn`], [`Error::NotANumber`] and [`Error::RepeatedLandmarks`] if its
/// contents are not landmarks.
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

/// The landmarks of one row, in pixels; columns are those of the 68 x and of the 68 y.
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
    /// Faces found so far.
    found: usize,
    /// Those of them whose points do not fit the size of their pictures.
    misfits: usize,
}

impl LandmarkTable {
    /// Reads the table of a dataset folder, if there is one.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::FileTooLarge`], [`Error::Csv`] or [`Error::MissingColumn`] if it is no such table,
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
        // Capital letters are OpenFace's landmarks in space: `X_0` is not `x_0`.
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

    /// Takes the landmarks of a face out of the table, in shares of its picture's sides; none if it has no row.
    ///
    /// Reads the picture's header.
    ///
    /// # Errors
    /// [`Error::NotANumber`] if the row holds a NaN, an infinity or a word, [`Error::LandmarkOutside`] if a point lies
    /// more than half a side outside the picture, [`Error::Picture`] or [`Error::Read`] if the picture's size cannot be
    /// read.
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

    /// Whether the faces taken so far show that the table belongs to crops of another size.
    ///
    /// # Errors
    /// [`Error::LandmarksOfOtherSize`] if most faces do not fit their pictures.
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

    /// Points that can be told apart, inside the crop.
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
