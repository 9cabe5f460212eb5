//! Animated PNGs: all colours of every frame. Only changed areas are stored.

use std::path::{Path, PathBuf};

use image::RgbImage;
use png::{BitDepth, ColorType, Compression, Encoder, EncodingError, Writer};

use super::FilmOptions;
use super::area::Area;
use crate::error::{Error, Result};
use crate::files::write_whole;

/// An animated PNG during writing.
pub(super) struct Apng {
    path: PathBuf,
    options: FilmOptions,
    /// The encoder, created when the first frame gives the size.
    started: Option<Started>,
}

struct Started {
    writer: Writer<Shared>,
    bytes: Shared,
    shown: RgbImage,
}

impl Apng {
    pub(super) fn new(path: &Path, options: FilmOptions) -> Self {
        Self {
            path: path.to_owned(),
            options,
            started: None,
        }
    }

    pub(super) fn push(&mut self, frame: &RgbImage) -> Result<()> {
        let pushed = match &mut self.started {
            Some(started) => started.push(frame),
            None => Started::new(frame, self.options).map(|started| self.started = Some(started)),
        };
        pushed.map_err(|error| failure(&self.path, error))
    }

    pub(super) fn finish(self) -> Result<()> {
        let Some(Started { writer, bytes, .. }) = self.started else {
            panic!("0 frames do not make an animation")
        };
        writer.finish().map_err(|error| failure(&self.path, error))?;
        write_whole(&self.path, &bytes.take())
    }
}

impl Started {
    fn new(first: &RgbImage, options: FilmOptions) -> Result<Self, EncodingError> {
        let bytes = Shared::default();
        let mut encoder = Encoder::new(bytes.clone(), first.width(), first.height());
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Balanced);
        encoder.set_animated(options.frames, options.plays.into())?;
        let (frames, seconds) = options.rate.fraction();
        encoder.set_frame_delay(seconds, frames)?;
        let mut writer = encoder.write_header()?;
        writer.write_image_data(first.as_raw())?;
        Ok(Self {
            writer,
            bytes,
            shown: first.clone(),
        })
    }

    fn push(&mut self, frame: &RgbImage) -> Result<(), EncodingError> {
        let width = frame.width();
        let (pixels, _) = frame.as_raw().as_chunks::<3>();
        let area = Area::changed(self.shown.as_raw().as_chunks::<3>().0, pixels, width);
        // The old rectangle must be reset before the new one is set.
        self.writer.set_frame_position(0, 0)?;
        self.writer.set_frame_dimension(area.width, area.height)?;
        self.writer.set_frame_position(area.left, area.top)?;
        self.writer
            .write_image_data(area.cut(pixels, width).as_flattened())?;
        self.shown.clone_from(frame);
        Ok(())
    }
}

fn failure(path: &Path, error: EncodingError) -> Error {
    Error::Write {
        path: path.to_owned(),
        source: error.into(),
    }
}

/// A buffer shared with the encoder, because the encoder does not return its writer.
#[derive(Clone, Default)]
struct Shared(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

impl Shared {
    fn take(&self) -> Vec<u8> {
        self.0.take()
    }
}

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
