//! Tests of films, read back.

use std::fs::File;
use std::io::BufReader;

use image::codecs::png::PngDecoder;
use image::{AnimationDecoder, DynamicImage, Rgb};

use super::*;
use crate::picture::decode_photo;

/// Noise with many colours, and a square that moves over it. The sides are odd.
fn frames() -> Vec<RgbImage> {
    let frame = |at: u32| {
        RgbImage::from_fn(33, 27, |x, y| {
            if (at * 3..at * 3 + 6).contains(&x) && (10..16).contains(&y) {
                return Rgb([250, 20, 90]);
            }
            Rgb([x * 7, y * 9, (x * y) % 251].map(|level| u8::try_from(level).unwrap()))
        })
    };
    // The third frame equals the second.
    [0, 1, 1, 2].map(frame).into()
}

fn write(path: &Path) -> Result<()> {
    let options = FilmOptions {
        rate: FrameRate::default(),
        plays: 2,
        frames: 4,
    };
    let mut film = FilmWriter::create(path, options)?;
    frames().into_iter().try_for_each(|frame| film.push(frame))?;
    film.finish()
}

#[test]
fn an_animated_png_holds_every_pixel_of_every_frame() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("film.png");
    write(&path).unwrap();
    let decoder = PngDecoder::new(BufReader::new(File::open(&path).unwrap())).unwrap();
    let shown = decoder.apng().unwrap().into_frames().collect_frames().unwrap();
    assert_eq!(shown.len(), 4);
    for (shown, frame) in shown.iter().zip(frames()) {
        assert_eq!(DynamicImage::from(shown.buffer().clone()).into_rgb8(), frame);
        assert_eq!(
            shown.delay().numer_denom_ms().0 / shown.delay().numer_denom_ms().1,
            83
        );
    }
    assert_eq!(
        decode_photo(&path).unwrap(),
        frames()[0],
        "other programs show the first frame"
    );
}

#[test]
fn a_folder_holds_the_frames_in_order_and_is_not_written_into_twice() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("frames");
    write(&path).unwrap();
    for (number, frame) in (1..).zip(frames()) {
        assert_eq!(
            decode_photo(path.join(format!("{number:04}.png"))).unwrap(),
            frame
        );
    }
    assert!(matches!(write(&path), Err(Error::FolderNotEmpty { .. })));
}

#[test]
fn a_video_is_made_where_ffmpeg_is_and_refused_where_it_is_not() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["film.mp4", "film.webm"] {
        let path = dir.path().join(name);
        match write(&path) {
            Ok(()) => assert!(fs::metadata(&path).unwrap().len() > 500),
            Err(error) => assert!(matches!(error, Error::NoFfmpeg { .. }), "{error}"),
        }
    }
    let left = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert!(
        left.into_iter()
            .all(|name| !name.to_string_lossy().contains("part"))
    );
}

#[test]
fn the_extension_says_the_format() {
    let of = |path: &str| FilmFormat::of(path.as_ref());
    assert_eq!(of("a.GIF"), Some(FilmFormat::Gif));
    assert_eq!(
        (of("a.png"), of("b/a.apng")),
        (Some(FilmFormat::Apng), Some(FilmFormat::Apng))
    );
    assert_eq!(
        (of("frames"), of("frames/")),
        (Some(FilmFormat::Folder), Some(FilmFormat::Folder))
    );
    assert!(
        FilmFormat::EXTENSIONS
            .iter()
            .all(|extension| of(&format!("a.{extension}")).is_some())
    );
    assert_eq!(of("a.jpg"), None);
}
