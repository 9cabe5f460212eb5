//! Fast operations for GANimation's networks.
//!
//! The operations take and return Burn tensors and work on every backend. All except [`adam_step`] are differentiable.
//! They are compositions of Burn's own operations. With the feature `gpu`, they have this crate's backward passes on
//! Burn's GPU backends (on CUDA, only the norms). With the feature `flex`, `f32` tensors on Burn's CPU backend use this
//! crate's kernels instead, forward and backward. The kernels use AVX-512, AVX2, NEON or plain Rust, depending on the
//! processor. The environment variable `GANIMATION_SIMD` (`avx2` or `portable`) limits the instruction set. It is read
//! once.
//!
//! | operation | in the networks |
//! |---|---|
//! | [`conv2d`] | all layers except the two up-convolutions |
//! | [`conv_transpose2d`] | up-convolutions; the explicit input gradient of the penalty |
//! | [`conv2d_with_planes`] | the first layer: a face and constant planes of action units |
//! | [`conv2d_leaky_relu`] | the discriminator's layers |
//! | [`instance_norm`], [`instance_norm_relu`] | after every convolution of the generator except the heads |
//! | [`instance_norm_add`] | the end of a residual block |
//! | [`leaky_relu`], [`scale_by_slope`] | a separate leaky ReLU; its slopes in the explicit input gradient |
//! | [`warp`] | the edit's motion |
//! | [`adam_step`] | the optimiser |
//! | [`PreparedWeights`] | transformed weights, computed once for inference |
//! | [`Cores`] | parts of a batch, each on its own group of cores |

mod activation;
mod adam;
mod conv;
mod cores;
mod device;
#[cfg(feature = "flex")]
mod flex;
#[cfg(any(feature = "flex", feature = "gpu"))]
mod general;
mod memory;
mod norm;
mod planes;
mod prepare;
mod warp;

pub use activation::{leaky_relu, scale_by_slope};
pub use adam::{AdamStep, Moments, adam_step};
pub use conv::{conv_transpose2d, conv2d, conv2d_leaky_relu};
pub use cores::{Cores, cores_of};
pub use device::has_all_reduce;
pub use memory::keep_freed_memory;
pub use norm::{instance_norm, instance_norm_add, instance_norm_relu};
pub use planes::conv2d_with_planes;
pub use prepare::PreparedWeights;
pub use warp::warp;
