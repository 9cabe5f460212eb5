//! The picture sheets of a scorecard.

use ganimation_data::Sheet;
use ganimation_data::pixels::images_from_tensor;
use image::RgbImage;
use image::imageops::{self, FilterType};

use super::spread;
use super::subject::{Request, Subject};
use crate::expressions::{
    ANGER, BLINK, CLOSED_SMILE, DISGUST, Expression, SADNESS, SMILE, SMILE_REMOVED, SURPRISE,
};

/// Number of faces in a sheet.
const FACES: usize = 16;
/// Smallest side of a tile, in pixels, so that people can see details.
const TILE: u32 = 192;
/// The target of each column.
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

/// Faces before the edit and with eight expressions.
#[derive(Clone, Debug)]
pub struct Pictures {
    /// One row per face: the face, then its edits.
    pub edits: RgbImage,
    /// The same rows and columns: the mask coverage `1 - A` of each edit. White pixels are fully mask_coverage.
    pub mask_coverage: RgbImage,
}

/// Number of edits for the pictures of `faces` faces.
pub(super) fn count(faces: usize) -> usize {
    faces.min(FACES) * EXPRESSIONS.len()
}

impl Pictures {
    pub(super) fn draw(subject: &mut Subject<'_>) -> Self {
        let shown = spread(subject.labels().len(), FACES);
        let requests: Vec<Request> = shown
            .iter()
            .flat_map(|&face| EXPRESSIONS.map(|expression| (face, expression)))
            .map(|(face, expression)| Request {
                face,
                target: subject.target(expression, face),
            })
            .collect();
        let (mut edits, mut mask_coverage) = (Vec::new(), Vec::new());
        subject.each_edit(&requests, |_, _, _, edit| {
            edits.extend(images_from_tensor(edit.image));
            mask_coverage.extend(images_from_tensor((edit.attention * -2.0 + 1.0).repeat_dim(1, 3)));
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
            mask_coverage: sheet(&mask_coverage),
        }
    }
}

/// The picture. If it is smaller than `side` pixels, it is enlarged with bicubic interpolation.
fn enlarged(picture: &RgbImage, side: u32) -> RgbImage {
    match picture.width() < side {
        true => imageops::resize(picture, side, side, FilterType::CatmullRom),
        false => picture.clone(),
    }
}
