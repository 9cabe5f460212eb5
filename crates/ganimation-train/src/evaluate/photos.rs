//! Whole photos at full resolution. A crate above this one edits them and passes the results.

use std::convert::Infallible;

use ganimation_data::{ActionUnit, FaceBox, crop_face};
use image::RgbImage;
use serde::Serialize;

use super::pixels::{ColorChange, color_change, kept_detail, largest_change};
use super::statistics::mean;
use super::visible::colorful;
use crate::expressions::{Expression, SMILE, SURPRISE};

/// The targets for the faces in a photo.
const EXPRESSIONS: [Expression; 2] = [SMILE.named("smile with teeth"), SURPRISE];

/// Scores of edited photos: their means, and each photo.
#[derive(Clone, Debug, Serialize)]
pub struct PhotosScore {
    /// Means over the photos; for `largest_level`, the maximum.
    #[serde(flatten)]
    pub scores: PhotoScores,
    /// The same numbers of an editor that does nothing.
    pub nothing: PhotoScores,
    /// Each photo.
    pub photos: Vec<PhotoScore>,
}

/// The scores of one photo.
#[derive(Clone, Debug, Serialize)]
pub struct PhotoScore {
    /// The file name.
    pub file: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Width of the faces' boxes, in pixels.
    pub faces: Vec<u32>,
    /// The numbers.
    #[serde(flatten)]
    pub scores: PhotoScores,
}

/// The numbers of a photo, or their means.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhotoScores {
    /// The largest change of any colour of any pixel when no change is requested, in levels of 255.
    pub largest_level: u8,
    /// Scores by expression.
    pub expressions: Vec<PhotoExpressionScore>,
}

/// The scores of one expression in a photo.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhotoExpressionScore {
    /// The expression.
    pub name: &'static str,
    /// Kept detail in the affected area: [`kept_detail`] of the whole photo.
    pub detail: f64,
    /// Chroma part of the change divided by the luminance part, in the faces' boxes outside mouth and eyes.
    pub color: f64,
}

impl PhotoScore {
    /// Measures edits of `photo` with faces at `faces`. `edit` returns the photo with the named action units of all
    /// faces set to the given intensities, 0 to 5; the others keep their values. `edit` is also called without action
    /// units.
    ///
    /// # Errors
    /// Those of `edit`.
    ///
    /// # Panics
    /// If `edit` returns a photo of another size.
    pub fn measure<E>(
        file: &str,
        photo: &RgbImage,
        faces: &[FaceBox],
        mut edit: impl FnMut(&[(ActionUnit, f32)]) -> Result<RgbImage, E>,
    ) -> Result<Self, E> {
        let largest_level = largest_change(photo, &edit(&[])?);
        let mut expressions = Vec::new();
        for expression in EXPRESSIONS {
            let edited = edit(expression.requested)?;
            expressions.push(PhotoExpressionScore {
                name: expression.name,
                detail: kept_detail(photo, &edited),
                color: color_of(photo, &edited, faces),
            });
        }
        Ok(Self {
            file: file.to_owned(),
            width: photo.width(),
            height: photo.height(),
            faces: faces.iter().map(|face| face.size).collect(),
            scores: PhotoScores {
                largest_level,
                expressions,
            },
        })
    }
}

fn color_of(photo: &RgbImage, edited: &RgbImage, faces: &[FaceBox]) -> f64 {
    let changes: Vec<ColorChange> = faces
        .iter()
        .map(|&face| {
            let cut = |photo| crop_face(photo, face, face.size);
            color_change(&cut(photo), &cut(edited), &colorful())
        })
        .collect();
    let change = ColorChange {
        luminance: mean(changes.iter().map(|change| change.luminance)),
        chroma: mean(changes.iter().map(|change| change.chroma)),
    };
    change.ratio()
}

impl PhotosScore {
    /// Computes the means over photos.
    pub fn new(photos: Vec<PhotoScore>) -> Self {
        let mean_of = |at: usize, of: fn(&PhotoExpressionScore) -> f64| {
            mean(photos.iter().map(|photo| of(&photo.scores.expressions[at])))
        };
        let expressions = EXPRESSIONS.iter().enumerate();
        let expressions = expressions.map(|(at, expression)| PhotoExpressionScore {
            name: expression.name,
            detail: mean_of(at, |score| score.detail),
            color: mean_of(at, |score| score.color),
        });
        let still = RgbImage::new(1, 1);
        let face = FaceBox {
            x: 0,
            y: 0,
            size: 1,
            score: 0.0,
        };
        // An unchanged photo has the same numbers for all expressions.
        let Ok(nothing) = PhotoScore::measure("", &still, &[face], |_| Ok::<_, Infallible>(still.clone()));
        Self {
            scores: PhotoScores {
                largest_level: (photos.iter().map(|photo| photo.scores.largest_level))
                    .max()
                    .unwrap_or(0),
                expressions: expressions.collect(),
            },
            nothing: nothing.scores,
            photos,
        }
    }
}
