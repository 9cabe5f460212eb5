//! Loss terms of both stages.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

/// Minimum of a mask in logarithms, which keeps them finite.
const SMALLEST_SHARE: f64 = 1e-4;

/// `log(1 + exp(x))` without overflow: the logistic loss for values that should be negative. Any shape.
pub(super) fn softplus<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    relu(x.clone()) + x.abs().neg().exp().add_scalar(1.0).log()
}

/// The brightness of colours, the mean of their channels, and their hue, each channel minus the brightness.
pub(super) fn brightness_and_hue(colors: Tensor<4>) -> [Tensor<4>; 2] {
    let brightness = colors.clone().mean_dim(1);
    [brightness.clone(), colors - brightness]
}

/// Weight of the squared difference of hues in [`difference`].
const HUE: f64 = 4.0;

/// The difference of pictures at each pixel: the absolute difference of brightness, plus the squared difference of hues,
/// `HUE · (channel - brightness)²`.
///
/// The best guess of an uncertain pixel is then a median of brightness and a mean of hues. A median of every channel is a
/// colour that no picture has: between teeth and gums, it is orange.
///
/// # Shapes
/// - all: `[batch, 3, height, width]`, in [-1, 1]
pub(super) fn difference(found: Tensor<4>, real: Tensor<4>) -> Tensor<4> {
    let [brightness, hue] = brightness_and_hue(found - real);
    brightness.abs() + hue.square() * HUE
}

/// How much more a place counts in [`motion_error`] for each share of the side that it moves: a closing lid of 4 % counts
/// five times as much as a place that stays.
const MOVING: f64 = 100.0;

/// Each face's mean absolute difference of motion from the teacher's, where what moves counts more: the few places that a
/// blink moves would drown in the rest otherwise.
///
/// # Shapes
/// - `motion`, with autodiff, and `field`: `[batch, 2, h, w]`, as fractions of the side
/// - result: `[batch, 1, 1, 1]`, like `motion`
pub(super) fn motion_error(motion: Tensor<4>, field: Tensor<4>) -> Tensor<4> {
    let counts = field.clone().abs() * MOVING + 1.0;
    ((motion - field.autodiff()).abs() * counts.autodiff()).mean_dims(&[1, 2, 3])
}

/// Weighted mean of `difference`. Pixels of `mask` have the weight `1 + inside`, other pixels 1.
///
/// # Shapes
/// - `difference`: `[batch, channels, height, width]`, at least 0
/// - `mask`: `[batch, 1, height, width]`, in [0, 1]
pub(super) fn weighted_mean(difference: Tensor<4>, mask: Tensor<4>, inside: f64) -> Tensor<1> {
    (difference * (mask * inside + 1.0)).mean()
}

/// Added to the mean of a face's mask, which may be 0.
const EMPTY: f64 = 1e-3;

/// Mean over the faces of each face's mean of `difference` / its mean of `mask`. It is the same if devices share a batch: a
/// mean over the masks of all faces would not be.
///
/// # Shapes
/// - `difference`, with autodiff: `[batch, channels, height, width]`, 0 where `mask` is
/// - `mask`: `[batch, 1, height, width]`, in [0, 1]
pub(super) fn mean_of_masked(difference: Tensor<4>, mask: Tensor<4>) -> Tensor<1> {
    let share = mask.mean_dims(&[1, 2, 3]) + EMPTY;
    (difference.mean_dims(&[1, 2, 3]) / share.autodiff()).mean()
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
    fn brightness_counts_absolutely_and_hues_squared() {
        let device = Device::flex();
        let picture = |values: [f32; 3]| Tensor::<1>::from_floats(values, &device).reshape([1, 3, 1, 1]);
        let found = difference(picture([0.5, 0.2, -0.1]), picture([0.1, -0.1, 0.0]));
        // Brightness is off by 0.2, the channels' hues by 0.2, 0.1 and -0.3.
        let expected = Tensor::<1>::from_floats([0.36, 0.24, 0.56], &device).reshape([1, 3, 1, 1]);
        found
            .into_data()
            .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-6));
    }

    #[test]
    fn motion_counts_more_where_the_teacher_moves() {
        let device = Device::flex().autodiff();
        let field = Tensor::<4>::from_data([[[[0.0, 0.04]], [[0.0, 0.0]]]], &Device::flex());
        let still = Tensor::<4>::from_data([[[[0.01, 0.03]], [[0.0, 0.0]]]], &device);
        let error: f32 = motion_error(still, field).inner().mean().into_scalar();
        assert!((error - (0.01 + 5.0 * 0.01) / 4.0).abs() < 1e-6, "{error}");
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
