//! Convolution layers that store weights and call the project's own operations.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Device, Distribution, Tensor};
use ganimation_kernels::PreparedWeights;

use crate::resample::repeat;

/// Standard deviation of initial convolution weights, as in the released network.
const INIT_STD: f64 = 0.02;

/// The shape of a convolution with a square kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConvShape {
    /// Channels of the input.
    pub(crate) input: usize,
    /// Channels of the output.
    pub(crate) output: usize,
    /// Side of the kernel.
    pub(crate) kernel: usize,
    /// Distance between two windows, in pixels.
    pub(crate) stride: usize,
    /// Number of rows or columns of zeros added at each border.
    pub(crate) padding: usize,
}

impl ConvShape {
    /// Keeps the size of the image. `kernel` is odd.
    pub(crate) const fn same(input: usize, output: usize, kernel: usize) -> Self {
        Self {
            input,
            output,
            kernel,
            stride: 1,
            padding: kernel / 2,
        }
    }

    /// Halves the size of the image with a kernel of 4. Transposed, it doubles the size.
    pub(crate) const fn halving(input: usize, output: usize) -> Self {
        Self {
            input,
            output,
            kernel: 4,
            stride: 2,
            padding: 1,
        }
    }

    /// Maps an image of side `side` to one position.
    pub(crate) const fn whole(input: usize, output: usize, side: usize) -> Self {
        Self {
            input,
            output,
            kernel: side,
            stride: 1,
            padding: 0,
        }
    }
}

/// A convolution with a square kernel.
#[derive(Module, Debug)]
pub(crate) struct Conv2d {
    /// `[out, in, kernel, kernel]`.
    pub(crate) weight: Param<Tensor<4>>,
    /// `[out]`; absent before a normalisation, which cancels a bias.
    pub(crate) bias: Option<Param<Tensor<1>>>,
    stride: usize,
    padding: usize,
}

impl Conv2d {
    /// Creates a layer with weights from N(0, 0.02) and no bias.
    pub(crate) fn new(shape: ConvShape, device: &Device) -> Self {
        Self {
            weight: normal([shape.output, shape.input, shape.kernel, shape.kernel], device),
            bias: None,
            stride: shape.stride,
            padding: shape.padding,
        }
    }

    /// Adds a bias of zeros.
    pub(crate) fn with_bias(self, device: &Device) -> Self {
        self.with_bias_of(0.0, device)
    }

    /// Adds a bias with the initial value `value`.
    pub(crate) fn with_bias_of(mut self, value: f64, device: &Device) -> Self {
        let [output, ..] = self.weight.lazy_shape().dims::<4>();
        self.bias = Some(Param::from_tensor(Tensor::full([output], value, device)));
        self
    }

    /// Draws new weights with the standard deviation that preserves the magnitude of activations, for a layer before a
    /// LeakyReLU with `slope` (He et al. 2015).
    pub(crate) fn with_kaiming_weights(mut self, slope: f64, device: &Device) -> Self {
        let shape = self.weight.lazy_shape().dims::<4>();
        let [_, input, height, width] = shape;
        let std = (2.0 / ((1.0 + slope * slope) * (input * height * width) as f64)).sqrt();
        self.weight = drawn(shape, std, device);
        self
    }

    /// Draws new weights from N(0, `std`).
    pub(crate) fn with_weights_of(mut self, std: f64, device: &Device) -> Self {
        self.weight = drawn(self.weight.lazy_shape().dims::<4>(), std, device);
        self
    }

    /// Gives the same weights to the `scale²` outputs that become the sub-pixels of one position (ICNR, Aitken et al.
    /// 2017). Initially, the layer then enlarges by repetition and gives no checkerboard pattern.
    pub(crate) fn with_equal_subpixels(mut self, scale: usize) -> Self {
        let [output, input, height, width] = self.weight.lazy_shape().dims::<4>();
        let count = scale * scale;
        self.weight = self.weight.init_mapper(move |weight| {
            weight
                .reshape([output / count, count, input, height, width])
                .narrow(1, 0, 1)
                .repeat_dim(1, count)
                .reshape([output, input, height, width])
        });
        self
    }

    /// `[batch, in, h, w]` -> `[batch, out, h', w']`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let bias = self.bias.as_ref().map(Param::val);
        ganimation_kernels::conv2d(x, self.weight.val(), bias, self.stride, self.padding)
    }

    /// [`Self::forward`] of images with additional constant planes, `[batch, planes]`.
    ///
    /// The stride must be 1, and the padding must keep the size.
    pub(crate) fn forward_with_planes(&self, x: Tensor<4>, planes: Tensor<2>) -> Tensor<4> {
        ganimation_kernels::conv2d_with_planes(x, planes, self.weight.val())
    }

    /// [`Self::forward`], then a leaky ReLU.
    pub(crate) fn forward_leaky_relu(&self, x: Tensor<4>, slope: f64) -> Tensor<4> {
        match &self.bias {
            Some(bias) => {
                let (weight, bias) = (self.weight.val(), bias.val());
                ganimation_kernels::conv2d_leaky_relu(x, weight, bias, self.stride, self.padding, slope)
            }
            None => ganimation_kernels::leaky_relu(self.forward(x), slope),
        }
    }

    /// Prepares the weight for many calls.
    pub(crate) fn prepare(&self, prepared: &mut PreparedWeights) {
        prepared.add_conv2d(&self.weight.val(), self.stride, self.padding);
    }

    /// The transposed map: the gradient with respect to this layer's input, given the gradient of
    /// its output. Differentiable in the weight, which is what the gradient penalty needs.
    pub(crate) fn input_gradient(&self, output_gradient: Tensor<4>) -> Tensor<4> {
        ganimation_kernels::conv_transpose2d(output_gradient, self.weight.val(), self.stride, self.padding)
    }
}

/// A transposed convolution with a square kernel and no bias.
#[derive(Module, Debug)]
pub(crate) struct ConvTranspose2d {
    /// `[in, out, kernel, kernel]`.
    pub(crate) weight: Param<Tensor<4>>,
    stride: usize,
    padding: usize,
}

impl ConvTranspose2d {
    /// Creates a layer with weights from N(0, 0.02).
    pub(crate) fn new(shape: ConvShape, device: &Device) -> Self {
        Self {
            weight: normal([shape.input, shape.output, shape.kernel, shape.kernel], device),
            stride: shape.stride,
            padding: shape.padding,
        }
    }

    /// Prepares the weight for many calls.
    pub(crate) fn prepare(&self, prepared: &mut PreparedWeights) {
        prepared.add_conv_transpose2d(&self.weight.val(), self.stride, self.padding);
    }

    /// `[batch, in, h, w]` -> `[batch, out, stride * h, stride * w]` for the shapes used here.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ganimation_kernels::conv_transpose2d(x, self.weight.val(), self.stride, self.padding)
    }
}

/// Repeats each pixel twice in both directions, then applies a 3x3 convolution.
///
/// A transposed convolution computes neighbouring pixels with different weights. This gives checkerboard artifacts in
/// its output at the start of training (Odena et al., *Deconvolution and Checkerboard Artifacts*, 2016).
#[derive(Module, Debug)]
pub(crate) struct EnlargingConv2d {
    /// `[out, in, 3, 3]`.
    pub(crate) weight: Param<Tensor<4>>,
}

impl EnlargingConv2d {
    /// Creates a layer with weights from N(0, 0.02).
    pub(crate) fn new(input: usize, output: usize, device: &Device) -> Self {
        Self {
            weight: normal([output, input, 3, 3], device),
        }
    }

    /// Prepares the weight for many calls.
    pub(crate) fn prepare(&self, prepared: &mut PreparedWeights) {
        prepared.add_conv2d(&self.weight.val(), 1, 1);
    }

    /// `[batch, in, h, w]` -> `[batch, out, 2 * h, 2 * w]`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ganimation_kernels::conv2d(repeat(x, 2), self.weight.val(), None, 1, 1)
    }
}

fn normal(shape: [usize; 4], device: &Device) -> Param<Tensor<4>> {
    drawn(shape, INIT_STD, device)
}

/// A parameter whose values are drawn from N(0, `std`) at their first use: loading draws nothing.
pub(crate) fn drawn<const D: usize>(shape: [usize; D], std: f64, device: &Device) -> Param<Tensor<D>> {
    let draw = move |device: &Device, learns: bool| {
        Tensor::random(shape, Distribution::Normal(0.0, std), device).set_require_grad(learns)
    };
    Param::uninitialized(ParamId::new(), draw, device.clone(), true, shape.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_weights_are_drawn_with_mean_0_and_deviation_0_02() {
        let device = Device::flex();
        let there = Conv2d::new(ConvShape::halving(64, 64), &device).weight;
        let back = ConvTranspose2d::new(ConvShape::halving(64, 64), &device).weight;
        for weight in [there, back] {
            let values: Vec<f64> = weight.val().into_data().iter::<f64>().collect();
            let mean_of = |value: &dyn Fn(f64) -> f64| {
                values.iter().map(|v| value(*v)).sum::<f64>() / values.len() as f64
            };
            let (mean, deviation) = (mean_of(&|v| v), mean_of(&|v| v * v).sqrt());
            // Limits for 65,536 draws: five times the standard error.
            assert!(
                mean.abs() < 4e-4 && (deviation - 0.02).abs() < 3e-4,
                "{mean} ± {deviation}"
            );
        }
    }
}
