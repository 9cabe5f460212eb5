//! Reads the measured intensities of a driver from a table: one face, with increasing times.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use ganimation_data::film::FrameRate;
use ganimation_data::openface::{Measured, MeasuredRow, read_filled, read_openface_rows};
use ganimation_data::{ActionUnit, Intensities};

use super::MAX_SECONDS;
use crate::{Error, Result};

/// OpenFace's usual rate, for tables without timestamps.
const FRAMES_PER_SECOND: f64 = 30.0;
/// Tolerance of timestamps, in seconds. Tables round them to thousandths.
const ROUNDING: f64 = 0.001;

/// Options for reading a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriverOptions {
    /// The face to use, by its `face_id`; by default the face with the most tracked rows.
    pub face: Option<u64>,
    /// Whether action units that are missing in the table are 0. Otherwise, they are an error.
    pub fill_absent: bool,
}

/// The intensities of a driver over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Driver {
    /// Increasing times in seconds from the first row with the face, and the intensities.
    pub measured: Vec<(f32, Intensities)>,
    /// The table's frame rate, 1 to 60 frames per second. A higher rate is halved until it fits.
    pub rate: FrameRate,
    /// Remarks about the table.
    pub remarks: Vec<DriverRemark>,
}

/// A remark about a table that was read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DriverRemark {
    /// The table has several faces. One is used.
    Followed {
        /// The face.
        face: u64,
        /// Number of tracked rows of this face.
        rows: usize,
        /// Number of other faces.
        others: usize,
    },
    /// Rows with a NaN or an infinite value were skipped.
    Broken {
        /// The count.
        rows: usize,
        /// Line of the first, counted from 1.
        line: u64,
    },
    /// Values are slightly outside 0 to 5. Frames show the nearest intensity in this range.
    OffScale {
        /// The count.
        values: usize,
        /// Line of the first, counted from 1.
        line: u64,
        /// Its action unit.
        unit: ActionUnit,
        /// Its value.
        found: f32,
    },
    /// Timestamps repeat. Frame numbers are used instead.
    Untimed {
        /// The assumed frame rate.
        rate: FrameRate,
    },
    /// The file consists of several tables. They are played in sequence.
    Joined {
        /// The count.
        tables: usize,
    },
    /// Action units that the table does not have. They are 0.
    Filled {
        /// The action units.
        units: Vec<ActionUnit>,
    },
    /// Values from 0 to 1 were scaled to intensities.
    Scaled {
        /// The factor.
        factor: f32,
    },
}

impl fmt::Display for DriverRemark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Followed { face, rows, others } => write!(
                f,
                "{} faces; face {face} is followed, tracked in {rows} rows (--drive-face chooses another)",
                others + 1
            ),
            Self::Broken { rows, line } => write!(
                f,
                "{rows} row(s) skipped for a NaN or an infinite value, the first in line {line}"
            ),
            Self::OffScale {
                values,
                line,
                unit,
                found,
            } => write!(
                f,
                "{values} value(s) outside 0 to 5 are shown at the nearer end; the first is {unit} = {found} in line {line}"
            ),
            Self::Untimed { rate } => write!(
                f,
                "the timestamps repeat; frame numbers are used, at {rate} frames a second"
            ),
            Self::Joined { tables } => {
                write!(f, "{tables} tables one after the other; they are played in turn")
            }
            Self::Filled { units } => {
                let units: Vec<_> = units.iter().map(ToString::to_string).collect();
                write!(f, "{} are not in the table and taken to be 0", units.join(", "))
            }
            Self::Scaled { factor } => {
                write!(f, "its units run from 0 to 1; they are multiplied by {factor}")
            }
        }
    }
}

impl Driver {
    /// Reads a table of OpenFace's `FeatureExtraction` or `FaceLandmarkVidMulti`.
    ///
    /// Rows without the face, and rows with a NaN or an infinite value, are skipped.
    ///
    /// # Errors
    /// [`Error::Data`] if the table cannot be read, [`Error::NoDriver`] if it does not contain the requested face,
    /// [`Error::EmptySequence`] if it contains no tracked face, [`Error::LongDriver`] if it covers more than four
    /// hours.
    pub fn load(path: &Path, options: &DriverOptions) -> Result<Self> {
        let table = if options.fill_absent {
            read_filled(path)?
        } else {
            read_openface_rows(path)?
        };
        let mut remarks = Vec::new();
        let rows = one_face(&table.rows, options.face, path, &mut remarks)?;
        let mut broken = rows.iter().filter(|row| row.broken);
        if let Some(first) = broken.next() {
            remarks.push(DriverRemark::Broken {
                rows: 1 + broken.count(),
                line: first.reading.line,
            });
        }
        let tracked: Vec<_> = rows.into_iter().filter(|row| row.reading.success).collect();
        if tracked.is_empty() {
            return Err(Error::EmptySequence {
                path: path.to_owned(),
            });
        }
        remarks.extend(off_scale(&tracked));
        let (times, rate) = times(&tracked, &mut remarks);
        remarks.extend(of_another_tool(&table));
        let start = times.first().copied().unwrap_or_default();
        let seconds = times.last().copied().unwrap_or_default() - start;
        if seconds > f64::from(MAX_SECONDS) {
            return Err(Error::LongDriver {
                path: path.to_owned(),
                seconds,
            });
        }
        let mut measured: Vec<(f32, Intensities)> = Vec::with_capacity(times.len());
        for (time, row) in times.into_iter().zip(&tracked) {
            #[allow(clippy::cast_possible_truncation, reason = "seconds of a film fit f32")]
            let time = (time - start) as f32;
            // After hours of film, neighbouring times can be equal in f32.
            if measured.last().is_none_or(|(before, _)| time > *before) {
                measured.push((time, row.reading.intensities));
            }
        }
        Ok(Self {
            measured,
            rate,
            remarks,
        })
    }
}

/// The rows of the requested face, or of the face with the most tracked rows.
fn one_face<'a>(
    rows: &'a [MeasuredRow],
    asked: Option<u64>,
    path: &Path,
    remarks: &mut Vec<DriverRemark>,
) -> Result<Vec<&'a MeasuredRow>> {
    let id = |row: &MeasuredRow| row.face.unwrap_or(0);
    let mut tracked: BTreeMap<u64, usize> = rows.iter().map(|row| (id(row), 0)).collect();
    for row in rows.iter().filter(|row| row.reading.success) {
        *tracked.entry(id(row)).or_default() += 1;
    }
    let face = match asked {
        Some(face) if tracked.contains_key(&face) => face,
        Some(face) => {
            return Err(Error::NoDriver {
                path: path.to_owned(),
                face,
                found: tracked.into_keys().collect(),
            });
        }
        // For equal numbers of rows, the face that appeared first. It has the lowest id.
        None => tracked
            .iter()
            .rev()
            .max_by_key(|&(_, rows)| rows)
            .map_or(0, |(&face, _)| face),
    };
    if asked.is_none() && tracked.len() > 1 {
        remarks.push(DriverRemark::Followed {
            face,
            rows: tracked.get(&face).copied().unwrap_or_default(),
            others: tracked.len() - 1,
        });
    }
    Ok(rows.iter().filter(|row| id(row) == face).collect())
}

fn off_scale(rows: &[&MeasuredRow]) -> Option<DriverRemark> {
    let mut outside = rows.iter().flat_map(|row| {
        let units = row.reading.intensities.off_scale();
        units.map(|(unit, found)| (row.reading.line, unit, found))
    });
    let (line, unit, found) = outside.next()?;
    Some(DriverRemark::OffScale {
        values: 1 + outside.count(),
        line,
        unit,
        found,
    })
}

fn of_another_tool(table: &Measured) -> impl Iterator<Item = DriverRemark> {
    let filled = (!table.absent.is_empty()).then(|| DriverRemark::Filled {
        units: table.absent.clone(),
    });
    let scaled = (table.factor != 1.0).then_some(DriverRemark::Scaled { factor: table.factor });
    filled.into_iter().chain(scaled)
}

/// Increasing times of the rows in seconds, and the table's frame rate.
fn times(rows: &[&MeasuredRow], remarks: &mut Vec<DriverRemark>) -> (Vec<f64>, FrameRate) {
    let all = |value: fn(&MeasuredRow) -> Option<f64>| -> Option<Vec<f64>> {
        rows.iter().map(|row| value(row)).collect()
    };
    let stamps = all(|row| row.reading.timestamp);
    let frames = all(|row| row.reading.frame.map(|frame| frame as f64));
    let fps = frames_per_second(stamps.as_deref(), frames.as_deref());
    let rate = rate_near(fps, stamps.as_deref().map_or(0.0, span));
    let rises = |times: &[f64]| times.is_sorted_by(|one, next| one < next);
    match (stamps, frames) {
        (Some(stamps), _) if rises(&stamps) => (stamps, rate),
        (stamps, Some(frames)) if rises(&frames) => {
            if stamps.is_some() {
                remarks.push(DriverRemark::Untimed { rate });
            }
            (frames.into_iter().map(|frame| frame / fps).collect(), rate)
        }
        (stamps, frames) => {
            let frames = frames.map(|frames| frames.into_iter().map(|frame| frame / fps).collect());
            let useful = [stamps, frames]
                .into_iter()
                .flatten()
                .find(|times: &Vec<f64>| span(times) > 0.0);
            let local = useful.unwrap_or_else(|| (0..rows.len()).map(|row| row as f64 / fps).collect());
            let (times, tables) = joined(&local, fps.recip());
            if tables > 1 {
                remarks.push(DriverRemark::Joined { tables });
            }
            (times, rate)
        }
    }
}

/// The difference between the largest and the smallest time.
fn span(times: &[f64]) -> f64 {
    let (low, high) = times.iter().fold((f64::MAX, f64::MIN), |(low, high), &time| {
        (low.min(time), high.max(time))
    });
    (high - low).max(0.0)
}

/// Frames per second, from the positive steps of the timestamps.
fn frames_per_second(stamps: Option<&[f64]>, frames: Option<&[f64]>) -> f64 {
    let Some(stamps) = stamps else {
        return FRAMES_PER_SECOND;
    };
    if let Some([first, .., last]) = frames
        && let [start, .., end] = stamps
        && last > first
        && end > start
        && frames.is_some_and(|frames| frames.is_sorted_by(|one, next| one < next))
    {
        return (last - first) / (end - start);
    }
    let steps = stamps.array_windows().map(|[one, next]| next - one);
    let mut steps: Vec<f64> = steps.filter(|&step| step > 0.0).collect();
    steps.sort_by(f64::total_cmp);
    let Some(&usual) = steps.get(steps.len() / 2) else {
        return FRAMES_PER_SECOND;
    };
    // A step across missing rows spans several frames.
    let count: f64 = steps.iter().map(|step| (step / usual).round().max(1.0)).sum();
    count / steps.iter().sum::<f64>()
}

/// The rate of a film that shows every row. A rate that is too high is halved, which skips every other row.
fn rate_near(mut fps: f64, seconds: f64) -> FrameRate {
    while fps > 60.5 {
        fps /= 2.0;
    }
    let tolerance = (2.0 * ROUNDING / seconds).clamp(2e-5, 0.02);
    FrameRate::near(fps.clamp(1.0, 60.0), tolerance).unwrap_or_default()
}

/// Increasing times, continued where the timestamps restart, and the number of tables.
fn joined(local: &[f64], step: f64) -> (Vec<f64>, usize) {
    let (mut times, mut tables) = (Vec::with_capacity(local.len()), 1);
    let (mut offset, mut before) = (0.0, f64::NEG_INFINITY);
    for &time in local {
        if time <= before {
            tables += usize::from(time < before);
            offset = times.last().map_or(0.0, |last| last + step - time);
        }
        times.push(time + offset);
        before = time;
    }
    (times, tables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    const SMILE: ActionUnit = ActionUnit::LipCornerPuller;

    /// Loads a table. Each row is the start of a line, up to the column `success`, and the intensity of a smile.
    fn load(columns: &str, rows: &[(String, String)], options: DriverOptions) -> Result<Driver> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("driver.csv");
        let units = ActionUnit::ALL.map(|unit| format!("{unit}_r")).join(",");
        let mut table = format!("{columns},{units}\n");
        for (start, smile) in rows {
            let values = ActionUnit::ALL.map(|unit| if unit == SMILE { smile } else { "0.5" });
            writeln!(table, "{start},{}", values.join(",")).unwrap();
        }
        std::fs::write(&path, table).unwrap();
        Driver::load(&path, &options)
    }

    const COLUMNS: &str = "frame,face_id,timestamp,confidence,success";

    fn row(frame: usize, face: usize, time: f64, smile: f64) -> (String, String) {
        (format!("{frame},{face},{time:.3},0.98,1"), smile.to_string())
    }

    fn smiles(driver: &Driver) -> Vec<f32> {
        driver
            .measured
            .iter()
            .map(|(_, shown)| shown.get(SMILE))
            .collect()
    }

    #[test]
    fn a_table_has_its_own_rate() {
        for (fps, expected) in [
            (30_000.0 / 1001.0, "30000/1001"),
            (30.0, "30"),
            (25.0, "25"),
            (24_000.0 / 1001.0, "24000/1001"),
            (120.0, "60"),
            (14.3, "14300/1000"),
            (0.2, "1"),
        ] {
            let rows: Vec<_> = (0..300).map(|at| row(at + 1, 0, at as f64 / fps, 1.0)).collect();
            let driver = load(COLUMNS, &rows, DriverOptions::default()).unwrap();
            let near = |text: &str| (text.parse::<FrameRate>().unwrap().fps() - driver.rate.fps()).abs();
            assert!(near(expected) < 0.002, "{fps}: {}", driver.rate);
            // Missing rows do not reduce the rate.
            let kept: Vec<_> = rows
                .iter()
                .step_by(1)
                .filter(|row| !row.0.starts_with('7'))
                .cloned()
                .collect();
            assert_eq!(
                load(COLUMNS, &kept, DriverOptions::default()).unwrap().rate,
                driver.rate
            );
            assert_eq!(driver.remarks, []);
            assert!((f64::from(driver.measured[299].0) - 299.0 / fps).abs() < 0.002);
        }
    }

    #[test]
    fn the_face_that_is_seen_longest_is_followed_unless_another_is_named() {
        let mut rows = Vec::new();
        for frame in 0..9 {
            let time = frame as f64 / 30.0;
            rows.push(row(frame, 0, time, 1.0));
            if frame > 0 {
                rows.push(row(frame, 1, time, 2.0));
                rows.push(row(frame, 4, time, 3.0));
            }
        }
        rows[0].0 = rows[0].0.replace("0.98,1", "0.98,0");
        rows[1].0 = rows[1].0.replace("0.98,1", "0.98,0");
        let driver = load(COLUMNS, &rows, DriverOptions::default()).unwrap();
        assert_eq!(smiles(&driver), [2.0; 8]);
        let followed = DriverRemark::Followed {
            face: 1,
            rows: 8,
            others: 2,
        };
        assert_eq!(driver.remarks, [followed]);
        let face = |face| DriverOptions {
            face: Some(face),
            ..DriverOptions::default()
        };
        assert_eq!(smiles(&load(COLUMNS, &rows, face(4)).unwrap()), [3.0; 8]);
        let refused = load(COLUMNS, &rows, face(2)).unwrap_err();
        assert!(
            matches!(&refused, Error::NoDriver { found, .. } if found[..] == [0, 1, 4]),
            "{refused}"
        );
    }

    #[test]
    fn timestamps_that_repeat_give_way_to_frame_numbers() {
        let rows: Vec<_> = (1..=60).map(|frame| row(frame, 0, 0.0, 1.0)).collect();
        let driver = load(COLUMNS, &rows, DriverOptions::default()).unwrap();
        assert!((driver.measured[59].0 - 59.0 / 30.0).abs() < 1e-4);
        assert!(matches!(driver.remarks[..], [DriverRemark::Untimed { .. }]));
        // Timestamps rounded to tenths of a second still give the rate.
        let rows: Vec<_> = (0..500)
            .map(|frame| row(frame + 1, 0, (frame as f64 / 5.0).floor() / 10.0, 1.0))
            .collect();
        let driver = load(COLUMNS, &rows, DriverOptions::default()).unwrap();
        assert!((driver.rate.fps() - 50.0).abs() < 0.6, "{}", driver.rate);
    }

    #[test]
    fn joined_tables_are_played_in_turn() {
        let once: Vec<_> = (0..30)
            .map(|at| row(at + 1, 0, at as f64 / 30.0, at as f64 / 10.0))
            .collect();
        let driver = load(COLUMNS, &[once.clone(), once].concat(), DriverOptions::default()).unwrap();
        assert_eq!(driver.measured.len(), 60);
        assert!((driver.measured[59].0 - 59.0 / 30.0).abs() < 0.01);
        assert_eq!(driver.remarks, [DriverRemark::Joined { tables: 2 }]);
        assert_eq!(driver.rate.to_string(), "30");
    }

    #[test]
    fn more_rows_than_65_535_and_more_than_an_hour_are_in_order() {
        let rows: Vec<_> = (0..110_000)
            .map(|at| (format!("0.98,{}", 1), format!("{}", at % 3)))
            .collect();
        let driver = load("confidence,success", &rows, DriverOptions::default()).unwrap();
        assert_eq!(driver.measured.len(), 110_000);
        assert!(driver.measured.is_sorted_by(|one, next| one.0 < next.0));
        assert!((driver.measured[109_999].0 - 109_999.0 / 30.0).abs() < 0.1);
    }

    #[test]
    fn rows_with_a_nan_are_skipped_and_counted() {
        let mut rows: Vec<_> = (0..20).map(|at| row(at + 1, 0, at as f64 / 10.0, 1.0)).collect();
        rows[3].1 = "nan".to_owned();
        rows[7].1 = "-nan(ind)".to_owned();
        let driver = load(COLUMNS, &rows, DriverOptions::default()).unwrap();
        assert_eq!(driver.measured.len(), 18);
        assert_eq!(driver.remarks, [DriverRemark::Broken { rows: 2, line: 5 }]);
        assert_eq!(driver.rate.to_string(), "10");
    }

    #[test]
    fn values_outside_the_scale_are_counted_or_refused() {
        let mut rows: Vec<_> = (0..5).map(|at| row(at + 1, 0, at as f64 / 10.0, 1.0)).collect();
        rows[2].1 = "5.6".to_owned();
        rows[3].1 = "-0.4".to_owned();
        let driver = load(COLUMNS, &rows, DriverOptions::default()).unwrap();
        let outside = DriverRemark::OffScale {
            values: 2,
            line: 4,
            unit: SMILE,
            found: 5.6,
        };
        assert_eq!(driver.remarks, [outside]);
        rows[3].1 = "250".to_owned();
        let message = load(COLUMNS, &rows, DriverOptions::default())
            .unwrap_err()
            .to_string();
        assert!(
            message.ends_with("driver.csv:5: column `AU12_r` holds 250, far outside 0 to 5"),
            "{message}"
        );
    }

    #[test]
    fn a_table_without_a_tracked_face_is_refused() {
        let rows = [("1,0,0,0.1,0".to_owned(), "1".to_owned())];
        let refused = load(COLUMNS, &rows, DriverOptions::default()).unwrap_err();
        assert!(matches!(refused, Error::EmptySequence { .. }), "{refused}");
    }
}
