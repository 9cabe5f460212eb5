//! Tests of lessons, compared with those of the script `tests/data/lessons.py`.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Reference {
    mean: Vec<f32>,
    displacement: Vec<f32>,
    gains: Vec<f32>,
    mask_side: usize,
    lessons: Vec<ReferenceLesson>,
}

#[derive(Deserialize)]
struct ReferenceLesson {
    landmarks: Vec<f32>,
    shown: Vec<f32>,
    target: Vec<f32>,
    field: Vec<f32>,
    mask: Vec<f32>,
    moved: Vec<f32>,
}

impl ReferenceLesson {
    fn lesson(&self, teacher: &Teacher, landmarks: &Landmarks, mask_side: usize) -> Lesson {
        let units = |values: &[f32]| values.try_into().unwrap();
        teacher.lesson(landmarks, &units(&self.shown), &units(&self.target), mask_side)
    }
}

fn points(values: &[f32]) -> [[f32; 2]; LANDMARK_COUNT] {
    values.as_chunks::<2>().0.try_into().unwrap()
}

fn reference() -> (Teacher, Reference) {
    let reference: Reference = serde_json::from_str(include_str!("../../tests/data/lessons.json")).unwrap();
    let units: Vec<_> = reference
        .displacement
        .chunks(2 * LANDMARK_COUNT)
        .map(points)
        .collect();
    let mean = Landmarks::new(points(&reference.mean));
    let prior = MotionPrior::new(units.try_into().unwrap(), mean);
    let gains = reference.gains.as_slice().try_into().unwrap();
    (Teacher::new(prior, gains), reference)
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn lessons_are_those_of_the_reference() {
    let (teacher, reference) = reference();
    for (at, expected) in reference.lessons.iter().enumerate() {
        let landmarks = Landmarks::new(points(&expected.landmarks));
        let lesson = expected.lesson(&teacher, &landmarks, reference.mask_side);
        let moved = largest_difference(lesson.moved.points().as_flattened(), &expected.moved);
        assert!(moved < 1e-5, "{at}: landmarks differ by {moved}");
        let field = largest_difference(&lesson.field, &expected.field);
        assert!(field < 1e-4, "{at}: fields differ by {field}");
        let differences = lesson.mask.iter().zip(&expected.mask).map(|(a, b)| (a - b).abs());
        let mask = differences.sum::<f32>() / expected.mask.len() as f32;
        assert!(mask < 0.02, "{at}: masks differ by {mask} on average");
        let areas = [&lesson.mask, &expected.mask].map(|mask| mask.iter().sum::<f32>());
        eprintln!("{at}: moved {moved:.1e}, field {field:.1e}, mask {mask:.1e}, areas {areas:?}");
        // Pillow also draws outlines, so its polygons are larger by half a sub-pixel on each side.
        assert!(
            areas[0] <= areas[1] + 1e-6 && areas[0] >= 0.5 * areas[1],
            "{at}: {areas:?}"
        );
    }
}

#[test]
fn an_order_of_nothing_moves_and_paints_nothing() {
    let (teacher, reference) = reference();
    let landmarks = Landmarks::new(points(&reference.lessons[0].landmarks));
    let lesson = teacher.lesson(&landmarks, &[0.3; AU_COUNT], &[0.3; AU_COUNT], 16);
    assert!(lesson.field.iter().chain(&lesson.mask).all(|&value| value == 0.0));
    assert_eq!(
        (lesson.field.len(), lesson.mask.len(), lesson.moved),
        (2 * 32 * 32, 256, landmarks)
    );
    let unmasked = teacher.lesson(&landmarks, &[0.0; AU_COUNT], &[0.1; AU_COUNT], 0);
    assert!(unmasked.mask.is_empty() && unmasked.field.iter().any(|&value| value != 0.0));
}

#[test]
fn a_mirrored_face_learns_the_mirrored_lesson() {
    let (teacher, reference) = reference();
    let lesson = &reference.lessons[0];
    // This needs symmetric displacements. The mean of the reference is symmetric except for rounding.
    let landmarks = Landmarks::new(points(&lesson.landmarks));
    let straight = lesson.lesson(&teacher, &landmarks, 32);
    let mirrored = lesson.lesson(&teacher, &landmarks.mirrored(), 32);
    for row in 0..FIELD_SIDE {
        for column in 0..FIELD_SIDE {
            let (here, there) = (
                row * FIELD_SIDE + column,
                row * FIELD_SIDE + FIELD_SIDE - 1 - column,
            );
            let down = FIELD_SIDE * FIELD_SIDE;
            assert!((straight.field[here] + mirrored.field[there]).abs() < 1e-3);
            assert!((straight.field[down + here] - mirrored.field[down + there]).abs() < 1e-3);
            assert!((straight.mask[here] - mirrored.mask[there]).abs() < 0.05);
        }
    }
}

#[test]
fn a_seam_is_where_a_mouth_closes_and_nowhere_else() {
    let (teacher, reference) = reference();
    let shut = Landmarks::new(points(&reference.mean));
    let mut parted = [0.0; AU_COUNT];
    parted[crate::ActionUnit::LipsPart.index()] = 0.6;
    let opened = teacher.lesson(&shut, &[0.0; AU_COUNT], &parted, 64);
    assert!(opened.mask.iter().sum::<f32>() > 10.0 && opened.seam.iter().all(|&value| value == 0.0));
    let closed = teacher.lesson(&opened.moved, &parted, &[0.0; AU_COUNT], 64);
    assert!(closed.mask.iter().all(|&value| value == 0.0));
    let covered = closed.seam.iter().sum::<f32>();
    assert!(covered > 10.0 && covered < 400.0, "{covered} of 4,096");
}

#[test]
fn lids_unfold_new_skin_when_eyes_close_and_none_when_they_narrow() {
    let (teacher, reference) = reference();
    let open = Landmarks::new(points(&reference.mean));
    let covered = |unit: crate::ActionUnit, value: f32| -> f32 {
        let mut target = [0.0; AU_COUNT];
        target[unit.index()] = value;
        let lesson = teacher.lesson(&open, &[0.0; AU_COUNT], &target, 64);
        assert!(lesson.mask.iter().all(|&value| value == 0.0));
        let (above, below) = lesson.seam.split_at(64 * 32);
        assert!(below.iter().all(|&value| value == 0.0));
        above.iter().sum()
    };
    assert_eq!(covered(crate::ActionUnit::LidTightener, 0.4), 0.0);
    let closed = covered(crate::ActionUnit::Blink, 1.0);
    assert!(closed > 10.0 && closed < 200.0, "{closed} of 4,096");
}

#[test]
fn lips_that_no_unit_parts_any_more_are_shut_and_half_parted_ones_are_half_open() {
    let (teacher, reference) = reference();
    let mut parted = Landmarks::new(points(&reference.mean));
    let gap = |landmarks: &Landmarks| landmarks.points()[66][1] - landmarks.points()[62][1];
    let mut open = *parted.points();
    for lower in [65, 66, 67, 56, 57, 58] {
        open[lower][1] += 0.2; // wider than the unit's slope says
    }
    parted = Landmarks::new(open);
    let part = |value: f32| {
        let mut units = [0.0; AU_COUNT];
        units[crate::ActionUnit::LipsPart.index()] = value;
        units
    };
    let closed = |to: f32| gap(&teacher.lesson(&parted, &part(0.4), &part(to), 0).moved);
    assert!(gap(&parted) > 0.2 && closed(0.0).abs() < 1e-6, "{}", closed(0.0));
    assert!((closed(0.2) - 0.5 * gap(&parted)).abs() < 1e-6, "{}", closed(0.2));
}

#[test]
fn open_eyes_open_no_wider_than_eyes_do_and_shut_ones_open() {
    let (teacher, reference) = reference();
    let gap = |points: &Landmarks| points.points()[41][1] - points.points()[37][1];
    let unit = |unit: crate::ActionUnit, value: f32| {
        let mut units = [0.0; AU_COUNT];
        units[unit.index()] = value;
        units
    };
    let open = Landmarks::new(points(&reference.mean));
    let (nothing, lids) = ([0.0; AU_COUNT], crate::ActionUnit::UpperLidRaiser);
    let wide = teacher.lesson(&open, &nothing, &unit(lids, 1.0), 0).moved;
    assert!(
        (gap(&wide) / gap(&open) - WIDEST_EYE).abs() < 1e-3,
        "{}",
        gap(&wide) / gap(&open)
    );
    let shut = teacher
        .lesson(&open, &nothing, &unit(crate::ActionUnit::Blink, 1.0), 0)
        .moved;
    let opened = teacher
        .lesson(&shut, &unit(crate::ActionUnit::Blink, 1.0), &nothing, 0)
        .moved;
    assert!(
        gap(&shut) < 1e-3 && gap(&opened) > 0.8 * gap(&open),
        "{} {}",
        gap(&shut),
        gap(&opened)
    );
}

#[test]
fn closed_lids_hide_the_eye() {
    let (teacher, reference) = reference();
    let open = Landmarks::new(points(&reference.mean));
    let mut blink = [0.0; AU_COUNT];
    blink[crate::ActionUnit::Blink.index()] = 1.0;
    let lesson = teacher.lesson(&open, &[0.0; AU_COUNT], &blink, 0);
    let [upper, lower] = [37, 41].map(|point| open.points()[point]);
    // The field's vertical motion in the column of the lids.
    let cells = upper[0] * FIELD_SIDE as f32;
    let column = (0..FIELD_SIDE).rfind(|&column| column as f32 <= cells).unwrap();
    let sources = (0..FIELD_SIDE).map(|row| {
        let place = (row as f32 + 0.5) / FIELD_SIDE as f32;
        place + lesson.field[FIELD_SIDE * FIELD_SIDE + row * FIELD_SIDE + column]
    });
    let shown = sources
        .filter(|source| (upper[1] + 0.004..lower[1] - 0.004).contains(source))
        .count();
    assert!(shown <= 1, "{shown} rows show the eye");
}

#[test]
fn a_unit_among_others_moves_less_than_alone() {
    let (teacher, reference) = reference();
    let face = Landmarks::new(points(&reference.mean));
    let corner = |unit: crate::ActionUnit, value: f32| {
        let mut target = [0.0; AU_COUNT];
        target[crate::ActionUnit::LipCornerPuller.index()] = 0.4;
        target[unit.index()] = value;
        let moved = teacher.lesson(&face, &[0.0; AU_COUNT], &target, 0).moved;
        moved.points()[48][1] - face.points()[48][1]
    };
    let alone = corner(crate::ActionUnit::LipCornerPuller, 0.4);
    let gain = teacher.gains()[crate::ActionUnit::LipCornerPuller.index()];
    let expected = (1.0 + (gain - 1.0) / 2.0) / gain;
    let beside_lids = corner(crate::ActionUnit::UpperLidRaiser, 0.4);
    assert!((beside_lids / alone - expected).abs() < 1e-4);
    // Brows move other landmarks.
    assert!((corner(crate::ActionUnit::BrowLowerer, 0.4) / alone - 1.0).abs() < 1e-4);
}

/// Prints the time for a lesson: `cargo test --release -- --ignored --nocapture lesson_takes`.
#[test]
#[ignore = "a measurement"]
fn what_a_lesson_takes() {
    let (teacher, reference) = reference();
    let landmarks = Landmarks::new(points(&reference.lessons[0].landmarks));
    for mask_side in [0, 64] {
        let start = std::time::Instant::now();
        for _ in 0..1_000 {
            let lesson = std::hint::black_box(&reference.lessons[0]);
            std::hint::black_box(lesson.lesson(&teacher, &landmarks, mask_side));
        }
        eprintln!("mask {mask_side}: {:?} a lesson", start.elapsed() / 1_000);
    }
}
