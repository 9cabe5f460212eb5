//! JPEG, decoded straight into the memory where the pixels are wanted.
//!
//! `image` reads JPEG with the same decoder, but parses the headers three times over, copies the file and bears damage.

use image::error::{DecodingError, ImageFormatHint};
use image::metadata::Orientation;
use image::{ImageError, ImageFormat, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// The longest side that the format can express.
const MAX_SIDE: usize = 65_535;

/// A JPEG file whose headers have been read.
pub(super) struct Jpeg<'a> {
    decoder: JpegDecoder<ZCursor<&'a [u8]>>,
    width: u16,
    height: u16,
}

impl<'a> Jpeg<'a> {
    /// Whether bytes begin as a JPEG file does.
    pub(super) fn is(bytes: &[u8]) -> bool {
        bytes.starts_with(&[0xff, 0xd8, 0xff])
    }

    /// Reads the headers; if it is to be `whole`, damage of the picture itself will be an error.
    pub(super) fn open(bytes: &'a [u8], whole: bool) -> Result<Self, ImageError> {
        let options = DecoderOptions::default()
            .set_strict_mode(whole)
            .set_max_width(MAX_SIDE)
            .set_max_height(MAX_SIDE)
            .jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().map_err(error)?;
        let (width, height) = decoder.info().map_or((0, 0), |info| (info.width, info.height));
        Ok(Self {
            decoder,
            width,
            height,
        })
    }

    /// Width and height in pixels, as the file stores them.
    pub(super) fn dimensions(&self) -> (u32, u32) {
        (self.width.into(), self.height.into())
    }

    /// Width and height, if the picture is stored upright.
    pub(super) fn upright_size(&self) -> Option<(u32, u32)> {
        (self.orientation() == Orientation::NoTransforms).then(|| self.dimensions())
    }

    /// How the picture has to be turned, as the camera noted.
    pub(super) fn orientation(&self) -> Orientation {
        let exif = self.decoder.exif();
        exif.and_then(|exif| Orientation::from_exif_chunk(exif))
            .unwrap_or(Orientation::NoTransforms)
    }

    pub(super) fn decode(&mut self) -> Result<RgbImage, ImageError> {
        let (width, height) = self.dimensions();
        let mut picture = RgbImage::new(width, height);
        self.decode_into(&mut picture)?;
        Ok(picture)
    }

    /// Decodes to `width * height * 3` bytes.
    pub(super) fn decode_into(&mut self, pixels: &mut [u8]) -> Result<(), ImageError> {
        self.decoder.decode_into(pixels).map_err(error)
    }
}

fn error(source: DecodeErrors) -> ImageError {
    ImageError::Decoding(DecodingError::new(
        ImageFormatHint::Exact(ImageFormat::Jpeg),
        source,
    ))
}
