//! A picture of the estimated action units: a box around each face, and bars.

use ganimation_data::MAX_INTENSITY;
use ganimation_data::draw_text;
use ganimation_data::{AU_COUNT, Intensities};
use image::imageops::{self, FilterType};
use image::{DynamicImage, Rgb, RgbImage};

use crate::FacePhoto;

/// Longer side of the photo in the picture, in pixels.
const PHOTO: u32 = 800;
/// Margin around a panel and between its parts, in pixels.
const GAP: u32 = 8;
/// Height of a line of a panel, in pixels.
const LINE: u32 = 16;
/// Size of a character, in pixels.
const CHARACTER: u32 = 8;
/// Characters of the longest label: the code and name of a unit.
const LABEL: u32 = 25;
/// Length of a bar of intensity 5, in pixels.
const BAR: u32 = 120;
/// Width of a panel: label, bar and value.
const PANEL: u32 = (LABEL + 5) * CHARACTER + BAR + 4 * GAP;
/// Height of a panel: a title, a line for each unit, and margins.
#[allow(clippy::cast_possible_truncation, reason = "17")]
const PANEL_HEIGHT: u32 = (AU_COUNT as u32 + 2) * LINE + GAP;

const GROUND: Rgb<u8> = Rgb([40; 3]);
const TRACK: Rgb<u8> = Rgb([72; 3]);
/// Colours of the faces' boxes and bars, with contrast to skin and background.
const COLORS: [Rgb<u8>; 4] = [
    Rgb([255, 176, 0]),
    Rgb([80, 200, 255]),
    Rgb([120, 230, 120]),
    Rgb([255, 130, 170]),
];

/// The photo with a numbered box around each face, and next to it a panel of action units for each face.
pub fn overlay(photo: &FacePhoto) -> RgbImage {
    let (small, scale) = fitted(photo.photo());
    let panels = u32::try_from(photo.faces().len()).unwrap_or(u32::MAX);
    // Each column contains as many panels as fit below each other.
    let rows = (small.height() / PANEL_HEIGHT).max(1).min(panels);
    let height = small.height().max(rows * PANEL_HEIGHT);
    let mut picture = RgbImage::from_pixel(small.width() + panels.div_ceil(rows) * PANEL, height, GROUND);
    imageops::replace(&mut picture, &small, 0, 0);
    let within = small.dimensions();
    for ((number, face), color) in (0_u32..).zip(photo.faces()).zip(COLORS.into_iter().cycle()) {
        let bounds = face.bounds();
        let at = |position: i32| scaled(position as f32 * scale);
        let end = |start: i32| at(start.saturating_add_unsigned(bounds.size));
        outline(
            &mut picture,
            [at(bounds.x), at(bounds.y), end(bounds.x), end(bounds.y)],
            within,
            color,
        );
        let label = format!("{}", number + 1);
        let (x, y) = (at(bounds.x).max(0) + 6, at(bounds.y).max(0) + 6);
        plate(&mut picture, &label, x.unsigned_abs(), y.unsigned_abs());
        let (x, y) = (
            small.width() + number / rows * PANEL,
            number % rows * PANEL_HEIGHT,
        );
        let title = format!("face {label}");
        panel(&mut picture, x + GAP, y + GAP, &title, &face.intensities(), color);
    }
    picture
}

/// The photo at a size for screens, and the scale.
fn fitted(photo: &RgbImage) -> (RgbImage, f32) {
    let longer = photo.width().max(photo.height());
    if longer <= PHOTO {
        return (photo.clone(), 1.0);
    }
    let small = DynamicImage::from(photo.clone()).resize(PHOTO, PHOTO, FilterType::Triangle);
    (small.into_rgb8(), PHOTO as f32 / longer as f32)
}

fn panel(picture: &mut RgbImage, x: u32, y: u32, title: &str, shown: &Intensities, color: Rgb<u8>) {
    draw_text(picture, title, x, y);
    for (line, (unit, intensity)) in (1..).zip(shown.iter()) {
        let y = y + line * LINE;
        draw_text(picture, &format!("{unit} {}", unit.name()), x, y);
        let bar = x + LABEL * CHARACTER + GAP;
        let share = (intensity / MAX_INTENSITY).clamp(0.0, 1.0);
        let filled = scaled(BAR as f32 * share).unsigned_abs();
        fill(picture, bar, y, BAR, CHARACTER, TRACK);
        fill(picture, bar, y, filled, CHARACTER, color);
        draw_text(picture, &format!("{intensity:.1}"), bar + BAR + GAP, y);
    }
}

/// Text on a dark background.
fn plate(picture: &mut RgbImage, text: &str, x: u32, y: u32) {
    let width = u32::try_from(text.chars().count()).unwrap_or(0) * CHARACTER;
    fill(picture, x, y, width + 4, CHARACTER + 4, GROUND);
    draw_text(picture, text, x + 2, y + 2);
}

/// The outline of a rectangle (left, top, right, bottom), two pixels wide, clipped to the photo.
fn outline(picture: &mut RgbImage, [left, top, right, bottom]: [i32; 4], within: (u32, u32), color: Rgb<u8>) {
    let mut dot = |x: i32, y: i32| {
        if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
            && x < within.0
            && y < within.1
        {
            picture.put_pixel(x, y, color);
        }
    };
    for inset in 0..2 {
        for x in left..right {
            dot(x, top + inset);
            dot(x, bottom - 1 - inset);
        }
        for y in top..bottom {
            dot(left + inset, y);
            dot(right - 1 - inset, y);
        }
    }
}

fn fill(picture: &mut RgbImage, x: u32, y: u32, width: u32, height: u32, color: Rgb<u8>) {
    for (x, y) in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
        if let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
            *pixel = color;
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "positions in a picture are far below 2^31"
)]
fn scaled(length: f32) -> i32 {
    length.round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photo::PhotoFace;
    use ganimation_data::{ActionUnit, FaceBox, Turn};

    fn photo(count: i32) -> FacePhoto {
        let mut shown = Intensities::default();
        shown.set(ActionUnit::LipCornerPuller, 5.0);
        let face = |number: i32| PhotoFace {
            bounds: FaceBox {
                x: number * 60 - 10,
                y: 20,
                size: 50,
                score: 9.0,
            },
            turn: Turn::None,
            crop: RgbImage::new(64, 64),
            shown,
        };
        FacePhoto {
            photo: RgbImage::new(300, 200),
            faces: (0..count).map(face).collect(),
            feather: true,
        }
    }

    #[test]
    fn each_face_has_a_box_and_a_panel_in_its_colour() {
        let picture = overlay(&photo(2));
        assert_eq!(picture.dimensions(), (300 + 2 * PANEL, PANEL_HEIGHT));
        let colored = |x: std::ops::Range<u32>, color: Rgb<u8>| {
            let pixels = picture.enumerate_pixels();
            pixels
                .filter(|(at, _, pixel)| x.contains(at) && **pixel == color)
                .count()
        };
        assert!(colored(0..300, COLORS[0]) > 100 && colored(0..300, COLORS[1]) > 100);
        assert_eq!(colored(300..300 + PANEL, COLORS[0]), (BAR * CHARACTER) as usize);
        assert_eq!(
            colored(300 + PANEL..picture.width(), COLORS[1]),
            (BAR * CHARACTER) as usize
        );
    }

    #[test]
    fn a_large_photo_is_made_smaller() {
        let mut photo = photo(1);
        photo.photo = RgbImage::new(4000, 2000);
        assert_eq!(overlay(&photo).dimensions(), (PHOTO + PANEL, 400));
    }
}
