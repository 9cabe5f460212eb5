//! One function per score: the targets, the faces, and the evaluation of the results.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use ganimation_data::pixels::{images_from_tensor, tensor_from_intensities};
use ganimation_data::{ActionUnit, Intensities};
use ganimation_model::Edit;

use super::frechet::frechet_distance;
use super::pixels::largest_change;
use super::scorecard::{
    Agreement, AttentionScore, FrechetScore, RequestScore, SelfEditScore, SweepScore, UnitAgreement,
    UnitSweep,
};
use super::statistics::{mean, pearson, spearman};
use super::subject::{Request, Subject, values};
use super::{Area, Region};
use crate::expressions::SMILE;

/// The target intensity of single tests.
const TARGET: f32 = 3.0;
/// A face whose label is below this does not show the action unit.
const ABSENT: f32 = 0.5;
/// An estimate that rises by this much counts as risen.
const RISEN: f64 = 0.5;
/// A mask with `1 - A` below this paints nothing visible.
const COVERED: f64 = 0.1;

/// The action units of [`asks`], one row at a time.
const ASKS: [&[ActionUnit]; 8] = [
    &[ActionUnit::LipCornerPuller],
    &[ActionUnit::LipsPart],
    &[ActionUnit::CheekRaiser],
    &[ActionUnit::UpperLipRaiser],
    &[ActionUnit::InnerBrowRaiser, ActionUnit::OuterBrowRaiser],
    &[ActionUnit::BrowLowerer],
    &[ActionUnit::Blink],
    &[ActionUnit::LipCornerDepressor],
];

/// The intensities of a sweep.
const SWEEP: [f32; 6] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];

/// Agreement of `second` with `first`, for each action unit.
pub(super) fn agreement(first: &[Intensities], second: &[Intensities]) -> Agreement {
    let column = |faces: &[Intensities], unit| -> Vec<f64> {
        faces.iter().map(|face| f64::from(face.get(unit))).collect()
    };
    let units: BTreeMap<_, _> = ActionUnit::ALL
        .into_iter()
        .map(|unit| {
            let (first, second) = (column(first, unit), column(second, unit));
            let middle = mean(first.iter().copied());
            let agreement = UnitAgreement {
                correlation: pearson(&first, &second),
                error: mean(first.iter().zip(&second).map(|(a, b)| (a - b).abs())),
                deviation: mean(first.iter().map(|value| (value - middle).abs())),
            };
            (unit.code(), agreement)
        })
        .collect();
    Agreement {
        mean_correlation: mean(units.values().map(|unit| unit.correlation)),
        mean_error: mean(units.values().map(|unit| unit.error)),
        units,
    }
}

/// Number of edits that [`asks`] makes.
pub(super) fn ask_count(labels: &[Intensities]) -> usize {
    ASKS.iter().map(|units| absent(labels, units).count()).sum()
}

fn absent(labels: &[Intensities], units: &[ActionUnit]) -> impl Iterator<Item = usize> {
    (0..labels.len()).filter(|&face| units.iter().all(|&unit| labels[face].get(unit) < ABSENT))
}

pub(super) fn requests(subject: &mut Subject<'_>) -> Vec<RequestScore> {
    ASKS.iter()
        .map(|units| {
            let requests: Vec<Request> = absent(subject.labels(), units)
                .map(|face| Request {
                    face,
                    target: with(subject.labels()[face], units, TARGET),
                })
                .collect();
            let (mut rises, mut leaks) = (Vec::new(), Vec::new());
            subject.each_edit(&requests, |subject, requests, _, edit| {
                for (request, after) in requests.iter().zip(subject.estimates(requests, edit.image)) {
                    let before = &subject.before.read[request.face];
                    let rise = |&unit| f64::from(after.get(unit) - before.get(unit));
                    rises.push(mean(units.iter().map(rise)));
                    leaks.push(leakage(before, &after, units));
                }
            });
            RequestScore {
                units: units.iter().map(|unit| unit.code()).collect(),
                intensity: TARGET,
                faces: requests.len(),
                mean_rise: mean(rises.iter().copied()),
                share_risen: mean(rises.iter().map(|rise| f64::from(u8::from(*rise >= RISEN)))),
                leakage: mean(leaks),
            }
        })
        .collect()
}

/// `face` with `units` set to `intensity`.
pub(super) fn with(mut face: Intensities, units: &[ActionUnit], intensity: f32) -> Intensities {
    for &unit in units {
        face.set(unit, intensity);
    }
    face
}

/// Mean absolute change of the action units outside `asked`.
fn leakage(before: &Intensities, after: &Intensities, requested: &[ActionUnit]) -> f64 {
    let others = ActionUnit::ALL
        .into_iter()
        .filter(|unit| !requested.contains(unit));
    mean(others.map(|unit| f64::from((after.get(unit) - before.get(unit)).abs())))
}

/// Number of edits that [`sweep`] makes for `faces` faces.
pub(super) fn sweep_count(faces: usize) -> usize {
    faces * ActionUnit::ALL.len() * SWEEP.len()
}

pub(super) fn sweep(subject: &mut Subject<'_>, faces: &[usize]) -> SweepScore {
    let units: BTreeMap<_, _> = ActionUnit::ALL
        .into_iter()
        .map(|unit| (unit.code(), sweep_of(unit, subject, faces)))
        .collect();
    SweepScore {
        faces: faces.len(),
        intensities: SWEEP.to_vec(),
        mean_pooled_correlation: mean(units.values().map(|unit| unit.pooled_correlation)),
        mean_face_correlation: mean(units.values().map(|unit| unit.face_correlation)),
        units,
    }
}

fn sweep_of(unit: ActionUnit, subject: &mut Subject<'_>, faces: &[usize]) -> UnitSweep {
    let requests: Vec<Request> = faces
        .iter()
        .flat_map(|&face| SWEEP.map(|intensity| (face, intensity)))
        .map(|(face, intensity)| Request {
            face,
            target: with(subject.labels()[face], &[unit], intensity),
        })
        .collect();
    let (mut read, mut leaks) = (Vec::new(), Vec::new());
    subject.each_edit(&requests, |subject, requests, _, edit| {
        for (request, after) in requests.iter().zip(subject.estimates(requests, edit.image)) {
            read.push(rounded(after.get(unit)));
            if request.target.get(unit) == TARGET {
                leaks.push(leakage(&subject.before.read[request.face], &after, &[unit]));
            }
        }
    });
    let requested: Vec<f64> = requests
        .iter()
        .map(|request| f64::from(request.target.get(unit)))
        .collect();
    let of_each_face = read
        .chunks_exact(SWEEP.len())
        .zip(requested.chunks_exact(SWEEP.len()));
    UnitSweep {
        pooled_correlation: spearman(&requested, &read),
        face_correlation: mean(of_each_face.map(|(read, requested)| spearman(requested, read))),
        read: (0..SWEEP.len())
            .map(|at| mean(read.iter().skip(at).step_by(SWEEP.len()).copied()))
            .collect(),
        leakage: mean(leaks),
    }
}

/// Rounds to a thousandth, so that rounding errors do not count as a response.
pub(super) fn rounded(intensity: f32) -> f64 {
    (f64::from(intensity) * 1e3).round() / 1e3
}

pub(super) fn self_edit(subject: &mut Subject<'_>) -> SelfEditScore {
    let requests = subject.request_all(|_, own| own);
    let (mut errors, mut changes, mut levels) = (Vec::new(), Vec::new(), Vec::new());
    subject.each_edit(&requests, |subject, requests, images, edit| {
        errors.extend(face_means(pixel_change(edit.image.clone(), images)));
        for (request, after) in requests.iter().zip(images_from_tensor(edit.image.clone())) {
            levels.push(largest_change(subject.picture(request.face), &after));
        }
        for (request, after) in requests.iter().zip(subject.estimates(requests, edit.image)) {
            changes.push(leakage(&subject.before.read[request.face], &after, &[]));
        }
    });
    SelfEditScore {
        pixel_error: mean(errors),
        reading_change: mean(changes),
        largest_level: levels.iter().copied().max().unwrap_or(0),
        share_within_two_levels: mean(levels.iter().map(|level| f64::from(u8::from(*level <= 2)))),
    }
}

/// Results of edits with other faces' action units as targets.
pub(super) struct Targets {
    pub(super) agreement: Agreement,
    pub(super) cycle_error: f64,
    pub(super) outside: f64,
    pub(super) inside: f64,
    pub(super) frechet: FrechetScore,
    pub(super) feature_distance: f64,
    pub(super) feature_distance_stranger: f64,
}

/// `others[face]` is the face whose label is the target of `face`.
pub(super) fn targets(subject: &mut Subject<'_>, others: &[usize]) -> Targets {
    let size = subject.trial.image_size;
    let moving = [Region::MOUTH, Region::BROWS];
    let inside = Area::inside(&moving, size, subject.trial.device);
    let outside = Area::outside(&moving, size, subject.trial.device);
    let requests = subject.request_all(|face, _| subject.labels()[others[face]]);
    let (mut read, mut features) = (Vec::new(), Vec::new());
    let [mut cycles, mut changed_inside, mut changed_outside] = [const { Vec::new() }; 3];
    subject.each_edit(&requests, |subject, requests, images, edit| {
        let own: Vec<Intensities> = requests
            .iter()
            .map(|request| subject.labels()[request.face])
            .collect();
        let own = tensor_from_intensities(&own, subject.trial.device);
        let requested: Vec<Intensities> = requests.iter().map(|request| request.target).collect();
        let requested = tensor_from_intensities(&requested, subject.trial.device);
        let back = subject
            .trial
            .editor
            .edit(edit.image.clone(), requested, own)
            .image;
        cycles.extend(face_means(pixel_change(back, images.clone())));
        let change = pixel_change(edit.image.clone(), images);
        changed_inside.extend(values(inside.mean(change.clone())));
        changed_outside.extend(values(outside.mean(change)));
        read.extend(subject.estimates(requests, edit.image.clone()));
        features.extend(subject.features(requests, edit.image));
    });
    let requested: Vec<Intensities> = requests.iter().map(|request| request.target).collect();
    let own = &subject.before.features;
    let (even, odd) = halves(own);
    let apart = own
        .iter()
        .zip(&features)
        .map(|(own, edited)| cosine_distance(own, edited));
    let strangers = own
        .iter()
        .zip(others)
        .map(|(face, &other)| cosine_distance(face, &own[other]));
    Targets {
        agreement: agreement(&requested, &read),
        cycle_error: mean(cycles),
        outside: mean(changed_outside),
        inside: mean(changed_inside),
        frechet: FrechetScore {
            distance: frechet_distance(own, &features),
            real_halves: frechet_distance(&even, &odd),
            features: features.first().map_or(0, Vec::len),
        },
        feature_distance: mean(apart),
        feature_distance_stranger: mean(strangers),
    }
}

/// 0 for parallel vectors, 1 for orthogonal vectors.
fn cosine_distance(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.sum()
    };
    match (dot(a, a) * dot(b, b)).sqrt() {
        0.0 => f64::from(u8::from(a != b)),
        // Rounding can make the cosine slightly larger than 1.
        lengths => (1.0 - dot(a, b) / lengths).max(0.0),
    }
}

fn halves(vectors: &[Vec<f32>]) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let half = |first| vectors.iter().skip(first).step_by(2).cloned().collect();
    (half(0), half(1))
}

/// The mask coverage, and the pixel change outside mouth and brows, with a smile as every face's target.
pub(super) fn smile(subject: &mut Subject<'_>) -> (AttentionScore, f64) {
    let size = subject.trial.image_size;
    let mouth = Area::inside(&[Region::MOUTH], size, subject.trial.device);
    let corners = Area::inside(&Region::CORNERS, size, subject.trial.device);
    let outside = Area::outside(&[Region::MOUTH, Region::BROWS], size, subject.trial.device);
    let requests = subject.request_all(|face, _| subject.target(SMILE, face));
    let [
        mut all,
        mut at_mouth,
        mut at_corners,
        mut covered,
        mut dead,
        mut changed,
    ] = [const { Vec::new() }; 6];
    subject.each_edit(&requests, |_, _, images, Edit { image, attention, .. }| {
        let painted = attention.neg() + 1.0;
        let covers = painted.clone().greater_elem(COVERED).float();
        all.extend(face_means(painted.clone()));
        covered.extend(face_means(covers.clone()));
        let alive: Tensor<2> = covers.flatten::<2>(1, 3).max_dim(1);
        dead.extend(values(alive.neg().flatten(0, 1) + 1.0));
        at_mouth.extend(values(mouth.mean(painted.clone())));
        at_corners.extend(values(corners.mean(painted)));
        changed.extend(values(outside.mean(pixel_change(image, images))));
    });
    let attention = AttentionScore {
        mean: mean(all),
        mouth: mean(at_mouth),
        corners: mean(at_corners),
        coverage: mean(covered),
        dead: mean(dead),
    };
    (attention, mean(changed))
}

/// Absolute difference as a fraction of the value range of 2, mean over the colours: `[batch, 1, size, size]`.
pub(super) fn pixel_change(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    (a - b).abs().mean_dim(1) / 2.0
}

/// The mean of each face of a batch.
pub(super) fn face_means(values_of: Tensor<4>) -> Vec<f64> {
    values(values_of.mean_dims(&[1, 2, 3]).flatten(0, 3))
}
