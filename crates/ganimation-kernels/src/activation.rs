//! Activations whose composition of Burn operations takes many passes over memory.

use burn::tensor::Tensor;

/// `x` where `x >= 0`, `slope * x` elsewhere.
///
/// # Shapes
/// - `x` and the result: any, unbounded
pub fn leaky_relu<const D: usize>(x: Tensor<D>, slope: f64) -> Tensor<D> {
    burn::tensor::activation::leaky_relu(x, slope)
}
