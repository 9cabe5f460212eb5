//! Activations whose composition of Burn operations takes many passes over memory.

use burn::tensor::Tensor;

/// `x` where `x >= 0`, `slope * x` elsewhere.
///
/// # Shapes
/// - `x` and the result: any, unbounded
pub fn leaky_relu<const D: usize>(x: Tensor<D>, slope: f64) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if slope > 0.0 && crate::flex::runs(&x) {
        return crate::flex::leaky_relu(x, slope);
    }
    burn::tensor::activation::leaky_relu(x, slope)
}
