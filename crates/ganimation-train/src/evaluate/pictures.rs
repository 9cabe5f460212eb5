//! The pages of pictures beside the numbers.

use ganimation_data::Sheet;
use ganimation_data::pixels::images_from_tensor;
use image::RgbImage;
use image::imageops::{self, FilterType};

use super::spread;
use super::subject::{Ask, Subject};
use crate::expressions::{
    ANGER, BLINK, CLOSED_SMILE, DISGUST, Expression, SADNESS, SMILE, SMILE_REMOVED, SURPRISE,
};

/// How many faces are shown.
const FACES: usize = 16;
/// Smallest side of a tile, in pixels: people look at these.
const TILE: u32 = 192;
/// What is asked, column by column.
pub(super) const EXPRESSIONS: [Expression; 8] = [
    CLOSED_SMILE,
    SMILE.named("smile with teeth"),
    SURPRISE,
    ANGER,
    SADNESS,
    DISGUST,
    BLINK,
    SMILE_REMOVED,
];

/// Faces as they are and as eight expressions.
#[derive(Clone, Debug)]
pub struct Pictures {
    /// A row a face: the face, then its edits.
    pub edits: RgbImage,
    /// The same rows and columns: where each edit was painted, `1 - A`, white for all.
    pub painted: RgbImage,
}

/// How many edits the pictures of `faces` faces take.
pub(super) fn count(faces: usize) -> usize {
    faces.min(FACES) * EXPRESSIONS.len()
}

impl Pictures {
    pub(super) fn draw(subject: &mut Subject<'_>) -> Self {
        let shown = spread(subject.labels().len(), FACES);
        let asks: Vec<Ask> = shown
            .iter()
            .flat_map(|&face| EXPRESSIONS.map(|expression| (face, expression)))
            .map(|(face, expression)| Ask {
                face,
                target: subject.target(expression, face),
            })
            .collect();
        let (mut edits, mut painted) = (Vec::new(), Vec::new());
        subject.each_edit(&asks, |_, _, _, edit| {
            edits.extend(images_from_tensor(edit.image));
            painted.extend(images_from_tensor((edit.attention * -2.0 + 1.0).repeat_dim(1, 3)));
        });
        let sheet = |tiles: &[RgbImage]| {
            let names = EXPRESSIONS.map(|expression| expression.name);
            let side = tiles.first().map_or(TILE, |tile| tile.width().max(TILE));
            let mut sheet = Sheet::new(side).with_columns([&["input"], &names[..]].concat());
            for (&face, tiles) in shown.iter().zip(tiles.chunks(EXPRESSIONS.len())) {
                let row = [subject.picture(face)].into_iter().chain(tiles);
                sheet.push_row("", row.map(|tile| enlarged(tile, side)).collect());
            }
            sheet.render()
        };
        Self {
            edits: sheet(&edits),
            painted: sheet(&painted),
        }
    }
}

/// The picture itself, or, if it is smaller than `side` pixels, enlarged bicubically.
fn enlarged(picture: &RgbImage, side: u32) -> RgbImage {
    match picture.width() < side {
        true => imageops::resize(picture, side, side, FilterType::CatmullRom),
        false => picture.clone(),
    }
}
