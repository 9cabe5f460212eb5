//! Overview pictures of the network's outputs.

use ganimation_data::{ActionUnit, FaceBox, Sheet, crop_face};
use image::{DynamicImage, Rgb, RgbImage};

use crate::{Animator, Expression, FacePhoto, Frame, Result};

/// Side of a tile, in pixels.
const TILE: u32 = 128;
/// Width of the shown area, relative to the face's box.
const SURROUNDINGS: f32 = 1.6;

/// A picture with one column for the input and one captioned column for each step of a film.
///
/// The rows are: the photo around the face; the face that the network returns; the motion as a grid that moves with the
/// face, if the network has motion; the attention mask A, where **white keeps the moved face**; the painted colours C.
/// The network's face is `A * moved + (1 - A) * C`. If there are several faces, the first one is shown.
pub fn contact_sheet(input: &FacePhoto, steps: &[(String, Frame)]) -> RgbImage {
    let face = &input.faces()[0];
    let around = surroundings(face.bounds());
    let mut columns = vec!["input".to_owned()];
    let mut results = vec![crop_face(input.photo(), around, TILE)];
    let mut faces = vec![face.crop().clone()];
    let mut masks = vec![RgbImage::from_pixel(TILE, TILE, Rgb([255; 3]))]; // the input is kept completely
    let mut colors = vec![RgbImage::from_pixel(TILE, TILE, Rgb([119; 3]))]; // and has no painted colours
    let mut grids = Vec::new();
    for (caption, frame) in steps {
        let edited = &frame.faces[0];
        columns.push(caption.clone());
        results.push(crop_face(&frame.photo, around, TILE));
        faces.push(edited.image.clone());
        masks.push(DynamicImage::from(edited.attention.clone()).into_rgb8());
        colors.push(edited.color.clone());
        grids.extend(edited.motion.clone());
    }
    let mut sheet = Sheet::new(TILE).with_columns(columns);
    sheet.push_row("result", results);
    sheet.push_row("face", faces);
    if !grids.is_empty() {
        grids.insert(0, face.crop().clone()); // the input has no motion
        sheet.push_row("motion", grids);
    }
    sheet.push_row("A, white keeps", masks);
    sheet.push_row("color C", colors);
    sheet.render()
}

/// A picture with one row for each face of an edited photo: the input, the motion as a grid if the network has motion,
/// the attention mask (**white keeps the input**), the painted colours and the result.
pub fn strip(input: &FacePhoto, edited: &Frame) -> RgbImage {
    let moves = edited.faces.iter().any(|face| face.motion.is_some());
    let mut columns = vec!["input", "A, white keeps", "color C", "result"];
    if moves {
        columns.insert(1, "motion");
    }
    let mut strip = Sheet::new(TILE).with_columns(columns);
    for (number, (face, painted)) in (1..).zip(input.faces().iter().zip(&edited.faces)) {
        let mut tiles = vec![
            crop_face(input.photo(), face.bounds(), TILE),
            DynamicImage::from(painted.attention.clone()).into_rgb8(),
            painted.color.clone(),
            crop_face(&edited.photo, face.bounds(), TILE),
        ];
        if let Some(grid) = &painted.motion {
            tiles.insert(1, grid.clone());
        }
        let label = if input.faces().len() > 1 {
            format!("face {number}")
        } else {
            String::new()
        };
        strip.push_row(label, tiles);
    }
    strip.render()
}

/// A picture with a row for each action unit and a column for each intensity. The other action units keep the photo's
/// intensities.
///
/// If there are several faces, the first one is shown.
///
/// # Errors
/// [`Error::Intensity`](crate::Error::Intensity) unless the intensities are from 0 to 5.
pub fn unit_sheet(
    animator: &Animator,
    photo: &FacePhoto,
    units: &[ActionUnit],
    intensities: &[f32],
) -> Result<RgbImage> {
    let captions = intensities.iter().map(|intensity| format!("{intensity}"));
    let mut sheet = Sheet::new(TILE).with_columns(captions);
    let face = photo.faces()[0].bounds();
    for &unit in units {
        let row: Result<Vec<Expression>> = intensities
            .iter()
            .map(|&intensity| Expression::new().with(unit, intensity))
            .collect();
        let row = row?;
        let frames = animator.frames(photo, &row);
        let tiles = frames.map(|frame| crop_face(&frame.photo, face, TILE)).collect();
        sheet.push_row(format!("{unit} {}", unit.name()), tiles);
    }
    Ok(sheet.render())
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
