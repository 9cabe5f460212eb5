//! Statistics of each action unit's labels.

use serde::Serialize;

use crate::au::{ACTIVE_INTENSITY, ActionUnit, MAX_INTENSITY};
use crate::dataset::Face;

/// Bins of a histogram, over 0 to 5.
pub const BINS: usize = 25;

/// The distribution of one action unit's intensity, in OpenFace units.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unit {
    /// `AU12`.
    pub code: &'static str,
    /// `lip-corner-puller`.
    pub name: &'static str,
    /// Mean intensity.
    pub mean: f32,
    /// Largest intensity.
    pub max: f32,
    /// Fraction of faces that show it (intensity above [`ACTIVE_INTENSITY`]), 0 to 1.
    pub shown: f32,
    /// Faces below 0 or above 5.
    pub out_of_range: usize,
    /// Number of faces in each 25th part of 0 to 5. Values outside count in the first or last bin.
    pub histogram: [usize; BINS],
}

/// Counts all action units over all faces.
pub(super) fn count(faces: &[&Face]) -> Vec<Unit> {
    ActionUnit::ALL.map(|au| unit(au, faces)).into()
}

fn unit(au: ActionUnit, faces: &[&Face]) -> Unit {
    let values = || faces.iter().map(|face| face.intensities.get(au));
    let mut histogram = [0; BINS];
    for value in values() {
        histogram[bin(value)] += 1;
    }
    let share = |count: usize| count as f32 / faces.len().max(1) as f32;
    let sum: f64 = values().map(f64::from).sum();
    #[allow(clippy::cast_possible_truncation, reason = "a mean of f32 fits f32")]
    let mean = (sum / faces.len().max(1) as f64) as f32;
    Unit {
        code: au.code(),
        name: au.name(),
        mean,
        max: values().reduce(f32::max).unwrap_or(0.0),
        shown: share(values().filter(|&value| value > ACTIVE_INTENSITY).count()),
        out_of_range: values()
            .filter(|value| !(0.0..=MAX_INTENSITY).contains(value))
            .count(),
        histogram,
    }
}

/// The bin of an intensity.
#[allow(
    clippy::cast_possible_truncation,
    reason = "float to integer casts saturate, which is the clamp"
)]
#[allow(
    clippy::cast_sign_loss,
    reason = "float to integer casts saturate, which is the clamp"
)]
fn bin(value: f32) -> usize {
    ((value / MAX_INTENSITY * BINS as f32) as usize).min(BINS - 1)
}
