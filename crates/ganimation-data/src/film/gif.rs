//! Animated GIFs with one palette for all frames, so that unchanged pixels keep their exact colour.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::time::Duration;

use color_quant::NeuQuant;
use gif::{Encoder, EncodingError, Frame, Repeat};
use image::{Rgb, RgbImage};

use super::area::Area;
use crate::error::{Error, Result};
use crate::files::write_whole;

/// Colours in a palette.
const COLORS: usize = 256;
/// The quantiser uses about this many pixels.
const SAMPLES: usize = 400_000;
/// Shortest frame time in hundredths of a second: browsers extend shorter frames to a tenth of a second.
const SHORTEST_FRAME: u64 = 2;

/// Writes frames to a GIF that is played `plays` times; 0 means endless repetition.
///
/// All frames share one palette and nothing is dithered: a pixel that does not change between two
/// frames keeps its exact colour. After the first frame only the rectangle that changes is stored. The
/// file is written atomically. Delays are in hundredths of a second. The delays of neighbouring frames can differ by
/// one, so that the film has the correct length. If frames are shorter than two hundredths, some frames are
/// skipped.
///
/// # Errors
/// [`Error::Write`] if the file cannot be written, also if a side is over 65,535 pixels.
///
/// # Panics
/// Panics if there are no frames, they are empty, or their sizes differ.
pub fn write_gif(
    path: impl AsRef<Path>,
    frames: &[RgbImage],
    frame_time: Duration,
    plays: u16,
) -> Result<()> {
    let path = path.as_ref();
    let bytes = gif_bytes(frames, frame_time, plays).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })?;
    write_whole(path, &bytes)
}

/// The bytes of such a GIF.
///
/// # Errors
/// If a side is over 65,535 pixels.
///
/// # Panics
/// See [`write_gif`].
pub fn gif_bytes(frames: &[RgbImage], frame_time: Duration, plays: u16) -> io::Result<Vec<u8>> {
    encode(frames, frame_time, plays).map_err(|error| match error {
        EncodingError::Io(error) => error,
        other => io::Error::other(other),
    })
}

fn encode(frames: &[RgbImage], frame_time: Duration, plays: u16) -> Result<Vec<u8>, EncodingError> {
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
    let delays = delays(frames.len(), frame_time);
    let mut palette = Palette::of(frames);
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height, &palette.rgb)?;
    match plays {
        0 => encoder.set_repeat(Repeat::Infinite)?,
        1 => {} // a GIF without the extension is played once
        plays => encoder.set_repeat(Repeat::Finite(plays - 1))?, // which counts the times after the first
    }
    let mut shown: Vec<u8> = Vec::new();
    for (frame, delay) in frames.iter().zip(delays) {
        let Some(delay) = delay else { continue };
        let indices: Vec<u8> = frame.pixels().map(|&pixel| palette.index(pixel)).collect();
        let area = Area::changed(&shown, &indices, width.into());
        encoder.write_frame(&Frame {
            delay,
            left: side(area.left),
            top: side(area.top),
            width: side(area.width),
            height: side(area.height),
            buffer: area.cut(&indices, width.into()).into(),
            ..Frame::default()
        })?;
        shown = indices;
    }
    drop(encoder);
    Ok(bytes)
}

/// The duration of each frame, in hundredths of a second; `None` for a skipped frame.
fn delays(count: usize, frame_time: Duration) -> Vec<Option<u16>> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float to integer casts saturate, and a duration is not negative"
    )]
    let start = |frame: usize| (frame_time.as_secs_f64() * frame as f64 * 100.0).round() as u64;
    let mut delays = vec![None; count];
    // Backwards, so that a skipped frame extends the previous frame.
    let mut end = start(count).max(SHORTEST_FRAME);
    for frame in (0..count).rev() {
        let delay = end.saturating_sub(start(frame));
        if delay >= SHORTEST_FRAME {
            delays[frame] = Some(u16::try_from(delay).unwrap_or(u16::MAX));
            end = start(frame);
        }
    }
    delays
}

/// A length within the picture, which fits `u16`.
fn side(pixels: u32) -> u16 {
    u16::try_from(pixels).unwrap_or(u16::MAX)
}

/// The colours of an animation.
struct Palette {
    rgb: Vec<u8>,
    quantizer: Option<NeuQuant>,
    /// Cache of colours, because faces repeat colours often and the search is slow.
    known: HashMap<Rgb<u8>, u8>,
}

impl Palette {
    /// The exact colours if there are at most 256, otherwise 256 representative colours.
    fn of(frames: &[RgbImage]) -> Self {
        let mut colors = HashSet::new();
        for pixel in frames.iter().flat_map(|frame| frame.pixels()) {
            colors.insert(*pixel);
            if colors.len() > COLORS {
                return Self::quantized(frames);
            }
        }
        let mut colors: Vec<_> = colors.into_iter().collect();
        // Sorted, so that the same frames always give the same file.
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
        // An odd stride avoids alignment with the rows.
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

#[cfg(test)]
mod tests;
