//! Faces, action-unit labels and batches for GANimation, and frames to files.
//!
//! This crate turns files into numbers and back; it knows no network.
//!
//! | from | to | with |
//! |---|---|---|
//! | a dataset folder | labelled faces | [`Dataset`] |
//! | faces | training batches, decoded ahead | [`Loader`] |
//! | landmarks and action units | how faces move, as lessons for a network | [`MotionPrior`], [`Teacher`] |
//! | a photo | face crops like the training's | [`decode_photo`], [`FaceDetector`], [`crop`] |
//! | pixels | tensors and back | [`pixels`] |
//! | pickles, tables of OpenFace | labels | [`pickle`], [`labels`], [`openface`] |
//! | photos and tables of OpenFace | a dataset folder | [`prepare`] |
//! | a dataset folder | whether it is fit to train on | [`doctor`] |
//! | frames | an animation or a video, a contact sheet, a picture | [`FilmWriter`], [`Sheet`], [`save_image`] |
//!
//! Action units are [`ActionUnit`]s; their [`Intensities`] are in OpenFace units, 0 to 5, until they are
//! normalised for the network (intensity / 5).

#![forbid(unsafe_code)]

pub mod au;
pub mod dataset;
pub mod doctor;
pub mod error;
pub mod face;
mod files;
pub mod film;
pub mod labels;
pub mod landmarks;
pub mod loader;
pub mod openface;
mod parallel;
pub mod pickle;
pub mod picture;
pub mod pixels;
pub mod prepare;
pub mod prior;
pub mod sheet;
pub mod teacher;
mod turn;

pub use au::{AU_COUNT, ActionUnit, Intensities};
pub use dataset::{Dataset, Face, OpenOptions, Split};
pub use error::{Error, Result};
pub use face::{FaceBox, FaceDetector, crop};
pub use files::{extension, lock_folder, remove_scratch, write_whole};
pub use film::{FilmFormat, FilmOptions, FilmWriter, FrameRate, gif_bytes, write_gif};
pub use landmarks::Landmarks;
pub use loader::{Batch, LessonConfig, Lessons, Loader, LoaderConfig, Pairs};
pub use parallel::available_workers;
pub use picture::{PhotoFile, decode_photo, photo_from_bytes, read_photo};
pub use prior::MotionPrior;
pub use sheet::{Sheet, save_image};
pub use teacher::{Lesson, Teacher};
pub use turn::Turn;
