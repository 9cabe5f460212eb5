//! Division of output images into pieces for threads: consecutive rows, across images.

use std::ops::Range;

use super::filled::filled;

/// A batch of images with `height` rows of `row_length` floats, divided into units of a few rows that are computed
/// together.
///
/// The last unit of an image may have fewer rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    pub(super) batch: usize,
    pub(super) height: usize,
    pub(super) row_length: usize,
    /// Rows of a unit.
    pub(super) unit: usize,
}

impl Rows {
    /// Units of an image.
    pub(super) fn units(&self) -> usize {
        self.height.div_ceil(self.unit)
    }

    /// The first row of a unit, counted from the first image's.
    fn row(&self, unit: usize) -> usize {
        let (image, unit) = (unit / self.units(), unit % self.units());
        image * self.height + unit * self.unit
    }

    /// The start of a unit within a piece that starts with the unit `first`.
    pub(super) fn start(&self, unit: usize, first: usize) -> usize {
        (self.row(unit) - self.row(first)) * self.row_length
    }

    /// Computes all rows on all threads. `body` gets a range of about `units` units and their floats, which are zeros.
    pub(super) fn fill(
        &self,
        units: usize,
        body: impl Fn(Range<usize>, &mut [f32]) + Sync + Send,
    ) -> Vec<f32> {
        let ranges = pieces_of(self.batch * self.units(), units);
        let lengths: Vec<usize> = ranges
            .iter()
            .map(|range| self.start(range.end, range.start))
            .collect();
        filled(&lengths, |index, piece| body(ranges[index].clone(), piece))
    }
}

/// Divides `0..total` into ranges of about `length`, with equal work for all threads.
pub(super) fn pieces_of(total: usize, length: usize) -> Vec<Range<usize>> {
    let threads = rayon::current_num_threads();
    let count = total.div_ceil(length.max(1)).next_multiple_of(threads);
    ranges(total, count)
}

/// Cuts `0..length` into at most `count` ranges of nearly equal length, none of them empty.
pub(super) fn ranges(length: usize, count: usize) -> Vec<Range<usize>> {
    let count = count.clamp(1, length.max(1));
    (0..count)
        .map(|index| index * length / count..(index + 1) * length / count)
        .collect()
}
