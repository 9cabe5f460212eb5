//! Training targets for motion, computed from a face's landmarks: a motion field, and the areas to paint.

mod mask;
mod spline;

use crate::au::{AU_COUNT, ActionUnit, MAX_INTENSITY};
use crate::landmarks::{LANDMARK_COUNT, Landmarks};
use crate::prior::Turn;

use spline::Spline;

pub use crate::prior::{MIN_FACES, MotionPrior};

/// Height and width of a lesson's field.
pub const FIELD_SIDE: usize = 32;

/// Factors of each unit's landmark motion, relative to the prior, in label order.
///
/// The intensities for learning the prior are noisy, mainly for rare units. This makes the regression's slopes too
/// small.
///
/// A unit that changes alone has its full gain. When several units change together, as in most expressions, their slopes
/// complement each other, and full gains gave caricatures too. So the part of a gain above 1 is multiplied by the
/// concentration of the changes: the largest divided by their sum. The units of the brows count apart from all others,
/// because they move other landmarks.
pub const GAINS: [f32; AU_COUNT] = [
    2.3, 1.5, 2.0, 3.0, 2.2, 2.2, 1.7, 1.7, 1.9, 1.9, 2.0, 1.7, 2.0, 2.2, 2.1, 1.3, 1.4,
];

/// The limit of a change, in intensity: a change counts as `change / sqrt(1 + (change / LIMIT)^2)`. Skin has limits, and
/// the slopes of the medium intensities that most faces show are too large for the largest ones. 3 counts as 2.6, 5 as
/// 3.5.
const LIMIT: f32 = 5.0;

/// The number of units that move the brows: AU01, AU02 and AU04, the first ones in label order.
const BROW_UNITS: usize = 3;

/// The jaw's outline lies at the edge of the neck, so it follows the chin only by this fraction.
const JAW_SHARE: f32 = 0.6;

/// Points of the jaw.
const JAW: std::ops::Range<usize> = 0..17;

/// Pairs of the inner lips, each with the points of the outer lips beside it.
const LIPS: [(usize, usize, [usize; 2]); 3] = [(61, 67, [50, 58]), (62, 66, [51, 57]), (63, 65, [52, 56])];

/// The fraction of a closing mouth's motion that the upper lip makes. The lower lip makes the rest.
const UPPER_LIP_SHARE: f32 = 0.3;

/// A rise of AU45 by this, in intensity / 5, closes open eyes. In OpenFace's labels, closed eyes have 2 to 5.
const CLOSING: f32 = 0.8;

/// The fraction of closing eyes' motion that the upper lids make. It is less than in life: the skin above deep-set eyes is
/// dark, and that below them is lit.
const UPPER_LID_SHARE: f32 = 0.75;

/// Upper and lower lids, at two points of each eye.
const EYES: [(usize, usize); 4] = [(37, 41), (38, 40), (43, 47), (44, 46)];

/// An eye opens to at most its gap multiplied by this, or to the gap of the mean face if that is more. Irises would be
/// stretched otherwise.
const WIDEST_EYE: f32 = 1.2;

/// Upper lids, each with the brow above it.
const LIDS_AND_BROWS: [(usize, usize); 4] = [(37, 19), (38, 20), (43, 23), (44, 24)];

/// The position of the lid's fold on the line from lid to brow.
const FOLD: f32 = 0.4;

/// The fraction of the motion between lid and brow that moves the fold.
const UNFOLDING: f32 = 0.2;

/// Side of a field's cell, as a fraction of the face's side.
const CELL: f32 = 1.0 / FIELD_SIDE as f32;

/// How much larger the motions of lids and lips are that meet, relative to their own.
const TIGHTER: f32 = 1.0;

/// Number of points of the spline inside the face: landmarks and folds.
const CONTROL_COUNT: usize = LANDMARK_COUNT + LIDS_AND_BROWS.len();

/// The training targets of one face for one order.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesson {
    /// The source position of each pixel minus its own position: `[2, 32, 32]`, x then y, as fractions of the side, at
    /// the centres of a grid of 32 x 32 cells.
    pub field: Vec<f32>,
    /// Where motion uncovers areas that the picture does not show, in mouth or eyes: `[mask_side, mask_side]`, 0 to 1.
    pub mask: Vec<f32>,
    /// Where a mouth closes and the lips must cover the area between them, and where upper lids come down: like `mask`.
    pub seam: Vec<f32>,
    /// The moved landmarks.
    pub moved: Landmarks,
}

/// Computes training targets (lessons) from landmarks.
///
/// Landmarks move by the prior, rotated and scaled to the face. A thin-plate spline through them, through the folds of the
/// upper lids and through fixed points on the border gives the motion of all pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Teacher {
    prior: MotionPrior,
    gains: [f32; AU_COUNT],
    spline: Spline,
}

impl Teacher {
    /// A teacher with a gain for each unit, in label order; [`GAINS`] is a good choice.
    pub fn new(prior: MotionPrior, gains: [f32; AU_COUNT]) -> Self {
        Self {
            prior,
            gains,
            spline: Spline::new(),
        }
    }

    /// The motion prior of landmarks.
    pub const fn prior(&self) -> &MotionPrior {
        &self.prior
    }

    /// The gain of each unit, in label order.
    pub const fn gains(&self) -> &[f32; AU_COUNT] {
        &self.gains
    }

    /// The lesson of a face that shows `shown` and is to show `target`, both in intensity / 5.
    ///
    /// With `mask_side` 0, there is no mask.
    pub fn lesson(
        &self,
        landmarks: &Landmarks,
        shown: &[f32; AU_COUNT],
        target: &[f32; AU_COUNT],
        mask_side: usize,
    ) -> Lesson {
        self.lesson_between(landmarks, &self.moved(landmarks, shown, target), mask_side)
    }

    /// The lesson of a face whose landmarks `before` become `after`.
    ///
    /// With `mask_side` 0, there is no mask.
    pub fn lesson_between(&self, before: &Landmarks, after: &Landmarks, mask_side: usize) -> Lesson {
        let (mut points, mut moves) = ([[0.0; 2]; CONTROL_COUNT], [[0.0; 2]; CONTROL_COUNT]);
        let controls = points.iter_mut().zip(&mut moves);
        let known = after.points().iter().zip(before.points());
        let known = known.map(|(&to, &from)| (to, from)).chain(folds(before, after));
        for ((point, moves), (to, from)) in controls.zip(known) {
            (*point, *moves) = (to, [from[0] - to[0], from[1] - to[1]]);
        }
        close(before, after, &mut points, &mut moves);
        Lesson {
            field: self.spline.field(&points, &moves),
            mask: mask::uncovered(before, after, mask_side),
            seam: mask::covered(before, after, mask_side),
            moved: *after,
        }
    }

    /// The landmarks of a face that showed `shown` and shows `target`.
    fn moved(&self, landmarks: &Landmarks, shown: &[f32; AU_COUNT], target: &[f32; AU_COUNT]) -> Landmarks {
        let turn = self.prior.turn(landmarks);
        let changes: [f32; AU_COUNT] = std::array::from_fn(|unit| target[unit] - shown[unit]);
        let (brows, others) = changes.split_at(BROW_UNITS);
        let (of_brows, of_others) = (concentration(brows), concentration(others));
        let mut moves = [[0.0_f32; 2]; LANDMARK_COUNT];
        for (unit, (change, gain)) in changes.into_iter().zip(self.gains).enumerate() {
            let closes_eyes = unit == ActionUnit::Blink.index() && change > 0.0;
            if change != 0.0 && !closes_eyes {
                let concentration = if unit < BROW_UNITS { of_brows } else { of_others };
                let gain = 1.0 + (gain - 1.0) * concentration;
                let change = gain * limited(change * MAX_INTENSITY);
                let displacement = match change > 0.0 {
                    true => &self.prior.rising()[unit],
                    false => &self.prior.displacement()[unit],
                };
                for (moves, displacement) in moves
                    .as_flattened_mut()
                    .iter_mut()
                    .zip(displacement.as_flattened())
                {
                    *moves += change * displacement;
                }
            }
        }
        let mut points = *landmarks.points();
        for (at, (point, moves)) in points.iter_mut().zip(moves).enumerate() {
            let share = if JAW.contains(&at) { JAW_SHARE } else { 1.0 };
            #[allow(
                clippy::cast_possible_truncation,
                reason = "shares of a side, of which f32 resolves a millionth"
            )]
            let moves = turn.apply(moves.map(f64::from)).map(|value| value as f32 * share);
            *point = [point[0] + moves[0], point[1] + moves[1]];
        }
        close_lips(landmarks, &mut points, shown, target);
        limit_eyes(self.prior.mean(), turn, landmarks, &mut points);
        let blink = ActionUnit::Blink.index();
        close_eyes(&mut points, target[blink] - shown[blink]);
        // They can touch but must not cross.
        for (upper, lower) in lips_and_lids() {
            let crossed = (points[upper][1] - points[lower][1]).max(0.0) / 2.0;
            points[upper][1] -= crossed;
            points[lower][1] += crossed;
        }
        Landmarks::new(points)
    }
}

/// The points of lips and lids that can meet: an upper and a lower one.
fn lips_and_lids() -> impl Iterator<Item = (usize, usize)> {
    LIPS.map(|(upper, lower, _)| (upper, lower))
        .into_iter()
        .chain(EYES)
}

/// The vertical distance from an upper to a lower point, negative if they cross.
fn gap(points: &[[f32; 2]; LANDMARK_COUNT], (upper, lower): (usize, usize)) -> f32 {
    points[lower][1] - points[upper][1]
}

/// A change in intensity, less than [`LIMIT`].
fn limited(change: f32) -> f32 {
    change / 1.0_f32.hypot(change / LIMIT)
}

/// The magnitude of the largest change as a fraction of the sum of all magnitudes; 0 without changes.
fn concentration(changes: &[f32]) -> f32 {
    let magnitudes = changes.iter().map(|change| change.abs());
    let sum: f32 = magnitudes.clone().sum();
    match sum > 0.0 {
        true => magnitudes.fold(0.0, f32::max) / sum,
        false => 0.0,
    }
}

/// Lowers the upper lids of eyes that open wider than eyes do. `turn` leads from the mean face to the face.
fn limit_eyes(mean: &Landmarks, turn: Turn, before: &Landmarks, points: &mut [[f32; 2]; LANDMARK_COUNT]) {
    let [x, y] = turn.apply([0.0, 1.0]);
    #[allow(clippy::cast_possible_truncation, reason = "a scale near 1")]
    let scale = x.hypot(y) as f32;
    for lids in EYES {
        let of_mean = gap(mean.points(), lids) * scale;
        let widest = (WIDEST_EYE * gap(before.points(), lids)).max(of_mean);
        points[lids.0][1] += (gap(points, lids) - widest).max(0.0);
    }
}

/// Closes eyes by the fraction of their gap that a rise of AU45 asks for, whatever the gap is: wide eyes close too.
fn close_eyes(points: &mut [[f32; 2]; LANDMARK_COUNT], rise: f32) {
    let fraction = (rise / CLOSING).clamp(0.0, 1.0);
    for lids in EYES {
        let moved = fraction * gap(points, lids).max(0.0);
        points[lids.0][1] += UPPER_LID_SHARE * moved;
        points[lids.1][1] -= (1.0 - UPPER_LID_SHARE) * moved;
    }
}

/// Closes lips as far as AU25 falls: lips that it does not part any more are shut, whatever their gap was.
fn close_lips(
    before: &Landmarks,
    points: &mut [[f32; 2]; LANDMARK_COUNT],
    shown: &[f32; AU_COUNT],
    target: &[f32; AU_COUNT],
) {
    let parted = |units: &[f32; AU_COUNT]| units[ActionUnit::LipsPart.index()].max(0.0);
    let (shown, target) = (parted(shown), parted(target));
    if target >= shown {
        return;
    }
    let left = target / shown;
    for (upper, lower, [above, below]) in LIPS {
        let open = gap(before.points(), (upper, lower)).max(0.0);
        let excess = (gap(points, (upper, lower)) - left * open).max(0.0);
        for point in [upper, above] {
            points[point][1] += UPPER_LIP_SHARE * excess;
        }
        for point in [lower, below] {
            points[point][1] -= (1.0 - UPPER_LIP_SHARE) * excess;
        }
    }
}

/// Adjusts the spline's points and motions at lids and lips that close, so that the field hides what is between them.
///
/// Closed lids lie in one place and come from two. A spline that goes near both finds the mean of both motions, and the
/// eye stays half open. So the lower one's point moves down by a cell of the field, and both motions are a little larger.
fn close(
    before: &Landmarks,
    after: &Landmarks,
    points: &mut [[f32; 2]; CONTROL_COUNT],
    moves: &mut [[f32; 2]; CONTROL_COUNT],
) {
    for (upper, lower) in lips_and_lids() {
        let left = gap(after.points(), (upper, lower)).max(0.0);
        let missing = (CELL - left).max(0.0);
        if gap(before.points(), (upper, lower)) - left > mask::STILL {
            points[lower][1] += missing;
            for point in [upper, lower] {
                moves[point] = moves[point].map(|value| value * (1.0 + TIGHTER * missing / CELL));
            }
        }
    }
}

/// Where the folds of the upper lids go, and where they come from.
///
/// Skin between lid and brow unfolds in one place when they part: a raised brow leaves the lashes alone, and a falling lid
/// the brow. A spline without these points would stretch both.
fn folds(before: &Landmarks, after: &Landmarks) -> impl Iterator<Item = ([f32; 2], [f32; 2])> {
    LIDS_AND_BROWS.into_iter().map(|(lid, brow)| {
        let at = |points: &Landmarks, axis: usize| {
            let [lid, brow] = [lid, brow].map(|point| points.points()[point][axis]);
            lid + FOLD * (brow - lid)
        };
        let from = [0, 1].map(|axis| at(before, axis));
        let moved = |point: usize| after.points()[point][1] - before.points()[point][1];
        let (of_lid, of_brow) = (moved(lid), moved(brow));
        if of_lid <= of_brow {
            return ([0, 1].map(|axis| at(after, axis)), from);
        }
        let (less, more) = match of_lid.abs() < of_brow.abs() {
            true => (of_lid, of_brow),
            false => (of_brow, of_lid),
        };
        ([at(after, 0), from[1] + less + UNFOLDING * (more - less)], from)
    })
}

#[cfg(test)]
mod tests;
