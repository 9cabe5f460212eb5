//! Animated GIFs with one palette for all frames, so that what does not move keeps its very colour.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::time::Duration;

use color_quant::NeuQuant;
use gif::{Encoder, EncodingError, Frame, Repeat};
use image::{Rgb, RgbImage};

use crate::error::{Error, Result};
use crate::files::write_whole;

/// Colours in a palette.
const COLORS: usize = 256;
/// The quantiser looks at about this many pixels.
const SAMPLES: usize = 400_000;
/// Browsers slow shorter frames down to a tenth of a second.
const SHORTEST_FRAME: Duration = Duration::from_millis(20);

/// Writes frames to a GIF that repeats for ever.
///
/// All frames share one palette and nothing is dithered: a pixel that does not change between two
/// frames keeps its exact colour. After the first frame only the rectangle that changes is stored. The
/// file appears under its name only once it is complete. `frame_time` is rounded to hundredths of a
/// second, at least two.
///
/// # Errors
/// [`Error::Write`] if the file cannot be written, also if a side is over 65,535 pixels.
///
/// # Panics
/// Panics if there are no frames, they are empty, or their sizes differ.
pub fn write_gif(path: impl AsRef<Path>, frames: &[RgbImage], frame_time: Duration) -> Result<()> {
    let path = path.as_ref();
    let bytes = encode(frames, frame_time).map_err(|error| {
        let source = match error {
            EncodingError::Io(error) => error,
            other => io::Error::other(other),
        };
        Error::Write {
            path: path.to_owned(),
            source,
        }
    })?;
    write_whole(path, &bytes)
}

fn encode(frames: &[RgbImage], frame_time: Duration) -> Result<Vec<u8>, EncodingError> {
    let Some(first) = frames.first() else {
        panic!("0 frames do not make an animation")
    };
    let size = first.dimensions();
    for (at, frame) in frames.iter().enumerate() {
        let found = frame.dimensions();
        assert!(
            found == size && size.0 * size.1 > 0,
            "frame {at} is {found:?}, the first is {size:?}"
        );
    }
    let (Ok(width), Ok(height)) = (u16::try_from(size.0), u16::try_from(size.1)) else {
        return Err(io::Error::other(format!("a GIF cannot be {} x {} pixels", size.0, size.1)).into());
    };
    let hundredths = (frame_time.max(SHORTEST_FRAME).as_secs_f64() * 100.0).round();
    #[allow(
        clippy::cast_possible_truncation,
        reason = "float to integer casts saturate: eleven minutes a frame"
    )]
    #[allow(clippy::cast_sign_loss, reason = "a duration is not negative")]
    let delay = hundredths as u16;

    let mut palette = Palette::of(frames);
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height, &palette.rgb)?;
    encoder.set_repeat(Repeat::Infinite)?;
    let mut shown: Vec<u8> = Vec::new();
    for frame in frames {
        let indices: Vec<u8> = frame.pixels().map(|&pixel| palette.index(pixel)).collect();
        let area = Area::changed(&shown, &indices, width);
        encoder.write_frame(&Frame {
            delay,
            left: area.left,
            top: area.top,
            width: area.width,
            height: area.height,
            buffer: area.cut(&indices, width).into(),
            ..Frame::default()
        })?;
        shown = indices;
    }
    drop(encoder);
    Ok(bytes)
}

/// The colours of an animation.
struct Palette {
    rgb: Vec<u8>,
    quantizer: Option<NeuQuant>,
    /// Colours looked up so far; faces repeat theirs often, and the search is slow.
    known: HashMap<Rgb<u8>, u8>,
}

impl Palette {
    /// The very colours if there are few, else 256 that stand for all.
    fn of(frames: &[RgbImage]) -> Self {
        let mut colors = HashSet::new();
        for pixel in frames.iter().flat_map(|frame| frame.pixels()) {
            colors.insert(*pixel);
            if colors.len() > COLORS {
                return Self::quantized(frames);
            }
        }
        let mut colors: Vec<_> = colors.into_iter().collect();
        // Sorted, so that the same frames always make the same file.
        colors.sort_by_key(|color| color.0);
        let known = (0..=u8::MAX)
            .zip(&colors)
            .map(|(index, &color)| (color, index))
            .collect();
        Self {
            rgb: colors.iter().flat_map(|color| color.0).collect(),
            quantizer: None,
            known,
        }
    }

    fn quantized(frames: &[RgbImage]) -> Self {
        let pixels: usize = frames.iter().map(|frame| frame.pixels().len()).sum();
        // An odd stride does not fall in step with the rows.
        let stride = (pixels / SAMPLES) | 1;
        let samples: Vec<u8> = frames
            .iter()
            .flat_map(|frame| frame.pixels())
            .step_by(stride)
            .flat_map(|&Rgb([red, green, blue])| [red, green, blue, u8::MAX])
            .collect();
        let quantizer = NeuQuant::new(1, COLORS, &samples);
        Self {
            rgb: quantizer.color_map_rgb(),
            quantizer: Some(quantizer),
            known: HashMap::new(),
        }
    }

    fn index(&mut self, color: Rgb<u8>) -> u8 {
        let Self { quantizer, known, .. } = self;
        *known.entry(color).or_insert_with(|| {
            let Rgb([red, green, blue]) = color;
            let index = quantizer
                .as_ref()
                .map_or(0, |q| q.index_of(&[red, green, blue, u8::MAX]));
            u8::try_from(index).unwrap_or_default()
        })
    }
}

/// A rectangle of a frame, in pixels.
#[derive(Debug, PartialEq)]
struct Area {
    left: u16,
    top: u16,
    width: u16,
    height: u16,
}

impl Area {
    /// The smallest rectangle around all pixels that differ; one pixel if none do, and everything if
    /// nothing has been shown.
    fn changed(shown: &[u8], next: &[u8], width: u16) -> Self {
        let rows = || (0_u16..).zip(next.chunks_exact(width.into()));
        let height = rows().count();
        if shown.len() != next.len() {
            return Self {
                left: 0,
                top: 0,
                width,
                height: u16::try_from(height).unwrap_or(u16::MAX),
            };
        }
        let (mut left, mut right, mut top, mut bottom) = (u16::MAX, 0, u16::MAX, 0);
        for ((y, after), before) in rows().zip(shown.chunks_exact(width.into())) {
            let differs = || {
                (0_u16..)
                    .zip(after.iter().zip(before))
                    .filter(|(_, (a, b))| a != b)
            };
            let Some((first, _)) = differs().next() else {
                continue;
            };
            let last = differs().last().map_or(first, |(x, _)| x);
            (left, right) = (left.min(first), right.max(last));
            (top, bottom) = (top.min(y), y);
        }
        if left == u16::MAX {
            return Self {
                left: 0,
                top: 0,
                width: 1,
                height: 1,
            };
        }
        Self {
            left,
            top,
            width: right - left + 1,
            height: bottom - top + 1,
        }
    }

    fn cut(&self, indices: &[u8], width: u16) -> Vec<u8> {
        let rows = indices
            .chunks_exact(width.into())
            .skip(self.top.into())
            .take(self.height.into());
        let columns = usize::from(self.left)..usize::from(self.left) + usize::from(self.width);
        rows.flat_map(|row| &row[columns.clone()]).copied().collect()
    }
}

#[cfg(test)]
mod tests;
