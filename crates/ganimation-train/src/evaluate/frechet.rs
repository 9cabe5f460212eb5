//! Fréchet distance between two sets of feature vectors. Each set is modelled as a normal distribution.
//!
//! With Inception's features this is the FID. Here the features come from the AU regressor. The numbers can be compared
//! with each other, but not with a published FID.

/// `|m₁ - m₂|² + tr(S₁ + S₂ - 2 (S₁S₂)^½)` of the sets' means and covariances. NaN if a set has fewer than two vectors.
///
/// # Panics
/// If the vectors differ in length.
pub(crate) fn frechet_distance(a: &[Vec<f32>], b: &[Vec<f32>]) -> f64 {
    if a.len() < 2 || b.len() < 2 {
        return f64::NAN;
    }
    let (mean_a, covariance_a) = moments(a);
    let (mean_b, covariance_b) = moments(b);
    let apart: f64 = mean_a.iter().zip(&mean_b).map(|(a, b)| (a - b).powi(2)).sum();
    // (S₁S₂)^½ has the trace of (S₁^½ S₂ S₁^½)^½, which is symmetric.
    let root = covariance_a.root();
    let common = root.times(&covariance_b).times(&root);
    let (values, _) = common.eigen();
    let overlap: f64 = values.iter().map(|value| value.max(0.0).sqrt()).sum();
    // Rounding can make the result slightly negative.
    (apart + covariance_a.trace() + covariance_b.trace() - 2.0 * overlap).max(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer vectors than 2^52")]
fn moments(vectors: &[Vec<f32>]) -> (Vec<f64>, Square) {
    let (count, side) = (vectors.len() as f64, vectors[0].len());
    let mut mean = vec![0.0; side];
    for vector in vectors {
        assert_eq!(vector.len(), side, "feature vectors differ in length");
        for (mean, value) in mean.iter_mut().zip(vector) {
            *mean += f64::from(*value) / count;
        }
    }
    let mut covariance = Square::zeros(side);
    for vector in vectors {
        let centred: Vec<f64> = vector.iter().zip(&mean).map(|(v, m)| f64::from(*v) - m).collect();
        for (row, a) in centred.iter().enumerate() {
            for (entry, b) in covariance.row_mut(row).iter_mut().zip(&centred) {
                *entry += a * b / (count - 1.0);
            }
        }
    }
    (mean, covariance)
}

/// A square matrix, row by row.
#[derive(Clone)]
struct Square {
    side: usize,
    values: Vec<f64>,
}

impl Square {
    fn zeros(side: usize) -> Self {
        let values = vec![0.0; side * side];
        Self { side, values }
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.side..][..self.side]
    }

    fn row_mut(&mut self, row: usize) -> &mut [f64] {
        &mut self.values[row * self.side..][..self.side]
    }

    fn trace(&self) -> f64 {
        (0..self.side).map(|at| self.row(at)[at]).sum()
    }

    fn times(&self, other: &Self) -> Self {
        let mut product = Self::zeros(self.side);
        for row in 0..self.side {
            for (inner, factor) in self.row(row).iter().enumerate() {
                for (sum, value) in product.row_mut(row).iter_mut().zip(other.row(inner)) {
                    *sum += factor * value;
                }
            }
        }
        product
    }

    /// The symmetric root of a symmetric matrix without negative eigenvalues.
    fn root(&self) -> Self {
        let (values, vectors) = self.eigen();
        let mut root = Self::zeros(self.side);
        for (value, vector) in values.iter().zip(vectors.values.chunks_exact(self.side)) {
            let weight = value.max(0.0).sqrt();
            for (row, a) in vector.iter().enumerate() {
                for (entry, b) in root.row_mut(row).iter_mut().zip(vector) {
                    *entry += weight * a * b;
                }
            }
        }
        root
    }

    /// Eigenvalues of a symmetric matrix and, row by row, their vectors, by Jacobi's rotations.
    fn eigen(&self) -> (Vec<f64>, Self) {
        /// Convergence is quadratic; ten sweeps were enough for all matrices so far.
        const SWEEPS: usize = 30;
        let (side, mut matrix, mut vectors) = (self.side, self.clone(), Self::zeros(self.side));
        for at in 0..side {
            vectors.row_mut(at)[at] = 1.0;
        }
        let size: f64 = matrix.values.iter().map(|value| value * value).sum();
        for _ in 0..SWEEPS {
            let off: f64 = (0..side)
                .flat_map(|row| matrix.row(row)[..row].iter().map(|value| value * value))
                .sum();
            if off <= size * 1e-24 {
                break;
            }
            for p in 0..side {
                for q in p + 1..side {
                    matrix.rotate_away(p, q, &mut vectors);
                }
            }
        }
        let values = (0..side).map(|at| matrix.row(at)[at]).collect();
        (values, vectors)
    }

    /// Rotates axes `p` and `q` so that their common entry becomes 0, and applies the rotation to `vectors`.
    fn rotate_away(&mut self, p: usize, q: usize, vectors: &mut Self) {
        let between = self.row(p)[q];
        if between == 0.0 {
            return;
        }
        let ratio = (self.row(q)[q] - self.row(p)[p]) / (2.0 * between);
        let tangent = ratio.signum() / (ratio.abs() + ratio.hypot(1.0));
        let cosine = 1.0 / tangent.hypot(1.0);
        let sine = tangent * cosine;
        for at in 0..self.side {
            let row = self.row_mut(at);
            (row[p], row[q]) = (cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]);
        }
        for matrix in [self, vectors] {
            for at in 0..matrix.side {
                let (a, b) = (matrix.row(p)[at], matrix.row(q)[at]);
                matrix.row_mut(p)[at] = cosine * a - sine * b;
                matrix.row_mut(q)[at] = sine * a + cosine * b;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_that_of_scipys_matrix_root() {
        // m @ m + trace(A + B - 2 * scipy.linalg.sqrtm(A @ B)) with numpy's cov
        let a = [[0.0, 0.0], [1.0, 2.0], [2.0, 1.0], [3.0, 5.0]].map(Vec::from);
        let b = [[1.0, 0.0], [1.0, 1.0], [4.0, 2.0], [0.0, 3.0], [2.0, 2.0]].map(Vec::from);
        assert!((frechet_distance(&a, &b) - 2.251_250_683_644_838_7).abs() < 1e-9);
        assert!((frechet_distance(&b, &a) - 2.251_250_683_644_838_7).abs() < 1e-9);
    }

    #[test]
    fn a_set_is_nowhere_from_itself_even_with_fewer_vectors_than_features() {
        let set: Vec<Vec<f32>> = (0u8..5)
            .map(|row| (0u8..12).map(|column| f32::from(row * column % 7)).collect())
            .collect();
        assert!(frechet_distance(&set, &set) < 1e-6);
        let moved: Vec<Vec<f32>> = set
            .iter()
            .map(|row| row.iter().map(|value| value + 2.0).collect())
            .collect();
        assert!((frechet_distance(&set, &moved) - 4.0 * 12.0).abs() < 1e-6);
    }

    #[test]
    fn one_face_has_no_distribution() {
        assert!(frechet_distance(&[vec![1.0]], &[vec![1.0], vec![2.0]]).is_nan());
    }
}
