//! Photos in memory between requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ganimation::{FaceBox, FacePhoto, PhotoFace};

use super::rejection::Rejection;

/// Limits: number of photos, their total size in bytes, and how long an unused photo is kept.
const COUNT: usize = 32;
const BYTES: usize = 256 << 20;
const AGE: Duration = Duration::from_secs(3_600);

/// An open photo.
pub(super) struct Session {
    /// The uploaded file. To save at full resolution, it is decoded again. Its pixels would need ten times the memory.
    pub(super) original: Vec<u8>,
    /// The positions of its faces.
    pub(super) faces: Vec<FaceBox>,
    /// A small copy, ready for the network.
    pub(super) preview: FacePhoto,
    /// The newest requested slider position.
    turn: AtomicU64,
}

impl Session {
    pub(super) fn new(original: Vec<u8>, photo: &FacePhoto, preview: FacePhoto) -> Self {
        Self {
            original,
            faces: photo.faces().iter().map(PhotoFace::bounds).collect(),
            preview,
            turn: AtomicU64::new(0),
        }
    }

    /// Registers a requested position. Older requests need no answer.
    pub(super) fn claim(&self, turn: u64) {
        self.turn.fetch_max(turn, Ordering::Relaxed);
    }

    pub(super) fn is_stale(&self, turn: u64) -> bool {
        turn < self.turn.load(Ordering::Relaxed)
    }

    fn bytes(&self) -> usize {
        let crops = self.preview.faces().iter().map(|face| face.crop().as_raw().len());
        self.original.len() + self.preview.photo().as_raw().len() + crops.sum::<usize>()
    }
}

/// The open photos, with unguessable names. The least recently used photo is removed first.
#[derive(Default)]
pub(super) struct Sessions {
    /// Sorted by last use.
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    name: String,
    session: Arc<Session>,
    used: Instant,
}

impl Sessions {
    /// Stores a photo and returns its name.
    pub(super) fn keep(&self, session: Session) -> Result<String, Rejection> {
        let name = random_name()?;
        let mut kept = self.kept();
        kept.push(Kept {
            name: name.clone(),
            session: Arc::new(session),
            used: Instant::now(),
        });
        let bytes = |kept: &[Kept]| kept.iter().map(|kept| kept.session.bytes()).sum::<usize>();
        while kept.len() > COUNT || (kept.len() > 1 && bytes(&kept) > BYTES) {
            kept.remove(0);
        }
        Ok(name)
    }

    pub(super) fn get(&self, name: &str) -> Result<Arc<Session>, Rejection> {
        let mut kept = self.kept();
        let at = kept.iter().position(|kept| kept.name == name);
        let mut found = kept.remove(at.ok_or(Rejection::Forgotten)?);
        found.used = Instant::now();
        let session = Arc::clone(&found.session);
        kept.push(found);
        Ok(session)
    }

    /// The list without expired photos.
    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        // A panic cannot leave the list inconsistent.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.used.elapsed() < AGE);
        kept
    }
}

/// 128 random bits.
pub(super) fn random_name() -> Result<String, Rejection> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok().ok_or(Rejection::Failed)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use ganimation::{Animator, CropMode, PhotoOptions, device};
    use image::RgbImage;

    use super::*;

    fn preview() -> FacePhoto {
        let animator = Animator::bundled_on(&device::resolve("auto".parse().unwrap()).unwrap()).unwrap();
        let options = PhotoOptions::new().with_crop(CropMode::None);
        animator.detect(RgbImage::new(64, 64), &options).unwrap()
    }

    #[test]
    fn the_photo_unused_for_longest_is_forgotten_first() {
        let (sessions, preview) = (Sessions::default(), preview());
        let keep = |bytes| {
            let session = Session::new(vec![0; bytes], &preview, preview.clone());
            sessions.keep(session).unwrap()
        };
        let first = keep(1);
        let second = keep(1);
        sessions.get(&first).unwrap();
        for _ in 2..=COUNT {
            keep(1);
        }
        assert!(sessions.get(&first).is_ok());
        assert!(matches!(sessions.get(&second), Err(Rejection::Forgotten)));
        let large = keep(BYTES);
        assert!(sessions.get(&large).is_ok() && sessions.get(&first).is_err());
    }

    #[test]
    fn a_newer_position_makes_older_ones_stale() {
        let preview = preview();
        let session = Session::new(Vec::new(), &preview, preview.clone());
        session.claim(7);
        session.claim(5);
        assert!(session.is_stale(6) && !session.is_stale(7));
    }
}
