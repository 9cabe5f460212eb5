//! Scorecards of editors with known quality.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::cell::Cell;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use ganimation_data::{AU_COUNT, Face, FaceBox, Intensities};
use ganimation_model::{Edit, Orders, blend};
use ganimation_train::evaluate::{
    DoNothing, Editor, Evaluation, Extent, Judge, PhotoScore, PhotosScore, Scores, Trial, evaluate,
};
use image::{Rgb, RgbImage};

const SIZE: usize = 64;

/// The row where the judge of these tests finds action units: the red value of one pixel per unit, in the mouth's row,
/// from 0 (black) to 1 (white).
const ROW: usize = 48;
const COLUMN: usize = 20;

/// Twelve faces that show their labels. Every third face shows no action unit.
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
    fn estimate(&self, images: Tensor<4>) -> Tensor<2> {
        let [batch, ..] = images.dims();
        let line = images.slice([0..batch, 0..1, ROW..ROW + 1, COLUMN..COLUMN + AU_COUNT]);
        line.reshape([batch, AU_COUNT]) / 2.0 + 0.5
    }

    fn features(&self, images: Tensor<4>) -> Option<Tensor<2>> {
        Some(self.estimate(images))
    }
}

/// Paints a fraction of the difference between the current face and the target, with a mask that keeps all other
/// pixels.
struct Painter {
    share: f64,
    mask: fn(usize, usize) -> f32,
}

impl Editor for Painter {
    fn edit(&self, images: Tensor<4>, _: Tensor<2>, aus: Tensor<2>) -> Edit {
        let ([batch, ..], device) = (images.dims(), images.device());
        let requested = aus.reshape([batch, 1, 1, AU_COUNT]) * 2.0 - 1.0;
        let place = [0..batch, 0..1, ROW..ROW + 1, COLUMN..COLUMN + AU_COUNT];
        let shown = images.clone().slice(place.clone());
        let painted = shown.clone() + (requested - shown) * self.share;
        let color = images.clone().slice_assign(place, painted);
        let mask: Vec<f32> = (0..SIZE * SIZE)
            .map(|at| (self.mask)(at % SIZE, at / SIZE))
            .collect();
        let mask = Tensor::from_data(TensorData::new(mask, [1, 1, SIZE, SIZE]), &device);
        let attention = mask.repeat_dim(0, batch);
        Edit {
            motion: None,
            shading: None,
            image: blend(images.clone(), attention.clone(), color.clone()),
            kept: images,
            attention,
            color,
        }
    }
}

/// Makes faces redder without changing their brightness, in proportion to the mean of the target, also outside mouth
/// and eyes.
struct Bruiser;

impl Editor for Bruiser {
    fn edit(&self, images: Tensor<4>, _: Tensor<2>, aus: Tensor<2>) -> Edit {
        let ([batch, ..], device) = (images.dims(), images.device());
        // No luminance: 0.299 * 0.587 - 0.587 * 0.299.
        let red = Tensor::<1>::from_data([0.587, -0.299, 0.0], &device).reshape([1, 3, 1, 1]);
        let strength = aus.mean_dim(1).reshape([batch, 1, 1, 1]) + 0.1;
        changed(images.clone(), images + red * strength)
    }
}

/// Shows a fixed intensity if the target exceeds a threshold, and otherwise none.
struct Jumper;

impl Editor for Jumper {
    fn edit(&self, images: Tensor<4>, _: Tensor<2>, aus: Tensor<2>) -> Edit {
        let batch = images.dims()[0];
        let jumped = aus.greater_elem(0.52).float() * 0.8;
        let place = [0..batch, 0..1, ROW..ROW + 1, COLUMN..COLUMN + AU_COUNT];
        let line = jumped.reshape([batch, 1, 1, AU_COUNT]) * 2.0 - 1.0;
        changed(images.clone(), images.slice_assign(place, line))
    }
}

/// Does nothing, and counts blink targets that remove all other action units from a face.
struct Counter {
    orders: Orders,
    lonely_blinks: Cell<usize>,
}

impl Editor for Counter {
    fn edit(&self, images: Tensor<4>, current: Tensor<2>, target: Tensor<2>) -> Edit {
        let rows = |aus: &Tensor<2>| aus.clone().into_data_as::<f32>().try_to_vec::<f32>().unwrap();
        for (current, target) in rows(&current)
            .chunks_exact(AU_COUNT)
            .zip(rows(&target).chunks_exact(AU_COUNT))
        {
            let [shown, others] = [current, target].map(|aus| aus[..AU_COUNT - 1].iter().sum::<f32>());
            if target[AU_COUNT - 1] == 1.0 && others == 0.0 && shown > 0.0 {
                self.lonely_blinks.set(self.lonely_blinks.get() + 1);
            }
        }
        DoNothing::default().edit(images, current, target)
    }

    fn orders(&self) -> Orders {
        self.orders
    }
}

fn changed(images: Tensor<4>, image: Tensor<4>) -> Edit {
    let [batch, _, height, width] = images.dims();
    Edit {
        motion: None,
        shading: None,
        kept: images.clone(),
        attention: Tensor::zeros([batch, 1, height, width], &images.device()),
        color: image.clone(),
        image,
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
    let card = card.scores;
    assert_eq!(card.requests.len(), 8);
    for request in &card.requests {
        assert!(
            request.faces >= 4,
            "{} faces without {:?}",
            request.faces,
            request.units
        );
        close(request.mean_rise, 3.0);
        close(request.share_risen, 1.0);
        close(request.leakage, 0.0);
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
    // The same labels as targets of other faces: the same set of features.
    close(card.frechet.distance, 0.0);
    // 17 pixels of 64 x 64, all in the mouth's rectangle.
    close(card.attention.mean, 17.0 / 4096.0);
    close(card.attention.coverage, 17.0 / 4096.0);
    assert!(card.attention.mouth > 4.0 * card.attention.mean);
    close(card.attention.corners, 0.0);
    close(card.attention.dead, 0.0);
    assert_eq!(card.self_edit.largest_level, 0);
    close(card.self_edit.share_within_two_levels, 1.0);
    for removal in &card.removal {
        assert!(
            removal.faces >= 3,
            "{} faces with {:?}",
            removal.faces,
            removal.units
        );
        assert!(removal.before > 1.9, "{}", removal.before);
        close(removal.mean_fall, removal.before);
        close(removal.share_gone, 1.0);
    }
    assert_eq!(card.curve.intensities.len(), 21);
    for curve in &card.curve.units {
        close(curve.correlation, 1.0);
        close(curve.largest_step_pixels, 1.0);
        close(curve.largest_step_reading, 1.0);
        for (read, requested) in curve.read.iter().zip(&card.curve.intensities) {
            close(*read, f64::from(*requested));
        }
        // A twentieth of the red of one pixel or two.
        let pixels = f64::from(u32::try_from(curve.units.len()).unwrap());
        for step in &curve.pixel_steps {
            let expected = 0.05 * pixels / 3.0 / 4096.0;
            assert!((step - expected).abs() < 0.01 * expected, "{step}");
        }
    }
    assert!(card.identity.feature_distance > 0.05);
    close(
        card.identity.feature_distance,
        card.identity.feature_distance_stranger,
    );
}

fn check_nothing(scores: &Scores) {
    for request in &scores.requests {
        close(request.mean_rise, 0.0);
        close(request.share_risen, 0.0);
        close(request.leakage, 0.0);
    }
    close(scores.sweep.mean_pooled_correlation, 0.0);
    close(scores.sweep.mean_face_correlation, 0.0);
    assert!(scores.targets.mean_error > 1.0, "{}", scores.targets.mean_error);
    close(scores.attention.dead, 1.0);
    close(scores.attention.mean, 0.0);
    close(scores.cycle_error, 0.0);
    assert_eq!(scores.expressions.len(), 8);
    for expression in &scores.expressions {
        assert_eq!(expression.faces, 12);
        assert_eq!((expression.detail, expression.color), (1.0, 0.0));
    }
    for removal in &scores.removal {
        assert!(removal.faces >= 3);
        close(removal.mean_fall, 0.0);
        close(removal.share_gone, 0.0);
    }
    for curve in &scores.curve.units {
        close(curve.correlation, 0.0);
        assert!(curve.largest_step_pixels.is_nan() && curve.largest_step_reading.is_nan());
        assert!(curve.pixel_steps.iter().all(|step| *step < 1e-6));
    }
    assert_eq!(scores.self_edit.largest_level, 0);
    close(scores.identity.feature_distance, 0.0);
    assert!(scores.identity.feature_distance_stranger > 0.05);
}

#[test]
fn an_editor_that_does_nothing_moves_nothing() {
    check_nothing(
        &score(&Painter {
            share: 1.0,
            mask: |_, _| 1.0,
        })
        .scorecard
        .scores,
    );
}

#[test]
fn doing_nothing_stands_beside_every_editor() {
    let beside = score(&Bruiser).scorecard.nothing;
    check_nothing(&beside);
    let alone = score(&DoNothing::default()).scorecard;
    let [alone, beside, own] = [&alone.scores, &beside, &alone.nothing].map(|scores| {
        let value: serde_json::Value = serde_json::to_value(scores).unwrap();
        value
    });
    assert_eq!(
        alone, own,
        "stored estimates equal the judge's estimates on unchanged faces"
    );
    assert_eq!(beside, own);
}

#[test]
fn a_bruise_is_colour() {
    let scores = score(&Bruiser).scorecard.scores;
    for expression in &scores.expressions {
        assert!(
            expression.color > 10.0,
            "{}: {}",
            expression.name,
            expression.color
        );
        assert!(
            expression.luminance < 1.0 && expression.chroma > 2.0,
            "{expression:?}"
        );
    }
    assert!(scores.self_edit.largest_level >= 7);
    close(scores.self_edit.share_within_two_levels, 0.0);
}

#[test]
fn a_jump_is_not_an_even_response() {
    let scores = score(&Jumper).scorecard.scores;
    for curve in &scores.curve.units {
        // There is only one step among twenty.
        close(curve.largest_step_pixels, 20.0);
        close(curve.largest_step_reading, 20.0);
        assert!((0.8..0.9).contains(&curve.correlation), "{}", curve.correlation);
        close(curve.read[10], 0.0);
        close(curve.read[11], 4.0);
    }
}

#[test]
fn relative_editors_keep_what_an_expression_does_not_name() {
    let lonely_blinks = |orders| {
        let counter = Counter {
            orders,
            lonely_blinks: Cell::new(0),
        };
        score(&counter);
        counter.lonely_blinks.get()
    };
    // Eight of the twelve faces show an action unit. Each gets a blink target for the scores and for the sheet.
    assert_eq!(lonely_blinks(Orders::Absolute), 2 * 8);
    assert_eq!(lonely_blinks(Orders::Relative), 0);
}

#[test]
fn an_editor_that_goes_half_the_way_rises_by_half() {
    let card = score(&Painter {
        share: 0.5,
        mask: paints_the_line,
    })
    .scorecard
    .scores;
    for request in &card.requests {
        close(request.mean_rise, 1.5);
        close(request.leakage, 0.0);
    }
    assert!(card.sweep.mean_face_correlation > 0.99);
    assert!(card.targets.mean_error > 0.5);
    for removal in &card.removal {
        close(removal.mean_fall, removal.before / 2.0);
        close(removal.share_gone, 0.0);
    }
}

#[test]
fn paint_where_nothing_moves_is_seen() {
    let card = score(&Painter {
        share: 1.0,
        mask: |_, _| 0.5,
    })
    .scorecard
    .scores;
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
    assert!(
        page.contains("<a href=\"edits.png\">"),
        "the full sheet can be opened"
    );
    assert!(page.contains("do nothing") && page.contains("no face recognition network"));
    assert_eq!(json["version"], 2);
    assert_eq!(json["nothing"]["asks"][6]["units"][0], "AU45");
    assert_eq!(json["nothing"]["expressions"][1]["detail"], 1.0);
    assert!(json["photos"].is_null() && json["edits"].as_u64().unwrap() > 1000);
    for name in ["edits.png", "mask_coverage.png"] {
        assert!(image::image_dimensions(out.join(name)).unwrap().0 > 9 * 192);
    }
    assert!(
        std::fs::read_to_string(out.join("scorecard.md"))
            .unwrap()
            .contains("| AU12 |")
    );
}

#[test]
fn photos_are_measured_at_their_own_resolution() {
    // Fine stripes with a face in the middle.
    let photo = RgbImage::from_fn(300, 200, |x, _| Rgb([if x % 4 < 2 { 100 } else { 160 }; 3]));
    let face = FaceBox {
        x: 100,
        y: 60,
        size: 100,
        score: 1.0,
    };
    let mut requested = Vec::new();
    let blurred = PhotoScore::measure("a.png", &photo, &[face], |units| {
        requested.push(units.to_vec());
        let mut edited = photo.clone();
        if !units.is_empty() {
            for y in 60..160 {
                for x in 100..200 {
                    edited.put_pixel(x, y, Rgb([130; 3])); // as bright as before, on average
                }
            }
        } else {
            edited.put_pixel(0, 0, Rgb([104; 3]));
        }
        Ok::<_, std::io::Error>(edited)
    })
    .unwrap();
    assert_eq!(requested.len(), 3, "nothing, a smile, surprise");
    assert!(requested[1].contains(&(ganimation_data::ActionUnit::LipsPart, 3.0)));
    assert_eq!(blurred.scores.largest_level, 4);
    for expression in &blurred.scores.expressions {
        assert!(expression.detail < 0.15, "{}", expression.detail);
        close(expression.color, 0.0);
    }

    let kept = PhotoScore::measure("b.png", &photo, &[face], |_| {
        Ok::<_, std::io::Error>(photo.clone())
    });
    let both = PhotosScore::new(vec![blurred.clone(), kept.unwrap()]);
    assert_eq!(both.photos[1].scores, both.nothing);
    assert_eq!(both.scores.largest_level, 4);
    let detail = |scores: &ganimation_train::evaluate::PhotoScores| scores.expressions[0].detail;
    close(detail(&both.nothing), 1.0);
    close(detail(&both.scores), f64::midpoint(detail(&blurred.scores), 1.0));
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
