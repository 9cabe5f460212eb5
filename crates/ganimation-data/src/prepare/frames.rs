//! The frames of a video and the rows of its table, matched by frame number.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::listing::Listed;
use super::outcome::Reason;
use super::sources::Label;
use crate::error::{Error, Result};
use crate::openface::{Reading, read_openface};

/// Rows by frame number, and frame numbers by photo id.
pub(super) struct Frames {
    rows: HashMap<u64, Vec<Reading>>,
    numbers: HashMap<String, u64>,
}

impl Frames {
    /// Reads the table. Frames are counted from 1, as in OpenFace. If the photos are counted from 0, 1 is added to
    /// their numbers.
    pub(super) fn read(table: &Path, photos: &[Listed]) -> Result<Self> {
        let mut rows: HashMap<u64, Vec<Reading>> = HashMap::new();
        for reading in read_openface(table)? {
            let frame = reading.frame.ok_or_else(|| Error::NoFrame {
                path: table.to_owned(),
                line: reading.line,
            })?;
            rows.entry(frame).or_default().push(reading);
        }
        let mut numbers = HashMap::new();
        let mut seen: HashMap<u64, &PathBuf> = HashMap::new();
        for Listed { id, path, .. } in photos {
            let Some(number) = last_number(id) else { continue };
            if let Some(first) = seen.insert(number, path) {
                return Err(Error::SameFrame {
                    frame: number,
                    first: first.clone(),
                    second: path.clone(),
                });
            }
            numbers.insert(id.clone(), number);
        }
        if seen.contains_key(&0) {
            numbers.values_mut().for_each(|number| *number += 1);
        }
        Ok(Self { rows, numbers })
    }

    /// The rows with a photo's frame number.
    pub(super) fn take(&mut self, id: &str) -> Label {
        let Some(number) = self.numbers.get(id) else {
            return Label::Missing(Reason::NoLabel.because("no number at the end of its name"));
        };
        match self.rows.remove(number) {
            Some(rows) => Label::Rows(rows),
            None => Label::Missing(Reason::NoLabel.because(format!("no row of frame {number}"))),
        }
    }

    /// The frame number of each id.
    pub(super) fn order(&self) -> HashMap<String, u64> {
        self.numbers.clone()
    }
}

/// The last digits in a name: 12 of `clip3_frame_0012`.
fn last_number(id: &str) -> Option<u64> {
    let end = id.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = id[..end]
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| at + 1);
    // `rfind` returns the first byte of a character, which can have several bytes.
    let start = (start..end).find(|&at| id.is_char_boundary(at))?;
    id[start..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digits_of_a_name_are_its_number() {
        for (id, number) in [
            ("frame_0012", Some(12)),
            ("7", Some(7)),
            ("clip3é04_x", Some(4)),
            ("é5", Some(5)),
            ("x", None),
        ] {
            assert_eq!(last_number(id), number, "{id}");
        }
        assert_eq!(last_number("99999999999999999999999"), None);
    }
}
