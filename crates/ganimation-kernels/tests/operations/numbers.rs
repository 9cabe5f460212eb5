//! Seeded tensors and comparisons that the tests share.

use burn::tensor::{DType, Device, Gradients, Shape, Tensor, TensorData};

/// A small generator of numbers, the same on every machine.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    /// In `[-1, 1)`.
    pub(crate) fn unit(&mut self) -> f64 {
        self.bits() as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// In `low..=high`.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "the remainder is less than a usize"
        )]
        let offset = (self.bits() % (high - low + 1) as u64) as usize;
        low + offset
    }

    /// Values in `[-1, 1)`.
    pub(crate) fn tensor<const D: usize>(
        &mut self,
        shape: [usize; D],
        device: &Device,
        dtype: DType,
    ) -> Tensor<D> {
        let values: Vec<f64> = (0..shape.iter().product()).map(|_| self.unit()).collect();
        let data = TensorData::new(values, Shape::from(shape)).convert_dtype(dtype);
        Tensor::from_data(data, (device, dtype))
    }
}

/// The tensor's values, as `f64`.
pub(crate) fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.to_data().iter::<f64>().collect()
}

/// A tensor's gradient, which must be there.
pub(crate) fn gradient<const D: usize>(tensor: &Tensor<D>, gradients: &Gradients) -> Tensor<D> {
    let gradient = tensor.grad(gradients);
    gradient.unwrap_or_else(|| panic!("a tensor {:?} without a gradient", tensor.dims()))
}

/// Panics where two tensors differ by more than rounding: 1e-4 in `f32`, 1e-10 in `f64`, relative to the largest value.
pub(crate) fn assert_close<const D: usize>(found: &Tensor<D>, expected: &Tensor<D>, case: &str) {
    assert_eq!(found.dims(), expected.dims(), "{case}");
    assert_close_values(&values(found), &values(expected), found.dtype(), case);
}

pub(crate) fn assert_close_values(found: &[f64], expected: &[f64], dtype: DType, case: &str) {
    assert_eq!(found.len(), expected.len(), "{case}");
    let tolerance = if dtype == DType::F64 { 1e-10 } else { 1e-4 };
    let scale = expected.iter().fold(1.0_f64, |top, value| top.max(value.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance * scale,
            "{case}: {found} in place of {expected} at {index}"
        );
    }
}
