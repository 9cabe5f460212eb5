//! A tiled convolution from images to images.

use std::marker::PhantomData;

use super::{
    Form,
    algorithm::{Three, Two},
    element_stride,
    kernels::transform,
    tiles::{Inputs, Outputs, Place},
};
use crate::flex::{
    finish::Finish,
    image::Images,
    product::{Left, Order, Panels, WIDTH, multiply},
    rows::Rows,
    scratch::with_scratch,
    simd::vectorize,
    weights::Weights,
};

/// Tiles that a thread takes at a time.
const TILES: usize = 32;
/// Floats of padding between rows, which would otherwise map to the same cache sets.
pub(super) const GAP: usize = 16;

/// Transformed weights of a form, for each branch.
#[derive(Debug)]
pub(in crate::flex) struct Prepared(Vec<Vec<f32>>);

/// Transforms weights with the kernel size of the form.
pub(in crate::flex) fn prepare(form: &Form, weights: &Weights) -> Prepared {
    let points = form.points();
    let branches = form.branches.iter();
    Prepared(
        branches
            .map(|branch| transform(weights, branch, form.kernel_width, points))
            .collect(),
    )
}

impl Form {
    /// Elements of a transformed tile.
    pub(super) fn points(&self) -> usize {
        (self.taps + super::TILE - 1).pow(2)
    }
}

/// Convolves `source` with weights to `filters` outputs.
pub(in crate::flex) fn convolve(
    form: &Form,
    source: &Images,
    Prepared(prepared): &Prepared,
    filters: usize,
    finish: Finish,
) -> Images {
    let [height, width] = form.target;
    let shape = [source.batch, filters, height, width];
    let points = form.points();
    let [_, across] = form.tiles();
    let rows = Rows {
        batch: source.batch,
        height,
        row_length: width * filters,
        unit: super::TILE * form.step(),
    };
    let out = rows.fill(TILES.div_ceil(across.max(1)), |range, out| {
        let places: Vec<Place> = range
            .clone()
            .flat_map(|unit| (0..across).map(move |column| (unit, column)))
            .map(|(unit, column)| [unit / rows.units(), unit % rows.units(), column])
            .collect();
        let start = rows.start(range.start, 0);
        for (branch, prepared) in form.branches.iter().zip(prepared) {
            let depth = branch.sources.len() * source.channels;
            let stride = depth + GAP;
            let plane = element_stride(places.len() * stride);
            let product_plane = element_stride(places.len() * WIDTH);
            let weight_plane = element_stride(depth * WIDTH);
            with_scratch(points * plane, |transformed| {
                for (index, part) in branch.sources.iter().enumerate() {
                    let column = index * source.channels;
                    macro_rules! inputs {
                        ($algorithm:ty) => {
                            vectorize(Inputs {
                                algorithm: PhantomData::<$algorithm>,
                                images: source,
                                lattice: part.lattice,
                                lead: part.lead,
                                places: &places,
                                transformed: &mut *transformed,
                                column,
                                stride,
                            })
                        };
                    }
                    if form.taps == 3 {
                        inputs!(Three)
                    } else {
                        inputs!(Two)
                    }
                }
                with_scratch(points * product_plane, |products| {
                    for (panel, weights) in prepared.chunks_exact(points * weight_plane).enumerate() {
                        let elements = products.chunks_exact_mut(product_plane);
                        for ((element, weights), transformed) in elements
                            .zip(weights.chunks_exact(weight_plane))
                            .zip(transformed.chunks_exact(plane))
                        {
                            let left = Left {
                                data: transformed,
                                rows: places.len(),
                                stride,
                                order: Order::Rows,
                            };
                            multiply(
                                left,
                                Panels::new(&weights[..depth * WIDTH], depth, WIDTH),
                                element,
                                WIDTH,
                                false,
                            );
                        }
                        macro_rules! outputs {
                            ($algorithm:ty) => {
                                vectorize(Outputs {
                                    algorithm: PhantomData::<$algorithm>,
                                    products: &*products,
                                    places: &places,
                                    lattice: branch.target,
                                    shape: [height, width, filters],
                                    target: &mut *out,
                                    start,
                                    channel: panel * WIDTH,
                                    finish,
                                })
                            };
                        }
                        if form.taps == 3 {
                            outputs!(Three)
                        } else {
                            outputs!(Two)
                        }
                    }
                });
            });
        }
    });
    Images::from_values(out, shape)
}
