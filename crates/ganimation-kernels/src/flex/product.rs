//! Matrix products with a packed right side, and their `unsafe` inner loop.

use pulp::{Simd, WithSimd};

use super::simd::{load, store, vectorize};

/// Columns of a panel.
pub(super) const WIDTH: usize = 32;
/// Rows of the right side that are used at a time. A panel of them stays in the second-level cache.
const DEPTH: usize = 512;

/// The right side: `[panels, depth, WIDTH]`, divided into panels of columns. The last panel is padded with any finite
/// values.
#[derive(Clone, Copy)]
pub(super) struct Panels<'a> {
    data: &'a [f32],
    depth: usize,
    columns: usize,
}

impl<'a> Panels<'a> {
    pub(super) fn new(data: &'a [f32], depth: usize, columns: usize) -> Self {
        let length = panels_length(depth, columns);
        assert_eq!(
            data.len(),
            length,
            "panels of {depth} x {columns} take {length} floats"
        );
        Self { data, depth, columns }
    }
}

/// Floats in the panels of a matrix.
pub(super) fn panels_length(depth: usize, columns: usize) -> usize {
    columns.div_ceil(WIDTH) * depth * WIDTH
}

/// The layout of a left side.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Elements of a row are adjacent, rows `stride` apart.
    Rows,
    /// Elements of a column are adjacent, columns `stride` apart.
    Columns,
}

/// The left side. It has as many columns as the right side has rows.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) data: &'a [f32],
    pub(super) rows: usize,
    pub(super) stride: usize,
    pub(super) order: Order,
}

/// `target = left right`, or `+=` if `accumulate`; rows of the target are `stride` apart.
pub(super) fn multiply(left: Left, right: Panels, target: &mut [f32], stride: usize, accumulate: bool) {
    let Panels { depth, columns, .. } = right;
    if left.rows == 0 || columns == 0 {
        return;
    }
    let extent = |count: usize, length: usize, stride: usize| (count - 1) * stride + length;
    assert!(
        extent(left.rows, columns, stride) <= target.len() && (stride >= columns || left.rows == 1),
        "a product of {} x {columns} every {stride} floats in {}",
        left.rows,
        target.len()
    );
    if depth > 0 {
        let needed = match left.order {
            Order::Rows => extent(left.rows, depth, left.stride),
            Order::Columns => extent(depth, left.rows, left.stride),
        };
        assert!(
            needed <= left.data.len(),
            "a matrix of {} x {depth} every {} floats in {}",
            left.rows,
            left.stride,
            left.data.len()
        );
    }
    vectorize(Product {
        left,
        right,
        target,
        stride,
        accumulate,
    });
}

/// A product whose bounds have been checked.
struct Product<'a> {
    left: Left<'a>,
    right: Panels<'a>,
    target: &'a mut [f32],
    stride: usize,
    accumulate: bool,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.left.order {
            Order::Rows => self.run::<S, false>(simd),
            Order::Columns => self.run::<S, true>(simd),
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn run<S: Simd, const COLUMNS: bool>(self, simd: S) {
        let Self {
            left,
            right,
            target,
            stride,
            accumulate,
        } = self;
        // Registers hold the accumulators, two vectors of the right side and a factor. With 32 registers, 8 rows keep
        // both multipliers of any processor busy; 12 and 14 rows were not faster.
        let rows_at_a_time = if S::REGISTER_COUNT < 32 { 6 } else { 8 };
        let strip_width = 2 * S::F32_LANES;
        for panel in 0..right.columns.div_ceil(WIDTH) {
            let columns = WIDTH.min(right.columns - panel * WIDTH);
            for first in (0..right.depth.max(1)).step_by(DEPTH) {
                let depth = DEPTH.min(right.depth - first);
                let rows_of_panel = &right.data[(panel * right.depth + first) * WIDTH..][..depth * WIDTH];
                for strip in (0..columns).step_by(strip_width) {
                    for row in (0..left.rows).step_by(rows_at_a_time) {
                        let offset = if COLUMNS {
                            first * left.stride + row
                        } else {
                            row * left.stride + first
                        };
                        let block = Block {
                            left: left.data.as_ptr().wrapping_add(offset),
                            left_stride: left.stride,
                            right: rows_of_panel.as_ptr().wrapping_add(strip),
                            depth,
                            target: target
                                .as_mut_ptr()
                                .wrapping_add(row * stride + panel * WIDTH + strip),
                            target_stride: stride,
                            columns: strip_width.min(columns - strip),
                            accumulate: accumulate || first > 0,
                        };
                        #[allow(unsafe_code, reason = "bounds checks in this loop would halve the speed")]
                        // SAFETY: `multiply` has checked that left and target hold `rows` rows of the depth and of the
                        // columns. `row`, `first` and `strip` stay inside them. The panel's slice consists of whole
                        // rows of `WIDTH`, and a strip lies inside a row. `target` is borrowed exclusively.
                        unsafe {
                            match rows_at_a_time.min(left.rows - row) {
                                1 => block.run::<S, 1, COLUMNS>(simd),
                                2 => block.run::<S, 2, COLUMNS>(simd),
                                3 => block.run::<S, 3, COLUMNS>(simd),
                                4 => block.run::<S, 4, COLUMNS>(simd),
                                5 => block.run::<S, 5, COLUMNS>(simd),
                                6 => block.run::<S, 6, COLUMNS>(simd),
                                7 => block.run::<S, 7, COLUMNS>(simd),
                                _ => block.run::<S, 8, COLUMNS>(simd),
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A part of a product: a few rows, and the columns of two vectors. Its sums stay in registers over the whole depth.
struct Block {
    left: *const f32,
    left_stride: usize,
    right: *const f32,
    depth: usize,
    target: *mut f32,
    target_stride: usize,
    /// At most the columns of two vectors.
    columns: usize,
    accumulate: bool,
}

impl Block {
    /// # Safety
    /// `left` must hold `ROWS` rows (or columns) of `depth`, `right` must hold `depth` rows of two vectors, `WIDTH`
    /// apart, and `target` must hold `ROWS` rows of `columns`. All memory must be live, and that of `target` must not
    /// be shared.
    #[inline(always)]
    #[allow(unsafe_code, reason = "pointers, for the sake of the loop over the depth")]
    #[allow(
        clippy::needless_range_loop,
        reason = "iterators over arrays of vectors are not compiled for them"
    )]
    unsafe fn run<S: Simd, const ROWS: usize, const COLUMNS: bool>(self, simd: S) {
        let lanes = S::F32_LANES;
        // Plain loops: closures would not be compiled for the wide instructions.
        let zero = simd.splat_f32s(0.0);
        let mut sums = [[zero; 2]; ROWS];
        for k in 0..self.depth {
            // SAFETY: `k < depth` and `row < ROWS`; the caller guarantees that these are in bounds.
            unsafe {
                let right = self.right.add(k * WIDTH);
                let first = right.cast::<S::f32s>().read_unaligned();
                let second = right.add(lanes).cast::<S::f32s>().read_unaligned();
                for row in 0..ROWS {
                    let offset = if COLUMNS {
                        k * self.left_stride + row
                    } else {
                        row * self.left_stride + k
                    };
                    let factor = simd.splat_f32s(*self.left.add(offset));
                    sums[row][0] = simd.mul_add_e_f32s(factor, first, sums[row][0]);
                    sums[row][1] = simd.mul_add_e_f32s(factor, second, sums[row][1]);
                }
            }
        }
        for row in 0..ROWS {
            for half in 0..2 {
                let columns = self.columns.saturating_sub(half * lanes).min(lanes);
                if columns == 0 {
                    continue;
                }
                let mut sum = sums[row][half];
                // SAFETY: the caller guarantees that the row has `columns` more columns from here.
                let row = unsafe {
                    let start = self.target.add(row * self.target_stride + half * lanes);
                    std::slice::from_raw_parts_mut(start, columns)
                };
                if self.accumulate {
                    sum = simd.add_f32s(sum, load(simd, row, 0, columns));
                }
                store(simd, row, 0, columns, sum);
            }
        }
    }
}
