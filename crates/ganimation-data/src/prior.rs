//! The motion of landmarks with each action unit, learned from labelled faces.

mod anatomy;

use nalgebra::DMatrix;

use crate::au::{AU_COUNT, Intensities};
use crate::error::{Error, Result};
use crate::landmarks::{LANDMARK_COUNT, Landmarks, MIRROR};

/// Minimum number of faces with landmarks to learn a prior. A good prior needs thousands.
pub const MIN_FACES: usize = 100;

/// Landmarks to align faces: corners of the eyes and the nose, which expressions move least.
const STABLE: [usize; 10] = [36, 39, 42, 45, 27, 28, 29, 30, 31, 35];

/// Number of alignments of faces with their mean.
const ALIGNMENTS: usize = 3;

/// A face with a point this far from the mean, as a fraction of the crop, has bad landmarks.
const OUTLIER: f64 = 0.3;

/// Number of regressors: a constant, the action units, yaw and pitch with their squares, and the width of the face.
const CAUSES: usize = 1 + AU_COUNT + 5;

/// Eigenvalues of the normal equations below this fraction of the largest count as zero, so that a unit that no face
/// shows moves nothing.
const RANK: f64 = 1e-12;

/// Points `[x, y]` as fractions of the crop's side.
type Points = [[f64; 2]; LANDMARK_COUNT];

/// A rotation with a scale: `[x, y]` becomes `[along * x - across * y, across * x + along * y]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Turn {
    along: f64,
    across: f64,
}

impl Turn {
    pub(crate) fn apply(self, [x, y]: [f64; 2]) -> [f64; 2] {
        [self.along * x - self.across * y, self.across * x + self.along * y]
    }
}

/// The least-squares similarity transform (without mirroring) from the stable points of `from` to those of `to`: its
/// rotation with scale, and the two centres that it maps to each other.
fn align(from: &Points, to: &Points) -> (Turn, [f64; 2], [f64; 2]) {
    let centre = |points: &Points| {
        let sum = STABLE.iter().fold([0.0; 2], |sum, &at| add(sum, points[at]));
        sum.map(|value| value / STABLE.len() as f64)
    };
    let (from_centre, to_centre) = (centre(from), centre(to));
    let (mut along, mut across, mut size) = (0.0, 0.0, 0.0);
    for at in STABLE {
        let ([ax, ay], [bx, by]) = (sub(from[at], from_centre), sub(to[at], to_centre));
        along += ax * bx + ay * by;
        across += ax * by - ay * bx;
        size += ax * ax + ay * ay;
    }
    let turn = Turn {
        along: along / size,
        across: across / size,
    };
    (turn, from_centre, to_centre)
}

fn add(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] + b[0], a[1] + b[1]]
}

fn sub(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] - b[0], a[1] - b[1]]
}

/// The displacement of the 68 landmarks by each action unit.
///
/// It is the linear regression of landmarks, aligned with the mean face, on the intensities of their labels. Each unit
/// only moves the landmarks that its muscle can move (FACS).
#[derive(Clone, Debug, PartialEq)]
pub struct MotionPrior {
    displacement: [[[f32; 2]; LANDMARK_COUNT]; AU_COUNT],
    rising: [[[f32; 2]; LANDMARK_COUNT]; AU_COUNT],
    mean: Landmarks,
}

impl MotionPrior {
    /// Creates a prior from displacements `[x, y]` per unit of OpenFace intensity, as fractions of the crop's side, and
    /// the mean face.
    pub const fn new(displacement: [[[f32; 2]; LANDMARK_COUNT]; AU_COUNT], mean: Landmarks) -> Self {
        Self {
            displacement,
            rising: displacement,
            mean,
        }
    }

    /// Learns the prior from faces and their mirrored copies.
    ///
    /// # Errors
    /// [`Error::NoLandmarks`] if there are fewer than [`MIN_FACES`].
    pub fn fit<'a>(faces: impl IntoIterator<Item = (&'a Landmarks, &'a Intensities)>) -> Result<Self> {
        let (mut shapes, labels): (Vec<Points>, Vec<_>) = faces
            .into_iter()
            .map(|(landmarks, intensities)| {
                (landmarks.points().map(|point| point.map(f64::from)), intensities)
            })
            .unzip();
        if shapes.len() < MIN_FACES {
            return Err(Error::NoLandmarks {
                found: shapes.len(),
                needed: MIN_FACES,
            });
        }
        bring_to_mean(&mut shapes);
        let middle = mean(&shapes)[27..31].iter().map(|point| point[0]).sum::<f64>() / 4.0;
        let mirrored = |shape: &Points| MIRROR.map(|other| [2.0 * middle - shape[other][0], shape[other][1]]);
        let copies: Vec<Points> = shapes.iter().map(mirrored).collect();
        shapes.extend(copies);
        let mean = mean(&shapes);
        let near = |shape: &Points| {
            let pairs = shape.as_flattened().iter().zip(mean.as_flattened());
            pairs
                .into_iter()
                .all(|(value, mean)| (value - mean).abs() < OUTLIER)
        };
        let kept: Vec<_> = shapes
            .iter()
            .zip(labels.iter().cycle())
            .filter(|(shape, _)| near(shape))
            .collect();
        let rows = kept.iter().map(|(shape, label)| causes(shape, label));
        let causes = DMatrix::from_row_iterator(kept.len(), CAUSES, rows.flatten());
        let values = kept.iter().flat_map(|(shape, _)| shape.as_flattened());
        let points = DMatrix::from_row_iterator(kept.len(), 2 * LANDMARK_COUNT, values.copied());
        let slopes = regression(&causes, &points);
        let mut displacement = [[[0.0; 2]; LANDMARK_COUNT]; AU_COUNT];
        for (unit, displacement) in displacement.iter_mut().enumerate() {
            for point in reach(unit) {
                displacement[point] = [0, 1].map(|axis| single(slopes[(1 + unit, 2 * point + axis)]));
            }
        }
        let mean = Landmarks::new(mean.map(|point| point.map(single)));
        Ok(Self::new(displacement, mean))
    }

    /// The same prior, in which AU04, AU09, AU10 and AU26 move what their muscles move when they rise. The regression
    /// finds what their labels mean on real faces, so it describes what a real face loses with them.
    #[must_use]
    pub fn with_anatomy(mut self) -> Self {
        let eye = |points: std::ops::Range<usize>| {
            let sum: f32 = self.mean.points()[points].iter().map(|point| point[0]).sum();
            f64::from(sum / 6.0)
        };
        let distance = eye(42..48) - eye(36..42);
        for (unit, displacement) in anatomy::displacements() {
            self.rising[unit.index()] = displacement.map(|point| point.map(|value| single(value * distance)));
        }
        self
    }

    /// Displacements `[x, y]` of the landmarks by each action unit, in label order, per unit of OpenFace intensity,
    /// as fractions of the crop's side.
    pub const fn displacement(&self) -> &[[[f32; 2]; LANDMARK_COUNT]; AU_COUNT] {
        &self.displacement
    }

    /// The same for units that rise; see [`Self::with_anatomy`].
    pub const fn rising(&self) -> &[[[f32; 2]; LANDMARK_COUNT]; AU_COUNT] {
        &self.rising
    }

    /// The mean face, symmetric.
    pub const fn mean(&self) -> &Landmarks {
        &self.mean
    }

    /// The rotation and scale of displacements from the mean face to another face.
    pub(crate) fn turn(&self, landmarks: &Landmarks) -> Turn {
        let points = |landmarks: &Landmarks| landmarks.points().map(|point| point.map(f64::from));
        align(&points(&self.mean), &points(landmarks)).0
    }
}

/// Aligns shapes with their mean.
fn bring_to_mean(shapes: &mut [Points]) {
    let originals = shapes.to_vec();
    for _ in 0..ALIGNMENTS {
        let mean = mean(shapes);
        for (shape, original) in shapes.iter_mut().zip(&originals) {
            let (turn, from, to) = align(original, &mean);
            *shape = original.map(|point| add(turn.apply(sub(point, from)), to));
        }
    }
}

fn mean(shapes: &[Points]) -> Points {
    let mut sum = [[0.0; 2]; LANDMARK_COUNT];
    for shape in shapes {
        for (sum, &point) in sum.iter_mut().zip(shape) {
            *sum = add(*sum, point);
        }
    }
    sum.map(|point| point.map(|value| value / shapes.len() as f64))
}

/// One row of the regression's matrix.
fn causes(shape: &Points, label: &Intensities) -> [f64; CAUSES] {
    let (left, right, tip) = (shape[0], shape[16], shape[30]);
    let width = right[0] - left[0];
    let yaw = (tip[0] - (left[0] + right[0]) / 2.0) / width;
    let pitch = tip[1] - shape[27][1];
    let mut row = [1.0; CAUSES];
    for (value, &intensity) in row[1..].iter_mut().zip(label.as_array()) {
        *value = intensity.into();
    }
    row[1 + AU_COUNT..].copy_from_slice(&[yaw, yaw * yaw, pitch, pitch * pitch, width]);
    row
}

/// The least-squares solution X of `causes` X = `points`, computed from the normal equations with normalised columns.
/// If there are several solutions, the smallest.
fn regression(causes: &DMatrix<f64>, points: &DMatrix<f64>) -> DMatrix<f64> {
    let sizes: Vec<f64> = causes
        .column_iter()
        .map(|column| column.norm())
        .map(|size| if size > 0.0 { size } else { 1.0 })
        .collect();
    let scaled = DMatrix::from_fn(causes.nrows(), causes.ncols(), |row, column| {
        causes[(row, column)] / sizes[column]
    });
    let normal = scaled.tr_mul(&scaled).symmetric_eigen();
    let limit = RANK * normal.eigenvalues.amax();
    let mut along = normal.eigenvectors.tr_mul(&scaled.tr_mul(points));
    for (mut row, &value) in along.row_iter_mut().zip(&normal.eigenvalues) {
        row *= if value > limit { 1.0 / value } else { 0.0 };
    }
    let mut slopes = normal.eigenvectors * along;
    for (mut row, size) in slopes.row_iter_mut().zip(sizes) {
        row /= size;
    }
    slopes
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "shares of a side, of which f32 resolves a millionth"
)]
fn single(value: f64) -> f32 {
    value as f32
}

/// A set of landmarks, one bit per landmark.
type Part = u128;

/// The landmarks from `first` to `last`.
const fn part(first: u32, last: u32) -> Part {
    (2 << last) - (1 << first)
}

const JAW: Part = part(3, 13);
const BROWS: Part = part(17, 26);
const INNER_BROWS: Part = part(20, 23);
const NOSE_ROOT: Part = part(27, 27);
const NOSE: Part = part(27, 35);
const NOSTRILS: Part = part(31, 35);
const EYES: Part = part(36, 47);
/// Between the corners of the eyes.
const UPPER_LIDS: Part = part(37, 38) | part(43, 44);
/// With the corners of the eyes.
const LOWER_LIDS: Part = part(36, 36) | part(39, 42) | part(45, 47);
const MOUTH: Part = part(48, 67);
/// Its outer and its inner edge.
const UPPER_LIP: Part = part(48, 54) | part(60, 64);

/// The landmarks that the muscles of each unit can move, in label order.
const REACH: [Part; AU_COUNT] = [
    BROWS,                          // AU01: the lids' folds give way
    BROWS,                          // AU02
    BROWS | UPPER_LIDS | NOSE_ROOT, // AU04
    EYES,                           // AU05
    EYES,                           // AU06
    EYES,                           // AU07
    NOSE | INNER_BROWS | UPPER_LIP, // AU09
    MOUTH | NOSTRILS,               // AU10
    MOUTH | JAW | LOWER_LIDS,       // AU12
    MOUTH,                          // AU14
    MOUTH | JAW,                    // AU15
    MOUTH | JAW,                    // AU17
    MOUTH | JAW,                    // AU20
    MOUTH,                          // AU23
    MOUTH | JAW,                    // AU25
    MOUTH | JAW,                    // AU26
    EYES,                           // AU45
];

/// The landmarks that a unit moves.
fn reach(unit: usize) -> impl Iterator<Item = usize> {
    (0..LANDMARK_COUNT).filter(move |point| REACH[unit] >> point & 1 == 1)
}

#[cfg(test)]
mod tests;
