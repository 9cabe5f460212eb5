//! Convolutions and weight gradients as one product over gathered windows.

use rayon::prelude::*;

use super::{
    finish::Finish,
    image::Images,
    product::{Left, Order, Panels, WIDTH, multiply, panels_length},
    rows::{Rows, ranges},
    scratch::with_scratch,
    weights::Weights,
    window::Window,
};

/// Floats of gathered windows that leave room for a panel in the second-level cache.
const GATHERED: usize = 1 << 17;
/// Floats of padding between rows, which would otherwise map to the same cache sets.
const GAP: usize = 16;

/// Convolves `source` through every window; the target is `[batch, outputs, height, width]`.
pub(super) fn convolve(
    source: &Images,
    weights: Weights,
    windows: &[Window],
    [height, width]: [usize; 2],
    finish: Finish,
) -> Images {
    let filters = weights.outputs;
    let shape = [source.batch, filters, height, width];
    let panels: Vec<Vec<f32>> = windows
        .iter()
        .map(|window| weights.panels(&window.taps()))
        .collect();
    let rows = Rows {
        batch: source.batch,
        height,
        row_length: width * filters,
        unit: windows.first().map_or(1, |window| window.step[0]),
    };
    let depth = windows.iter().map(Window::size).max().unwrap_or(0) * source.channels;
    let pixels = (GATHERED / (depth + GAP)).clamp(8, 256).next_multiple_of(8);
    let units = pixels.div_ceil(width.max(1));
    let out = rows.fill(units, |range, out| {
        for (window, panels) in windows.iter().zip(&panels) {
            let depth = window.size() * source.channels;
            let right = Panels::new(panels, depth, filters);
            let positions = positions(window, &rows, &range);
            with_scratch(pixels * (depth + GAP), |seen| {
                with_scratch(pixels * filters, |product| {
                    for block in positions.chunks(pixels) {
                        for (position, seen) in block.iter().zip(seen.chunks_exact_mut(depth + GAP)) {
                            window.gather(source, position.image, position.place, &mut seen[..depth]);
                        }
                        let left = Left {
                            data: seen,
                            rows: block.len(),
                            stride: depth + GAP,
                            order: Order::Rows,
                        };
                        let product = &mut product[..block.len() * filters];
                        multiply(left, right, product, filters, false);
                        finish.apply(product, filters);
                        for (position, pixel) in block.iter().zip(product.chunks_exact(filters)) {
                            let row = rows.start(position.unit, range.start);
                            let column = window.target[1] + position.place[1] * window.step[1];
                            let start = row + (window.target[0] * width + column) * filters;
                            out[start..start + filters].copy_from_slice(pixel);
                        }
                    }
                });
            });
        }
    });
    Images::from_values(out, shape)
}

/// One position of a window.
struct Position {
    unit: usize,
    image: usize,
    place: [usize; 2],
}

/// The window's positions in the given units of the target's rows.
fn positions(window: &Window, rows: &Rows, units: &std::ops::Range<usize>) -> Vec<Position> {
    let places = units.clone().flat_map(|unit| {
        let (image, row) = (unit / rows.units(), unit % rows.units());
        let columns = if row < window.count[0] { window.count[1] } else { 0 };
        (0..columns).map(move |column| Position {
            unit,
            image,
            place: [row, column],
        })
    });
    places.collect()
}

/// The weight gradient `[window, channels of source, channels of grid]`, summed over all positions.
///
/// `grid` has a pixel for each position of the window.
pub(super) fn correlate(source: &Images, grid: &Images, window: &Window) -> Vec<f32> {
    let filters = grid.channels;
    let depth = window.size() * source.channels;
    let positions = grid.batch * grid.height * grid.width;
    let pixels = (GATHERED / (depth + GAP)).clamp(64, 256);
    // Each part has its own sum. The sums are added in order, so that every run gives the same bits.
    let parts = ranges(positions, rayon::current_num_threads());
    let mut sums: Vec<Vec<f32>> = parts
        .into_par_iter()
        .with_max_len(1)
        .map(|part| {
            let mut sum = vec![0.0; depth * filters];
            with_scratch(pixels * (depth + GAP), |seen| {
                with_scratch(panels_length(pixels, filters), |panels| {
                    for first in part.clone().step_by(pixels) {
                        let count = pixels.min(part.end - first);
                        for (index, seen) in seen.chunks_exact_mut(depth + GAP).take(count).enumerate() {
                            let position = first + index;
                            let (image, place) = (
                                position / (grid.height * grid.width),
                                position % (grid.height * grid.width),
                            );
                            let place = [place / grid.width, place % grid.width];
                            window.gather(source, image, place, &mut seen[..depth]);
                        }
                        let panels = &mut panels[..panels_length(count, filters)];
                        pack(
                            &grid.values()[first * filters..][..count * filters],
                            filters,
                            panels,
                        );
                        let left = Left {
                            data: seen,
                            rows: depth,
                            stride: depth + GAP,
                            order: Order::Columns,
                        };
                        multiply(left, Panels::new(panels, count, filters), &mut sum, filters, true);
                    }
                });
            });
            sum
        })
        .collect();
    let mut total = sums.remove(0);
    for sum in &sums {
        total
            .iter_mut()
            .zip(sum)
            .for_each(|(total, part)| *total += *part);
    }
    total
}

/// Packs rows of `columns` values into panels.
fn pack(rows: &[f32], columns: usize, panels: &mut [f32]) {
    let depth = rows.len() / columns;
    for (panel, target) in panels.chunks_exact_mut(depth * WIDTH).enumerate() {
        let count = WIDTH.min(columns - panel * WIDTH);
        for (row, target) in rows.chunks_exact(columns).zip(target.chunks_exact_mut(WIDTH)) {
            target[..count].copy_from_slice(&row[panel * WIDTH..][..count]);
            target[count..].fill(0.0);
        }
    }
}
