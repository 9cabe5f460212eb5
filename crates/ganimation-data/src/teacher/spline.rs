//! Thin-plate splines through a face's landmarks and the border of its picture.

use nalgebra::{DMatrix, Dyn, OMatrix, U2};

use super::{CONTROL_COUNT, FIELD_SIDE};

/// Fixed points along each side of the picture, including both corners.
const SIDE_POINTS: usize = 9;

/// Number of fixed points.
const FRAME: usize = 4 * (SIDE_POINTS - 1);

/// Number of points of the spline.
const POINTS: usize = CONTROL_COUNT + FRAME;

/// A constant and a slope for each axis.
const PLANE: usize = 3;

/// Smoothing: how far the spline can deviate from its points.
const SMOOTHING: f64 = 2e-3;

/// Keeps the logarithm finite where a position equals a point.
const TINY: f32 = 1e-12;

/// Number of cells of a field.
const CELLS: usize = FIELD_SIDE * FIELD_SIDE;

/// Data shared by the splines of all faces.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spline {
    /// `[FRAME]` fixed points on the border.
    frame: Vec<[f32; 2]>,
    /// `[FRAME, CELLS]`: the kernel between fixed points and the centres of cells.
    frame_kernel: Vec<f32>,
}

impl Spline {
    pub(super) fn new() -> Self {
        let last = SIDE_POINTS - 1;
        let on_border =
            |at: &usize| [0, last].contains(&(at / SIDE_POINTS)) || [0, last].contains(&(at % SIDE_POINTS));
        let frame: Vec<_> = (0..SIDE_POINTS * SIDE_POINTS)
            .filter(on_border)
            .map(|at| [at / SIDE_POINTS, at % SIDE_POINTS].map(|step| step as f32 / last as f32))
            .collect();
        let cells = (0..CELLS).map(|at| [centre(at % FIELD_SIDE), centre(at / FIELD_SIDE)]);
        let frame_kernel = frame
            .iter()
            .flat_map(|&point| cells.clone().map(move |cell| kernel(square(point, cell))))
            .collect();
        Self { frame, frame_kernel }
    }

    /// The spline that moves `points` by `moves` and keeps the border fixed, evaluated at the centres of cells.
    ///
    /// # Shapes
    /// - returns `[2, 32, 32]`, x then y
    pub(super) fn field(
        &self,
        points: &[[f32; 2]; CONTROL_COUNT],
        moves: &[[f32; 2]; CONTROL_COUNT],
    ) -> Vec<f32> {
        let mut field = vec![0.0; 2 * CELLS];
        if moves.iter().all(|&moves| moves == [0.0; 2]) {
            return field;
        }
        let Some(weights) = self.weights(points, moves) else {
            return field; // if all points are equal, there is no motion
        };
        let weight = |at: usize| [weights[(at, 0)], weights[(at, 1)]].map(single);
        let [constant, across, down] = [0, 1, 2].map(|at| weight(POINTS + at));
        let (along_x, along_y) = field.split_at_mut(CELLS);
        let rows = along_x
            .chunks_exact_mut(FIELD_SIDE)
            .zip(along_y.chunks_exact_mut(FIELD_SIDE));
        for (row, (along_x, along_y)) in rows.enumerate() {
            for (column, (x, y)) in along_x.iter_mut().zip(along_y.iter_mut()).enumerate() {
                let (right, low) = (centre(column), centre(row));
                *x = constant[0] + across[0] * right + down[0] * low;
                *y = constant[1] + across[1] * right + down[1] * low;
            }
            for (at, &[point_x, point_y]) in points.iter().enumerate() {
                let [weight_x, weight_y] = weight(at);
                let vertical = (centre(row) - point_y) * (centre(row) - point_y);
                for (column, (x, y)) in along_x.iter_mut().zip(along_y.iter_mut()).enumerate() {
                    let horizontal = centre(column) - point_x;
                    let value = kernel(horizontal * horizontal + vertical);
                    *x += weight_x * value;
                    *y += weight_y * value;
                }
            }
            for (at, kernel) in self.frame_kernel.chunks_exact(CELLS).enumerate() {
                let [weight_x, weight_y] = weight(CONTROL_COUNT + at);
                let kernel = &kernel[row * FIELD_SIDE..][..FIELD_SIDE];
                for ((x, y), value) in along_x.iter_mut().zip(along_y.iter_mut()).zip(kernel) {
                    *x += weight_x * value;
                    *y += weight_y * value;
                }
            }
        }
        field
    }

    /// The weights of points and plane, `[POINTS + PLANE, 2]`.
    fn weights(
        &self,
        points: &[[f32; 2]; CONTROL_COUNT],
        moves: &[[f32; 2]; CONTROL_COUNT],
    ) -> Option<OMatrix<f64, Dyn, U2>> {
        let size = POINTS + PLANE;
        let all: Vec<_> = points.iter().chain(&self.frame).copied().collect();
        let mut matrix = DMatrix::zeros(size, size);
        for (column, &point) in all.iter().enumerate() {
            for (row, &other) in all.iter().enumerate().skip(column + 1) {
                let value = f64::from(kernel(square(point, other)));
                matrix[(row, column)] = value;
                matrix[(column, row)] = value;
            }
            matrix[(column, column)] = SMOOTHING;
            let plane = [1.0, point[0].into(), point[1].into()];
            for (at, value) in plane.into_iter().enumerate() {
                matrix[(POINTS + at, column)] = value;
                matrix[(column, POINTS + at)] = value;
            }
        }
        let mut weights = OMatrix::<f64, Dyn, U2>::zeros(size);
        for (at, moves) in moves.iter().enumerate() {
            weights[(at, 0)] = moves[0].into();
            weights[(at, 1)] = moves[1].into();
        }
        matrix.lu().solve_mut(&mut weights).then_some(weights)
    }
}

/// The centre of a row or column of cells, as a fraction of the side.
fn centre(at: usize) -> f32 {
    (at as f32 + 0.5) / FIELD_SIDE as f32
}

fn square(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1])
}

/// r² log r², of r².
#[inline]
fn kernel(square: f32) -> f32 {
    square * ln(square + TINY)
}

/// The natural logarithm of a positive, normal number with a relative error of about 1e-7, in a form that the compiler
/// can vectorise. The standard library needs a call for each number, which takes three times as long here.
#[inline]
fn ln(x: f32) -> f32 {
    /// The bits of the square root of one half, so that mantissas lie between it and the square root of two.
    const HALF_ROOT: u32 = 0x3f35_04f3;
    let bits = x.to_bits().wrapping_sub(HALF_ROOT);
    #[allow(clippy::cast_possible_wrap, reason = "the sign of the exponent is wanted")]
    let exponent = bits as i32 >> 23;
    let mantissa = f32::from_bits((bits & 0x007f_ffff) + HALF_ROOT);
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let t = s * s;
    let series = 2.0 + t * (2.0 / 3.0 + t * (2.0 / 5.0 + t * (2.0 / 7.0 + t * (2.0 / 9.0))));
    s * series + exponent as f32 * std::f32::consts::LN_2
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "weights are far below what f32 holds"
)]
fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_that_of_the_standard_library() {
        for step in 0..20_000 {
            let x = 1e-12_f32 * (step as f32 * 1.5e-3).exp();
            assert!(
                (ln(x) - x.ln()).abs() <= 3e-7 * x.ln().abs().max(1.0),
                "{x}: {} {}",
                ln(x),
                x.ln()
            );
        }
    }

    #[test]
    fn the_border_stays_and_points_come_from_where_they_were() {
        let mut points = [[0.0; 2]; CONTROL_COUNT];
        for (at, point) in points.iter_mut().enumerate() {
            *point = [0.2 + 0.075 * (at % 9) as f32, 0.2 + 0.075 * (at / 9) as f32];
        }
        let field = Spline::new().field(&points, &[[0.03, -0.02]; CONTROL_COUNT]);
        let middle = 16 * FIELD_SIDE + 16;
        assert!((field[middle] - 0.03).abs() < 2e-3 && (field[CELLS + middle] + 0.02).abs() < 2e-3);
        for corner in [0, FIELD_SIDE - 1, CELLS - 1] {
            assert!(field[corner].abs() < 4e-3, "{}", field[corner]);
        }
        let still = Spline::new().field(&points, &[[0.0; 2]; CONTROL_COUNT]);
        assert!(still.iter().all(|&value| value == 0.0));
    }
}
