//! Loss terms of both stages.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

/// Minimum of a mask in logarithms, which keeps them finite.
const SMALLEST_SHARE: f64 = 1e-4;

/// `log(1 + exp(x))` without overflow: the logistic loss for values that should be negative. Any shape.
pub(super) fn softplus<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    relu(x.clone()) + x.abs().neg().exp().add_scalar(1.0).log()
}

/// Weighted mean of `difference`. Pixels of `mask` have the weight `1 + inside`, other pixels 1.
///
/// # Shapes
/// - `difference`: `[batch, channels, height, width]`, at least 0
/// - `mask`: `[batch, 1, height, width]`, in [0, 1]
pub(super) fn weighted_mean(difference: Tensor<4>, mask: Tensor<4>, inside: f64) -> Tensor<1> {
    (difference * (mask * inside + 1.0)).mean()
}

/// Cross-entropy of `painted` and `mask`. Pixels inside `mask` have the weight `inside`.
///
/// # Shapes
/// - all: `[batch, 1, height, width]`, in [0, 1]
pub(super) fn cross_entropy(painted: Tensor<4>, mask: Tensor<4>, inside: f64) -> Tensor<1> {
    let painted = painted.clamp(SMALLEST_SHARE, 1.0 - SMALLEST_SHARE);
    let marked = mask.clone() * painted.clone().log() * inside;
    let unmarked = (mask.neg() + 1.0) * (painted.neg() + 1.0).log();
    (marked + unmarked).mean().neg()
}

/// Total variation: mean absolute difference of vertical neighbours plus that of horizontal neighbours.
///
/// # Shapes
/// - `x`: `[batch, channels, height, width]`
pub(super) fn variation(x: Tensor<4>) -> Tensor<1> {
    let [_, _, height, width] = x.dims();
    let down = x.clone().narrow(2, 1, height - 1) - x.clone().narrow(2, 0, height - 1);
    let across = x.clone().narrow(3, 1, width - 1) - x.narrow(3, 0, width - 1);
    down.abs().mean() + across.abs().mean()
}

#[cfg(test)]
mod tests {
    use std::f32::consts::LN_2;

    use burn::tensor::{Device, Tolerance};

    use super::*;

    #[test]
    fn softplus_is_exact_and_survives_large_scores() {
        let x = Tensor::<1>::from_data([-200.0, -1.0, 0.0, 2.0, 200.0], &Device::flex());
        let expected = Tensor::<1>::from_data([0.0, 0.313_261_7, LN_2, 2.126_928, 200.0], &Device::flex());
        softplus(x)
            .into_data()
            .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-5));
    }

    #[test]
    fn marked_places_count_more() {
        let device = Device::flex();
        let half = || Tensor::<4>::full([1, 1, 2, 2], 0.5, &device);
        let (none, all) = (
            Tensor::zeros([1, 1, 2, 2], &device),
            Tensor::ones([1, 1, 2, 2], &device),
        );
        let loss = |mask: &Tensor<4>| -> f32 { cross_entropy(half(), mask.clone(), 4.0).into_scalar() };
        assert!((loss(&none) - LN_2).abs() < 1e-5);
        assert!((loss(&all) - 4.0 * LN_2).abs() < 1e-5);
    }

    #[test]
    fn variation_counts_steps_between_neighbours() {
        let stairs = Tensor::<1>::from_data([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &Device::flex());
        let of: f32 = variation(stairs.reshape([1, 1, 2, 3])).into_scalar();
        assert!((of - (3.0 + 1.0)).abs() < 1e-6, "{of}");
    }
}
