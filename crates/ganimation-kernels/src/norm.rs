//! Instance normalisation, with and without the ReLU that follows it.

use burn::tensor::{Tensor, activation::relu, module::batch_norm_train};

/// Normalises each plane of each image to mean 0 and variance 1, then scales and shifts it.
///
/// `y = (x - mean) / sqrt(variance + epsilon) * weight + bias`, with the biased variance, as PyTorch's
/// `InstanceNorm2d(affine=True)` does.
///
/// # Shapes
/// - `x` and the result: `[batch, channels, height, width]`, unbounded
/// - `weight`, `bias`: `[channels]`
///
/// # Panics
/// If `weight` or `bias` does not have one entry a channel.
pub fn instance_norm(x: Tensor<4>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<4> {
    check(&x, &weight, &bias);
    #[cfg(feature = "flex")]
    if crate::flex::runs(&x) {
        return crate::flex::instance_norm(x, [weight, bias], epsilon, crate::flex::After::Nothing);
    }
    composite(x, weight, bias, epsilon)
}

/// [`instance_norm`], then `max(0, y)`, in one pass where the backend has a kernel for it.
///
/// # Shapes
/// As [`instance_norm`]; the result is at least 0.
///
/// # Panics
/// As [`instance_norm`].
pub fn instance_norm_relu(x: Tensor<4>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<4> {
    check(&x, &weight, &bias);
    #[cfg(feature = "flex")]
    if crate::flex::runs(&x) {
        return crate::flex::instance_norm(x, [weight, bias], epsilon, crate::flex::After::Relu);
    }
    relu(composite(x, weight, bias, epsilon))
}

/// [`instance_norm`], then `y + skip`, in one pass where the backend has a kernel for it: the end of a residual block.
///
/// # Shapes
/// As [`instance_norm`]; `skip` is as `x`.
///
/// # Panics
/// As [`instance_norm`], and if the shapes of `x` and `skip` differ.
pub fn instance_norm_add(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    skip: Tensor<4>,
    epsilon: f64,
) -> Tensor<4> {
    check(&x, &weight, &bias);
    assert_eq!(
        x.dims(),
        skip.dims(),
        "instance norm: the shapes of input and skip"
    );
    #[cfg(feature = "flex")]
    if crate::flex::runs(&x) {
        return crate::flex::instance_norm_add(x, [weight, bias], skip, epsilon);
    }
    composite(x, weight, bias, epsilon) + skip
}

fn check(x: &Tensor<4>, weight: &Tensor<1>, bias: &Tensor<1>) {
    let channels = x.dims()[1];
    let [weights] = weight.dims();
    let [biases] = bias.dims();
    assert_eq!(
        weights, channels,
        "instance norm: {weights} weights for {channels} channels"
    );
    assert_eq!(
        biases, channels,
        "instance norm: {biases} biases for {channels} channels"
    );
}

/// One node for autodiff: the planes become the channels of a single image.
fn composite(x: Tensor<4>, weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let planes = x.reshape([1, batch * channels, height, width]);
    let normalized = batch_norm_train(planes, weight.repeat(&[batch]), bias.repeat(&[batch]), epsilon);
    normalized.output.reshape([batch, channels, height, width])
}
