//! Photos and what OpenFace says of them, made into a dataset folder that [`Dataset`](crate::Dataset) opens.
//!
//! Each face is found by the detector and cut by the rule that inference uses. A line for every photo goes to a journal in
//! the folder as soon as its face is written: a run that was stopped or killed is continued by the next one, and ends with
//! the same bytes as one that was not.

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
use crate::files::{lock_folder, remove_scratch};
use crate::parallel::{self, available_workers};

use cut::Cutter;
use journal::Journal;
pub use outcome::{Drop, Outcome, Reason};
pub use report::PrepareReport;

/// A network that reads the action units of a face, a square of [`PrepareConfig::size`] pixels.
pub type ReadFace<'a> = dyn Fn(&RgbImage) -> Intensities + Sync + 'a;

/// Where labels come from.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// A table of `FaceLandmarkImg` for each photo, with the photo's name: in this folder, or beside the photo, or in the
    /// folder `processed` beside it.
    Tables(Option<&'a Path>),
    /// One table of `FeatureExtraction`; photos are its frames, found by the number at the end of their names.
    Frames(&'a Path),
    /// A network and its name.
    Estimator(&'a str, &'a ReadFace<'a>),
}

/// How faces are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaceFormat {
    /// JPEG of a quality from 1 to 100.
    Jpeg(u8),
    /// Without loss, some five times larger.
    Png,
}

/// What is prepared, and how.
#[derive(Clone, Debug)]
pub struct PrepareConfig {
    /// Folders of photos, which are searched with their subfolders, and photos.
    pub photos: Vec<PathBuf>,
    /// The dataset folder to make, or to go on with.
    pub output: PathBuf,
    /// Side of the faces in pixels.
    pub size: u32,
    /// How faces are stored.
    pub format: FaceFormat,
    /// Faces that OpenFace trusts less are dropped.
    pub min_confidence: f64,
    /// Whether faces without colour are dropped.
    pub drop_grey: bool,
    /// Whether each photo is a face already, cut as training's are, in place of being searched for one.
    pub whole: bool,
    /// Share of faces to hold out, 0 to 1.
    pub test_share: f64,
    /// Decides which faces are held out.
    pub seed: u64,
    /// Threads.
    pub workers: usize,
}

impl PrepareConfig {
    /// Faces of 128 pixels in JPEG of quality 95, 5 % of them held out.
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

/// How far a preparation came.
#[derive(Clone, Debug, PartialEq)]
pub enum Prepared {
    /// The folder is complete.
    Finished(PrepareReport),
    /// It was asked to stop; another run goes on.
    Stopped {
        /// Photos done, by this run and those before.
        done: usize,
        /// Photos in all.
        of: usize,
    },
}

/// Makes a dataset folder; `progress` hears how many photos of how many are done.
///
/// # Errors
/// [`Error::Busy`] if another run works in the folder, [`Error::OtherSettings`] if one with other settings began it,
/// [`Error::SameName`] if two photos would get the same name, [`Error::NoPhotos`] and [`Error::NothingPrepared`] if nothing
/// comes of it, [`Error::Write`] if the disk is full or may not be written to; what was done stays and is gone on with.
/// A photo that cannot be used is no error: the report says why.
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
        remove_scratch(folder); // of a run that was killed
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
