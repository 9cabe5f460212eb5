//! The layers of the published `Sequential`s, kept at their published positions.
//!
//! A network is a `Vec<Layer>`, so that a parameter's path (`main.9.main.0.weight`) is its name in the
//! published files; layers without parameters hold their place in the count.

use burn::module::Module;
use burn::nn::{LeakyRelu, LeakyReluConfig, Relu};
use burn::tensor::{Device, Tensor};
use ganimation_kernels::PreparedWeights;

use crate::convolution::{Conv2d, ConvTranspose2d};
use crate::instance_norm::InstanceNorm;

/// Slope of the critic's LeakyReLU below zero.
pub(crate) const LEAKY_SLOPE: f64 = 0.01;

/// One entry of a `Sequential`.
#[derive(Module, Debug)]
pub(crate) enum Layer {
    Conv(Conv2d),
    ConvTranspose(ConvTranspose2d),
    InstanceNorm(InstanceNorm),
    Relu(Relu),
    LeakyRelu(LeakyRelu),
    Residual(ResidualBlock),
}

impl Layer {
    pub(crate) fn leaky_relu() -> Self {
        Self::LeakyRelu(LeakyReluConfig::new().with_negative_slope(LEAKY_SLOPE).init())
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Conv(layer) => layer.forward(x),
            Self::ConvTranspose(layer) => layer.forward(x),
            Self::InstanceNorm(layer) => layer.forward(x),
            Self::Relu(layer) => layer.forward(x),
            Self::LeakyRelu(layer) => ganimation_kernels::leaky_relu(x, layer.negative_slope),
            Self::Residual(layer) => layer.forward(x),
        }
    }
}

/// Makes the weights of `layers` ready for many calls.
pub(crate) fn prepare(layers: &[Layer], prepared: &mut PreparedWeights) {
    for layer in layers {
        match layer {
            Layer::Conv(layer) => layer.prepare(prepared),
            Layer::ConvTranspose(layer) => layer.prepare(prepared),
            Layer::Residual(block) => prepare(&block.main, prepared),
            Layer::InstanceNorm(_) | Layer::Relu(_) | Layer::LeakyRelu(_) => {}
        }
    }
}

/// Runs `layers` one after the other; a norm or a convolution and the activation behind it in one operation.
pub(crate) fn run(layers: &[Layer], x: Tensor<4>) -> Tensor<4> {
    match layers {
        [] => x,
        [Layer::InstanceNorm(norm), Layer::Relu(_), rest @ ..] => run(rest, norm.forward_relu(x)),
        [Layer::Conv(conv), Layer::LeakyRelu(leak), rest @ ..] => {
            run(rest, conv.forward_leaky_relu(x, leak.negative_slope))
        }
        [layer, rest @ ..] => run(rest, layer.forward(x)),
    }
}

/// `x + main(x)`, where `main` is conv 3x3, instance norm, ReLU, conv 3x3, instance norm.
#[derive(Module, Debug)]
pub(crate) struct ResidualBlock {
    main: Vec<Layer>,
}

impl ResidualBlock {
    pub(crate) fn new(channels: usize, device: &Device) -> Self {
        let conv = || Layer::Conv(Conv2d::new([channels; 2], 3, [1, 1], device));
        let norm = || Layer::InstanceNorm(InstanceNorm::new(channels, device));
        Self {
            main: vec![conv(), norm(), Layer::Relu(Relu::new()), conv(), norm()],
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self.main.as_slice() {
            [layers @ .., Layer::InstanceNorm(norm)] => norm.forward_add(run(layers, x.clone()), x),
            layers => x.clone() + run(layers, x),
        }
    }
}
