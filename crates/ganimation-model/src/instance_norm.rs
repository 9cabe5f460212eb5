//! Instance normalisation with PyTorch's parameter names.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// Added to the variance, as in PyTorch.
const EPSILON: f64 = 1e-5;

/// Normalises each channel of each image to mean 0 and variance 1, then scales and shifts it.
///
/// Burn's own layer calls its parameters `gamma` and `beta`; the field's files say `weight` and `bias`.
#[derive(Module, Debug)]
pub(crate) struct InstanceNorm {
    /// `[channels]`, starts at 1.
    pub(crate) weight: Param<Tensor<1>>,
    /// `[channels]`, starts at 0.
    pub(crate) bias: Param<Tensor<1>>,
}

impl InstanceNorm {
    pub(crate) fn new(channels: usize, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::ones([channels], device)),
            bias: Param::from_tensor(Tensor::zeros([channels], device)),
        }
    }

    /// `[batch, channels, h, w]`, same out.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ganimation_kernels::instance_norm(x, self.weight.val(), self.bias.val(), EPSILON)
    }

    /// [`Self::forward`], then ReLU.
    pub(crate) fn forward_relu(&self, x: Tensor<4>) -> Tensor<4> {
        ganimation_kernels::instance_norm_relu(x, self.weight.val(), self.bias.val(), EPSILON)
    }

    /// [`Self::forward`], then the sum with `skip`.
    pub(crate) fn forward_add(&self, x: Tensor<4>, skip: Tensor<4>) -> Tensor<4> {
        ganimation_kernels::instance_norm_add(x, self.weight.val(), self.bias.val(), skip, EPSILON)
    }
}
