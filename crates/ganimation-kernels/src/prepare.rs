//! Weights made ready once for many calls.

use burn::tensor::Tensor;

/// Keeps what convolutions compute from their weights alone, for as long as it lives.
///
/// For inference: a weight is transformed for the CPU kernels once in place of at every call. Results are the same.
/// The weights are shared, so whoever changes them meanwhile changes a copy, which is not prepared. Takes about three
/// times the weights' memory. On other backends there is nothing to prepare.
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
