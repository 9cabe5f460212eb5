//! Faces, action-unit labels and batches for GANimation, and frames to files.

pub mod au;
pub mod dataset;
pub mod error;
pub mod face;
mod files;
pub mod gif;
pub mod labels;
pub mod loader;
pub mod pickle;
pub mod picture;
pub mod pixels;
pub mod sheet;

pub use au::{AU_COUNT, ActionUnit, Intensities};
pub use dataset::{Dataset, Face, Split};
pub use error::{Error, Result};
pub use face::{FaceBox, FaceDetector, crop};
pub use gif::write_gif;
pub use loader::{Batch, Loader, LoaderConfig};
pub use picture::decode_photo;
pub use sheet::{Sheet, save_image};
