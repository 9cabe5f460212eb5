//! Decoded faces of one size, optionally kept in memory.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::dataset::Face;
use crate::error::{Error, Result};
use crate::picture::read_face_into;

/// Number of attempts to read a file, because network file systems can fail temporarily.
const ATTEMPTS: usize = 3;

/// Number of bad faces (or one percent of the faces, if that is more) before loading fails.
const MAX_BAD: usize = 10;

/// The pictures of all faces.
#[derive(Debug)]
pub(super) struct Pictures {
    faces: Arc<[Face]>,
    size: usize,
    /// One slot per face; empty if pictures are not kept.
    kept: Box<[OnceLock<Box<[u8]>>]>,
    resized: AtomicU64,
    bad: Mutex<Bad>,
}

/// Unreadable faces.
#[derive(Debug, Default)]
struct Bad {
    faces: Vec<usize>,
    /// Their errors, if not yet retrieved.
    reasons: Vec<Error>,
}

impl Pictures {
    pub(super) fn new(faces: Arc<[Face]>, size: usize, cache: bool) -> Self {
        let slots = if cache { faces.len() } else { 0 };
        let kept = (0..slots).map(|_| OnceLock::new()).collect();
        Self {
            faces,
            size,
            kept,
            resized: AtomicU64::new(0),
            bad: Mutex::default(),
        }
    }

    /// Height and width in pixels.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Number of decoded files with another size.
    pub(super) fn resized(&self) -> u64 {
        self.resized.load(Ordering::Relaxed)
    }

    /// Copies a face to `size * size * 3` bytes, mirrored if `flip` is set.
    pub(super) fn put(&self, face: usize, flip: bool, pixels: &mut [u8]) -> Result<()> {
        match self.kept.get(face) {
            None => self.decode(face, pixels)?,
            Some(slot) => match slot.get() {
                Some(kept) => pixels.copy_from_slice(kept),
                None => {
                    self.decode(face, pixels)?;
                    // Two workers can decode the same face at the same time. Both results are equal.
                    let _ = slot.set((&*pixels).into());
                }
            },
        }
        if flip {
            for row in pixels.chunks_exact_mut(self.size * 3) {
                row.as_chunks_mut::<3>().0.reverse();
            }
        }
        Ok(())
    }

    /// Registers an unreadable face.
    ///
    /// # Errors
    /// [`Error::TooManyBad`] if there are too many.
    pub(super) fn skip(&self, face: usize, reason: Error) -> Result<()> {
        let mut bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner);
        if bad.faces.contains(&face) {
            return Ok(());
        }
        bad.faces.push(face);
        let (found, faces) = (bad.faces.len(), self.faces.len());
        if found > MAX_BAD.max(faces / 100).min(faces / 2) {
            let latest = Box::new(reason);
            return Err(Error::TooManyBad { found, faces, latest });
        }
        bad.reasons.push(reason);
        Ok(())
    }

    /// The errors of faces skipped since the last call.
    pub(super) fn take_reasons(&self) -> Vec<Error> {
        let mut bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut bad.reasons)
    }

    fn decode(&self, face: usize, pixels: &mut [u8]) -> Result<()> {
        let path = &self.faces[face].path;
        let size = u32::try_from(self.size).unwrap_or(u32::MAX);
        let transient = |error: &Error| matches!(error, Error::Read { source, .. } if source.kind() != ErrorKind::NotFound);
        let mut outcome = read_face_into(path, size, pixels);
        for _ in 1..ATTEMPTS {
            if !outcome.as_ref().is_err_and(transient) {
                break;
            }
            outcome = read_face_into(path, size, pixels);
        }
        self.resized.fetch_add(outcome?.into(), Ordering::Relaxed);
        Ok(())
    }
}
