//! Faces, action-unit labels and training batches for GANimation, and writing of frames to files.
//!
//! This crate turns files into numbers and back. It contains none of the networks.
//!
//! | from | to | with |
//! |---|---|---|
//! | a dataset folder | labelled faces | [`Dataset`] |
//! | faces | training batches, decoded in advance | [`Loader`] |
//! | landmarks and action units | motion of faces, as training targets | [`teacher`] |
//! | a photo | face crops like the training faces | [`picture`], [`FaceDetector`], [`crop_face`] |
//! | pixels | tensors and back | [`pixels`] |
//! | pickles, OpenFace tables | labels | [`pickle`], [`labels`], [`openface`] |
//! | photos and OpenFace tables | a dataset folder | [`prepare`] |
//! | a dataset folder | a report on whether it is suitable for training | [`doctor`] |
//! | frames | an animation or a video, a contact sheet, a picture | [`film`], [`Sheet`], [`save_image`] |
//!
//! Action units are [`ActionUnit`]s. Their [`Intensities`] are in OpenFace units, 0 to 5. Networks use intensity / 5.
//!
//! Each item has one path: types of general use are at the root, the others in the module of their subject.

#![forbid(unsafe_code)]

pub mod doctor;
pub mod film;
pub mod labels;
pub mod openface;
pub mod pickle;
pub mod picture;
pub mod pixels;
pub mod prepare;
pub mod teacher;

mod au;
mod dataset;
mod error;
mod face;
mod files;
mod landmarks;
mod loader;
mod parallel;
mod prior;
mod sheet;
mod turn;

pub use au::{ACTIVE_INTENSITY, AU_COUNT, ActionUnit, Intensities, MAX_INTENSITY};
pub use dataset::{
    Dataset, Face, OpenOptions, PHOTO_EXTENSIONS, PICTURE_EXTENSIONS, PICTURES_DIR, Split, ids_from_bytes,
    is_side_file,
};
pub use error::{Error, Result};
pub use face::{FaceBox, FaceDetector, crop_face};
pub use files::{file_extension, lock_folder, write_whole};
pub use landmarks::{LANDMARK_COUNT, LANDMARKS_FILE, Landmarks, landmarks_from_bytes, landmarks_to_bytes};
pub use loader::{Batch, LessonConfig, Lessons, Loader, LoaderConfig, Pairs};
pub use parallel::available_workers;
pub use sheet::{Sheet, draw_text, save_image};
pub use turn::Turn;
