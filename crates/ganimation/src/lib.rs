//! Animate a face from one photo by naming its muscles: photo in, frames out.
//!
//! ```
//! # #[cfg(feature = "bundled")] {
//! use ganimation::{Animator, Ease, Emotion, Expression, PhotoOptions, Timeline};
//!
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/grace_hopper.jpg");
//! let animator = Animator::bundled()?;
//! let photo = animator.open(path.as_ref(), &PhotoOptions::new())?;
//!
//! let happy = Expression::new().with_emotion(Emotion::Happiness, 0.8)?;
//! let smiling = animator.edit(&photo, &happy);
//! smiling.save(std::env::temp_dir().join("smiling.png"))?;
//!
//! let timeline = Timeline::there_and_back(Expression::new(), happy, 0.5, Ease::InOut);
//! let film = animator.film(&photo, &timeline, "8".parse()?);
//! film.save(std::env::temp_dir().join("smiling.gif"))?;
//! assert_eq!(film.len(), 4);
//! # }
//! # Ok::<(), ganimation::Error>(())
//! ```
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `bundled` | yes | the weights of this project, research use only: [`Animator::bundled`] |
//! | `flex` | yes | Burn's pure-Rust CPU backend with this project's kernels |
//! | `cuda`, `cuda-nvrtc`, `wgpu`, `vulkan`, `metal`, `ndarray` | | Burn's other backends |
//! | `train` | | [`train`]: runs, checkpoints, evaluation |
//!
//! The layers underneath: [`model`] has the networks on tensors, [`data`] files and pictures. [`burn`] and [`image`] are the
//! versions whose types appear here.

#![forbid(unsafe_code)]

#[cfg(all(any(doc, doctest), feature = "bundled"))]
pub mod cookbook;
pub mod device;

mod animator;
mod compose;
mod contact_sheet;
mod cubic;
mod error;
mod expression;
mod film;
mod motion;
mod overlay;
mod photo;

pub use burn;
pub use ganimation_data as data;
pub use ganimation_model as model;
#[cfg(feature = "train")]
pub use ganimation_train as train;
pub use image;

pub use animator::{Animator, EditedFace, Frame};
pub use contact_sheet::{contact_sheet, strip, unit_sheet};
pub use error::{Error, Result};
pub use expression::{AuCommand, Change, Emotion, EmotionCommand, Expression};
pub use film::{FaceTracker, Film, FilmFace, FilmFaces};
pub use ganimation_data::{ActionUnit, FaceBox, FrameRate, Intensities};
pub use motion::{
    Clipped, Driver, DriverOptions, DriverRemark, Ease, Key, Neutral, Timeline, clipped, follow,
};
pub use overlay::overlay;
pub use photo::{CropMode, FaceChoice, FacePhoto, PhotoFace, PhotoOptions};

/// Compiles the code in the README.
#[cfg(all(doctest, feature = "bundled", feature = "train"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
