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
mod tests {
    use super::*;
    use gif::{ColorOutput, DecodeOptions};
    use std::fs::File;

    /// A noisy ground with more than 256 colours and a square that moves over it.
    fn frames(count: u32) -> Vec<RgbImage> {
        let frame = |at: u32| {
            RgbImage::from_fn(48, 40, |x, y| {
                if (at * 3..at * 3 + 6).contains(&x) && (10..16).contains(&y) {
                    return Rgb([250, 20, u8::try_from(at * 9).unwrap()]);
                }
                Rgb([x * 5, y * 6, (x * y) % 251].map(|level| u8::try_from(level).unwrap()))
            })
        };
        (0..count).map(frame).collect()
    }

    /// The portrait of an astronaut, public domain (NASA).
    fn astronaut() -> RgbImage {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/astronaut.png");
        crate::picture::decode_photo(path).unwrap()
    }

    /// Frames as a viewer shows them, with the number of stored pixels of each.
    fn decode(path: &Path) -> (Vec<RgbImage>, Vec<usize>) {
        let mut options = DecodeOptions::new();
        options.set_color_output(ColorOutput::RGBA);
        let mut reader = options.read_info(File::open(path).unwrap()).unwrap();
        let mut canvas = RgbImage::new(reader.width().into(), reader.height().into());
        let (mut shown, mut stored) = (Vec::new(), Vec::new());
        while let Some(frame) = reader.read_next_frame().unwrap() {
            assert!(frame.palette.is_none(), "no frame has its own palette");
            for (i, pixel) in (0_u32..).zip(frame.buffer.chunks(4)) {
                let (x, y) = (i % u32::from(frame.width), i / u32::from(frame.width));
                let rgb = Rgb([pixel[0], pixel[1], pixel[2]]);
                canvas.put_pixel(x + u32::from(frame.left), y + u32::from(frame.top), rgb);
            }
            shown.push(canvas.clone());
            stored.push(usize::from(frame.width) * usize::from(frame.height));
        }
        (shown, stored)
    }

    #[test]
    fn what_does_not_move_keeps_its_exact_colour() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.gif");
        let frames = frames(10);
        write_gif(&path, &frames, Duration::from_millis(50)).unwrap();
        let (shown, _) = decode(&path);
        assert_eq!(shown.len(), 10);
        for (pair, shown) in frames.windows(2).zip(shown.windows(2)) {
            for (x, y, pixel) in pair[0].enumerate_pixels() {
                if pair[1].get_pixel(x, y) == pixel {
                    assert_eq!(shown[0].get_pixel(x, y), shown[1].get_pixel(x, y));
                }
            }
        }
    }

    #[test]
    fn only_the_changed_rectangle_is_stored() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.gif");
        let mut frames = frames(4);
        frames.push(frames[3].clone());
        write_gif(&path, &frames, Duration::from_millis(50)).unwrap();
        let (_, stored) = decode(&path);
        assert_eq!(stored[0], 48 * 40);
        assert!(stored[1..4].iter().all(|&pixels| pixels <= 9 * 6), "{stored:?}");
        assert_eq!(stored[4], 1);
    }

    #[test]
    fn colours_are_close_and_few_colours_are_exact() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.gif");
        let many = [astronaut()];
        write_gif(&path, &many, Duration::ZERO).unwrap();
        let (shown, _) = decode(&path);
        let differences = many[0].as_raw().iter().zip(shown[0].as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b)));
        let mean = differences.sum::<f64>() / many[0].as_raw().len() as f64;
        assert!(mean < 4.0, "mean difference of levels {mean}");

        let few = [RgbImage::from_fn(20, 13, |x, y| {
            Rgb([u8::try_from(x * 12).unwrap(), 0, u8::from(y > 5)])
        })];
        write_gif(&path, &few, Duration::ZERO).unwrap();
        assert_eq!(decode(&path).0, few);
    }

    #[test]
    fn the_same_frames_make_the_same_file() {
        let frames = frames(3);
        let encode = || encode(&frames, Duration::from_millis(40)).unwrap();
        assert_eq!(encode(), encode());
    }

    #[test]
    #[should_panic(expected = "frame 1 is (2, 3), the first is (3, 2)")]
    fn frames_of_different_sizes_are_refused() {
        let _ = encode(&[RgbImage::new(3, 2), RgbImage::new(2, 3)], Duration::ZERO);
    }
}
