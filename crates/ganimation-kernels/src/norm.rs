//! Instance normalisation, with or without a following ReLU.

use burn::tensor::{Tensor, activation::relu, module::batch_norm_train};

/// Normalises each plane of each image to mean 0 and variance 1, then scales and shifts it.
///
/// `y = (x - mean) / sqrt(variance + epsilon) * weight + bias`, with the biased variance, like PyTorch's
/// `InstanceNorm2d(affine=True)`.
///
/// # Shapes
/// - `x` and the result: `[batch, channels, height, width]`, unbounded
/// - `weight`, `bias`: `[channels]`, or `[batch, channels]` for a separate scale and shift for each image
///
/// # Panics
/// If `weight` and `bias` have another rank or size.
pub fn instance_norm<const D: usize>(
    x: Tensor<4>,
    weight: Tensor<D>,
    bias: Tensor<D>,
    epsilon: f64,
) -> Tensor<4> {
    check(&x, &weight, &bias);
    #[cfg(feature = "flex")]
    if crate::flex::runs(&x) {
        return crate::flex::instance_norm(x, [weight, bias], epsilon, crate::flex::After::Nothing);
    }
    #[cfg(any(feature = "flex", feature = "gpu"))]
    if crate::general::runs(&x) {
        return crate::general::instance_norm(x, [weight, bias], epsilon, false);
    }
    composite(x, weight, bias, epsilon)
}

/// [`instance_norm`], then `max(0, y)`, in one pass if the backend has a kernel for it.
///
/// # Shapes
/// See [`instance_norm`]; the result is at least 0.
///
/// # Panics
/// See [`instance_norm`].
pub fn instance_norm_relu<const D: usize>(
    x: Tensor<4>,
    weight: Tensor<D>,
    bias: Tensor<D>,
    epsilon: f64,
) -> Tensor<4> {
    check(&x, &weight, &bias);
    #[cfg(feature = "flex")]
    if crate::flex::runs(&x) {
        return crate::flex::instance_norm(x, [weight, bias], epsilon, crate::flex::After::Relu);
    }
    #[cfg(any(feature = "flex", feature = "gpu"))]
    if crate::general::runs(&x) {
        return crate::general::instance_norm(x, [weight, bias], epsilon, true);
    }
    relu(composite(x, weight, bias, epsilon))
}

/// [`instance_norm`], then `y + skip`, in one pass if the backend has a kernel for it: the end of a residual block.
///
/// # Shapes
/// See [`instance_norm`]; `skip` has the shape of `x`.
///
/// # Panics
/// See [`instance_norm`]; also if the shapes of `x` and `skip` differ.
pub fn instance_norm_add<const D: usize>(
    x: Tensor<4>,
    weight: Tensor<D>,
    bias: Tensor<D>,
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
    #[cfg(any(feature = "flex", feature = "gpu"))]
    if crate::general::runs(&x) {
        return crate::general::instance_norm_add(x, [weight, bias], skip, epsilon);
    }
    composite(x, weight, bias, epsilon) + skip
}

fn check<const D: usize>(x: &Tensor<4>, weight: &Tensor<D>, bias: &Tensor<D>) {
    let [batch, channels, _, _] = x.dims();
    for (name, sizes) in [("weights", weight.dims()), ("biases", bias.dims())] {
        match sizes.as_slice() {
            [count] => assert_eq!(
                *count, channels,
                "instance norm: {count} {name} for {channels} channels"
            ),
            [rows, count] => assert_eq!(
                [*rows, *count],
                [batch, channels],
                "instance norm: {rows} x {count} {name} for {batch} images of {channels} channels"
            ),
            _ => panic!("instance norm: {name} of {D} axes in place of 1 or 2"),
        }
    }
}

/// One node for autodiff: the planes become the channels of a single image.
fn composite<const D: usize>(x: Tensor<4>, weight: Tensor<D>, bias: Tensor<D>, epsilon: f64) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let planes = x.reshape([1, batch * channels, height, width]);
    let [weight, bias] = [weight, bias].map(|parameter| {
        let copies = if D == 1 { batch } else { 1 };
        parameter.reshape([-1]).repeat(&[copies])
    });
    let normalized = batch_norm_train(planes, weight, bias, epsilon);
    normalized.output.reshape([batch, channels, height, width])
}
