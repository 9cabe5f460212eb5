//! Scorecards of editors whose quality is known beforehand.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use ganimation_data::{AU_COUNT, Face, Intensities};
use ganimation_model::{Edit, blend};
use ganimation_train::evaluate::{Editor, Evaluation, Extent, Judge, Trial, evaluate};
use image::{Rgb, RgbImage};

const SIZE: usize = 64;

/// Where the judge of these tests reads an action unit: the red of one pixel on the line of the mouth, 0 to 1 for
/// black to white.
const ROW: usize = 48;
const COLUMN: usize = 20;

/// Twelve faces that show their labels; every third one shows nothing at all.
fn faces(folder: &Path) -> Vec<Face> {
    (0u8..12)
        .map(|index| {
            let label: [u8; AU_COUNT] = std::array::from_fn(|unit| {
                let unit = u8::try_from(unit).unwrap();
                if index % 3 == 0 {
                    0
                } else {
                    (7 * index + 13 * unit + index * unit) % 6
                }
            });
            let mut picture = RgbImage::from_pixel(64, 64, Rgb([40 + 10 * index, 90, 120]));
            for (unit, intensity) in (0..).zip(label) {
                picture.put_pixel(20 + unit, 48, Rgb([51 * intensity, 0, 0]));
            }
            let path = folder.join(format!("{index}.png"));
            picture.save(&path).unwrap();
            Face {
                id: index.to_string(),
                path,
                intensities: Intensities::new(label.map(f32::from)),
                landmarks: None,
            }
        })
        .collect()
}

struct Pixels;

impl Judge for Pixels {
    fn read(&self, images: Tensor<4>) -> Tensor<2> {
        let [batch, ..] = images.dims();
        let line = images.slice([0..batch, 0..1, ROW..ROW + 1, COLUMN..COLUMN + AU_COUNT]);
        line.reshape([batch, AU_COUNT]) / 2.0 + 0.5
    }

    fn features(&self, images: Tensor<4>) -> Option<Tensor<2>> {
        Some(self.read(images))
    }
}

/// Paints a share of the way from what is shown to what is asked, under a mask that keeps all other pixels.
struct Painter {
    share: f64,
    mask: fn(usize, usize) -> f32,
}

impl Editor for Painter {
    fn edit(&self, images: Tensor<4>, _: Tensor<2>, aus: Tensor<2>) -> Edit {
        let ([batch, ..], device) = (images.dims(), images.device());
        let asked = aus.reshape([batch, 1, 1, AU_COUNT]) * 2.0 - 1.0;
        let place = [0..batch, 0..1, ROW..ROW + 1, COLUMN..COLUMN + AU_COUNT];
        let shown = images.clone().slice(place.clone());
        let painted = shown.clone() + (asked - shown) * self.share;
        let color = images.clone().slice_assign(place, painted);
        let mask: Vec<f32> = (0..SIZE * SIZE)
            .map(|at| (self.mask)(at % SIZE, at / SIZE))
            .collect();
        let mask = Tensor::from_data(TensorData::new(mask, [1, 1, SIZE, SIZE]), &device);
        let attention = mask.repeat_dim(0, batch);
        Edit {
            motion: None,
            shading: None,
            image: blend(images, attention.clone(), color.clone()),
            attention,
            color,
        }
    }
}

fn score(editor: &dyn Editor) -> Evaluation {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial {
        editor,
        image_size: SIZE,
        judge: &Pixels,
        device: &Device::flex(),
    };
    let extent = Extent {
        batch_size: 5, // the last batch is short
        ..Extent::default()
    };
    let mut looks = Vec::new();
    let evaluation = evaluate(trial, &faces(folder.path()), extent, &mut |done, total| {
        looks.push((done, total));
    });
    let (done, total) = *looks.last().unwrap();
    assert_eq!(done, total, "the bar ends full");
    assert!(looks.is_sorted());
    evaluation.unwrap()
}

fn paints_the_line(x: usize, y: usize) -> f32 {
    if y == ROW && (COLUMN..COLUMN + AU_COUNT).contains(&x) {
        0.0
    } else {
        1.0
    }
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 0.005, "{found} in place of {expected}");
}

#[test]
fn an_editor_that_does_what_is_asked_has_full_marks() {
    let card = score(&Painter {
        share: 1.0,
        mask: paints_the_line,
    })
    .scorecard;
    close(card.reading.mean_correlation, 1.0);
    for ask in &card.asks {
        assert!(ask.faces >= 4, "{} faces without {:?}", ask.faces, ask.units);
        close(ask.mean_rise, 3.0);
        close(ask.share_risen, 1.0);
        close(ask.leakage, 0.0);
    }
    close(card.sweep.mean_pooled_correlation, 1.0);
    close(card.sweep.mean_face_correlation, 1.0);
    for sweep in card.sweep.units.values() {
        for (intensity, read) in sweep.read.iter().enumerate() {
            close(*read, f64::from(u32::try_from(intensity).unwrap()));
        }
    }
    close(card.targets.mean_correlation, 1.0);
    close(card.targets.mean_error, 0.0);
    close(card.self_edit.pixel_error, 0.0);
    close(card.cycle_error, 0.0);
    close(card.identity.outside, 0.0);
    assert!(card.identity.inside > 0.0);
    // The same labels, asked of other faces: the same set of features.
    close(card.frechet.distance, 0.0);
    // 17 pixels of 64 x 64, all in the mouth's rectangle.
    close(card.attention.mean, 17.0 / 4096.0);
    close(card.attention.coverage, 17.0 / 4096.0);
    assert!(card.attention.mouth > 4.0 * card.attention.mean);
    close(card.attention.corners, 0.0);
    close(card.attention.dead, 0.0);
}

#[test]
fn an_editor_that_does_nothing_moves_nothing() {
    let card = score(&Painter {
        share: 1.0,
        mask: |_, _| 1.0,
    })
    .scorecard;
    for ask in &card.asks {
        close(ask.mean_rise, 0.0);
        close(ask.share_risen, 0.0);
    }
    close(card.sweep.mean_pooled_correlation, 0.0);
    close(card.sweep.mean_face_correlation, 0.0);
    assert!(card.targets.mean_error > 1.0, "{}", card.targets.mean_error);
    close(card.attention.dead, 1.0);
    close(card.attention.mean, 0.0);
}

#[test]
fn an_editor_that_goes_half_the_way_rises_by_half() {
    let card = score(&Painter {
        share: 0.5,
        mask: paints_the_line,
    })
    .scorecard;
    for ask in &card.asks {
        close(ask.mean_rise, 1.5);
        close(ask.leakage, 0.0);
    }
    assert!(card.sweep.mean_face_correlation > 0.99);
    assert!(card.targets.mean_error > 0.5);
}

#[test]
fn paint_where_nothing_moves_is_seen() {
    let card = score(&Painter {
        share: 1.0,
        mask: |_, _| 0.5,
    })
    .scorecard;
    close(card.attention.corners, 0.5);
    close(card.attention.coverage, 1.0);
}

#[test]
fn an_evaluation_becomes_files() {
    let folder = tempfile::tempdir().unwrap();
    let evaluation = score(&Painter {
        share: 1.0,
        mask: paints_the_line,
    });
    let out = folder.path().join("new/score");
    evaluation
        .save(&out, &[("weights", "a painter".to_owned())])
        .unwrap();
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("scorecard.json")).unwrap()).unwrap();
    assert_eq!(json["faces"], 12);
    assert_eq!(json["asks"][0]["units"][0], "AU12");
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    assert!(page.contains("a painter") && page.contains("AU45"));
    for name in ["edits.png", "painted.png"] {
        assert!(image::image_dimensions(out.join(name)).unwrap().0 > 7 * 128);
    }
    assert!(
        std::fs::read_to_string(out.join("scorecard.md"))
            .unwrap()
            .contains("| AU12 |")
    );
}

#[test]
fn one_face_is_not_enough() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial {
        editor: &Painter {
            share: 1.0,
            mask: paints_the_line,
        },
        image_size: SIZE,
        judge: &Pixels,
        device: &Device::flex(),
    };
    let faces = &faces(folder.path())[..1];
    let error = evaluate(trial, faces, Extent::default(), &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("at least 2 held-out faces"), "{error}");
}
