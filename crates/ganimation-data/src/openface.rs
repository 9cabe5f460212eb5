//! Tables of OpenFace and similar programs, read by column name.

mod tool;

use std::path::Path;

use crate::au::{AU_COUNT, ActionUnit, Intensities};
use crate::error::{Error, Result};
use crate::files::{MAX_FILE_BYTES, read_bounded};
use crate::labels::{Row, Table};
use crate::landmarks::{LANDMARK_COUNT, columns, row_points};

/// Intensities outside this range are on another scale: pixels, percentages, or without their decimal comma.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = -1.0..=10.0;

/// OpenFace's measurement of one face in one image or frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Line of the table, counted from 1.
    pub line: u64,
    /// Frame, counted from 1; only in tables of `FeatureExtraction`.
    pub frame: Option<u64>,
    /// Seconds from the start of the video; only in tables of `FeatureExtraction`.
    pub timestamp: Option<f64>,
    /// Confidence in the landmarks, 0 to 1.
    pub confidence: f64,
    /// Whether the face was tracked. Tables without this column contain only found faces.
    pub success: bool,
    /// The face's action units, OpenFace units 0 to 5; zeros if it was not tracked.
    pub intensities: Intensities,
    /// The position of the face, if the table has its landmarks.
    pub place: Option<Place>,
    /// Its 68 landmarks `[x, y]` (`x_0` to `y_67`) in pixels of the photo, if the table has them.
    pub landmarks: Option<Box<[[f32; 2]; LANDMARK_COUNT]>>,
    /// The position of the head (`pose_Tx`, `pose_Ty`, `pose_Tz`), if the table has it: to the right, down and away
    /// from the camera, in millimetres.
    pub head: Option<[f64; 3]>,
}

/// The rectangle around a face's landmarks, in pixels of the photo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The leftmost landmark.
    pub left: f64,
    /// The topmost landmark.
    pub top: f64,
    /// The rightmost landmark.
    pub right: f64,
    /// The lowest landmark.
    pub bottom: f64,
}

/// Reads a table of `FaceLandmarkImg` (one row per face) or `FeatureExtraction` (one row per frame).
///
/// Only the columns `confidence` and `AU01_r` to `AU45_r` are required. Spaces around names and values, and the
/// order of the columns, have no effect.
///
/// # Errors
/// [`Error::Read`] or [`Error::FileTooLarge`] if the file cannot be read;
/// otherwise see [`readings_from_bytes`].
pub fn read_openface(path: impl AsRef<Path>) -> Result<Vec<Reading>> {
    let path = path.as_ref();
    readings_from_bytes(path, &read_bounded(path, MAX_FILE_BYTES)?)
}

/// Like [`read_openface`], but from the bytes of a file. Errors use `path` as its name.
///
/// # Errors
/// [`Error::Csv`] if the file is not a table, [`Error::MissingColumn`] and [`Error::NotANumber`], with the line, if it
/// is not a table of OpenFace, [`Error::ForeignTable`] for a table of a program that measures fewer action units,
/// [`Error::OffScale`] for intensities far outside 0 to 5.
pub fn readings_from_bytes(path: &Path, bytes: &[u8]) -> Result<Vec<Reading>> {
    let rows = measured(path, bytes, false)?.rows;
    Ok(rows.into_iter().map(|row| row.reading).collect())
}

/// The contents of a table of OpenFace or a similar program.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Its rows.
    pub rows: Vec<MeasuredRow>,
    /// Action units that the table does not have. They are 0 in every row.
    pub absent: Vec<ActionUnit>,
    /// The factor applied to the table's numbers: 5 for programs with intensities from 0 to 1.
    pub factor: f32,
}

/// A row of such a table.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredRow {
    /// The measurement of the face.
    pub reading: Reading,
    /// The face's number in a video, from 0.
    pub face: Option<u64>,
    /// Whether a number of a tracked face is NaN or infinite. Then the face counts as lost.
    pub broken: bool,
}

/// Like [`read_openface`], with data that only some tables have.
///
/// # Errors
/// See [`read_openface`].
pub fn read_openface_rows(path: impl AsRef<Path>) -> Result<Measured> {
    let path = path.as_ref();
    measured(path, &read_bounded(path, MAX_FILE_BYTES)?, false)
}

/// Like [`read_openface_rows`], but missing action units are 0 if the table has at least one action unit.
///
/// # Errors
/// See [`read_openface`].
pub fn read_filled(path: impl AsRef<Path>) -> Result<Measured> {
    let path = path.as_ref();
    measured(path, &read_bounded(path, MAX_FILE_BYTES)?, true)
}

fn measured(path: &Path, bytes: &[u8], fill: bool) -> Result<Measured> {
    let mut table = Table::new(path, bytes)?;
    let columns = Columns::find(&table, path, fill)?;
    let mut rows = Vec::new();
    let (mut unusable, mut usable) = (None, false);
    while let Some(row) = table.next_row()? {
        let (mut reading, face) = columns.frame(&row)?;
        // The values in the row of a lost face are meaningless, and can be something other than numbers.
        let spoilt = if reading.success {
            columns.measure(&row, &mut reading, path)?
        } else {
            None
        };
        let broken = spoilt.is_some();
        if let Some(error) = spoilt {
            reading.success = false;
            unusable.get_or_insert(error);
        }
        usable |= reading.success;
        rows.push(MeasuredRow {
            reading,
            face,
            broken,
        });
    }
    match unusable {
        Some(error) if !usable => Err(error),
        _ => Ok(Measured {
            rows,
            absent: columns.absent(),
            factor: columns.factor,
        }),
    }
}

/// The positions of columns.
struct Columns {
    confidence: Option<usize>,
    units: [Option<usize>; AU_COUNT],
    factor: f32,
    frame: Option<usize>,
    /// The column and the number of its units per second.
    time: Option<(usize, f64)>,
    face: Option<usize>,
    success: Option<usize>,
    across: Option<Vec<usize>>,
    down: Option<Vec<usize>>,
    head: Option<Vec<usize>>,
}

impl Columns {
    fn find(table: &Table<'_>, path: &Path, fill: bool) -> Result<Self> {
        let tool = tool::of(table);
        let confidence = table.optional_column(&["confidence", "FaceScore"]);
        if confidence.is_none() && tool.is_none() && !fill {
            table.column(&["confidence"])?;
        }
        let units = ActionUnit::ALL.map(|au| table.action_unit(au));
        let missing: Vec<_> = ActionUnit::ALL
            .into_iter()
            .filter(|au| units[au.index()].is_none())
            .map(ActionUnit::code)
            .collect();
        match tool {
            Some(tool) if tool.misnumbered || (!missing.is_empty() && !fill) => {
                return Err(Error::ForeignTable {
                    path: path.to_owned(),
                    tool: tool.name,
                    missing: if tool.misnumbered {
                        "columns numbered as action units are".to_owned()
                    } else {
                        missing.join(", ")
                    },
                });
            }
            _ if missing.is_empty() || (fill && missing.len() < AU_COUNT) => {}
            _ => drop(table.action_units()?),
        }
        // Capital letters are 3D landmarks, in millimetres: `X_0` is not `x_0`.
        let [across, down] = ["x", "y"].map(|axis| table.exact_columns(columns(axis)));
        let seconds = table.optional_column(&["timestamp"]).map(|column| (column, 1.0));
        let milliseconds = || Some((table.optional_column(&["frame_time_in_ms"])?, 1000.0));
        Ok(Self {
            confidence,
            units,
            factor: tool.map_or(1.0, |tool| tool.factor),
            frame: table.optional_column(&["frame", "frame_idx"]),
            time: seconds.or_else(milliseconds),
            face: table.optional_column(&["face_id"]),
            success: table.optional_column(&["success"]),
            across,
            down,
            head: table.exact_columns(["pose_Tx", "pose_Ty", "pose_Tz"].map(str::to_owned)),
        })
    }

    fn absent(&self) -> Vec<ActionUnit> {
        let units = ActionUnit::ALL.into_iter().zip(self.units);
        units
            .filter(|(_, column)| column.is_none())
            .map(|(au, _)| au)
            .collect()
    }

    /// A row without measurements, and the number of its face.
    fn frame(&self, row: &Row<'_>) -> Result<(Reading, Option<u64>)> {
        let whole = |column: Option<usize>| {
            let text = row.text(column?);
            // 0, or 0.0 after editing in a spreadsheet.
            text.parse()
                .ok()
                .or_else(|| text.strip_suffix(".0")?.parse().ok())
        };
        let is_set = |column| row.number(column).map_or(true, |value| value != 0.0);
        let reading = Reading {
            line: row.line(),
            frame: whole(self.frame),
            timestamp: match self.time {
                Some((column, units)) => number(row, column)?.ok().map(|time| time / units),
                None => None,
            },
            confidence: 0.0,
            success: self.success.is_none_or(is_set),
            intensities: Intensities::default(),
            place: None,
            landmarks: None,
            head: None,
        };
        Ok((reading, whole(self.face)))
    }

    /// Reads the measurements. A NaN is returned as an error for this row only.
    fn measure(&self, row: &Row<'_>, reading: &mut Reading, path: &Path) -> Result<Option<Error>> {
        let mut spoilt = None;
        let mut measured = |column: usize| -> Result<f64> {
            Ok(number(row, column)?.unwrap_or_else(|error| {
                spoilt.get_or_insert(error);
                0.0
            }))
        };
        if let Some((column, _)) = self.time {
            measured(column)?;
        }
        reading.confidence = self.confidence.map_or(Ok(1.0), &mut measured)?;
        for (au, column) in ActionUnit::ALL.into_iter().zip(self.units) {
            let Some(column) = column else { continue };
            let found = measured(column)?;
            if !PLAUSIBLE.contains(&found) {
                return Err(Error::OffScale {
                    path: path.to_owned(),
                    line: row.line(),
                    column: row.column_name(column).to_owned(),
                    found,
                });
            }
            #[allow(clippy::cast_possible_truncation, reason = "two decimals fit f32")]
            reading.intensities.set(au, found as f32 * self.factor);
        }
        if let (Some(across), Some(down)) = (&self.across, &self.down)
            && let Ok(points) = row_points(row, across, down)
        {
            reading.place = Some(Place::around(&points));
            #[allow(
                clippy::cast_possible_truncation,
                reason = "a tenth of a pixel of a large photo fits f32"
            )]
            let points = points.map(|point| point.map(|value| value as f32));
            reading.landmarks = Some(Box::new(points));
        }
        reading.head = self.head.as_deref().and_then(|columns| {
            let [x, y, z] = columns else { return None };
            Some([row.finite(*x).ok()?, row.finite(*y).ok()?, row.finite(*z).ok()?])
        });
        Ok(spoilt)
    }
}

/// The number in a cell. The inner error is for NaN.
fn number(row: &Row<'_>, column: usize) -> Result<Result<f64>> {
    match row.finite(column) {
        Err(error) if !is_nan(row.text(column)) => Err(error),
        number => Ok(number),
    }
}

/// Whether a cell is empty, NaN or infinite, as C++ and Python write them: `nan`, `-nan(ind)`, `1.#QNAN`, `inf`.
fn is_nan(text: &str) -> bool {
    let text = text.trim_start_matches(['-', '+']).to_ascii_lowercase();
    text.is_empty() || ["nan", "inf", "1.#"].iter().any(|start| text.starts_with(start))
}

impl Place {
    fn around(points: &[[f64; 2]; LANDMARK_COUNT]) -> Self {
        let none = Self {
            left: f64::MAX,
            top: f64::MAX,
            right: f64::MIN,
            bottom: f64::MIN,
        };
        points.iter().fold(none, |place, &[x, y]| Self {
            left: place.left.min(x),
            top: place.top.min(y),
            right: place.right.max(x),
            bottom: place.bottom.max(y),
        })
    }
}

/// The face with the highest confidence, if any face was found.
pub fn most_confident(readings: &[Reading]) -> Option<&Reading> {
    let found = readings.iter().filter(|reading| reading.success);
    // The first of equal values, which is the largest face.
    found.reduce(|best, next| {
        if next.confidence > best.confidence {
            next
        } else {
            best
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Columns of intensities and presences, in OpenFace's order.
    fn unit_columns() -> String {
        let intensities = ActionUnit::ALL.map(|au| format!(" {}_r", au.code()));
        let presences = ActionUnit::ALL.map(|au| format!(" {}_c", au.code()));
        format!("{},{}, AU28_c", intensities.join(","), presences.join(","))
    }

    fn unit_values(smile: f64) -> String {
        let intensities = ActionUnit::ALL.map(|au| {
            if au == ActionUnit::LipCornerPuller {
                smile
            } else {
                0.25
            }
        });
        format!(
            "{},{}",
            intensities.map(|value| format!(" {value:.2}")).join(","),
            [" 1.0"; 18].join(",")
        )
    }

    fn read(table: &str) -> Result<Vec<Reading>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("openface.csv");
        fs::write(&path, table).unwrap();
        read_openface(&path)
    }

    #[test]
    fn a_single_image_holds_a_row_a_face() {
        let table = format!(
            "face, confidence, pose_Tx,{}\n0, 0.91, 5,{}\n1, 0.98, 6,{}\n2, 0.98, 7,{}\n",
            unit_columns(),
            unit_values(1.0),
            unit_values(2.5),
            unit_values(3.0)
        );
        let readings = read(&table).unwrap();
        assert_eq!(readings.len(), 3);
        let best = most_confident(&readings).unwrap();
        assert_eq!(
            (best.line, best.frame, best.timestamp, best.success),
            (3, None, None, true)
        );
        assert_eq!(best.intensities.get(ActionUnit::LipCornerPuller), 2.5);
        assert_eq!(best.intensities.get(ActionUnit::Blink), 0.25);
    }

    #[test]
    fn a_video_holds_a_row_a_frame_and_lost_frames_are_reported() {
        let table = format!(
            "frame,face_id,timestamp,confidence,success,{}\n1,0,0.000,0.98,1,{}\n2,0,0.033,0.02,0,{}\n",
            unit_columns(),
            unit_values(1.0),
            unit_values(4.0)
        );
        let readings = read(&table).unwrap();
        assert_eq!((readings[1].frame, readings[1].timestamp), (Some(2), Some(0.033)));
        assert!(!readings[1].success);
        assert_eq!(readings[1].confidence, 0.0);
        assert_eq!(readings[1].intensities, Intensities::default());
        assert_eq!(most_confident(&readings).unwrap().frame, Some(1));
        assert_eq!(most_confident(&readings[1..]), None);
    }

    #[test]
    fn nonsense_in_the_row_of_a_lost_face_is_no_error() {
        let table = format!(
            "\u{feff}frame, face_id, timestamp, confidence, success,{}\r\n1, 0, 0, -nan(ind), 0.0,{}\r\n",
            unit_columns(),
            unit_values(1.0).replace("1.00", "-nan(ind)")
        );
        let readings = read(&table).unwrap();
        assert_eq!((readings.len(), readings[0].success), (1, false));
    }

    #[test]
    fn landmarks_in_pixels_place_the_face_and_those_in_space_do_not() {
        let columns = |x: &str, y: &str| {
            let names = (0..68)
                .map(|i| format!("{x}_{i}"))
                .chain((0..68).map(|i| format!("{y}_{i}")));
            names.collect::<Vec<_>>().join(", ")
        };
        let values = (0..68).map(|i| 100 + i).chain((0..68).map(|i| 40 + 2 * i));
        let values = values
            .map(|value| value.to_string())
            .collect::<Vec<_>>()
            .join(", ");
        let table = |columns: String| {
            let row = unit_values(1.0);
            let head = "pose_Tx, pose_Ty, pose_Tz";
            format!(
                "confidence, {head}, {columns},{}\n0.9, -40.5, 3, 600, {values},{row}\n",
                unit_columns()
            )
        };
        let placed = &read(&table(columns("x", "y"))).unwrap()[0];
        let expected = Place {
            left: 100.0,
            top: 40.0,
            right: 167.0,
            bottom: 174.0,
        };
        assert_eq!(
            (placed.place, placed.head),
            (Some(expected), Some([-40.5, 3.0, 600.0]))
        );
        let landmarks = placed.landmarks.as_ref().unwrap();
        assert_eq!((landmarks[0], landmarks[67]), ([100.0, 40.0], [167.0, 174.0]));
        let in_space = &read(&table(columns("X", "Y"))).unwrap()[0];
        assert_eq!((in_space.place, &in_space.landmarks), (None, &None));
    }

    #[test]
    fn a_bad_number_is_named_with_its_line() {
        let table = format!(
            "confidence,{}\n0.9,{}\n",
            unit_columns(),
            unit_values(1.0).replace("1.00", "-nan(ind)")
        );
        let message = read(&table).unwrap_err().to_string();
        assert!(
            message.ends_with("openface.csv:2: column `AU12_r` holds `-nan(ind)`, not a number"),
            "{message}"
        );
    }

    #[test]
    fn one_nan_spoils_its_row_alone() {
        for nan in ["nan", "-nan(ind)", "", "inf", "1.#QNAN"] {
            let table = format!(
                "frame, face_id, confidence,{}\n1, 0, 0.9,{}\n2, 3, 0.9,{}\n",
                unit_columns(),
                unit_values(1.0).replace("1.00", nan),
                unit_values(2.0)
            );
            let rows = measured(Path::new("openface.csv"), table.as_bytes(), false)
                .unwrap()
                .rows;
            let found: Vec<_> = rows
                .iter()
                .map(|row| (row.face, row.reading.success, row.broken))
                .collect();
            assert_eq!(found, [(Some(0), false, true), (Some(3), true, false)], "{nan}");
        }
        // A word is an error of the table, not a NaN.
        let table = format!(
            "confidence,{}\n0.9,{}\n0.9,{}\n",
            unit_columns(),
            unit_values(1.0).replace("1.00", "much"),
            unit_values(2.0)
        );
        assert!(read(&table).is_err());
    }

    #[test]
    fn intensities_on_another_scale_are_refused_with_row_and_column() {
        for (found, refused) in [
            ("250", true),
            ("-40", true),
            ("10.5", true),
            ("5.3", false),
            ("-0.2", false),
        ] {
            let table = format!(
                "confidence,{}\n0.9,{}\n0.9,{}\n",
                unit_columns(),
                unit_values(1.0),
                unit_values(1.5).replace("1.50", found)
            );
            match read(&table) {
                Ok(_) => assert!(!refused, "{found}"),
                Err(error) => {
                    let expected =
                        format!("openface.csv:3: column `AU12_r` holds {found}, far outside 0 to 5");
                    assert!(refused && error.to_string().ends_with(&expected), "{error}");
                }
            }
        }
    }

    #[test]
    fn joined_tables_may_repeat_their_header() {
        let header = format!("frame, confidence,{}\n", unit_columns());
        let row = format!("1, 0.9,{}\n", unit_values(1.0));
        assert_eq!(read(&format!("{header}{row}{header}{row}")).unwrap().len(), 2);
    }

    #[test]
    fn a_table_of_something_else_is_refused() {
        let message = read("name,age\na,3\n").unwrap_err().to_string();
        assert!(
            message.ends_with("has no column `confidence`; it has: name, age"),
            "{message}"
        );
    }
}
