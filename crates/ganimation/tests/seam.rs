//! Checks that pixels around an edited face do not change, and that there is no visible seam.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::path::Path;
use std::sync::LazyLock;

use ganimation::{Animator, Emotion, Expression, FaceBox, FaceChoice, PhotoOptions, device};
use ganimation_data::crop_face;
use ganimation_data::picture::decode_photo;
use image::imageops;
use image::{Rgb, RgbImage};

static ANIMATOR: LazyLock<Animator> =
    LazyLock::new(|| Animator::bundled_on(&device::resolve("flex".parse().unwrap()).unwrap()).unwrap());

/// The largest invisible step between neighbours, in levels of 255.
const INVISIBLE: u8 = 2;

/// The depth of a box's border is its side divided by this: one pixel of the network's output. Inside, any change is
/// allowed.
const DEPTH: u32 = 64;

fn portrait() -> RgbImage {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/grace_hopper.jpg");
    decode_photo(path).unwrap()
}

/// Hopper's face without background, `size` pixels, in the centre of a flat picture twice as large.
fn on_flat_ground(size: u32, ground: Rgb<u8>) -> (RgbImage, FaceBox) {
    let portrait = portrait();
    let found = ANIMATOR
        .detect(portrait.clone(), &PhotoOptions::new())
        .unwrap()
        .faces()[0]
        .bounds();
    let inner = FaceBox {
        x: found.x + found.size as i32 / 8,
        y: found.y + found.size as i32 / 8,
        size: found.size * 3 / 4,
        ..found
    };
    let face = crop_face(&portrait, inner, size * 3 / 4);
    let mut picture = RgbImage::from_pixel(2 * size, 2 * size, ground);
    let place = size / 2 + size / 8;
    imageops::replace(&mut picture, &face, place.into(), place.into());
    let half = size as i32 / 2;
    let bounds = FaceBox {
        x: half,
        y: half,
        size,
        ..found
    };
    (picture, bounds)
}

/// The largest step between a pixel of the ring and a neighbour. The ring is the box's border, `depth` pixels of it and
/// one pixel outside.
fn largest_step(picture: &RgbImage, bounds: FaceBox, depth: u32) -> u8 {
    let (start, end) = (bounds.x as u32, bounds.x as u32 + bounds.size);
    // 0 outside, 1 on the border.
    let depth_of = |at: u32| (at + 1).saturating_sub(start).min(end.saturating_sub(at));
    let in_ring = |x: u32, y: u32| depth_of(x).min(depth_of(y)) <= depth;
    let step = |a: &Rgb<u8>, b: &Rgb<u8>| (0..3).map(|i| a.0[i].abs_diff(b.0[i])).max().unwrap_or(0);
    let mut largest = 0;
    for y in start - 1..end + 1 {
        for x in start - 1..end + 1 {
            if in_ring(x, y) {
                let here = picture.get_pixel(x, y);
                largest = largest
                    .max(step(here, picture.get_pixel(x + 1, y)))
                    .max(step(here, picture.get_pixel(x, y + 1)));
            }
        }
    }
    largest
}

#[test]
fn no_seam_shows_on_a_flat_ground() {
    for ground in [[128; 3], [235, 235, 240], [30, 40, 60]] {
        for size in [64, 200, 501] {
            let (picture, bounds) = on_flat_ground(size, Rgb(ground));
            let photo = ANIMATOR.photo_at(picture.clone(), &[bounds]).unwrap();
            for emotion in [Emotion::Happiness, Emotion::Fear, Emotion::Anger] {
                let strong = Expression::neutral().with_emotion(emotion, 1.0).unwrap();
                let edited = ANIMATOR.edit(&photo, &strong).photo;
                assert_ne!(edited, picture);
                let step = largest_step(&edited, bounds, (size / DEPTH).max(1));
                println!("ground {ground:?}, face of {size} pixels, {emotion}: largest step {step}");
                assert!(
                    step <= INVISIBLE,
                    "{emotion} at {size} pixels on {ground:?}: a step of {step}"
                );
            }
        }
    }
}

#[test]
fn outside_the_boxes_of_two_faces_not_one_pixel_changes() {
    let (one, _) = on_flat_ground(160, Rgb([128; 3]));
    let mut picture = RgbImage::new(2 * one.width(), one.height());
    imageops::replace(&mut picture, &one, 0, 0);
    imageops::replace(&mut picture, &portrait(), one.width().into(), 0);
    let options = PhotoOptions::new();
    let photo = ANIMATOR.detect(picture.clone(), &options).unwrap();
    assert_eq!(
        photo.faces().len(),
        2,
        "{:?}",
        photo.faces().iter().map(|face| face.bounds()).collect::<Vec<_>>()
    );
    let happy = Expression::new().with_emotion(Emotion::Happiness, 1.0).unwrap();
    let edited = ANIMATOR.edit(&photo, &happy);
    assert_eq!(edited.faces.len(), 2);

    let inside = |bounds: FaceBox, x: u32, y: u32| {
        let within = |at: u32, start: i32| (start..start + bounds.size as i32).contains(&(at as i32));
        within(x, bounds.x) && within(y, bounds.y)
    };
    let mut changed = [0, 0];
    for ((x, y, before), after) in picture.enumerate_pixels().zip(edited.photo.pixels()) {
        if before != after {
            let face = photo.faces().iter().position(|face| inside(face.bounds(), x, y));
            changed[face.unwrap_or_else(|| panic!("{x}, {y} changed outside"))] += 1;
        }
    }
    assert!(changed.iter().all(|&count| count > 500), "{changed:?}");

    // Only one face, by its number; the other face does not change.
    let second = ANIMATOR
        .detect(picture.clone(), &options.with_faces(FaceChoice::Number(2)))
        .unwrap();
    let edited = ANIMATOR.edit(&second, &happy);
    let first = photo.faces()[0].bounds();
    for ((x, y, before), after) in picture.enumerate_pixels().zip(edited.photo.pixels()) {
        assert!(
            !inside(first, x, y) || before == after,
            "{x}, {y} of the other face changed"
        );
    }
}
