//! Data of a photo's file beyond 8-bit RGB, and how an edited photo keeps it.

use std::fmt;
use std::path::Path;

use image::imageops::FilterType;
use image::{DynamicImage, ImageBuffer, ImageFormat, Pixel, RgbImage};

use super::on_white;
use crate::error::Result;
use crate::sheet::{picture_format, save_encoded};

/// A photo, upright and in 8-bit RGB, with the file's other data.
#[derive(Clone, Debug)]
pub struct PhotoFile {
    /// The photo. Transparent photos get a white background.
    pub pixels: RgbImage,
    /// The file's data beyond these pixels.
    pub source: Source,
    /// Remarks about the file for the user.
    pub remarks: Vec<Remark>,
}

/// A remark about a readable photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// The file ends before the end of the picture.
    CutOff,
    /// The file has invalid bytes.
    Damaged,
    /// The file contains several pictures.
    Animation {
        /// Number of pictures.
        pictures: u32,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutOff => f.write_str("the file is cut off; the missing part is grey or coarse"),
            Self::Damaged => f.write_str("the file is damaged; a part of the picture may be wrong"),
            Self::Animation { pictures } => {
                write!(f, "an animation of {pictures} pictures; the first is used")
            }
        }
    }
}

/// Data of the photo's file that the edited photo does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// The format has no transparency.
    Transparency,
    /// The format has 8 bits per colour.
    Depth,
    /// The format has no colour profile, or the profile is not for RGB.
    Profile,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transparency => "transparent parts are laid on white",
            Self::Depth => "16 bits a colour become 8",
            Self::Profile => "the colour profile is dropped",
        })
    }
}

/// The transparency, depth and colour profile of a photo.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The photo with transparency or 16 bits per colour, if it has one of these.
    deep: Option<DynamicImage>,
    profile: Option<Vec<u8>>,
}

impl Source {
    /// The 8-bit RGB of a picture, and its other data.
    pub(super) fn split(picture: DynamicImage, profile: Option<Vec<u8>>) -> (Self, RgbImage) {
        let (deep, pixels) = match (picture.color().has_alpha(), is_deep(&picture)) {
            (true, true) => {
                let pixels = on_white(&picture.to_rgba8());
                (Some(DynamicImage::ImageRgba16(picture.into_rgba16())), pixels)
            }
            (true, false) => {
                let clear = picture.into_rgba8();
                let pixels = on_white(&clear);
                (Some(DynamicImage::ImageRgba8(clear)), pixels)
            }
            (false, true) => {
                let pixels = picture.to_rgb8();
                (Some(DynamicImage::ImageRgb16(picture.into_rgb16())), pixels)
            }
            (false, false) => (None, picture.into_rgb8()),
        };
        (Self { deep, profile }, pixels)
    }

    /// Data that a film from this photo does not keep: transparency, and a profile other than sRGB. Viewers assume sRGB
    /// without a profile.
    pub fn lost_in_film(&self) -> Vec<Loss> {
        let clear = self.deep.as_ref().is_some_and(|deep| deep.color().has_alpha());
        let is_srgb = |profile: &Vec<u8>| profile.windows(4).any(|name| name == b"sRGB");
        let profile = self.profile.as_ref().is_some_and(|profile| !is_srgb(profile));
        let losses = [(clear, Loss::Transparency), (profile, Loss::Profile)];
        losses
            .into_iter()
            .filter(|(lost, _)| *lost)
            .map(|(_, loss)| loss)
            .collect()
    }

    /// Saves `edited` with the transparency, depth and profile that the format supports, and returns what it does not
    /// support.
    ///
    /// `photo` is the photo before the edit. Unchanged pixels keep the exact values of the file.
    ///
    /// # Errors
    /// See [`save_image`](crate::save_image).
    ///
    /// # Panics
    /// Panics if the sizes of the two differ.
    pub fn save(&self, path: impl AsRef<Path>, photo: &RgbImage, edited: &RgbImage) -> Result<Vec<Loss>> {
        assert!(
            photo.dimensions() == edited.dimensions(),
            "a photo of {:?} and its edit of {:?}",
            photo.dimensions(),
            edited.dimensions()
        );
        let path = path.as_ref();
        let format = picture_format(path)?;
        let (picture, mut losses) = self.merged(format, photo, edited);
        let profile = match &self.profile {
            Some(profile) if is_rgb(profile) => Some(profile.clone()),
            Some(_) => {
                losses.push(Loss::Profile);
                None
            }
            None => None,
        };
        save_encoded(path, format, &picture, profile)?;
        Ok(losses)
    }

    /// The edited photo with all data that the format supports.
    fn merged(&self, format: ImageFormat, photo: &RgbImage, edited: &RgbImage) -> (DynamicImage, Vec<Loss>) {
        let flat = || DynamicImage::ImageRgb8(edited.clone());
        let Some(deep) = &self.deep else {
            return (flat(), Vec::new());
        };
        let (clear, deeper) = (deep.color().has_alpha(), is_deep(deep));
        let mut losses = Vec::new();
        if clear && format == ImageFormat::Jpeg {
            losses.push(Loss::Transparency);
        }
        if deeper && format != ImageFormat::Png {
            losses.push(Loss::Depth);
        }
        let size = photo.dimensions();
        let deep = if (deep.width(), deep.height()) == size {
            deep.clone()
        } else {
            deep.resize_exact(size.0, size.1, FilterType::Lanczos3)
        };
        let merged = match (format, clear, deeper) {
            (ImageFormat::Jpeg, ..) | (ImageFormat::WebP, false, _) => flat(),
            (ImageFormat::WebP, ..) | (_, true, false) => {
                let mut deep = deep.into_rgba8();
                merge(&mut deep, photo, edited, 1.0);
                deep.into()
            }
            (_, true, true) => {
                let mut deep = deep.into_rgba16();
                merge(&mut deep, photo, edited, 257.0);
                deep.into()
            }
            (_, false, _) => {
                let mut deep = deep.into_rgb16();
                merge(&mut deep, photo, edited, 257.0);
                deep.into()
            }
        };
        (merged, losses)
    }
}

/// Adds the edit's change to each colour, `scale` levels for one 8-bit level. The change is larger for semi-transparent
/// pixels, so that they look the same on white.
fn merge<P: Pixel<Subpixel: Level>>(
    deep: &mut ImageBuffer<P, Vec<P::Subpixel>>,
    photo: &RgbImage,
    edited: &RgbImage,
    scale: f32,
) {
    for ((pixel, before), after) in deep.pixels_mut().zip(photo.pixels()).zip(edited.pixels()) {
        if before == after {
            continue;
        }
        let channels = pixel.channels_mut();
        let opacity = channels
            .get(3)
            .map_or(1.0, |alpha| alpha.level() / (255.0 * scale));
        if opacity == 0.0 {
            continue; // the pixel is invisible
        }
        for ((channel, before), after) in channels.iter_mut().zip(before.0).zip(after.0) {
            let change = (f32::from(after) - f32::from(before)) * scale / opacity;
            *channel = Level::rounded((channel.level() + change).clamp(0.0, 255.0 * scale));
        }
    }
}

/// A colour of 8 or 16 bits.
trait Level: Copy {
    fn level(self) -> f32;
    /// Converts a level within range.
    fn rounded(level: f32) -> Self;
}

impl Level for u8 {
    fn level(self) -> f32 {
        self.into()
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the caller clamps to the range"
    )]
    fn rounded(level: f32) -> Self {
        level.round() as Self
    }
}

impl Level for u16 {
    fn level(self) -> f32 {
        self.into()
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the caller clamps to the range"
    )]
    fn rounded(level: f32) -> Self {
        level.round() as Self
    }
}

/// Whether a colour has more than 8 bits.
fn is_deep(picture: &DynamicImage) -> bool {
    let color = picture.color();
    color.bytes_per_pixel() > color.channel_count()
}

/// Whether an ICC profile is for RGB colours.
fn is_rgb(profile: &[u8]) -> bool {
    profile.get(16..20) == Some(b"RGB ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::read_photo;
    use image::{Rgb, Rgba, RgbaImage};
    use std::fs;

    type Rgb16Image = ImageBuffer<Rgb<u16>, Vec<u16>>;

    /// An edit that brightens one pixel by 10 levels.
    fn edit(photo: &RgbImage) -> RgbImage {
        let mut edited = photo.clone();
        let pixel = edited.get_pixel_mut(1, 0);
        pixel.0 = pixel.0.map(|level| level + 10);
        edited
    }

    #[test]
    fn transparency_is_kept_where_the_format_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clear.png");
        let photo = RgbaImage::from_fn(4, 2, |x, y| {
            Rgba([
                [0, 10, 20, 30][x as usize],
                20,
                30,
                if y == 0 {
                    255
                } else {
                    [0, 85, 170, 255][x as usize]
                },
            ])
        });
        photo.save(&path).unwrap();
        let file = read_photo(&path).unwrap();
        assert_eq!(file.source.lost_in_film(), [Loss::Transparency]);
        for name in ["out.png", "out.webp"] {
            let out = dir.path().join(name);
            let losses = file.source.save(&out, &file.pixels, &edit(&file.pixels)).unwrap();
            assert_eq!(losses, []);
            let out = image::open(&out).unwrap();
            assert!(out.color().has_alpha(), "{name}");
            let mut expected = photo.clone();
            expected.put_pixel(1, 0, Rgba([20, 30, 40, 255]));
            assert_eq!(out.into_rgba8(), expected, "{name}");
        }
        let out = dir.path().join("out.jpg");
        let losses = file.source.save(&out, &file.pixels, &file.pixels).unwrap();
        assert_eq!(losses, [Loss::Transparency]);
    }

    #[test]
    fn a_half_transparent_pixel_looks_as_edited_on_white() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("half.png");
        RgbaImage::from_pixel(2, 1, Rgba([100, 100, 100, 128]))
            .save(&path)
            .unwrap();
        let file = read_photo(&path).unwrap();
        let edited = edit(&file.pixels);
        file.source.save(&path, &file.pixels, &edited).unwrap();
        let again = read_photo(&path).unwrap().pixels;
        let difference = again
            .as_raw()
            .iter()
            .zip(edited.as_raw())
            .map(|(a, b)| a.abs_diff(*b));
        assert!(difference.max().unwrap() <= 1);
    }

    #[test]
    fn sixteen_bits_are_kept_by_png_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep.png");
        let photo = Rgb16Image::from_fn(3, 2, |x, y| {
            Rgb([1, 2, 3].map(|c| u16::try_from(c * 7001 + x * 131 + y * 17).unwrap()))
        });
        photo.save(&path).unwrap();
        let file = read_photo(&path).unwrap();
        let out = dir.path().join("out.png");
        let losses = file.source.save(&out, &file.pixels, &edit(&file.pixels)).unwrap();
        assert_eq!(losses, []);
        let mut expected = photo.clone();
        let pixel = expected.get_pixel_mut(1, 0);
        pixel.0 = pixel.0.map(|level| level + 10 * 257);
        assert_eq!(image::open(&out).unwrap().as_rgb16(), Some(&expected));
        for name in ["out.webp", "out.jpg"] {
            let losses = file
                .source
                .save(dir.path().join(name), &file.pixels, &file.pixels)
                .unwrap();
            assert_eq!(losses, [Loss::Depth]);
        }
        // A smaller copy also keeps its depth.
        let small = image::imageops::thumbnail(&file.pixels, 2, 1);
        file.source.save(&out, &small, &small).unwrap();
        assert_eq!(
            image::open(&out).unwrap().as_rgb16().unwrap().dimensions(),
            (2, 1)
        );
    }

    #[test]
    fn a_profile_goes_with_the_colours_it_is_for() {
        let dir = tempfile::tempdir().unwrap();
        let mut profile = vec![7; 200];
        for (space, losses) in [(b"RGB ", &[][..]), (b"CMYK", &[Loss::Profile])] {
            profile[16..20].copy_from_slice(space);
            let source = Source {
                deep: None,
                profile: Some(profile.clone()),
            };
            for name in ["a.png", "a.jpg", "a.webp"] {
                let path = dir.path().join(name);
                let photo = RgbImage::from_pixel(20, 20, Rgb([90, 80, 70]));
                assert_eq!(source.save(&path, &photo, &photo).unwrap(), losses);
                let back = read_photo(&path).unwrap();
                let kept = losses.is_empty().then(|| profile.clone());
                assert_eq!(back.source.profile, kept, "{name}");
                assert!(fs::metadata(&path).unwrap().len() > 50);
            }
        }
    }
}
