//! What the program says: results on stdout, notes on stderr, and calm when nobody listens.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use crate::error::{Error, Result};

/// Writes a line of the result; a reader that has left, as in `ganimation devices | head -1`, is no failure.
pub(super) fn say(line: impl Display) -> Result<()> {
    match writeln!(io::stdout().lock(), "{line}") {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => Err(Error::Stdout { source }),
        _ => Ok(()),
    }
}

/// Writes a line beside the result; where stderr is gone there is nobody to tell.
pub(super) fn note(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes a result that has its own lines.
pub(super) fn say_bytes(bytes: &[u8]) -> Result<()> {
    match io::stdout().lock().write_all(bytes) {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => Err(Error::Stdout { source }),
        _ => Ok(()),
    }
}
