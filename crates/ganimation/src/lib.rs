//! Animate a face from one photo by naming its muscles: photo in, frames out.
//!
//! ```
//! use ganimation::{Animator, Sweep, device};
//!
//! # let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/grace_hopper.jpg");
//! let device = device::resolve("auto".parse()?)?;
//! let animator = Animator::bundled(&device)?;
//! let face = animator.open(photo.as_ref())?;
//! let smile = Sweep::new(&["6=0..3".parse()?, "12=0..4".parse()?, "25=0..3".parse()?])?;
//! let targets: Vec<_> = smile.there_and_back(4).iter().map(|e| animator.target(&face, e)).collect();
//! let frames = animator.animate(&face, &targets);
//! assert_eq!(frames[2].photo.dimensions(), face.photo().dimensions());
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

pub use animator::{Animator, FacePhoto, Frame};
pub use contact_sheet::contact_sheet;
pub use error::{Error, Result};
pub use expression::{AuCommand, Expression, Sweep, there_and_back};
pub use ganimation_data::{ActionUnit, FaceBox, Intensities};

/// Compiles the code in the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
