//! Images as matrices whose columns are what the kernel sees at each position, and back.
//!
//! A padded channel is first split into phases, one for each remainder of its coordinates by the stride. In a phase,
//! what a kernel element sees along a row of positions is contiguous for any stride, and no border is left to check:
//! unfolding is copying rows, folding (its adjoint) is adding them. Layout of the phases:
//! `[channels, images, phases down, phases across, height, width]`.

use std::ops::Range;

use super::{geometry::Geometry, real::Real};

/// Sizes of the phases of one padded channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phases {
    geometry: Geometry,
    /// Phases down and across; those that no kernel element reaches are left out.
    count: [usize; 2],
    /// Height and width of each phase.
    size: [usize; 2],
}

impl Phases {
    pub(super) fn new(geometry: Geometry) -> Self {
        let stride = geometry.stride;
        Self {
            geometry,
            count: geometry.kernel.map(|kernel| kernel.min(stride)),
            size: [0, 1].map(|axis| geometry.grid[axis] + (geometry.kernel[axis] - 1) / stride),
        }
    }

    /// Elements of a channel of an image.
    pub(super) fn length(&self) -> usize {
        self.count[0] * self.count[1] * self.size[0] * self.size[1]
    }

    /// The positions along `axis` in a phase that hold pixels, and the first one's pixel.
    fn covered(&self, axis: usize, phase: usize) -> (Range<usize>, usize) {
        let (stride, padding) = (self.geometry.stride, self.geometry.padding[axis]);
        let first = padding.saturating_sub(phase).div_ceil(stride);
        let end = (self.geometry.image[axis] + padding)
            .saturating_sub(phase)
            .div_ceil(stride)
            .min(self.size[axis]);
        let pixel = (first * stride + phase).saturating_sub(padding);
        (first.min(end)..end, pixel)
    }

    /// Splits a channel `[height, width]` into its phases; the padding becomes zeros.
    pub(super) fn split<E: Real>(&self, channel: &[E], phases: &mut [E]) {
        let [height, width] = self.size;
        let stride = self.geometry.stride;
        phases.fill(E::default());
        for (index, phase) in phases.chunks_exact_mut(height * width).enumerate() {
            let (rows, first_y) = self.covered(0, index / self.count[1]);
            let (columns, first_x) = self.covered(1, index % self.count[1]);
            for (step, row) in rows.enumerate() {
                let source =
                    &channel[(first_y + step * stride) * self.geometry.image[1]..][..self.geometry.image[1]];
                let target = &mut phase[row * width..][columns.clone()];
                match stride {
                    1 => target.copy_from_slice(&source[first_x..][..target.len()]),
                    2 => gather_every::<2, E>(&source[first_x.min(source.len())..], target),
                    _ => {
                        let source = source.iter().skip(first_x).step_by(stride);
                        target.iter_mut().zip(source).for_each(|(t, s)| *t = *s);
                    }
                }
            }
        }
    }

    /// The adjoint of [`Self::split`]: writes every pixel of the channel.
    pub(super) fn merge<E: Real>(&self, phases: &[E], channel: &mut [E]) {
        let [height, width] = self.size;
        let stride = self.geometry.stride;
        // Without phases for them, or beyond the last position, pixels take part in nothing.
        channel.fill(E::default());
        for (index, phase) in phases.chunks_exact(height * width).enumerate() {
            let (rows, first_y) = self.covered(0, index / self.count[1]);
            let (columns, first_x) = self.covered(1, index % self.count[1]);
            for (step, row) in rows.enumerate() {
                let target = &mut channel[(first_y + step * stride) * self.geometry.image[1]..]
                    [..self.geometry.image[1]];
                let source = &phase[row * width..][columns.clone()];
                match stride {
                    1 => target[first_x..][..source.len()].copy_from_slice(source),
                    _ => {
                        let target = target.iter_mut().skip(first_x).step_by(stride);
                        target.zip(source).for_each(|(t, s)| *t = *s);
                    }
                }
            }
        }
    }

    /// Where in a channel's phases the kernel element `index` finds the position `row` 0, column 0.
    fn origin(&self, index: usize) -> usize {
        let [y, x] = [index / self.geometry.kernel[1], index % self.geometry.kernel[1]];
        let stride = self.geometry.stride;
        let phase = (y % stride) * self.count[1] + x % stride;
        (phase * self.size[0] + y / stride) * self.size[1] + x / stride
    }

    /// The rows of the unfolded matrix that belong to one channel, for `rows` of the grid of every image.
    ///
    /// - `phases`: the channel's, of all images
    /// - `columns`: `[window, images, rows, grid columns]`
    pub(super) fn unfold<E: Real>(&self, phases: &[E], rows: Range<usize>, columns: &mut [E]) {
        self.each_row(phases.len(), rows, |source, target, length| {
            copy(
                &phases[source..source + length],
                &mut columns[target..target + length],
            );
        });
    }

    /// The adjoint of [`Self::unfold`]: adds to the phases.
    pub(super) fn fold<E: Real>(&self, columns: &[E], rows: Range<usize>, phases: &mut [E]) {
        self.each_row(phases.len(), rows, |target, source, length| {
            let target = &mut phases[target..target + length];
            let source = &columns[source..source + length];
            target.iter_mut().zip(source).for_each(|(t, s)| *t += *s);
        });
    }

    /// Calls `body` with the start in the phases, the start in the columns and the length of each row.
    fn each_row(&self, phases: usize, rows: Range<usize>, mut body: impl FnMut(usize, usize, usize)) {
        let length = self.geometry.grid[1];
        let images = phases / self.length();
        let mut position = 0;
        for index in 0..self.geometry.window() {
            let origin = self.origin(index);
            for image in 0..images {
                let start = image * self.length() + origin;
                for row in rows.clone() {
                    body(start + row * self.size[1], position, length);
                    position += length;
                }
            }
        }
    }
}

/// Copies a row; the lengths that occur in the networks are spared the call to `memcpy`.
fn copy<E: Real>(source: &[E], target: &mut [E]) {
    fn fixed<const N: usize, E: Real>(source: &[E], target: &mut [E]) {
        if let (Ok(source), Ok(target)) = (<&[E; N]>::try_from(source), <&mut [E; N]>::try_from(target)) {
            *target = *source;
        }
    }
    match source.len() {
        1 => fixed::<1, E>(source, target),
        2 => fixed::<2, E>(source, target),
        4 => fixed::<4, E>(source, target),
        8 => fixed::<8, E>(source, target),
        16 => fixed::<16, E>(source, target),
        32 => fixed::<32, E>(source, target),
        _ => target.copy_from_slice(source),
    }
}

/// Takes every `N`th element of `source`, the first included.
fn gather_every<const N: usize, E: Real>(source: &[E], target: &mut [E]) {
    let (whole, rest) = source.as_chunks::<N>();
    target.iter_mut().zip(whole).for_each(|(t, s)| *t = s[0]);
    if let (Some(last), Some(value)) = (target.get_mut(whole.len()), rest.first()) {
        *last = *value;
    }
}
