//! Operations on a convolution's output while it is in the cache: bias and leaky ReLU.

use pulp::{Simd, WithSimd};

use super::simd::{load, store, vectorize};

/// The end of a convolution.
#[derive(Clone, Copy, Default)]
pub(super) struct Finish<'a> {
    /// `[filters]`.
    pub(super) bias: Option<&'a [f32]>,
    /// Slope below 0 of a leaky ReLU.
    pub(super) slope: Option<f32>,
}

impl Finish<'_> {
    /// Finishes whole pixels, `[.., filters]`.
    pub(super) fn apply(self, pixels: &mut [f32], filters: usize) {
        if self.bias.is_some() || self.slope.is_some() {
            vectorize(Apply {
                finish: self,
                pixels,
                filters,
            });
        }
    }

    /// Finishes one vector of values, whose first lane is the output channel `channel`.
    #[inline(always)]
    pub(super) fn vector<S: Simd>(self, simd: S, channel: usize, mut value: S::f32s) -> S::f32s {
        if let Some(bias) = self.bias {
            value = simd.add_f32s(value, load(simd, bias, channel, bias.len()));
        }
        if let Some(slope) = self.slope {
            value = leak(simd, value, value, simd.splat_f32s(slope));
        }
        value
    }
}

/// `value` where `sign` is above 0, `slope value` elsewhere.
#[inline(always)]
pub(super) fn leak<S: Simd>(simd: S, sign: S::f32s, value: S::f32s, slope: S::f32s) -> S::f32s {
    let above = simd.greater_than_f32s(sign, simd.splat_f32s(0.0));
    simd.select_f32s(above, value, simd.mul_f32s(value, slope))
}

struct Apply<'a> {
    finish: Finish<'a>,
    pixels: &'a mut [f32],
    filters: usize,
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for pixel in self.pixels.chunks_exact_mut(self.filters) {
            for channel in (0..self.filters).step_by(S::F32_LANES) {
                let value = load(simd, pixel, channel, self.filters);
                let value = self.finish.vector(simd, channel, value);
                store(simd, pixel, channel, self.filters, value);
            }
        }
    }
}
