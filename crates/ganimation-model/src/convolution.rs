//! Convolution layers that hold a weight and call the project's own operations.

use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Tensor};
use ganimation_kernels::PreparedWeights;

/// Standard deviation of freshly drawn convolution weights (the released network's initialisation).
const INIT_STD: f64 = 0.02;

/// A convolution with a square kernel.
#[derive(Module, Debug)]
pub(crate) struct Conv2d {
    /// `[out, in, kernel, kernel]`.
    pub(crate) weight: Param<Tensor<4>>,
    /// `[out]`; absent before a normalisation, which would cancel it.
    pub(crate) bias: Option<Param<Tensor<1>>>,
    stride: usize,
    padding: usize,
}

impl Conv2d {
    /// Draws weights from N(0, 0.02); no bias.
    pub(crate) fn new(
        [input, output]: [usize; 2],
        kernel: usize,
        [stride, padding]: [usize; 2],
        device: &Device,
    ) -> Self {
        Self {
            weight: normal([output, input, kernel, kernel], device),
            bias: None,
            stride,
            padding,
        }
    }

    /// Adds a bias of zeros.
    pub(crate) fn with_bias(mut self, device: &Device) -> Self {
        let [output, ..] = self.weight.dims();
        self.bias = Some(Param::from_tensor(Tensor::zeros([output], device)));
        self
    }

    /// `[batch, in, h, w]` -> `[batch, out, h', w']`.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let bias = self.bias.as_ref().map(Param::val);
        ganimation_kernels::conv2d(x, self.weight.val(), bias, self.stride, self.padding)
    }

    /// [`Self::forward`] of images with constant planes beside them, `[batch, planes]`.
    ///
    /// For a stride of 1 and a padding that keeps the size.
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

    /// Makes the weight ready for many calls.
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
    /// Draws weights from N(0, 0.02).
    pub(crate) fn new(
        [input, output]: [usize; 2],
        kernel: usize,
        [stride, padding]: [usize; 2],
        device: &Device,
    ) -> Self {
        Self {
            weight: normal([input, output, kernel, kernel], device),
            stride,
            padding,
        }
    }

    /// Makes the weight ready for many calls.
    pub(crate) fn prepare(&self, prepared: &mut PreparedWeights) {
        prepared.add_conv_transpose2d(&self.weight.val(), self.stride, self.padding);
    }

    /// `[batch, in, h, w]` -> `[batch, out, stride * h, stride * w]` for the shapes used here.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ganimation_kernels::conv_transpose2d(x, self.weight.val(), self.stride, self.padding)
    }
}

fn normal(shape: [usize; 4], device: &Device) -> Param<Tensor<4>> {
    Param::from_tensor(Tensor::random(shape, Distribution::Normal(0.0, INIT_STD), device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_weights_are_drawn_with_mean_0_and_deviation_0_02() {
        let device = Device::flex();
        let there = Conv2d::new([64, 64], 4, [2, 1], &device).weight;
        let back = ConvTranspose2d::new([64, 64], 4, [2, 1], &device).weight;
        for weight in [there, back] {
            let values: Vec<f64> = weight.val().into_data().iter::<f64>().collect();
            let mean_of = |value: &dyn Fn(f64) -> f64| {
                values.iter().map(|v| value(*v)).sum::<f64>() / values.len() as f64
            };
            let (mean, deviation) = (mean_of(&|v| v), mean_of(&|v| v * v).sqrt());
            // Of 65,536 draws: five times what chance would explain.
            assert!(
                mean.abs() < 4e-4 && (deviation - 0.02).abs() < 3e-4,
                "{mean} ± {deviation}"
            );
        }
    }
}
