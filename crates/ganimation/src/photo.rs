//! Photos and their faces.

use ganimation_data::{FaceBox, Intensities, Turn};
use image::RgbImage;
use image::imageops::{self, FilterType};

use crate::{Error, Result};

/// How the faces of a photo are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum CropMode {
    /// With the face detector.
    #[default]
    Face,
    /// The whole picture is a face crop, like the training faces.
    ///
    /// A crop of the network's size is edited exactly according to the edit equation. Other sizes are resized for the
    /// network, and non-square crops are padded by reflection.
    None,
}

/// Which of the faces in a photo are edited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FaceChoice {
    /// All faces.
    #[default]
    All,
    /// The face with this number, from 1 for the largest face.
    Number(usize),
}

/// Options for opening a photo. By default, all faces are found, and the photo is not resized.
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
    /// All faces, found by the detector, at full resolution.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how the faces are found.
    #[must_use]
    pub const fn with_crop(self, crop: CropMode) -> Self {
        Self { crop, ..self }
    }

    /// Selects the faces to edit.
    #[must_use]
    pub const fn with_faces(self, faces: FaceChoice) -> Self {
        Self { faces, ..self }
    }

    /// Reduces photos so that the longer side is at most `pixels`.
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

    /// The photo, reduced to the maximum side.
    pub(crate) fn resized(&self, photo: RgbImage) -> RgbImage {
        let smaller = self.max_side.and_then(|side| smaller(&photo, side));
        smaller.unwrap_or(photo)
    }
}

/// A copy with the longer side `max_side`, or `None` if the photo is not larger.
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
    /// The square around the face, in the photo's pixels. It can extend beyond the photo.
    pub fn bounds(&self) -> FaceBox {
        self.bounds
    }

    /// The rotation of the photo that makes this face upright.
    pub fn turn(&self) -> Turn {
        self.turn
    }

    /// The upright crop of the face, which is the input of the network.
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

/// A photo and its selected faces.
#[derive(Clone, Debug)]
pub struct FacePhoto {
    pub(crate) photo: RgbImage,
    pub(crate) faces: Vec<PhotoFace>,
    /// Whether edits fade out at the borders of the faces. False if the whole picture is a face.
    pub(crate) feather: bool,
}

impl FacePhoto {
    /// The whole photo, possibly reduced.
    pub fn photo(&self) -> &RgbImage {
        &self.photo
    }

    /// The faces, the largest first. There is at least one.
    pub fn faces(&self) -> &[PhotoFace] {
        &self.faces
    }

    /// The same photo with only one face, by its number from 1.
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

    /// The same photo with at most `count` faces, the largest ones.
    ///
    /// # Panics
    /// If `count` is 0.
    #[must_use]
    pub fn with_largest(mut self, count: usize) -> Self {
        assert!(count > 0, "a photo with 0 faces");
        self.faces.truncate(count);
        self
    }

    /// A reduced copy for display, with at most `max_side` pixels on the longer side. Its edits are the same, because the
    /// face crops are the same.
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
