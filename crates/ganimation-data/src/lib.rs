//! Faces, action-unit labels and batches for GANimation, and frames to files.

pub mod au;
pub mod dataset;
pub mod error;
mod files;
pub mod labels;
pub mod loader;
pub mod pickle;
pub mod picture;

pub use au::{AU_COUNT, ActionUnit, Intensities};
pub use dataset::{Dataset, Face, Split};
pub use error::{Error, Result};
pub use loader::{Batch, Loader, LoaderConfig};
