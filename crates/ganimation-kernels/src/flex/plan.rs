//! How a batch is cut into pieces for caches and threads.

use std::ops::Range;

use rayon::prelude::*;

use super::geometry::Geometry;

/// Columns of a product that keep the matrix kernel busy.
const COLUMNS: usize = 256;
/// Weights beyond which reading them once for all images is worth more than independent threads: half of a common L3.
const LARGE_WEIGHTS: usize = 1 << 20;
/// Columns that a group of images may have when its threads share the work.
const SHARED_COLUMNS: usize = 2048;

/// Groups of images, and who works on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// Consecutive ranges over the batch.
    pub(super) groups: Vec<Range<usize>>,
    /// The threads share each group, one group after the other; else each group is one thread's.
    pub(super) shared: bool,
}

impl Plan {
    /// Depends on the sizes and the number of threads alone.
    pub(super) fn new(batch: usize, geometry: &Geometry) -> Self {
        let threads = rayon::current_num_threads();
        let columns = batch * geometry.positions();
        let count = (columns / COLUMNS).min(batch);
        if count < threads || geometry.weights() > LARGE_WEIGHTS {
            return Self {
                groups: ranges(batch, columns.div_ceil(SHARED_COLUMNS)),
                shared: true,
            };
        }
        Self {
            groups: ranges(batch, count.next_multiple_of(threads)),
            shared: false,
        }
    }
}

/// Cuts `0..length` into at most `count` ranges of nearly equal length, none of them empty.
pub(super) fn ranges(length: usize, count: usize) -> Vec<Range<usize>> {
    let count = count.clamp(1, length.max(1));
    (0..count)
        .map(|index| index * length / count..(index + 1) * length / count)
        .collect()
}

/// Grid rows that are unfolded at a time: all of several images', or about [`COLUMNS`] positions of one image's.
pub(super) fn tiles(images: usize, geometry: &Geometry) -> Vec<Range<usize>> {
    let [rows, columns] = geometry.grid;
    let count = if images > 1 {
        1
    } else {
        (rows * columns).div_ceil(COLUMNS)
    };
    ranges(rows, count)
}

/// Calls `body` with the index and the elements of each chunk of `length` elements, on all threads if `parallel`.
pub(super) fn each_chunk<E: Send>(
    data: &mut [E],
    length: usize,
    parallel: bool,
    body: impl Fn(usize, &mut [E]) + Sync + Send,
) {
    if parallel {
        data.par_chunks_mut(length)
            .enumerate()
            .for_each(|(index, chunk)| body(index, chunk));
    } else {
        for (index, chunk) in data.chunks_mut(length).enumerate() {
            body(index, chunk);
        }
    }
}

/// Calls `body` with each group of `plan` and its part of `data`, which holds `length` elements an image.
pub(super) fn each_group<E: Send>(
    plan: &Plan,
    data: &mut [E],
    length: usize,
    body: impl Fn(Range<usize>, &mut [E]) + Sync + Send,
) {
    let mut rest = data;
    let mut parts = Vec::with_capacity(plan.groups.len());
    for group in &plan.groups {
        let (part, tail) = rest.split_at_mut(group.len() * length);
        parts.push((group.clone(), part));
        rest = tail;
    }
    if plan.shared {
        parts.into_iter().for_each(|(group, part)| body(group, part));
    } else {
        parts
            .into_par_iter()
            .with_max_len(1)
            .for_each(|(group, part)| body(group, part));
    }
}
