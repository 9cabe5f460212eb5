//! Visible effects of an edit: detail, colour, removal of expressions, and smooth response to intensity.

use burn::tensor::Tensor;
use ganimation_data::ACTIVE_INTENSITY;
use ganimation_data::pixels::images_from_tensor;
use ganimation_data::{ActionUnit, Intensities};

use super::measures::{face_means, pixel_change, rounded, with};
use super::pixels::{ColorChange, color_change, kept_detail};
use super::scorecard::{CurveScore, ExpressionScore, RemovalScore, UnitCurve};
use super::statistics::{mean, pearson};
use super::subject::{Request, Subject};
use super::{Region, pictures};

/// The action units to remove, one row at a time.
const REMOVED: [&[ActionUnit]; 2] = [&[ActionUnit::LipCornerPuller], &[ActionUnit::LipsPart]];
/// A unit with an estimate below this counts as removed.
const GONE: f32 = 0.5;

/// The action units of the response curves, one row at a time.
const CURVES: [&[ActionUnit]; 6] = [
    &[ActionUnit::LipCornerPuller],
    &[ActionUnit::LipsPart],
    &[ActionUnit::CheekRaiser],
    &[ActionUnit::BrowLowerer],
    &[ActionUnit::Blink],
    &[ActionUnit::InnerBrowRaiser, ActionUnit::OuterBrowRaiser],
];
/// Step from one intensity of a curve to the next.
const STEP: f32 = 0.25;
/// Mean step caused by rounding alone, in pixel values as a fraction of the range: a four-thousandth of a level.
const ROUNDING: f64 = 1e-6;
/// Intensities of a curve, 0 to 5.
const POINTS: u8 = 21;

/// The rectangles where teeth and eyes can add colours.
pub(super) fn colorful() -> [Region; 3] {
    let [left, right] = Region::EYES;
    [Region::MOUTH, left, right]
}

/// Number of edits that [`expressions`] makes for `faces` faces.
pub(super) fn expression_count(faces: usize) -> usize {
    faces * pictures::EXPRESSIONS.len()
}

/// Detail and colour of every expression of the sheet.
pub(super) fn expressions(subject: &mut Subject<'_>, faces: &[usize]) -> Vec<ExpressionScore> {
    let score = |expression: crate::expressions::Expression| {
        let request = |&face: &usize| Request {
            face,
            target: subject.target(expression, face),
        };
        let requests: Vec<Request> = faces.iter().map(request).collect();
        let (mut details, mut changes) = (Vec::new(), Vec::new());
        subject.each_edit(&requests, |subject, requests, _, edit| {
            for (request, after) in requests.iter().zip(images_from_tensor(edit.image)) {
                let before = subject.picture(request.face);
                details.push(kept_detail(before, &after));
                changes.push(color_change(before, &after, &colorful()));
            }
        });
        let change = ColorChange {
            luminance: mean(changes.iter().map(|change| change.luminance)),
            chroma: mean(changes.iter().map(|change| change.chroma)),
        };
        ExpressionScore {
            name: expression.name,
            faces: faces.len(),
            detail: mean(details),
            color: change.ratio(),
            luminance: change.luminance,
            chroma: change.chroma,
        }
    };
    pictures::EXPRESSIONS.map(score).into()
}

fn showing(read: &[Intensities], units: &[ActionUnit]) -> impl Iterator<Item = usize> {
    (0..read.len()).filter(|&face| units.iter().all(|&unit| read[face].get(unit) > ACTIVE_INTENSITY))
}

/// Number of edits that [`removal`] makes.
pub(super) fn removal_count(subject: &Subject<'_>) -> usize {
    let count = |units: &&[ActionUnit]| showing(&subject.before.read, units).count();
    REMOVED.iter().map(count).sum()
}

/// The effect of a target of 0 on action units with an estimate above 1.5.
pub(super) fn removal(subject: &mut Subject<'_>) -> Vec<RemovalScore> {
    let score = |units: &[ActionUnit]| {
        let requests: Vec<Request> = showing(&subject.before.read, units)
            .map(|face| Request {
                face,
                target: with(subject.labels()[face], units, 0.0),
            })
            .collect();
        let [mut before, mut falls, mut gone] = [const { Vec::new() }; 3];
        subject.each_edit(&requests, |subject, requests, _, edit| {
            for (request, after) in requests.iter().zip(subject.estimates(requests, edit.image)) {
                let of = |face: &Intensities| mean(units.iter().map(|&unit| f64::from(face.get(unit))));
                let (was, is) = (of(&subject.before.read[request.face]), of(&after));
                before.push(was);
                falls.push(was - is);
                gone.push(f64::from(u8::from(is < f64::from(GONE))));
            }
        });
        RemovalScore {
            units: units.iter().map(|unit| unit.code()).collect(),
            faces: requests.len(),
            before: mean(before),
            mean_fall: mean(falls),
            share_gone: mean(gone),
        }
    };
    REMOVED.map(score).into()
}

/// Number of edits that [`curve`] makes for `faces` faces.
pub(super) fn curve_count(faces: usize) -> usize {
    faces * CURVES.len() * usize::from(POINTS)
}

/// The response of estimates and pixels to a target that increases in small steps.
pub(super) fn curve(subject: &mut Subject<'_>, faces: &[usize]) -> CurveScore {
    let intensities: Vec<f32> = (0..POINTS).map(|point| STEP * f32::from(point)).collect();
    CurveScore {
        faces: faces.len(),
        units: CURVES
            .map(|units| curve_of(units, subject, faces, &intensities))
            .into(),
        intensities,
    }
}

fn curve_of(
    units: &[ActionUnit],
    subject: &mut Subject<'_>,
    faces: &[usize],
    intensities: &[f32],
) -> UnitCurve {
    let requests: Vec<Request> = faces
        .iter()
        .flat_map(|&face| intensities.iter().map(move |&intensity| (face, intensity)))
        .map(|(face, intensity)| Request {
            face,
            target: with(subject.labels()[face], units, intensity),
        })
        .collect();
    // The change of every edit from the previous one; changes between two faces are skipped.
    let (mut read, mut changes) = (Vec::new(), Vec::new());
    let mut last: Option<Tensor<4>> = None;
    subject.each_edit(&requests, |subject, requests, _, edit| {
        let count = requests.len();
        let first = last.take().unwrap_or_else(|| edit.image.clone().narrow(0, 0, 1));
        let earlier = Tensor::cat(vec![first, edit.image.clone()], 0).narrow(0, 0, count);
        changes.extend(face_means(pixel_change(edit.image.clone(), earlier)));
        last = Some(edit.image.clone().narrow(0, count - 1, 1));
        let of = |face: Intensities| mean(units.iter().map(|&unit| rounded(face.get(unit))));
        read.extend(subject.estimates(requests, edit.image).into_iter().map(of));
    });

    let points = intensities.len();
    let requested: Vec<f64> = intensities
        .iter()
        .map(|intensity| f64::from(*intensity))
        .collect();
    let readings = || read.chunks_exact(points);
    let pixels = || changes.chunks_exact(points).map(|steps| &steps[1..]);
    let steps =
        |read: &[f64]| -> Vec<f64> { (read.windows(2)).map(|pair| (pair[1] - pair[0]).abs()).collect() };
    UnitCurve {
        units: units.iter().map(|unit| unit.code()).collect(),
        correlation: mean(readings().map(|read| pearson(&requested, read))),
        largest_step_pixels: mean(pixels().filter_map(largest_step)),
        largest_step_reading: mean(readings().filter_map(|read| largest_step(&steps(read)))),
        read: (0..points)
            .map(|at| mean(readings().map(|read| read[at])))
            .collect(),
        pixel_steps: (0..points - 1)
            .map(|at| mean(pixels().map(|steps| steps[at])))
            .collect(),
    }
}

/// The largest step as a multiple of the mean step. `None` if all steps are within rounding.
fn largest_step(steps: &[f64]) -> Option<f64> {
    let middle = mean(steps.iter().copied());
    let largest = steps.iter().copied().fold(0.0, f64::max);
    (middle > ROUNDING).then(|| largest / middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_jump_is_all_the_steps_at_once() {
        let mut steps = [0.0; 20];
        assert_eq!(largest_step(&steps), None);
        steps[7] = 0.3;
        assert!((largest_step(&steps).unwrap() - 20.0).abs() < 1e-9);
        assert!((largest_step(&[0.2; 20]).unwrap() - 1.0).abs() < 1e-9);
    }
}
