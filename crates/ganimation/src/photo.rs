//! A photo, the faces in it, and which of them count.

use ganimation_data::{FaceBox, Intensities, Turn};
use image::RgbImage;
use image::imageops::{self, FilterType};

use crate::{Error, Result};

/// Where the faces of a photo are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CropMode {
    /// Where the detector finds them.
    #[default]
    Face,
    /// The whole picture is a face crop already, cut as the training's were.
    ///
    /// A crop of the network's size is edited exactly as the edit equation says. Others are resized on the way through
    /// the network, and what is not square is made so by reflecting its borders.
    None,
}

/// Which of the faces in a photo are edited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FaceChoice {
    /// All of them.
    #[default]
    All,
    /// One, counted from 1; the largest is the first.
    Number(usize),
}

/// How a photo is opened. The default finds all faces and keeps every pixel.
///
/// ```
/// use ganimation::{FaceChoice, PhotoOptions};
///
/// let options = PhotoOptions::new().with_faces(FaceChoice::Number(1)).with_max_side(800);
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhotoOptions {
    pub(crate) crop: CropMode,
    pub(crate) faces: FaceChoice,
    pub(crate) max_side: Option<u32>,
}

impl PhotoOptions {
    /// All faces, found by the detector, in full resolution.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says where the faces are.
    #[must_use]
    pub const fn with_crop(self, crop: CropMode) -> Self {
        Self { crop, ..self }
    }

    /// Says which faces are edited.
    #[must_use]
    pub const fn with_faces(self, faces: FaceChoice) -> Self {
        Self { faces, ..self }
    }

    /// Makes a photo with a longer side than this smaller first, in pixels.
    ///
    /// # Panics
    /// If `pixels` is 0.
    #[must_use]
    pub const fn with_max_side(self, pixels: u32) -> Self {
        assert!(pixels > 0, "a photo without pixels");
        Self {
            max_side: Some(pixels),
            ..self
        }
    }

    /// The photo itself, or a smaller copy whose longer side has as many pixels as asked for.
    pub(crate) fn resized(&self, photo: RgbImage) -> RgbImage {
        let smaller = self.max_side.and_then(|side| smaller(&photo, side));
        smaller.unwrap_or(photo)
    }
}

/// A copy whose longer side has so many pixels, or nothing if that would be no smaller.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a side is a side"
)]
pub(crate) fn smaller(photo: &RgbImage, max_side: u32) -> Option<RgbImage> {
    let (width, height) = photo.dimensions();
    let longer = width.max(height);
    let scale = f64::from(max_side) / f64::from(longer);
    let side = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    (longer > max_side).then(|| imageops::resize(photo, side(width), side(height), FilterType::Lanczos3))
}

/// A face in a photo.
#[derive(Clone, Debug)]
pub struct PhotoFace {
    pub(crate) bounds: FaceBox,
    pub(crate) turn: Turn,
    pub(crate) crop: RgbImage,
    pub(crate) shown: Intensities,
}

impl PhotoFace {
    /// The square around the face, in the photo's pixels; it may overhang the photo.
    pub fn bounds(&self) -> FaceBox {
        self.bounds
    }

    /// How the photo has to be turned for this face to be upright.
    pub fn turn(&self) -> Turn {
        self.turn
    }

    /// The face alone and upright, as the network sees it.
    pub fn crop(&self) -> &RgbImage {
        &self.crop
    }

    /// The intensities that the AU estimator found in the photo.
    pub fn intensities(&self) -> Intensities {
        self.shown
    }

    /// The target intensities of this face for an expression.
    ///
    /// Action units that the expression does not name keep their [`PhotoFace::intensities`].
    pub fn target(&self, expression: &crate::Expression) -> Intensities {
        expression.apply(&self.shown)
    }
}

/// A photo and the faces in it that are edited.
#[derive(Clone, Debug)]
pub struct FacePhoto {
    pub(crate) photo: RgbImage,
    pub(crate) faces: Vec<PhotoFace>,
    /// Whether edits fade out towards the faces' borders; not where the face is all there is.
    pub(crate) feather: bool,
}

impl FacePhoto {
    /// The whole photo, as it came or as small as was asked for.
    pub fn photo(&self) -> &RgbImage {
        &self.photo
    }

    /// The faces, largest first; there is at least one.
    pub fn faces(&self) -> &[PhotoFace] {
        &self.faces
    }

    /// The same photo with one of its faces, counted from 1.
    ///
    /// # Errors
    /// [`Error::NoSuchFace`].
    pub fn with_face(&self, number: usize) -> Result<Self> {
        let face = number.checked_sub(1).and_then(|index| self.faces.get(index));
        let face = face.ok_or(Error::NoSuchFace {
            number,
            found: self.faces.len(),
        })?;
        Ok(Self {
            photo: self.photo.clone(),
            faces: vec![face.clone()],
            feather: self.feather,
        })
    }

    /// The same photo with its largest faces, so many at most.
    ///
    /// # Panics
    /// If `count` is 0.
    #[must_use]
    pub fn with_largest(mut self, count: usize) -> Self {
        assert!(count > 0, "a photo with 0 faces");
        self.faces.truncate(count);
        self
    }

    /// A copy to look at whose longer side has at most so many pixels. It moves exactly as the photo does: the network
    /// sees the same faces.
    ///
    /// # Panics
    /// If `max_side` is 0.
    #[must_use]
    pub fn preview(&self, max_side: u32) -> Self {
        assert!(max_side > 0, "a photo without pixels");
        let photo = smaller(&self.photo, max_side).unwrap_or_else(|| self.photo.clone());
        let scale = f64::from(photo.width()) / f64::from(self.photo.width());
        let faces = self.faces.iter().cloned().map(|face| PhotoFace {
            bounds: scaled(face.bounds, scale),
            ..face
        });
        Self {
            faces: faces.collect(),
            photo,
            feather: self.feather,
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "lengths in a photo are far below 2^31"
)]
pub(crate) fn scaled(face: FaceBox, scale: f64) -> FaceBox {
    let length = |length: f64| (length * scale).round() as i32;
    FaceBox {
        x: length(face.x.into()),
        y: length(face.y.into()),
        size: length(face.size.into()).unsigned_abs().max(1),
        ..face
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_has_the_same_faces_in_a_smaller_photo() {
        let face = |x| PhotoFace {
            bounds: FaceBox {
                x,
                y: -10,
                size: 101,
                score: 9.0,
            },
            turn: Turn::None,
            crop: RgbImage::new(64, 64),
            shown: Intensities::default(),
        };
        let photo = FacePhoto {
            photo: RgbImage::new(600, 300),
            faces: vec![face(40), face(400)],
            feather: true,
        };
        let preview = photo.preview(200);
        assert_eq!(preview.photo().dimensions(), (200, 100));
        let boxes = preview.faces().iter().map(PhotoFace::bounds);
        let boxes: Vec<_> = boxes.map(|face| (face.x, face.y, face.size)).collect();
        assert_eq!(boxes, [(13, -3, 34), (133, -3, 34)]);
        assert_eq!(photo.preview(1000).photo().dimensions(), (600, 300));
        assert_eq!(photo.clone().with_largest(1).faces().len(), 1);
        assert_eq!(photo.with_face(2).unwrap().faces()[0].bounds().x, 400);
        assert!(photo.with_face(0).is_err() && photo.with_face(3).is_err());
    }

    #[test]
    fn large_photos_shrink_and_small_ones_stay() {
        let options = PhotoOptions::new().with_max_side(200);
        assert_eq!(options.resized(RgbImage::new(400, 100)).dimensions(), (200, 50));
        assert_eq!(options.resized(RgbImage::new(40, 200)).dimensions(), (40, 200));
        assert_eq!(
            PhotoOptions::new().resized(RgbImage::new(400, 100)).dimensions(),
            (400, 100)
        );
    }
}
