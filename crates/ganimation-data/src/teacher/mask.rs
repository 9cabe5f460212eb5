//! Areas that motion uncovers and the picture does not show.

use crate::landmarks::Landmarks;

/// An opening of the face: its outline, and pairs of an upper and a lower point.
struct Opening {
    outline: std::ops::Range<usize>,
    pairs: &'static [(usize, usize)],
    /// Growth as a fraction of the new size. Up to the first value, the visible content is stretched. From the second
    /// value, the content is completely new. An iris can be stretched; the line between closed lips cannot.
    new: [f32; 2],
}

impl Opening {
    /// Its mean height, as a fraction of the side.
    fn gap(&self, landmarks: &Landmarks) -> f32 {
        let heights = (self.pairs.iter())
            .map(|&(upper, lower)| landmarks.points()[lower][1] - landmarks.points()[upper][1]);
        heights.sum::<f32>() / self.pairs.len() as f32
    }
}

const OPENINGS: [Opening; 3] = [
    Opening {
        outline: 60..68,
        pairs: &[(61, 67), (62, 66), (63, 65)],
        new: [0.0, 1.0 / 1.5],
    },
    Opening {
        outline: 36..42,
        pairs: &[(37, 41), (38, 40)],
        new: [0.5, 1.0],
    },
    Opening {
        outline: 42..48,
        pairs: &[(43, 47), (44, 46)],
        new: [0.5, 1.0],
    },
];

/// Gaps that grow by less than this fraction of the side count as unchanged.
pub(super) const STILL: f32 = 0.006;

/// Smallest gap; smaller gaps count as this value.
const NARROW: f32 = 0.01;

/// Lines sampled in each row of the mask.
const LINES: usize = 4;

/// The mask of growing openings: the covered fraction of each pixel, times the new fraction of the opening.
///
/// # Shapes
/// - returns `[side, side]`, 0 to 1
pub(super) fn uncovered(before: &Landmarks, after: &Landmarks, side: usize) -> Vec<f32> {
    let mut mask = vec![0.0; side * side];
    for opening in OPENINGS {
        let (closed, open) = (opening.gap(before).max(0.0), opening.gap(after));
        if open - closed > STILL {
            let grown = (open - closed) / open.max(NARROW);
            let new = ramp(grown, opening.new);
            draw(&after.points()[opening.outline], new, side, &mut mask);
        }
    }
    mask
}

/// Points of the inner lips, each with its neighbour on the outer lips.
const LIPS: [(usize, usize); 8] = [
    (60, 48),
    (61, 50),
    (62, 51),
    (63, 52),
    (64, 54),
    (65, 56),
    (66, 57),
    (67, 58),
];

/// How far a seam extends into the lips, as a fraction of their height.
const INTO_LIPS: f32 = 0.3;

/// Points of the upper lids, from corner to corner.
const UPPER_LIDS: [[usize; 4]; 2] = [[36, 37, 38, 39], [42, 43, 44, 45]];

/// Closing of an eye as a fraction of its gap: up to the first value, the lid's visible skin is stretched. From the second
/// value, all skin over the eye is new.
const UNFOLDED: [f32; 2] = [0.4, 0.8];

/// The part of a closed lid that its lashes cover.
const LASHES: f32 = 0.2;

/// The mask of closing openings: where lips must cover the teeth, their inner parts and the area between; where upper lids
/// come down, the skin that unfolds over the open eye.
///
/// # Shapes
/// - returns `[side, side]`, 0 to 1
pub(super) fn covered(before: &Landmarks, after: &Landmarks, side: usize) -> Vec<f32> {
    let mut mask = vec![0.0; side * side];
    let [mouth, eyes @ ..] = &OPENINGS;
    if mouth.gap(before).max(0.0) - mouth.gap(after) > STILL {
        let points = after.points();
        let outline = LIPS.map(|(inner, outer)| between(points[inner], points[outer], INTO_LIPS));
        draw(&outline, 1.0, side, &mut mask);
    }
    for (eye, lid) in eyes.iter().zip(UPPER_LIDS) {
        let open = eye.gap(before);
        let closed = (open - eye.gap(after)) / open.max(NARROW);
        let new = ramp(closed, UNFOLDED);
        if new > 0.0 {
            let above = lid.map(|point| before.points()[point]);
            let below = [3, 2, 1, 0].map(|at| between(after.points()[lid[at]], above[at], LASHES));
            draw(&[above, below].concat(), new, side, &mut mask);
        }
    }
    mask
}

/// 0 up to `from`, 1 from `to` on, even between them.
fn ramp(value: f32, [from, to]: [f32; 2]) -> f32 {
    ((value - from) / (to - from)).clamp(0.0, 1.0)
}

/// The point at the fraction `share` of the way.
fn between(from: [f32; 2], to: [f32; 2], share: f32) -> [f32; 2] {
    [0, 1].map(|axis| from[axis] + share * (to[axis] - from[axis]))
}

/// Draws a polygon with points as fractions of the side. Each row has several sample lines, with exact coverage along
/// each line.
fn draw(polygon: &[[f32; 2]], value: f32, side: usize, mask: &mut [f32]) {
    let scale = side as f32;
    let mut crossings = Vec::with_capacity(polygon.len());
    for (row, pixels) in mask.chunks_exact_mut(side.max(1)).enumerate() {
        for line in 0..LINES {
            let y = row as f32 + (line as f32 + 0.5) / LINES as f32;
            crossings.clear();
            let next = polygon.iter().cycle().skip(1);
            for (&[from_x, from_y], &[to_x, to_y]) in polygon.iter().zip(next) {
                let (from_y, to_y) = (from_y * scale, to_y * scale);
                if (from_y <= y) != (to_y <= y) {
                    let along = (y - from_y) / (to_y - from_y);
                    crossings.push((from_x + along * (to_x - from_x)) * scale);
                }
            }
            crossings.sort_unstable_by(f32::total_cmp);
            for &[left, right] in crossings.as_chunks::<2>().0 {
                cover(pixels, left, right, value / LINES as f32);
            }
        }
    }
}

/// Adds to each pixel the fraction of it between `left` and `right`.
fn cover(pixels: &mut [f32], left: f32, right: f32, value: f32) {
    let (left, right) = (left.max(0.0), right.min(pixels.len() as f32));
    #[allow(clippy::cast_possible_truncation, reason = "between 0 and the mask's side")]
    #[allow(clippy::cast_sign_loss, reason = "between 0 and the mask's side")]
    let first = left as usize;
    for (at, pixel) in pixels.iter_mut().enumerate().skip(first) {
        let (start, end) = (at as f32, (at + 1) as f32);
        if start >= right {
            break;
        }
        *pixel += value * (right.min(end) - left.max(start)).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polygon_covers_its_area() {
        let mut mask = vec![0.0; 20 * 20];
        draw(&[[0.2, 0.21], [0.81, 0.3], [0.5, 0.77]], 0.5, 20, &mut mask);
        let area = ((0.81 - 0.2) * (0.77 - 0.21) - (0.5 - 0.2) * (0.3 - 0.21)) / 2.0;
        let covered = mask.iter().sum::<f32>() / 400.0;
        assert!((covered - 0.5 * area).abs() < 5e-4, "{covered} {area}");
        assert!(mask.iter().all(|value| (0.0..=0.5 + 1e-6).contains(value)));
        assert!(mask.iter().any(|value| (value - 0.5).abs() < 1e-6));
    }

    #[test]
    fn what_lies_outside_the_picture_is_cut_off() {
        let mut mask = vec![0.0; 8 * 8];
        draw(
            &[[-0.5, -0.5], [1.5, -0.5], [1.5, 1.5], [-0.5, 1.5]],
            1.0,
            8,
            &mut mask,
        );
        assert!(mask.iter().all(|value| (value - 1.0).abs() < 1e-6));
        draw(&[[2.0, 0.2], [3.0, 0.2], [3.0, 0.5]], 1.0, 8, &mut mask);
        assert!(mask.iter().all(|value| (value - 1.0).abs() < 1e-6));
        draw(&[[0.1, 0.1], [0.2, 0.1], [0.2, 0.5]], 1.0, 0, &mut []);
    }
}
