//! Weights of GANimation's networks, as the bytes of safetensors files. **Research use only**: see `LICENSE.md`.
//!
//! `README.md` is the generator's model card, `au_regressor.md` that of the AU regressor, and `runs.md` lists
//! the training runs. `ganimation_model::weights` reads the bytes.

#![no_std]
#![forbid(unsafe_code)]

/// The generator: the motion network, 24 channels, faces of 128 x 128 pixels, f16.
pub const GENERATOR: &[u8] = include_bytes!("../generator.safetensors");

/// The AU regressor, which estimates the 17 action units of a face of 128 x 128 pixels, f16.
pub const AU_REGRESSOR: &[u8] = include_bytes!("../au_regressor.safetensors");
