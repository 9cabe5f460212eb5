//! Adjoints with few channels: heads, and gradients of pictures.
//!
//! A product with three or four columns leaves most lanes of a vector idle. So the columns of the kernel also become
//! outputs: every pixel of the grid gives `kernel width * channels` values, which are then added at their positions. A
//! convolution of stride 1 with few filters is the adjoint of one with the kernel rotated by 180 degrees.

use rayon::prelude::*;

use super::{direct, finish::Finish, geometry::Geometry, image::Images, weights::Weights, window::Window};

/// Channels that count as few.
pub(super) const NARROW: usize = 8;

/// `[batch, filters, grid]` to `[batch, channels, image]`; `weight` is `[filters, channels, kernel]`.
pub(super) fn adjoint(geometry: &Geometry, grid: &Images, weight: &[f32]) -> Images {
    let Geometry {
        channels,
        image: [height, width],
        filters,
        kernel: [down, across],
        ..
    } = *geometry;
    // [filters, kernel width, channels, kernel height]
    let mut rows = vec![0.0; weight.len()];
    for (index, value) in rows.iter_mut().enumerate() {
        let (outer, y) = (index / down, index % down);
        let (outer, channel) = (outer / channels, outer % channels);
        let (filter, x) = (outer / across, outer % across);
        *value = weight[((filter * channels + channel) * down + y) * across + x];
    }
    let columns = Geometry {
        channels: across * channels,
        image: [height, geometry.grid[1]],
        kernel: [down, 1],
        stride: [geometry.stride[0], 1],
        padding: [geometry.padding[0], 0],
        ..*geometry
    };
    let weights = Weights::new(&rows, [filters, across * channels, down]).exchanged();
    let windows = Window::of_adjoint(&columns);
    let spread = direct::convolve(grid, weights, &windows, columns.image, Finish::default());
    let shape = [grid.batch, channels, height, width];
    let mut out = vec![0.0; shape.iter().product()];
    let length = geometry.grid[1] * across * channels;
    out.par_chunks_exact_mut(width * channels)
        .zip(spread.values().par_chunks_exact(length))
        .for_each(|(out, spread)| {
            for (position, values) in spread.chunks_exact(across * channels).enumerate() {
                for (x, values) in values.chunks_exact(channels).enumerate() {
                    let pixel = (position * geometry.stride[1] + x).checked_sub(geometry.padding[1]);
                    if let Some(pixel) = pixel.filter(|pixel| *pixel < width) {
                        let out = &mut out[pixel * channels..][..channels];
                        out.iter_mut().zip(values).for_each(|(out, value)| *out += *value);
                    }
                }
            }
        });
    Images::from_values(out, shape)
}
