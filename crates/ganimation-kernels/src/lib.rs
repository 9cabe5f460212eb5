//! Fast operations for GANimation's networks.
//!
//! Every function takes and returns Burn tensors, works on every backend and is differentiable. The bodies are
//! compositions of Burn's own operations. With the feature `flex`, `f32` and `f64` tensors on Burn's CPU backend run
//! kernels of this crate, built on the `gemm` crate, in their place, forward and backward.
//!
//! | operation | in the networks |
//! |---|---|
//! | [`conv2d`] | all layers but the two up-convolutions |
//! | [`conv_transpose2d`] | up-convolutions; the explicit input gradient of the penalty |
//! | [`instance_norm`], [`instance_norm_relu`] | after every convolution of the generator but the heads |
//! | [`leaky_relu`] | the critic's slopes |
//! | [`adam_step`] | the optimiser |

mod activation;
mod adam;
mod conv;
#[cfg(feature = "flex")]
mod flex;
mod norm;

pub use activation::leaky_relu;
pub use adam::{AdamStep, Moments, adam_step};
pub use conv::{conv_transpose2d, conv2d};
pub use norm::{instance_norm, instance_norm_relu};
