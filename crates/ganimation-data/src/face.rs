//! Detection of faces in photos, and their crops.

mod turned;

use std::fmt;

use image::imageops::{self, FilterType};
use image::{GrayImage, ImageBuffer, RgbImage};
use rustface::{Detector, ImageData, Model};

use crate::error::{Error, Result};

/// The SeetaFace frontal detector. Its licence is in the same folder.
const MODEL: &[u8] = include_bytes!("../assets/seeta_fd_frontal_v1.0.bin");

/// Minimum face size, in pixels, in photos whose shorter side has at least 360 pixels.
const MIN_FACE: u32 = 60;
/// Minimum face size in any photo, in pixels.
const MIN_FACE_EVER: u32 = 20;
/// Detections with a lower score are dropped.
const MIN_SCORE: f64 = 2.0;
/// Ratio of neighbouring scales in the search.
const PYRAMID: f32 = 0.8;
/// Distance between neighbouring windows, in pixels.
const STEP: u32 = 4;
/// Side of the detector's window, in pixels. Smaller photos are enlarged before the search.
const WINDOW: u32 = 40;
/// A photo is searched in a reduced copy if its longer side exceeds this and it has more than [`MAX_SEARCHED_PIXELS`].
const MAX_SEARCHED_SIDE: u32 = 1_600;
/// Number of pixels of such a copy. It is sufficient to find faces of 60 pixels in photos of 12 megapixels, and faces
/// of 70 pixels in photos of 24 megapixels.
const MAX_SEARCHED_PIXELS: f64 = 8e6;

/// A square around a face, in pixels of the photo. It can extend beyond the photo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaceBox {
    /// Left edge.
    pub x: i32,
    /// Top edge.
    pub y: i32,
    /// Width and height.
    pub size: u32,
    /// The detector's score: above 2 for detected faces, above 20 for reliable detections; 0 for [`FaceBox::around`].
    pub score: f32,
}

impl FaceBox {
    /// The smallest centred square around a picture of this width and height in pixels, with score 0.
    pub fn around((width, height): (u32, u32)) -> Self {
        let size = width.max(height);
        let before = |side: u32| -i32::try_from((size - side) / 2).unwrap_or_default();
        Self {
            x: before(width),
            y: before(height),
            size,
            score: 0.0,
        }
    }
}

/// Finds faces that look at the camera: upright ones with [`FaceDetector::detect`], also rotated ones with
/// [`FaceDetector::detect_turned`].
///
/// ```no_run
/// use ganimation_data::{FaceDetector, crop_face};
/// use ganimation_data::picture::decode_photo;
///
/// let photo = decode_photo("me.jpg")?;
/// if let Some(&face) = FaceDetector::new()?.detect(&photo).first() {
///     crop_face(&photo, face, 128).save("face.png").ok();
/// }
/// # Ok::<(), ganimation_data::Error>(())
/// ```
pub struct FaceDetector {
    model: Model,
}

impl fmt::Debug for FaceDetector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaceDetector").finish_non_exhaustive()
    }
}

impl FaceDetector {
    /// Loads the built-in detector.
    ///
    /// # Errors
    /// [`Error::DetectorModel`] if the built-in model is damaged.
    pub fn new() -> Result<Self> {
        let model = rustface::read_model(MODEL).map_err(|source| Error::DetectorModel { source })?;
        Ok(Self { model })
    }

    /// Finds the upright faces of a photo, the largest first. Boxes are in pixels of the photo.
    ///
    /// Faces smaller than [`FaceDetector::smallest_face`] are not returned.
    pub fn detect(&self, photo: &RgbImage) -> Vec<FaceBox> {
        Searched::new(photo).map_or_else(Vec::new, |searched| self.search(&searched))
    }

    fn search(&self, searched: &Searched) -> Vec<FaceBox> {
        let Searched {
            grey,
            scale,
            min_face,
        } = searched;
        let mut detector = rustface::create_detector_with_model(self.model.clone());
        configure(detector.as_mut());
        let found = detector.detect(&ImageData::new(grey.as_raw(), grey.width(), grey.height()));
        let mut faces: Vec<FaceBox> = found
            .iter()
            .map(|face| {
                let bounds = face.bbox();
                let back = |length: f64| scaled(length / scale);
                FaceBox {
                    x: back(bounds.x().into()),
                    y: back(bounds.y().into()),
                    size: back(bounds.width().into()).unsigned_abs(),
                    #[allow(clippy::cast_possible_truncation, reason = "a score needs no more than f32")]
                    score: face.score() as f32,
                }
            })
            .filter(|face| face.size >= *min_face)
            .collect();
        faces.sort_by(larger);
        faces
    }
}

/// Orders the larger face first. Of two faces with the same size, the one with the higher score is first.
fn larger(one: &FaceBox, other: &FaceBox) -> std::cmp::Ordering {
    other.size.cmp(&one.size).then(other.score.total_cmp(&one.score))
}

/// The copy of a photo that is searched.
struct Searched {
    grey: GrayImage,
    /// Its width and height, divided by the photo's.
    scale: f64,
    /// Minimum face size, in pixels of the photo.
    min_face: u32,
}

impl Searched {
    /// `None` if the photo is too small for any face.
    fn new(photo: &RgbImage) -> Option<Self> {
        let (width, height) = photo.dimensions();
        if width.min(height) < MIN_FACE_EVER {
            return None;
        }
        let (min_face, scale) = (min_face(width, height), scale(width, height));
        let searched = |side: u32| scaled(f64::from(side) * scale).unsigned_abs().max(WINDOW);
        let grey = imageops::grayscale(photo);
        let grey = match (searched(width), searched(height)) {
            size if size == (width, height) => grey,
            (width, height) => imageops::resize(&grey, width, height, FilterType::Triangle),
        };
        Some(Self {
            grey,
            scale,
            min_face,
        })
    }
}

impl FaceDetector {
    /// Width of the smallest faces that are found in photos of this size, in pixels: 60, less in small photos, more in
    /// photos of more than 18 megapixels.
    pub fn smallest_face(width: u32, height: u32) -> u32 {
        let window = scaled(f64::from(WINDOW) / scale(width, height)).unsigned_abs();
        min_face(width, height).max(window.min(width.max(height)))
    }
}

/// Minimum face size in pixels: a sixth of the shorter side, but at least 20 and at most 60.
fn min_face(width: u32, height: u32) -> u32 {
    (width.min(height) / 6).clamp(MIN_FACE_EVER, MIN_FACE)
}

/// Width and height of the copy that is searched, divided by the photo's.
fn scale(width: u32, height: u32) -> f64 {
    let longer = f64::from(width.max(height));
    if longer > f64::from(MAX_SEARCHED_SIDE) {
        let all = (MAX_SEARCHED_PIXELS / (f64::from(width) * f64::from(height))).sqrt();
        all.max(f64::from(MAX_SEARCHED_SIDE) / longer).min(1.0)
    } else {
        // The window must fit into the photo, and the smallest face must fill the window.
        (f64::from(WINDOW) / f64::from(min_face(width, height))).max(1.0)
    }
}

fn configure(detector: &mut dyn Detector) {
    detector.set_score_thresh(MIN_SCORE);
    detector.set_pyramid_scale_factor(PYRAMID);
    detector.set_slide_window_step(STEP, STEP);
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "lengths in a photo are far below 2^31"
)]
fn scaled(length: f64) -> i32 {
    length.round() as i32
}

/// Crops a face and resizes it to `out_size` pixels with Lanczos, like the training faces.
///
/// The photo is reflected at its borders.
///
/// # Panics
/// Panics if the photo, the box or `out_size` is empty.
pub fn crop_face(photo: &RgbImage, face: FaceBox, out_size: u32) -> RgbImage {
    let (width, height) = photo.dimensions();
    assert!(
        width > 0 && height > 0 && face.size > 0 && out_size > 0,
        "cannot cut {} px out of {width} x {height} px to {out_size} px",
        face.size
    );
    let cut: RgbImage = ImageBuffer::from_fn(face.size, face.size, |x, y| {
        let x = reflect(i64::from(face.x) + i64::from(x), width);
        let y = reflect(i64::from(face.y) + i64::from(y), height);
        *photo.get_pixel(x, y)
    });
    if face.size == out_size {
        return cut;
    }
    imageops::resize(&cut, out_size, out_size, FilterType::Lanczos3)
}

/// Reflects a coordinate into `0..length` without repeating the edge: … 2 1 | 0 1 2 … n-1 | n-2 ….
fn reflect(at: i64, length: u32) -> u32 {
    let last = i64::from(length) - 1;
    if last == 0 {
        return 0;
    }
    let folded = at.rem_euclid(2 * last);
    u32::try_from(folded.min(2 * last - folded)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;
    use std::path::Path;

    /// A portrait of an astronaut, public domain (NASA), 512 x 512 px.
    fn astronaut() -> RgbImage {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/astronaut.png");
        crate::picture::decode_photo(path).unwrap()
    }

    fn centre(face: &FaceBox) -> (f64, f64) {
        let half = f64::from(face.size) / 2.0;
        (f64::from(face.x) + half, f64::from(face.y) + half)
    }

    #[test]
    fn a_portrait_s_face_is_found_at_every_size() {
        let photo = astronaut();
        let detector = FaceDetector::new().unwrap();
        let whole = detector.detect(&photo)[0];
        assert!((90..180).contains(&whole.size), "{whole:?}");
        // A smaller copy, and one beyond the size that is searched directly.
        for side in [192, 2_048] {
            let other = imageops::resize(&photo, side, side, FilterType::CatmullRom);
            let ratio = f64::from(side) / 512.0;
            let face = detector.detect(&other)[0];
            let (expected, found) = (centre(&whole), centre(&face));
            let slack = 12.0 * ratio;
            assert!((found.0 - expected.0 * ratio).abs() < slack, "{whole:?} {face:?}");
            assert!((found.1 - expected.1 * ratio).abs() < slack, "{whole:?} {face:?}");
        }
    }

    #[test]
    fn small_faces_of_a_large_photo_are_found() {
        let mut photo = RgbImage::from_pixel(3_600, 2_400, Rgb([119; 3]));
        let portrait = imageops::resize(&astronaut(), 340, 340, FilterType::Lanczos3);
        let corners = [(40, 30), (3_250, 1_900), (1_700, 1_000), (2_200, 90)];
        for (x, y) in corners {
            imageops::replace(&mut photo, &portrait, x, y);
        }
        let found = FaceDetector::new().unwrap().detect(&photo);
        for (x, y) in corners {
            let inside = |face: &&FaceBox| {
                let (across, down) = centre(face);
                (across - x as f64 - 149.0).abs() < 20.0 && (down - y as f64 - 77.0).abs() < 20.0
            };
            let face = found.iter().find(inside);
            assert!(face.is_some_and(|face| face.size < 100), "{x} {y}: {found:?}");
        }
    }

    #[test]
    fn the_smallest_face_grows_with_photos_beyond_the_limit() {
        for (size, expected) in [
            ((512, 600), 60),
            ((150, 400), 25),
            ((1_600, 1_200), 60),
            ((4_000, 3_000), 60),
            ((6_000, 4_000), 69),
            ((12_000, 10_000), 155),
        ] {
            assert_eq!(FaceDetector::smallest_face(size.0, size.1), expected, "{size:?}");
        }
    }

    #[test]
    fn no_face_is_found_where_there_is_none() {
        let detector = FaceDetector::new().unwrap();
        for (width, height) in [(1, 1), (19, 300), (20, 20), (30, 400), (200, 90)] {
            let flat = RgbImage::from_pixel(width, height, Rgb([90; 3]));
            assert!(detector.detect(&flat).is_empty());
        }
    }

    #[test]
    fn the_whole_picture_is_a_box_that_overhangs_the_shorter_side() {
        let at = |x, y| FaceBox {
            x,
            y,
            size: 128,
            score: 0.0,
        };
        assert_eq!(FaceBox::around((80, 128)), at(-24, 0));
        assert_eq!(FaceBox::around((128, 128)), at(0, 0));
    }

    #[test]
    fn a_crop_reflects_what_overhangs() {
        let photo = RgbImage::from_fn(4, 3, |x, y| Rgb([u8::try_from(x * 10 + y).unwrap(); 3]));
        let face = FaceBox {
            x: -2,
            y: -1,
            size: 6,
            score: 9.0,
        };
        let cut = crop_face(&photo, face, 6);
        let row = |y| (0..6).map(|x| cut.get_pixel(x, y).0[0]).collect::<Vec<_>>();
        assert_eq!(row(0), [21, 11, 1, 11, 21, 31]);
        assert_eq!(row(1), [20, 10, 0, 10, 20, 30]);
        assert_eq!(row(5), [20, 10, 0, 10, 20, 30]);
        assert_eq!(crop_face(&photo, face, 12).dimensions(), (12, 12));
    }

    #[test]
    fn reflection_never_leaves_the_photo() {
        for length in 1..5 {
            for at in -20..20 {
                assert!(reflect(at, length) < length);
            }
        }
    }
}
