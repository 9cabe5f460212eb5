//! Resampling: conversion between pixels and channels, and enlarging.

use burn::tensor::{Tensor, TensorData};

/// Moves blocks of `scale` x `scale` pixels into channels: PyTorch's `pixel_unshuffle`.
///
/// `[batch, c, h, w]` -> `[batch, c · scale², h / scale, w / scale]`.
pub(crate) fn space_to_depth(x: Tensor<4>, scale: usize) -> Tensor<4> {
    if scale == 1 {
        return x;
    }
    let [batch, channels, height, width] = x.dims();
    let (rows, columns) = (height / scale, width / scale);
    x.reshape([batch, channels, rows, scale, columns, scale])
        .permute([0, 1, 3, 5, 2, 4])
        .reshape([batch, channels * scale * scale, rows, columns])
}

/// The inverse of [`space_to_depth`]: PyTorch's `pixel_shuffle`.
///
/// `[batch, c · scale², h, w]` -> `[batch, c, h · scale, w · scale]`.
pub(crate) fn depth_to_space(x: Tensor<4>, scale: usize) -> Tensor<4> {
    if scale == 1 {
        return x;
    }
    let [batch, channels, rows, columns] = x.dims();
    let channels = channels / (scale * scale);
    x.reshape([batch, channels, scale, scale, rows, columns])
        .permute([0, 1, 4, 2, 5, 3])
        .reshape([batch, channels, rows * scale, columns * scale])
}

/// The mean over all positions, `[batch, channels, height, width]` -> `[batch, channels]`.
///
/// Use this instead of `mean_dims(&[2, 3])`: on Burn's GPU backends, the mean over the rows of a channels-last map with
/// a single row mixes channels (`docs/upstream/cubek-reduce.md`). Here all positions form one axis, the last one.
pub(crate) fn mean_over_positions(x: Tensor<4>) -> Tensor<2> {
    x.flatten::<3>(2, 3).mean_dim(2).flatten(1, 2)
}

/// The mean of each block of `scale` x `scale` pixels.
///
/// `[batch, c, h, w]` -> `[batch, c, h / scale, w / scale]`. `h` and `w` must be multiples of `scale`.
pub fn average(x: Tensor<4>, scale: usize) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, channels, height / scale, scale, width / scale, scale])
        .mean_dims(&[3, 5])
        .reshape([batch, channels, height / scale, width / scale])
}

/// Repeats each pixel `scale` x `scale` times: the adjoint of [`average`], times `scale²`.
pub(crate) fn repeat(x: Tensor<4>, scale: usize) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, channels, height, 1, width, 1])
        .expand([batch, channels, height, scale, width, scale])
        .reshape([batch, channels, height * scale, width * scale])
}

/// Bilinear upsampling with half-pixel centres and repeated borders, like PyTorch's `interpolate` with
/// `align_corners=False`.
///
/// It consists of two products with constant matrices, which every backend can differentiate.
///
/// # Shapes
/// - `x`: `[batch, channels, h, w]`
/// - result: `[batch, channels, height, width]` for `size = [height, width]`
pub fn enlarge(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    match [height, width] == size {
        true => x,
        false => weighed(x, size, bilinear),
    }
}

/// A binomial filter: weights 1 : 2 : 1 for each pixel and its neighbours, in both directions, with repeated borders.
/// It removes single-pixel detail and keeps larger structures.
///
/// `[batch, c, h, w]` -> the same shape.
pub(crate) fn smooth(x: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    weighed(x, [height, width], |side, _| binomial(side))
}

/// Replaces the rows and columns of `x` by weighted sums of them. `weights(from, to)` is a matrix `[to, from]`.
fn weighed(x: Tensor<4>, size: [usize; 2], weights: impl Fn(usize, usize) -> Vec<f32>) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let (device, dtype) = (x.device(), x.dtype());
    let matrix = |from, to| {
        let data = TensorData::new(weights(from, to), [1, 1, to, from]);
        Tensor::<4>::from_data(data, (&device, dtype))
    };
    let (down, across) = (matrix(height, size[0]), matrix(width, size[1]));
    down.matmul(x).matmul(across.transpose())
}

/// `[side, side]`: the matrix that mixes each pixel of a line with its two neighbours.
fn binomial(side: usize) -> Vec<f32> {
    let mut weights = vec![0.0; side * side];
    for (at, row) in weights.chunks_exact_mut(side).enumerate() {
        row[at] += 0.5;
        row[at.saturating_sub(1)] += 0.25;
        row[(at + 1).min(side - 1)] += 0.25;
    }
    weights
}

/// `[to, from]`: the weight of each of `from` input pixels in each of `to` output pixels.
fn bilinear(from: usize, to: usize) -> Vec<f32> {
    let mut weights = vec![0.0; to * from];
    for (target, row) in weights.chunks_exact_mut(from).enumerate() {
        let position = (target as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        let position = position.clamp(0.0, (from - 1) as f64);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a line of pixels, and a share"
        )]
        let (first, share) = (position.floor() as usize, position.fract() as f32);
        row[first] += 1.0 - share;
        if first + 1 < from {
            row[first + 1] += share;
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use burn::tensor::module::interpolate;
    use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
    use burn::tensor::{Device, Tolerance};

    use super::*;

    fn noise(shape: [usize; 4]) -> Tensor<4> {
        Tensor::from_data(crate::noise::noise(1, &shape).convert::<f32>(), &Device::flex())
    }

    #[test]
    fn pixels_come_back_from_channels() {
        let x = noise([2, 3, 6, 4]);
        let folded = space_to_depth(x.clone(), 2);
        assert_eq!(folded.dims(), [2, 12, 3, 2]);
        // PyTorch's order: channel, row within the block, column within the block.
        let at = |t: &Tensor<4>, [b, c, y, x]: [usize; 4]| -> f32 {
            t.clone()
                .slice([b..b + 1, c..c + 1, y..y + 1, x..x + 1])
                .into_scalar()
        };
        assert_eq!(at(&folded, [1, 2 * 4 + 2 + 1, 2, 1]), at(&x, [1, 2, 5, 3]));
        assert_eq!(at(&folded, [0, 4 + 2, 1, 0]), at(&x, [0, 1, 3, 0]));
        depth_to_space(folded, 2)
            .into_data()
            .assert_eq(&x.into_data(), true);
    }

    #[test]
    fn averaging_undoes_repeating() {
        let x = noise([2, 3, 3, 5]);
        average(repeat(x.clone(), 2), 2)
            .into_data()
            .assert_approx_eq::<f32>(&x.into_data(), Tolerance::absolute(1e-6));
    }

    #[test]
    fn smoothing_removes_grids_and_keeps_slopes() {
        let grid = |y: f32, x: f32| (y % 2.0) * 0.5 - (x % 2.0) * 0.25;
        let slope = |y: f32, x: f32| 0.1 * y - 0.2 * x;
        let picture = |at: &dyn Fn(f32, f32) -> f32| {
            let pixels: Vec<f32> = (0_u8..48)
                .map(|i| at(f32::from(i / 8), f32::from(i % 8)))
                .collect();
            Tensor::<4>::from_data(TensorData::new(pixels, [1, 1, 6, 8]), &Device::flex())
        };
        let inner = |x: Tensor<4>| x.slice([0..1, 0..1, 1..5, 1..7]).into_data();
        let smoothed = smooth(picture(&|y, x| grid(y, x) + slope(y, x)));
        let expected = picture(&|y, x| 0.25 - 0.125 + slope(y, x));
        inner(smoothed).assert_approx_eq::<f32>(&inner(expected), Tolerance::absolute(1e-6));
        let flat = Tensor::<4>::full([2, 3, 5, 4], 0.7, &Device::flex());
        smooth(flat.clone())
            .into_data()
            .assert_approx_eq::<f32>(&flat.into_data(), Tolerance::absolute(1e-6));
    }

    #[test]
    fn enlarging_agrees_with_burns_bilinear_interpolation() {
        for size in [[12, 20], [9, 7], [6, 64]] {
            let x = noise([2, 2, 6, 5]);
            let options = InterpolateOptions::new(InterpolateMode::Bilinear)
                .with_align_corners(false)
                .with_output_size(size);
            enlarge(x.clone(), size)
                .into_data()
                .assert_approx_eq::<f32>(&interpolate(x, options).into_data(), Tolerance::absolute(1e-5));
        }
    }
}
