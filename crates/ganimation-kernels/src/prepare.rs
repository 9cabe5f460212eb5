//! Weights prepared once for many calls.

use burn::tensor::Tensor;

/// Stores, for its lifetime, data that convolutions compute from their weights alone.
///
/// For inference: a weight is transformed for the CPU kernels once, instead of in every call. The results are the same.
/// The weights are shared, so code that changes them gets a copy, which is not prepared. The data needs about three
/// times the memory of the weights. On other backends, this does nothing.
#[derive(Debug, Clone, Default)]
pub struct PreparedWeights {
    #[cfg(feature = "flex")]
    entries: Vec<std::sync::Arc<crate::flex::Entry>>,
}

impl PreparedWeights {
    /// Prepares the weight of a [`crate::conv2d`], `[out, in, kernel height, kernel width]`.
    pub fn add_conv2d(&mut self, weight: &Tensor<4>, stride: usize, padding: usize) {
        self.add(weight, stride, padding, false);
    }

    /// Prepares the weight of a [`crate::conv_transpose2d`], `[in, out, kernel height, kernel width]`.
    pub fn add_conv_transpose2d(&mut self, weight: &Tensor<4>, stride: usize, padding: usize) {
        self.add(weight, stride, padding, true);
    }

    #[cfg(feature = "flex")]
    fn add(&mut self, weight: &Tensor<4>, stride: usize, padding: usize, transposed: bool) {
        if crate::flex::runs(weight) {
            self.entries
                .extend(crate::flex::prepare(weight.clone(), stride, padding, transposed));
        }
    }

    #[cfg(not(feature = "flex"))]
    fn add(&mut self, _: &Tensor<4>, _: usize, _: usize, _: bool) {}
}
