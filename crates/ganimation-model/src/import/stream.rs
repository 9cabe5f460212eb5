//! The older container, of PyTorch 0.1.10 to 1.5: several pickles, then the storages.
//!
//! ```text
//! magic number, version, system, the object, names of the storages; then, for each storage, its length (i64) and its bytes
//! ```

use std::collections::{BTreeMap, HashMap};
use std::fs::File;

use ganimation_pickle::{PickleError, PickleProblem, is_little_endian, storage_keys, weights_from_bytes};

use super::torch::{Contents, MAX_PICKLES, Span, TorchProblem, read_span};

/// The magic number 0x1950a86a20f9469cfc6c as protocol 2 pickles it, and the version 1001.
pub(super) const SIGNATURE: &[u8] =
    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.";

/// The contents of a stream. `front` contains its first [`MAX_PICKLES`] bytes, or all of it.
pub(super) fn contents(file: &mut File, front: &[u8], size: u64) -> Result<Contents, TorchProblem> {
    let cut = |error: PickleError| match error.problem {
        PickleProblem::Truncated if size > front.len() as u64 => TorchProblem::Limit {
            what: "bytes of pickles",
            limit: MAX_PICKLES,
        },
        _ => TorchProblem::Pickle(error),
    };
    let rest = |position: usize| front.get(position..).unwrap_or_default();
    let mut position = SIGNATURE.len();
    let (little_endian, length) = is_little_endian(rest(position)).map_err(cut)?;
    if !little_endian {
        return Err(TorchProblem::BigEndian);
    }
    position += length;
    let weights = weights_from_bytes(rest(position)).map_err(cut)?;
    position += weights.end;
    let (keys, length) = storage_keys(rest(position)).map_err(cut)?;
    position += length;

    let elements: HashMap<&str, usize> = weights
        .elements
        .iter()
        .map(|(key, element)| (key.as_str(), element.size()))
        .collect();
    let mut storages = BTreeMap::new();
    let mut at = position as u64;
    for key in keys {
        const LENGTH: u64 = 8;
        let element = *elements
            .get(key.as_str())
            .ok_or(TorchProblem::Damaged("no tensor uses one of its storages"))?;
        let ends = TorchProblem::Damaged("it ends before its last storage");
        if at + LENGTH > size {
            return Err(ends);
        }
        let length = read_span(file, at, 8)?;
        let length = length.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes));
        let bytes = u64::try_from(length)
            .ok()
            .and_then(|length| length.checked_mul(element as u64));
        let span = Span {
            start: at + LENGTH,
            size: bytes.ok_or(TorchProblem::Damaged("a storage has a negative length"))?,
            crc: None,
        };
        at = match span.start.checked_add(span.size) {
            Some(end) if end <= size => end,
            _ => return Err(ends),
        };
        storages.insert(key, span);
    }
    Ok(Contents {
        tensors: weights.tensors,
        modules: weights.modules,
        storages,
    })
}
