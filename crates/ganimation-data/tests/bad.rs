//! Checks that every file of `tests/bad` is refused with the message in `tests/bad/expected.tsv`.
//!
//! `tests/bad/make.py` creates the files. To get the messages for new files, run `BLESS=1 cargo test --test bad` and
//! read the diff.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]
#![allow(clippy::expect_used, reason = "a failing test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ganimation_data::ids_from_bytes;
use ganimation_data::labels::read_table;
use ganimation_data::landmarks_from_bytes;
use ganimation_data::openface::read_openface;
use ganimation_data::pickle::read_labels;
use ganimation_data::picture::decode_whole;

#[test]
fn every_bad_file_is_refused_in_the_words_expected() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let table = dir.join("expected.tsv");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name != "make.py" && name != "expected.tsv" {
            let reported = refusal(&path, &name).replace(path.to_str().unwrap(), &name);
            found.insert(name, reported);
        }
    }
    if std::env::var_os("BLESS").is_some() {
        let lines = found
            .iter()
            .map(|(name, reported)| format!("{name}\t{reported}\n"));
        fs::write(&table, lines.collect::<String>()).unwrap();
    }
    let expected = fs::read_to_string(&table).unwrap();
    let expected: BTreeMap<String, String> = expected
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(name, reported)| (name.to_owned(), reported.to_owned()))
        .collect();
    assert!(found.len() >= 40, "{} files", found.len());
    assert_eq!(found, expected);
}

/// The error of the reader for a file.
fn refusal(path: &Path, name: &str) -> String {
    let refused = match name.split_once('_').unwrap().0 {
        "pickle" => read_labels(path).map(drop),
        "openface" => read_openface(path).map(drop),
        "labels" => read_table(path).map(drop),
        "landmarks" => landmarks_from_bytes(path, &fs::read(path).unwrap()).map(drop),
        "ids" => ids_from_bytes(path, &fs::read(path).unwrap()).map(drop),
        "picture" => decode_whole(path).map(drop),
        other => panic!("no reader for {other}"),
    };
    refused.expect_err(name).with_sources()
}
