//! Warping of pictures along a field, and its gradients.

use std::ops::Range;

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::{
    filled::filled,
    image::Images,
    places::{Between, Places},
};

/// Pixels that a thread takes at a time, in whole rows.
const CHUNK: usize = 1 << 12;
/// The smallest number of rows in a band of the image's gradient. Rows that affect two bands are processed for both.
const BAND: usize = 8;

/// The size of every picture of a batch.
#[derive(Debug, Clone, Copy)]
struct Picture {
    width: usize,
    height: usize,
}

impl Picture {
    fn of(images: &Images) -> Self {
        Self {
            width: images.width,
            height: images.height,
        }
    }

    /// A picture's values, in a batch with `channels` values per pixel.
    fn cut(self, values: &[f32], channels: usize, image: usize) -> &[f32] {
        let length = self.height * self.width * channels;
        &values[image * length..][..length]
    }

    /// A picture's motion to the right and down, in the row-major `[batch, 2, height, width]` of [`planes`].
    fn motion(self, field: &FlexTensor, image: usize) -> [&[f32]; 2] {
        let plane = self.height * self.width;
        let (right, down) = self.cut(field.storage(), 2, image).split_at(plane);
        [right, down]
    }

    /// The four pixels around a position: those of the first row, then those of the second row.
    #[inline(always)]
    fn corners(self, picture: &[f32], channels: usize, [across, down]: [Between; 2]) -> [&[f32]; 4] {
        let pixel =
            |row: usize, column: usize| &picture[(row * self.width + column) * channels..][..channels];
        [
            pixel(down.first, across.first),
            pixel(down.first, across.second),
            pixel(down.second, across.first),
            pixel(down.second, across.second),
        ]
    }

    /// Bands of at most `rows` rows, each inside one picture: the picture's index, and its rows.
    fn bands(self, batch: usize, rows: usize) -> Vec<(usize, Range<usize>)> {
        (0..batch)
            .flat_map(|image| {
                let starts = (0..self.height).step_by(rows);
                starts.map(move |start| (image, start..(start + rows).min(self.height)))
            })
            .collect()
    }

    /// Rows of about [`CHUNK`] pixels.
    fn rows(self) -> usize {
        (CHUNK / self.width.max(1)).max(1)
    }
}

/// Number of floats in each band, for `row` floats per row.
fn lengths(bands: &[(usize, Range<usize>)], row: usize) -> Vec<usize> {
    bands.iter().map(|(_, rows)| rows.len() * row).collect()
}

/// A field in row-major order, which is also the order after enlarging.
pub(super) fn planes(field: &FlexTensor) -> FlexTensor {
    field.to_contiguous()
}

/// Samples `x`, `[batch, channels, height, width]`, at the positions of `field`, `[batch, 2, height, width]` from
/// [`planes`].
pub(super) fn forward(x: &Images, field: &FlexTensor) -> Images {
    let picture = Picture::of(x);
    let bands = picture.bands(x.batch, picture.rows());
    let row_length = x.width * x.channels;
    let out = filled(&lengths(&bands, row_length), |index, out| {
        let (image, rows) = bands[index].clone();
        let values = picture.cut(x.values(), x.channels, image);
        let motion = picture.motion(field, image);
        let mut places = Places::new(x.width, x.height);
        for (row, out) in rows.zip(out.chunks_exact_mut(row_length.max(1))) {
            places.locate(motion, row);
            // A constant number of channels lets the compiler unroll their loop.
            match x.channels {
                1 => read_row(picture, values, 1, &places, out),
                3 => read_row(picture, values, 3, &places, out),
                channels => read_row(picture, values, channels, &places, out),
            }
        }
    });
    Images::from_values(out, x.shape())
}

#[inline(always)]
fn read_row(picture: Picture, values: &[f32], channels: usize, places: &Places, out: &mut [f32]) {
    for (place, out) in places.iter().zip(out.chunks_exact_mut(channels.max(1))) {
        let [a, b, c, d] = picture.corners(values, channels, place);
        let [across, down] = place;
        for channel in 0..channels {
            let above = a[channel] + across.share * (b[channel] - a[channel]);
            let below = c[channel] + across.share * (d[channel] - c[channel]);
            out[channel] = above + down.share * (below - above);
        }
    }
}

/// The gradient of the field, from `grad`, the gradient of the output.
pub(super) fn field_gradient(x: &Images, field: &FlexTensor, grad: &Images) -> Images {
    let picture = Picture::of(x);
    let bands = picture.bands(x.batch, picture.rows());
    let gradient = filled(&lengths(&bands, x.width * 2), |index, out| {
        let (image, rows) = bands[index].clone();
        let [values, grad] = [x, grad].map(|images| picture.cut(images.values(), x.channels, image));
        let motion = picture.motion(field, image);
        let mut places = Places::new(x.width, x.height);
        for (row, out) in rows.zip(out.chunks_exact_mut((x.width * 2).max(1))) {
            places.locate(motion, row);
            match x.channels {
                1 => slope_row(picture, [values, grad], 1, &places, row, out),
                3 => slope_row(picture, [values, grad], 3, &places, row, out),
                channels => slope_row(picture, [values, grad], channels, &places, row, out),
            }
        }
    });
    Images::from_values(gradient, [x.batch, 2, x.height, x.width])
}

#[inline(always)]
fn slope_row(
    picture: Picture,
    [values, grad]: [&[f32]; 2],
    channels: usize,
    places: &Places,
    row: usize,
    out: &mut [f32],
) {
    let grad = grad[row * picture.width * channels..].chunks_exact(channels.max(1));
    for ((place, grad), out) in places.iter().zip(grad).zip(out.as_chunks_mut::<2>().0) {
        let [a, b, c, d] = picture.corners(values, channels, place);
        let [across, down] = place;
        let [mut right, mut below] = [0.0; 2];
        for channel in 0..channels {
            let (a, b, c, d) = (a[channel], b[channel], c[channel], d[channel]);
            right += grad[channel] * ((b - a) + down.share * ((d - c) - (b - a)));
            below += grad[channel] * ((c - a) + across.share * ((d - b) - (c - a)));
        }
        *out = [across.field_slope(right), down.field_slope(below)];
    }
}

/// The gradient of the image, from `grad`, the gradient of the output.
///
/// Each thread computes a band of rows. The contributions to a pixel are summed in the order of the output's pixels, so
/// the bits do not depend on the bands or on the number of threads.
pub(super) fn image_gradient(field: &FlexTensor, grad: &Images) -> Images {
    let picture = Picture::of(grad);
    let (batch, channels, height) = (grad.batch, grad.channels, grad.height);
    let wanted = (4 * rayon::current_num_threads()).div_ceil(batch.max(1));
    let bands = picture.bands(batch, height.div_ceil(wanted).max(BAND));
    // The first and the last row that each row of the output reads.
    let reach: Vec<[usize; 2]> = (0..batch * height)
        .into_par_iter()
        .with_min_len(picture.rows())
        .map_init(
            || Places::new(grad.width, height),
            |places, index| {
                places.locate(picture.motion(field, index / height), index % height);
                places.rows()
            },
        )
        .collect();
    let gradient = filled(&lengths(&bands, grad.width * channels), |index, out| {
        let (image, rows) = bands[index].clone();
        let motion = picture.motion(field, image);
        let mut places = Places::new(grad.width, height);
        let grad = picture.cut(grad.values(), channels, image);
        for (row, [low, high]) in reach[image * height..][..height].iter().enumerate() {
            if *high < rows.start || rows.end <= *low {
                continue;
            }
            places.locate(motion, row);
            match channels {
                1 => spread_row(picture, grad, 1, &places, row, rows.clone(), out),
                3 => spread_row(picture, grad, 3, &places, row, rows.clone(), out),
                _ => spread_row(picture, grad, channels, &places, row, rows.clone(), out),
            }
        }
    });
    Images::from_values(gradient, grad.shape())
}

/// Adds the gradient of a row of the output to `out`, which contains the rows `rows` of the image's gradient.
#[inline(always)]
fn spread_row(
    picture: Picture,
    grad: &[f32],
    channels: usize,
    places: &Places,
    row: usize,
    rows: Range<usize>,
    out: &mut [f32],
) {
    let grad = grad[row * picture.width * channels..].chunks_exact(channels.max(1));
    for ([across, down], grad) in places.iter().zip(grad) {
        for (target, share) in [(down.first, 1.0 - down.share), (down.second, down.share)] {
            if !rows.contains(&target) {
                continue;
            }
            let start = (target - rows.start) * picture.width;
            for (column, share) in [
                (across.first, share * (1.0 - across.share)),
                (across.second, share * across.share),
            ] {
                let out = &mut out[(start + column) * channels..][..channels];
                for (out, grad) in out.iter_mut().zip(grad) {
                    *out += share * grad;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flex::image::tensor;

    #[test]
    fn the_gradient_of_the_image_has_the_same_bits_with_any_number_of_threads() {
        let shape = [1, 3, 61, 37];
        let wave = |count: usize, step: f32| (0..count).map(|index| (index as f32 * step).sin()).collect();
        let grad = Images::from_values(wave(3 * 61 * 37, 0.7), shape);
        let field: Vec<f32> = wave(2 * 61 * 37, 0.37);
        let field = field.into_iter().map(|value| 0.4 * value).collect();
        let field = tensor(field, &[1, 2, 61, 37]);
        let [one, three] = [1, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| image_gradient(&field, &grad))
        });
        let bits = |images: &Images| {
            images
                .values()
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(&one), bits(&three));
    }
}
