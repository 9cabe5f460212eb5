//! Estimation of action units with any suitable network.

use burn::tensor::Tensor;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};

use crate::au_regressor::AU_REGRESSOR_SIZE;
use crate::{AuRegressor, Discriminator};

/// A network that estimates action units of faces of any size.
#[derive(Clone, Debug)]
pub enum AuEstimator {
    /// An AU regressor: a network trained only for this task.
    Regressor(AuRegressor),
    /// The action-unit head of a discriminator. Generators were trained against it, so it can label photos but cannot
    /// evaluate edits.
    Discriminator {
        /// The discriminator.
        discriminator: Discriminator,
        /// Side of its training faces, in pixels.
        image_size: usize,
    },
}

impl AuEstimator {
    /// The action units of a batch of faces. The faces are resized to the network's training size.
    ///
    /// # Shapes
    /// - `images`: `[batch, 3, size, size]`, in [-1, 1]
    /// - returns `[batch, aus]`, OpenFace intensity / 5, in [0, 1]
    pub fn estimate(&self, images: Tensor<4>) -> Tensor<2> {
        let estimates = match self {
            Self::Regressor(regressor) => regressor.forward(resize(images, AU_REGRESSOR_SIZE)),
            Self::Discriminator {
                discriminator,
                image_size,
            } => discriminator.forward(resize(images, *image_size)).aus,
        };
        estimates.clamp(0.0, 1.0)
    }

    /// [`AuRegressor::features`] of faces of any size; `None` for a discriminator.
    ///
    /// # Shapes
    /// - `images`: `[batch, 3, size, size]`, in [-1, 1]
    /// - returns `[batch, features]`
    pub fn features(&self, images: Tensor<4>) -> Option<Tensor<2>> {
        match self {
            Self::Regressor(regressor) => Some(regressor.features(resize(images, AU_REGRESSOR_SIZE))),
            Self::Discriminator { .. } => None,
        }
    }
}

/// Bilinear resize. Faces of at least twice the size are first halved repeatedly, because bilinear interpolation uses
/// only four pixels.
fn resize(images: Tensor<4>, size: usize) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    if [height, width] == [size, size] {
        return images;
    }
    let next = if height >= 2 * size && width >= 2 * size {
        [height / 2, width / 2]
    } else {
        [size, size]
    };
    let options = InterpolateOptions::new(InterpolateMode::Bilinear)
        .with_align_corners(false)
        .with_output_size(next);
    resize(interpolate(images, options), size)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, Tolerance};

    use super::*;
    use crate::{AU_COUNT, AuRegressorConfig, DiscriminatorConfig};

    #[test]
    fn faces_of_any_size_are_estimated_within_the_range() {
        let device = Device::flex();
        let estimators = [
            AuEstimator::Regressor(AuRegressorConfig::new().with_channels(2).init(&device)),
            AuEstimator::Discriminator {
                discriminator: DiscriminatorConfig::new(64).with_channels(2).init(&device),
                image_size: 64,
            },
        ];
        for estimator in estimators {
            for size in [48, 64, 128, 300] {
                let faces = Tensor::random([2, 3, size, size], Distribution::Uniform(-1.0, 1.0), &device);
                let found = estimator.estimate(faces);
                assert_eq!(found.dims(), [2, AU_COUNT]);
                found.into_data().assert_within_range_inclusive(0.0f32..=1.0);
            }
        }
    }

    #[test]
    fn halving_takes_the_mean_of_four_pixels() {
        let device = Device::flex();
        let faces = Tensor::<4>::random([1, 3, 8, 8], Distribution::Uniform(-1.0, 1.0), &device);
        let blocks = faces.clone().reshape([1, 3, 4, 2, 4, 2]);
        let expected = blocks.mean_dims(&[3, 5]).reshape([1, 3, 4, 4]);
        resize(faces, 4)
            .into_data()
            .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-5));
    }
}
