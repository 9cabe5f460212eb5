//! Convolution, its adjoint and its gradients: selection of the algorithm.
//!
//! Weights are `[filters, channels, kernel height, kernel width]` throughout: a convolution's `[out, in, ..]` and a
//! transposed convolution's `[in, out, ..]`.

use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::{
    direct, few,
    finish::Finish,
    geometry::Geometry,
    image::{Images, dims, tensor, transpose},
    narrow::{self, NARROW},
    norm::sum_pixels,
    prepared::Entry,
    weights::Weights,
    window::Window,
    winograd::{self, Form},
};

/// `[batch, channels, height, width]` to `[batch, filters, rows, columns]`, then bias and leaky ReLU if requested.
pub(super) fn forward(
    geometry: &Geometry,
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: Option<&FlexTensor>,
    slope: Option<f64>,
) -> FlexTensor {
    let (x, weight) = (Images::new(x), weight.to_contiguous());
    let kept = Entry::find(&weight, false);
    let bias = bias.map(FlexTensor::to_contiguous);
    let finish = Finish {
        bias: bias.as_ref().map(|bias| bias.storage::<f32>()),
        slope: slope.map(nearest),
    };
    let weight = weight.storage::<f32>();
    let few = geometry.filters <= NARROW && geometry.channels > NARROW;
    if let Some(turned) = geometry.turned().filter(|_| few) {
        let mut out = narrow::adjoint(&turned, &x, &turn(geometry, weight));
        finish.apply(out.values_mut(), geometry.filters);
        return out.into_tensor();
    }
    if few::applies(geometry, x.batch) {
        return few::convolve(geometry, &x, weight, finish).into_tensor();
    }
    let weights = weights(geometry, weight);
    let form = Form::of_convolution(geometry);
    let out = match form.filter(|form| pays(form, geometry, &weights, x.batch)) {
        Some(form) => match &kept {
            Some(kept) => winograd::convolve(&form, &x, kept.transformed(), geometry.filters, finish),
            None => {
                let prepared = winograd::prepare(&form, &weights);
                winograd::convolve(&form, &x, &prepared, geometry.filters, finish)
            }
        },
        None => {
            let window = Window::of_convolution(geometry);
            direct::convolve(&x, weights, &[window], geometry.grid, finish)
        }
    };
    out.into_tensor()
}

/// The adjoint with respect to the image: `[batch, filters, rows, columns]` to `[batch, channels, height, width]`.
pub(super) fn adjoint(geometry: &Geometry, grid: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let (grid, weight) = (Images::new(grid), weight.to_contiguous());
    let kept = Entry::find(&weight, true);
    let weight = weight.storage::<f32>();
    if geometry.channels <= NARROW && geometry.filters > NARROW {
        return narrow::adjoint(geometry, &grid, weight).into_tensor();
    }
    if few::applies(geometry, grid.batch) {
        return few::adjoint(geometry, &grid, weight).into_tensor();
    }
    let weights = weights(geometry, weight).exchanged();
    let form = Form::of_adjoint(geometry);
    let finish = Finish::default();
    let out = match form.filter(|form| pays(form, geometry, &weights, grid.batch)) {
        Some(form) => match &kept {
            Some(kept) => winograd::convolve(&form, &grid, kept.transformed(), geometry.channels, finish),
            None => {
                let prepared = winograd::prepare(&form, &weights);
                winograd::convolve(&form, &grid, &prepared, geometry.channels, finish)
            }
        },
        None => {
            let windows = Window::of_adjoint(geometry);
            direct::convolve(&grid, weights, &windows, geometry.image, finish)
        }
    };
    out.into_tensor()
}

/// Transforms the weights of a convolution, or of its adjoint, once for all calls, if the tiled algorithm is used.
pub(super) fn prepare(
    weight: &FlexTensor,
    stride: usize,
    padding: usize,
    transposed: bool,
) -> Option<Arc<Entry>> {
    let weight = weight.to_contiguous();
    let sizes = dims(&weight);
    // Transformed weights do not depend on the size of the image.
    let geometry = Geometry::of_image([sizes[2], sizes[3]], sizes, stride, padding);
    let transformed = {
        let weights = weights(&geometry, weight.storage::<f32>());
        if transposed {
            winograd::prepare(&Form::of_adjoint(&geometry)?, &weights.exchanged())
        } else {
            winograd::prepare(&Form::of_convolution(&geometry)?, &weights)
        }
    };
    Some(Entry::keep(weight, transposed, transformed))
}

/// The gradient of the weights from the images and the gradients of the outputs, summed over the batch.
pub(super) fn weight_gradient(geometry: &Geometry, x: &FlexTensor, grid: &FlexTensor) -> FlexTensor {
    let (x, grid) = (Images::new(x), Images::new(grid));
    let shape = [
        geometry.filters,
        geometry.channels,
        geometry.kernel[0],
        geometry.kernel[1],
    ];
    if x.batch == 0 {
        return tensor(vec![0.0; shape.iter().product()], &shape);
    }
    if few::applies(geometry, x.batch) {
        return tensor(few::correlate(geometry, &x, &grid), &shape);
    }
    let form = Form::of_convolution(geometry);
    let weights = [geometry.filters, geometry.channels];
    if let Some(form) = form.filter(|form| form.pays(geometry, weights, x.batch)) {
        let gradient = winograd::correlate(&form, &x, &grid, geometry.window());
        return tensor(gradient, &shape);
    }
    // The side with fewer channels is the cheaper one to gather.
    let turned = geometry.turned().filter(|_| geometry.filters < geometry.channels);
    let gradient = if let Some(turned) = turned {
        // [turned taps, filters, channels] to [filters, channels, turned taps]
        let window = Window::of_convolution(&turned);
        let gradient = direct::correlate(&grid, &x, &window);
        let mut gradient = transpose(
            &gradient,
            [1, turned.window(), geometry.filters * geometry.channels],
        );
        gradient
            .chunks_exact_mut(geometry.window())
            .for_each(<[f32]>::reverse);
        gradient
    } else {
        // [taps, channels, filters] to [filters, channels, taps]
        let window = Window::of_convolution(geometry);
        let gradient = direct::correlate(&x, &grid, &window);
        let by_filter = transpose(
            &gradient,
            [1, geometry.window() * geometry.channels, geometry.filters],
        );
        transpose(
            &by_filter,
            [geometry.filters, geometry.window(), geometry.channels],
        )
    };
    tensor(gradient, &shape)
}

/// The sum over batch and positions: `[batch, filters, rows, columns]` to `[filters]`.
pub(super) fn bias_gradient(grid: &FlexTensor) -> FlexTensor {
    let grid = Images::new(grid);
    let pixels = grid.height * grid.width;
    let mut sums = vec![0.0; grid.channels];
    if grid.values().is_empty() {
        return tensor(sums, &[grid.channels]);
    }
    let images: Vec<Vec<f32>> = grid
        .values()
        .par_chunks_exact(pixels * grid.channels)
        .map(|image| sum_pixels(image, grid.channels))
        .collect();
    for image in images {
        sums.iter_mut().zip(image).for_each(|(sum, value)| *sum += value);
    }
    tensor(sums, &[grid.channels])
}

fn weights<'a>(geometry: &Geometry, weight: &'a [f32]) -> Weights<'a> {
    Weights::new(weight, [geometry.filters, geometry.channels, geometry.window()])
}

/// Whether tiles are faster than gathered windows.
fn pays(form: &Form, geometry: &Geometry, weights: &Weights, batch: usize) -> bool {
    form.pays(geometry, [weights.outputs, weights.inputs], batch)
}

#[allow(clippy::cast_possible_truncation, reason = "rounding to f32 is the purpose")]
pub(super) fn nearest(value: f64) -> f32 {
    value as f32
}

/// Exchanges filters and channels of a small weight, and rotates every kernel by 180 degrees.
fn turn(geometry: &Geometry, weight: &[f32]) -> Vec<f32> {
    let window = geometry.window();
    let mut turned = Vec::with_capacity(weight.len());
    for channel in 0..geometry.channels {
        for filter in 0..geometry.filters {
            let kernel = &weight[(filter * geometry.channels + channel) * window..][..window];
            turned.extend(kernel.iter().rev());
        }
    }
    turned
}
