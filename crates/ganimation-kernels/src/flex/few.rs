//! Convolutions with few positions and many weights, as in the discriminator's last layers. The speed is limited by reading
//! the weights.
//!
//! Weights stay in PyTorch's order, `[filters, depth]` with the depth running over channels and kernel elements, and
//! are read or written once. Only the gathered windows, `[positions, depth]`, are rearranged; they are small here.

use rayon::prelude::*;

use super::{
    finish::Finish,
    geometry::Geometry,
    image::{Images, transpose},
    product::{Left, Order, Panels, WIDTH, multiply, panels_length},
    scratch::with_scratch,
};

/// Filters that a thread takes at a time.
const FILTERS: usize = 64;
/// A block of weights that is copied into the second-level cache to be read by columns.
const BLOCK: [usize; 2] = [128, 256];
/// Floats of padding between rows, which would otherwise map to the same cache sets.
const GAP: usize = 16;

/// Whether `batch` images have so few positions that reading the weights is most of the work.
pub(super) fn applies(geometry: &Geometry, batch: usize) -> bool {
    let positions = batch * geometry.grid[0] * geometry.grid[1];
    positions > 0 && 2 * positions <= geometry.filters
}

/// From image to grid.
pub(super) fn convolve(geometry: &Geometry, source: &Images, weight: &[f32], finish: Finish) -> Images {
    let depth = geometry.channels * geometry.window();
    let shape = [source.batch, geometry.filters, geometry.grid[0], geometry.grid[1]];
    let positions = source.batch * geometry.grid[0] * geometry.grid[1];
    // Transposed, `[filters, positions]`: the weights are the left side, the gathered columns are the right side.
    let mut product = vec![0.0; geometry.filters * positions];
    with_scratch(panels_length(depth, positions), |panels| {
        panels.fill(0.0);
        let position_stride = |position: usize| position / WIDTH * depth * WIDTH + position % WIDTH;
        see(geometry, source, |position, index, value| {
            panels[position_stride(position) + index * WIDTH] = value;
        });
        let right = Panels::new(panels, depth, positions);
        product
            .par_chunks_mut(FILTERS * positions)
            .zip(weight.par_chunks(FILTERS * depth))
            .for_each(|(product, weight)| {
                let left = Left {
                    data: weight,
                    rows: weight.len() / depth,
                    stride: depth,
                    order: Order::Rows,
                };
                multiply(left, right, product, positions, false);
            });
    });
    let mut out = transpose(&product, [1, geometry.filters, positions]);
    finish.apply(&mut out, geometry.filters);
    Images::from_values(out, shape)
}

/// From grid to image.
pub(super) fn adjoint(geometry: &Geometry, grid: &Images, weight: &[f32]) -> Images {
    let depth = geometry.channels * geometry.window();
    let shape = [
        grid.batch,
        geometry.channels,
        geometry.image[0],
        geometry.image[1],
    ];
    let positions = grid.batch * grid.height * grid.width;
    let [block_filters, block_depth] = BLOCK;
    // The grid by blocks of filters, `[blocks, panels of positions, filters of a block, WIDTH]`.
    let block_length = panels_length(block_filters, positions);
    let mut panels = vec![0.0; geometry.filters.div_ceil(block_filters) * block_length];
    for (position, values) in grid.values().chunks_exact(geometry.filters).enumerate() {
        for (block, values) in values.chunks(block_filters).enumerate() {
            let start = block * block_length + position / WIDTH * values.len() * WIDTH + position % WIDTH;
            for (target, value) in panels[start..].iter_mut().step_by(WIDTH).zip(values) {
                *target = *value;
            }
        }
    }
    // The contribution of every position to the image, transposed: `[depth, positions]`.
    let mut spread = vec![0.0; depth * positions];
    spread
        .par_chunks_mut(block_depth * positions)
        .enumerate()
        .for_each(|(index, spread)| {
            let first = index * block_depth;
            let columns = spread.len() / positions;
            with_scratch(block_filters * (block_depth + GAP), |copy| {
                for (block, panels) in panels.chunks_exact(block_length).enumerate() {
                    let rows = block_filters.min(geometry.filters - block * block_filters);
                    for (row, copy) in copy.chunks_exact_mut(block_depth + GAP).take(rows).enumerate() {
                        let start = (block * block_filters + row) * depth + first;
                        copy[..columns].copy_from_slice(&weight[start..start + columns]);
                    }
                    let left = Left {
                        data: copy,
                        rows: columns,
                        stride: block_depth + GAP,
                        order: Order::Columns,
                    };
                    let right = Panels::new(&panels[..panels_length(rows, positions)], rows, positions);
                    multiply(left, right, spread, positions, block > 0);
                }
            });
        });
    let mut out = vec![0.0; shape.iter().product()];
    let an_image = geometry.grid[0] * geometry.grid[1];
    out.par_chunks_exact_mut((geometry.image[0] * geometry.image[1] * geometry.channels).max(1))
        .enumerate()
        .for_each(|(image, out)| {
            for place in 0..an_image {
                let position = image * an_image + place;
                each_tap(
                    geometry,
                    [place / geometry.grid[1], place % geometry.grid[1]],
                    |tap, pixel| {
                        let values = spread[tap * positions + position..].iter();
                        let values = values.step_by(geometry.window() * positions);
                        let pixel = &mut out[pixel * geometry.channels..][..geometry.channels];
                        pixel
                            .iter_mut()
                            .zip(values)
                            .for_each(|(out, value)| *out += *value);
                    },
                );
            }
        });
    Images::from_values(out, shape)
}

/// The weight gradient `[filters, depth]`, summed over all positions.
pub(super) fn correlate(geometry: &Geometry, source: &Images, grid: &Images) -> Vec<f32> {
    let depth = geometry.channels * geometry.window();
    let positions = grid.batch * grid.height * grid.width;
    let mut gradient = vec![0.0; geometry.filters * depth];
    with_scratch(panels_length(positions, depth), |panels| {
        panels.fill(0.0);
        see(geometry, source, |position, index, value| {
            panels[(index / WIDTH * positions + position) * WIDTH + index % WIDTH] = value;
        });
        let right = Panels::new(panels, positions, depth);
        gradient
            .par_chunks_mut(FILTERS * depth)
            .enumerate()
            .for_each(|(block, gradient)| {
                let left = Left {
                    data: &grid.values()[block * FILTERS..],
                    rows: gradient.len() / depth,
                    stride: geometry.filters,
                    order: Order::Columns,
                };
                multiply(left, right, gradient, depth, false);
            });
    });
    gradient
}

/// Calls `body` with each position, each index of its depth, and the image's value there. Indices beyond the border are
/// omitted.
fn see(geometry: &Geometry, source: &Images, mut body: impl FnMut(usize, usize, f32)) {
    let an_image = geometry.grid[0] * geometry.grid[1];
    let pixels = source.height * source.width * source.channels;
    for (image, values) in source.values().chunks_exact(pixels.max(1)).enumerate() {
        for place in 0..an_image {
            let position = image * an_image + place;
            each_tap(
                geometry,
                [place / geometry.grid[1], place % geometry.grid[1]],
                |tap, pixel| {
                    let values = &values[pixel * source.channels..][..source.channels];
                    for (channel, value) in values.iter().enumerate() {
                        body(position, channel * geometry.window() + tap, *value);
                    }
                },
            );
        }
    }
}

/// Calls `body` with each kernel element and the pixel under it, for one position of the grid.
fn each_tap(geometry: &Geometry, place: [usize; 2], mut body: impl FnMut(usize, usize)) {
    for tap in 0..geometry.window() {
        let tap_place = [tap / geometry.kernel[1], tap % geometry.kernel[1]];
        let along = |axis: usize| {
            (place[axis] * geometry.stride[axis] + tap_place[axis])
                .checked_sub(geometry.padding[axis])
                .filter(|pixel| *pixel < geometry.image[axis])
        };
        if let (Some(y), Some(x)) = (along(0), along(1)) {
            body(tap, y * geometry.image[1] + x);
        }
    }
}
