//! Tests of the bundled weights on a real portrait: the mouth moves, and pixels around the face do not change.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use ganimation::{
    ActionUnit, Animator, CropMode, Ease, Expression, FacePhoto, Frame, PhotoOptions, Timeline, device,
};
use ganimation_data::film::write_gif;
use gif::{ColorOutput, DecodeOptions};
use image::{Rgb, RgbImage};

struct Film {
    animator: Animator,
    photo: FacePhoto,
    frames: Vec<Frame>,
}

/// Grace Hopper's smile in 8 frames, made once for all tests.
static FILM: LazyLock<Film> = LazyLock::new(|| {
    let animator = Animator::bundled_on(&device::resolve("flex".parse().unwrap()).unwrap()).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/grace_hopper.jpg");
    let photo = animator.open(&path, &PhotoOptions::new()).unwrap();
    let film = Timeline::there_and_back(smile(0.0), smile(1.0), 1.0, Ease::InOut);
    let frames = animator.frames(&photo, &film.frames(8.0)).collect();
    Film {
        animator,
        photo,
        frames,
    }
});

fn smile(share: f32) -> Expression {
    let smile = Expression::neutral()
        .with(ActionUnit::CheekRaiser, 3.0 * share)
        .and_then(|smile| smile.with(ActionUnit::LipCornerPuller, 4.0 * share))
        .and_then(|smile| smile.with(ActionUnit::LipsPart, 3.0 * share));
    smile.unwrap()
}

/// Whether a pixel of the photo lies in a part of the face's box, given as shares of its width and height.
fn in_part(across: Range<f32>, down: Range<f32>, x: u32, y: u32) -> bool {
    let face = FILM.photo.faces()[0].bounds();
    let share = |at: u32, start: i32| (at as f32 - start as f32) / face.size as f32;
    across.contains(&share(x, face.x)) && down.contains(&share(y, face.y))
}

fn in_face(x: u32, y: u32) -> bool {
    in_part(0.0..1.0, 0.0..1.0, x, y)
}

fn mouth(x: u32, y: u32) -> bool {
    in_part(0.25..0.75, 0.6..0.92, x, y)
}

fn forehead(x: u32, y: u32) -> bool {
    in_part(0.25..0.75, 0.0..0.15, x, y)
}

/// Mean absolute difference in levels (0 to 255) over the pixels that `counts` picks.
fn difference(a: &RgbImage, b: &RgbImage, counts: impl Fn(u32, u32) -> bool) -> f64 {
    let (mut sum, mut count) = (0.0, 0);
    for ((x, y, a), b) in a.enumerate_pixels().zip(b.pixels()) {
        if counts(x, y) {
            sum +=
                a.0.iter()
                    .zip(b.0)
                    .map(|(a, b)| f64::from(a.abs_diff(b)))
                    .sum::<f64>();
            count += 3;
        }
    }
    sum / f64::from(count)
}

#[test]
fn the_mouth_moves_over_the_frames() {
    let film = &*FILM;
    let growth: Vec<f64> = film
        .frames
        .iter()
        .map(|frame| difference(&film.frames[0].photo, &frame.photo, mouth))
        .collect();
    assert_eq!(growth[0], 0.0);
    assert!(
        growth[4] > 5.0,
        "the strongest smile changes the mouth by {growth:?} levels"
    );
    assert!(
        growth[1] < growth[2] && growth[2] < growth[4],
        "the smile grows: {growth:?}"
    );
    assert!(
        growth[6] < growth[4] && growth[7] < growth[6],
        "and fades: {growth:?}"
    );

    let elsewhere = difference(&film.frames[0].photo, &film.frames[4].photo, forehead);
    assert!(
        growth[4] > 3.0 * elsewhere,
        "mouth {growth:?}, forehead {elsewhere}"
    );
}

#[test]
fn outside_the_face_box_not_one_pixel_changes() {
    for frame in &FILM.frames {
        for ((x, y, before), after) in FILM.photo.photo().enumerate_pixels().zip(frame.photo.pixels()) {
            assert!(
                in_face(x, y) || before == after,
                "pixel {x}, {y} changed from {before:?} to {after:?}"
            );
        }
    }
}

#[test]
fn in_the_gif_the_background_stands_still() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("smile.gif");
    let photos: Vec<_> = FILM.frames.iter().map(|frame| frame.photo.clone()).collect();
    write_gif(&path, &photos, Duration::from_millis(80), 0).unwrap();

    let shown = decoded(&path);
    assert_eq!(shown.len(), photos.len());
    for frame in &shown[1..] {
        for ((x, y, before), after) in shown[0].enumerate_pixels().zip(frame.pixels()) {
            assert!(
                in_face(x, y) || before == after,
                "pixel {x}, {y} changed from {before:?} to {after:?}"
            );
        }
    }
    let change = difference(&shown[0], &shown[4], mouth);
    assert!(change > 5.0, "the mouth changes by {change} levels");
}

/// The frames of a GIF as a viewer shows them: each frame is drawn over the previous one.
fn decoded(path: &Path) -> Vec<RgbImage> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    let mut reader = options.read_info(File::open(path).unwrap()).unwrap();
    let mut canvas = RgbImage::new(reader.width().into(), reader.height().into());
    let mut shown = Vec::new();
    while let Some(frame) = reader.read_next_frame().unwrap() {
        for (index, pixel) in (0u32..)
            .zip(frame.buffer.chunks(4))
            .filter(|(_, pixel)| pixel[3] > 0)
        {
            let (x, y) = (index % u32::from(frame.width), index / u32::from(frame.width));
            let color = Rgb([pixel[0], pixel[1], pixel[2]]);
            canvas.put_pixel(x + u32::from(frame.left), y + u32::from(frame.top), color);
        }
        shown.push(canvas.clone());
    }
    shown
}

#[test]
fn a_photo_gives_the_same_frames_one_by_one_and_together() {
    let film = &*FILM;
    let expressions = [0.0, 0.5, 1.0].map(smile);
    let together = film.animator.frames(&film.photo, &expressions);
    for (expression, frame) in expressions.iter().zip(together) {
        let alone = film.animator.edit(&film.photo, expression);
        let change = difference(&alone.photo, &frame.photo, in_face);
        assert!(change < 0.05, "{change} levels");
    }
}

#[test]
fn a_crop_of_the_network_s_size_is_edited_as_the_equation_says() {
    let film = &*FILM;
    let crop = film.photo.faces()[0].crop().clone();
    let photo = film
        .animator
        .detect(crop, &PhotoOptions::new().with_crop(CropMode::None))
        .unwrap();
    let edited = film.animator.edit(&photo, &smile(1.0));
    assert_eq!(edited.photo, edited.faces[0].image);
    let change = difference(&edited.photo, &film.frames[4].faces[0].image, |_, _| true);
    assert!(change < 0.05, "{change} levels from the face found in the photo");
}

#[test]
fn an_animator_serves_many_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&FILM.animator);
    shared(&FILM.photo);
}

#[test]
fn frames_hold_what_the_network_painted_at_its_own_size() {
    let frame = &FILM.frames[4].faces[0];
    let size = FILM.animator.network_size();
    assert_eq!(frame.image.dimensions(), (size, size));
    assert_eq!(frame.attention.dimensions(), (size, size));
    assert_eq!(frame.color.dimensions(), (size, size));
    assert_eq!(FILM.photo.faces()[0].crop().dimensions(), (size, size));
}
