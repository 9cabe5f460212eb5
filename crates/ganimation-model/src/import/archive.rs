//! The newer container, since PyTorch 1.6: a zip archive with uncompressed entries.
//!
//! It contains a pickle `NAME/data.pkl`, one entry `NAME/data/KEY` for each storage, and `NAME/byteorder`. A general
//! zip reader would also decompress entries, which allows decompression bombs.

use std::collections::BTreeMap;
use std::fs::File;

use ganimation_pickle::weights_from_bytes;

use super::torch::{Contents, MAX_PICKLES, Span, TorchProblem, read_span};

/// The signature at the start of the first entry.
pub(super) const SIGNATURE: &[u8] = b"PK\x03\x04";

const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";
const DIRECTORY_END: &[u8] = b"PK\x05\x06";

/// Fixed parts of the records, in bytes.
const LOCAL_SIZE: u64 = 30;
const ENTRY_SIZE: usize = 46;
const END_SIZE: usize = 22;

/// The end record is within this many bytes before the end of the file. A comment can follow it.
const END_SEARCH: u64 = 1 << 16;

/// The largest directory in bytes. It has an entry of about a hundred bytes for each tensor of a checkpoint.
const MAX_DIRECTORY: u64 = 1 << 22;

/// The contents of an archive.
pub(super) fn contents(file: &mut File, size: u64) -> Result<Contents, TorchProblem> {
    let entries = directory(file, size)?;
    let (root, pickle) = entries
        .iter()
        .find_map(|(name, span)| {
            let root = name.strip_suffix("data.pkl")?;
            (root.is_empty() || root.ends_with('/')).then_some((root, *span))
        })
        .ok_or(TorchProblem::Damaged("there is no data.pkl in the archive"))?;
    if let Some(order) = entries.get(&format!("{root}byteorder"))
        && read_entry(file, *order, "byteorder", 16)? != b"little"
    {
        return Err(TorchProblem::BigEndian);
    }
    let weights = weights_from_bytes(&read_entry(file, pickle, "data.pkl", MAX_PICKLES)?)?;
    let folder = format!("{root}data/");
    let storages = entries
        .iter()
        .filter_map(|(name, span)| Some((name.strip_prefix(&folder)?.to_owned(), *span)))
        .collect();
    Ok(Contents {
        tensors: weights.tensors,
        modules: weights.modules,
        storages,
    })
}

/// The entries by name.
fn directory(file: &File, size: u64) -> Result<BTreeMap<String, Span>, TorchProblem> {
    let damaged = TorchProblem::Damaged;
    let tail_size = size.min(END_SEARCH);
    let tail_size = usize::try_from(tail_size).unwrap_or_default();
    let tail = read_span(file, size - tail_size as u64, tail_size)?;
    let end = tail
        .windows(END_SIZE)
        .rfind(|window| window.starts_with(DIRECTORY_END))
        .ok_or(damaged(
            "the archive has no end record; the file may be truncated",
        ))?;
    let (length, start) = (u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16)));
    if length > MAX_DIRECTORY {
        return Err(TorchProblem::Limit {
            what: "bytes of directory",
            limit: MAX_DIRECTORY,
        });
    }
    if start + length > size {
        return Err(damaged("the archive's directory is outside the file"));
    }
    let directory = read_span(file, start, usize::try_from(length).unwrap_or_default())?;
    let mut entries = BTreeMap::new();
    let mut rest = directory.as_slice();
    while rest.starts_with(DIRECTORY_ENTRY) && rest.len() >= ENTRY_SIZE {
        let lengths = [28, 30, 32].map(|at| usize::from(u16_at(rest, at)));
        let whole = ENTRY_SIZE + lengths.iter().sum::<usize>();
        let name = rest.get(ENTRY_SIZE..ENTRY_SIZE + lengths[0]);
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        let name = name.ok_or(damaged("an entry without a name"))?.to_owned();
        if name.contains("/code/") || name.ends_with("/constants.pkl") {
            return Err(TorchProblem::Script);
        }
        if u16_at(rest, 10) != 0 {
            return Err(TorchProblem::Compressed(name));
        }
        let (bytes, local) = (u64::from(u32_at(rest, 24)), u64::from(u32_at(rest, 42)));
        let start = data_start(file, local, size)?;
        if start + bytes > size {
            return Err(damaged("an entry of the archive extends beyond its end"));
        }
        // Zero means no checksum: PyTorch has an option to omit checksums.
        let crc = Some(u32_at(rest, 16)).filter(|&crc| crc != 0);
        let span = Span {
            start,
            size: bytes,
            crc,
        };
        entries.insert(name, span);
        rest = rest.get(whole..).unwrap_or_default();
    }
    Ok(entries)
}

/// The start of an entry's bytes, after its own header. The directory does not contain the header's length.
fn data_start(file: &File, local: u64, size: u64) -> Result<u64, TorchProblem> {
    let outside = TorchProblem::Damaged("an entry of the archive is not at its position in the directory");
    if local + LOCAL_SIZE > size {
        return Err(outside);
    }
    let header = read_span(file, local, 30)?;
    if !header.starts_with(SIGNATURE) {
        return Err(outside);
    }
    Ok(local + LOCAL_SIZE + u64::from(u16_at(&header, 26)) + u64::from(u16_at(&header, 28)))
}

fn read_entry(file: &File, span: Span, name: &str, limit: u64) -> Result<Vec<u8>, TorchProblem> {
    let size = usize::try_from(span.size).ok().filter(|_| span.size <= limit);
    let size = size.ok_or(TorchProblem::Limit {
        what: "bytes of pickle or byte order",
        limit,
    })?;
    let bytes = read_span(file, span.start, size)?;
    if span.crc.is_some_and(|crc| crc32fast::hash(&bytes) != crc) {
        return Err(TorchProblem::Checksum(name.to_owned()));
    }
    Ok(bytes)
}

/// The little-endian number at `at`; 0 beyond the end, which records of fixed size never access.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let number = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    number.map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let number = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    number.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
