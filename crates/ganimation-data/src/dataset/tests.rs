//! Tests of dataset folders.

use std::fs;

use super::*;
use crate::au::ActionUnit;
use crate::landmarks::{LANDMARK_COUNT, landmarks_to_bytes};
use crate::pickle::write_labels;

/// A folder with the given pictures and labels. The pictures are never decoded.
fn folder(pictures: &[&str], labels: &[(&str, Vec<f64>)], train: &str, test: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("imgs")).unwrap();
    for name in pictures {
        fs::write(dir.path().join("imgs").join(name), b"").unwrap();
    }
    let labels = labels
        .iter()
        .map(|(id, label)| ((*id).to_owned(), label.clone()))
        .collect();
    write_labels(dir.path().join("aus_openface.pkl"), &labels).unwrap();
    fs::write(dir.path().join("train_ids.csv"), train).unwrap();
    fs::write(dir.path().join("test_ids.csv"), test).unwrap();
    dir
}

#[test]
fn ids_match_with_and_without_their_extension() {
    let one = vec![1.0; 17];
    let dir = folder(
        &["a.jpg", "b.png", "c.d.webp", "notes.txt"],
        &[("a", one.clone()), ("b.jpg", one.clone()), ("c.d", one)],
        "a.jpg\r\nb\n\n",
        "c.d",
    );
    let dataset = Dataset::open(dir.path()).unwrap();
    let ids: Vec<_> = dataset
        .split(Split::Train)
        .iter()
        .map(|face| face.id.as_str())
        .collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(
        dataset.split(Split::Test)[0].path,
        dir.path().join("imgs/c.d.webp")
    );
    assert_eq!(
        dataset.split(Split::Test)[0].intensities.get(ActionUnit::Blink),
        1.0
    );
    assert!(dataset.problems().is_empty());
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_id() {
    let dir = folder(&["a.jpg"], &[("a", vec![1.0; 17])], "\u{feff}a.jpg\r\n", "");
    let dataset = Dataset::open(dir.path()).unwrap();
    assert_eq!(dataset.split(Split::Train)[0].id, "a");
}

#[test]
fn every_problem_is_counted_and_the_first_is_reported() {
    let mut nan = vec![0.0; 17];
    nan[8] = f64::NAN;
    let dir = folder(
        &[
            "a.jpg",
            "nolabel.jpg",
            "short.jpg",
            "nan.jpg",
            "two.jpg",
            "two.png",
        ],
        &[
            ("a", vec![0.0; 17]),
            ("short", vec![0.0; 16]),
            ("nan", nan),
            ("two", vec![0.0; 17]),
        ],
        "a\ngone\nnolabel.jpg\nshort\nnan\ntwo\n",
        "a.jpg\n",
    );
    let error = Dataset::open(dir.path()).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("has 6 problem(s); the first: "), "{message}");
    assert!(
        message.contains("train_ids.csv:2: no picture `gone`"),
        "{message}"
    );

    let dataset = Dataset::open_with(
        dir.path(),
        OpenOptions {
            skip_bad: true,
            ..OpenOptions::default()
        },
    )
    .unwrap();
    assert_eq!(dataset.split(Split::Train).len(), 1);
    let problems: Vec<_> = dataset.problems().iter().map(ToString::to_string).collect();
    assert!(
        problems[1].contains("train_ids.csv:3: `nolabel.jpg` has no label in"),
        "{problems:?}"
    );
    assert!(
        problems[2].contains("has 16 intensities, expected 17"),
        "{problems:?}"
    );
    assert!(problems[3].contains("has NaN for AU12"), "{problems:?}");
    assert!(problems[4].contains("write the extension"), "{problems:?}");
    assert!(
        problems[5].contains("test_ids.csv:1: `a.jpg` is already listed at"),
        "{problems:?}"
    );
    assert!(problems[5].ends_with("train_ids.csv:1"), "{problems:?}");
}

#[test]
fn what_stands_in_no_list_is_reported() {
    let zero = vec![0.0; 17];
    let dir = folder(
        &["a.jpg", "b.png", "c.webp"],
        &[("a", zero.clone()), ("b", zero.clone()), ("d.jpg", zero)],
        "a\n",
        "gone\n",
    );
    let dataset = Dataset::open_with(
        dir.path(),
        OpenOptions {
            skip_bad: true,
            ..OpenOptions::default()
        },
    )
    .unwrap();
    assert_eq!(dataset.unlisted_pictures(), ["b", "c"]);
    assert_eq!(dataset.unlisted_labels(), ["b", "d"]);
}

#[test]
fn two_labels_for_one_face_are_refused() {
    let zero = vec![0.0; 17];
    let dir = folder(&["a.jpg"], &[("a.jpg", zero.clone()), ("a.png", zero)], "a\n", "");
    let message = Dataset::open(dir.path()).unwrap_err().to_string();
    assert!(
        message.ends_with("has two labels for one face: `a.jpg` and `a.png`"),
        "{message}"
    );
}

#[test]
fn a_missing_list_is_named() {
    let dir = folder(&[], &[], "", "");
    fs::remove_file(dir.path().join("test_ids.csv")).unwrap();
    let message = Dataset::open(dir.path()).unwrap_err().to_string();
    assert!(
        message.starts_with("cannot read ") && message.ends_with("test_ids.csv"),
        "{message}"
    );
}

#[test]
fn the_exact_file_wins_over_one_that_differs_in_its_extension() {
    let dir = folder(&["a.jpg", "a.png"], &[("a", vec![0.0; 17])], "a.png", "");
    let dataset = Dataset::open(dir.path()).unwrap();
    assert_eq!(dataset.split(Split::Train)[0].path, dir.path().join("imgs/a.png"));
}

/// Set `GANIMATION_FACES` to a dataset folder to run this on real faces.
#[test]
fn the_real_faces_open() {
    let Ok(dir) = std::env::var("GANIMATION_FACES") else {
        eprintln!("skipped: GANIMATION_FACES does not name a dataset folder");
        return;
    };
    let start = std::time::Instant::now();
    let dataset = Dataset::open(&dir).unwrap();
    let (train, test) = (
        dataset.split(Split::Train).len(),
        dataset.split(Split::Test).len(),
    );
    eprintln!("{train} + {test} faces opened in {:?}", start.elapsed());
    assert!(train > 0 && test > 0);
}

/// Landmarks in pixels that fill a crop with this side.
fn landmarks(side: f64) -> [[f64; 2]; LANDMARK_COUNT] {
    std::array::from_fn(|at| [side * (0.1 + 0.012 * at as f64), side * (0.9 - 0.01 * at as f64)])
}

/// A folder with the faces a, b and c of 16 x 16 pixels, their labels, and this table of landmarks.
fn folder_with_landmarks(table: &[u8]) -> tempfile::TempDir {
    let one = vec![1.0; 17];
    let labels = ["a", "b", "c"].map(|id| (id, one.clone()));
    let dir = folder(&["a.png", "b.png", "c.png"], &labels, "a\nb\nc\n", "");
    for id in ["a", "b", "c"] {
        let path = dir.path().join(format!("imgs/{id}.png"));
        image::RgbImage::new(16, 16).save(path).unwrap();
    }
    fs::write(dir.path().join("landmarks.csv"), table).unwrap();
    dir
}

#[test]
fn landmarks_are_read_by_column_name_in_shares_of_the_picture() {
    let table = String::from_utf8(landmarks_to_bytes([("b.jpg", &landmarks(16.0))])).unwrap();
    let spaced = table.replace(',', ", ");
    let dir = folder_with_landmarks(spaced.as_bytes());
    let dataset = Dataset::open(dir.path()).unwrap();
    let faces = dataset.split(Split::Train);
    assert_eq!((faces[0].landmarks, faces[2].landmarks), (None, None));
    let points = *faces[1].landmarks.unwrap().points();
    for (at, [x, y]) in points.into_iter().enumerate() {
        let (expected_x, expected_y) = (0.1 + 0.012 * at as f32, 0.9 - 0.01 * at as f32);
        assert!(
            (x - expected_x).abs() < 1e-3 && (y - expected_y).abs() < 1e-3,
            "{at}"
        );
    }
}

#[test]
fn bad_landmarks_are_named_with_their_line_and_leave_the_face() {
    let sound = landmarks(16.0);
    let mut outside = sound;
    outside[5] = [24.5, 3.0];
    let table = String::from_utf8(landmarks_to_bytes([
        ("a", &sound),
        ("b", &sound),
        ("c", &outside),
    ]))
    .unwrap();
    let first = table.lines().nth(1).unwrap();
    let place = ":4: landmark 5 is at (24.5, 3), far outside a picture of 16 x 16 pixels";
    for (bad, word) in [("NaN", "NaN"), ("inf", "inf"), ("", ""), ("left", "left")] {
        let broken = first.replacen(",1.60,", &format!(",{bad},"), 1);
        let dir = folder_with_landmarks(table.replace(first, &broken).as_bytes());
        let message = Dataset::open(dir.path()).unwrap_err().to_string();
        let expected = format!("landmarks.csv:2: column `x_0` holds `{word}`, not a number");
        assert!(
            message.contains("has 2 problem(s)") && message.ends_with(&expected),
            "{message}"
        );
        let dataset = Dataset::open_with(
            dir.path(),
            OpenOptions {
                skip_bad: true,
                ..OpenOptions::default()
            },
        )
        .unwrap();
        let faces = dataset.split(Split::Train);
        let known: Vec<_> = faces.iter().map(|face| face.landmarks.is_some()).collect();
        assert_eq!(known, [false, true, false]);
        assert_eq!(dataset.problems().len(), 2);
        let message = dataset.problems()[1].to_string();
        assert!(message.ends_with(place), "{message}");
    }
}

#[test]
fn a_table_of_landmarks_that_is_none_is_refused() {
    let sound = landmarks(16.0);
    let table = String::from_utf8(landmarks_to_bytes([("a", &sound), ("b", &sound)])).unwrap();
    let message = |table: &str| {
        let dir = folder_with_landmarks(table.as_bytes());
        let skip = OpenOptions {
            skip_bad: true,
            ..OpenOptions::default()
        };
        Dataset::open_with(dir.path(), skip).unwrap_err().with_sources()
    };
    let missing = message(&table.replacen("y_67", "Y_67", 1));
    assert!(
        missing.contains("has no column `y_67`; it has: file, x_0"),
        "{missing}"
    );
    let cut = message(&table[..table.trim_end().rfind(',').unwrap()]);
    assert!(cut.contains("landmarks.csv") && cut.contains("line: 3"), "{cut}");
    let twice = message(&table.replace("\nb,", "\na.png,"));
    assert!(
        twice.ends_with("landmarks.csv:3: `a.png` has landmarks already"),
        "{twice}"
    );
}

#[test]
fn landmarks_of_another_crop_size_are_refused() {
    for side in [64.0, 8.0] {
        let points = landmarks(side);
        let dir = folder_with_landmarks(&landmarks_to_bytes([
            ("a", &points),
            ("b", &points),
            ("c", &landmarks(16.0)),
        ]));
        let skip = OpenOptions {
            skip_bad: true,
            ..OpenOptions::default()
        };
        let message = Dataset::open_with(dir.path(), skip).unwrap_err().to_string();
        assert!(
            message.contains("landmarks.csv: the landmarks of 2 of 3 faces do not fit their pictures"),
            "{message}"
        );
    }
}

#[test]
fn lists_are_understood_as_spreadsheets_scripts_and_other_systems_write_them() {
    let one = vec![1.0; 17];
    let labels = ["1", "2", "caf\u{e9}"].map(|id| (id, one.clone()));
    for (list, why) in [
        ("imgs\\1.jpg\nimgs\\2.png\n", "paths of Windows"),
        ("./imgs/1.jpg\n./2.png\n", "paths of find"),
        ("C:\\faces\\imgs\\1.jpg\n/home/me/faces/imgs/2\n", "whole paths"),
        ("\"1.jpg\"\n\" 2.png \"\n", "quotation marks"),
        ("filename\n1.jpg\n2.png\n", "a header"),
        ("\"ID\",\n1.jpg,\n2.png,\n", "a header and commas"),
        ("1.jpg\r2.png\r", "line ends of old Macs"),
        ("\u{feff}1.jpg\r\n2.png\r\n", "those of Windows"),
        ("1.jpg\n2.JPG\n", "another extension in capitals"),
    ] {
        let dir = folder(&["1.jpg", "2.png", "caf\u{e9}.jpg", "._1.jpg"], &labels, list, "");
        let dataset = Dataset::open(dir.path()).unwrap_or_else(|error| panic!("{why}: {error}"));
        let ids: Vec<_> = dataset
            .split(Split::Train)
            .iter()
            .map(|face| face.id.as_str())
            .collect();
        assert_eq!(ids, ["1", "2"], "{why}");
        assert_eq!(dataset.unlisted_pictures(), ["caf\u{e9}"], "{why}");
    }
    // Decomposed accents, as macOS writes them, in the list, in the names of pictures or in the labels.
    let (apart, whole) = ("cafe\u{301}", "caf\u{e9}");
    for (picture, label, list) in [
        (apart, whole, whole),
        (whole, apart, whole),
        (whole, whole, apart),
        (apart, apart, whole),
    ] {
        let dir = folder(&[&format!("{picture}.jpg")], &[(label, one.clone())], list, "");
        assert_eq!(Dataset::open(dir.path()).unwrap().split(Split::Train).len(), 1);
    }
    // A picture with the name of a header.
    let dir = folder(&["image.jpg"], &[("image", one.clone())], "image\n", "");
    assert_eq!(Dataset::open(dir.path()).unwrap().split(Split::Train).len(), 1);
}

#[test]
fn what_is_not_certain_in_a_list_is_named_with_its_line_and_the_difference() {
    let labels = ["1", "2"].map(|id| (id, vec![1.0; 17]));
    for (list, expected) in [
        ("1\nfaces/2.png\n", "train_ids.csv:2: no picture `faces/2.png` "),
        ("1\n2.png,0.5\n", "train_ids.csv:2: no picture `2.png,0.5` "),
        ("one\ttwo\n2.PNG;x", "train_ids.csv:2: no picture `2.PNG;x` "),
    ] {
        let dir = folder(&["1.jpg", "2.png"], &labels, list, "");
        let skip = OpenOptions {
            skip_bad: true,
            ..OpenOptions::default()
        };
        let dataset = Dataset::open_with(dir.path(), skip).unwrap();
        let last = dataset.problems().last().unwrap().to_string();
        assert!(
            last.contains(expected) && last.ends_with("; there is `2.png`"),
            "{last}"
        );
    }
    let dir = folder(&["Anna.jpg"], &[("anna", vec![1.0; 17])], "anna\n", "");
    let message = Dataset::open(dir.path()).unwrap_err().to_string();
    assert!(
        message.contains("no picture `anna`") && message.ends_with("; there is `Anna.jpg`"),
        "{message}"
    );
    let dir = folder(&["Anna.jpg"], &[("anna", vec![1.0; 17])], "Anna\n", "");
    let message = Dataset::open(dir.path()).unwrap_err().to_string();
    assert!(
        message.contains("`Anna` has no label in") && message.ends_with("; there is `anna`"),
        "{message}"
    );
    let dir = folder(&["1.jpg"], &labels, "1\nimgs/1.jpg\n", "");
    let message = Dataset::open(dir.path()).unwrap_err().to_string();
    assert!(
        message.contains("train_ids.csv:2: `imgs/1.jpg` is already listed at"),
        "{message}"
    );
}

#[test]
fn one_part_is_opened_without_the_list_of_the_other() {
    let dir = folder(
        &["a.jpg", "b.jpg"],
        &["a", "b"].map(|id| (id, vec![1.0; 17])),
        "a\n",
        "b\n",
    );
    fs::remove_file(dir.path().join("train_ids.csv")).unwrap();
    assert!(Dataset::open(dir.path()).is_err());
    let test = OpenOptions {
        only: Some(Split::Test),
        ..OpenOptions::default()
    };
    let dataset = Dataset::open_with(dir.path(), test).unwrap();
    assert_eq!(
        (
            dataset.split(Split::Train).len(),
            dataset.split(Split::Test).len()
        ),
        (0, 1)
    );
}
