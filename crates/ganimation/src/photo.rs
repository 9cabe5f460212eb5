//! A photo, the faces in it, and which of them count.

use ganimation_data::{FaceBox, Intensities};
use image::imageops::FilterType;
use image::{DynamicImage, RgbImage};

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
        let (width, height) = photo.dimensions();
        match self.max_side {
            Some(side) if width.max(height) > side => DynamicImage::from(photo)
                .resize(side, side, FilterType::Lanczos3)
                .into_rgb8(),
            _ => photo,
        }
    }
}

/// A face in a photo.
#[derive(Clone, Debug)]
pub struct PhotoFace {
    pub(crate) bounds: FaceBox,
    pub(crate) crop: RgbImage,
    pub(crate) shown: Intensities,
}

impl PhotoFace {
    /// The square around the face, in the photo's pixels; it may overhang the photo.
    pub fn bounds(&self) -> FaceBox {
        self.bounds
    }

    /// The face alone, as the network sees it.
    pub fn crop(&self) -> &RgbImage {
        &self.crop
    }

    /// What the face shows, read from the photo.
    pub fn shown(&self) -> Intensities {
        self.shown
    }

    /// The intensities to ask for so that this face shows an expression.
    ///
    /// What the expression leaves to the photo is [`PhotoFace::shown`].
    pub fn target(&self, expression: &crate::Expression) -> Intensities {
        expression.over(&self.shown)
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
}

/// The centred square that holds the whole picture.
pub(crate) fn whole(photo: &RgbImage) -> FaceBox {
    let (width, height) = photo.dimensions();
    let size = width.max(height);
    let before = |side: u32| -i32::try_from((size - side) / 2).unwrap_or_default();
    FaceBox {
        x: before(width),
        y: before(height),
        size,
        score: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_picture_is_a_box_that_overhangs_the_shorter_side() {
        let at = |x, y| FaceBox {
            x,
            y,
            size: 128,
            score: 0.0,
        };
        assert_eq!(whole(&RgbImage::new(80, 128)), at(-24, 0));
        assert_eq!(whole(&RgbImage::new(128, 128)), at(0, 0));
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
