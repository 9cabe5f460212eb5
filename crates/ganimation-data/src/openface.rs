//! Tables that OpenFace writes, read by the names of their columns.

use std::path::Path;

use crate::au::{AU_COUNT, Intensities};
use crate::error::Result;
use crate::files::{MAX_FILE_BYTES, read_bounded};
use crate::labels::Table;
use crate::landmarks::{LANDMARK_COUNT, columns, row_points};

/// What OpenFace saw of one face in one image or frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Line of the table, counted from 1.
    pub line: u64,
    /// Frame, counted from 1; `FeatureExtraction` alone has it.
    pub frame: Option<u64>,
    /// Seconds from the start of the video; `FeatureExtraction` alone has it.
    pub timestamp: Option<f64>,
    /// Trust in the landmarks, 0 to 1.
    pub confidence: f64,
    /// Whether the face was tracked; a table without that column holds found faces alone.
    pub success: bool,
    /// What the face does, OpenFace units 0 to 5; zeros if it was not tracked.
    pub intensities: Intensities,
    /// Where the face is, if the table has its landmarks.
    pub place: Option<Place>,
    /// Its 68 landmarks `[x, y]` (`x_0` to `y_67`) in pixels of the photo, if the table has them.
    pub landmarks: Option<Box<[[f32; 2]; LANDMARK_COUNT]>>,
    /// Where the head is (`pose_Tx`, `pose_Ty`, `pose_Tz`), if the table says so: to the right, down and away from the
    /// camera, in millimetres.
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

/// Reads a table of `FaceLandmarkImg` (one row a face) or `FeatureExtraction` (one row a frame).
///
/// Only the columns `confidence` and `AU01_r` to `AU45_r` are needed; spaces around names and values do
/// not matter, nor does the order.
///
/// # Errors
/// [`Error::Read`](crate::Error::Read) or [`Error::FileTooLarge`](crate::Error::FileTooLarge) if the file cannot be read;
/// otherwise as [`readings_from_bytes`].
pub fn read_openface(path: impl AsRef<Path>) -> Result<Vec<Reading>> {
    let path = path.as_ref();
    readings_from_bytes(path, &read_bounded(path, MAX_FILE_BYTES)?)
}

/// As [`read_openface`], from the bytes of a file; errors name it as `path`.
///
/// # Errors
/// [`Error::Csv`](crate::Error::Csv) if the file is no table,
/// [`Error::MissingColumn`](crate::Error::MissingColumn) and
/// [`Error::NotANumber`](crate::Error::NotANumber), with the line, if it is none of OpenFace.
pub fn readings_from_bytes(path: &Path, bytes: &[u8]) -> Result<Vec<Reading>> {
    let mut table = Table::new(path, bytes)?;
    let confidence = table.column(&["confidence"])?;
    let units = table.action_units()?;
    let [frame, timestamp, success] =
        ["frame", "timestamp", "success"].map(|name| table.optional_column(&[name]));
    // Capital letters are the landmarks in space, in millimetres: `X_0` is not `x_0`.
    let [across, down] = ["x", "y"].map(|axis| table.exact_columns(columns(axis)));
    let head = table.exact_columns(["pose_Tx", "pose_Ty", "pose_Tz"].map(str::to_owned));
    let mut readings = Vec::new();
    while let Some(row) = table.next_row()? {
        // 0, or 0.0 where a spreadsheet has been at it.
        let success = success.is_none_or(|column| row.number(column).map_or(true, |told| told != 0.0));
        let mut reading = Reading {
            line: row.line(),
            frame: frame.and_then(|column| row.text(column).parse().ok()),
            timestamp: timestamp.map(|column| row.finite(column)).transpose()?,
            confidence: 0.0,
            success,
            intensities: Intensities::default(),
            place: None,
            landmarks: None,
            head: None,
        };
        // What stands in the row of a lost face means nothing, and need not be numbers.
        if success {
            reading.confidence = row.finite(confidence)?;
            let mut intensities = [0.0; AU_COUNT];
            for (value, &column) in intensities.iter_mut().zip(&units) {
                #[allow(clippy::cast_possible_truncation, reason = "two decimals fit f32")]
                let intensity = row.finite(column)? as f32;
                *value = intensity;
            }
            reading.intensities = Intensities::new(intensities);
            if let (Some(across), Some(down)) = (&across, &down)
                && let Ok(points) = row_points(&row, across, down)
            {
                reading.place = Some(Place::around(&points));
                #[allow(
                    clippy::cast_possible_truncation,
                    reason = "a tenth of a pixel of a large photo fits f32"
                )]
                let points = points.map(|point| point.map(|value| value as f32));
                reading.landmarks = Some(Box::new(points));
            }
            reading.head = head.as_deref().and_then(|columns| {
                let [x, y, z] = columns else { return None };
                Some([row.finite(*x).ok()?, row.finite(*y).ok()?, row.finite(*z).ok()?])
            });
        }
        readings.push(reading);
    }
    Ok(readings)
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

/// The face that OpenFace trusts most, if it found any.
pub fn most_confident(readings: &[Reading]) -> Option<&Reading> {
    let found = readings.iter().filter(|reading| reading.success);
    // The first of equals, which is the largest face.
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
    use crate::au::ActionUnit;
    use std::fs;

    /// Columns of intensities and presences, as OpenFace orders them.
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
    fn a_video_holds_a_row_a_frame_and_lost_frames_are_told() {
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
    fn a_table_of_something_else_is_refused() {
        let message = read("name,age\na,3\n").unwrap_err().to_string();
        assert!(
            message.ends_with("has no column `confidence`; it has: name, age"),
            "{message}"
        );
    }
}
