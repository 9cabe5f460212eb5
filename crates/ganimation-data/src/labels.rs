//! Labels of a dataset folder, from a pickle or from a table, and tables read by column name.

use std::iter;
use std::path::{Path, PathBuf};

use crate::au::{AU_COUNT, ActionUnit};
use crate::error::{Error, Result};
use crate::files::{MAX_FILE_BYTES, read_bounded};
use crate::pickle::{self, Labels};

/// Accepted file names in a dataset folder, in this order.
const ACCEPTED: [&str; 3] = ["aus_openface.pkl", "aus_openface.csv", "labels.csv"];

/// Finds and reads the labels of a dataset folder. Also returns the file's path.
///
/// # Errors
/// [`Error::NoLabels`] if there is no labels file; otherwise see [`pickle::read_labels`] and
/// [`read_table`].
pub fn read_folder(dir: &Path) -> Result<(PathBuf, Labels)> {
    let candidates = ACCEPTED.map(|name| dir.join(name));
    let Some(path) = candidates.into_iter().find(|path| path.is_file()) else {
        let expected = "aus_openface.pkl, aus_openface.csv, labels.csv";
        return Err(Error::NoLabels {
            dir: dir.to_owned(),
            expected,
        });
    };
    let is_pickle = path.extension().is_some_and(|extension| extension == "pkl");
    let labels = if is_pickle {
        pickle::read_labels(&path)?
    } else {
        read_table(&path)?
    };
    Ok((path, labels))
}

/// Reads a table with the columns `file,AU01,AU02,…,AU45` in any order; other columns are ignored.
///
/// Intensities are in OpenFace units. Columns may be called `AU01_r` as well, and an empty cell is
/// read as NaN, which [`Dataset`](crate::Dataset) reports.
///
/// # Errors
/// [`Error::Read`] or [`Error::FileTooLarge`] if the file cannot be read; otherwise see [`table_from_bytes`].
pub fn read_table(path: &Path) -> Result<Labels> {
    table_from_bytes(path, &read_bounded(path, MAX_FILE_BYTES)?)
}

/// Like [`read_table`], but from the bytes of a file. Errors use `path` as its name.
///
/// # Errors
/// [`Error::Csv`] if the file is not a table, [`Error::MissingColumn`], [`Error::NotANumber`] and
/// [`Error::RepeatedLabel`] if its contents are not labels.
pub fn table_from_bytes(path: &Path, bytes: &[u8]) -> Result<Labels> {
    let mut table = Table::new(path, bytes)?;
    let file = table.column(&["file", "id"])?;
    let columns = table.action_units()?;
    let mut labels = Labels::new();
    while let Some(row) = table.next_row()? {
        let label = columns
            .iter()
            .map(|&column| row.number(column))
            .collect::<Result<_>>()?;
        let id = row.text(file).to_owned();
        if labels.contains_key(&id) {
            return Err(Error::RepeatedLabel {
                path: path.to_owned(),
                first: id.clone(),
                second: id,
            });
        }
        labels.insert(id, label);
    }
    Ok(labels)
}

/// Labels as a table for [`read_table`]: `file,AU01,AU02,…,AU45`, one face per line.
///
/// # Panics
/// Panics if a label does not have 17 intensities.
pub fn table_to_bytes(labels: &Labels) -> Vec<u8> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let header = iter::once("file".to_owned()).chain(ActionUnit::ALL.map(|au| au.code().to_owned()));
    let rows = labels.iter().map(|(id, label)| {
        assert!(label.len() == AU_COUNT, "a label of {} intensities", label.len());
        let values: Vec<_> = label.iter().map(ToString::to_string).collect();
        iter::once(id.clone()).chain(values).collect::<Vec<_>>()
    });
    for record in iter::once(header.collect()).chain(rows) {
        // Writing to memory cannot fail, and all records have the same length.
        let _ = table.write_record(&record);
    }
    table.into_inner().unwrap_or_default()
}

/// A CSV file, read by column name.
pub(crate) struct Table<'a> {
    path: PathBuf,
    reader: csv::Reader<&'a [u8]>,
    header: csv::StringRecord,
    record: csv::StringRecord,
    /// Whether lines end with CR and LF. The reader counts the LF as part of the next row.
    crlf: bool,
}

impl<'a> Table<'a> {
    pub(crate) fn new(path: &Path, bytes: &'a [u8]) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        let header = match reader.headers() {
            Ok(header) => header.clone(),
            Err(source) => {
                return Err(Error::Csv {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        Ok(Self {
            path: path.to_owned(),
            reader,
            header,
            record: csv::StringRecord::new(),
            crlf: bytes
                .iter()
                .position(|&byte| byte == b'\n')
                .is_some_and(|end| bytes[..end].ends_with(b"\r")),
        })
    }

    /// The index of the column with the first of these names, ignoring case.
    pub(crate) fn column(&self, names: &[&str]) -> Result<usize> {
        let found = self.optional_column(names);
        found.ok_or_else(|| self.missing(names.first().copied().unwrap_or_default().to_owned()))
    }

    pub(crate) fn optional_column(&self, names: &[&str]) -> Option<usize> {
        let find = |name: &&str| {
            self.header
                .iter()
                .position(|column| column.eq_ignore_ascii_case(name))
        };
        names.iter().find_map(find)
    }

    /// The index of the column with exactly this name.
    pub(crate) fn exact_column(&self, name: &str) -> Result<usize> {
        let place = self.header.iter().position(|column| column == name);
        place.ok_or_else(|| self.missing(name.to_owned()))
    }

    /// The indices of the columns with exactly these names, if all exist.
    pub(crate) fn exact_columns(&self, names: impl IntoIterator<Item = String>) -> Option<Vec<usize>> {
        let find = |name: String| self.header.iter().position(|column| column == name);
        names.into_iter().map(find).collect()
    }

    /// The indices of the 17 intensities, in label order.
    pub(crate) fn action_units(&self) -> Result<Vec<usize>> {
        let column = |au: ActionUnit| {
            let found = self.action_unit(au);
            found.ok_or_else(|| self.missing(format!("{}_r", au.code())))
        };
        ActionUnit::ALL.into_iter().map(column).collect()
    }

    /// The index of one intensity.
    pub(crate) fn action_unit(&self, au: ActionUnit) -> Option<usize> {
        let (code, number) = (au.code(), au.number());
        // OpenFace's `_c` columns are presences, not intensities, so they are never used.
        self.optional_column(&[
            &format!("{code}_r"),
            code,
            &format!("AU{number}"),
            &format!("au_{number}_intensity"),
        ])
    }

    fn missing(&self, column: String) -> Error {
        Error::MissingColumn {
            path: self.path.clone(),
            column,
            found: self.header.iter().take(12).collect::<Vec<_>>().join(", "),
        }
    }

    /// The next row. Repeated headers, as in concatenated tables, are skipped.
    pub(crate) fn next_row(&mut self) -> Result<Option<Row<'_>>> {
        loop {
            match self.reader.read_record(&mut self.record) {
                Ok(true) if self.record == self.header => {}
                Ok(true) => return Ok(Some(Row { table: self })),
                Ok(false) => return Ok(None),
                Err(source) => {
                    return Err(Error::Csv {
                        path: self.path.clone(),
                        source,
                    });
                }
            }
        }
    }
}

/// One line of a [`Table`].
pub(crate) struct Row<'a> {
    table: &'a Table<'a>,
}

impl Row<'_> {
    pub(crate) fn text(&self, column: usize) -> &str {
        self.table.record.get(column).unwrap_or_default()
    }

    /// The number in a cell; NaN if it is empty.
    pub(crate) fn number(&self, column: usize) -> Result<f64> {
        match self.text(column) {
            "" => Ok(f64::NAN),
            text => text.parse().ok().ok_or_else(|| self.not_a_number(column)),
        }
    }

    /// The number in a cell, which must exist and be finite.
    pub(crate) fn finite(&self, column: usize) -> Result<f64> {
        let number = self.number(column)?;
        if number.is_finite() {
            Ok(number)
        } else {
            Err(self.not_a_number(column))
        }
    }

    pub(crate) fn column_name(&self, column: usize) -> &str {
        self.table.header.get(column).unwrap_or_default()
    }

    fn not_a_number(&self, column: usize) -> Error {
        Error::NotANumber {
            path: self.table.path.clone(),
            line: self.line(),
            column: self.column_name(column).to_owned(),
            found: self.text(column).to_owned(),
        }
    }

    /// Line in the file, counted from 1.
    pub(crate) fn line(&self) -> u64 {
        let line = self.table.record.position().map_or(0, csv::Position::line);
        line + u64::from(self.table.crlf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn header(suffix: &str) -> String {
        ActionUnit::ALL
            .map(|au| format!("{}{suffix}", au.code()))
            .join(",")
    }

    #[test]
    fn a_table_is_read_by_column_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.csv");
        let row = (0..17)
            .map(|i| format!(" {}", f64::from(i) * 0.25))
            .collect::<Vec<_>>()
            .join(",");
        fs::write(
            &path,
            format!("note,{}, File\nhello,{row}, a.jpg\n", header("_r")),
        )
        .unwrap();
        let labels = read_table(&path).unwrap();
        assert_eq!(labels["a.jpg"][4], 1.0);
        assert_eq!(labels["a.jpg"].len(), 17);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_column() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.csv");
        let row = [",1"; 17].concat();
        fs::write(&path, format!("\u{feff}file,{}\na.jpg{row}\n", header(""))).unwrap();
        assert_eq!(read_table(&path).unwrap()["a.jpg"], [1.0; 17]);
    }

    #[test]
    fn a_bad_cell_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.csv");
        let row = "0,".repeat(16);
        fs::write(&path, format!("file,{}\na,{row}0\nb,{row}much\n", header(""))).unwrap();
        let message = read_table(&path).unwrap_err().to_string();
        assert!(
            message.ends_with("labels.csv:3: column `AU45` holds `much`, not a number"),
            "{message}"
        );
    }

    #[test]
    fn lines_are_counted_alike_whatever_ends_them() {
        let row = "0,".repeat(16);
        for end in ["\n", "\r\n"] {
            let table = format!("file,{}{end}a,{row}0{end}b,{row}much{end}", header(""));
            let message = table_from_bytes("labels.csv".as_ref(), table.as_bytes()).unwrap_err();
            let expected = "labels.csv:3: column `AU45` holds `much`, not a number";
            assert_eq!(message.to_string(), expected, "{end:?}");
        }
    }

    #[test]
    fn a_missing_column_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.csv");
        fs::write(&path, "file,AU01_r,AU02_r\n").unwrap();
        let message = read_table(&path).unwrap_err().to_string();
        assert!(
            message.ends_with("has no column `AU04_r`; it has: file, AU01_r, AU02_r"),
            "{message}"
        );
    }

    #[test]
    fn a_folder_without_labels_says_what_it_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        let message = read_folder(dir.path()).unwrap_err().to_string();
        for name in ACCEPTED {
            assert!(message.contains(name), "{message}");
        }
    }
}
