//! The weight gradient of a tiled convolution: its exact adjoint.
//!
//! With `U = G g G^T`, `V = B^T d B` and `Y = A^T [U * V] A`: `dU = V * (A dY A^T)`, summed over tiles, which is one
//! matrix product for each element of a tile, and `dg = G^T dU G`.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::{
    Form,
    algorithm::{Three, Two},
    element_stride,
    forward::GAP,
    kernels::transform_back,
    tiles::{Inputs, OutputGradients, Place},
};
use crate::flex::{
    image::Images,
    product::{Left, Order, Panels, multiply, panels_length},
    scratch::with_scratch,
    simd::vectorize,
};

/// Tiles whose products are summed in registers.
const GROUP: usize = 64;
/// Floats of transformed tiles at a time. They must fit in the third-level cache.
const TRANSFORMED: usize = 3 << 20;

/// The gradient `[outputs, inputs, taps]` of the weights with which `form` maps `source` to images like `gradient`.
pub(in crate::flex) fn correlate(form: &Form, source: &Images, gradient: &Images, taps: usize) -> Vec<f32> {
    let [outputs, inputs] = [gradient.channels, source.channels];
    let mut out = vec![0.0; outputs * inputs * taps];
    let points = form.points();
    let [down, across] = form.tiles();
    let places: Vec<Place> = (0..source.batch * down * across)
        .map(|index| [index / (down * across), index / across % down, index % across])
        .collect();
    for branch in &form.branches {
        let depth = branch.sources.len() * inputs;
        let stride = depth + GAP;
        let group = GROUP.min(places.len());
        let input_length = points * element_stride(group * stride);
        let gradient_length = points * element_stride(panels_length(group, outputs));
        let sums_plane = element_stride(depth * outputs);
        let groups = (TRANSFORMED / (input_length + gradient_length)).clamp(1, places.len().div_ceil(group));
        with_scratch(points * sums_plane, |sums| {
            with_scratch(groups * (input_length + gradient_length), |transformed| {
                for (round, places) in places.chunks(groups * group).enumerate() {
                    transformed
                        .par_chunks_exact_mut(input_length + gradient_length)
                        .zip(places.par_chunks(group))
                        .for_each(|(transformed, places)| {
                            let (of_inputs, of_gradients) = transformed.split_at_mut(input_length);
                            let of_inputs = &mut of_inputs[..points * element_stride(places.len() * stride)];
                            let of_gradients = &mut of_gradients
                                [..points * element_stride(panels_length(places.len(), outputs))];
                            macro_rules! both {
                                ($algorithm:ty) => {
                                    for (index, part) in branch.sources.iter().enumerate() {
                                        vectorize(Inputs {
                                            algorithm: PhantomData::<$algorithm>,
                                            images: source,
                                            lattice: part.lattice,
                                            lead: part.lead,
                                            places,
                                            transformed: &mut *of_inputs,
                                            column: index * inputs,
                                            stride,
                                        });
                                    }
                                    vectorize(OutputGradients {
                                        algorithm: PhantomData::<$algorithm>,
                                        images: gradient,
                                        lattice: branch.target,
                                        places,
                                        transformed: of_gradients,
                                    });
                                };
                            }
                            if form.taps == 3 {
                                both!(Three);
                            } else {
                                both!(Two);
                            }
                        });
                    let transformed = &*transformed;
                    sums.par_chunks_exact_mut(sums_plane)
                        .enumerate()
                        .for_each(|(point, sums)| {
                            let groups = transformed
                                .chunks_exact(input_length + gradient_length)
                                .zip(places.chunks(group));
                            for (index, (transformed, places)) in groups.enumerate() {
                                let plane = element_stride(places.len() * stride);
                                let panels = panels_length(places.len(), outputs);
                                let (of_inputs, of_gradients) = transformed.split_at(input_length);
                                let left = Left {
                                    data: &of_inputs[point * plane..][..plane],
                                    rows: depth,
                                    stride,
                                    order: Order::Columns,
                                };
                                let right = &of_gradients[point * element_stride(panels)..][..panels];
                                let right = Panels::new(right, places.len(), outputs);
                                multiply(left, right, sums, outputs, round + index > 0);
                            }
                        });
                }
            });
            transform_back(sums, [outputs, inputs, taps], branch, form.kernel_width, &mut out);
        });
    }
    out
}
