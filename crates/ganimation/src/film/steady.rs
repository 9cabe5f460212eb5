//! Stabilises boxes. The detector's box around a still head changes by a few pixels from frame to frame, which would
//! make the edit shake.

use ganimation_data::FaceBox;

/// Standard deviation of the smoothing, in seconds.
const SMOOTHING: f64 = 0.2;
/// A box does not move until its face has moved by this fraction of its side. Then it follows at this distance.
const SLACK: f64 = 0.02;

/// The stabilised boxes of one face in consecutive frames.
pub(super) fn steady(boxes: &[FaceBox], fps: f64) -> Vec<FaceBox> {
    let part = |value: fn(&FaceBox) -> f64| -> Vec<f64> {
        smooth(&boxes.iter().map(value).collect::<Vec<_>>(), SMOOTHING * fps)
    };
    let across = part(|face| f64::from(face.x) + f64::from(face.size) / 2.0);
    let down = part(|face| f64::from(face.y) + f64::from(face.size) / 2.0);
    let sides = part(|face| f64::from(face.size));
    let slack: Vec<f64> = sides.iter().map(|side| side * SLACK).collect();
    let (across, down) = (rest(&across, &slack), rest(&down, &slack));
    let sides = rest(&sides, &slack.iter().map(|slack| 2.0 * slack).collect::<Vec<_>>());
    let faces = boxes.iter().zip(across).zip(down).zip(sides);
    faces
        .map(|(((face, x), y), side)| square([x, y], side.round().max(1.0), face.score))
        .collect()
}

/// The box around a point, rounded to whole pixels.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "lengths in a frame are far below 2^31"
)]
fn square(centre: [f64; 2], side: f64, score: f32) -> FaceBox {
    let [x, y] = centre.map(|centre| (centre - side / 2.0).round() as i32);
    FaceBox {
        x,
        y,
        size: side.round() as u32,
        score,
    }
}

/// Smooths values with a Gaussian of the given width in frames.
fn smooth(values: &[f64], frames: f64) -> Vec<f64> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a second of frames"
    )]
    let reach = (3.0 * frames).ceil() as usize;
    let mean = |at: usize| {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (neighbour, value) in values
            .iter()
            .enumerate()
            .take(at + reach + 1)
            .skip(at.saturating_sub(reach))
        {
            let distance = (neighbour as f64 - at as f64) / frames;
            let weight = (-0.5 * distance * distance).exp();
            sum += weight * value;
            weights += weight;
        }
        sum / weights
    };
    (0..values.len()).map(mean).collect()
}

/// A value that stays constant until the input is further away than `slack`, and then follows it at that distance.
fn rest(values: &[f64], slack: &[f64]) -> Vec<f64> {
    let mut held = values.first().copied().unwrap_or_default();
    let held = values.iter().zip(slack).map(|(value, slack)| {
        held = held.clamp(value - slack, value + slack);
        held
    });
    held.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f64, y: f64, side: f64) -> FaceBox {
        square([x, y], side, 30.0)
    }

    /// A pseudo-random number from -1 to 1.
    fn noise(at: u32) -> f64 {
        let mixed = at.wrapping_mul(2_654_435_761) ^ (at.wrapping_mul(40_503) >> 3);
        f64::from(mixed % 2_001) / 1_000.0 - 1.0
    }

    fn largest_jump(boxes: &[FaceBox]) -> f64 {
        let centre = |face: &FaceBox| {
            let half = f64::from(face.size) / 2.0;
            [
                f64::from(face.x) + half,
                f64::from(face.y) + half,
                f64::from(face.size),
            ]
        };
        let jumps = boxes.array_windows().flat_map(|[one, next]| {
            let (one, next) = (centre(one), centre(next));
            [0, 1, 2].map(|at| (one[at] - next[at]).abs())
        });
        jumps.fold(0.0, f64::max)
    }

    #[test]
    fn the_box_of_a_still_head_does_not_move_by_half_a_pixel() {
        // Noise like the detector's, whose windows are 4 pixels apart and whose sides differ by a quarter.
        let trembling: Vec<_> = (0..240)
            .map(|at| {
                face(
                    300.0 + 4.0 * noise(at),
                    200.0 + 4.0 * noise(at + 999),
                    150.0 + 6.0 * noise(at + 5_555),
                )
            })
            .collect();
        assert!(largest_jump(&trembling) > 6.0);
        let steady = steady(&trembling, 30.0);
        assert!(largest_jump(&steady) < 0.5, "{}", largest_jump(&steady));
    }

    #[test]
    fn a_head_that_moves_is_followed_closely() {
        let moving: Vec<_> = (0..120)
            .map(|at| face(300.0 + 3.0 * f64::from(at), 200.0, 150.0))
            .collect();
        let steady = steady(&moving, 30.0);
        for (at, (steady, moving)) in steady.iter().zip(&moving).enumerate().skip(20).take(80) {
            assert!((steady.x - moving.x).abs() <= 4, "{at}: {steady:?} {moving:?}");
        }
        assert!(largest_jump(&steady) <= 4.0);
    }
}
