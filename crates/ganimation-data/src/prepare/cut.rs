//! From a photo to its face in the dataset.

use std::path::PathBuf;

use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage};
use std::io::Cursor;

use super::matching::{Match, choose};
use super::outcome::{Drop, Outcome, Reason};
use super::sources::{Label, Photo};
use super::{FaceFormat, PrepareConfig, Source};
use crate::au::MAX_INTENSITY;
use crate::dataset::PICTURES_DIR;
use crate::doctor::is_grey;
use crate::error::{Error, Result};
use crate::face::{FaceBox, FaceDetector, crop_face};
use crate::files::{MAX_FILE_BYTES, read_bounded, write_whole};
use crate::landmarks::{LANDMARK_COUNT, MARGIN};
use crate::openface::{Reading, read_openface};
use crate::picture::{MAX_MEGAPIXELS, whole_from_bytes};

/// Detects, labels, crops and writes faces.
pub(super) struct Cutter<'a> {
    pub(super) config: &'a PrepareConfig,
    pub(super) detector: FaceDetector,
    pub(super) source: Source<'a>,
}

impl Cutter<'_> {
    /// Writes the face of a photo, if it has one that can be used.
    ///
    /// # Errors
    /// Only [`Error::Write`] or [`Error::EncodePicture`]. A problem of the photo is not an error, but its outcome.
    pub(super) fn cut(&self, photo: &Photo) -> Result<Outcome> {
        let (face, matched) = match self.face(photo) {
            Ok(found) => found,
            Err(dropped) => return Ok(Outcome::Dropped(dropped)),
        };
        let grey = is_grey(&face);
        if grey && self.config.drop_grey {
            return Ok(Outcome::Dropped(Reason::Grey.because("")));
        }
        let path = picture_path(self.config, &photo.id);
        write_whole(&path, &encode(&path, &face, self.config.format)?)?;
        let off_scale = self.off_scale(photo, &matched);
        Ok(Outcome::Face {
            // Clamped to the range of `--drive` and of the networks' targets.
            intensities: matched
                .intensities
                .as_array()
                .map(|value| value.clamp(0.0, MAX_INTENSITY)),
            off_scale,
            grey,
            enlarged: matched.face.size < self.config.size,
            guessed: matched.guessed,
            landmarks: matched
                .landmarks
                .and_then(|points| in_crop(&points, matched.face, self.config.size)),
        })
    }

    /// The first intensity of a label that is outside 0 to 5 by more than rounding, with its position.
    fn off_scale(&self, photo: &Photo, matched: &Match) -> Option<String> {
        let (unit, found) = matched.intensities.off_scale().next()?;
        let table = match (&photo.label, self.source) {
            (Label::Table(table), _) => table.as_path(),
            (_, Source::Frames(table)) => table,
            _ => &photo.path,
        };
        let line = matched.line.map_or(String::new(), |line| format!(":{line}"));
        Some(format!("{}{line}: {unit} = {found}", table.display()))
    }

    /// The cropped face of a photo, and its match with the label.
    fn face(&self, photo: &Photo) -> Result<(RgbImage, Match), Drop> {
        let table;
        let readings: Option<&[Reading]> = match &photo.label {
            Label::Missing(dropped) => return Err(dropped.clone()),
            Label::Estimator => None,
            Label::Rows(rows) => Some(rows),
            Label::Table(path) => {
                table = read_openface(path).map_err(|error| match error {
                    Error::OffScale { .. } => dropped(&error, Reason::OffScale),
                    _ => dropped(&error, Reason::BadTable),
                })?;
                Some(&table)
            }
        };
        let bytes =
            read_bounded(&photo.path, MAX_FILE_BYTES).map_err(|error| dropped(&error, Reason::Unreadable))?;
        let picture = whole_from_bytes(&photo.path, &bytes, MAX_MEGAPIXELS)
            .map_err(|error| dropped(&error, Reason::Unreadable))?;
        let size = picture.dimensions();
        let faces = match self.config.whole {
            true => vec![FaceBox::around(size)],
            false => self.detector.detect(&picture),
        };
        match (readings, self.source) {
            (None, Source::Estimator(_, read)) => {
                let largest = faces
                    .first()
                    .ok_or_else(|| Reason::NoFace.because(format!("in {} x {} pixels", size.0, size.1)))?;
                let face = crop_face(&picture, *largest, self.config.size);
                let intensities = read(&face);
                Ok((face, matched(*largest, intensities)))
            }
            (readings, _) => {
                let found = choose(
                    readings.unwrap_or_default(),
                    &faces,
                    size,
                    self.config.min_confidence,
                )?;
                Ok((crop_face(&picture, found.face, self.config.size), found))
            }
        }
    }
}

fn matched(face: FaceBox, intensities: crate::au::Intensities) -> Match {
    Match {
        face,
        intensities,
        guessed: false,
        landmarks: None,
        line: None,
    }
}

/// Landmarks in pixels of a face's crop, rounded to hundredths. `None` if a landmark is so far outside that opening the
/// dataset would refuse it.
fn in_crop(points: &[[f32; 2]; LANDMARK_COUNT], face: FaceBox, size: u32) -> Option<Vec<[f32; 2]>> {
    let (corner, scale) = (
        [f64::from(face.x), f64::from(face.y)],
        f64::from(size) / f64::from(face.size),
    );
    let inside = -MARGIN..=1.0 + MARGIN;
    let moved = points.iter().map(|point| {
        let [x, y] = [0, 1].map(|axis| (f64::from(point[axis]) - corner[axis]) * scale);
        let near = [x, y]
            .iter()
            .all(|value| inside.contains(&(value / f64::from(size))));
        #[allow(
            clippy::cast_possible_truncation,
            reason = "a place in a crop, to hundredths of a pixel"
        )]
        near.then(|| [x, y].map(|value| ((value * 100.0).round() / 100.0) as f32))
    });
    moved.collect()
}

/// The path of an id's face.
pub(super) fn picture_path(config: &PrepareConfig, id: &str) -> PathBuf {
    let extension = match config.format {
        FaceFormat::Jpeg(_) => "jpg",
        FaceFormat::Png => "png",
    };
    config.output.join(PICTURES_DIR).join(format!("{id}.{extension}"))
}

fn encode(path: &std::path::Path, face: &RgbImage, format: FaceFormat) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoded = match format {
        FaceFormat::Jpeg(quality) => JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(face),
        FaceFormat::Png => face.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png),
    };
    encoded.map_err(|source| Error::EncodePicture {
        path: path.to_owned(),
        source,
    })?;
    Ok(bytes)
}

/// A file that cannot be read may be readable in the next run. A damaged file stays damaged.
fn dropped(error: &Error, damaged: Reason) -> Drop {
    let reason = match error {
        Error::Read { .. } => Reason::Gone,
        _ => damaged,
    };
    reason.because(error.with_sources())
}
