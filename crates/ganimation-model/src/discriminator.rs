//! The discriminator: it computes a critic score and the action units of a face.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::convolution::{Conv2d, ConvShape};
use crate::layer::{self, Layer, run};
use crate::parameters::draw_parameters;
use crate::resample::mean_over_positions;
use crate::{AU_COUNT, Error, Result};

/// Slope of the LeakyReLUs below zero.
const LEAKY_SLOPE: f64 = 0.01;

/// Number of strided layers in the trunk. Each halves the side of the image.
pub(crate) const LAYERS: u32 = 6;

/// The side of an image must be a multiple of this, so that each layer can halve it.
pub(crate) const SIZE_STEP: usize = 1 << LAYERS;

/// Shape of a [`Discriminator`]. At 128 pixels the defaults are the paper's network: 44,860,352 parameters.
#[derive(Config, Debug, PartialEq, Eq)]
pub struct DiscriminatorConfig {
    /// Side of the square input images, in pixels: a multiple of 64.
    pub image_size: usize,
    /// Channels after the first layer; each further layer doubles them.
    #[config(default = 64)]
    pub channels: usize,
    /// Number of action units.
    #[config(default = "AU_COUNT")]
    pub aus: usize,
}

impl DiscriminatorConfig {
    /// Checks that the network can be built.
    ///
    /// # Errors
    /// [`Error::ImageSize`] unless the image size is a positive multiple of 64.
    pub fn check(&self) -> Result<()> {
        if self.image_size == 0 || !self.image_size.is_multiple_of(SIZE_STEP) {
            return Err(Error::ImageSize {
                found: self.image_size,
                step: SIZE_STEP,
            });
        }
        Ok(())
    }

    /// Creates the network on `device` with random initial weights (convolutions from N(0, 0.02), biases 0).
    ///
    /// # Panics
    /// If the image size is not a positive multiple of 64; [`Self::check`] reports this as an error.
    pub fn init(&self, device: &Device) -> Discriminator {
        let discriminator = self.undrawn(device);
        draw_parameters(&discriminator);
        discriminator
    }

    /// The network without values, to load them.
    pub(crate) fn undrawn(&self, device: &Device) -> Discriminator {
        let side = self.image_size / SIZE_STEP;
        assert!(
            side * SIZE_STEP == self.image_size && side > 0,
            "image size {} is not a positive multiple of {SIZE_STEP}",
            self.image_size
        );
        let mut main = Vec::new();
        let mut input = 3;
        for layer in 0..LAYERS {
            let output = self.channels << layer;
            let conv = Conv2d::new(ConvShape::halving(input, output), device).with_bias(device);
            main.extend([Layer::Conv(conv), Layer::leaky_relu(LEAKY_SLOPE)]);
            input = output;
        }
        Discriminator {
            main,
            conv1: Conv2d::new(ConvShape::same(input, 1, 3), device),
            conv2: Conv2d::new(ConvShape::whole(input, self.aus, side), device),
        }
    }
}

/// WGAN discriminator with an action-unit head (paper, section 4).
///
/// Fields have the names of the published files: `conv1` computes the critic score, `conv2` the action units.
#[derive(Module, Debug)]
pub struct Discriminator {
    main: Vec<Layer>,
    conv1: Conv2d,
    conv2: Conv2d,
}

/// The discriminator's outputs for a batch of faces.
#[derive(Clone, Debug)]
pub struct DiscriminatorOutput {
    /// The critic score, `[batch, 1, height / 64, width / 64]`, unbounded. Larger means more real.
    pub score: Tensor<4>,
    /// The action units, `[batch, aus]`, OpenFace intensity / 5, unbounded.
    pub aus: Tensor<2>,
}

impl Discriminator {
    /// Computes the critic score and the action units of a batch of faces.
    ///
    /// # Shapes
    /// - `images`: `[batch, 3, height, width]`, in [-1, 1]; height and width at least the configured image size
    pub fn forward(&self, images: Tensor<4>) -> DiscriminatorOutput {
        let features = run(&self.main, images);
        DiscriminatorOutput {
            score: self.conv1.forward(features.clone()),
            // At the configured size, one position is left. For larger images, take the mean over positions.
            aus: mean_over_positions(self.conv2.forward(features)),
        }
    }

    /// Gradient of the summed critic score with respect to `images`, differentiable in the weights.
    ///
    /// The network is piecewise linear, so this gradient is itself a chain of transposed convolutions with the same
    /// weights and the LeakyReLU slopes as constant factors: `Wᵀ₁(s₁ ⊙ Wᵀ₂(s₂ ⊙ … Wᵀ_score 1))`. Differentiating
    /// that chain once gives the exact second-order gradient, which first-order autodiff cannot compute.
    ///
    /// # Shapes
    /// - `images`: `[batch, 3, height, width]`; the gradient has the same shape
    pub fn input_gradient(&self, images: Tensor<4>) -> Tensor<4> {
        let (device, dtype) = (images.device(), images.dtype());
        let activations = layer::activations(&self.clone().no_grad().main, images.detach());
        let [batch, height, width] = activations
            .last()
            .map_or([0; 3], |top| [top.dims()[0], top.dims()[2], top.dims()[3]]);
        let ones = Tensor::ones([batch, 1, height, width], (&device, dtype));
        layer::input_gradient(&self.main, activations, self.conv1.input_gradient(ones))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_discriminator_has_44_860_352_parameters() {
        let discriminator = DiscriminatorConfig::new(128).init(&Device::flex());
        assert_eq!(discriminator.num_params(), 44_860_352);
    }

    #[test]
    fn the_output_has_one_score_for_every_64_pixels() {
        let device = Device::flex();
        let discriminator = DiscriminatorConfig::new(64).with_channels(2).init(&device);
        let output = discriminator.forward(Tensor::zeros([2, 3, 64, 192], &device));
        assert_eq!(output.score.dims(), [2, 1, 1, 3]);
        assert_eq!(output.aus.dims(), [2, AU_COUNT]);
    }

    #[test]
    fn sizes_that_are_no_multiple_of_64_are_refused() {
        for size in [0, 32, 100, 129] {
            let error = DiscriminatorConfig::new(size).check().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("image size {size} is not a positive multiple of 64")
            );
        }
        assert!(DiscriminatorConfig::new(192).check().is_ok());
    }
}
