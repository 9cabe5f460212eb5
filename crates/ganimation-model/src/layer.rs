//! The layers of the published `Sequential`s, at their published positions.
//!
//! A network is a `Vec<Layer>`, so that a parameter's path (`main.9.main.0.weight`) is its name in the
//! published files. Layers without parameters also count as positions.

use burn::module::Module;
use burn::nn::{LeakyRelu, LeakyReluConfig, Relu};
use burn::tensor::{Device, Tensor};
use ganimation_kernels::PreparedWeights;

use crate::convolution::{Conv2d, ConvShape, ConvTranspose2d, EnlargingConv2d};
use crate::instance_norm::InstanceNorm;

/// One entry of a `Sequential`.
#[derive(Module, Debug)]
pub(crate) enum Layer {
    Conv(Conv2d),
    ConvTranspose(ConvTranspose2d),
    Enlarge(EnlargingConv2d),
    InstanceNorm(InstanceNorm),
    Relu(Relu),
    LeakyRelu(LeakyRelu),
    Residual(ResidualBlock),
}

impl Layer {
    pub(crate) fn leaky_relu(slope: f64) -> Self {
        Self::LeakyRelu(LeakyReluConfig::new().with_negative_slope(slope).init())
    }

    fn forward(&self, x: Tensor<4>, orders: Option<&Tensor<2>>) -> Tensor<4> {
        match self {
            Self::Conv(layer) => layer.forward(x),
            Self::ConvTranspose(layer) => layer.forward(x),
            Self::Enlarge(layer) => layer.forward(x),
            Self::InstanceNorm(layer) => layer.forward(x, orders),
            Self::Relu(layer) => layer.forward(x),
            Self::LeakyRelu(layer) => ganimation_kernels::leaky_relu(x, layer.negative_slope),
            Self::Residual(layer) => layer.forward(x, orders),
        }
    }
}

/// Prepares the weights of `layers` for many calls.
pub(crate) fn prepare(layers: &[Layer], prepared: &mut PreparedWeights) {
    for layer in layers {
        match layer {
            Layer::Conv(layer) => layer.prepare(prepared),
            Layer::ConvTranspose(layer) => layer.prepare(prepared),
            Layer::Enlarge(layer) => layer.prepare(prepared),
            Layer::Residual(block) => prepare(&block.main, prepared),
            Layer::InstanceNorm(_) | Layer::Relu(_) | Layer::LeakyRelu(_) => {}
        }
    }
}

/// Runs `layers` in sequence. A norm or a convolution is combined with its activation in one operation.
pub(crate) fn run(layers: &[Layer], x: Tensor<4>) -> Tensor<4> {
    run_ordered(layers, x, None)
}

/// [`run`] with norms that depend on `orders`, `[batch, aus]`.
pub(crate) fn run_ordered(layers: &[Layer], x: Tensor<4>, orders: Option<&Tensor<2>>) -> Tensor<4> {
    match layers {
        [] => x,
        [Layer::InstanceNorm(norm), Layer::Relu(_), rest @ ..] => {
            run_ordered(rest, norm.forward_relu(x, orders), orders)
        }
        [Layer::Conv(conv), Layer::LeakyRelu(leak), rest @ ..] => {
            run_ordered(rest, conv.forward_leaky_relu(x, leak.negative_slope), orders)
        }
        [layer, rest @ ..] => run_ordered(rest, layer.forward(x, orders), orders),
    }
}

/// The convolutions of `layers` with the slopes of their LeakyReLUs, in order.
fn leaky_convolutions(layers: &[Layer]) -> impl DoubleEndedIterator<Item = (&Conv2d, f64)> {
    let (pairs, _) = layers.as_chunks::<2>();
    pairs.iter().filter_map(|pair| match pair {
        [Layer::Conv(conv), Layer::LeakyRelu(leak)] => Some((conv, leak.negative_slope)),
        _ => None,
    })
}

/// The outputs of every LeakyReLU of `layers`, in order. `layers` must alternate convolutions and LeakyReLUs.
///
/// An output has the sign of the LeakyReLU's input.
pub(crate) fn activations(layers: &[Layer], images: Tensor<4>) -> Vec<Tensor<4>> {
    leaky_convolutions(layers)
        .scan(images, |x, (conv, slope)| {
            *x = conv.forward_leaky_relu(x.clone(), slope);
            Some(x.clone())
        })
        .collect()
}

/// The gradient with respect to the input of `layers`, computed from the gradient of their output and their
/// [`activations`]: `Wᵀ₁(s₁ ⊙ Wᵀ₂(s₂ ⊙ … g))` with the LeakyReLUs' slopes `s` as constants. Differentiable in the
/// weights and in `top`.
pub(crate) fn input_gradient(layers: &[Layer], activations: Vec<Tensor<4>>, top: Tensor<4>) -> Tensor<4> {
    let backwards = leaky_convolutions(layers)
        .rev()
        .zip(activations.into_iter().rev());
    backwards.fold(top, |gradient, ((conv, slope), activation)| {
        conv.input_gradient(ganimation_kernels::scale_by_slope(activation, gradient, slope))
    })
}

/// `x + main(x)`, where `main` is conv 3x3, instance norm, ReLU, conv 3x3, instance norm.
#[derive(Module, Debug)]
pub(crate) struct ResidualBlock {
    main: Vec<Layer>,
}

impl ResidualBlock {
    /// `norm` creates the two norms.
    pub(crate) fn new(channels: usize, norm: impl Fn(usize) -> InstanceNorm, device: &Device) -> Self {
        let conv = || Layer::Conv(Conv2d::new(ConvShape::same(channels, channels, 3), device));
        let norm = || Layer::InstanceNorm(norm(channels));
        Self {
            main: vec![conv(), norm(), Layer::Relu(Relu::new()), conv(), norm()],
        }
    }

    fn forward(&self, x: Tensor<4>, orders: Option<&Tensor<2>>) -> Tensor<4> {
        match self.main.as_slice() {
            [layers @ .., Layer::InstanceNorm(norm)] => {
                norm.forward_add(run_ordered(layers, x.clone(), orders), orders, x)
            }
            layers => x.clone() + run_ordered(layers, x, orders),
        }
    }
}
