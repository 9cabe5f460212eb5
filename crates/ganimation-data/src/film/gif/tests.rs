//! Tests of animations, read back as a viewer shows them.

use super::*;
use gif::{ColorOutput, DecodeOptions};
use std::fs::File;

/// A noisy background with more than 256 colours and a square that moves over it.
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
    write_gif(&path, &frames, Duration::from_millis(50), 0).unwrap();
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
    write_gif(&path, &frames, Duration::from_millis(50), 0).unwrap();
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
    write_gif(&path, &many, Duration::ZERO, 0).unwrap();
    let (shown, _) = decode(&path);
    let differences = many[0]
        .as_raw()
        .iter()
        .zip(shown[0].as_raw())
        .map(|(a, b)| f64::from(a.abs_diff(*b)));
    let mean = differences.sum::<f64>() / many[0].as_raw().len() as f64;
    assert!(mean < 4.0, "mean difference of levels {mean}");

    let few = [RgbImage::from_fn(20, 13, |x, y| {
        Rgb([u8::try_from(x * 12).unwrap(), 0, u8::from(y > 5)])
    })];
    write_gif(&path, &few, Duration::ZERO, 0).unwrap();
    assert_eq!(decode(&path).0, few);
}

#[test]
fn the_same_frames_make_the_same_file() {
    let frames = frames(3);
    let encode = || encode(&frames, Duration::from_millis(40), 0).unwrap();
    assert_eq!(encode(), encode());
}

#[test]
#[should_panic(expected = "frame 1 is (2, 3), the first is (3, 2)")]
fn frames_of_different_sizes_are_refused() {
    let _ = encode(&[RgbImage::new(3, 2), RgbImage::new(2, 3)], Duration::ZERO, 0);
}

#[test]
fn delays_add_up_to_the_length_of_the_film() {
    for (fps, count) in [
        (12.0, 24),
        (30_000.0 / 1001.0, 300),
        (29.97, 299),
        (7.0, 100),
        (50.0, 50),
        (60.0, 120),
        (1.0, 2),
    ] {
        let delays = delays(count, Duration::from_secs_f64(1.0 / fps));
        let sum: u32 = delays.iter().flatten().map(|&delay| u32::from(delay)).sum();
        let expected = count as f64 / fps * 100.0;
        assert!(
            (f64::from(sum) - expected).abs() <= 0.5,
            "{fps}: {sum} of {expected}"
        );
        let shown: Vec<_> = delays.iter().flatten().collect();
        assert!(shown.iter().all(|&&delay| delay >= 2), "{fps}");
        let (least, most) = (shown.iter().min().unwrap(), shown.iter().max().unwrap());
        assert!(**most - **least <= if fps > 50.0 { 2 } else { 1 }, "{fps}");
        assert!(fps > 50.0 || shown.len() == count, "{fps}");
        assert!(delays[0].is_some(), "{fps}");
    }
    assert_eq!(delays(1, Duration::ZERO), [Some(2)]);
}

#[test]
fn a_film_at_a_fractional_rate_is_as_long_as_its_frames() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gif");
    let frames = [frames(14), frames(14)].concat();
    write_gif(&path, &frames, Duration::from_secs(1) / 12, 0).unwrap();
    let mut reader = DecodeOptions::new()
        .read_info(File::open(&path).unwrap())
        .unwrap();
    let mut hundredths = 0;
    while let Some(frame) = reader.read_next_frame().unwrap() {
        hundredths += u32::from(frame.delay);
    }
    assert_eq!(hundredths, 233, "28 frames at 12 a second");
}
