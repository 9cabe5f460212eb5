//! Fixed faces for previews and validation.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ganimation_data::{Dataset, Face, picture};
use image::RgbImage;

use crate::Result;
use crate::evaluate::spread;
use crate::run::Observer;

/// A face and its picture.
pub(crate) type SampledFace<'a> = (&'a Face, RgbImage);

/// Chooses faces and decodes them.
pub(crate) struct FaceSampler<'a> {
    /// Side of the pictures in pixels.
    size: u32,
    /// Whether unreadable faces are skipped.
    skip_bad: bool,
    observer: &'a mut dyn Observer,
    /// Pictures already reported to the observer.
    reported: BTreeSet<PathBuf>,
}

impl<'a> FaceSampler<'a> {
    pub(crate) fn new(dataset: &Dataset, image_size: usize, observer: &'a mut dyn Observer) -> Self {
        Self {
            size: u32::try_from(image_size).unwrap_or(u32::MAX),
            skip_bad: dataset.skips_bad(),
            observer,
            reported: BTreeSet::new(),
        }
    }

    /// At most `count` faces, spread evenly over `faces`, without skipped faces.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if a picture cannot be read, unless such faces are skipped.
    pub(crate) fn sample<'f>(&mut self, faces: &'f [Face], count: usize) -> Result<Vec<SampledFace<'f>>> {
        let mut samples = Vec::new();
        for face in spread(faces.len(), count).into_iter().map(|at| &faces[at]) {
            match picture::read_face(&face.path, self.size) {
                Ok((picture, _)) => samples.push((face, picture)),
                Err(problem) if self.skip_bad => {
                    if self.reported.insert(face.path.clone()) {
                        self.observer.skipped(&problem);
                    }
                }
                Err(problem) => return Err(problem.into()),
            }
        }
        Ok(samples)
    }
}
