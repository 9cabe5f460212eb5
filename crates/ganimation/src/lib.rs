//! Animate a face from one photo by naming its muscles: photo in, frames out.
//!
//! ```
//! use ganimation::{Animator, Ease, Emotion, Expression, PhotoOptions, Timeline, device};
//!
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/grace_hopper.jpg");
//! let animator = Animator::bundled(&device::resolve("auto".parse()?)?)?;
//! let photo = animator.open(path.as_ref(), &PhotoOptions::new())?;
//!
//! let happy = Expression::new().with_emotion(Emotion::Happiness, 0.8)?;
//! let smiling = animator.edit(&photo, &happy);
//! assert_eq!(smiling.photo.dimensions(), photo.photo().dimensions());
//!
//! let film = Timeline::there_and_back(Expression::new(), happy, 0.5, Ease::InOut);
//! assert_eq!(animator.frames(&photo, &film.frames(8.0)).count(), 4);
//! # Ok::<(), ganimation::Error>(())
//! ```
//!
//! The tensors underneath are in [`ganimation_model`], files and pictures in [`ganimation_data`].

#![forbid(unsafe_code)]

pub mod device;

mod animator;
mod compose;
mod contact_sheet;
mod error;
mod expression;
mod film;
mod hint;
mod motion;
mod overlay;
mod photo;

pub use animator::{Animator, EditedFace, Frame};
pub use contact_sheet::{contact_sheet, strip, unit_sheet};
pub use error::{Error, Result};
pub use expression::{AuCommand, Change, Emotion, EmotionCommand, Expression};
pub use film::{FaceTracker, FilmFace, FilmFaces};
pub use ganimation_data::{ActionUnit, FaceBox, FrameRate, Intensities};
pub use motion::{
    Clipped, Driver, DriverOptions, DriverRemark, Ease, Key, Neutral, Timeline, clipped, follow,
};
pub use overlay::overlay;
pub use photo::{CropMode, FaceChoice, FacePhoto, PhotoFace, PhotoOptions};

/// Compiles the code in the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
