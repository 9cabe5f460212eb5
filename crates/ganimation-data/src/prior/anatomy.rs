//! Displacements of the units that the regression does not find.
//!
//! OpenFace estimates these units on parts of the face that other units move too. In its labels of photos, AU10 comes with
//! wide smiles, whose lower lips are low; AU04 with deep brows; AU26 with AU25. FACS describes what their muscles do
//! (Ekman, Friesen and Hager, *Facial Action Coding System*, 2002); magnitudes are estimates.

use crate::au::ActionUnit;
use crate::landmarks::{LANDMARK_COUNT, MIRROR};

/// Distance of an adult's eye centres, in millimetres.
const EYE_DISTANCE: f64 = 63.0;

/// Points, and their displacement `[outwards, down]` in millimetres per unit of intensity.
type Moves = &'static [(&'static [usize], [f64; 2])];

/// The units, each with what it moves.
const UNITS: [(ActionUnit, Moves); 4] = [
    // Corrugator: the inner ends of the brows go down and together.
    (
        ActionUnit::BrowLowerer,
        &[
            (&[17], [-0.05, 0.1]),
            (&[18], [-0.2, 0.35]),
            (&[19], [-0.35, 0.7]),
            (&[20], [-0.5, 1.05]),
            (&[21], [-0.6, 1.25]),
            (&[27], [0.0, 0.2]),
            (&[37, 38], [0.0, 0.15]),
        ],
    ),
    // Levator labii superioris alaeque nasi: the wings of the nose and the upper lip rise, the inner brows go down.
    (
        ActionUnit::NoseWrinkler,
        &[
            (&[20], [-0.1, 0.3]),
            (&[21], [-0.15, 0.5]),
            (&[29], [0.0, -0.2]),
            (&[30, 33], [0.0, -0.3]),
            (&[31], [0.1, -0.7]),
            (&[32], [0.0, -0.5]),
            (&[48], [0.0, -0.1]),
            (&[49], [0.0, -0.4]),
            (&[50], [0.0, -0.6]),
            (&[51, 61], [0.0, -0.5]),
            (&[62], [0.0, -0.45]),
        ],
    ),
    // Levator labii superioris: the upper lip rises, most on both sides of its centre.
    (
        ActionUnit::UpperLipRaiser,
        &[
            (&[31], [0.05, -0.4]),
            (&[32], [0.0, -0.25]),
            (&[33], [0.0, -0.15]),
            (&[48], [0.05, -0.1]),
            (&[49], [0.0, -0.7]),
            (&[50], [0.0, -1.1]),
            (&[51, 61], [0.0, -0.95]),
            (&[62], [0.0, -0.8]),
        ],
    ),
    // The jaw falls, and the lower lip with it.
    (
        ActionUnit::JawDrop,
        &[
            (&[3], [0.0, 0.2]),
            (&[4], [0.0, 0.6]),
            (&[5], [0.0, 1.2]),
            (&[6], [0.0, 1.6]),
            (&[7, 8], [0.0, 1.9]),
            (&[48, 60], [-0.2, 0.5]),
            (&[59], [-0.1, 1.4]),
            (&[58, 67], [0.0, 1.9]),
            (&[57, 66], [0.0, 2.0]),
        ],
    ),
];

/// Each unit's displacement `[x, y]` per unit of intensity, in millimetres divided by the distance of the eye centres.
pub(super) fn displacements() -> impl Iterator<Item = (ActionUnit, [[f64; 2]; LANDMARK_COUNT])> {
    UNITS.into_iter().map(|(unit, moves)| {
        let mut displacement = [[0.0; 2]; LANDMARK_COUNT];
        for &(points, [outwards, down]) in moves {
            for &point in points {
                let [outwards, down] = [outwards, down].map(|value| value / EYE_DISTANCE);
                displacement[MIRROR[point]] = [outwards, down];
                displacement[point] = [-outwards, down];
            }
        }
        (unit, displacement)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prior::{Part, part, reach};

    /// The left half and the middle of a picture.
    const LEFT: Part =
        part(0, 8) | part(17, 21) | part(27, 33) | part(36, 41) | part(48, 51) | part(57, 62) | part(66, 67);

    #[test]
    fn muscles_move_both_halves_of_the_face_and_nothing_out_of_reach() {
        for (unit, displacement) in displacements() {
            let mut moved = 0;
            for (point, &[x, y]) in displacement.iter().enumerate() {
                let [other_x, other_y] = displacement[MIRROR[point]];
                assert!(x == -other_x && y == other_y, "{unit}, point {point}");
                if [x, y] != [0.0; 2] {
                    moved += 1;
                    assert!(
                        reach(unit.index()).any(|reached| reached == point),
                        "{unit}, point {point}"
                    );
                }
            }
            assert!(moved >= 8, "{unit}: {moved} points");
        }
    }

    #[test]
    fn every_point_of_the_table_lies_on_the_left_or_in_the_middle() {
        let points = UNITS
            .iter()
            .flat_map(|(_, moves)| moves.iter())
            .flat_map(|(points, _)| *points);
        for &point in points {
            assert!(LEFT >> point & 1 == 1, "{point}");
        }
    }
}
