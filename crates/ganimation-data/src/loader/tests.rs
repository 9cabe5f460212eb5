//! Tests of the loader with real files and threads.

use super::*;
use crate::au::Intensities;
use image::{Rgb, RgbImage};

/// Faces with pixels that identify them: the left half is `3 * i`, the right half `3 * i + 1`.
fn faces(dir: &std::path::Path, count: u8) -> Vec<Face> {
    let face = |i: u8| {
        let path = dir.join(format!("{i}.png"));
        RgbImage::from_fn(8, 8, |x, _| Rgb([3 * i + u8::from(x >= 4); 3]))
            .save(&path)
            .unwrap();
        Face {
            id: i.to_string(),
            path,
            intensities: Intensities::new([f32::from(i) / 10.0; AU_COUNT]),
            landmarks: None,
        }
    };
    (0..count).map(face).collect()
}

fn config() -> LoaderConfig {
    LoaderConfig {
        batch_size: 3,
        image_size: 8,
        seed: 7,
        ..LoaderConfig::default()
    }
}

fn batches(faces: &[Face], config: LoaderConfig, first_step: u64, count: usize) -> Vec<Batch> {
    Loader::new(faces, config, first_step)
        .unwrap()
        .take(count)
        .collect::<Result<_>>()
        .unwrap()
}

#[test]
fn batches_do_not_depend_on_workers_queue_or_cache() {
    let dir = tempfile::tempdir().unwrap();
    let faces = faces(dir.path(), 11);
    for balance in [0.0, 0.5] {
        let expected = batches(&faces, LoaderConfig { balance, ..config() }, 0, 10);
        let steps: Vec<_> = expected.iter().map(|batch| batch.step).collect();
        assert_eq!(steps, (0..10).collect::<Vec<_>>());
        for (workers, queue, cache) in [(1, 0, false), (3, 1, true), (3, 8, false), (2, 5, true)] {
            let config = LoaderConfig {
                balance,
                workers,
                queue,
                cache,
                ..config()
            };
            assert_eq!(batches(&faces, config, 0, 10), expected, "{workers} workers");
        }
    }
}

#[test]
fn starting_late_continues_the_same_batches() {
    let dir = tempfile::tempdir().unwrap();
    let faces = faces(dir.path(), 11);
    let whole = batches(&faces, config(), 0, 10);
    assert_eq!(
        batches(
            &faces,
            LoaderConfig {
                workers: 2,
                ..config()
            },
            4,
            6
        ),
        whole[4..]
    );
}

#[test]
fn pixels_and_labels_stay_together() {
    let dir = tempfile::tempdir().unwrap();
    let faces = faces(dir.path(), 11);
    let mut flips = 0;
    for batch in batches(&faces, config(), 0, 12) {
        assert_eq!((batch.batch, batch.size), (3, 8));
        assert_eq!(batch.pixels.len(), 3 * 8 * 8 * 3);
        assert_eq!(
            (batch.aus.len(), batch.target_aus.len()),
            (3 * AU_COUNT, 3 * AU_COUNT)
        );
        for (pixels, aus) in batch.pixels.chunks(8 * 8 * 3).zip(batch.aus.chunks(AU_COUNT)) {
            let face = pixels[0] / 3;
            assert!((aus[0] - f32::from(face) / 50.0).abs() < 1e-6);
            let flipped = pixels[0] % 3 == 1;
            flips += u32::from(flipped);
            let (left, right) = (3 * face + u8::from(flipped), 3 * face + u8::from(!flipped));
            for row in pixels.chunks(8 * 3) {
                assert_eq!((&row[..12], &row[12..]), (&[left; 12][..], &[right; 12][..]));
            }
        }
    }
    assert!((8..28).contains(&flips), "{flips} of 36 flipped");
}

#[test]
fn without_flips_nothing_else_changes() {
    let dir = tempfile::tempdir().unwrap();
    let faces = faces(dir.path(), 5);
    let (with, without) = (
        batches(&faces, config(), 0, 5),
        batches(
            &faces,
            LoaderConfig {
                flip: false,
                ..config()
            },
            0,
            5,
        ),
    );
    for (with, without) in with.iter().zip(&without) {
        assert_eq!((&with.aus, &with.target_aus), (&without.aus, &without.target_aus));
        assert!(without.pixels.iter().step_by(8 * 3).all(|left| left % 3 == 0));
    }
}

#[test]
fn other_sizes_are_resized_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let faces = faces(dir.path(), 4);
    let mut loader = Loader::new(
        faces,
        LoaderConfig {
            batch_size: 4,
            image_size: 4,
            queue: 1,
            ..config()
        },
        0,
    )
    .unwrap();
    assert_eq!(loader.next().unwrap().unwrap().pixels.len(), 4 * 4 * 4 * 3);
    drop(loader.next());
    assert_eq!(loader.resized(), 4, "the cache decodes each face once");
}

#[test]
fn an_unreadable_picture_ends_the_loader_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let mut faces = faces(dir.path(), 6);
    faces[2].path = dir.path().join("gone.png");
    std::fs::write(dir.path().join("4.png"), b"no picture").unwrap();
    let mut loader = Loader::new(
        faces,
        LoaderConfig {
            workers: 3,
            ..config()
        },
        0,
    )
    .unwrap();
    let error = loader.find_map(Result::err).unwrap().to_string();
    assert!(error.contains("gone.png") || error.contains("4.png"), "{error}");
    assert!(loader.next().is_none());
}

#[test]
fn bad_pictures_are_skipped_and_reported_once_and_the_batches_stay_the_same_for_any_workers() {
    let dir = tempfile::tempdir().unwrap();
    let mut faces = faces(dir.path(), 11);
    faces[2].path = dir.path().join("gone.png");
    std::fs::write(dir.path().join("4.png"), b"no picture").unwrap();
    let load = |workers, cache| {
        let config = LoaderConfig {
            workers,
            cache,
            skip_bad: true,
            ..config()
        };
        let mut loader = Loader::new(faces.clone(), config, 0).unwrap();
        let batches: Vec<Batch> = loader.by_ref().take(12).collect::<Result<_>>().unwrap();
        let mut reported: Vec<_> = loader.take_problems().iter().map(ToString::to_string).collect();
        reported.sort();
        (batches, reported)
    };
    let (batches, reported) = load(1, true);
    assert_eq!(reported.len(), 2, "{reported:?}");
    assert!(
        reported[0].ends_with("4.png") && reported[1].ends_with("gone.png"),
        "{reported:?}"
    );
    for batch in &batches {
        for (pixels, aus) in batch.pixels.chunks(8 * 8 * 3).zip(batch.aus.chunks(AU_COUNT)) {
            let face = pixels[0] / 3;
            assert!(face != 2 && face != 4);
            assert!(
                (aus[0] - f32::from(face) / 50.0).abs() < 1e-6,
                "labels follow the stand-in"
            );
        }
    }
    assert_eq!(load(3, false).0, batches);
}

#[test]
fn too_many_bad_pictures_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut faces = faces(dir.path(), 9);
    for face in &mut faces[..6] {
        face.path = dir.path().join("gone.png");
    }
    let config = LoaderConfig {
        skip_bad: true,
        ..config()
    };
    let error = Loader::new(faces, config, 0)
        .unwrap()
        .find_map(Result::err)
        .unwrap();
    let message = error.to_string();
    assert!(
        message.starts_with("5 of 9 pictures cannot be read, too many"),
        "{message}"
    );
}

#[test]
fn too_few_faces_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let message = Loader::new(faces(dir.path(), 2), config(), 0)
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("2 face(s) do not fill a batch of 3"),
        "{message}"
    );
}

#[test]
fn senseless_settings_are_named() {
    let message = |config| Loader::new(Vec::new(), config, 0).unwrap_err().to_string();
    assert_eq!(
        message(LoaderConfig {
            workers: 0,
            ..config()
        }),
        "loader setting `workers` is 0, expected at least 1"
    );
    assert_eq!(
        message(LoaderConfig {
            target_noise: -0.5,
            ..config()
        }),
        "loader setting `target_noise` is -0.5, expected 0 to 1"
    );
    assert!(
        message(LoaderConfig {
            balance: f32::NAN,
            ..config()
        })
        .contains("`balance` is NaN")
    );
}

#[test]
fn dropping_the_loader_ends_its_threads() {
    let dir = tempfile::tempdir().unwrap();
    let faces: Arc<[Face]> = faces(dir.path(), 6).into();
    let loader = Loader::new(
        Arc::clone(&faces),
        LoaderConfig {
            workers: 3,
            ..config()
        },
        0,
    )
    .unwrap();
    drop(loader);
    assert_eq!(Arc::strong_count(&faces), 1, "no worker holds the faces any more");
}
