//! Warping of pictures along a field.

use burn::tensor::{
    Int, Tensor,
    ops::{GridSampleOptions, GridSamplePaddingMode, InterpolateMode},
};

/// Samples `x` at the position of each pixel plus the value of `field`.
///
/// `y[b, c, i, j] = x[b, c, i + height · field[b, 1, i, j], j + width · field[b, 0, i, j]]`, with bilinear
/// interpolation. Positions beyond the border use the border's value. This is PyTorch's `grid_sample` with
/// `padding_mode="border"` and `align_corners=False`, with a grid of the identity plus twice the field. A field of
/// zeros gives `x`, exactly so with this crate's kernels.
///
/// Differentiable in both. The field's gradient is 0 along an axis if the position is beyond the border on that axis.
///
/// If the field is NaN or infinite at a pixel, other pixels are not affected, and no memory outside `x` is read. This
/// crate's kernels return NaN for NaN and the border's value for infinity. Other backends return NaN or the value of a
/// pixel.
///
/// # Shapes
/// - `x` and the result: `[batch, channels, height, width]`, unbounded
/// - `field`: `[batch, 2, height, width]`, as fractions of the picture's width (channel 0, to the right) and height
///   (channel 1, down)
///
/// # Panics
/// If batch, height or width of `x` and `field` differ, or `field` does not have 2 channels.
pub fn warp(x: Tensor<4>, field: Tensor<4>) -> Tensor<4> {
    let [batch, _, height, width] = x.dims();
    assert_eq!(
        field.dims(),
        [batch, 2, height, width],
        "warp: the field's shape for {batch} images of {height} x {width}"
    );
    #[cfg(feature = "flex")]
    if crate::flex::runs(&x) {
        return crate::flex::warp(x, field);
    }
    composite(x, field)
}

fn composite(x: Tensor<4>, field: Tensor<4>) -> Tensor<4> {
    let [batch, _, height, width] = x.dims();
    // The positions of the pixels' centres: -1 and 1 are the picture's edges.
    let centers = |size: usize| {
        let pixels = Tensor::<1, Int>::arange(0..size as i64, &x.device()).float();
        (pixels.cast(x.dtype()) * 2.0 + 1.0) / size as f64 - 1.0
    };
    let columns = centers(width).reshape([1, 1, 1, width]);
    let rows = centers(height).reshape([1, 1, height, 1]);
    let identity = [columns, rows].map(|axis| axis.expand([batch, 1, height, width]));
    let grid = Tensor::cat(identity.into(), 1) + field * 2.0;
    let options =
        GridSampleOptions::new(InterpolateMode::Bilinear).with_padding_mode(GridSamplePaddingMode::Border);
    x.grid_sample_2d(grid.permute([0, 2, 3, 1]), options)
}
