//! Values that depend on a pixel's distance to the border.

use burn::backend::flex::FlexTensor;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    image::Images,
    simd::{load, store, vectorize},
};

/// The kind of a pixel on an axis of `size` pixels. `kinds` is odd. The first and the last half of the kinds are for
/// the pixels at the borders, one kind per pixel. The middle kind is for all other pixels.
fn kind(pixel: usize, size: usize, kinds: usize) -> usize {
    let half = kinds / 2;
    if pixel < half {
        pixel
    } else {
        (pixel + kinds).saturating_sub(size).max(half)
    }
}

/// `[batch, channels, height, width]` plus, at every pixel, the value of its kind in `[batch, channels, kinds, kinds]`.
pub(super) fn add(x: FlexTensor, kinds: &FlexTensor) -> FlexTensor {
    let mut images = Images::new(&x);
    drop(x); // usually the last other handle; after this, the sum is written in place
    let kinds = Images::new(kinds);
    let [_, channels, height, width] = images.shape();
    let row = width * channels;
    images
        .values_mut()
        .par_chunks_exact_mut(row.max(1))
        .enumerate()
        .for_each(|(index, pixels)| {
            let (image, y) = (index / height, index % height);
            let first = (image * kinds.height + kind(y, height, kinds.height)) * kinds.width;
            vectorize(AddRow {
                pixels,
                kinds: &kinds.values()[first * channels..][..kinds.width * channels],
                channels,
            });
        });
    images.into_tensor()
}

/// The adjoint of [`add`] with respect to `kinds`: the sum of the gradient over the pixels of each kind.
pub(super) fn sum(gradient: &FlexTensor, count: usize) -> FlexTensor {
    let gradient = Images::new(gradient);
    let [batch, channels, height, width] = gradient.shape();
    let mut sums = vec![0.0; batch * count * count * channels];
    sums.par_chunks_exact_mut((count * count * channels).max(1))
        .zip(
            gradient
                .values()
                .par_chunks_exact((height * width * channels).max(1)),
        )
        .for_each(|(sums, pixels)| {
            for (y, pixels) in pixels.chunks_exact(width * channels).enumerate() {
                let first = kind(y, height, count) * count * channels;
                vectorize(SumRow {
                    pixels,
                    sums: &mut sums[first..][..count * channels],
                    channels,
                });
            }
        });
    Images::from_values(sums, [batch, channels, count, count]).into_tensor()
}

struct AddRow<'a> {
    pixels: &'a mut [f32],
    /// `[kinds, channels]`.
    kinds: &'a [f32],
    channels: usize,
}

impl WithSimd for AddRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.channels;
        let width = self.pixels.len() / channels;
        for x in 0..width {
            let from = kind(x, width, self.kinds.len() / channels) * channels;
            for channel in (0..channels).step_by(S::F32_LANES) {
                let (at, end) = (x * channels + channel, (x + 1) * channels);
                let value = load(simd, self.kinds, from + channel, from + channels);
                let value = simd.add_f32s(load(simd, self.pixels, at, end), value);
                store(simd, self.pixels, at, end, value);
            }
        }
    }
}

struct SumRow<'a> {
    pixels: &'a [f32],
    /// `[kinds, channels]`.
    sums: &'a mut [f32],
    channels: usize,
}

impl WithSimd for SumRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.channels;
        let width = self.pixels.len() / channels;
        for x in 0..width {
            let to = kind(x, width, self.sums.len() / channels) * channels;
            for channel in (0..channels).step_by(S::F32_LANES) {
                let value = load(simd, self.pixels, x * channels + channel, (x + 1) * channels);
                let value = simd.add_f32s(load(simd, self.sums, to + channel, to + channels), value);
                store(simd, self.sums, to + channel, to + channels, value);
            }
        }
    }
}
