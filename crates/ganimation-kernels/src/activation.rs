//! Activations. As compositions of Burn operations, they would need many passes over memory.

use burn::tensor::Tensor;

/// `x` where `x >= 0`, `slope * x` elsewhere.
///
/// # Shapes
/// - `x` and the result: any shape, unbounded
pub fn leaky_relu<const D: usize>(x: Tensor<D>, slope: f64) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if slope > 0.0 && crate::flex::runs(&x) {
        return crate::flex::leaky_relu(x, slope);
    }
    burn::tensor::activation::leaky_relu(x, slope)
}

/// `x` where `sign > 0`, `slope * x` elsewhere: the product with a leaky ReLU's derivative at `sign`.
///
/// Differentiable in `x`; `sign` is a constant.
///
/// # Shapes
/// - `sign`, `x` and the result: the same shape, unbounded
///
/// # Panics
/// If the shapes differ.
pub fn scale_by_slope<const D: usize>(sign: Tensor<D>, x: Tensor<D>, slope: f64) -> Tensor<D> {
    assert_eq!(sign.dims(), x.dims(), "scale by slope: the two shapes");
    #[cfg(feature = "flex")]
    if crate::flex::runs(&x) {
        return crate::flex::scale_by_slope(sign, x, slope);
    }
    let below = sign.clone().lower_equal_elem(0.0);
    x * sign.ones_like().mask_fill(below, slope)
}
