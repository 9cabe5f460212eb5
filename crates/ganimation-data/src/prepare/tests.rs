//! Tests of preparing with the bundled portrait.

use std::collections::BTreeMap;

use super::*;
use crate::au::{AU_COUNT, ActionUnit};
use crate::picture::decode_photo;
use crate::{Dataset, FaceBox, Split};

const PORTRAIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/grace_hopper.jpg");

/// A folder with three copies of a portrait, reduced for fast detection, and their tables.
fn desk() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let photos = dir.path().join("photos");
    fs::create_dir_all(photos.join("processed")).unwrap();
    let portrait = image::imageops::thumbnail(&decode_photo(PORTRAIT).unwrap(), 192, 225);
    for (name, smile) in [("a", 0.5), ("b", 1.27), ("c", 3.0)] {
        portrait.save(photos.join(format!("{name}.jpg"))).unwrap();
        fs::write(photos.join(format!("processed/{name}.csv")), table(0.98, smile)).unwrap();
    }
    dir
}

fn table(confidence: f64, smile: f64) -> String {
    let header = ActionUnit::ALL.map(|au| format!(" {}_r", au.code())).join(",");
    let row = ActionUnit::ALL.map(|au| {
        if au == ActionUnit::LipCornerPuller {
            smile
        } else {
            0.25
        }
    });
    format!(
        "face, confidence,{header}\n0, {confidence}, {}\n",
        row.map(|value| value.to_string()).join(", ")
    )
}

fn config(dir: &tempfile::TempDir) -> PrepareConfig {
    PrepareConfig {
        size: 64,
        test_share: 0.3,
        workers: 2,
        ..PrepareConfig::new(vec![dir.path().join("photos")], dir.path().join("faces"))
    }
}

fn run(config: &PrepareConfig, source: Source<'_>) -> Result<Prepared> {
    prepare(config, source, &mut |_, _| {}, &AtomicBool::new(false))
}

#[track_caller]
fn finished(prepared: Result<Prepared>) -> PrepareReport {
    match prepared.unwrap() {
        Prepared::Finished(report) => report,
        stopped @ Prepared::Stopped { .. } => panic!("{stopped:?}"),
    }
}

/// All files of a folder and their contents.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            contents.extend(self::contents(&path));
        } else {
            contents.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    contents
}

#[test]
fn photos_and_tables_become_a_dataset_that_opens() {
    let desk = desk();
    let photos = desk.path().join("photos");
    fs::write(photos.join("notes.txt"), "not looked at").unwrap();
    fs::write(photos.join("broken.jpg"), "no picture").unwrap();
    fs::write(photos.join("broken.csv"), table(0.9, 1.0)).unwrap();
    fs::copy(photos.join("a.jpg"), photos.join("alone.jpg")).unwrap();
    fs::copy(photos.join("a.jpg"), photos.join("unsure.jpg")).unwrap();
    fs::write(photos.join("unsure.csv"), table(0.2, 1.0)).unwrap();
    fs::copy(photos.join("a.jpg"), photos.join("odd.jpg")).unwrap();
    fs::write(photos.join("odd.csv"), "name\nx\n").unwrap();
    image::RgbImage::new(90, 90)
        .save(photos.join("dark.png"))
        .unwrap();
    fs::write(photos.join("dark.csv"), table(0.9, 1.0)).unwrap();

    let config = config(&desk);
    let report = finished(run(&config, Source::Tables(None)));
    assert_eq!((report.photos, report.train + report.test), (8, 3));
    let expected = [
        (Reason::NoLabel, 1),
        (Reason::BadTable, 1),
        (Reason::LowConfidence, 1),
        (Reason::Unreadable, 1),
        (Reason::NoFace, 1),
    ];
    assert_eq!(report.dropped, expected.into());
    let odd = &report.dropped_photos[&photos.join("odd.jpg").display().to_string()];
    assert!(odd.detail.contains("has no column `confidence`"), "{odd:?}");

    let dataset = Dataset::open(&config.output).unwrap();
    assert_eq!(dataset.split(Split::Train).len(), report.train);
    assert!(report.test > 0);
    let faces = dataset
        .split(Split::Train)
        .iter()
        .chain(dataset.split(Split::Test));
    let b = faces.into_iter().find(|face| face.id == "b").unwrap();
    assert_eq!(b.intensities.get(ActionUnit::LipCornerPuller), 1.27);
    assert_eq!(decode_photo(&b.path).unwrap().dimensions(), (64, 64));
    let tables = fs::read_to_string(config.output.join("aus_openface.csv")).unwrap();
    assert!(
        tables.contains("\nb,0.25,0.25,0.25,0.25,0.25,0.25,0.25,0.25,1.27,"),
        "{tables}"
    );
}

/// A table with landmarks inside `face`, which can be the detected face of [`desk`]'s portrait or another box.
fn table_with_landmarks(face: FaceBox) -> String {
    let table = table(0.98, 1.0);
    let (header, row) = table.split_once('\n').unwrap();
    let names = crate::landmarks::columns("x").chain(crate::landmarks::columns("y"));
    let names: String = names.map(|name| format!(", {name}")).collect();
    let side = f64::from(face.size);
    let place =
        |corner: i32, at: usize| format!(", {:.1}", f64::from(corner) + side * (0.1 + 0.012 * at as f64));
    let values: String = [face.x, face.y]
        .into_iter()
        .flat_map(|corner| (0..68).map(move |at| place(corner, at)))
        .collect();
    format!("{header}{names}\n{}{values}\n", row.trim_end())
}

#[test]
fn landmarks_move_with_the_crop_and_outlive_a_kill() {
    let desk = desk();
    let photos = desk.path().join("photos");
    let photo = decode_photo(photos.join("a.jpg")).unwrap();
    let face = FaceDetector::new().unwrap().detect(&photo)[0];
    for name in ["a", "b"] {
        let path = photos.join(format!("processed/{name}.csv"));
        fs::write(path, table_with_landmarks(face)).unwrap();
    }
    let config = config(&desk);
    let report = finished(run(&config, Source::Tables(None)));
    assert_eq!((report.train + report.test, report.landmarks), (3, 2));
    let dataset = Dataset::open(&config.output).unwrap();
    let faces = [Split::Train, Split::Test]
        .map(|split| dataset.split(split))
        .concat();
    for face in faces {
        let Some(landmarks) = face.landmarks else {
            assert_eq!(face.id, "c");
            continue;
        };
        for (at, [x, y]) in landmarks.points().iter().enumerate() {
            let expected = 0.1 + 0.012 * at as f32;
            // The table is rounded to a tenth of a pixel, and the face has about 90 pixels.
            assert!(
                (x - expected).abs() < 2e-3 && (y - expected).abs() < 2e-3,
                "{at}: {x}, {y}"
            );
        }
    }

    let expected = contents(&config.output);
    fs::remove_file(config.output.join("landmarks.csv")).unwrap();
    fs::remove_file(config.output.join("imgs/b.jpg")).unwrap();
    finished(run(&config, Source::Tables(None)));
    assert_eq!(contents(&config.output), expected);

    // A journal of a version without landmarks: all photos are processed again.
    let journal = config.output.join("prepare.jsonl");
    let lines = fs::read_to_string(&journal).unwrap();
    let old = lines.replacen(r#""version":3"#, r#""version":1"#, 1);
    let (kept, _) = old.split_once(r#","landmarks":"#).unwrap();
    assert_ne!(old, lines);
    fs::write(&journal, format!("{kept}}}}}}}\n")).unwrap();
    finished(run(&config, Source::Tables(None)));
    assert_eq!(contents(&config.output), expected);
}

#[test]
fn a_run_that_was_stopped_or_killed_ends_with_the_same_bytes() {
    let desk = desk();
    let config = config(&desk);
    finished(run(&config, Source::Tables(None)));
    let expected = contents(&config.output);

    // Stopped after one photo, with one thread.
    fs::remove_dir_all(&config.output).unwrap();
    let stop = AtomicBool::new(false);
    let one = PrepareConfig {
        workers: 1,
        ..config.clone()
    };
    let mut heard = |done, _| stop.store(done >= 1, Ordering::Relaxed);
    let stopped = prepare(&one, Source::Tables(None), &mut heard, &stop).unwrap();
    assert!(
        matches!(stopped, Prepared::Stopped { done: 1 | 2, of: 3 }),
        "{stopped:?}"
    );
    // Then killed while it wrote a face and the journal.
    fs::write(config.output.join("imgs/.c.jpg.1-1.part"), "half").unwrap();
    let journal = config.output.join("prepare.jsonl");
    let torn = [fs::read(&journal).unwrap(), br#"{"id":"c","stamp":"#.to_vec()].concat();
    fs::write(&journal, torn).unwrap();
    finished(run(&config, Source::Tables(None)));
    assert_eq!(contents(&config.output), expected);

    // Another run on the finished folder changes nothing.
    finished(run(&config, Source::Tables(None)));
    assert_eq!(contents(&config.output), expected);

    // A deleted face is made again, and so is a face whose table has changed.
    fs::remove_file(config.output.join("imgs/a.jpg")).unwrap();
    finished(run(&config, Source::Tables(None)));
    assert_eq!(contents(&config.output), expected);
    fs::write(desk.path().join("photos/processed/a.csv"), table(0.97, 4.0)).unwrap();
    finished(run(&config, Source::Tables(None)));
    assert!(contents(&config.output) != expected);
}

#[test]
fn two_runs_and_other_settings_are_refused() {
    let desk = desk();
    let config = config(&desk);
    finished(run(&config, Source::Tables(None)));
    let other = PrepareConfig {
        size: 32,
        ..config.clone()
    };
    let message = run(&other, Source::Tables(None)).unwrap_err().to_string();
    assert!(
        message.contains("was begun with") && message.contains(r#""size":64"#),
        "{message}"
    );
    let _lock = lock_folder(&config.output).unwrap();
    let message = run(&config, Source::Tables(None)).unwrap_err().to_string();
    assert!(message.starts_with("another process works in"), "{message}");
}

#[test]
fn frames_are_found_by_number_and_the_end_is_held_out() {
    let desk = desk();
    let photos = desk.path().join("photos");
    for (from, to) in [
        ("a.jpg", "clip_000.jpg"),
        ("b.jpg", "clip_001.jpg"),
        ("c.jpg", "clip_002.jpg"),
    ] {
        fs::rename(photos.join(from), photos.join(to)).unwrap();
    }
    let header = ActionUnit::ALL.map(|au| format!("{}_r", au.code())).join(",");
    let row = |frame: u32, success: u32| {
        format!(
            "{frame},0,{},0.98,{success},{}\n",
            f64::from(frame) / 30.0,
            vec![frame.to_string(); 17].join(",")
        )
    };
    let video = desk.path().join("video.csv");
    let table = format!(
        "frame,face_id,timestamp,confidence,success,{header}\n{}{}{}",
        row(1, 1),
        row(2, 0),
        row(3, 1)
    );
    fs::write(&video, table).unwrap();
    let config = config(&desk);
    let report = finished(run(&config, Source::Frames(&video)));
    assert_eq!(
        (report.train, report.test, report.dropped[&Reason::LostFace]),
        (1, 1, 1)
    );
    let dataset = Dataset::open(&config.output).unwrap();
    let (first, last) = (&dataset.split(Split::Train)[0], &dataset.split(Split::Test)[0]);
    assert_eq!(
        (first.id.as_str(), first.intensities.as_array()[0]),
        ("clip_000", 1.0)
    );
    assert_eq!(
        (last.id.as_str(), last.intensities.as_array()[0]),
        ("clip_002", 3.0)
    );
}

#[test]
fn a_network_can_write_the_labels() {
    let desk = desk();
    let config = PrepareConfig {
        format: FaceFormat::Png,
        ..config(&desk)
    };
    let read = |face: &RgbImage| Intensities::new([face.width() as f32 / 64.0; AU_COUNT]);
    let report = finished(run(&config, Source::Estimator("a stub", &read)));
    assert_eq!(report.train + report.test, 3);
    let dataset = Dataset::open(&config.output).unwrap();
    assert_eq!(
        dataset.split(Split::Train)[0].intensities.as_array(),
        &[1.0; AU_COUNT]
    );
}

#[test]
fn what_cannot_be_prepared_is_reported() {
    let desk = desk();
    let message = |config: &PrepareConfig| run(config, Source::Tables(None)).unwrap_err().to_string();
    let photos = desk.path().join("photos");
    fs::copy(photos.join("a.jpg"), photos.join("a.png")).unwrap();
    assert!(message(&config(&desk)).ends_with("a.png would have the same name"));
    fs::remove_dir_all(photos.join("processed")).unwrap();
    fs::remove_file(photos.join("a.png")).unwrap();
    assert_eq!(
        message(&config(&desk)),
        "none of 3 photo(s) could be used; most often: no label"
    );
    let empty = PrepareConfig {
        photos: vec![photos.join("..").join("faces")],
        ..config(&desk)
    };
    assert!(message(&empty).starts_with("no photos (jpg, jpeg, png, webp, bmp, gif, qoi, tif, tiff) in"));
    let gone = PrepareConfig {
        photos: vec!["/nowhere".into()],
        ..config(&desk)
    };
    assert_eq!(message(&gone), "cannot read /nowhere");
    let blocked = PrepareConfig {
        output: photos.join("a.jpg"),
        ..config(&desk)
    };
    assert!(message(&blocked).starts_with("cannot write"));
}

#[test]
fn subfolders_are_searched_and_photos_of_one_name_are_distinguished() {
    let desk = desk();
    let photos = desk.path().join("photos");
    let (a, table) = (photos.join("a.jpg"), table(0.98, 1.0));
    for inner in ["s1/0001", "s2/0001", "s2/deep/0002"] {
        let path = photos.join(inner);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(&a, path.with_extension("jpg")).unwrap();
        fs::write(path.with_extension("csv"), &table).unwrap();
    }
    for (from, to) in [
        ("a", "small.bmp"),
        ("b", "small_gif.gif"),
        ("c", "small_qoi.qoi"),
        ("a", "small_tif.tif"),
    ] {
        let photo = decode_photo(photos.join(format!("{from}.jpg"))).unwrap();
        photo.save(photos.join(to)).unwrap();
        fs::write(photos.join(to).with_extension("csv"), &table).unwrap();
    }
    // Unsupported files, side files of macOS, OpenFace's own pictures, and hidden folders.
    for name in ["1.heic", "2.HEIC", "s1/3.dng", "film.mov", "notes.txt"] {
        fs::write(photos.join(name), "x").unwrap();
    }
    for name in [
        "._a.jpg",
        "s1/._0001.jpg",
        "processed/a.jpg",
        ".trash/a.jpg",
        "a_aligned/face.bmp",
    ] {
        fs::create_dir_all(photos.join(name).parent().unwrap()).unwrap();
        fs::copy(&a, photos.join(name)).unwrap();
    }
    let config = PrepareConfig {
        output: photos.join("faces"), // must not be searched for photos
        ..config(&desk)
    };
    for _ in 0..2 {
        let report = finished(run(&config, Source::Tables(None)));
        assert_eq!(
            (report.photos, report.train + report.test),
            (10, 10),
            "{:?}",
            report.dropped_photos
        );
        let kinds = [("heic", 2), ("mov", 1), ("dng", 1)].map(|(kind, count)| (kind.to_owned(), count));
        assert_eq!(report.skipped, kinds.into());
    }
    let ids = |config: &PrepareConfig| {
        let dataset = Dataset::open(&config.output).unwrap();
        let faces = [Split::Train, Split::Test]
            .map(|split| dataset.split(split))
            .concat();
        let mut ids: Vec<_> = faces.into_iter().map(|face| face.id).collect();
        ids.sort();
        ids
    };
    let expected = [
        "a",
        "b",
        "c",
        "s1_0001",
        "s2_0001",
        "s2_deep_0002",
        "small",
        "small_gif",
        "small_qoi",
        "small_tif",
    ];
    assert_eq!(ids(&config), expected);

    // Two given folders contain photos with the same name, and one of them is given twice.
    let named = PrepareConfig {
        photos: vec![photos.join("s1"), photos.join("s2"), photos.join("../photos/s2")],
        output: desk.path().join("named"),
        ..config
    };
    finished(run(&named, Source::Tables(None)));
    assert_eq!(ids(&named), ["deep_0002", "s1_0001", "s2_0001"]);
    fs::remove_dir_all(&photos).unwrap();
    fs::create_dir(&photos).unwrap();
    fs::write(photos.join("1.heic"), "x").unwrap();
    let only = PrepareConfig {
        photos: vec![photos],
        ..named
    };
    let message = run(&only, Source::Tables(None)).unwrap_err().to_string();
    assert!(message.ends_with("photos; skipped: 1 heic"), "{message}");
}

#[test]
fn tables_of_photos_of_one_name_are_not_mixed_up() {
    let desk = desk();
    let (photos, tables) = (desk.path().join("photos"), desk.path().join("tables"));
    fs::create_dir_all(tables.join("s1")).unwrap();
    for (inner, smile) in [("s1", 1.0), ("s2", 2.0), ("s3", 3.0)] {
        fs::create_dir(photos.join(inner)).unwrap();
        fs::copy(photos.join("a.jpg"), photos.join(inner).join("1.jpg")).unwrap();
        let table = table(0.98, smile);
        match inner {
            "s1" => fs::write(tables.join("s1/1.csv"), table).unwrap(),
            "s2" => fs::write(tables.join("s2_1.csv"), table).unwrap(),
            _ => fs::write(tables.join("1.csv"), table).unwrap(), // could belong to several photos
        }
    }
    fs::write(tables.join("a.csv"), table(0.98, 0.5)).unwrap();
    let report = finished(run(&config(&desk), Source::Tables(Some(&tables))));
    assert_eq!(
        (report.train + report.test, report.dropped[&Reason::NoLabel]),
        (3, 3)
    );
    let labels = fs::read_to_string(desk.path().join("faces/aus_openface.csv")).unwrap();
    for (id, smile) in [("a", "0.5"), ("s1_1", "1"), ("s2_1", "2")] {
        let row = format!("\n{id},{}{smile},0.25", "0.25,".repeat(8));
        assert!(labels.contains(&row), "{row}: {labels}");
    }
}

#[test]
fn labels_on_another_scale_are_reported_with_row_and_column() {
    let desk = desk();
    let photos = desk.path().join("photos");
    for (name, smile) in [("a", 250.0), ("b", 7.5), ("c", -0.5)] {
        fs::write(photos.join(format!("processed/{name}.csv")), table(0.98, smile)).unwrap();
    }
    let report = finished(run(&config(&desk), Source::Tables(None)));
    assert_eq!(
        (report.train + report.test, report.dropped[&Reason::OffScale]),
        (2, 1)
    );
    let drop = &report.dropped_photos[&photos.join("a.jpg").display().to_string()];
    assert!(
        drop.detail.contains("a.csv:2: column `AU12_r` holds 250"),
        "{drop:?}"
    );
    assert_eq!(report.off_scale, 2);
    let first = report.first_off_scale.unwrap();
    assert!(first.ends_with("b.csv:2: AU12 = 7.5"), "{first}");
    let labels = fs::read_to_string(desk.path().join("faces/aus_openface.csv")).unwrap();
    let row = |id, smile| format!("\n{id},{}{smile},0.25", "0.25,".repeat(8));
    assert!(
        labels.contains(&row("b", 5)) && labels.contains(&row("c", 0)),
        "{labels}"
    );
}

#[test]
fn photos_that_are_faces_already_are_taken_whole() {
    let desk = desk();
    let mut config = PrepareConfig {
        format: FaceFormat::Png,
        ..config(&desk)
    };
    config.whole = true;
    let report = finished(run(&config, Source::Tables(None)));
    assert_eq!(report.train + report.test, 3);
    let photo = decode_photo(desk.path().join("photos/a.jpg")).unwrap();
    let whole = crate::crop_face(&photo, FaceBox::around(photo.dimensions()), 64);
    assert!(decode_photo(desk.path().join("faces/imgs/a.png")).unwrap() == whole);
}
