//! The AU regressor: a network that estimates a face's action units and was not used to train any generator.

use burn::config::Config;
use burn::module::Module;
use burn::nn::Relu;
use burn::tensor::{Device, Tensor};

use crate::AU_COUNT;
use crate::convolution::{Conv2d, ConvShape};
use crate::instance_norm::InstanceNorm;
use crate::layer::{Layer, ResidualBlock, run};
use crate::parameters::draw_parameters;
use crate::resample::mean_over_positions;

/// Side of an AU regressor's input faces, in pixels.
pub const AU_REGRESSOR_SIZE: usize = 128;

/// Side of an AU regressor's last feature map in pixels, and kernel size of its head.
const TOP: usize = AU_REGRESSOR_SIZE / 16;

/// Shape of an [`AuRegressor`]. With the defaults, it has 1.5 million parameters.
#[derive(Config, Debug, PartialEq, Eq)]
pub struct AuRegressorConfig {
    /// Channels after the first layer; each further strided layer doubles them.
    #[config(default = 24)]
    pub channels: usize,
    /// Number of action units.
    #[config(default = "AU_COUNT")]
    pub aus: usize,
}

impl AuRegressorConfig {
    /// Creates the network on `device` with random initial weights (convolutions from N(0, 0.02), norms with scale 1
    /// and shift 0, bias 0).
    pub fn init(&self, device: &Device) -> AuRegressor {
        let regressor = self.undrawn(device);
        draw_parameters(&regressor);
        regressor
    }

    /// The network without values, to load them.
    pub(crate) fn undrawn(&self, device: &Device) -> AuRegressor {
        let c = self.channels;
        let down = |input, output| {
            [
                Layer::Conv(Conv2d::new(ConvShape::halving(input, output), device)),
                Layer::InstanceNorm(InstanceNorm::new(output, device)),
                Layer::Relu(Relu::new()),
            ]
        };
        let mut main = Vec::from(down(3, c));
        for width in [c, 2 * c, 4 * c] {
            main.extend(down(width, 2 * width));
            main.push(Layer::Residual(ResidualBlock::new(
                2 * width,
                |channels| InstanceNorm::new(channels, device),
                device,
            )));
        }
        AuRegressor {
            main,
            head: Conv2d::new(ConvShape::whole(8 * c, self.aus, TOP), device).with_bias(device),
        }
    }
}

/// An AU regressor: it estimates the action units of faces.
///
/// The discriminator's head estimates them too, but generators are trained against it. Only an independent network can
/// evaluate generators.
#[derive(Module, Debug)]
pub struct AuRegressor {
    main: Vec<Layer>,
    head: Conv2d,
}

impl AuRegressor {
    /// The action units of a batch of faces.
    ///
    /// # Shapes
    /// - `images`: `[batch, 3, 128, 128]`, in [-1, 1]
    /// - returns `[batch, aus]`, OpenFace intensity / 5, unbounded
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        // The head sums over all positions of the map. Dividing by their number gives initial outputs near 0 and small
        // optimiser steps.
        let features = run(&self.main, images) / (TOP * TOP) as f64;
        self.head.forward(features).flatten(1, 3)
    }

    /// The features before the head, averaged over the face, for distances between sets of faces.
    ///
    /// # Shapes
    /// - `images`: see [`AuRegressor::forward`]
    /// - returns `[batch, 8 * channels]`, with the configured channels
    pub fn features(&self, images: Tensor<4>) -> Tensor<2> {
        mean_over_positions(run(&self.main, images))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    #[test]
    fn a_regressor_has_one_value_for_each_action_unit() {
        let device = Device::flex();
        let regressor = AuRegressorConfig::new().with_channels(2).init(&device);
        let faces = Tensor::random([3, 3, 128, 128], Distribution::Uniform(-1.0, 1.0), &device);
        assert_eq!(regressor.forward(faces.clone()).dims(), [3, AU_COUNT]);
        assert_eq!(regressor.features(faces).dims(), [3, 16]);
    }

    #[test]
    fn the_default_regressor_has_1_5_million_parameters() {
        let regressor = AuRegressorConfig::new().init(&Device::flex());
        assert_eq!(regressor.num_params(), 1_470_113);
    }
}
