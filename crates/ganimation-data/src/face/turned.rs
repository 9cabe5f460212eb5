//! Detection of rotated faces.

use image::RgbImage;
use image::imageops::{self, FilterType};

use super::{FaceBox, FaceDetector, Searched, WINDOW, scaled};
use crate::turn::Turn;

/// Minimum score of a rotated face in a photo without upright faces.
const SURE: f32 = 10.0;
/// The same in a photo with upright faces. Most such photos have no rotated face.
const VERY_SURE: f32 = 15.0;
/// Longer side, in pixels, of the copy that is searched for rotated faces if the photo has upright faces. A face of 60
/// pixels in this copy has a score of about 20. The three searches add a quarter to the time for a photo of 12
/// megapixels.
const SIDE: u32 = 1_280;
/// Maximum overlap of two boxes, as a fraction of the smaller one. If two boxes overlap more, the more reliable one is
/// kept.
const COMMON: f64 = 0.2;
/// Factor by which the score of a rotated face must exceed that of an upright face at the same position.
const SURER: f32 = 2.0;

impl FaceDetector {
    /// Like [`FaceDetector::detect`], but also finds faces rotated by 90 or 180 degrees. A box is in pixels of the
    /// unrotated photo. Its [`Turn`] makes the face upright.
    ///
    /// If the photo has upright faces, rotated faces are searched in a reduced copy, and only reliable detections are
    /// used.
    pub fn detect_turned(&self, photo: &RgbImage) -> Vec<(FaceBox, Turn)> {
        let Some(searched) = Searched::new(photo) else {
            return Vec::new();
        };
        let upright = self.search(&searched);
        let (searched, least) = match upright.is_empty() {
            true => (searched, SURE),
            false => (searched.smaller(SIDE), VERY_SURE),
        };
        let mut found: Vec<_> = upright.into_iter().map(|face| (face, Turn::None)).collect();
        for turn in Turn::ALL {
            let size = turn.size(photo.dimensions());
            let faces = self.search(&Searched {
                grey: turn.upright(&searched.grey),
                ..searched
            });
            let sure = faces.into_iter().filter(|face| face.score >= least);
            found.extend(sure.map(|face| (turn.back_box(face, size), turn)));
        }
        let trust = |(face, turn): &(FaceBox, Turn)| match turn {
            Turn::None => SURER * face.score,
            _ => face.score,
        };
        found.sort_by(|one, other| trust(other).total_cmp(&trust(one)));
        let mut kept: Vec<(FaceBox, Turn)> = Vec::new();
        for (face, turn) in found {
            // The detector itself merges the detections of one face in one rotation.
            let is_free = |(other, way): &(FaceBox, Turn)| *way == turn || common(other, &face) <= COMMON;
            if kept.iter().all(is_free) {
                kept.push((face, turn));
            }
        }
        kept.sort_by(|(one, _), (other, _)| super::larger(one, other));
        kept
    }
}

impl Searched {
    /// A copy whose longer side has at most `side` pixels.
    fn smaller(self, side: u32) -> Self {
        let (width, height) = self.grey.dimensions();
        let share = f64::from(side) / f64::from(width.max(height));
        if share >= 1.0 {
            return self;
        }
        let length = |side: u32| scaled(f64::from(side) * share).unsigned_abs().max(WINDOW);
        Self {
            grey: imageops::resize(&self.grey, length(width), length(height), FilterType::Triangle),
            scale: self.scale * share,
            ..self
        }
    }
}

/// The overlap of two boxes, as a fraction of the smaller one's area.
fn common(one: &FaceBox, other: &FaceBox) -> f64 {
    let along = |one: (i32, u32), other: (i32, u32)| {
        let end = |(start, size): (i32, u32)| i64::from(start) + i64::from(size);
        let length = end(one).min(end(other)) - i64::from(one.0.max(other.0));
        length.max(0) as f64
    };
    let area =
        along((one.x, one.size), (other.x, other.size)) * along((one.y, one.size), (other.y, other.size));
    area / f64::from(one.size.min(other.size)).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    /// A portrait of an astronaut, public domain (NASA), 512 x 512 px.
    fn portrait() -> RgbImage {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/astronaut.png");
        crate::picture::decode_photo(path).unwrap()
    }

    #[test]
    fn upright_and_turned_faces_of_one_photo_are_found_each_its_way() {
        let mut photo = RgbImage::from_pixel(2_128, 532, Rgb([119; 3]));
        let mut ways = vec![Turn::None];
        ways.extend(Turn::ALL);
        for (at, turn) in (0_i64..).zip(&ways) {
            imageops::replace(&mut photo, &turn.back(&portrait()), 10 + 532 * at, 10);
        }
        let mut found = FaceDetector::new().unwrap().detect_turned(&photo);
        found.sort_by_key(|(face, _)| face.x);
        let turns: Vec<_> = found.iter().map(|(_, turn)| *turn).collect();
        assert_eq!(turns, ways, "{found:?}");
        for (at, (face, _)) in (0_i32..).zip(&found) {
            let place = 10 + 532 * at;
            let size = i32::try_from(face.size).unwrap();
            assert!(face.x > place && face.x + size < place + 512, "{at}: {face:?}");
        }
    }

    #[test]
    fn a_portrait_has_no_face_but_its_own() {
        for name in ["astronaut.png", "grace_hopper.jpg"] {
            let path = format!("{}/../../assets/{name}", env!("CARGO_MANIFEST_DIR"));
            let photo = crate::picture::decode_photo(&path).unwrap();
            let detector = FaceDetector::new().unwrap();
            let (upright, all) = (detector.detect(&photo), detector.detect_turned(&photo));
            let all: Vec<_> = all
                .into_iter()
                .map(|(face, turn)| (face, turn == Turn::None))
                .collect();
            let upright: Vec<_> = upright.into_iter().map(|face| (face, true)).collect();
            assert_eq!(all, upright, "{name}");
        }
    }
}
