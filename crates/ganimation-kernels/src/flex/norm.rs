//! Instance normalisation in two passes: one for the statistics, one for the values.

use burn::backend::flex::FlexTensor;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    conv::nearest,
    filled::filled,
    image::{Images, tensor},
    simd::{load, store, vectorize},
};

/// Number of values summed at a time. They stay in a cache, and short sums have small rounding errors.
const CHUNK: usize = 1 << 14;

/// Mean and inverse deviation of each channel of each image, `[batch, channels]` each.
#[derive(Debug, Clone)]
pub(super) struct Statistics {
    mean: Vec<f32>,
    inverse: Vec<f32>,
}

/// Gradients of the input, the scale and the shift.
pub(super) struct Gradients {
    pub(super) x: FlexTensor,
    pub(super) weight: FlexTensor,
    pub(super) bias: FlexTensor,
}

/// The operation after a normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Nothing,
    /// ReLU: sets negative values to 0.
    Relu,
}

/// Normalises every channel of every image of `[batch, channels, height, width]`, and adds `skip` if there is one.
///
/// The scale and the shift are `[channels]` or `[batch, channels]`.
pub(super) fn forward(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: &FlexTensor,
    skip: Option<&FlexTensor>,
    epsilon: f64,
    after: After,
) -> (FlexTensor, Statistics) {
    let x = Images::new(x);
    let skip = skip.map(Images::new);
    let (weight, bias) = (weight.to_contiguous(), bias.to_contiguous());
    let (weight, bias) = (weight.storage::<f32>(), bias.storage::<f32>());
    let statistics = statistics(&x, nearest(epsilon));
    let channels = x.channels;
    let chunks = chunks(&x);
    let affine = affine(&statistics, weight, bias);
    let lengths: Vec<usize> = x.values().chunks(chunks.length).map(<[f32]>::len).collect();
    let out = filled(&lengths, |index, out| {
        let image = index / chunks.an_image * channels;
        let piece = index * chunks.length..index * chunks.length + out.len();
        vectorize(Normalize {
            x: &x.values()[piece.clone()],
            skip: skip.as_ref().map(|skip| &skip.values()[piece]),
            scale: &affine[0][image..][..channels],
            shift: &affine[1][image..][..channels],
            rectify: after == After::Relu,
            out,
        });
    });
    (Images::from_values(out, x.shape()).into_tensor(), statistics)
}

/// The gradients, computed from `grad`, the gradient of the output. The gradient of a skip is `grad` itself.
pub(super) fn backward(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: &FlexTensor,
    statistics: &Statistics,
    after: After,
    grad: FlexTensor,
) -> Gradients {
    let x = Images::new(x);
    let mut gradient = Images::new(&grad);
    drop(grad); // usually the last other handle; after this, the gradient is written in place
    let (weight, bias) = (weight.to_contiguous(), bias.to_contiguous());
    let parameters = weight.layout().shape().to_vec();
    let (weight, bias) = (weight.storage::<f32>(), bias.storage::<f32>());
    let channels = x.channels;
    let chunks = chunks(&x);
    let affine = affine(statistics, weight, bias);
    // Sums of the gradient and of its product with the centred input, for each chunk.
    let sums: Vec<[Vec<f32>; 2]> = gradient
        .values_mut()
        .par_chunks_mut(chunks.length)
        .zip(x.values().par_chunks(chunks.length))
        .enumerate()
        .map(|(index, (grad, x))| {
            let image = index / chunks.an_image * channels;
            let mut sums = [(); 2].map(|()| vec![0.0; channels]);
            vectorize(GradientSums {
                x,
                grad,
                mean: &statistics.mean[image..][..channels],
                scale: &affine[0][image..][..channels],
                shift: &affine[1][image..][..channels],
                rectify: after == After::Relu,
                sums: &mut sums,
            });
            sums
        })
        .collect();
    let count = nearest((x.height * x.width) as f64);
    let mut gradients = [(); 2].map(|()| vec![0.0; weight.len()]);
    // With z the normalised input: weight / deviation * (grad - mean(grad) - z mean(grad z)), which is linear in grad
    // and x.
    let mut linear = [(); 3].map(|()| Vec::with_capacity(x.batch * channels));
    for (image, parts) in sums.chunks(chunks.an_image).enumerate() {
        for channel in 0..channels {
            let index = image * channels + channel;
            let [total, along] = [0, 1].map(|kind| parts.iter().map(|part| part[kind][channel]).sum::<f32>());
            let (mean, inverse) = (statistics.mean[index], statistics.inverse[index]);
            // The images share the parameters, or each image has its own parameters.
            let parameter = index % weight.len();
            gradients[0][parameter] += along * inverse;
            gradients[1][parameter] += total;
            let scale = weight[parameter] * inverse;
            let slope = along * inverse * inverse / count;
            linear[0].push(scale);
            linear[1].push(-scale * slope);
            linear[2].push(-scale * (total / count - mean * slope));
        }
    }
    gradient
        .values_mut()
        .par_chunks_mut(chunks.length)
        .zip(x.values().par_chunks(chunks.length))
        .enumerate()
        .for_each(|(index, (grad, x))| {
            let image = index / chunks.an_image * channels;
            vectorize(Combine {
                x,
                grad,
                factors: linear.each_ref().map(|factors| &factors[image..][..channels]),
            });
        });
    let [weight, bias] = gradients.map(|values| tensor(values, &parameters));
    Gradients {
        x: gradient.into_tensor(),
        weight,
        bias,
    }
}

/// Division of images into chunks. A chunk never contains pixels of two images.
struct Chunks {
    /// Floats in a chunk; all chunks have this length.
    length: usize,
    an_image: usize,
}

fn chunks(x: &Images) -> Chunks {
    let image = x.height * x.width;
    let wanted = (image * x.channels).div_ceil(CHUNK);
    // The smallest number of equal chunks that are short enough, or one chunk if the size has no such divisor.
    let an_image = (wanted..=4 * wanted)
        .find(|count| image.is_multiple_of(*count))
        .unwrap_or(1);
    Chunks {
        length: (image / an_image * x.channels).max(1),
        an_image,
    }
}

fn statistics(x: &Images, epsilon: f32) -> Statistics {
    let channels = x.channels;
    let chunks = chunks(x);
    let image = chunks.length * chunks.an_image;
    // The sums of the values and of their squares for each chunk. The image's first pixel is subtracted from the
    // values, because a mean far from zero would make the variance inaccurate.
    let sums: Vec<[Vec<f32>; 2]> = x
        .values()
        .par_chunks(chunks.length)
        .enumerate()
        .map(|(index, chunk)| {
            let origin = &x.values()[index / chunks.an_image * image..][..channels];
            let mut sums = [(); 2].map(|()| vec![0.0; channels]);
            vectorize(Moments {
                x: chunk,
                origin,
                sums: &mut sums,
            });
            sums
        })
        .collect();
    let count = nearest((x.height * x.width) as f64);
    let mut statistics = Statistics {
        mean: Vec::with_capacity(x.batch * channels),
        inverse: Vec::with_capacity(x.batch * channels),
    };
    for (index, parts) in sums.chunks(chunks.an_image).enumerate() {
        for channel in 0..channels {
            let [sum, squares] = [0, 1].map(|kind| parts.iter().map(|part| part[kind][channel]).sum::<f32>());
            let mean = sum / count;
            let variance = (squares / count - mean * mean).max(0.0);
            statistics.mean.push(x.values()[index * image + channel] + mean);
            statistics.inverse.push((variance + epsilon).sqrt().recip());
        }
    }
    statistics
}

/// Scale and shift of each channel of each image; `weight` and `bias` are repeated if the images share them.
fn affine(statistics: &Statistics, weight: &[f32], bias: &[f32]) -> [Vec<f32>; 2] {
    let parameters = weight.iter().zip(bias).cycle();
    let planes = statistics.mean.iter().zip(&statistics.inverse).zip(parameters);
    planes
        .map(|((mean, inverse), (weight, bias))| {
            let scale = inverse * weight;
            (scale, bias - mean * scale)
        })
        .unzip::<f32, f32, Vec<_>, Vec<_>>()
        .into()
}

/// Sums of pixels, `[.., channels]` to `[channels]`.
pub(super) fn sum_pixels(pixels: &[f32], channels: usize) -> Vec<f32> {
    let mut sums = [(); 2].map(|()| vec![0.0; channels]);
    let origin = vec![0.0; channels];
    for chunk in pixels.chunks(CHUNK.next_multiple_of(channels)) {
        vectorize(Moments {
            x: chunk,
            origin: &origin,
            sums: &mut sums,
        });
    }
    let [sums, _] = sums;
    sums
}

/// Adds the sums of `x - origin` and of its square to `sums`.
struct Moments<'a> {
    x: &'a [f32],
    origin: &'a [f32],
    sums: &'a mut [Vec<f32>; 2],
}

impl WithSimd for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.origin.len();
        for channel in (0..channels).step_by(S::F32_LANES) {
            let origin = load(simd, self.origin, channel, channels);
            let mut sum = load(simd, &self.sums[0], channel, channels);
            let mut squares = load(simd, &self.sums[1], channel, channels);
            for pixel in self.x.chunks_exact(channels) {
                let value = simd.sub_f32s(load(simd, pixel, channel, channels), origin);
                sum = simd.add_f32s(sum, value);
                squares = simd.mul_add_e_f32s(value, value, squares);
            }
            store(simd, &mut self.sums[0], channel, channels, sum);
            store(simd, &mut self.sums[1], channel, channels, squares);
        }
    }
}

/// `scale x + shift`, then the skip and the ReLU.
struct Normalize<'a> {
    x: &'a [f32],
    skip: Option<&'a [f32]>,
    scale: &'a [f32],
    shift: &'a [f32],
    rectify: bool,
    out: &'a mut [f32],
}

impl WithSimd for Normalize<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.scale.len();
        let zero = simd.splat_f32s(0.0);
        for start in (0..self.x.len()).step_by(channels) {
            for channel in (0..channels).step_by(S::F32_LANES) {
                let scale = load(simd, self.scale, channel, channels);
                let shift = load(simd, self.shift, channel, channels);
                let (at, end) = (start + channel, start + channels);
                let mut value = simd.mul_add_e_f32s(load(simd, self.x, at, end), scale, shift);
                if let Some(skip) = self.skip {
                    value = simd.add_f32s(value, load(simd, skip, at, end));
                }
                if self.rectify {
                    value = simd.max_f32s(value, zero);
                }
                store(simd, self.out, at, end, value);
            }
        }
    }
}

/// Sets the gradient to 0 where the ReLU was 0. Sums it, and its product with `x - mean`.
struct GradientSums<'a> {
    x: &'a [f32],
    grad: &'a mut [f32],
    mean: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    rectify: bool,
    sums: &'a mut [Vec<f32>; 2],
}

impl WithSimd for GradientSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.mean.len();
        let zero = simd.splat_f32s(0.0);
        for channel in (0..channels).step_by(S::F32_LANES) {
            let mean = load(simd, self.mean, channel, channels);
            let scale = load(simd, self.scale, channel, channels);
            let shift = load(simd, self.shift, channel, channels);
            let (mut total, mut along) = (zero, zero);
            for (x, grad) in self
                .x
                .chunks_exact(channels)
                .zip(self.grad.chunks_exact_mut(channels))
            {
                let x = load(simd, x, channel, channels);
                let mut value = load(simd, grad, channel, channels);
                if self.rectify {
                    let passed = simd.greater_than_f32s(simd.mul_add_e_f32s(x, scale, shift), zero);
                    value = simd.select_f32s(passed, value, zero);
                    store(simd, grad, channel, channels, value);
                }
                total = simd.add_f32s(total, value);
                along = simd.mul_add_e_f32s(value, simd.sub_f32s(x, mean), along);
            }
            store(simd, &mut self.sums[0], channel, channels, total);
            store(simd, &mut self.sums[1], channel, channels, along);
        }
    }
}

/// `grad = factors[0] grad + factors[1] x + factors[2]`.
struct Combine<'a> {
    x: &'a [f32],
    grad: &'a mut [f32],
    factors: [&'a [f32]; 3],
}

impl WithSimd for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.factors[0].len();
        for start in (0..self.x.len()).step_by(channels) {
            for channel in (0..channels).step_by(S::F32_LANES) {
                let of_grad = load(simd, self.factors[0], channel, channels);
                let of_x = load(simd, self.factors[1], channel, channels);
                let rest = load(simd, self.factors[2], channel, channels);
                let (at, end) = (start + channel, start + channels);
                let value = simd.mul_add_e_f32s(load(simd, self.x, at, end), of_x, rest);
                let value = simd.mul_add_e_f32s(load(simd, self.grad, at, end), of_grad, value);
                store(simd, self.grad, at, end, value);
            }
        }
    }
}
