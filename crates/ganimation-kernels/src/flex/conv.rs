//! Convolution, its adjoint and its weight gradient, as matrix products over unfolded images.
//!
//! Weights are `[filters, channels, kernel height, kernel width]` throughout: a convolution's `[out, in, ..]` and a
//! transposed convolution's `[in, out, ..]`. With stride 1 each of the three has a second form, on the grid's side with
//! the kernel turned by 180 degrees; the cheaper side, the one with fewer channels to unfold, is chosen.

use burn::{backend::flex::FlexTensor, tensor::DType};

use super::{
    geometry::Geometry,
    plan::each_chunk,
    products::{correlation, fold_product, unfold_product},
    real::{Real, dims, tensor},
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
    // Of an empty batch, the gradients of the weights are zero and all else is empty.
    if left.layout().num_elements() > 0 {
        body(E::elements(&left), E::elements(&right), &mut out);
    }
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
        Some(turned) if geometry.filters <= geometry.channels => {
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
