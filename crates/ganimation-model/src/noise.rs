//! Numbers for tests.

use burn::tensor::TensorData;

/// Numbers in -1..1 that depend only on the seed. With other numbers in each run, finite differences could cross the
/// kink of a LeakyReLU by chance.
pub(crate) fn noise(seed: u64, shape: &[usize]) -> TensorData {
    let mut state = seed;
    let values: Vec<f64> = (0..shape.iter().product())
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(state >> 32).unwrap_or_default()) / f64::from(1 << 31) - 1.0
        })
        .collect();
    TensorData::new(values, shape.to_vec())
}
