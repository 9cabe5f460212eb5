//! Decoded faces of one size, kept in memory if there is room.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::dataset::Face;
use crate::error::{Error, Result};
use crate::picture::read_face;

/// How often a read is tried before its error counts; network file systems stutter.
const ATTEMPTS: usize = 3;

/// The pictures of all faces.
#[derive(Debug)]
pub(super) struct Pictures {
    faces: Arc<[Face]>,
    size: usize,
    /// One slot a face; empty if nothing is kept.
    kept: Box<[OnceLock<Box<[u8]>>]>,
    resized: AtomicU64,
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
        }
    }

    /// Height and width in pixels.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// How many files had another size when they were decoded.
    pub(super) fn resized(&self) -> u64 {
        self.resized.load(Ordering::Relaxed)
    }

    /// Appends a face, `size * size * 3` bytes, mirrored if asked.
    pub(super) fn append(&self, face: usize, flip: bool, pixels: &mut Vec<u8>) -> Result<()> {
        let Some(slot) = self.kept.get(face) else {
            self.copy(&self.decode(face)?, flip, pixels);
            return Ok(());
        };
        if slot.get().is_none() {
            // Two workers may decode the same face at once; either result will do.
            let _ = slot.set(self.decode(face)?.into());
        }
        self.copy(slot.get().map(AsRef::as_ref).unwrap_or_default(), flip, pixels);
        Ok(())
    }

    fn copy(&self, picture: &[u8], flip: bool, pixels: &mut Vec<u8>) {
        if !flip {
            pixels.extend_from_slice(picture);
            return;
        }
        for row in picture.chunks_exact(self.size * 3) {
            let (row, _) = row.as_chunks::<3>();
            pixels.extend(row.iter().rev().flatten());
        }
    }

    fn decode(&self, face: usize) -> Result<Vec<u8>> {
        let path = &self.faces[face].path;
        let size = u32::try_from(self.size).unwrap_or(u32::MAX);
        let transient = |error: &Error| matches!(error, Error::Read { source, .. } if source.kind() != ErrorKind::NotFound);
        let mut outcome = read_face(path, size);
        for _ in 1..ATTEMPTS {
            if !outcome.as_ref().is_err_and(transient) {
                break;
            }
            outcome = read_face(path, size);
        }
        let (picture, resized) = outcome?;
        self.resized.fetch_add(resized.into(), Ordering::Relaxed);
        Ok(picture.into_raw())
    }
}
