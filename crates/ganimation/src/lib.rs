//! Animates a face from one photo. The inputs are a photo and action-unit intensities, the outputs are frames.
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
//! | `bundled` | yes | the weights of this project, for research use only: [`Animator::bundled`] |
//! | `flex` | yes | Burn's pure-Rust CPU backend with this project's kernels |
//! | `rayon`, `simd`, `x86-v4` | yes | threads, vector instructions and AVX-512 on the CPU |
//! | `cuda`, `cuda-nvrtc`, `wgpu`, `vulkan`, `metal`, `ndarray` | | Burn's other backends |
//! | `train` | | [`train`]: runs, checkpoints, evaluation |
//! | `clap` | | `clap::ValueEnum` for enums that are command-line options |
//!
//! [`model`] contains the networks, which operate on tensors. [`data`] reads and writes files and pictures. [`burn`]
//! and [`image`] are re-exported in the versions that this API uses. The [`cookbook`] has short programs for common
//! tasks.

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
pub use error::{Error, Result};
pub use expression::{AuCommand, Change, Emotion, EmotionCommand, Expression};
pub use film::{FaceTracker, Film, FilmFace, FilmFaces};
pub use ganimation_data::film::FrameRate;
pub use ganimation_data::{ActionUnit, FaceBox, Intensities};
pub use motion::{Clipped, Driver, DriverOptions, DriverRemark, Ease, Key, Neutral, Timeline};
pub use photo::{CropMode, FaceChoice, FacePhoto, PhotoFace, PhotoOptions};

/// Pictures that show faces and edits.
pub mod sheet {
    pub use crate::contact_sheet::{contact_sheet, strip, unit_sheet};
    pub use crate::overlay::overlay;
}

/// Compiles the code in the README.
#[cfg(all(doctest, feature = "bundled", feature = "train"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
