//! Tiles of images, transformed on the way in and out.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::{
    Lattice, TILE,
    algorithm::{Algorithm, sandwich, transposed},
    element_stride,
};
use crate::flex::{
    finish::Finish,
    image::Images,
    product::WIDTH,
    simd::{load, store},
};

/// The position of a tile: the image of the batch, and its row and column among the tiles.
pub(super) type Place = [usize; 3];

/// Offsets of a tile's `N` x `N` pixels from the start of the batch; `None` beyond the image.
fn pixels<const N: usize>(
    [height, width, channels]: [usize; 3],
    lattice: Lattice,
    lead: [usize; 2],
    [image, row, column]: Place,
) -> [[Option<usize>; N]; N] {
    let along = |axis: usize, tile: usize, step: usize, size: usize| {
        let index = (tile * TILE + step).checked_sub(lead[axis])?;
        Some(lattice.offset[axis] + index * lattice.step).filter(|pixel| *pixel < size)
    };
    std::array::from_fn(|i| {
        let y = along(0, row, i, height);
        std::array::from_fn(|j| {
            let x = along(1, column, j, width);
            Some(((image * height + y?) * width + x?) * channels)
        })
    })
}

/// The values of some channels of a tile's pixels, zeros beyond the image.
#[inline(always)]
fn gather<S: Simd, const N: usize>(
    simd: S,
    values: &[f32],
    pixels: &[[Option<usize>; N]; N],
    channel: usize,
    channels: usize,
) -> [[S::f32s; N]; N] {
    let mut tile = [[simd.splat_f32s(0.0); N]; N];
    for row in 0..N {
        for column in 0..N {
            if let Some(start) = pixels[row][column] {
                tile[row][column] = load(simd, values, start + channel, start + channels);
            }
        }
    }
    tile
}

/// `B^T d B` of some tiles, for all channels of the images.
pub(super) struct Inputs<'a, W> {
    pub(super) algorithm: PhantomData<W>,
    pub(super) images: &'a Images,
    pub(super) lattice: Lattice,
    pub(super) lead: [usize; 2],
    pub(super) places: &'a [Place],
    /// `[points, places, stride]`, points [`element_stride`] apart, of which this writes `channels` from `column` on.
    pub(super) transformed: &'a mut [f32],
    pub(super) column: usize,
    pub(super) stride: usize,
}

impl<W> Inputs<'_, W> {
    #[inline(always)]
    pub(super) fn run<S: Simd, const POINTS: usize, const TAPS: usize>(self, simd: S)
    where
        W: Algorithm<POINTS, TAPS>,
    {
        let Images {
            channels,
            height,
            width,
            ..
        } = *self.images;
        let values = self.images.values();
        let plane = element_stride(self.places.len() * self.stride);
        for (index, place) in self.places.iter().enumerate() {
            let pixels = pixels::<POINTS>([height, width, channels], self.lattice, self.lead, *place);
            for channel in (0..channels).step_by(S::F32_LANES) {
                let tile = gather(simd, values, &pixels, channel, channels);
                let tile = sandwich(simd, &W::INPUT, &tile);
                let start = index * self.stride + self.column;
                for row in 0..POINTS {
                    for column in 0..POINTS {
                        let start = (row * POINTS + column) * plane + start;
                        let vector = tile[row][column];
                        store(simd, self.transformed, start + channel, start + channels, vector);
                    }
                }
            }
        }
    }
}

/// `A y A^T` of some tiles of the gradients of outputs: the adjoint of [`Outputs`].
pub(super) struct OutputGradients<'a, W> {
    pub(super) algorithm: PhantomData<W>,
    pub(super) images: &'a Images,
    pub(super) lattice: Lattice,
    pub(super) places: &'a [Place],
    /// `[points, panels of channels, places, WIDTH]`, points [`element_stride`] apart.
    pub(super) transformed: &'a mut [f32],
}

impl<W> OutputGradients<'_, W> {
    #[inline(always)]
    pub(super) fn run<S: Simd, const POINTS: usize, const TAPS: usize>(self, simd: S)
    where
        W: Algorithm<POINTS, TAPS>,
    {
        let Images {
            channels,
            height,
            width,
            ..
        } = *self.images;
        let values = self.images.values();
        let panel = self.places.len() * WIDTH;
        let plane = element_stride(channels.div_ceil(WIDTH) * panel);
        for (index, place) in self.places.iter().enumerate() {
            let pixels = pixels::<TILE>([height, width, channels], self.lattice, [0; 2], *place);
            for channel in (0..channels).step_by(S::F32_LANES) {
                let tile = gather(simd, values, &pixels, channel, channels);
                let tile = sandwich(simd, const { &transposed(&W::OUTPUT) }, &tile);
                let start = channel / WIDTH * panel + index * WIDTH + channel % WIDTH;
                for row in 0..POINTS {
                    for column in 0..POINTS {
                        let start = (row * POINTS + column) * plane + start;
                        store(
                            simd,
                            self.transformed,
                            start,
                            start + S::F32_LANES,
                            tile[row][column],
                        );
                    }
                }
            }
        }
    }
}

/// `A^T m A` of some tiles, written to the pixels of the target.
pub(super) struct Outputs<'a, W> {
    pub(super) algorithm: PhantomData<W>,
    /// `[points, places, WIDTH]`, points [`element_stride`] apart.
    pub(super) products: &'a [f32],
    pub(super) places: &'a [Place],
    pub(super) lattice: Lattice,
    /// Height, width and channels of the target.
    pub(super) shape: [usize; 3],
    /// The target's floats from `start` of the batch on.
    pub(super) target: &'a mut [f32],
    pub(super) start: usize,
    /// The first of the at most `WIDTH` channels.
    pub(super) channel: usize,
    pub(super) finish: Finish<'a>,
}

impl<W> Outputs<'_, W> {
    #[inline(always)]
    pub(super) fn run<S: Simd, const POINTS: usize, const TAPS: usize>(self, simd: S)
    where
        W: Algorithm<POINTS, TAPS>,
    {
        let channels = self.shape[2];
        let plane = element_stride(self.places.len() * WIDTH);
        for (index, place) in self.places.iter().enumerate() {
            let pixels = pixels::<TILE>(self.shape, self.lattice, [0; 2], *place);
            let last = channels.min(self.channel + WIDTH);
            for channel in (self.channel..last).step_by(S::F32_LANES) {
                let start = index * WIDTH + channel - self.channel;
                let mut tile = [[simd.splat_f32s(0.0); POINTS]; POINTS];
                for row in 0..POINTS {
                    for column in 0..POINTS {
                        let start = (row * POINTS + column) * plane + start;
                        tile[row][column] = load(simd, self.products, start, start + S::F32_LANES);
                    }
                }
                let tile = sandwich(simd, &W::OUTPUT, &tile);
                for row in 0..TILE {
                    for column in 0..TILE {
                        if let Some(pixel) = pixels[row][column] {
                            let start = pixel - self.start;
                            let vector = self.finish.vector(simd, channel, tile[row][column]);
                            store(simd, self.target, start + channel, start + last, vector);
                        }
                    }
                }
            }
        }
    }
}

/// Implements the vector operation for a struct with a `run` method, for both algorithms.
macro_rules! with_simd {
    ($($name:ident),+) => {$(
        impl WithSimd for $name<'_, super::algorithm::Three> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                self.run::<S, 6, 3>(simd);
            }
        }

        impl WithSimd for $name<'_, super::algorithm::Two> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                self.run::<S, 5, 2>(simd);
            }
        }
    )+};
}

with_simd!(Inputs, OutputGradients, Outputs);
