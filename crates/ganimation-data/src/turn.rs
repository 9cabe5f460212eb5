//! Photos with rotated faces.

use std::fmt;

use image::imageops::{rotate90, rotate180, rotate270};
use image::{ImageBuffer, Pixel};

use crate::face::FaceBox;

/// The rotation that makes a photo, or a face in it, upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
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

/// A picture in memory.
type Picture<P> = ImageBuffer<P, Vec<<P as Pixel>::Subpixel>>;

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "upright",
            Self::Clockwise | Self::Anticlockwise => "on its side",
            Self::Half => "upside down",
        })
    }
}

impl Turn {
    /// All rotations except [`Turn::None`].
    pub const ALL: [Self; 3] = [Self::Clockwise, Self::Anticlockwise, Self::Half];

    /// Rotates the picture so that faces are upright.
    pub fn upright<P: Pixel + 'static>(self, picture: &Picture<P>) -> Picture<P> {
        match self {
            Self::None => picture.clone(),
            Self::Clockwise => rotate90(picture),
            Self::Half => rotate180(picture),
            Self::Anticlockwise => rotate270(picture),
        }
    }

    /// Reverts [`Self::upright`].
    pub fn back<P: Pixel + 'static>(self, picture: &Picture<P>) -> Picture<P> {
        match self {
            Self::None => picture.clone(),
            Self::Clockwise => rotate270(picture),
            Self::Half => rotate180(picture),
            Self::Anticlockwise => rotate90(picture),
        }
    }

    /// Width and height of the upright picture.
    pub const fn size(self, (width, height): (u32, u32)) -> (u32, u32) {
        match self {
            Self::None | Self::Half => (width, height),
            Self::Clockwise | Self::Anticlockwise => (height, width),
        }
    }

    /// The box in the original photo of a face in the upright photo, which has the given width and height.
    pub fn back_box(self, face: FaceBox, (width, height): (u32, u32)) -> FaceBox {
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
    use image::{Rgb, RgbImage};

    #[test]
    fn a_box_goes_back_to_where_its_pixels_came_from() {
        let mut photo = RgbImage::new(7, 5);
        for (x, y) in [(4, 1), (5, 1), (4, 2), (5, 2)] {
            photo.put_pixel(x, y, Rgb([255; 3]));
        }
        for turn in [Turn::None].into_iter().chain(Turn::ALL) {
            let upright = turn.upright(&photo);
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
            assert_eq!(turn.back(&upright), photo, "{turn:?}");
        }
    }
}
