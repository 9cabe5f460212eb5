//! Instance normalisation, each plane read while it is in the cache.

use burn::{backend::flex::FlexTensor, tensor::DType};
use rayon::prelude::*;

use super::real::{Real, contiguous, dims, tensor};

/// Mean and inverse deviation of each plane.
#[derive(Debug, Clone)]
pub(super) struct Statistics(Vec<[f64; 2]>);

/// Gradients of the input, the scale and the shift.
pub(super) struct Gradients {
    pub(super) x: FlexTensor,
    pub(super) weight: FlexTensor,
    pub(super) bias: FlexTensor,
}

/// Normalises every plane of `[batch, channels, height, width]`, and cuts off what is below 0 if `rectify`.
pub(super) fn forward(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: &FlexTensor,
    epsilon: f64,
    rectify: bool,
) -> (FlexTensor, Statistics) {
    match x.dtype() {
        DType::F64 => normalize::<f64>(x, weight, bias, epsilon, rectify),
        _ => normalize::<f32>(x, weight, bias, epsilon, rectify),
    }
}

/// The gradients from `grad`, that of the output.
pub(super) fn backward(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: &FlexTensor,
    statistics: &Statistics,
    rectify: bool,
    grad: FlexTensor,
) -> Gradients {
    match x.dtype() {
        DType::F64 => gradients::<f64>(x, weight, bias, statistics, rectify, grad),
        _ => gradients::<f32>(x, weight, bias, statistics, rectify, grad),
    }
}

fn normalize<E: Real>(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: &FlexTensor,
    epsilon: f64,
    rectify: bool,
) -> (FlexTensor, Statistics) {
    let shape @ [_, channels, height, width] = dims::<4>(x);
    let (x, weight, bias) = (x.to_contiguous(), weight.to_contiguous(), bias.to_contiguous());
    let (x, weight, bias) = (E::elements(&x), E::elements(&weight), E::elements(&bias));
    let pixels = height * width;
    let count = E::nearest(pixels as f64);
    let mut out = vec![E::default(); x.len()];
    let statistics = out
        .par_chunks_exact_mut(pixels)
        .zip(x.par_chunks_exact(pixels))
        .enumerate()
        .map(|(index, (out, x))| {
            let mean = sum(x, |value| value) / count;
            let variance = sum(x, |value| (value - mean) * (value - mean)) / count;
            let inverse = E::ONE / (variance + E::nearest(epsilon)).sqrt();
            let affine = Affine::new(mean, inverse, weight[index % channels], bias[index % channels]);
            let floor = if rectify {
                E::default()
            } else {
                E::nearest(f64::NEG_INFINITY)
            };
            for (out, x) in out.iter_mut().zip(x) {
                let value = affine.apply(*x);
                *out = if value < floor { floor } else { value };
            }
            [mean, inverse].map(|value| value.to_f64())
        })
        .collect();
    (tensor(out, &shape), Statistics(statistics))
}

/// `x` to `scale x + shift`.
struct Affine<E> {
    scale: E,
    shift: E,
}

impl<E: Real> Affine<E> {
    fn new(mean: E, inverse: E, weight: E, bias: E) -> Self {
        let scale = inverse * weight;
        Self {
            scale,
            shift: bias - mean * scale,
        }
    }

    fn apply(&self, x: E) -> E {
        x * self.scale + self.shift
    }
}

fn gradients<E: Real>(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: &FlexTensor,
    statistics: &Statistics,
    rectify: bool,
    grad: FlexTensor,
) -> Gradients {
    let [_, channels, height, width] = dims::<4>(x);
    let (x, weight, bias) = (x.to_contiguous(), weight.to_contiguous(), bias.to_contiguous());
    let (x, weight, bias) = (E::elements(&x), E::elements(&weight), E::elements(&bias));
    let pixels = height * width;
    let count = E::nearest(pixels as f64);
    // Usually the only handle of the gradient, which then becomes that of the input in place.
    let mut grad = contiguous(grad);
    let sums: Vec<[E; 2]> = E::elements_mut(&mut grad)
        .par_chunks_exact_mut(pixels)
        .zip(x.par_chunks_exact(pixels))
        .zip(&statistics.0)
        .enumerate()
        .map(|(index, ((grad, x), statistics))| {
            let [mean, inverse] = statistics.map(E::nearest);
            let weight = weight[index % channels];
            if rectify {
                let affine = Affine::new(mean, inverse, weight, bias[index % channels]);
                for (grad, x) in grad.iter_mut().zip(x) {
                    *grad = if affine.apply(*x) > E::default() {
                        *grad
                    } else {
                        E::default()
                    };
                }
            }
            let total = sum(grad, |value| value);
            let along = dot(grad, x, mean) * inverse;
            // With z the normalised input: weight / deviation * (grad - mean(grad) - z mean(grad z)).
            let slope = along * inverse / count;
            let offset = total / count - mean * slope;
            let scale = weight * inverse;
            for (grad, x) in grad.iter_mut().zip(x) {
                *grad = (*grad - offset - *x * slope) * scale;
            }
            [along, total]
        })
        .collect();
    let mut gradients = [(); 2].map(|()| vec![E::default(); channels]);
    for (index, plane) in sums.iter().enumerate() {
        for (gradient, value) in gradients.iter_mut().zip(plane) {
            gradient[index % channels] += *value;
        }
    }
    let [weight, bias] = gradients.map(|values| tensor(values, &[channels]));
    Gradients {
        x: grad,
        weight,
        bias,
    }
}

/// Sums run in this many lanes, which the compiler maps to vector registers.
const LANES: usize = 16;

/// The sum of `map` over `values`.
pub(super) fn sum<E: Real>(values: &[E], map: impl Fn(E) -> E) -> E {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [E::default(); LANES];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += map(*value);
        }
    }
    total(&lanes, rest.iter().map(|value| map(*value)))
}

/// The sum of `left (right - center)`.
fn dot<E: Real>(left: &[E], right: &[E], center: E) -> E {
    let (left_chunks, left_rest) = left.as_chunks::<LANES>();
    let (right_chunks, right_rest) = right.as_chunks::<LANES>();
    let mut lanes = [E::default(); LANES];
    for (left, right) in left_chunks.iter().zip(right_chunks) {
        for (lane, (left, right)) in lanes.iter_mut().zip(left.iter().zip(right)) {
            *lane += *left * (*right - center);
        }
    }
    let rest = left_rest.iter().zip(right_rest);
    total(&lanes, rest.map(|(left, right)| *left * (*right - center)))
}

fn total<E: Real>(lanes: &[E], rest: impl Iterator<Item = E>) -> E {
    let mut total = E::default();
    lanes.iter().copied().chain(rest).for_each(|value| total += value);
    total
}
