//! What holds for any table, list and picture: what is written is read, columns are found by name, damage is no panic.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use ganimation_data::ids_from_bytes;
use ganimation_data::labels::{table_from_bytes, table_to_bytes};
use ganimation_data::openface::readings_from_bytes;
use ganimation_data::picture::{photo_from_bytes, whole_from_bytes};
use ganimation_data::{AU_COUNT, ActionUnit};
use image::{ImageFormat, RgbImage};
use proptest::prelude::*;
use proptest::sample::Index;

/// A name as people give files: anything on one line, without blank ends.
fn id() -> impl Strategy<Value = String> {
    let around = |letter: char| letter.is_whitespace() || letter == ',';
    ".{1,12}".prop_map(move |text| format!("f{}", text.trim_matches(around)))
}

fn intensities() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(
        (0..=500_u32).prop_map(|hundredths| f64::from(hundredths) / 100.0),
        AU_COUNT,
    )
}

fn labels() -> impl Strategy<Value = BTreeMap<String, Vec<f64>>> {
    prop::collection::btree_map(id(), intensities(), 1..6)
}

/// A table of OpenFace: its columns in any order, those that are not needed too, blanks around everything.
fn openface() -> impl Strategy<Value = (Vec<u8>, Vec<(f64, Vec<f64>)>)> {
    let rows = prop::collection::vec((0..=100_u32, intensities()), 1..5);
    let others = prop::collection::vec("gaze_[a-z]{1,5}|AU[0-9]{2}_c|x_[0-9]", 0..8);
    let order: Vec<usize> = (0..AU_COUNT + 1).collect();
    let ends = prop::sample::select(vec!["\n", "\r\n"]);
    (
        rows,
        others,
        Just(order).prop_shuffle(),
        0..3_usize,
        ends,
        any::<bool>(),
    )
        .prop_map(|(rows, others, order, blanks, end, marked)| {
            let rows: Vec<(f64, Vec<f64>)> = (rows.into_iter())
                .map(|(confidence, units)| (f64::from(confidence) / 100.0, units))
                .collect();
            let names: Vec<String> = (ActionUnit::ALL.iter().map(|unit| format!("{}_r", unit.code())))
                .chain(["confidence".to_owned()])
                .collect();
            let separator = format!(",{}", " ".repeat(blanks));
            let line = |cells: Vec<String>| cells.join(&separator) + end;
            let mut table = String::from(if marked { "\u{feff}" } else { "" });
            table += &line(
                order
                    .iter()
                    .map(|&at| names[at].clone())
                    .chain(others.clone())
                    .collect(),
            );
            for (confidence, units) in &rows {
                let cell = |at: usize| units.get(at).unwrap_or(confidence).to_string();
                let blank = others.iter().map(|_| "-nan(ind)".to_owned());
                table += &line(order.iter().map(|&at| cell(at)).chain(blank).collect());
            }
            (table.into_bytes(), rows)
        })
}

fn picture() -> impl Strategy<Value = RgbImage> {
    (1..24_u32, 1..24_u32).prop_flat_map(|(width, height)| {
        let bytes = prop::collection::vec(any::<u8>(), (width * height * 3) as usize);
        bytes.prop_map(move |bytes| RgbImage::from_raw(width, height, bytes).unwrap())
    })
}

fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn format() -> impl Strategy<Value = ImageFormat> {
    prop::sample::select(vec![ImageFormat::Png, ImageFormat::WebP, ImageFormat::Jpeg])
}

/// Bytes with one of them changed, and perhaps the rest cut off.
fn damaged(mut bytes: Vec<u8>, at: Index, byte: u8, cut: bool) -> Vec<u8> {
    if !bytes.is_empty() {
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
    }
    bytes
}

/// Reads bytes as a table of either kind; an error is one line that names the file.
fn read_as_tables(bytes: &[u8]) {
    let path = Path::new("a.csv");
    let errors = [
        readings_from_bytes(path, bytes).err(),
        table_from_bytes(path, bytes).err(),
    ];
    for error in errors.into_iter().flatten() {
        let message = error.with_sources();
        assert!(message.contains("a.csv"), "{message}");
    }
}

proptest! {
    #[test]
    fn any_labels_survive_the_table(labels in labels()) {
        let read = table_from_bytes(Path::new("labels.csv"), &table_to_bytes(&labels)).unwrap();
        prop_assert_eq!(read, labels);
    }

    #[test]
    fn openface_columns_are_found_by_name_wherever_they_stand((bytes, expected) in openface()) {
        let readings = readings_from_bytes(Path::new("openface.csv"), &bytes).unwrap();
        prop_assert_eq!(readings.len(), expected.len());
        for (reading, (confidence, units)) in readings.iter().zip(expected) {
            prop_assert_eq!(reading.confidence, confidence);
            for (found, expected) in reading.intensities.as_array().iter().zip(units) {
                prop_assert!((f64::from(*found) - expected).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn damaged_tables_never_panic((bytes, _) in openface(), labels in labels(), at: Index, byte: u8, cut: bool) {
        read_as_tables(&damaged(bytes, at, byte, cut));
        read_as_tables(&damaged(table_to_bytes(&labels), at, byte, cut));
    }

    #[test]
    fn random_tables_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[a-zA-Z0-9_,\"\r\n ]{0,200}") {
        read_as_tables(&bytes);
        read_as_tables(text.as_bytes());
    }

    #[test]
    fn any_list_gives_its_ids_with_their_lines(
        ids in prop::collection::vec(id(), 0..10),
        blanks in prop::collection::vec(0..3_usize, 10),
        end in prop::sample::select(vec!["\n", "\r\n", " \t\n"]),
        marked: bool,
    ) {
        let mut text = String::from(if marked { "\u{feff}" } else { "" });
        let mut expected = Vec::new();
        let mut line = 1;
        for (id, blanks) in ids.iter().zip(blanks) {
            text += &end.repeat(blanks);
            line += blanks as u64;
            expected.push((line, id.as_str()));
            text += &format!("{id}{end}");
            line += 1;
        }
        prop_assert_eq!(ids_from_bytes(Path::new("ids.csv"), text.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn random_lists_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        match ids_from_bytes(Path::new("ids.csv"), &bytes) {
            Ok(ids) => prop_assert!(ids.iter().all(|(_, id)| !id.is_empty() && id.trim() == *id)),
            Err(error) => prop_assert!(error.to_string().starts_with("ids.csv:"), "{}", error),
        }
    }

    #[test]
    fn any_picture_survives_formats_without_loss(picture in picture(), format in format()) {
        let bytes = encoded(&picture, format);
        let read = whole_from_bytes(Path::new("a.jpg"), &bytes, 1).unwrap();
        prop_assert_eq!(read.dimensions(), picture.dimensions());
        prop_assert!(format == ImageFormat::Jpeg || read == picture);
    }

    #[test]
    fn damaged_pictures_never_panic(picture in picture(), format in format(), at: Index, byte: u8, cut: bool) {
        let bytes = damaged(encoded(&picture, format), at, byte, cut);
        let (photo, whole) = (
            photo_from_bytes(Path::new("a.jpg"), &bytes, 1),
            whole_from_bytes(Path::new("a.jpg"), &bytes, 1),
        );
        // What is good enough to learn from shows as the same photo.
        if let Ok(whole) = whole {
            prop_assert_eq!(whole, photo.unwrap());
        }
    }
}
