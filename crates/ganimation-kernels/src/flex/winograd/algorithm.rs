//! The matrices of the two algorithms, and products with them.

use pulp::Simd;

use super::TILE;

/// `A`, `B` and `G` of an algorithm for [`TILE`] outputs, `TAPS` kernel elements and `POINTS = TILE + TAPS - 1` inputs
/// along an axis.
pub(super) trait Algorithm<const POINTS: usize, const TAPS: usize> {
    /// `B^T`.
    const INPUT: [[f32; POINTS]; POINTS];
    /// `G`.
    const KERNEL: [[f32; TAPS]; POINTS];
    /// `A^T`.
    const OUTPUT: [[f32; POINTS]; TILE];
}

/// F(4, 3) at the points 0, 1, -1, 2, -2 and infinity.
pub(super) struct Three;

impl Algorithm<6, 3> for Three {
    const INPUT: [[f32; 6]; 6] = [
        [4.0, 0.0, -5.0, 0.0, 1.0, 0.0],
        [0.0, -4.0, -4.0, 1.0, 1.0, 0.0],
        [0.0, 4.0, -4.0, -1.0, 1.0, 0.0],
        [0.0, -2.0, -1.0, 2.0, 1.0, 0.0],
        [0.0, 2.0, -1.0, -2.0, 1.0, 0.0],
        [0.0, 4.0, 0.0, -5.0, 0.0, 1.0],
    ];
    const KERNEL: [[f32; 3]; 6] = [
        [1.0 / 4.0, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ];
    const OUTPUT: [[f32; 6]; TILE] = [
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
        [0.0, 1.0, -1.0, 2.0, -2.0, 0.0],
        [0.0, 1.0, 1.0, 4.0, 4.0, 0.0],
        [0.0, 1.0, -1.0, 8.0, -8.0, 1.0],
    ];
}

/// F(4, 2) at the points 0, 1, -1, 2 and infinity.
pub(super) struct Two;

impl Algorithm<5, 2> for Two {
    const INPUT: [[f32; 5]; 5] = [
        [2.0, -1.0, -2.0, 1.0, 0.0],
        [0.0, -2.0, -1.0, 1.0, 0.0],
        [0.0, 2.0, -3.0, 1.0, 0.0],
        [0.0, -1.0, 0.0, 1.0, 0.0],
        [0.0, 2.0, -1.0, -2.0, 1.0],
    ];
    const KERNEL: [[f32; 2]; 5] = [
        [1.0 / 2.0, 0.0],
        [-1.0 / 2.0, -1.0 / 2.0],
        [-1.0 / 6.0, 1.0 / 6.0],
        [1.0 / 6.0, 1.0 / 3.0],
        [0.0, 1.0],
    ];
    const OUTPUT: [[f32; 5]; TILE] = [
        [1.0, 1.0, 1.0, 1.0, 0.0],
        [0.0, 1.0, -1.0, 2.0, 0.0],
        [0.0, 1.0, 1.0, 4.0, 0.0],
        [0.0, 1.0, -1.0, 8.0, 1.0],
    ];
}

/// The transpose of a matrix, at compile time.
pub(super) const fn transposed<const N: usize, const M: usize>(matrix: &[[f32; N]; M]) -> [[f32; M]; N] {
    let mut result = [[0.0; M]; N];
    let mut row = 0;
    while row < N {
        let mut column = 0;
        while column < M {
            result[row][column] = matrix[column][row];
            column += 1;
        }
        row += 1;
    }
    result
}

/// `matrix tile matrix^T`. The zeros and ones of the matrix cost no time, because the compiler knows them.
///
/// Plain loops here and around: closures would not be compiled for the wide instructions.
#[inline(always)]
pub(super) fn sandwich<S: Simd, const N: usize, const M: usize>(
    simd: S,
    matrix: &[[f32; N]; M],
    tile: &[[S::f32s; N]; N],
) -> [[S::f32s; M]; M] {
    let zero = simd.splat_f32s(0.0);
    let mut half = [[zero; N]; M];
    for column in 0..N {
        let mut values = [zero; N];
        for row in 0..N {
            values[row] = tile[row][column];
        }
        let values = apply(simd, matrix, &values);
        for row in 0..M {
            half[row][column] = values[row];
        }
    }
    let mut result = [[zero; M]; M];
    for row in 0..M {
        result[row] = apply(simd, matrix, &half[row]);
    }
    result
}

/// Runs a block for each index below a size of at most 6, unrolled with constant indices. Otherwise the compiler keeps
/// the loops, and stores the matrices and vectors in memory.
macro_rules! unrolled {
    ($index:ident < $size:expr, $body:block) => {
        unrolled!(@ $index, $size, $body, 0 1 2 3 4 5)
    };
    (@ $index:ident, $size:expr, $body:block, $($value:literal)+) => {
        $(if $value < $size {
            let $index: usize = $value;
            $body
        })+
    };
}

#[inline(always)]
fn apply<S: Simd, const N: usize, const M: usize>(
    simd: S,
    matrix: &[[f32; N]; M],
    values: &[S::f32s; N],
) -> [S::f32s; M] {
    let mut result = [simd.splat_f32s(0.0); M];
    unrolled!(row < M, {
        let mut sum = None;
        unrolled!(column < N, {
            let (factor, value) = (matrix[row][column], values[column]);
            if factor != 0.0 {
                sum = Some(match (sum, factor) {
                    (None, 1.0) => value,
                    (None, _) => simd.mul_f32s(simd.splat_f32s(factor), value),
                    (Some(sum), 1.0) => simd.add_f32s(sum, value),
                    (Some(sum), -1.0) => simd.sub_f32s(sum, value),
                    (Some(sum), _) => simd.mul_add_e_f32s(simd.splat_f32s(factor), value, sum),
                });
            }
        });
        if let Some(sum) = sum {
            result[row] = sum;
        }
    });
    result
}
