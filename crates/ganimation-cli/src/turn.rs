//! Photos with faces that are rotated by 90 or 180 degrees.

use std::borrow::Cow;
use std::fmt;

use ganimation_data::FaceBox;
use image::RgbImage;
use image::imageops::{rotate90, rotate180, rotate270};

/// The rotation of a photo that makes its faces upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    /// No rotation.
    #[default]
    None,
    /// 90 degrees clockwise.
    Clockwise,
    /// 180 degrees.
    Half,
    /// 90 degrees anticlockwise.
    Anticlockwise,
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "the faces are upright",
            Self::Clockwise | Self::Anticlockwise => "the faces lie on their side",
            Self::Half => "the faces are upside down",
        })
    }
}

impl Turn {
    /// All rotations that change the photo.
    pub(super) const ALL: [Self; 3] = [Self::Clockwise, Self::Anticlockwise, Self::Half];

    /// The photo with upright faces.
    pub(super) fn upright(self, photo: RgbImage) -> RgbImage {
        match self {
            Self::None => photo,
            Self::Clockwise => rotate90(&photo),
            Self::Half => rotate180(&photo),
            Self::Anticlockwise => rotate270(&photo),
        }
    }

    /// The photo in its original orientation.
    pub(super) fn back(self, photo: RgbImage) -> RgbImage {
        match self {
            Self::None => photo,
            Self::Clockwise => rotate270(&photo),
            Self::Half => rotate180(&photo),
            Self::Anticlockwise => rotate90(&photo),
        }
    }

    /// Like [`Turn::back`], but without a copy if there is no rotation.
    pub(super) fn restored(self, photo: &RgbImage) -> Cow<'_, RgbImage> {
        match self {
            Self::None => Cow::Borrowed(photo),
            turn => Cow::Owned(turn.back(photo.clone())),
        }
    }

    /// Converts a face box in the upright photo, with the given width and height, to the original photo.
    pub(super) fn back_box(self, face: FaceBox, (width, height): (u32, u32)) -> FaceBox {
        let from_end = |length: u32, start: i32| {
            let end = i64::from(length) - i64::from(start) - i64::from(face.size);
            i32::try_from(end).unwrap_or_default()
        };
        let (x, y) = match self {
            Self::None => (face.x, face.y),
            Self::Clockwise => (face.y, from_end(width, face.x)),
            Self::Half => (from_end(width, face.x), from_end(height, face.y)),
            Self::Anticlockwise => (from_end(height, face.y), face.x),
        };
        FaceBox { x, y, ..face }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn a_box_goes_back_to_where_its_pixels_came_from() {
        let mut photo = RgbImage::new(7, 5);
        for (x, y) in [(4, 1), (5, 1), (4, 2), (5, 2)] {
            photo.put_pixel(x, y, Rgb([255; 3]));
        }
        for turn in [Turn::None].into_iter().chain(Turn::ALL) {
            let upright = turn.upright(photo.clone());
            let white = upright
                .enumerate_pixels()
                .filter(|(.., pixel)| pixel.0 == [255; 3]);
            let (x, y) = white.map(|(x, y, _)| (x as i32, y as i32)).min().unwrap();
            let face = FaceBox {
                x,
                y,
                size: 2,
                score: 1.0,
            };
            let back = turn.back_box(face, upright.dimensions());
            assert_eq!((back.x, back.y), (4, 1), "{turn:?}");
            assert_eq!(turn.back(upright), photo, "{turn:?}");
        }
    }
}
