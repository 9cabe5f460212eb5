//! Convolutions and transposed convolutions with the same stride and padding on both axes.

use burn::tensor::{
    Tensor,
    module::{conv_transpose2d as burn_conv_transpose2d, conv2d as burn_conv2d},
    ops::{ConvOptions, ConvTransposeOptions},
};

/// Cross-correlates a batch of images with `weight`, with zero padding.
///
/// # Shapes
/// - `x`: `[batch, in, height, width]`
/// - `weight`: `[out, in, kernel height, kernel width]`, `bias`: `[out]`
/// - result: `[batch, out, oh, ow]` with `oh = (height + 2 padding - kernel height) / stride + 1`, where the quotient
///   is rounded down, and `ow` likewise
///
/// # Panics
/// If the channels of `x` and `weight` differ, `bias` does not have one entry per output channel, `stride` is 0, or the
/// kernel is larger than the padded image.
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    check(&x, &weight, bias.as_ref(), stride, padding);
    #[cfg(feature = "flex")]
    if crate::flex::runs(&x) {
        return crate::flex::conv2d(x, weight, bias, stride, padding, None);
    }
    composite(x, weight, bias, stride, padding)
}

/// [`conv2d`] with a bias, then a leaky ReLU of `slope > 0`, in one pass if the backend has a kernel for it.
///
/// # Shapes
/// See [`conv2d`].
///
/// # Panics
/// See [`conv2d`]; also if `slope` is not above 0.
pub fn conv2d_leaky_relu(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    stride: usize,
    padding: usize,
    slope: f64,
) -> Tensor<4> {
    check(&x, &weight, Some(&bias), stride, padding);
    assert!(slope > 0.0, "conv2d: a slope of {slope} is not above 0");
    #[cfg(feature = "flex")]
    if crate::flex::runs(&x) {
        return crate::flex::conv2d(x, weight, Some(bias), stride, padding, Some(slope));
    }
    crate::leaky_relu(composite(x, weight, Some(bias), stride, padding), slope)
}

fn check(x: &Tensor<4>, weight: &Tensor<4>, bias: Option<&Tensor<1>>, stride: usize, padding: usize) {
    let [_, channels, height, width] = x.dims();
    let [out, inputs, kernel_height, kernel_width] = weight.dims();
    assert_eq!(
        channels, inputs,
        "conv2d: an image of {channels} channels for a weight of {inputs}"
    );
    assert!(stride > 0, "conv2d: the stride is {stride}, at least 1 is needed");
    check_kernel("conv2d", height, kernel_height, padding);
    check_kernel("conv2d", width, kernel_width, padding);
    if let Some(bias) = bias {
        let [biases] = bias.dims();
        assert_eq!(biases, out, "conv2d: {biases} biases for {out} output channels");
    }
}

fn composite(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    #[cfg(any(feature = "flex", feature = "gpu"))]
    if crate::general::convolves(&x) {
        return crate::general::conv2d(x, weight, bias, stride, padding);
    }
    let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
    burn_conv2d(x, weight, bias, options)
}

/// The adjoint of [`conv2d`] with respect to its image: it adds every value of `x`, times the kernel, to a window.
///
/// There is no output padding: `height = (oh - 1) stride - 2 padding + kernel height`, and `width` likewise.
///
/// # Shapes
/// - `x`: `[batch, in, oh, ow]`
/// - `weight`: `[in, out, kernel height, kernel width]`, PyTorch's order
/// - result: `[batch, out, height, width]`
///
/// # Panics
/// If the channels of `x` and `weight` differ, `stride` is 0, or the result would be empty.
pub fn conv_transpose2d(x: Tensor<4>, weight: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
    let [_, channels, height, width] = x.dims();
    let [inputs, _, kernel_height, kernel_width] = weight.dims();
    assert_eq!(
        channels, inputs,
        "conv_transpose2d: an image of {channels} channels for a weight of {inputs}"
    );
    assert!(
        stride > 0,
        "conv_transpose2d: the stride is {stride}, at least 1 is needed"
    );
    for (size, kernel) in [(height, kernel_height), (width, kernel_width)] {
        let full = (size.max(1) - 1) * stride + kernel;
        assert!(
            full > 2 * padding,
            "conv_transpose2d: {full} pixels and a padding of {padding} leave nothing"
        );
    }
    #[cfg(feature = "flex")]
    if crate::flex::runs(&x) {
        return crate::flex::conv_transpose2d(x, weight, stride, padding);
    }
    #[cfg(any(feature = "flex", feature = "gpu"))]
    if crate::general::convolves(&x) {
        return crate::general::conv_transpose2d(x, weight, stride, padding);
    }
    burn_conv_transpose2d(
        x,
        weight,
        None,
        ConvTransposeOptions::new([stride; 2], [padding; 2], [0, 0], [1, 1], 1),
    )
}

fn check_kernel(name: &str, size: usize, kernel: usize, padding: usize) {
    let padded = size + 2 * padding;
    assert!(
        padded >= kernel,
        "{name}: a kernel of {kernel} on {padded} padded pixels"
    );
}
