//! What the network made of a face, at a glance.

use ganimation_data::{FaceBox, Sheet, crop};
use image::{DynamicImage, Rgb, RgbImage};

use crate::{FacePhoto, Frame};

/// Side of a tile, in pixels.
const TILE: u32 = 128;
/// The result is shown with its surroundings: this much wider than the face's box.
const SURROUNDINGS: f32 = 1.6;

/// Steps that are shown of a film, at most.
const STEPS: usize = 6;

/// A picture with a column for the input and one for each of a few steps of a film that goes there and back.
///
/// Steps are spread evenly from the first frame to the middle one. The rows: the photo around the face; the face
/// alone, as the network gives it; the attention mask A, in which **white keeps the input**; the painted colours C.
/// The face alone is `A * input + (1 - A) * C`.
///
/// Of several faces the first one is shown.
pub fn contact_sheet(input: &FacePhoto, film: &[Frame]) -> RgbImage {
    let face = &input.faces()[0];
    let around = surroundings(face.bounds());
    let mut columns = vec!["input".to_owned()];
    let mut results = vec![crop(input.photo(), around, TILE)];
    let mut faces = vec![face.crop().clone()];
    let mut masks = vec![RgbImage::from_pixel(TILE, TILE, Rgb([255; 3]))]; // the input keeps itself
    let mut colors = vec![RgbImage::from_pixel(TILE, TILE, Rgb([119; 3]))]; // and nothing is painted
    for step in steps(film.len()) {
        let frame = &film[step];
        let edited = &frame.faces[0];
        columns.push(format!("frame {}", step + 1));
        results.push(crop(&frame.photo, around, TILE));
        faces.push(edited.image.clone());
        masks.push(DynamicImage::from(edited.attention.clone()).into_rgb8());
        colors.push(edited.color.clone());
    }
    let mut sheet = Sheet::new(TILE).with_columns(columns);
    sheet.push_row("result", results);
    sheet.push_row("face", faces);
    sheet.push_row("A, white keeps", masks);
    sheet.push_row("color C", colors);
    sheet.render()
}

/// Which of `count` frames are shown: from the first to the middle one.
fn steps(count: usize) -> impl Iterator<Item = usize> {
    let middle = count / 2;
    let gaps = middle.min(STEPS - 1);
    (0..=gaps)
        .take(count)
        .map(move |step| (step * middle).checked_div(gaps).unwrap_or(0))
}

fn surroundings(face: FaceBox) -> FaceBox {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a margin is a fraction of a photo's side"
    )]
    let margin = (face.size as f32 * (SURROUNDINGS - 1.0) / 2.0) as u16;
    FaceBox {
        x: face.x - i32::from(margin),
        y: face.y - i32::from(margin),
        size: face.size + 2 * u32::from(margin),
        ..face
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_run_from_the_first_frame_to_the_middle_one() {
        assert_eq!(steps(24).collect::<Vec<_>>(), [0, 2, 4, 7, 9, 12]);
        assert_eq!(steps(4).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(steps(1).collect::<Vec<_>>(), [0]);
        assert_eq!(steps(0).count(), 0);
    }

    #[test]
    fn surroundings_keep_the_face_in_the_middle() {
        let face = FaceBox {
            x: 10,
            y: 20,
            size: 100,
            score: 9.0,
        };
        assert_eq!(
            surroundings(face),
            FaceBox {
                x: -20,
                y: -10,
                size: 160,
                score: 9.0
            }
        );
    }
}
