//! GANimation's networks, edit equation and losses, as operations on tensors of [Burn](burn).
//!
//! The generator's inputs are an image of a face and 17 action-unit (AU) intensities. Its outputs are a colour image
//! and an attention mask. The [edit equation](blend()) combines them with the input (Pumarola et al., *GANimation:
//! Anatomically-aware Facial Animation from a Single Image*, ECCV 2018, arXiv 1807.09251).
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use ganimation_model::GeneratorConfig;
//!
//! let device = Device::flex();
//! let generator = GeneratorConfig::new().with_channels(4).with_blocks(1).init(&device);
//! let faces = Tensor::<4>::zeros([2, 3, 64, 64], &device); // in [-1, 1]
//! let aus = Tensor::<2>::zeros([2, 17], &device); // OpenFace intensity / 5
//! let edit = generator.edit(faces, aus);
//! assert_eq!(edit.image.dims(), [2, 3, 64, 64]);
//! assert_eq!(edit.attention.dims(), [2, 1, 64, 64]); // 1 keeps the input
//! ```

#![forbid(unsafe_code)]

pub mod import;
pub mod weights;

mod au_estimator;
mod au_regressor;
mod convolution;
mod discriminator;
mod edit;
mod error;
mod files;
mod generator;
mod instance_norm;
mod layer;
mod loss;
#[cfg(test)]
mod noise;
mod parameters;
mod penalty;
mod projection;
mod resample;
mod shapes;
mod tensors;

pub use au_estimator::AuEstimator;
pub use au_regressor::{AU_REGRESSOR_SIZE, AuRegressor, AuRegressorConfig};
pub use discriminator::{Discriminator, DiscriminatorConfig, DiscriminatorOutput};
pub use edit::{Edit, blend};
pub use error::{Error, Result};
pub use generator::{Conditioning, Enlarging, Generator, GeneratorConfig, Orders, PreparedGenerator};
pub use loss::{
    AttentionTerm, AuTerm, DiscriminatorLoss, DiscriminatorUpdates, GeneratorLoss, LossWeights, Preset,
    TotalVariationTerm, discriminator_loss, generator_loss,
};
pub use parameters::{load_state_dict, map_parameters, state_dict, take_gradients, update_parameters};
pub use penalty::gradient_penalty;
pub use projection::{Features, ProjectionDiscriminator, ProjectionDiscriminatorConfig, ProjectionOutput};
pub use resample::{average, enlarge};
pub use tensors::{NamedTensors, tensors_from_bytes, tensors_to_bytes};

/// Number of action units in published GANimation networks.
pub const AU_COUNT: usize = 17;
