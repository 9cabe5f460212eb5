//! Matches the faces in a table with the detected faces.

use super::outcome::{Drop, Reason};
use crate::au::Intensities;
use crate::face::FaceBox;
use crate::landmarks::LANDMARK_COUNT;
use crate::openface::{Place, Reading};

/// Minimum overlap (intersection over union) of the landmarks and the detector's box of the same face. On portraits it
/// is 0.5 to 0.8. Neighbouring faces in a crowd hardly overlap.
const MIN_OVERLAP: f64 = 0.25;

/// A detected face with its label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Match {
    pub(super) face: FaceBox,
    pub(super) intensities: Intensities,
    /// Whether the face is uncertain: the photo has several faces, and the table has no position.
    pub(super) guessed: bool,
    /// Points `[x, y]` in pixels of the photo.
    pub(super) landmarks: Option<[[f32; 2]; LANDMARK_COUNT]>,
    /// Line of the table with these intensities, counted from 1, if there is a table.
    pub(super) line: Option<u64>,
}

/// Of the faces that the detector also finds, the one with OpenFace's highest confidence, in a photo of `width` x
/// `height` pixels.
pub(super) fn choose(
    readings: &[Reading],
    faces: &[FaceBox],
    (width, height): (u32, u32),
    min_confidence: f64,
) -> Result<Match, Drop> {
    let mut found: Vec<&Reading> = readings.iter().filter(|reading| reading.success).collect();
    found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence)); // stable: keeps the order of equal values
    let Some(surest) = found.first().map(|reading| reading.confidence) else {
        return Err(Reason::LostFace.because(""));
    };
    found.retain(|reading| reading.confidence >= min_confidence);
    if found.is_empty() {
        return Err(Reason::LowConfidence.because(format!("confidence {surest}")));
    }
    let Some(best) = faces.iter().max_by(|a, b| a.score.total_cmp(&b.score)) else {
        return Err(Reason::NoFace.because(format!("in {width} x {height} pixels")));
    };
    for reading in found {
        let matched = |face: Option<&FaceBox>, guessed| {
            face.map(|&face| Match {
                face,
                intensities: reading.intensities,
                guessed,
                landmarks: reading.landmarks.as_deref().copied(),
                line: Some(reading.line),
            })
        };
        let matched = match (reading.place, reading.head) {
            (Some(place), _) => matched(overlapping(place, faces), false),
            (None, Some(head)) => matched(around(projected(head, width, height), faces), false),
            (None, None) => matched(Some(best), faces.len() > 1),
        };
        if let Some(matched) = matched {
            return Ok(matched);
        }
    }
    Err(Reason::FaceElsewhere.because(format!("{} face(s) detected", faces.len())))
}

fn overlapping(place: Place, faces: &[FaceBox]) -> Option<&FaceBox> {
    let overlaps = faces.iter().map(|face| (overlap(place, face), face));
    let (overlap, face) = overlaps.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (overlap >= MIN_OVERLAP).then_some(face)
}

/// Intersection over union.
fn overlap(place: Place, face: &FaceBox) -> f64 {
    let (left, top, size) = (f64::from(face.x), f64::from(face.y), f64::from(face.size));
    let across = place.right.min(left + size) - place.left.max(left);
    let down = place.bottom.min(top + size) - place.top.max(top);
    let common = across.max(0.0) * down.max(0.0);
    let whole = (place.right - place.left) * (place.bottom - place.top) + size * size - common;
    if whole > 0.0 { common / whole } else { 0.0 }
}

/// The position of a head in the photo, in pixels, for OpenFace's default camera.
fn projected([x, y, z]: [f64; 3], width: u32, height: u32) -> (f64, f64) {
    let (width, height) = (f64::from(width), f64::from(height));
    let focal = (500.0 * width / 640.0 + 500.0 * height / 480.0) / 2.0;
    (width / 2.0 + focal * x / z, height / 2.0 + focal * y / z)
}

/// Of the faces that contain a point, the one whose centre is nearest to it.
fn around((x, y): (f64, f64), faces: &[FaceBox]) -> Option<&FaceBox> {
    let half = |face: &FaceBox| f64::from(face.size) / 2.0;
    let off = |face: &FaceBox| {
        let (across, down) = (
            f64::from(face.x) + half(face) - x,
            f64::from(face.y) + half(face) - y,
        );
        across.abs().max(down.abs())
    };
    faces
        .iter()
        .filter(|face| off(face) <= half(face))
        .min_by(|a, b| off(a).total_cmp(&off(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::au::AU_COUNT;

    fn reading(confidence: f64, smile: f32) -> Reading {
        Reading {
            line: 2,
            frame: None,
            timestamp: None,
            confidence,
            success: true,
            intensities: Intensities::new([smile; AU_COUNT]),
            place: None,
            landmarks: None,
            head: None,
        }
    }

    fn face(x: i32, score: f32) -> FaceBox {
        FaceBox {
            x,
            y: 100,
            size: 100,
            score,
        }
    }

    fn placed(confidence: f64, smile: f32, left: f64) -> Reading {
        let place = Place {
            left,
            top: 110.0,
            right: left + 80.0,
            bottom: 205.0,
        };
        Reading {
            place: Some(place),
            ..reading(confidence, smile)
        }
    }

    const SIZE: (u32, u32) = (640, 480);

    #[test]
    fn landmarks_find_their_face_and_the_surest_wins() {
        let faces = [face(300, 50.0), face(20, 9.0)];
        let readings = [placed(0.9, 1.0, 310.0), placed(0.95, 2.0, 30.0)];
        let chosen = choose(&readings, &faces, SIZE, 0.7).unwrap();
        assert_eq!(
            (chosen.face.x, chosen.intensities.as_array()[0], chosen.guessed),
            (20, 2.0, false)
        );
        // A face with higher confidence is skipped if the detector does not find it.
        let chosen = choose(&readings, &faces[..1], SIZE, 0.7).unwrap();
        assert_eq!((chosen.face.x, chosen.intensities.as_array()[0]), (300, 1.0));
        let elsewhere = choose(&readings[1..], &faces[..1], SIZE, 0.7).unwrap_err();
        assert_eq!(elsewhere.reason, Reason::FaceElsewhere);
    }

    #[test]
    fn a_head_in_space_finds_its_face() {
        // 600 mm away, 96 mm to the left: 80 pixels left of the centre.
        let head = Some([-96.0, 0.0, 600.0]);
        let readings = [Reading {
            head,
            ..reading(0.9, 1.0)
        }];
        let faces = [
            face(400, 50.0),
            FaceBox {
                y: 190,
                ..face(190, 9.0)
            },
        ];
        assert_eq!(choose(&readings, &faces, SIZE, 0.7).unwrap().face.x, 190);
        assert_eq!(
            choose(&readings, &faces[..1], SIZE, 0.7).unwrap_err().reason,
            Reason::FaceElsewhere
        );
    }

    #[test]
    fn without_any_place_the_surest_detection_is_taken_and_reported() {
        let faces = [face(300, 5.0), face(20, 9.0)];
        let chosen = choose(&[reading(0.9, 1.0)], &faces, SIZE, 0.7).unwrap();
        assert_eq!((chosen.face.x, chosen.guessed), (20, true));
        assert!(
            !choose(&[reading(0.9, 1.0)], &faces[..1], SIZE, 0.7)
                .unwrap()
                .guessed
        );
    }

    #[test]
    fn reasons_are_distinguished() {
        let reason =
            |readings: &[Reading], faces: &[FaceBox]| choose(readings, faces, SIZE, 0.7).unwrap_err().reason;
        let lost = Reading {
            success: false,
            ..reading(0.0, 0.0)
        };
        assert_eq!(reason(&[], &[face(0, 9.0)]), Reason::LostFace);
        assert_eq!(reason(&[lost], &[face(0, 9.0)]), Reason::LostFace);
        assert_eq!(
            reason(&[reading(0.6, 0.0)], &[face(0, 9.0)]),
            Reason::LowConfidence
        );
        assert_eq!(reason(&[reading(0.9, 0.0)], &[]), Reason::NoFace);
    }
}
