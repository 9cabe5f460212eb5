//! Tests of examinations.

use std::fs;

use image::{Rgb, RgbImage};

use super::*;
use crate::au::ActionUnit;
use crate::labels::table_to_bytes;
use crate::landmarks::{self, LANDMARK_COUNT};
use crate::pickle::Labels;

/// A folder with nine coloured training faces and one held-out face. Each test changes it.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("imgs")).unwrap();
    let mut labels = Labels::new();
    let (mut train, mut test) = (String::new(), String::new());
    for i in 0..10_u8 {
        let picture = RgbImage::from_pixel(8, 8, Rgb([20 * i, 200, 90]));
        picture.save(dir.path().join(format!("imgs/{i}.png"))).unwrap();
        let mut label = vec![0.25; 17];
        label[8] = f64::from(i) / 2.0;
        labels.insert(i.to_string(), label);
        let list = if i == 9 { &mut test } else { &mut train };
        *list += &format!("{i}.png\n");
    }
    fs::write(dir.path().join("labels.csv"), table_to_bytes(&labels)).unwrap();
    fs::write(dir.path().join("train_ids.csv"), train).unwrap();
    fs::write(dir.path().join("test_ids.csv"), test).unwrap();
    dir
}

fn report(dir: &tempfile::TempDir) -> Report {
    let examination = Examination {
        workers: 2,
        batch_size: 3,
        image_size: 8,
    };
    let mut last = (0, 0);
    let report = examine(dir.path(), &examination, &mut |done, of| last = (done, of)).unwrap();
    assert_eq!(last.0, last.1, "progress ends");
    report
}

#[track_caller]
fn finds(report: &Report, severity: Severity, text: &str) {
    let found = |finding: &Finding| finding.severity == severity && finding.text.contains(text);
    assert!(
        report.findings.iter().any(found),
        "no {text:?} in {:#?}",
        report.findings
    );
}

#[test]
fn a_sound_folder_is_fit_and_counted() {
    let report = report(&folder());
    assert!(report.fit, "{:#?}", report.findings);
    assert_eq!((report.train, report.test, report.batches_per_epoch), (9, 1, 3));
    assert_eq!(report.cache_bytes, 9 * 8 * 8 * 3);
    assert_eq!((report.pictures.readable, report.pictures.sizes.len()), (10, 1));
    let smile = &report.units[ActionUnit::LipCornerPuller.index()];
    assert_eq!((smile.max, smile.mean, smile.shown), (4.5, 2.25, 0.6));
    assert_eq!(
        (smile.histogram[0], smile.histogram.iter().sum::<usize>()),
        (1, 10)
    );
    assert_eq!(smile.histogram[22], 1, "4.5 lies in the bin from 4.4 to 4.6");
    finds(&report, Severity::Warning, "9 faces to train on are few");
    finds(&report, Severity::Warning, "few faces show AU01 0.0 %, AU02");
}

#[test]
fn damage_makes_a_folder_unfit() {
    let dir = folder();
    fs::write(dir.path().join("imgs/3.png"), b"no picture").unwrap();
    let unreadable = report(&dir);
    assert!(!unreadable.fit);
    finds(&unreadable, Severity::Error, "1 picture(s) cannot be read");
    assert_eq!(unreadable.pictures.unreadable[0].id, "3");

    let dir = folder();
    fs::write(dir.path().join("test_ids.csv"), "9.png\n0.png\ngone\n").unwrap();
    let unsound = report(&dir);
    assert!(!unsound.fit);
    finds(&unsound, Severity::Error, "2 listed face(s) are not sound");
    assert!(
        unsound.problems[0].contains("`0.png` is already listed at"),
        "{:?}",
        unsound.problems
    );

    let dir = folder();
    fs::write(dir.path().join("train_ids.csv"), "0\n1\n").unwrap();
    let small = report(&dir);
    assert!(!small.fit);
    finds(
        &small,
        Severity::Error,
        "2 face(s) to train on do not fill a batch of 3",
    );
    finds(
        &small,
        Severity::Note,
        "7 picture(s) stand in no list, such as `2`",
    );
    finds(&small, Severity::Note, "7 label(s) stand in no list, such as `2`");
}

#[test]
fn what_is_odd_is_reported_and_still_fit() {
    let dir = folder();
    let imgs = dir.path().join("imgs");
    fs::copy(imgs.join("0.png"), imgs.join("9.png")).unwrap();
    RgbImage::from_pixel(8, 8, Rgb([90, 91, 92]))
        .save(imgs.join("1.png"))
        .unwrap();
    RgbImage::from_pixel(6, 9, Rgb([90, 9, 92]))
        .save(imgs.join("2.png"))
        .unwrap();
    let report = report(&dir);
    assert!(report.fit);
    assert_eq!(report.pictures.duplicates, [["0", "9"]]);
    finds(
        &report,
        Severity::Warning,
        "1 picture(s) repeat others, pixel by pixel, in 1 group(s), such as `0` and `9`",
    );
    finds(
        &report,
        Severity::Warning,
        "1 picture(s) to train on are held out too under another name",
    );
    finds(
        &report,
        Severity::Warning,
        "1 picture(s) have no colour, such as `1`",
    );
    finds(
        &report,
        Severity::Note,
        "1 picture(s) are not 8 x 8 pixels and will be cut and resized",
    );
    finds(
        &report,
        Severity::Warning,
        "1 picture(s) are smaller than 8 pixels",
    );
    assert!(report.findings.is_sorted_by_key(|finding| finding.severity));
}

#[test]
fn labels_out_of_range_and_labels_already_divided_are_reported() {
    let dir = folder();
    let label = |value: f64| vec![value; 17];
    let labels = |of: &dyn Fn(u32) -> f64| (0..10).map(|i| (i.to_string(), label(of(i)))).collect();
    fs::write(
        dir.path().join("labels.csv"),
        table_to_bytes(&labels(&|i| f64::from(i) - 1.0)),
    )
    .unwrap();
    let out = report(&dir);
    finds(
        &out,
        Severity::Warning,
        "68 intensities lie outside 0 to 5 (AU01, AU02",
    );
    assert_eq!(out.units[0].out_of_range, 4);
    fs::write(
        dir.path().join("labels.csv"),
        table_to_bytes(&labels(&|i| f64::from(i) / 10.0)),
    )
    .unwrap();
    finds(&report(&dir), Severity::Warning, "no intensity is above 1");
}

/// Landmarks of an upright face, in pixels of a picture of 8 x 8 pixels.
fn upright() -> [[f64; 2]; LANDMARK_COUNT] {
    let mut points = [[4.0, 5.0]; LANDMARK_COUNT];
    points[17..27].fill([4.0, 2.0]);
    points[36..42].fill([2.0, 3.0]);
    points[42..48].fill([6.0, 3.0]);
    points[48..].fill([4.0, 7.0]);
    points
}

#[test]
fn landmarks_are_counted_doubted_and_drawn() {
    let without = report(&folder());
    finds(&without, Severity::Note, "no face has landmarks (landmarks.csv)");
    assert_eq!(without.landmarks, LandmarkCount::default());

    let dir = folder();
    let (sound, mut far) = (upright(), upright());
    let upside_down = sound.map(|[x, y]| [x, 8.0 - y]);
    far[3] = [-4.5, 2.0];
    let rows = [
        ("0.png", &sound),
        ("1.png", &upside_down),
        ("4", &far),
        ("9", &sound),
    ];
    fs::write(
        dir.path().join("landmarks.csv"),
        landmarks::landmarks_to_bytes(rows),
    )
    .unwrap();
    let report = report(&dir);
    assert!(!report.fit);
    finds(
        &report,
        Severity::Error,
        "landmark 3 is at (-4.5, 2), far outside a picture of 8 x 8 pixels",
    );
    finds(&report, Severity::Note, "7 face(s) have no landmarks");
    finds(
        &report,
        Severity::Warning,
        "1 face(s) have landmarks that are not those of an upright face, such as `1`",
    );
    assert_eq!((report.landmarks.known, report.landmarks.train), (3, 2));
    let picture = draw(&report);
    assert_eq!(
        picture.dimensions(),
        (1_500, 4 * 170 + 24),
        "a row more, of three faces"
    );
    let row = image::imageops::crop_imm(&picture, 0, 3 * 170, 1_500, 170).to_image();
    let dots = row.pixels().filter(|pixel| pixel.0 == [240, 160, 60]).count();
    assert!((3 * 4 * 5..3 * 4 * 6).contains(&dots), "{dots} pixels of dots");
}

#[test]
fn a_report_becomes_a_picture_and_json() {
    let report = report(&folder());
    let picture = draw(&report);
    assert_eq!(picture.dimensions(), (1_500, 3 * 170 + 24));
    let bright = picture.pixels().filter(|pixel| pixel.0 == [240, 160, 60]).count();
    assert!(bright > 1_000, "{bright} pixels of bars");
    let json = serde_json::to_string(&report).unwrap();
    assert!(
        json.contains(r#""code":"AU12","name":"lip-corner-puller","mean":2.25"#),
        "{json}"
    );
}
