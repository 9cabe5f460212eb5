//! Examines a complete dataset: decodes every picture, counts every label, and reports whether it is suitable for
//! training.
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

/// Settings of an examination.
#[derive(Clone, Copy, Debug)]
pub struct Examination {
    /// Threads that decode pictures.
    pub workers: usize,
    /// Batch size of the planned training.
    pub batch_size: usize,
    /// Side of the faces in the planned training, in pixels.
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

/// The results of an examination.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The dataset folder.
    pub folder: String,
    /// Whether training on the unchanged dataset would start and finish.
    pub fit: bool,
    /// All findings, most severe first.
    pub findings: Vec<Finding>,
    /// Number of training faces with a picture and a valid label.
    pub train: usize,
    /// Number of such held-out faces.
    pub test: usize,
    /// Number of full batches per epoch.
    pub batches_per_epoch: usize,
    /// Size of all decoded training faces in memory, in bytes.
    pub cache_bytes: u64,
    /// Why listed faces or their landmarks are invalid.
    pub problems: Vec<String>,
    /// Ids with a picture that are in no list.
    pub unlisted_pictures: Vec<String>,
    /// Ids with a label that are in no list.
    pub unlisted_labels: Vec<String>,
    /// Statistics of the valid faces' pictures.
    pub pictures: Pictures,
    /// Statistics of the valid faces' landmarks.
    pub landmarks: LandmarkCount,
    /// Statistics of the valid faces' labels for each action unit, in label order.
    pub units: Vec<Unit>,
}

/// Examines a dataset folder. `progress` receives the number of decoded pictures and of all pictures.
///
/// # Errors
/// The errors of [`Dataset::open`] if a list, the labels or the pictures are missing or cannot be read. All other
/// problems are findings.
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
