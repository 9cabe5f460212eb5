//! Picture files: decoding with limits, and square pictures of one size.

mod animation;
mod foreign;
mod jpeg;
mod source;
mod survey;

use std::io::Cursor;
use std::path::Path;

use image::imageops::{self, FilterType};
use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
    RgbImage, RgbaImage,
};

use crate::error::{Error, Result};
use crate::files::{MAX_FILE_BYTES, read_bounded};
use jpeg::Jpeg;

pub use source::{Loss, PhotoFile, Remark, Source};

/// The largest photo to decode, in millions of pixels.
pub const MAX_MEGAPIXELS: u64 = 128;

/// The largest picture of a dataset to decode, in millions of pixels. Several are decoded at a time, and faces are
/// small.
pub const MAX_FACE_MEGAPIXELS: u64 = 32;

/// Memory limit of a decoder per pixel, in bytes: 16-bit RGBA.
const DECODER_BYTES: u64 = 8;

/// Limits for a picture.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// Millions of pixels.
    megapixels: u64,
    /// Whether a damaged file is refused. Otherwise the readable part is used, and the rest is grey.
    whole: bool,
}

/// A decoded file, before rotation.
struct Decoded {
    picture: DynamicImage,
    orientation: Orientation,
    profile: Option<Vec<u8>>,
    remark: Option<Remark>,
}

/// Decodes a photo and applies the camera's orientation (EXIF).
///
/// Grey pictures are converted to RGB, and transparent pictures get a white background. For a damaged JPEG or PNG, the
/// readable part is used. [`read_photo`] also returns what was lost.
///
/// # Errors
/// See [`read_photo`].
pub fn decode_photo(path: impl AsRef<Path>) -> Result<RgbImage> {
    let path = path.as_ref();
    let bytes = read_bounded(path, MAX_FILE_BYTES)?;
    photo_from_bytes(path, &bytes, MAX_MEGAPIXELS)
}

/// Like [`decode_photo`], but from the bytes of a file and with the limit `megapixels`. Errors use `path` as its name.
///
/// # Errors
/// See [`read_photo`], with the limit `megapixels`.
pub fn photo_from_bytes(path: &Path, bytes: &[u8], megapixels: u64) -> Result<RgbImage> {
    let whole = false;
    decode(path, bytes, Rules { megapixels, whole })
}

/// Reads a photo like [`decode_photo`], with the file's data beyond 8-bit RGB, and with remarks for the user.
///
/// # Errors
/// [`Error::Read`] if the file does not exist, [`Error::PictureTooLarge`] above [`MAX_MEGAPIXELS`] (checked before
/// memory is allocated, against decompression bombs), [`Error::ForeignPicture`] for HEIC photos and other known but
/// unsupported files, [`Error::Picture`] if the contents are not a bmp, gif, jpg, png, qoi, tif or webp picture.
pub fn read_photo(path: impl AsRef<Path>) -> Result<PhotoFile> {
    let path = path.as_ref();
    let bytes = read_bounded(path, MAX_FILE_BYTES)?;
    let rules = Rules {
        megapixels: MAX_MEGAPIXELS,
        whole: false,
    };
    let decoded = decoded(path, &bytes, rules)?;
    let pictures = image::guess_format(&bytes).map_or(1, |format| animation::pictures(format, &bytes));
    let animation = (pictures > 1).then_some(Remark::Animation { pictures });
    let remarks = decoded.remark.into_iter().chain(animation).collect();
    let mut picture = decoded.picture;
    picture.apply_orientation(decoded.orientation);
    let (source, pixels) = Source::split(picture, decoded.profile);
    Ok(PhotoFile {
        pixels,
        source,
        remarks,
    })
}

/// Decodes a picture for training: like [`decode_photo`], but with the limit [`MAX_FACE_MEGAPIXELS`], and a damaged
/// JPEG is an error.
///
/// # Errors
/// See [`decode_photo`].
pub fn decode_whole(path: impl AsRef<Path>) -> Result<RgbImage> {
    let path = path.as_ref();
    let bytes = read_bounded(path, MAX_FILE_BYTES)?;
    whole_from_bytes(path, &bytes, MAX_FACE_MEGAPIXELS)
}

/// Like [`decode_whole`], but from the bytes of a file and with the limit `megapixels`. Errors use `path` as its name.
///
/// # Errors
/// [`Error::PictureTooLarge`], [`Error::Picture`].
pub fn whole_from_bytes(path: &Path, bytes: &[u8], megapixels: u64) -> Result<RgbImage> {
    let whole = true;
    decode(path, bytes, Rules { megapixels, whole })
}

/// Reads a face as a square of `size` pixels. Also returns whether the file had another size.
///
/// Pictures that are not square are cropped at both ends of the longer side.
///
/// # Errors
/// See [`decode_whole`].
pub fn read_face(path: impl AsRef<Path>, size: u32) -> Result<(RgbImage, bool)> {
    let mut face = RgbImage::new(size, size);
    let resized = read_face_into(path.as_ref(), size, &mut face)?;
    Ok((face, resized))
}

/// Like [`read_face`], but into `size * size * 3` bytes. A JPEG with this size is decoded in place.
///
/// # Errors
/// See [`decode_whole`]; the contents of `pixels` are then undefined.
///
/// # Panics
/// Panics if `pixels` does not have the size of the face.
pub(crate) fn read_face_into(path: &Path, size: u32, pixels: &mut [u8]) -> Result<bool> {
    let expected = size as usize * size as usize * 3;
    assert!(
        pixels.len() == expected,
        "{} bytes for a face of {expected}",
        pixels.len()
    );
    let bytes = read_bounded(path, MAX_FILE_BYTES)?;
    if Jpeg::is(&bytes) {
        let mut jpeg = Jpeg::open(&bytes, true).map_err(picture_error(path))?;
        if jpeg.upright_size() == Some((size, size)) {
            jpeg.decode_into(pixels).map_err(picture_error(path))?;
            return Ok(false);
        }
    }
    let picture = whole_from_bytes(path, &bytes, MAX_FACE_MEGAPIXELS)?;
    let resized = picture.dimensions() != (size, size);
    let face = if resized { square(&picture, size) } else { picture };
    pixels.copy_from_slice(&face);
    Ok(resized)
}

/// The centred square of a picture, resized to `size` pixels with Lanczos, like the face crops.
///
/// # Panics
/// Panics if `size` is 0 or the picture is empty.
pub fn square(picture: &RgbImage, size: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let side = width.min(height);
    assert!(
        side > 0 && size > 0,
        "a {width} x {height} picture cannot become {size} x {size}"
    );
    let centre = imageops::crop_imm(picture, (width - side) / 2, (height - side) / 2, side, side);
    imageops::resize(&*centre, size, size, FilterType::Lanczos3)
}

fn decode(path: &Path, bytes: &[u8], rules: Rules) -> Result<RgbImage> {
    let decoded = decoded(path, bytes, rules)?;
    let mut picture = decoded.picture;
    picture.apply_orientation(decoded.orientation);
    Ok(flat(picture))
}

/// Converts to 8-bit RGB. Transparent pictures get a white background.
fn flat(picture: DynamicImage) -> RgbImage {
    if picture.color().has_alpha() {
        on_white(&picture.into_rgba8())
    } else {
        picture.into_rgb8()
    }
}

fn decoded(path: &Path, bytes: &[u8], rules: Rules) -> Result<Decoded> {
    // The contents determine the format, because extensions can be wrong.
    if Jpeg::is(bytes) {
        return decoded_jpeg(path, bytes, rules);
    }
    if let Some(kind) = foreign::kind(bytes).or_else(|| foreign::raw(path, bytes)) {
        return Err(Error::ForeignPicture {
            path: path.to_owned(),
            kind,
        });
    }
    let mut decoder = rules.decoder(bytes).map_err(picture_error(path))?;
    rules.check(path, decoder.dimensions())?;
    let orientation = decoder.orientation().map_err(picture_error(path))?;
    let profile = decoder.icc_profile().ok().flatten();
    let (picture, remark) = match DynamicImage::from_decoder(decoder) {
        Ok(picture) => (picture, None),
        Err(error) => {
            let part = (!rules.whole).then(|| rules.part_of_png(bytes)).flatten();
            let picture = part.ok_or(error).map_err(picture_error(path))?;
            let remark = if bytes.ends_with(PNG_END) {
                Remark::Damaged
            } else {
                Remark::CutOff
            };
            (picture, Some(remark))
        }
    };
    Ok(Decoded {
        picture,
        orientation,
        profile,
        remark,
    })
}

fn decoded_jpeg(path: &Path, bytes: &[u8], rules: Rules) -> Result<Decoded> {
    let attempt = |whole| -> Result<_> {
        let mut jpeg = Jpeg::open(bytes, whole).map_err(picture_error(path))?;
        rules.check(path, jpeg.dimensions())?;
        let picture = jpeg.decode().map_err(picture_error(path))?;
        Ok((jpeg, DynamicImage::ImageRgb8(picture)))
    };
    let ((jpeg, picture), sound) = match attempt(true) {
        Err(Error::Picture { .. }) if !rules.whole => (attempt(false)?, false),
        result => (result?, true),
    };
    let remark = match (sound, jpeg.has_end()) {
        (true, _) => None,
        (false, true) => Some(Remark::Damaged),
        (false, false) => Some(Remark::CutOff),
    };
    Ok(Decoded {
        picture,
        orientation: jpeg.orientation(),
        profile: jpeg.profile(),
        remark,
    })
}

/// The last chunk of a PNG, with its checksum.
const PNG_END: &[u8] = b"IEND\xae\x42\x60\x82";

impl Rules {
    /// A decoder for formats other than JPEG.
    fn decoder<'a>(&self, bytes: &'a [u8]) -> Result<impl ImageDecoder + 'a, ImageError> {
        let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(self.megapixels * 1_000_000 * DECODER_BYTES);
        reader.limits(limits);
        reader.into_decoder()
    }

    /// The readable part of a damaged 8-bit PNG; the rest is grey. `None` if no part is readable.
    fn part_of_png(&self, bytes: &[u8]) -> Option<DynamicImage> {
        if image::guess_format(bytes).ok()? != ImageFormat::Png {
            return None;
        }
        let decoder = self.decoder(bytes).ok()?;
        let ((width, height), color) = (decoder.dimensions(), decoder.color_type());
        let size = usize::try_from(decoder.total_bytes()).ok()?;
        let filler: Vec<u8> = match color {
            ColorType::La8 => vec![128, 255],
            ColorType::Rgba8 => vec![128, 128, 128, 255],
            _ => vec![128],
        };
        let missing = || filler.iter().copied().cycle().take(size);
        let mut pixels: Vec<u8> = missing().collect();
        // It is known to fail; the rows before the damage are needed.
        let _ = decoder.read_image(&mut pixels);
        if missing().eq(pixels.iter().copied()) {
            return None;
        }
        match color {
            ColorType::L8 => ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8),
            ColorType::La8 => ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageLumaA8),
            ColorType::Rgb8 => ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8),
            ColorType::Rgba8 => ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageRgba8),
            _ => None,
        }
    }

    fn check(&self, path: &Path, (width, height): (u32, u32)) -> Result<()> {
        if u64::from(width) * u64::from(height) <= self.megapixels * 1_000_000 {
            return Ok(());
        }
        Err(Error::PictureTooLarge {
            path: path.to_owned(),
            width,
            height,
            limit: self.megapixels,
        })
    }
}

fn picture_error(path: &Path) -> impl FnOnce(ImageError) -> Error {
    |source| Error::Picture {
        path: path.to_owned(),
        source,
    }
}

fn on_white(rgba: &RgbaImage) -> RgbImage {
    ImageBuffer::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [red, green, blue, alpha] = rgba.get_pixel(x, y).0;
        let over = |color: u8| {
            let sum = u16::from(color) * u16::from(alpha) + 255 * (255 - u16::from(alpha));
            u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX)
        };
        image::Rgb([red, green, blue].map(over))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use image::{GrayImage, Luma, Rgb, Rgba};

    #[test]
    fn a_face_of_another_shape_is_cut_and_resized() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wide.png");
        RgbImage::from_fn(60, 20, |x, _| {
            if (20..40).contains(&x) {
                Rgb([9, 8, 7])
            } else {
                Rgb([255; 3])
            }
        })
        .save(&path)
        .unwrap();
        let (face, resized) = read_face(&path, 10).unwrap();
        assert!(resized);
        assert_eq!(face, RgbImage::from_pixel(10, 10, Rgb([9, 8, 7])));
    }

    #[test]
    fn a_grey_picture_becomes_rgb() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("grey.png");
        GrayImage::from_pixel(4, 4, Luma([77])).save(&path).unwrap();
        assert_eq!(
            read_face(&path, 4).unwrap(),
            (RgbImage::from_pixel(4, 4, Rgb([77; 3])), false)
        );
    }

    #[test]
    fn a_transparent_picture_lies_on_white() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clear.png");
        RgbaImage::from_fn(2, 1, |x, _| Rgba([10, 20, 30, if x == 0 { 0 } else { 255 }]))
            .save(&path)
            .unwrap();
        let photo = decode_photo(&path).unwrap();
        assert_eq!(photo.into_raw(), [255, 255, 255, 10, 20, 30]);
    }

    #[test]
    fn the_contents_decide_the_format() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lie.jpg");
        let png = dir.path().join("true.png");
        RgbImage::from_pixel(3, 2, Rgb([1, 2, 3])).save(&png).unwrap();
        fs::rename(&png, &path).unwrap();
        assert_eq!(decode_photo(&path).unwrap().dimensions(), (3, 2));
    }

    #[test]
    fn a_camera_s_orientation_is_applied() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("turned.jpg");
        let mut jpeg = Vec::new();
        let photo = RgbImage::from_fn(32, 16, |x, _| if x < 16 { Rgb([255; 3]) } else { Rgb([0; 3]) });
        image::codecs::jpeg::JpegEncoder::new(&mut jpeg)
            .encode_image(&photo)
            .unwrap();
        // An APP1 segment with one tag, orientation (0x0112) = 6: turn a quarter clockwise to see it upright.
        let exif =
            b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        jpeg.splice(2..2, exif.iter().copied());
        fs::write(&path, jpeg).unwrap();
        let upright = decode_photo(&path).unwrap();
        assert_eq!(upright.dimensions(), (16, 32));
        assert!(upright.get_pixel(8, 4).0[0] > 200 && upright.get_pixel(8, 28).0[0] < 50);
    }

    #[test]
    fn a_decompression_bomb_is_refused_by_its_header() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bomb.png");
        let mut png = Vec::new();
        RgbImage::new(1, 1)
            .write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png)
            .unwrap();
        // IHDR: signature 8, length 4, type 4, then width and height, big endian; the CRC follows 13 bytes of data.
        png[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        png[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
        let crc = crc32fast::hash(&png[12..29]);
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        fs::write(&path, png).unwrap();
        let message = decode_photo(&path).unwrap_err().to_string();
        assert!(
            message.ends_with("is 60000 x 60000 pixels (3600 megapixels), more than 128 megapixels"),
            "{message}"
        );
    }

    #[test]
    fn a_jpeg_of_the_right_size_is_decoded_in_place_to_the_same_pixels() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("face.jpg");
        let face = RgbImage::from_fn(32, 32, |x, y| {
            Rgb([x, y, x + y].map(|level| u8::try_from(level * 4).unwrap()))
        });
        face.save(&path).unwrap();
        let elsewhere = image::open(&path).unwrap().into_rgb8();
        assert_eq!(read_face(&path, 32).unwrap(), (elsewhere.clone(), false));
        assert_eq!(decode_whole(&path).unwrap(), elsewhere);
        GrayImage::from_pixel(32, 32, Luma([90])).save(&path).unwrap();
        let (grey, _) = read_face(&path, 32).unwrap();
        assert!(
            grey.pixels()
                .all(|Rgb([r, g, b])| r == g && g == b && r.abs_diff(90) < 2)
        );
    }

    #[test]
    fn half_a_jpeg_is_shown_but_not_learnt_from() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("half.jpg");
        let noise = RgbImage::from_fn(64, 64, |x, y| Rgb([((x * 7919 + y * 104_729) % 251) as u8; 3]));
        noise.save(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert_eq!(decode_photo(&path).unwrap().dimensions(), (64, 64));
        for error in [
            decode_whole(&path).unwrap_err(),
            read_face(&path, 64).unwrap_err(),
        ] {
            assert!(matches!(error, Error::Picture { .. }), "{error}");
        }
    }

    #[test]
    fn of_a_png_that_is_cut_off_the_rows_before_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cut.png");
        let photo = RgbaImage::from_fn(64, 64, |x, y| {
            let levels = [(x * 7919 + y * 104_729) % 251, x, y, 255];
            Rgba(levels.map(|level| u8::try_from(level).unwrap()))
        });
        photo.save(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() * 3 / 4]).unwrap();
        let file = read_photo(&path).unwrap();
        assert_eq!(file.remarks, [Remark::CutOff]);
        let [red, green, blue, _] = photo.get_pixel(60, 3).0;
        assert_eq!(file.pixels.get_pixel(60, 3).0, [red, green, blue]);
        assert_eq!(file.pixels.get_pixel(60, 63).0, [128; 3]);
        assert!(matches!(decode_whole(&path), Err(Error::Picture { .. })));
        // Headers alone are not a photo.
        fs::write(&path, &bytes[..60]).unwrap();
        assert!(matches!(read_photo(&path), Err(Error::Picture { .. })));
    }

    #[test]
    fn an_animation_is_said_to_be_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("film");
        let frames =
            [[200, 0, 0], [0, 200, 0], [0, 0, 200]].map(|color| RgbImage::from_pixel(8, 8, Rgb(color)));
        for name in ["film.png", "film.gif"] {
            let path = dir.path().join(name);
            let options = crate::film::FilmOptions {
                frames: 3,
                ..crate::film::FilmOptions::default()
            };
            let mut film = crate::film::FilmWriter::create(&path, options).unwrap();
            for frame in &frames {
                film.push(frame.clone()).unwrap();
            }
            film.finish().unwrap();
            let file = read_photo(&path).unwrap();
            assert_eq!(file.remarks, [Remark::Animation { pictures: 3 }], "{name}");
            assert_eq!(file.pixels, frames[0], "{name}");
            frames[0].save(&path).unwrap();
            assert_eq!(read_photo(&path).unwrap().remarks, [], "{name}");
        }
        // No available encoder writes animated WebP, so two frames are built from a still picture's data.
        let mut still = Vec::new();
        frames[0]
            .write_to(&mut Cursor::new(&mut still), ImageFormat::WebP)
            .unwrap();
        let chunk = |name: &[u8], data: &[u8]| {
            let length = u32::try_from(data.len()).unwrap().to_le_bytes();
            [name, &length, data, &vec![0; data.len() % 2]].concat()
        };
        let frame = [&[0; 6][..], &[7, 0, 0, 7, 0, 0, 100, 0, 0, 0], &still[12..]].concat();
        let body = [
            b"WEBP".to_vec(),
            chunk(b"VP8X", &[2, 0, 0, 0, 7, 0, 0, 7, 0, 0]),
            chunk(b"ANIM", &[0; 6]),
            chunk(b"ANMF", &frame),
            chunk(b"ANMF", &frame),
        ]
        .concat();
        fs::write(&path, chunk(b"RIFF", &body)).unwrap();
        let file = read_photo(&path).unwrap();
        assert_eq!(file.remarks, [Remark::Animation { pictures: 2 }]);
        // Blending a frame with the background rounds.
        let Rgb([red, green, blue]) = *file.pixels.get_pixel(3, 3);
        assert!(red >= 199 && green < 2 && blue < 2, "{red} {green} {blue}");
    }

    #[test]
    fn what_is_no_picture_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("text.jpg");
        fs::write(&path, "not a picture").unwrap();
        assert!(matches!(decode_photo(&path), Err(Error::Picture { .. })));
        fs::write(&path, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").unwrap();
        let message = decode_photo(&path).unwrap_err().to_string();
        assert!(
            message.ends_with("text.jpg is an iPhone's HEIC photo, which cannot be read"),
            "{message}"
        );
        assert!(matches!(
            decode_photo(dir.path().join("gone.jpg")),
            Err(Error::Read { .. })
        ));
    }
}
