//! Convolution, its adjoint and its weight gradient, as matrix products over unfolded images.
//!
//! Weights are `[filters, channels, kernel height, kernel width]` throughout: a convolution's `[out, in, ..]` and a
//! transposed convolution's `[in, out, ..]`. With stride 1 each of the three has a second form, on the grid's side with
//! the kernel turned by 180 degrees; the cheaper side, the one with fewer channels to unfold, is chosen.

use std::ops::Range;

use burn::{backend::flex::FlexTensor, tensor::DType};
use rayon::prelude::*;

use super::{
    columns::Phases,
    gemm::{Matrix, Target, multiply},
    geometry::Geometry,
    plan::{Plan, each_chunk, each_group, ranges, tiles},
    real::{Real, Scratch, dims, lend, tensor},
};

/// `[batch, channels, height, width]` to `[batch, filters, rows, columns]`.
pub(super) fn forward(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: Option<&FlexTensor>,
    stride: usize,
    padding: usize,
) -> FlexTensor {
    let [batch, _, height, width] = dims(x);
    let geometry = Geometry::of_image([height, width], dims(weight), stride, padding);
    let shape = [batch, geometry.filters, geometry.grid[0], geometry.grid[1]];
    match x.dtype() {
        DType::F64 => apply::<f64>(x, weight, bias, &shape, |x, weight, out| {
            convolve(&geometry, x, weight, out);
        }),
        _ => apply::<f32>(x, weight, bias, &shape, |x, weight, out| {
            convolve(&geometry, x, weight, out);
        }),
    }
}

/// `[batch, filters, rows, columns]` to `[batch, channels, height, width]`, with the smallest height and width.
pub(super) fn transposed(x: &FlexTensor, weight: &FlexTensor, stride: usize, padding: usize) -> FlexTensor {
    let [_, _, rows, columns] = dims(x);
    let geometry = Geometry::of_grid([rows, columns], dims(weight), stride, padding);
    image_gradient(&geometry, x, weight)
}

/// The gradient of a convolution's image from `grid`, that of its output.
pub(super) fn image_gradient(geometry: &Geometry, grid: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let [batch, _, _, _] = dims(grid);
    let shape = [batch, geometry.channels, geometry.image[0], geometry.image[1]];
    match grid.dtype() {
        DType::F64 => apply::<f64>(grid, weight, None, &shape, |grid, weight, out| {
            spread(geometry, grid, weight, out);
        }),
        _ => apply::<f32>(grid, weight, None, &shape, |grid, weight, out| {
            spread(geometry, grid, weight, out);
        }),
    }
}

/// The gradient of the weights from the images and the gradients of the outputs, summed over the batch.
pub(super) fn weight_gradient(geometry: &Geometry, x: &FlexTensor, grid: &FlexTensor) -> FlexTensor {
    let shape = [
        geometry.filters,
        geometry.channels,
        geometry.kernel[0],
        geometry.kernel[1],
    ];
    match x.dtype() {
        DType::F64 => apply::<f64>(x, grid, None, &shape, |x, grid, out| {
            correlate(geometry, x, grid, out);
        }),
        _ => apply::<f32>(x, grid, None, &shape, |x, grid, out| {
            correlate(geometry, x, grid, out);
        }),
    }
}

/// The sum over batch and positions: `[batch, filters, rows, columns]` to `[filters]`.
pub(super) fn bias_gradient(grid: &FlexTensor) -> FlexTensor {
    match grid.dtype() {
        DType::F64 => sum_channels::<f64>(grid),
        _ => sum_channels::<f32>(grid),
    }
}

fn sum_channels<E: Real>(grid: &FlexTensor) -> FlexTensor {
    let [_, filters, rows, columns] = dims(grid);
    let grid = grid.to_contiguous();
    let mut sums = vec![E::default(); filters];
    for image in E::elements(&grid).chunks_exact(filters * rows * columns) {
        for (sum, plane) in sums.iter_mut().zip(image.chunks_exact(rows * columns)) {
            *sum += super::norm::sum(plane, |value| value);
        }
    }
    tensor(sums, &[filters])
}

/// Runs `body` on the elements of two tensors and those of a new one, to which it then adds `bias`.
fn apply<E: Real>(
    left: &FlexTensor,
    right: &FlexTensor,
    bias: Option<&FlexTensor>,
    shape: &[usize; 4],
    body: impl FnOnce(&[E], &[E], &mut [E]),
) -> FlexTensor {
    let (left, right) = (left.to_contiguous(), right.to_contiguous());
    let mut out = vec![E::default(); shape.iter().product()];
    body(E::elements(&left), E::elements(&right), &mut out);
    if let Some(bias) = bias {
        let bias = bias.to_contiguous();
        let bias = E::elements(&bias);
        let [_, filters, rows, columns] = *shape;
        each_chunk(&mut out, filters * rows * columns, true, |_, image| {
            for (plane, value) in image.chunks_exact_mut(rows * columns).zip(bias) {
                plane.iter_mut().for_each(|pixel| *pixel += *value);
            }
        });
    }
    tensor(out, shape)
}

fn convolve<E: Real>(geometry: &Geometry, x: &[E], weight: &[E], out: &mut [E]) {
    // Folding reads and writes, so it must save half of the columns to pay.
    match geometry.turned() {
        Some(turned) if 2 * geometry.filters <= geometry.channels => {
            fold_product(&turned, x, &turn(geometry, weight), out);
        }
        _ => unfold_product(geometry, x, weight, out),
    }
}

fn spread<E: Real>(geometry: &Geometry, grid: &[E], weight: &[E], out: &mut [E]) {
    match geometry.turned() {
        Some(turned) if geometry.filters <= 2 * geometry.channels => {
            unfold_product(&turned, grid, &turn(geometry, weight), out);
        }
        _ => fold_product(geometry, grid, weight, out),
    }
}

fn correlate<E: Real>(geometry: &Geometry, x: &[E], grid: &[E], out: &mut [E]) {
    match geometry.turned() {
        Some(turned) if geometry.filters < geometry.channels => {
            let mut exchanged = vec![E::default(); out.len()];
            correlation(&turned, grid, x, &mut exchanged);
            out.copy_from_slice(&turn(&turned, &exchanged));
        }
        _ => correlation(geometry, x, grid, out),
    }
}

/// Exchanges filters and channels of a weight and turns every kernel by 180 degrees.
fn turn<E: Real>(geometry: &Geometry, weight: &[E]) -> Vec<E> {
    let window = geometry.window();
    let mut turned = vec![E::default(); weight.len()];
    each_chunk(
        &mut turned,
        geometry.filters * window,
        weight.len() > 1 << 16,
        |channel, kernels| {
            for (filter, kernel) in kernels.chunks_exact_mut(window).enumerate() {
                let source = &weight[(filter * geometry.channels + channel) * window..][..window];
                kernel
                    .iter_mut()
                    .zip(source.iter().rev())
                    .for_each(|(t, s)| *t = *s);
            }
        },
    );
    turned
}

/// Unfolds each group of images and multiplies from the left by the weights.
fn unfold_product<E: Real>(geometry: &Geometry, x: &[E], weight: &[E], out: &mut [E]) {
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
fn fold_product<E: Real>(geometry: &Geometry, grid: &[E], weight: &[E], out: &mut [E]) {
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

/// Unfolds each group of images and multiplies the grids by it from the right: the weight gradient.
fn correlation<E: Real>(geometry: &Geometry, x: &[E], grid: &[E], out: &mut [E]) {
    let batch = grid.len() / (geometry.filters * geometry.positions());
    let plan = Plan::new(batch, geometry);
    if plan.shared {
        for (index, group) in plan.groups.iter().enumerate() {
            correlate_group(geometry, x, grid, group.clone(), out, index > 0, true);
        }
        return;
    }
    // One partial sum a part, added up in order: the same bits on every run.
    let parts = ranges(plan.groups.len(), 2 * rayon::current_num_threads());
    let sums: Vec<Vec<E>> = parts
        .into_par_iter()
        .with_max_len(1)
        .map(|part| {
            let mut sum = vec![E::default(); out.len()];
            for group in &plan.groups[part] {
                correlate_group(geometry, x, grid, group.clone(), &mut sum, true, false);
            }
            sum
        })
        .collect();
    each_chunk(out, 1 << 14, true, |index, out| {
        for sum in &sums {
            let sum = &sum[index << 14..];
            out.iter_mut().zip(sum).for_each(|(t, s)| *t += *s);
        }
    });
}

fn correlate_group<E: Real>(
    geometry: &Geometry,
    x: &[E],
    grid: &[E],
    group: Range<usize>,
    out: &mut [E],
    accumulate: bool,
    parallel: bool,
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
            let accumulate = accumulate || rows.start > 0;
            let width = images * rows.len() * geometry.grid[1];
            let grid = grid_matrix(geometry, grid, group.clone(), rows.clone(), pixels);
            let columns = unfold(geometry, phases, rows, width, columns, parallel);
            let target = Target {
                data: &mut *out,
                row_stride: geometry.depth(),
                accumulate,
            };
            multiply(grid, columns.transposed(), target, parallel);
        }
    });
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
