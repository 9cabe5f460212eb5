//! Matrix products: the only `unsafe` of the crate.

use gemm::Parallelism;
use rayon::prelude::*;

use super::real::Real;

/// A matrix in a slice.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, E> {
    data: &'a [E],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, E> Matrix<'a, E> {
    /// Rows of `columns` adjacent elements, one every `row_stride` elements.
    pub(super) fn new(data: &'a [E], [rows, columns]: [usize; 2], row_stride: usize) -> Self {
        assert!(
            extent(rows, columns, row_stride).is_some_and(|extent| extent <= data.len()),
            "a matrix of {rows} x {columns} every {row_stride} elements in a slice of {}",
            data.len()
        );
        Self {
            data,
            rows,
            columns,
            row_stride,
            column_stride: 1,
        }
    }

    /// The same elements with rows and columns exchanged.
    pub(super) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// `count` rows from `first` on.
    fn rows(self, first: usize, count: usize) -> Self {
        assert!(
            count <= self.rows && first <= self.rows - count,
            "rows {first} to {first} + {count} of {}",
            self.rows
        );
        Self {
            data: &self.data[first * self.row_stride..],
            rows: count,
            ..self
        }
    }
}

/// Elements from the first to the last of a matrix, both included; `None` if no memory could hold them.
fn extent(rows: usize, columns: usize, row_stride: usize) -> Option<usize> {
    if rows == 0 || columns == 0 {
        Some(0)
    } else {
        (rows - 1).checked_mul(row_stride)?.checked_add(columns)
    }
}

/// Where a product goes: rows of adjacent elements, one every `row_stride` elements.
pub(super) struct Target<'a, E> {
    pub(super) data: &'a mut [E],
    pub(super) row_stride: usize,
    /// Adds to what is there in place of overwriting it.
    pub(super) accumulate: bool,
}

/// `target = left right`, on all threads if `parallel`.
///
/// The threads split the target's rows, never the sums: the same number of threads gives the same bits.
pub(super) fn multiply<E: Real>(left: Matrix<E>, right: Matrix<E>, target: Target<E>, parallel: bool) {
    let Target {
        data,
        row_stride,
        accumulate,
    } = target;
    let threads = rayon::current_num_threads();
    if !parallel || threads == 1 || left.rows < 2 {
        return product(left, right, data, row_stride, accumulate);
    }
    let rows = left.rows.div_ceil(threads);
    data.par_chunks_mut(rows * row_stride)
        .enumerate()
        .take(left.rows.div_ceil(rows))
        .for_each(|(index, chunk)| {
            let first = index * rows;
            let block = left.rows(first, rows.min(left.rows - first));
            product(block, right, chunk, row_stride, accumulate);
        });
}

fn product<E: Real>(
    left: Matrix<E>,
    right: Matrix<E>,
    target: &mut [E],
    row_stride: usize,
    accumulate: bool,
) {
    assert_eq!(
        left.columns, right.rows,
        "a product of {} columns by {} rows",
        left.columns, right.rows
    );
    assert!(
        extent(left.rows, right.columns, row_stride).is_some_and(|extent| extent <= target.len()),
        "a product of {} x {} every {row_stride} elements in a slice of {}",
        left.rows,
        right.columns,
        target.len()
    );
    assert!(
        row_stride >= right.columns || left.rows < 2,
        "rows of {} elements every {row_stride}",
        right.columns
    );
    #[allow(
        unsafe_code,
        reason = "the gemm crate takes pointers; bounds are asserted above"
    )]
    // SAFETY: `Matrix::new` and the two assertions above bound every index by its slice's length (transposing and
    // taking rows keep the bound), rows of the target do not overlap, `target` is borrowed exclusively, and `E` is
    // `f32` or `f64`, for any of whose bits gemm is defined.
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            target.as_mut_ptr(),
            1,
            row_stride as isize,
            accumulate,
            left.data.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            E::ONE,
            E::ONE,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(length: usize) -> Vec<f64> {
        (0..length).map(|value| value as f64 % 7.0 - 3.0).collect()
    }

    #[test]
    fn products_agree_with_a_triple_loop_in_every_layout() {
        let (rows, depth, columns, stride) = (5, 3, 4, 6);
        let left = ramp(rows * depth);
        let right = ramp(depth * columns);
        for accumulate in [false, true] {
            for parallel in [false, true] {
                for transposed in [false, true] {
                    let mut found = vec![1.0; rows * stride];
                    let a = if transposed {
                        Matrix::new(&left, [depth, rows], rows).transposed()
                    } else {
                        Matrix::new(&left, [rows, depth], depth)
                    };
                    let target = Target {
                        data: &mut found,
                        row_stride: stride,
                        accumulate,
                    };
                    multiply(
                        a,
                        Matrix::new(&right, [depth, columns], columns),
                        target,
                        parallel,
                    );
                    for row in 0..rows {
                        for column in 0..stride {
                            let expected = if column < columns {
                                let sum: f64 = (0..depth)
                                    .map(|k| {
                                        let index = if transposed {
                                            k * rows + row
                                        } else {
                                            row * depth + k
                                        };
                                        left[index] * right[k * columns + column]
                                    })
                                    .sum();
                                sum + f64::from(u8::from(accumulate))
                            } else {
                                1.0
                            };
                            assert_eq!(found[row * stride + column], expected);
                        }
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "a matrix of 2 x 3 every 3 elements in a slice of 5")]
    fn a_matrix_larger_than_its_slice_panics() {
        let _ = Matrix::new(&[0.0_f32; 5], [2, 3], 3);
    }
}
