//! Contact sheets (rows and columns of equal tiles with short labels), and saving of pictures.

use std::path::Path;

use font8x8::legacy::BASIC_LEGACY;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageError, ImageFormat, Rgb, RgbImage};

use crate::error::{Error, Result};
use crate::files::write_whole;

/// Pixels between tiles and around the sheet.
const GUTTER: u32 = 4;
/// A neutral background, which does not change the perceived colour of skin and lips.
const GROUND: Rgb<u8> = Rgb([119; 3]);
const INK: Rgb<u8> = Rgb([255; 3]);
/// Width and height of a character.
const CHARACTER: u32 = 8;
/// Height of the strip above the tiles if columns have labels.
const HEADER: u32 = CHARACTER + 2 * GUTTER;
/// JPEG quality of saved pictures.
const JPEG_QUALITY: u8 = 95;

/// A picture made of rows of equal square tiles.
///
/// ```
/// use ganimation_data::Sheet;
/// use image::RgbImage;
///
/// let mut sheet = Sheet::new(64).with_columns(["input", "AU12=3"]);
/// sheet.push_row("face 1", vec![RgbImage::new(64, 64), RgbImage::new(64, 64)]);
/// assert!(sheet.render().width() > 128);
/// ```
#[derive(Clone, Debug)]
pub struct Sheet {
    tile: u32,
    columns: Vec<String>,
    rows: Vec<(String, Vec<RgbImage>)>,
}

impl Sheet {
    /// An empty sheet for tiles of `tile` pixels; tiles of other sizes are resized.
    ///
    /// # Panics
    /// Panics if `tile` is 0.
    pub fn new(tile: u32) -> Self {
        assert!(tile > 0, "tiles of {tile} pixels");
        Self {
            tile,
            columns: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Labels the columns. Labels wider than a tile are cut off.
    pub fn with_columns(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.columns = labels.into_iter().map(Into::into).collect();
        self
    }

    /// Appends a row. Rows can have different lengths.
    pub fn push_row(&mut self, label: impl Into<String>, tiles: Vec<RgbImage>) {
        self.rows.push((label.into(), tiles));
    }

    /// Draws the sheet.
    pub fn render(&self) -> RgbImage {
        let longest_row = self.rows.iter().map(|(_, tiles)| tiles.len()).max().unwrap_or(0);
        let columns = count(longest_row.max(self.columns.len()));
        let label = self
            .rows
            .iter()
            .map(|(label, _)| count(label.chars().count()))
            .max()
            .unwrap_or(0);
        let left = if label == 0 {
            GUTTER
        } else {
            label * CHARACTER + 2 * GUTTER
        };
        let top = if self.columns.is_empty() { GUTTER } else { HEADER };
        let step = self.tile + GUTTER;
        let (width, height) = (left + columns * step, top + count(self.rows.len()) * step);

        let mut sheet = RgbImage::from_pixel(width, height, GROUND);
        for (column, label) in (0..).zip(&self.columns) {
            let fitting: String = label.chars().take((step / CHARACTER) as usize).collect();
            draw_text(&mut sheet, &fitting, left + column * step, GUTTER);
        }
        for (row, (label, tiles)) in (0..).zip(&self.rows) {
            let y = top + row * step;
            draw_text(
                &mut sheet,
                label,
                GUTTER,
                y + (self.tile.saturating_sub(CHARACTER)) / 2,
            );
            for (column, tile) in (0..).zip(tiles) {
                self.place(&mut sheet, tile, left + column * step, y);
            }
        }
        sheet
    }

    fn place(&self, sheet: &mut RgbImage, tile: &RgbImage, x: u32, y: u32) {
        if tile.dimensions() == (self.tile, self.tile) {
            imageops::replace(sheet, tile, x.into(), y.into());
        } else {
            let resized = imageops::resize(tile, self.tile, self.tile, FilterType::Triangle);
            imageops::replace(sheet, &resized, x.into(), y.into());
        }
    }
}

/// Draws white text of 8-pixel characters with its top left corner at `x`, `y`. Text outside the picture is cut off.
///
/// Characters outside ASCII are drawn as question marks.
pub fn draw_text(picture: &mut RgbImage, text: &str, x: u32, y: u32) {
    for (column, character) in (0..).zip(text.chars()) {
        let glyph = BASIC_LEGACY
            .get(character as usize)
            .unwrap_or(&BASIC_LEGACY['?' as usize]);
        for (dy, row) in (0..).zip(glyph) {
            for dx in (0..CHARACTER).filter(|dx| row >> dx & 1 == 1) {
                if let Some(pixel) = picture.get_pixel_mut_checked(x + column * CHARACTER + dx, y + dy) {
                    *pixel = INK;
                }
            }
        }
    }
}

/// Saves a picture as png, jpg, jpeg or webp, according to the extension of its path.
///
/// The file is written atomically.
///
/// # Errors
/// [`Error::UnknownPictureFormat`] for other extensions, [`Error::EncodePicture`] if the format cannot
/// store the picture, [`Error::Write`] if the file cannot be written.
pub fn save_image(path: impl AsRef<Path>, picture: &RgbImage) -> Result<()> {
    let path = path.as_ref();
    let format = picture_format(path)?;
    save(
        path,
        format,
        picture.as_raw(),
        picture.dimensions(),
        ExtendedColorType::Rgb8,
        None,
    )
}

/// Saves a picture of any depth with a colour profile.
pub(crate) fn save_encoded(
    path: &Path,
    format: ImageFormat,
    picture: &DynamicImage,
    profile: Option<Vec<u8>>,
) -> Result<()> {
    let (size, color) = ((picture.width(), picture.height()), picture.color().into());
    save(path, format, picture.as_bytes(), size, color, profile)
}

fn save(
    path: &Path,
    format: ImageFormat,
    pixels: &[u8],
    size: (u32, u32),
    color: ExtendedColorType,
    profile: Option<Vec<u8>>,
) -> Result<()> {
    let mut bytes = Vec::new();
    let encoded = match format {
        ImageFormat::Jpeg => {
            let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
            encode(encoder, pixels, size, color, profile)
        }
        ImageFormat::WebP => encode(
            WebPEncoder::new_lossless(&mut bytes),
            pixels,
            size,
            color,
            profile,
        ),
        _ => encode(PngEncoder::new(&mut bytes), pixels, size, color, profile),
    };
    encoded.map_err(|source| Error::EncodePicture {
        path: path.to_owned(),
        source,
    })?;
    write_whole(path, &bytes)
}

fn encode(
    mut encoder: impl ImageEncoder,
    pixels: &[u8],
    (width, height): (u32, u32),
    color: ExtendedColorType,
    profile: Option<Vec<u8>>,
) -> Result<(), ImageError> {
    if let Some(profile) = profile {
        encoder
            .set_icc_profile(profile)
            .map_err(ImageError::Unsupported)?;
    }
    encoder.write_image(pixels, width, height, color)
}

/// The format of a path's extension.
pub(crate) fn picture_format(path: &Path) -> Result<ImageFormat> {
    match ImageFormat::from_path(path) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP)) => Ok(format),
        _ => Err(Error::UnknownPictureFormat {
            path: path.to_owned(),
        }),
    }
}

fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_stand_in_rows_and_columns() {
        let mut sheet = Sheet::new(10);
        let [red, green] = [[255, 0, 0], [0, 255, 0]].map(|color| RgbImage::from_pixel(10, 10, Rgb(color)));
        sheet.push_row("", vec![red.clone(), green.clone()]);
        sheet.push_row("", vec![green]);
        let picture = sheet.render();
        assert_eq!(picture.dimensions(), (4 + 2 * 14, 4 + 2 * 14));
        for (x, y, expected) in [(4, 4, [255, 0, 0]), (18, 13, [0, 255, 0]), (4, 18, [0, 255, 0])] {
            assert_eq!(picture.get_pixel(x, y).0, expected);
        }
        assert_eq!(picture.get_pixel(20, 20), &GROUND);
        assert_eq!(picture.get_pixel(15, 8), &GROUND);
    }

    #[test]
    fn labels_are_drawn_beside_the_tiles_and_never_over_them() {
        let mut sheet = Sheet::new(32).with_columns(["a label too long", "b"]);
        let tile = RgbImage::new(32, 32);
        sheet.push_row("row", vec![tile.clone(), tile]);
        let picture = sheet.render();
        let (left, top) = (3 * 8 + 2 * GUTTER, HEADER);
        let inked = |x: std::ops::Range<u32>, y: std::ops::Range<u32>| {
            x.flat_map(|x| y.clone().map(move |y| (x, y)))
                .filter(|&(x, y)| picture.get_pixel(x, y) == &INK)
                .count()
        };
        assert!(inked(0..left, top..picture.height()) > 20);
        assert!(inked(left..picture.width(), 0..top) > 20);
        assert_eq!(inked(left..picture.width(), top..picture.height()), 0);
    }

    #[test]
    fn text_beyond_the_border_is_cut_off() {
        let mut picture = RgbImage::new(10, 4);
        draw_text(&mut picture, "Wörter", 3, 1);
        assert!(picture.pixels().any(|pixel| pixel == &INK));
    }

    #[test]
    fn pictures_are_saved_by_their_extension() {
        let dir = tempfile::tempdir().unwrap();
        let picture = RgbImage::from_pixel(9, 5, Rgb([200, 100, 50]));
        for name in ["a.png", "a.webp", "a.jpg", "A.JPEG"] {
            let path = dir.path().join(name);
            save_image(&path, &picture).unwrap();
            let back = crate::picture::decode_photo(&path).unwrap();
            assert_eq!(back.dimensions(), (9, 5));
            assert!(
                back.as_raw()
                    .iter()
                    .zip(picture.as_raw())
                    .all(|(a, b)| a.abs_diff(*b) < 4),
                "{name}"
            );
        }
        let message = save_image(dir.path().join("a.tiff"), &picture)
            .unwrap_err()
            .to_string();
        assert!(
            message.ends_with("a.tiff has no extension among png, jpg, jpeg and webp"),
            "{message}"
        );
    }
}
