//! JPEG, decoded directly into the target memory.
//!
//! `image` reads JPEG with the same decoder. But it parses the headers three times, copies the file, accepts damage
//! without a message, and decodes the kinds in [`Survey::is_unusual`] to noise.

use image::error::{DecodingError, ImageFormatHint, UnsupportedError, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{ImageError, ImageFormat, RgbImage};
use jpeg_decoder::PixelFormat;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::survey::Survey;

/// The longest side in the format.
const MAX_SIDE: usize = 65_535;

/// A JPEG file whose headers have been read.
pub(super) struct Jpeg<'a> {
    bytes: &'a [u8],
    survey: Survey,
    decoder: Decoder<'a>,
    width: u16,
    height: u16,
}

enum Decoder<'a> {
    /// The fast decoder.
    Zune(Box<JpegDecoder<ZCursor<&'a [u8]>>>),
    /// The decoder for rare kinds. It does not accept damage.
    Plain(Box<jpeg_decoder::Decoder<&'a [u8]>>),
}

impl<'a> Jpeg<'a> {
    /// Whether the bytes start like a JPEG file.
    pub(super) fn is(bytes: &[u8]) -> bool {
        bytes.starts_with(&[0xff, 0xd8, 0xff])
    }

    /// Reads the headers. With `whole`, damage of the picture data will be an error.
    pub(super) fn open(bytes: &'a [u8], whole: bool) -> Result<Self, ImageError> {
        let survey = Survey::of(bytes);
        if let Some(what) = survey.refused() {
            return Err(ImageError::Unsupported(UnsupportedError::from_format_and_kind(
                ImageFormat::Jpeg.into(),
                UnsupportedErrorKind::GenericFeature(what.to_owned()),
            )));
        }
        let (decoder, (width, height)) = if survey.is_unusual() {
            let mut decoder = jpeg_decoder::Decoder::new(bytes);
            decoder.read_info().map_err(error)?;
            let size = decoder.info().map_or((0, 0), |info| (info.width, info.height));
            (Decoder::Plain(Box::new(decoder)), size)
        } else {
            let options = DecoderOptions::default()
                .set_strict_mode(whole)
                .set_max_width(MAX_SIDE)
                .set_max_height(MAX_SIDE)
                .jpeg_set_out_colorspace(ColorSpace::RGB);
            let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
            decoder.decode_headers().map_err(error)?;
            let size = decoder.info().map_or((0, 0), |info| (info.width, info.height));
            (Decoder::Zune(Box::new(decoder)), size)
        };
        Ok(Self {
            bytes,
            survey,
            decoder,
            width,
            height,
        })
    }

    /// Width and height in pixels, as stored in the file.
    pub(super) fn dimensions(&self) -> (u32, u32) {
        (self.width.into(), self.height.into())
    }

    /// Width and height, if the picture is stored upright.
    pub(super) fn upright_size(&self) -> Option<(u32, u32)> {
        (self.orientation() == Orientation::NoTransforms).then(|| self.dimensions())
    }

    /// The rotation of the picture, as recorded by the camera.
    pub(super) fn orientation(&self) -> Orientation {
        let exif = match &self.decoder {
            Decoder::Zune(decoder) => decoder.exif().map(Vec::as_slice),
            Decoder::Plain(decoder) => decoder.exif_data(),
        };
        exif.and_then(Orientation::from_exif_chunk)
            .unwrap_or(Orientation::NoTransforms)
    }

    /// The ICC colour profile.
    pub(super) fn profile(&self) -> Option<Vec<u8>> {
        match &self.decoder {
            Decoder::Zune(decoder) => decoder.icc_profile(),
            Decoder::Plain(decoder) => decoder.icc_profile(),
        }
    }

    /// Whether the file has its end marker.
    pub(super) fn has_end(&self) -> bool {
        self.survey.has_end(self.bytes)
    }

    pub(super) fn decode(&mut self) -> Result<RgbImage, ImageError> {
        let (width, height) = self.dimensions();
        let mut picture = RgbImage::new(width, height);
        self.decode_into(&mut picture)?;
        Ok(picture)
    }

    /// Decodes to `width * height * 3` bytes.
    pub(super) fn decode_into(&mut self, pixels: &mut [u8]) -> Result<(), ImageError> {
        match &mut self.decoder {
            Decoder::Zune(decoder) => decoder.decode_into(pixels).map_err(error),
            Decoder::Plain(decoder) => {
                let decoded = decoder.decode().map_err(error)?;
                let format = decoder
                    .info()
                    .map_or(PixelFormat::RGB24, |info| info.pixel_format);
                rgb(&decoded, format, pixels);
                Ok(())
            }
        }
    }
}

/// Converts pixels of another format to 8-bit RGB.
fn rgb(decoded: &[u8], format: PixelFormat, pixels: &mut [u8]) {
    let pixels = pixels.as_chunks_mut::<3>().0.iter_mut();
    match format {
        PixelFormat::RGB24 => {
            for (pixel, color) in pixels.zip(decoded.as_chunks::<3>().0) {
                *pixel = *color;
            }
        }
        PixelFormat::CMYK32 => {
            for (pixel, &[cyan, magenta, yellow, black]) in pixels.zip(decoded.as_chunks::<4>().0) {
                // As usual with libjpeg: ink reduces white.
                let light = |ink: u8| {
                    let light = u16::from(255 - ink) * u16::from(255 - black);
                    u8::try_from((light + 127) / 255).unwrap_or(u8::MAX)
                };
                *pixel = [cyan, magenta, yellow].map(light);
            }
        }
        PixelFormat::L8 | PixelFormat::L16 => {
            let bytes = format.pixel_bytes();
            for (pixel, grey) in pixels.zip(decoded.chunks_exact(bytes)) {
                *pixel = [grey[0]; 3];
            }
        }
    }
}

fn error(source: impl std::error::Error + Send + Sync + 'static) -> ImageError {
    ImageError::Decoding(DecodingError::new(
        ImageFormatHint::Exact(ImageFormat::Jpeg),
        source,
    ))
}
