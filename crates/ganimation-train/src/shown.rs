//! Fixed faces for previews and validation.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ganimation_data::{Dataset, Face, picture};
use image::RgbImage;

use crate::Result;
use crate::evaluate::spread;
use crate::run::Observer;

/// A face and its picture.
pub(crate) type Shown<'a> = (&'a Face, RgbImage);

/// Chooses faces and decodes them.
pub(crate) struct Shower<'a> {
    /// Side of the pictures in pixels.
    size: u32,
    /// Whether unreadable faces are skipped.
    skip_bad: bool,
    observer: &'a mut dyn Observer,
    /// Pictures already reported to the observer.
    told: BTreeSet<PathBuf>,
}

impl<'a> Shower<'a> {
    pub(crate) fn new(dataset: &Dataset, image_size: usize, observer: &'a mut dyn Observer) -> Self {
        Self {
            size: u32::try_from(image_size).unwrap_or(u32::MAX),
            skip_bad: dataset.skips_bad(),
            observer,
            told: BTreeSet::new(),
        }
    }

    /// At most `count` faces, spread evenly over `faces`, without skipped faces.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if a picture cannot be read, unless such faces are skipped.
    pub(crate) fn show<'f>(&mut self, faces: &'f [Face], count: usize) -> Result<Vec<Shown<'f>>> {
        let mut shown = Vec::new();
        for face in spread(faces.len(), count).into_iter().map(|at| &faces[at]) {
            match picture::read_face(&face.path, self.size) {
                Ok((picture, _)) => shown.push((face, picture)),
                Err(problem) if self.skip_bad => {
                    if self.told.insert(face.path.clone()) {
                        self.observer.left_out(&problem);
                    }
                }
                Err(problem) => return Err(problem.into()),
            }
        }
        Ok(shown)
    }
}
