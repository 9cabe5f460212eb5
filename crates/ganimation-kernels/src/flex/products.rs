//! The three matrix products of a convolution, over tiles that fit the caches.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    columns::Phases,
    gemm::{Matrix, Target, multiply},
    geometry::Geometry,
    plan::{Plan, each_chunk, each_group, ranges, tiles},
    real::{Real, Scratch, lend},
};

/// Unfolds each group of images and multiplies from the left by the weights.
pub(super) fn unfold_product<E: Real>(geometry: &Geometry, x: &[E], weight: &[E], out: &mut [E]) {
    let plan = Plan::new(out.len() / (geometry.filters * geometry.positions()), geometry);
    let weight = Matrix::new(weight, [geometry.filters, geometry.depth()], geometry.depth());
    let positions = geometry.positions();
    each_group(&plan, out, geometry.filters * positions, |group, out| {
        E::with_scratch(|scratch| {
            let Scratch {
                phases,
                columns,
                pixels,
            } = scratch;
            let images = group.len();
            let phases = split(geometry, x, group, phases, plan.shared);
            for rows in tiles(images, geometry) {
                let width = images * rows.len() * geometry.grid[1];
                let first = rows.start * geometry.grid[1];
                let columns = unfold(geometry, phases, rows, width, columns, plan.shared);
                if images == 1 {
                    let target = Target {
                        data: &mut out[first..],
                        row_stride: positions,
                        accumulate: false,
                    };
                    multiply(weight, columns, target, plan.shared);
                } else {
                    let product = lend(pixels, geometry.filters * width);
                    let target = Target {
                        data: &mut *product,
                        row_stride: width,
                        accumulate: false,
                    };
                    multiply(weight, columns, target, plan.shared);
                    exchange(product, [geometry.filters, images, positions], out);
                }
            }
        });
    });
}

/// Multiplies each group of grids from the left by the transposed weights and folds the result.
pub(super) fn fold_product<E: Real>(geometry: &Geometry, grid: &[E], weight: &[E], out: &mut [E]) {
    let plan = Plan::new(out.len() / (geometry.channels * geometry.pixels()), geometry);
    let depth = geometry.depth();
    let weight = Matrix::new(weight, [geometry.filters, depth], depth).transposed();
    let layout = Phases::new(*geometry);
    each_group(&plan, out, geometry.channels * geometry.pixels(), |group, out| {
        E::with_scratch(|scratch| {
            let Scratch {
                phases,
                columns,
                pixels,
            } = scratch;
            let images = group.len();
            let length = images * layout.length();
            let phases = lend(phases, geometry.channels * length);
            phases.fill(E::default());
            for rows in tiles(images, geometry) {
                let grid = grid_matrix(geometry, grid, group.clone(), rows.clone(), pixels);
                let width = images * rows.len() * geometry.grid[1];
                let columns = lend(columns, depth * width);
                let target = Target {
                    data: &mut *columns,
                    row_stride: width,
                    accumulate: false,
                };
                multiply(weight, grid, target, plan.shared);
                each_chunk(phases, length, plan.shared, |channel, phases| {
                    let length = geometry.window() * width;
                    layout.fold(&columns[channel * length..][..length], rows.clone(), phases);
                });
            }
            each_chunk(out, geometry.pixels(), plan.shared, |index, plane| {
                let (image, channel) = (index / geometry.channels, index % geometry.channels);
                let source = (channel * images + image) * layout.length();
                layout.merge(&phases[source..][..layout.length()], plane);
            });
        });
    });
}

/// Unfolds each group of images and multiplies it by the grids: the weight gradient.
pub(super) fn correlation<E: Real>(geometry: &Geometry, x: &[E], grid: &[E], out: &mut [E]) {
    let batch = grid.len() / (geometry.filters * geometry.positions());
    let plan = Plan::new(batch, geometry);
    if plan.shared {
        let depth = geometry.depth();
        let mut accumulate = false;
        for group in &plan.groups {
            each_tile(geometry, x, grid, group, true, |columns, grid| {
                let target = Target {
                    data: &mut *out,
                    row_stride: depth,
                    accumulate,
                };
                multiply(grid, columns.transposed(), target, true);
                accumulate = true;
            });
        }
        return;
    }
    // The sums are kept transposed: gemm packs its left side, and the grid is the one cheap to pack. Each part of the
    // batch has its own sum, and they are added up in order: the same bits on every run.
    let parts = ranges(plan.groups.len(), 2 * rayon::current_num_threads());
    let sums = parts.into_par_iter().with_max_len(1).map(|part| {
        let mut sum = vec![E::default(); out.len()];
        for group in &plan.groups[part] {
            each_tile(geometry, x, grid, group, false, |columns, grid| {
                let row_stride = geometry.filters;
                let target = Target {
                    data: &mut sum,
                    row_stride,
                    accumulate: true,
                };
                multiply(columns, grid.transposed(), target, false);
            });
        }
        sum
    });
    let mut sums = sums.collect::<Vec<_>>().into_iter();
    let mut total = sums.next().unwrap_or_default();
    for sum in sums {
        total.iter_mut().zip(&sum).for_each(|(t, s)| *t += *s);
    }
    transpose(&total, geometry.filters, out);
}

/// Calls `body` with the unfolded columns `[depth, width]` and the grid `[filters, width]` of every tile of a group.
fn each_tile<E: Real>(
    geometry: &Geometry,
    x: &[E],
    grid: &[E],
    group: &Range<usize>,
    parallel: bool,
    mut body: impl FnMut(Matrix<E>, Matrix<E>),
) {
    E::with_scratch(|scratch| {
        let Scratch {
            phases,
            columns,
            pixels,
        } = scratch;
        let images = group.len();
        let phases = split(geometry, x, group.clone(), phases, parallel);
        for rows in tiles(images, geometry) {
            let width = images * rows.len() * geometry.grid[1];
            let grid = grid_matrix(geometry, grid, group.clone(), rows.clone(), pixels);
            body(unfold(geometry, phases, rows, width, columns, parallel), grid);
        }
    });
}

/// Writes the transpose of `source`, whose rows have `width` elements.
fn transpose<E: Real>(source: &[E], width: usize, target: &mut [E]) {
    // Sixteen elements of a source row are a cache line, written to as many target rows.
    const ROWS: usize = 16;
    let height = source.len() / width;
    for (index, rows) in target.chunks_mut(ROWS * height).enumerate() {
        for (position, row) in source.chunks_exact(width).enumerate() {
            let row = &row[index * ROWS..];
            for (target, value) in rows[position..].iter_mut().step_by(height).zip(row) {
                *target = *value;
            }
        }
    }
}

/// The phases of a group of images.
fn split<'a, E: Real>(
    geometry: &Geometry,
    x: &[E],
    group: Range<usize>,
    phases: &'a mut Vec<E>,
    parallel: bool,
) -> &'a [E] {
    let layout = Phases::new(*geometry);
    let length = group.len() * layout.length();
    let phases = lend(phases, geometry.channels * length);
    each_chunk(phases, length, parallel, |channel, phases| {
        let images = group.clone().zip(phases.chunks_exact_mut(layout.length()));
        for (image, phases) in images {
            let start = (image * geometry.channels + channel) * geometry.pixels();
            layout.split(&x[start..][..geometry.pixels()], phases);
        }
    });
    phases
}

/// The matrix `[depth, width]` of what kernels see at `rows` of the grids of the images in `phases`.
fn unfold<'a, E: Real>(
    geometry: &Geometry,
    phases: &[E],
    rows: Range<usize>,
    width: usize,
    columns: &'a mut Vec<E>,
    parallel: bool,
) -> Matrix<'a, E> {
    let layout = Phases::new(*geometry);
    let length = phases.len() / geometry.channels;
    let columns = lend(columns, geometry.depth() * width);
    each_chunk(
        columns,
        geometry.window() * width,
        parallel,
        |channel, columns| {
            layout.unfold(&phases[channel * length..][..length], rows.clone(), columns);
        },
    );
    Matrix::new(columns, [geometry.depth(), width], width)
}

/// The matrix `[filters, width]` of the grids of a group: `rows` of one image, or whole images side by side.
fn grid_matrix<'a, E: Real>(
    geometry: &Geometry,
    grid: &'a [E],
    group: Range<usize>,
    rows: Range<usize>,
    pixels: &'a mut Vec<E>,
) -> Matrix<'a, E> {
    let (filters, positions) = (geometry.filters, geometry.positions());
    let start = group.start * filters * positions;
    if group.len() == 1 {
        let start = start + rows.start * geometry.grid[1];
        let width = rows.len() * geometry.grid[1];
        return Matrix::new(&grid[start..], [filters, width], positions);
    }
    let width = group.len() * positions;
    let pixels = lend(pixels, filters * width);
    exchange(
        &grid[start..][..filters * width],
        [group.len(), filters, positions],
        pixels,
    );
    Matrix::new(pixels, [filters, width], width)
}

/// Exchanges the first two axes of `[outer, inner, length]`.
fn exchange<E: Real>(source: &[E], [outer, inner, length]: [usize; 3], target: &mut [E]) {
    for (index, row) in source.chunks_exact(length).enumerate() {
        let (first, second) = (index / inner, index % inner);
        target[(second * outer + first) * length..][..length].copy_from_slice(row);
    }
}
