//! Tensors for tests.

use burn::backend::{Flex, ops::FloatTensorOps, tensor::FloatTensor};
use burn::tensor::TensorData;

/// Values in -1..1 that look like noise, in f64.
pub(super) fn map(shape: [usize; 4], phase: f64) -> FloatTensor<Flex> {
    let count = shape.iter().product::<usize>();
    let values: Vec<f64> = (0..count).map(|at| (at as f64 * 1.618 + phase).sin()).collect();
    Flex::float_from_data(TensorData::new(values, shape), &Default::default())
}

/// The tensor's values.
pub(super) fn values(tensor: FloatTensor<Flex>) -> TensorData {
    match burn::tensor::try_read_sync(Flex::float_into_data(tensor)) {
        Some(Ok(data)) => data,
        other => panic!("{other:?}"),
    }
}
