//! Faces that another face drives: intensities measured over time.

use std::path::Path;

use ganimation_data::openface::{Reading, read_openface};
use ganimation_data::{AU_COUNT, Intensities};

use super::{Ease, Key, Timeline};
use crate::{Change, Error, Expression, Result};

/// OpenFace's usual rate, for tables without timestamps.
const FRAMES_PER_SECOND: f32 = 30.0;
/// Standard deviation of the smoothing, in seconds: measured intensities tremble from frame to frame.
const SMOOTHING: f32 = 0.07;

/// Reads what a table of OpenFace's `FeatureExtraction` measured, as seconds from the first frame and intensities.
///
/// Frames in which the face was lost are left out.
///
/// # Errors
/// [`Error::Data`] if the table cannot be read, [`Error::EmptySequence`] if it tracked no face.
pub fn read_sequence(path: &Path) -> Result<Vec<(f32, Intensities)>> {
    let readings = read_openface(path)?;
    let tracked = || (0_u16..).zip(&readings).filter(|(_, reading)| reading.success);
    let Some((_, first)) = tracked().next() else {
        return Err(Error::EmptySequence {
            path: path.to_owned(),
        });
    };
    let start = seconds(0, first);
    let from_start = |(row, reading)| (seconds(row, reading) - start, reading.intensities);
    Ok(tracked().map(from_start).collect())
}

#[allow(clippy::cast_possible_truncation, reason = "seconds of a film fit f32")]
fn seconds(row: u16, reading: &Reading) -> f32 {
    match (reading.timestamp, reading.frame) {
        (Some(timestamp), _) => timestamp as f32,
        (None, Some(frame)) => frame as f32 / FRAMES_PER_SECOND,
        (None, None) => f32::from(row) / FRAMES_PER_SECOND,
    }
}

/// The film that follows measured intensities, smoothed; times are seconds.
///
/// A relative film adds to the photo's face what changes since the first measurement, so that a driver whose brows are
/// always low lowers nobody's brows; an absolute one asks for the very intensities.
///
/// # Errors
/// Those of [`Timeline::new`].
pub fn follow(measured: &[(f32, Intensities)], relative: bool) -> Result<Timeline> {
    let smooth = smoothed(measured);
    let first = smooth.first().copied().unwrap_or_default();
    let keys: Result<Vec<Key>> = measured
        .iter()
        .zip(&smooth)
        .map(|((time, _), now)| {
            let expression = if relative {
                difference(&first, now)?
            } else {
                Expression::from(*now)
            };
            Ok(Key {
                time: *time,
                expression,
                ease: Ease::Linear,
            })
        })
        .collect();
    Timeline::new(keys?)
}

fn difference(first: &Intensities, now: &Intensities) -> Result<Expression> {
    first
        .iter()
        .zip(now.iter())
        .try_fold(Expression::new(), |expression, ((unit, first), (_, now))| {
            expression.with(unit, Change::By((now - first).clamp(-5.0, 5.0)))
        })
}

/// Each measurement as the mean of its neighbours in time, weighted by a Gaussian.
fn smoothed(measured: &[(f32, Intensities)]) -> Vec<Intensities> {
    let reach = 3.0 * SMOOTHING;
    let mut first = 0;
    measured
        .iter()
        .map(|&(now, _)| {
            while measured[first].0 < now - reach {
                first += 1;
            }
            let near = measured[first..]
                .iter()
                .take_while(|(time, _)| *time <= now + reach);
            let (mut sum, mut weights) = ([0.0; AU_COUNT], 0.0);
            for (time, intensities) in near {
                let distance = (time - now) / SMOOTHING;
                let weight = (-0.5 * distance * distance).exp();
                weights += weight;
                for (sum, value) in sum.iter_mut().zip(intensities.as_array()) {
                    *sum += weight * value;
                }
            }
            Intensities::new(sum.map(|sum| sum / weights))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ganimation_data::ActionUnit;

    const SMILE: ActionUnit = ActionUnit::LipCornerPuller;

    fn measured(smile: impl Fn(u16) -> f32) -> Vec<(f32, Intensities)> {
        (0..60)
            .map(|frame| {
                let mut intensities = Intensities::default();
                intensities.set(SMILE, smile(frame));
                intensities.set(ActionUnit::BrowLowerer, 3.0);
                (f32::from(frame) / 30.0, intensities)
            })
            .collect()
    }

    fn smiles(film: &Timeline, shown: f32) -> Vec<f32> {
        let shown = Intensities::new([shown; AU_COUNT]);
        film.frames(30.0)
            .iter()
            .map(|frame| frame.over(&shown).get(SMILE))
            .collect()
    }

    #[test]
    fn a_relative_film_starts_at_the_photo_and_adds_what_changes() {
        let film = follow(&measured(|frame| if frame < 30 { 1.0 } else { 3.0 }), true).unwrap();
        let smiles = smiles(&film, 0.5);
        assert!((smiles[0] - 0.5).abs() < 1e-5, "{smiles:?}");
        assert!((smiles[59] - 2.5).abs() < 1e-4, "{smiles:?}");
        let brows = film.at(1.0).over(&Intensities::default());
        assert!(
            brows.get(ActionUnit::BrowLowerer).abs() < 1e-5,
            "the driver's low brows stay its own"
        );
    }

    #[test]
    fn an_absolute_film_asks_for_the_very_intensities() {
        let film = follow(&measured(|_| 2.0), false).unwrap();
        assert!(smiles(&film, 4.0).iter().all(|smile| (smile - 2.0).abs() < 1e-5));
    }

    #[test]
    fn trembling_is_smoothed_and_a_step_stays_one() {
        let trembling = measured(|frame| 2.0 + f32::from(frame % 2));
        let smooth = smoothed(&trembling);
        let tremor = |a: &Intensities, b: &Intensities| (a.get(SMILE) - b.get(SMILE)).abs();
        let largest = smooth[10..50]
            .windows(2)
            .map(|pair| tremor(&pair[0], &pair[1]))
            .fold(0.0, f32::max);
        assert!(largest < 0.05, "frames differ by {largest} of 1");

        let step = smoothed(&measured(|frame| if frame < 30 { 0.0 } else { 4.0 }));
        assert!(step[20].get(SMILE) < 0.01 && step[40].get(SMILE) > 3.99);
    }

    #[test]
    fn a_table_of_openface_is_read_and_lost_frames_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("face.csv");
        let columns = ActionUnit::ALL.map(|unit| format!("{unit}_r")).join(",");
        let row = |frame: u32, success: u8, smile: f32| {
            let values = ActionUnit::ALL.map(|unit| if unit == SMILE { smile } else { 0.5 });
            let values = values.map(|value| value.to_string()).join(", ");
            format!(
                "{frame}, {:.3}, 0.98, {success}, {values}\n",
                f64::from(frame) / 10.0
            )
        };
        let table = format!(
            "frame, timestamp, confidence, success, {columns}\n{}{}{}{}",
            row(1, 0, 0.0),
            row(2, 1, 1.0),
            row(3, 0, 9.0),
            row(4, 1, 3.0)
        );
        std::fs::write(&path, table).unwrap();
        let sequence = read_sequence(&path).unwrap();
        assert_eq!(sequence.len(), 2);
        assert_eq!((sequence[0].0, sequence[0].1.get(SMILE)), (0.0, 1.0));
        assert!((sequence[1].0 - 0.2).abs() < 1e-6);
        assert_eq!(sequence[1].1.get(SMILE), 3.0);

        let lost = format!(
            "frame, timestamp, confidence, success, {columns}\n{}",
            row(1, 0, 0.0)
        );
        std::fs::write(&path, lost).unwrap();
        assert!(matches!(read_sequence(&path), Err(Error::EmptySequence { .. })));
    }
}
