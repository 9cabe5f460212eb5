//! Pictures at other resolutions: between pixels and channels, and enlarged.

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

/// Undoes [`space_to_depth`]: PyTorch's `pixel_shuffle`.
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

/// The mean of each block of `scale` x `scale` pixels.
///
/// `[batch, c, h, w]` -> `[batch, c, h / scale, w / scale]`.
pub fn average(x: Tensor<4>, scale: usize) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, channels, height / scale, scale, width / scale, scale])
        .mean_dims(&[3, 5])
        .reshape([batch, channels, height / scale, width / scale])
}

/// Each pixel `scale` x `scale` times: the adjoint of [`average`], times `scale²`.
pub(crate) fn repeat(x: Tensor<4>, scale: usize) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, channels, height, 1, width, 1])
        .expand([batch, channels, height, scale, width, scale])
        .reshape([batch, channels, height * scale, width * scale])
}

/// Enlarges bilinearly, pixel centres on pixel centres, borders repeated: PyTorch's `interpolate` with
/// `align_corners=False`.
///
/// Two products with constant matrices, which every backend can differentiate.
///
/// # Shapes
/// - `x`: `[batch, channels, h, w]`
/// - result: `[batch, channels, height, width]` for `size = [height, width]`
pub fn enlarge(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    if [height, width] == size {
        return x;
    }
    let (device, dtype) = (x.device(), x.dtype());
    let weights = |from, to| {
        let data = TensorData::new(bilinear(from, to), [1, 1, to, from]);
        Tensor::<4>::from_data(data, (&device, dtype))
    };
    let (down, across) = (weights(height, size[0]), weights(width, size[1]));
    down.matmul(x).matmul(across.transpose())
}

/// `[to, from]`: how much of each pixel of a line of `from` goes into each of a line of `to`.
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
    use burn::tensor::{Device, Distribution, Tolerance};

    use super::*;

    fn noise(shape: [usize; 4]) -> Tensor<4> {
        Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), &Device::flex())
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
