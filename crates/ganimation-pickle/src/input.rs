//! The bytes of a pickle, read in sequence.

use std::str::FromStr;

use crate::store::Value;
use crate::{Outcome, PickleProblem, text};

/// A position in the file.
pub(crate) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes from the start of the file to the next one.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn byte(&mut self) -> Outcome<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let taken = *self.rest().first_chunk().ok_or(PickleProblem::Truncated)?;
        self.at += N;
        Ok(taken)
    }

    pub(crate) fn take(&mut self, count: usize) -> Outcome<&'a [u8]> {
        let taken = self.rest().get(..count).ok_or(PickleProblem::Truncated)?;
        self.at += count;
        Ok(taken)
    }

    /// Bytes with a length prefix, a little-endian number of `N` bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> Outcome<&'a [u8]> {
        let length = self.length::<N>()?;
        self.take(length)
    }

    /// Text with a length prefix, a little-endian number of `N` bytes.
    pub(crate) fn text<const N: usize>(&mut self) -> Outcome<&'a str> {
        utf8(self.bytes::<N>()?)
    }

    /// A two's complement integer with a length prefix. Labels have no integers of more than eight bytes. If `skip` is
    /// set, longer integers are skipped.
    pub(crate) fn long<const N: usize>(&mut self, skip: bool) -> Outcome<Value> {
        let bytes = self.bytes::<N>()?;
        if bytes.len() > 8 {
            return if skip {
                Ok(Value::None)
            } else {
                Err(PickleProblem::Malformed("integer: more than 64 bits"))
            };
        }
        let negative = bytes.last().is_some_and(|&high| high >= 0x80);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        Ok(Value::Int(i64::from_le_bytes(wide)))
    }

    pub(crate) fn line(&mut self) -> Outcome<&'a str> {
        utf8(self.raw_line()?)
    }

    /// A number on its own line. Python 2 ends long integers with an L.
    pub(crate) fn number_line<T: FromStr>(&mut self) -> Outcome<T> {
        let digits = self.line()?.trim().trim_end_matches('L');
        digits.parse().ok().ok_or(PickleProblem::Malformed("number"))
    }

    /// Python 2 `str` in protocol 0: a quoted literal with escapes.
    pub(crate) fn quoted_line(&mut self) -> Outcome<Vec<u8>> {
        text::unquote(self.raw_line()?).ok_or(PickleProblem::Malformed("quoted string"))
    }

    /// Text in protocol 0: latin1 with `\u` escapes.
    pub(crate) fn escaped_line(&mut self) -> Outcome<String> {
        text::unescape(self.raw_line()?).ok_or(PickleProblem::Malformed("escaped text"))
    }

    fn raw_line(&mut self) -> Outcome<&'a [u8]> {
        let rest = self.rest();
        let end = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or(PickleProblem::Truncated)?;
        self.at += end + 1;
        Ok(&rest[..end])
    }

    fn length<const N: usize>(&mut self) -> Outcome<usize> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(&self.array::<N>()?);
        usize::try_from(u64::from_le_bytes(wide))
            .ok()
            .ok_or(PickleProblem::Truncated)
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

/// Bytes as text.
pub(crate) fn utf8(bytes: &[u8]) -> Outcome<&str> {
    std::str::from_utf8(bytes)
        .ok()
        .ok_or(PickleProblem::Malformed("UTF-8 text"))
}
