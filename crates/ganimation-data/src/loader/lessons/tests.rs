//! Tests of lessons, with real files and threads where pixels matter.

use image::{Rgb, RgbImage};

use super::super::{LessonConfig, Loader};
use super::*;
use crate::au::Intensities;
use crate::landmarks::{LANDMARK_COUNT, MIRROR};
use crate::prior::MotionPrior;
use crate::teacher::GAINS;

const SIZE: usize = 16;
const FIELD: usize = 2 * 32 * 32;
const MASK: usize = (SIZE / 2) * (SIZE / 2);

/// A symmetric face with slightly open mouth and eyes.
fn landmarks() -> Landmarks {
    let mut points = [[0.5; 2]; LANDMARK_COUNT];
    for (at, &other) in MIRROR.iter().enumerate() {
        let x = 0.1 + 0.35 * (at % 11) as f32 / 11.0;
        let y = 0.1 + 0.8 * at as f32 / 68.0;
        if at < other {
            (points[at], points[other]) = ([x, y], [1.0 - x, y]);
        } else if at == other {
            points[at][1] = y;
        }
    }
    for (upper, lower) in [
        (61, 67),
        (62, 66),
        (63, 65),
        (37, 41),
        (38, 40),
        (43, 47),
        (44, 46),
    ] {
        points[lower][1] = points[upper][1] + 0.02;
    }
    (points[60], points[64]) = ([0.35, 0.85], [0.65, 0.85]);
    Landmarks::new(points)
}

/// Every unit opens the mouth. AU25 opens it most.
fn teacher() -> Arc<Teacher> {
    let mut displacement = [[[0.0; 2]; LANDMARK_COUNT]; AU_COUNT];
    for (unit, displacement) in displacement.iter_mut().enumerate() {
        let move_by = if unit == ActionUnit::LipsPart.index() {
            0.02
        } else {
            0.002
        };
        for lower in &mut displacement[65..] {
            lower[1] = move_by;
        }
        displacement[48] = [-0.004, 0.0];
        displacement[54] = [0.004, 0.0];
    }
    Arc::new(Teacher::new(MotionPrior::new(displacement, landmarks()), GAINS))
}

/// Faces with pixels that identify them: the left half is `3 * i`, the right half `3 * i + 1`. Face 1 has no landmarks.
/// The landmarks of the others are moved to the right by a hundredth times i. Every third face opens its lips and
/// smiles.
fn faces(dir: &std::path::Path, count: u8) -> Vec<Face> {
    let face = |i: u8| {
        let path = dir.join(format!("{i}.png"));
        let halves = |x| 3 * i + u8::from(x >= 8);
        RgbImage::from_fn(16, 16, |x, _| Rgb([halves(x); 3]))
            .save(&path)
            .unwrap();
        let mut intensities = Intensities::new([f32::from(i) / 10.0; AU_COUNT]);
        if i.is_multiple_of(3) {
            intensities.set(ActionUnit::LipsPart, 2.0);
            intensities.set(ActionUnit::LipCornerPuller, 3.0);
        }
        let shifted = landmarks().points().map(|[x, y]| [x + 0.01 * f32::from(i), y]);
        Face {
            id: i.to_string(),
            path,
            intensities,
            landmarks: (i != 1).then_some(Landmarks::new(shifted)),
        }
    };
    (0..count).map(face).collect()
}

fn config(taught_steps: u64) -> LoaderConfig {
    LoaderConfig {
        batch_size: 4,
        image_size: SIZE,
        seed: 7,
        lessons: Some(LessonConfig {
            teacher: teacher(),
            taught_steps,
        }),
        ..LoaderConfig::default()
    }
}

fn batches(faces: &[Face], config: LoaderConfig, first_step: u64, count: usize) -> Vec<Batch> {
    let loader = Loader::new(faces, config, first_step).unwrap();
    loader.take(count).collect::<Result<_>>().unwrap()
}

fn units(values: &[f32]) -> &[[f32; AU_COUNT]] {
    values.as_chunks().0
}

/// Which face a picture shows, and whether it is mirrored.
fn shown(pixels: &[u8]) -> (usize, bool) {
    (usize::from(pixels[0] / 3), pixels[0] % 3 == 1)
}

#[test]
fn lessons_do_not_depend_on_workers_or_on_where_they_start() {
    let dir = tempfile::tempdir().unwrap();
    let faces = faces(dir.path(), 11);
    let whole = batches(&faces, config(4), 0, 8);
    for (workers, first) in [(3, 0_u8), (2, 3), (1, 5)] {
        let config = LoaderConfig {
            workers,
            cache: false,
            ..config(4)
        };
        let first = usize::from(first);
        assert_eq!(batches(&faces, config, first as u64, 8 - first), whole[first..]);
    }
    let other = LoaderConfig { seed: 8, ..config(4) };
    assert_ne!(batches(&faces, other, 0, 8), whole);
}

#[test]
fn half_of_a_taught_batch_are_reverse_pairs_and_later_every_second_step_has_some() {
    let dir = tempfile::tempdir().unwrap();
    let faces = faces(dir.path(), 11);
    for batch in batches(&faces, config(3), 0, 8) {
        let count = if batch.step < 3 { 2 } else { 4 };
        assert_eq!(
            (batch.batch, batch.pixels.len()),
            (count, count * SIZE * SIZE * 3)
        );
        assert_eq!(
            (batch.aus.len(), batch.target_aus.len()),
            (count * AU_COUNT, count * AU_COUNT)
        );
        let lessons = batch.lessons.unwrap();
        assert_eq!(
            (lessons.field.len(), lessons.mask.len()),
            (count * FIELD, count * MASK)
        );
        let Some(pairs) = lessons.pairs else {
            assert!(batch.step >= 3 && !batch.step.is_multiple_of(2));
            continue;
        };
        assert!(batch.step < 3 || batch.step.is_multiple_of(2));
        assert_eq!((pairs.count, pairs.pixels.len()), (2, 2 * SIZE * SIZE * 3));
        assert_eq!(
            (pairs.aus.len(), pairs.reduced_aus.len()),
            (2 * AU_COUNT, 2 * AU_COUNT)
        );
        assert_eq!((pairs.lead.len(), pairs.field.len()), (2 * FIELD, 2 * FIELD));
        assert_eq!(pairs.mask.len(), 2 * MASK);
    }
}

#[test]
fn lessons_belong_to_the_pixels_that_they_come_with() {
    let dir = tempfile::tempdir().unwrap();
    let faces = faces(dir.path(), 11);
    let teacher = teacher();
    let (mut flips, mut masks) = (0, 0);
    let landmarks = |pixels: &[u8]| {
        let (face, flipped) = shown(pixels);
        let landmarks = faces[face].landmarks.unwrap();
        let landmarks = if flipped { landmarks.mirrored() } else { landmarks };
        (face, flipped, landmarks)
    };
    for batch in batches(&faces, config(6), 0, 12) {
        let lessons = batch.lessons.unwrap();
        let requested = units(&batch.aus).iter().zip(units(&batch.target_aus));
        let taught = lessons.field.chunks(FIELD).zip(lessons.mask.chunks(MASK));
        for ((pixels, (aus, target)), (field, mask)) in
            batch.pixels.chunks(SIZE * SIZE * 3).zip(requested).zip(taught)
        {
            let (face, flipped, landmarks) = landmarks(pixels);
            assert_eq!(*aus, faces[face].intensities.normalized());
            let lesson = teacher.lesson(&landmarks, aus, target, SIZE / 2);
            assert_eq!((field, mask), (&lesson.field[..], &lesson.mask[..]));
            flips += usize::from(flipped);
        }
        let Some(pairs) = lessons.pairs else { continue };
        let led = units(&pairs.aus)
            .iter()
            .zip(units(&pairs.reduced_aus))
            .enumerate();
        for (pixels, (at, (aus, led))) in pairs.pixels.chunks(SIZE * SIZE * 3).zip(led) {
            let (face, _, landmarks) = landmarks(pixels);
            assert!(face % 3 == 0 || face > 6, "{face} shows little");
            assert_eq!(*aus, faces[face].intensities.normalized());
            assert_eq!(led[ActionUnit::LipsPart.index()], 0.0);
            assert!(led.iter().zip(aus).all(|(led, own)| led <= own));
            let lead = teacher.lesson(&landmarks, aus, led, 0);
            let back = teacher.lesson_between(&lead.moved, &landmarks, SIZE / 2);
            assert_eq!(pairs.lead[at * FIELD..][..FIELD], lead.field);
            assert_eq!(pairs.field[at * FIELD..][..FIELD], back.field);
            assert_eq!(pairs.mask[at * MASK..][..MASK], back.mask);
            masks += usize::from(back.mask.iter().any(|&value| value > 0.0));
        }
    }
    assert!((9..30).contains(&flips), "{flips} of 36 mirrored");
    assert!(masks > 5, "{masks} mouths opened");
}

/// A plan on faces without pictures.
fn plan(count: usize, intensities: impl Fn(usize) -> [f32; AU_COUNT]) -> LessonPlan {
    let face = |at: usize| Face {
        id: at.to_string(),
        path: std::path::PathBuf::new(),
        intensities: Intensities::new(intensities(at)),
        landmarks: Some(landmarks()),
    };
    let faces: Vec<_> = (0..count).map(face).collect();
    LessonPlan::new(&faces, &config(0)).unwrap().unwrap()
}

#[test]
fn targets_come_in_the_shares_asked_for() {
    // Every face has its own intensity, so that a target identifies its source. Edits are zero or above.
    let plan = plan(50, |at| [0.01 + 0.02 * at as f32; AU_COUNT]);
    let [
        mut same,
        mut closed,
        mut surprised,
        mut edited,
        mut mixed,
        mut others,
        mut off,
    ] = [0; 7];
    let total = 8_000;
    for step in 0..total {
        let drawn = plan.forward(step, 0, 0);
        let own = drawn.known.aus;
        let changed: Vec<_> = (0..AU_COUNT)
            .filter(|&unit| drawn.aus[unit] != own[unit])
            .collect();
        let first = changed.first().map_or(own[0], |&unit| drawn.aus[unit]);
        let from_another = plan.known.iter().any(|known| known.aus[0] == first);
        match (changed.len(), from_another) {
            (0, _) => same += 1,
            (1, false) if changed == [ActionUnit::Blink.index()] && first >= 0.6 => closed += 1,
            (5, false) if changed == SURPRISE.map(ActionUnit::index) => surprised += 1,
            (1..=4, false) => {
                edited += 1;
                off += usize::from(first == 0.0);
                assert!(changed.iter().all(|&unit| (0.0..=0.8).contains(&drawn.aus[unit])));
            }
            (AU_COUNT, _) => others += 1,
            _ => mixed += 1,
        }
    }
    let share = |count: usize| count as f64 / total as f64;
    // One of fifty other faces can be the same, and half of one face can be almost nothing or everything.
    for (what, count, expected) in [
        ("same", same, 0.1 + 0.34 * 0.02),
        ("closed eyes", closed, 0.16),
        ("surprised", surprised, 0.1),
        ("edited", edited, 0.3),
        ("mixed", mixed, 0.12 * 0.98),
        ("another's", others, 0.22 * 0.98),
    ] {
        assert!(
            (share(count) - expected).abs() < 0.02,
            "{what}: {} for {expected}",
            share(count)
        );
    }
    assert!(
        (off as f64 / edited as f64 - 0.35).abs() < 0.03,
        "{off} of {edited} switched off"
    );
}

#[test]
fn rare_units_are_drawn_more_often_and_reverse_pairs_show_something() {
    // Every 50th face raises its brows.
    let brows = |at: usize| {
        let mut aus = [0.0; AU_COUNT];
        aus[0] = if at.is_multiple_of(50) { 3.0 } else { 0.0 };
        aus
    };
    let plan = plan(500, brows);
    let draws = 6_000;
    let rare = (0..draws)
        .filter(|&step| plan.forward(step, 1, 0).known.aus[0] > 0.5)
        .count();
    // Weights: (1 / (0.02 + 0.01) + 3)^0.5 = 6.03 against 3^0.5.
    let expected = 6.03 * 0.02 / (6.03 * 0.02 + 1.732 * 0.98);
    assert!(
        (rare as f64 / draws as f64 - expected).abs() < 0.01,
        "{rare} of {draws}"
    );
    for step in 0..200 {
        assert_eq!(plan.pair(step, 0, 0).known.aus[0], 0.6);
    }
    let pairs: Vec<_> = (0..4_000).map(|step| plan.pair(step, 0, 0).aus[0]).collect();
    let lessened = pairs.iter().filter(|&&led| led < 0.6).count();
    assert!((lessened as f64 / 4_000.0 - 0.4).abs() < 0.03, "{lessened}");
}

#[test]
fn an_edit_asks_for_what_faces_show_and_no_more() {
    let plan = plan(1_001, |at| {
        let mut aus = [at as f32 * 0.005; AU_COUNT];
        aus[3] = 0.0;
        aus
    });
    assert!((plan.most[0] - 0.998).abs() < 1e-5, "{}", plan.most[0]);
    assert_eq!(plan.most[3], 0.8);
}

#[test]
fn bad_pictures_are_replaced_with_lessons_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut faces = faces(dir.path(), 11);
    faces[3].path = dir.path().join("gone.png");
    let load = |workers| {
        let config = LoaderConfig {
            workers,
            skip_bad: true,
            ..config(20)
        };
        let mut loader = Loader::new(faces.clone(), config, 0).unwrap();
        let batches: Vec<Batch> = loader.by_ref().take(12).collect::<Result<_>>().unwrap();
        (batches, loader.take_problems().len())
    };
    let (batches, problems) = load(1);
    assert_eq!(problems, 1);
    for batch in &batches {
        let pairs = batch
            .lessons
            .as_ref()
            .and_then(|lessons| lessons.pairs.as_ref())
            .unwrap();
        for (pixels, aus) in [(&batch.pixels, &batch.aus), (&pairs.pixels, &pairs.aus)] {
            for (pixels, aus) in pixels.chunks(SIZE * SIZE * 3).zip(units(aus)) {
                let (face, _) = shown(pixels);
                assert!(face != 3 && *aus == faces[face].intensities.normalized());
            }
        }
    }
    assert_eq!(load(3).0, batches);
}

#[test]
fn faces_without_landmarks_are_not_drawn_and_too_few_with_them_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut faces = faces(dir.path(), 8);
    for batch in batches(&faces, config(0), 0, 12) {
        assert!(
            batch
                .pixels
                .chunks(SIZE * SIZE * 3)
                .all(|pixels| shown(pixels).0 != 1)
        );
    }
    for face in &mut faces[..5] {
        face.landmarks = None;
    }
    let message = Loader::new(faces.clone(), config(0), 0).unwrap_err().to_string();
    assert!(
        message.starts_with("3 face(s) have landmarks, but learning motion needs 4; add landmarks.csv"),
        "{message}"
    );
    let config = LoaderConfig {
        batch_size: 1,
        ..config(0)
    };
    let message = Loader::new(faces, config, 0).unwrap_err().to_string();
    assert!(
        message.starts_with("loader setting `batch_size` is 1, expected at least 2"),
        "{message}"
    );
}
