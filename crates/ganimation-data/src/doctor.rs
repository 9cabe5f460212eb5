//! A dataset examined from end to end: every picture decoded, every label counted, and whether it is fit to train on.
//!
//! ```no_run
//! use ganimation_data::doctor::{Examination, examine};
//!
//! let report = examine("faces".as_ref(), &Examination::default(), &mut |_done, _of| {})?;
//! for finding in &report.findings {
//!     println!("{finding}");
//! }
//! assert!(report.fit);
//! # Ok::<(), ganimation_data::Error>(())
//! ```

mod chart;
mod findings;
mod landmarks;
mod pictures;
mod units;

#[cfg(test)]
mod tests;

use std::path::Path;

use serde::Serialize;

use crate::dataset::{Dataset, OpenOptions, Split};
use crate::error::Result;
use crate::parallel::available_workers;

pub use chart::draw;
pub use findings::{Finding, Severity};
pub use landmarks::{Example, LandmarkCount};
pub(crate) use pictures::is_grey;
pub use pictures::{PictureSize, Pictures, Unreadable};
pub use units::{BINS, Unit};

/// How a dataset is examined.
#[derive(Clone, Copy, Debug)]
pub struct Examination {
    /// Threads that decode pictures.
    pub workers: usize,
    /// Faces in a batch of the training that is meant.
    pub batch_size: usize,
    /// Side of the faces in that training, in pixels.
    pub image_size: u32,
}

impl Default for Examination {
    fn default() -> Self {
        Self {
            workers: available_workers(),
            batch_size: 25,
            image_size: 128,
        }
    }
}

/// What an examination found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The dataset folder.
    pub folder: String,
    /// Whether training would start on it as it is, and end.
    pub fit: bool,
    /// What was noticed, gravest first.
    pub findings: Vec<Finding>,
    /// Listed faces to train on that have a picture and a sound label.
    pub train: usize,
    /// Such faces held out.
    pub test: usize,
    /// Full batches an epoch.
    pub batches_per_epoch: usize,
    /// Bytes that all faces to train on take in memory once decoded.
    pub cache_bytes: u64,
    /// Why listed faces, or their landmarks, are not sound.
    pub problems: Vec<String>,
    /// Ids with a picture that stand in no list.
    pub unlisted_pictures: Vec<String>,
    /// Ids with a label that stand in no list.
    pub unlisted_labels: Vec<String>,
    /// What the pictures of the sound faces are like.
    pub pictures: Pictures,
    /// What the landmarks of the sound faces are like.
    pub landmarks: LandmarkCount,
    /// What the labels of the sound faces say of each action unit, in label order.
    pub units: Vec<Unit>,
}

/// Examines a dataset folder; `progress` hears how many pictures of how many have been decoded.
///
/// # Errors
/// As [`Dataset::open`] where the folder holds no dataset at all: a list, the labels or the pictures are missing or
/// cannot be read. All else is a finding.
pub fn examine(
    dir: &Path,
    examination: &Examination,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Report> {
    let dataset = Dataset::open_with(
        dir,
        OpenOptions {
            skip_bad: true,
            ..OpenOptions::default()
        },
    )?;
    let (train, test) = (dataset.split(Split::Train), dataset.split(Split::Test));
    let faces: Vec<_> = train.iter().chain(test).collect();
    let pictures = pictures::look(&faces, train.len(), examination, progress)?;
    let side = u64::from(examination.image_size);
    let mut report = Report {
        folder: dir.display().to_string(),
        fit: false,
        findings: Vec::new(),
        train: train.len(),
        test: test.len(),
        batches_per_epoch: train.len() / examination.batch_size.max(1),
        cache_bytes: train.len() as u64 * side * side * 3,
        problems: dataset.problems().iter().map(ToString::to_string).collect(),
        unlisted_pictures: dataset.unlisted_pictures().to_vec(),
        unlisted_labels: dataset.unlisted_labels().to_vec(),
        pictures,
        landmarks: landmarks::count(&faces, train.len()),
        units: units::count(&faces),
    };
    report.findings = findings::find(&report, examination);
    report.fit = report
        .findings
        .iter()
        .all(|finding| finding.severity != Severity::Error);
    Ok(report)
}
