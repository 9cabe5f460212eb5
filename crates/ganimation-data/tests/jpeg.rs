//! Checks that every kind of JPEG in `tests/jpeg` is decoded like libjpeg does, or refused with a message.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use ganimation_data::Error;
use ganimation_data::picture::decode_photo;
use ganimation_data::picture::{Remark, decode_whole, read_photo};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jpeg")
}

/// The files, each with the name of its reference.
fn files() -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let jpegs = paths.filter(|path| path.extension().is_some_and(|extension| extension == "jpg"));
    let named = jpegs.map(|path| {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let name = stem.split_once('-').unwrap().0.to_owned();
        (path, name)
    });
    named.collect()
}

#[test]
fn every_kind_of_jpeg_is_decoded_as_libjpeg_does() {
    let mut compared = 0;
    for (path, name) in files().iter().filter(|(_, name)| name != "refused") {
        let expected = image::open(folder().join(format!("{name}.png")))
            .unwrap()
            .into_rgb8();
        let file = read_photo(path).unwrap();
        assert_eq!(file.remarks, [], "{}", path.display());
        for found in [file.pixels, decode_whole(path).unwrap()] {
            assert_eq!(found.dimensions(), expected.dimensions());
            let levels = found.as_raw().iter().zip(expected.as_raw());
            let distances: Vec<u32> = levels.map(|(a, b)| a.abs_diff(*b).into()).collect();
            let furthest = distances.iter().max().unwrap();
            let mean = f64::from(distances.iter().sum::<u32>()) / distances.len() as f64;
            // Decoders round and enlarge colours slightly differently. Noise differs by at least 5 levels on average.
            assert!(
                mean < 0.5 && *furthest <= 12,
                "{}: {mean} levels from libjpeg's, {furthest} at most",
                path.display()
            );
        }
        compared += 1;
    }
    assert!(compared > 40, "{compared}");
}

#[test]
fn kinds_that_nothing_here_decodes_are_refused_by_name() {
    let mut refused = 0;
    for (path, _) in files().iter().filter(|(_, name)| name == "refused") {
        let reported = decode_photo(path).unwrap_err().with_sources();
        assert!(reported.contains("arithmetic coding"), "{reported}");
        refused += 1;
    }
    assert_eq!(refused, 2);
    // No available encoder writes 12 bits per sample, so the header is changed.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("twelve.jpg");
    let mut bytes = fs::read(folder().join("grey-baseline.jpg")).unwrap();
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bytes[frame + 1] = 0xc1;
    bytes[frame + 4] = 12;
    fs::write(&path, bytes).unwrap();
    let reported = decode_photo(&path).unwrap_err().with_sources();
    assert!(reported.contains("samples of other than 8 bits"), "{reported}");
}

#[test]
fn a_cut_off_jpeg_is_read_as_far_as_it_goes_and_said_to_be_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.jpg");
    for name in ["2x2-baseline", "1x1-restarts", "2x1-progressive", "grey-baseline"] {
        let bytes = fs::read(folder().join(format!("{name}.jpg"))).unwrap();
        let whole = decode_photo(folder().join(format!("{name}.jpg"))).unwrap();
        fs::write(&path, &bytes[..bytes.len() * 8 / 10]).unwrap();
        let file = read_photo(&path).unwrap();
        assert_eq!(file.remarks, [Remark::CutOff], "{name}");
        assert_eq!(file.pixels.dimensions(), whole.dimensions());
        if !name.contains("progressive") {
            assert_eq!(file.pixels.get_pixel(3, 3), whole.get_pixel(3, 3), "{name}");
        }
        assert!(
            matches!(decode_whole(&path), Err(Error::Picture { .. })),
            "{name}"
        );
    }
}

#[test]
fn bytes_after_the_end_of_a_jpeg_are_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("phone.jpg");
    for (file, _) in files().iter().filter(|(_, name)| name != "refused") {
        let mut bytes = fs::read(file).unwrap();
        bytes.extend(b"SEFT and what else phones append\xff\xd8\xff");
        fs::write(&path, bytes).unwrap();
        assert_eq!(read_photo(&path).unwrap().remarks, [], "{}", file.display());
    }
}
