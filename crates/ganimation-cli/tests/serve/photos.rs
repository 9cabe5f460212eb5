//! Tests of opening, editing, saving and filming photos.

use image::imageops::{self, FilterType};
use image::{GenericImageView, RgbImage};
use serde_json::{Value, json};

use crate::server::{Server, picture, png};

const COLLINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/astronaut.png");

/// Left, top and size of the first face.
fn face(photo: &Value) -> (u32, u32, u32) {
    let face = &photo["faces"][0];
    let number = |name: &str| u32::try_from(face[name].as_u64().unwrap()).unwrap();
    (number("x"), number("y"), number("size"))
}

/// Mean absolute difference of two pictures in a part, in levels.
fn difference(a: &RgbImage, b: &RgbImage, [x, y, width, height]: [u32; 4]) -> f64 {
    let part = |picture: &RgbImage| picture.view(x, y, width, height).to_image().into_raw();
    let (a, b) = (part(a), part(b));
    let sum: u64 = a.iter().zip(&b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.len() as f64
}

#[test]
fn a_smile_changes_the_mouth_and_nothing_outside_the_face() {
    let server = Server::start();
    let (photo, before) = server.sample("hopper");
    let (x, y, size) = face(&photo);
    let answer = server.edit("/api/edit", &photo, 1, &json!({ "AU12": 4.0, "AU06": 2.0 }));
    let (facts, patch) = answer.opened();
    assert_eq!(
        (facts["x"].as_u64(), facts["y"].as_u64()),
        (Some(x.into()), Some(y.into()))
    );
    assert_eq!(patch.dimensions(), (size, size));
    let mut after = before.clone();
    imageops::replace(&mut after, &patch, x.into(), y.into());
    let mouth = [x + size * 3 / 10, y + size * 6 / 10, size * 4 / 10, size * 3 / 10];
    let forehead = [x + size * 3 / 10, y + size / 10, size * 4 / 10, size / 10];
    let (mouth, forehead) = (
        difference(&before, &after, mouth),
        difference(&before, &after, forehead),
    );
    assert!(
        mouth > 0.8 && mouth > 2.0 * forehead,
        "mouth {mouth}, forehead {forehead}"
    );
    assert_eq!(difference(&before, &after, [x, y, size, 1]), 0.0);

    // The answer includes the mask: white keeps the photo, and the mask is not white around the mouth.
    let (name, mask) = &answer.parts()[2];
    let mask = picture(mask);
    assert_eq!(name, "attention");
    assert!(mask.pixels().map(|pixel| pixel.0[0]).min() < Some(200));

    // The saved picture equals the shown picture.
    let saved = server.edit("/api/save", &photo, 1, &json!({ "AU12": 4.0, "AU06": 2.0 }));
    assert_eq!(saved.headers["content-type"], "image/png");
    assert_eq!(picture(&saved.body), after);
}

#[test]
fn a_large_photo_is_shown_small_and_saved_whole() {
    let server = Server::start();
    let large = imageops::resize(
        &image::open(COLLINS).unwrap().into_rgb8(),
        1600,
        1600,
        FilterType::Triangle,
    );
    let (photo, preview) = server.post("/api/photo", png(&large)).opened();
    assert_eq!(
        (photo["width"].as_u64(), preview.dimensions()),
        (Some(1600), (1024, 1024))
    );
    let saved = picture(&server.edit("/api/save", &photo, 1, &json!({ "12": 5.0 })).body);
    assert_eq!(saved.dimensions(), (1600, 1600));
    assert!(saved != large);
    assert_eq!(difference(&saved, &large, [0, 0, 1600, 100]), 0.0);
}

#[test]
fn a_film_goes_to_the_expression_and_back() {
    let server = Server::start();
    let (photo, _) = server.sample("hopper");
    let film = server.edit("/api/film", &photo, 1, &json!({ "AU12": 5.0 }));
    assert_eq!(film.headers["content-type"], "image/gif");
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let mut decoder = options.read_info(film.body.as_slice()).unwrap();
    assert_eq!((decoder.width(), decoder.height()), (512, 600));
    let mut frames = 0;
    while decoder.read_next_frame().unwrap().is_some() {
        frames += 1;
    }
    assert_eq!(frames, 24);
}

#[test]
fn the_newest_position_wins() {
    let server = Server::start();
    let (photo, _) = server.sample("hopper");
    let smile = json!({ "AU12": 1.0 });
    assert_eq!(server.edit("/api/edit", &photo, 10, &smile).status, 200);
    let late = server.edit("/api/edit", &photo, 9, &smile);
    assert_eq!(
        (late.status, late.error().as_str()),
        (409, "a newer slider position replaced this one")
    );
    assert_eq!(server.edit("/api/edit", &photo, 11, &smile).status, 200);
}
