//! Makes a dataset folder from photos and OpenFace's tables, for [`Dataset`](crate::Dataset).
//!
//! Faces are detected and cropped as in inference. After each face, a line is written to a journal in the folder. After an
//! interruption, the next call continues, and the result has the same bytes as without the interruption.

mod cut;
mod frames;
mod journal;
mod listing;
mod matching;
mod outcome;
mod report;
mod sources;

#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use image::RgbImage;

use crate::au::Intensities;
use crate::dataset::PICTURES_DIR;
use crate::error::{Error, Result};
use crate::face::FaceDetector;
use crate::files::lock_folder;
use crate::parallel::{self, available_workers};

use cut::Cutter;
use journal::Journal;
pub use outcome::{Drop, Outcome, Reason};
pub use report::PrepareReport;

/// A function that estimates the action units of a face, a square of [`PrepareConfig::size`] pixels.
pub type ReadFace<'a> = dyn Fn(&RgbImage) -> Intensities + Sync + 'a;

/// The source of labels.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// A table of `FaceLandmarkImg` for each photo, with the photo's name: in this folder, next to the photo, or in the
    /// folder `processed` next to it.
    Tables(Option<&'a Path>),
    /// One table of `FeatureExtraction`. The photos are its frames, with the frame number at the end of their names.
    Frames(&'a Path),
    /// An AU estimator and its name.
    Estimator(&'a str, &'a ReadFace<'a>),
}

/// The file format of faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaceFormat {
    /// JPEG of a quality from 1 to 100.
    Jpeg(u8),
    /// PNG: lossless, about five times larger.
    Png,
}

/// Settings of a preparation.
#[derive(Clone, Debug)]
pub struct PrepareConfig {
    /// Photos, and folders of photos, which are searched recursively.
    pub photos: Vec<PathBuf>,
    /// The dataset folder to create or to continue.
    pub output: PathBuf,
    /// Side of the faces in pixels.
    pub size: u32,
    /// The file format of faces.
    pub format: FaceFormat,
    /// Faces with a lower confidence of OpenFace are skipped.
    pub min_confidence: f64,
    /// Whether grey faces are skipped.
    pub drop_grey: bool,
    /// Whether each photo is a face crop. Then the detector is not used.
    pub whole: bool,
    /// Fraction of faces to hold out, 0 to 1.
    pub test_share: f64,
    /// Seed of the choice of held-out faces.
    pub seed: u64,
    /// Threads.
    pub workers: usize,
}

impl PrepareConfig {
    /// Defaults: faces of 128 pixels, JPEG of quality 95, 5 % held out.
    pub fn new(photos: Vec<PathBuf>, output: impl Into<PathBuf>) -> Self {
        Self {
            photos,
            output: output.into(),
            size: 128,
            format: FaceFormat::Jpeg(95),
            min_confidence: 0.7,
            drop_grey: false,
            whole: false,
            test_share: 0.05,
            seed: 0,
            workers: available_workers(),
        }
    }
}

/// The end of a preparation.
#[derive(Clone, Debug, PartialEq)]
pub enum Prepared {
    /// The folder is complete.
    Finished(PrepareReport),
    /// A stop was requested. The next call continues.
    Stopped {
        /// Finished photos, including earlier calls.
        done: usize,
        /// Number of all photos.
        of: usize,
    },
}

/// Makes a dataset folder. `progress` receives the number of finished photos and of all photos.
///
/// # Errors
/// [`Error::Busy`] if another process uses the folder, [`Error::OtherSettings`] if it was started with other settings,
/// [`Error::SameName`] if two photos would get the same name, [`Error::NoPhotos`] and [`Error::NothingPrepared`] if there is
/// no result, [`Error::Write`] if the folder cannot be written or the disk is full. Finished photos are kept. A photo that
/// cannot be used is not an error; it is listed in the report.
///
/// # Panics
/// Panics if `size` is 0 or `test_share` is not in 0 to 1.
pub fn prepare(
    config: &PrepareConfig,
    source: Source<'_>,
    progress: &mut dyn FnMut(usize, usize),
    stop: &AtomicBool,
) -> Result<Prepared> {
    assert!(config.size > 0, "faces of 0 pixels");
    assert!(
        (0.0..=1.0).contains(&config.test_share),
        "a share of {}",
        config.test_share
    );
    let (photos, skipped) = sources::find(config, source)?;
    let pictures = config.output.join(PICTURES_DIR);
    fs::create_dir_all(&pictures).map_err(|source| Error::Write {
        path: pictures.clone(),
        source,
    })?;
    let _lock = lock_folder(&config.output)?;
    for folder in [&config.output, &pictures] {
        ganimation_io::remove_scratch(folder); // of a run that was killed
    }

    let mut journal = Journal::open(config, source)?;
    let mut outcomes: Vec<Option<Outcome>> = photos.iter().map(|photo| journal.known(photo)).collect();
    let left: Vec<usize> = (0..photos.len()).filter(|&at| outcomes[at].is_none()).collect();
    let mut done = photos.len() - left.len();
    progress(done, photos.len());
    let cutter = Cutter {
        config,
        detector: FaceDetector::new()?,
        source,
    };
    let work = |&at: &usize| cutter.cut(&photos[at]);
    parallel::for_each(&left, config.workers, stop, work, |place, outcome| {
        let (at, outcome) = (left[place], outcome?);
        journal.add(&photos[at], &outcome)?;
        outcomes[at] = Some(outcome);
        done += 1;
        progress(done, photos.len());
        Ok(())
    })?;
    if stop.load(Ordering::Relaxed) && done < photos.len() {
        return Ok(Prepared::Stopped {
            done,
            of: photos.len(),
        });
    }
    let outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();
    journal.close(&photos, &outcomes)?;
    report::finish(config, source, (&photos, skipped), &outcomes).map(Prepared::Finished)
}
