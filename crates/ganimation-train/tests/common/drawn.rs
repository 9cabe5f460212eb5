//! Drawn faces with landmarks that move with the action units, to train the motion network.

#![allow(unreachable_pub, reason = "a module of tests")]
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use ganimation_data::{AU_COUNT, ActionUnit, pickle};
use ganimation_data::{LANDMARK_COUNT, LANDMARKS_FILE, landmarks_to_bytes};
use image::{Rgb, RgbImage};

const SIDE: u32 = 64;
/// Number of faces. The last ten are held out. A prior needs at least a hundred.
const FACES: usize = 120;

type Points = [[f64; 2]; LANDMARK_COUNT];

/// Points `[x, y]` on an ellipse around `center`, from one angle to another, in quarters of a turn.
fn arc(points: &mut [[f64; 2]], center: [f64; 2], radii: [f64; 2], [from, to]: [f64; 2]) {
    let last = (points.len() - 1) as f64;
    for (at, point) in points.iter_mut().enumerate() {
        let angle = (from + (to - from) * at as f64 / last) * std::f64::consts::FRAC_PI_2;
        *point = [
            center[0] + radii[0] * angle.cos(),
            center[1] + radii[1] * angle.sin(),
        ];
    }
}

/// A neutral face, as fractions of the side.
fn shape() -> Points {
    let mut points = [[0.5; 2]; LANDMARK_COUNT];
    arc(&mut points[0..17], [0.5, 0.4], [0.38, 0.52], [2.0, 0.0]);
    arc(&mut points[17..22], [0.3, 0.3], [0.12, 0.06], [2.0, 4.0]);
    arc(&mut points[22..27], [0.7, 0.3], [0.12, 0.06], [2.0, 4.0]);
    for (at, point) in points[27..31].iter_mut().enumerate() {
        point[1] = 0.38 + 0.06 * at as f64;
    }
    for (at, point) in points[31..36].iter_mut().enumerate() {
        *point = [0.42 + 0.04 * at as f64, 0.6];
    }
    for (first, x) in [(36, 0.3), (42, 0.7)] {
        let lids = [
            [-0.07, 0.0],
            [-0.03, -0.03],
            [0.03, -0.03],
            [0.07, 0.0],
            [0.03, 0.03],
            [-0.03, 0.03],
        ];
        for (point, [across, down]) in points[first..].iter_mut().zip(lids) {
            *point = [x + across, 0.4 + down];
        }
    }
    arc(&mut points[48..55], [0.5, 0.76], [0.16, 0.05], [2.0, 4.0]);
    arc(&mut points[54..61], [0.5, 0.76], [0.16, 0.06], [0.0, 2.0]);
    arc(&mut points[60..65], [0.5, 0.76], [0.13, 0.01], [2.0, 4.0]);
    arc(&mut points[64..68], [0.5, 0.76], [0.13, 0.01], [0.0, 1.5]);
    points
}

/// Moves a face's landmarks according to action units, with intensities from 0 to 5.
fn moved(mut points: Points, shown: &[f64; AU_COUNT]) -> Points {
    let of = |unit: ActionUnit| shown[unit.index()];
    for (corner, aside) in [(48, -1.0), (60, -1.0), (54, 1.0), (64, 1.0)] {
        points[corner][0] += aside * 0.012 * of(ActionUnit::LipCornerPuller);
        points[corner][1] -= 0.018 * of(ActionUnit::LipCornerPuller);
    }
    for lower in (55..60).chain(65..68) {
        points[lower][1] += 0.022 * of(ActionUnit::LipsPart);
    }
    for brow in &mut points[17..27] {
        brow[1] -= 0.015 * of(ActionUnit::OuterBrowRaiser);
    }
    for lid in [37, 38, 43, 44] {
        points[lid][1] += 0.011 * of(ActionUnit::Blink);
    }
    points
}

/// A hash of two integers, the same on every machine: 0 to 999.
fn noise(face: usize, what: usize) -> f64 {
    let mixed = (face as u64 * 7919 + what as u64 * 104_729 + 17).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 33) % 1000) as f64
}

/// Whether a point lies in a polygon.
fn inside(polygon: &[[f64; 2]], [x, y]: [f64; 2]) -> bool {
    let mut inside = false;
    for (at, &[ax, ay]) in polygon.iter().enumerate() {
        let [bx, by] = polygon[(at + 1) % polygon.len()];
        if (ay > y) != (by > y) && x < ax + (y - ay) / (by - ay) * (bx - ax) {
            inside = !inside;
        }
    }
    inside
}

fn picture(points: &Points, face: usize) -> RgbImage {
    let tone = |channel: usize| 150.0 + 40.0 * channel as f64 / 2.0 + noise(face, 90) / 25.0;
    RgbImage::from_fn(SIDE, SIDE, |column, row| {
        let at = [column, row].map(|pixel| (f64::from(pixel) + 0.5) / f64::from(SIDE));
        let near = |range: std::ops::Range<usize>| {
            range
                .map(|point| (points[point][0] - at[0]).hypot(points[point][1] - at[1]))
                .fold(1.0, f64::min)
        };
        let color: [f64; 3] = if inside(&points[60..68], at) {
            [90.0, 20.0, 30.0]
        } else if inside(&points[48..60], at) {
            [200.0, 80.0, 90.0]
        } else if inside(&points[36..42], at) || inside(&points[42..48], at) {
            [240.0, 240.0, 250.0]
        } else if near(17..27) < 0.03 {
            [60.0, 40.0, 30.0]
        } else {
            [tone(2), tone(1), tone(0)].map(|tone| tone * (0.8 + 0.3 * at[0]))
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a colour")]
        Rgb(color.map(|value| value.clamp(0.0, 255.0) as u8))
    })
}

/// 110 training faces and ten held-out faces of 64 pixels, with labels and, if requested, landmarks.
pub fn drawn_dataset(folder: &Path, landmarks: bool) -> PathBuf {
    let data = folder.join("drawn");
    fs::create_dir_all(data.join("imgs")).unwrap();
    let mut labels = std::collections::BTreeMap::new();
    let mut rows = Vec::new();
    for face in 0..FACES {
        let mut shown = [0.0; AU_COUNT];
        for (unit, shown) in shown.iter_mut().enumerate() {
            // Half of the faces show a unit, up to an intensity of 4.
            *shown = (noise(face, unit) / 125.0 - 4.0).max(0.0);
        }
        let jitter = [0, 1].map(|axis| noise(face, 60 + axis) / 25_000.0 - 0.02);
        let scale = 0.95 + noise(face, 70) / 10_000.0;
        let points = moved(shape(), &shown)
            .map(|point| [0, 1].map(|axis| 0.5 + (point[axis] - 0.5) * scale + jitter[axis]));
        let name = format!("face_{face:03}");
        picture(&points, face)
            .save(data.join("imgs").join(format!("{name}.png")))
            .unwrap();
        labels.insert(name.clone(), shown.to_vec());
        rows.push((
            format!("{name}.png"),
            points.map(|point| point.map(|share| share * f64::from(SIDE))),
        ));
    }
    pickle::write_labels(data.join("aus_openface.pkl"), &labels).unwrap();
    if landmarks {
        let table = landmarks_to_bytes(rows.iter().map(|(file, points)| (file.as_str(), points)));
        fs::write(data.join(LANDMARKS_FILE), table).unwrap();
    }
    let list = |rows: &[(String, Points)]| {
        rows.iter()
            .map(|(file, _)| format!("{file}\n"))
            .collect::<String>()
    };
    fs::write(data.join("train_ids.csv"), list(&rows[..110])).unwrap();
    fs::write(data.join("test_ids.csv"), list(&rows[110..])).unwrap();
    data
}
