//! Tests of the prior with invented faces and, if available, with real faces.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::au::ActionUnit;
use crate::dataset::{Dataset, Split};

/// A symmetric face.
fn shape() -> Points {
    let mut points = [[0.5; 2]; LANDMARK_COUNT];
    for (at, &other) in MIRROR.iter().enumerate() {
        if at < other {
            let (x, y) = (0.1 + 0.035 * (at % 11) as f64, 0.15 + 0.012 * at as f64);
            (points[at], points[other]) = ([x, y], [1.0 - x, y]);
        } else if at == other {
            points[at] = [0.5, 0.2 + 0.011 * at as f64];
        }
    }
    points
}

/// Symmetric displacements: each unit moves one landmark and its mirror image, within the unit's reach.
fn made_up() -> [Points; AU_COUNT] {
    let mut made_up = [[[0.0; 2]; LANDMARK_COUNT]; AU_COUNT];
    for (unit, displacement) in made_up.iter_mut().enumerate() {
        let point = reach(unit).nth(2).unwrap();
        let aside = if MIRROR[point] == point { 0.0 } else { 1.0 };
        let (x, y) = (aside * (0.002 + 0.0005 * unit as f64), 0.01 - 0.001 * unit as f64);
        displacement[point] = [x, y];
        displacement[MIRROR[point]] = [-x, y];
    }
    // Out of reach: must not be learned.
    made_up[ActionUnit::LipCornerPuller.index()][19] = [0.0, 0.02];
    made_up[ActionUnit::LipCornerPuller.index()][24] = [0.0, 0.02];
    made_up
}

/// Faces with random units, rotated, scaled, shifted and with noise. One has bad landmarks.
fn faces(count: usize, shown: impl Fn(usize) -> bool) -> Vec<(Landmarks, Intensities)> {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut draw = |low: f64, high: f64| low + (high - low) * random.random::<f64>();
    let (shape, made_up) = (shape(), made_up());
    let mut face = |at: usize| {
        let mut label = [0.0; AU_COUNT];
        let mut points = shape;
        for (unit, label) in label.iter_mut().enumerate().filter(|(unit, _)| shown(*unit)) {
            *label = single(draw(0.0, 3.0));
            for (point, displacement) in points.iter_mut().zip(&made_up[unit]) {
                *point = add(*point, displacement.map(|value| value * f64::from(*label)));
            }
        }
        let (angle, scale) = (draw(-0.2, 0.2), draw(0.8, 1.1));
        let turn = Turn {
            along: scale * angle.cos(),
            across: scale * angle.sin(),
        };
        let centre = [0.5, 0.5].map(|middle| middle + draw(-0.05, 0.05));
        let points = points.map(|point| {
            let noisy = add(point, [draw(-0.002, 0.002), draw(-0.002, 0.002)]);
            add(turn.apply(sub(noisy, [0.5; 2])), centre).map(single)
        });
        let mut landmarks = points;
        if at == 7 {
            landmarks[50] = [0.0, 1.4];
        }
        (Landmarks::new(landmarks), Intensities::new(label))
    };
    (0..count).map(&mut face).collect()
}

fn fit(faces: &[(Landmarks, Intensities)]) -> Result<MotionPrior> {
    MotionPrior::fit(
        faces
            .iter()
            .map(|(landmarks, intensities)| (landmarks, intensities)),
    )
}

#[test]
fn made_up_displacements_are_found_again() {
    let prior = fit(&faces(600, |_| true)).unwrap();
    let (width, mean) = (shape()[45][0] - shape()[36][0], prior.mean().points());
    let scale = f64::from(mean[45][0] - mean[36][0]) / width;
    for (unit, (found, expected)) in prior.displacement().iter().zip(&made_up()).enumerate() {
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            let reached = reach(unit).any(|point| point == at);
            for (found, expected) in found.iter().zip(expected) {
                let expected = if reached { expected * scale } else { 0.0 };
                let difference = (f64::from(*found) - expected).abs();
                // A moving stable point also moves its neighbours a little.
                assert!(
                    difference < 1.2e-3,
                    "unit {unit}, point {at}: {found} for {expected}"
                );
                assert!(reached || *found == 0.0);
            }
        }
    }
}

#[test]
fn a_unit_that_no_face_shows_moves_nothing() {
    let blink = ActionUnit::Blink.index();
    let prior = fit(&faces(200, |unit| unit != blink)).unwrap();
    assert!(
        prior.displacement()[blink]
            .as_flattened()
            .iter()
            .all(|value| value.abs() < 1e-9)
    );
    let others = prior.displacement()[..blink].as_flattened().as_flattened();
    assert!(others.iter().all(|value| value.abs() < 0.05));
}

#[test]
fn the_prior_and_the_mean_are_symmetric() {
    let prior = fit(&faces(200, |_| true)).unwrap();
    let mirrored = prior.mean().mirrored();
    let shift = mirrored.points()[8][0] - prior.mean().points()[8][0];
    for (a, b) in mirrored.points().iter().zip(prior.mean().points()) {
        assert!((a[0] - shift - b[0]).abs() < 1e-5 && (a[1] - b[1]).abs() < 1e-5);
    }
    for displacement in prior.displacement() {
        for (at, &other) in MIRROR.iter().enumerate() {
            assert!((displacement[at][0] + displacement[other][0]).abs() < 1e-5);
            assert!((displacement[at][1] - displacement[other][1]).abs() < 1e-5);
        }
    }
}

#[test]
fn too_few_faces_are_refused() {
    let message = fit(&faces(20, |_| true)).unwrap_err().to_string();
    assert!(
        message.starts_with("20 face(s) have landmarks, but learning motion needs 100; add landmarks.csv"),
        "{message}"
    );
}

#[test]
fn an_aligned_copy_lies_on_the_original() {
    let shape = shape();
    let turn = Turn {
        along: 0.9,
        across: -0.3,
    };
    let moved = shape.map(|point| add(turn.apply(point), [0.1, -0.2]));
    let (found, from, to) = align(&moved, &shape);
    for (moved, original) in moved.iter().zip(&shape) {
        let back = add(found.apply(sub(*moved, from)), to);
        assert!((back[0] - original[0]).abs() < 1e-12 && (back[1] - original[1]).abs() < 1e-12);
    }
}

/// To run this test, set `GANIMATION_FACES` to a dataset folder with landmarks. The expected numbers come from the
/// Python prototype of the method, on 12,847 faces.
#[test]
fn real_faces_move_as_anatomy_says() {
    let Ok(dir) = std::env::var("GANIMATION_FACES") else {
        eprintln!("skipped: GANIMATION_FACES does not name a dataset folder");
        return;
    };
    let dataset = Dataset::open(dir).unwrap();
    let faces = [Split::Train, Split::Test]
        .map(|split| dataset.split(split))
        .concat();
    let start = std::time::Instant::now();
    let known = faces
        .iter()
        .filter_map(|face| Some((face.landmarks.as_ref()?, &face.intensities)));
    let prior = MotionPrior::fit(known).unwrap();
    eprintln!("fitted in {:?}", start.elapsed());
    let moves = |au: ActionUnit, at: usize| prior.displacement()[au.index()][at].map(|value| value * 100.0);
    let gap = |au, uppers: &[usize], lowers: &[usize]| {
        let down =
            |points: &[usize]| points.iter().map(|&at| moves(au, at)[1]).sum::<f32>() / points.len() as f32;
        down(lowers) - down(uppers)
    };
    let lids = |au| gap(au, &[37, 38, 43, 44], &[40, 41, 46, 47]);
    let brows = (18..26).map(|at| moves(ActionUnit::OuterBrowRaiser, at)[1]);
    let smile = moves(ActionUnit::LipCornerPuller, 48);
    let sulk = moves(ActionUnit::LipCornerDepressor, 48);
    for (what, found, expected) in [
        ("AU12 corner, x", smile[0], -1.455),
        ("AU12 corner, y", smile[1], -2.010),
        ("AU15 corner, x", sulk[0], 0.189),
        ("AU15 corner, y", sulk[1], 1.422),
        (
            "AU25 lips",
            gap(ActionUnit::LipsPart, &[61, 62, 63], &[65, 66, 67]),
            2.497,
        ),
        ("AU02 brows", brows.sum::<f32>() / 8.0, -1.518),
        ("AU45 lids", lids(ActionUnit::Blink), -1.003),
        ("AU05 lids", lids(ActionUnit::UpperLidRaiser), 0.251),
        ("AU06 lids", lids(ActionUnit::CheekRaiser), -0.441),
    ] {
        eprintln!("{what}: {found:.3}, expected {expected:.3}");
        assert!((found - expected).abs() < 0.1, "{what}: {found} for {expected}");
    }
}
