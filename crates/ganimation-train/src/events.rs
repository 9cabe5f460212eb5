//! TensorBoard's event files: scalars and pictures, in its record format and protocol buffers, written by hand.
//!
//! A record is a length, its checksum, an `Event` and its checksum. Only a few fields are needed (`event.proto`,
//! `summary.proto` of TensorFlow). Writing them in the wire format needs less code than a code generator.

use std::fs::File;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use image::{ImageFormat, RgbImage};

use crate::{Error, Result};

/// An open event file.
pub(crate) struct Events {
    path: PathBuf,
    file: File,
}

impl Events {
    /// Creates a new file in `folder`, for a run that has taken `step` steps. Later steps in older files become
    /// invalid.
    pub(crate) fn open(folder: &Path, step: u64) -> Result<Self> {
        let now = now();
        let path = folder.join(format!(
            "events.out.tfevents.{now:.0}.{}.{step}",
            std::process::id()
        ));
        let file = File::create(&path).map_err(Error::file("create", &path))?;
        let mut events = Self { path, file };
        // The version must come first. The start of a session makes TensorBoard discard orphaned steps.
        events.append(0, &field(3, b"brain.Event:2"))?;
        events.append(step + 1, &field(7, &number(1, 1)))?;
        Ok(events)
    }

    /// Writes numbers by name.
    pub(crate) fn scalars<'a>(
        &mut self,
        step: u64,
        values: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<()> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the format holds single precision"
        )]
        let value = |(tag, value): (&str, f64)| {
            let mut entry = field(1, tag.as_bytes());
            entry.push(2 << 3 | 5); // simple_value, 32 bits
            entry.extend((value as f32).to_le_bytes());
            field(1, &entry)
        };
        let summary: Vec<u8> = values.into_iter().flat_map(value).collect();
        self.append(step, &field(5, &summary))
    }

    /// Writes a picture.
    pub(crate) fn picture(&mut self, step: u64, tag: &str, picture: &RgbImage) -> Result<()> {
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png).map_err(|source| {
            ganimation_data::Error::EncodePicture {
                path: self.path.clone(),
                source,
            }
        })?;
        let (width, height) = picture.dimensions();
        let image = [
            number(1, height.into()),
            number(2, width.into()),
            number(3, 3), // RGB
            field(4, &png.into_inner()),
        ];
        let entry = [field(1, tag.as_bytes()), field(4, &image.concat())];
        self.append(step, &field(5, &field(1, &entry.concat())))
    }

    /// Appends an event of `step` whose content is already encoded.
    fn append(&mut self, step: u64, content: &[u8]) -> Result<()> {
        let mut event = vec![1 << 3 | 1]; // wall_time, 64 bits
        event.extend(now().to_le_bytes());
        event.extend(number(2, step));
        event.extend(content);
        (self.file.write_all(&record(&event))).map_err(Error::file("write", &self.path))
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

fn record(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    let [of_length, of_event] = [&length[..], event].map(|bytes| masked(crc32c(bytes)).to_le_bytes());
    [&length[..], &of_length, event, &of_event].concat()
}

/// A field of bytes: text or a message.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut encoded = vec![tag << 3 | 2];
    encoded.extend(varint(bytes.len() as u64));
    encoded.extend(bytes);
    encoded
}

/// A field of a whole number.
fn number(tag: u8, value: u64) -> Vec<u8> {
    let mut encoded = vec![tag << 3];
    encoded.extend(varint(value));
    encoded
}

/// Seven bits per byte, lowest first. The eighth bit means that more bytes follow.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// CRC-32C (Castagnoli), one byte at a time. `crc32fast` computes another polynomial.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8);
    !bytes.iter().fold(!0, step)
}

/// The checksum of each byte alone.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

/// The format's masking of checksums, for data that itself contains checksums.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // RFC 3720, B.4
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn numbers_take_seven_bits_a_byte() {
        assert_eq!(varint(0), [0]);
        assert_eq!(varint(300), [0xac, 0x02]); // the documentation's example
        assert_eq!(number(2, 1), [0x10, 1]);
        assert_eq!(field(1, b"ab"), [0x0a, 2, b'a', b'b']);
    }

    #[test]
    fn a_file_is_a_chain_of_checked_records() {
        let folder = tempfile::tempdir().unwrap();
        let mut events = Events::open(folder.path(), 7).unwrap();
        events.scalars(8, [("loss", 0.5), ("rate", 1e-4)]).unwrap();
        events.picture(8, "faces", &RgbImage::new(3, 2)).unwrap();
        let bytes = std::fs::read(&events.path).unwrap();
        let mut rest = &bytes[..];
        let mut found = Vec::new();
        while !rest.is_empty() {
            let length = usize::try_from(u64::from_le_bytes(rest[..8].try_into().unwrap())).unwrap();
            let event = &rest[12..][..length];
            assert_eq!(rest[..16 + length], record(event));
            found.push(event);
            rest = &rest[16 + length..];
        }
        assert_eq!(found.len(), 4);
        assert!(found[0].ends_with(b"brain.Event:2"));
        assert!(found[2].windows(4).any(|text| text == b"loss"));
        assert!(found[3].windows(4).any(|text| text == b"\x89PNG"));
    }
}
