//! The work on photos: opening, editing and saving them, and making films. It is slow, so it must run on a thread of a
//! lane.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ganimation::{ActionUnit, Animator, Ease, Expression, FaceBox, FacePhoto, PhotoOptions, Timeline};
use ganimation_data::film::gif_bytes;
use ganimation_data::picture::photo_from_bytes;
use image::codecs::png::CompressionType;
use image::{DynamicImage, imageops};
use serde::{Deserialize, Serialize};

use super::rejection::Rejection;
use super::reply::{Reply, png};
use super::sessions::{Session, Sessions};

/// Maximum size of a photo, in megapixels: enough for large phone cameras. Decoding needs half a gigabyte.
const MEGAPIXELS: u64 = 64;
/// Maximum number of edited faces in a photo.
const FACES: usize = 16;
/// Longer side of the preview on the page, in pixels.
const PREVIEW: u32 = 1_024;
/// The film has the defaults of `ganimation animate`: longer side in pixels, seconds, frames per second.
const FILM: (u32, f32, f32) = (800, 2.0, 12.0);

/// The network and the stored photos.
pub(super) struct Studio {
    animator: Animator,
    sessions: Sessions,
}

/// The parameters of a requested edit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EditParams {
    /// Name of the photo, as returned by [`Studio::open`].
    pub(super) session: String,
    /// Number of the slider position, which increases with each change.
    pub(super) turn: u64,
    /// Number of the face, from 1; all faces if absent.
    face: Option<usize>,
    /// Intensities, 0 to 5, of some action units; the others keep the photo's intensities.
    units: BTreeMap<String, f32>,
}

/// An opened photo; lengths are in pixels.
#[derive(Serialize)]
struct Opened {
    session: String,
    width: u32,
    height: u32,
    /// In pixels of the preview, which is in the same reply.
    faces: Vec<Face>,
}

#[derive(Serialize)]
struct Face {
    x: i32,
    y: i32,
    size: u32,
    /// Estimated intensities, 0 to 5, by the action unit's number.
    shown: BTreeMap<u8, f32>,
}

/// The part of the preview that an edit may change; lengths are in pixels.
#[derive(Serialize)]
struct Patch {
    x: u32,
    y: u32,
    faces: Vec<Face>,
}

impl Studio {
    pub(super) fn new(animator: Animator) -> Self {
        Self {
            animator,
            sessions: Sessions::default(),
        }
    }

    pub(super) fn session(&self, name: &str) -> Result<Arc<Session>, Rejection> {
        self.sessions.get(name)
    }

    /// Decodes a photo, finds its faces and stores it. Returns facts and the part `photo`.
    pub(super) fn open(&self, bytes: Vec<u8>) -> Result<Reply, Rejection> {
        let photo = self.animator.detect(decode(&bytes)?, &PhotoOptions::new())?;
        let photo = photo.with_largest(FACES);
        let preview = photo.preview(PREVIEW);
        let (width, height) = photo.photo().dimensions();
        let (faces, shown) = (faces(&preview), DynamicImage::from(preview.photo().clone()));
        let session = self.sessions.keep(Session::new(bytes, &photo, preview))?;
        let mut reply = Reply::new(&Opened {
            session,
            width,
            height,
            faces,
        })?;
        reply.picture("photo", &shown)?;
        Ok(reply)
    }

    /// Edits the preview. Returns facts, the part `patch` with the area that may have changed, and a part `attention`
    /// for each face, in which white pixels are unchanged.
    pub(super) fn edit(&self, session: &Session, params: &EditParams) -> Result<Reply, Rejection> {
        if session.is_stale(params.turn) {
            return Err(Rejection::Stale);
        }
        let photo = params.faces_of(&session.preview)?;
        let frame = self.animator.edit(&photo, &params.expression()?);
        let (x, y, width, height) = around(&photo);
        let patch = imageops::crop_imm(&frame.photo, x, y, width, height).to_image();
        let mut reply = Reply::new(&Patch {
            x,
            y,
            faces: faces(&photo),
        })?;
        reply.picture("patch", &patch.into())?;
        for (face, edited) in photo.faces().iter().zip(frame.faces) {
            reply.picture("attention", &face.turn().back(&edited.kept).into())?;
        }
        Ok(reply)
    }

    /// Edits the uploaded photo at full resolution. Returns a PNG.
    pub(super) fn save(&self, session: &Session, params: &EditParams) -> Result<Vec<u8>, Rejection> {
        let expression = params.expression()?;
        let photo = self
            .animator
            .photo_at(decode(&session.original)?, &session.faces)?;
        let frame = self.animator.edit(&*params.faces_of(&photo)?, &expression);
        drop(photo);
        png(&frame.photo.into(), CompressionType::Default)
    }

    /// A GIF from the photo's expression to the requested one, and back.
    pub(super) fn film(&self, session: &Session, params: &EditParams) -> Result<Vec<u8>, Rejection> {
        let (side, seconds, fps) = FILM;
        let photo = params.faces_of(&session.preview)?.preview(side);
        let film = Timeline::there_and_back(Expression::new(), params.expression()?, seconds, Ease::InOut);
        let expressions = film.frames(fps);
        let frames = self.animator.frames(&photo, &expressions);
        let frames: Vec<_> = frames.map(|frame| frame.photo).collect();
        gif_bytes(&frames, Duration::from_secs_f32(fps.recip()), 0).map_err(Rejection::Film)
    }
}

impl EditParams {
    fn expression(&self) -> Result<Expression, Rejection> {
        let mut units = self.units.iter();
        let expression = units.try_fold(Expression::new(), |expression, (unit, &intensity)| {
            expression.with(unit.parse()?, intensity)
        });
        Ok(expression?)
    }

    /// The photo with the requested faces.
    fn faces_of<'a>(&self, photo: &'a FacePhoto) -> Result<Cow<'a, FacePhoto>, Rejection> {
        Ok(match self.face {
            Some(number) => Cow::Owned(photo.with_face(number)?),
            None => Cow::Borrowed(photo),
        })
    }
}

fn decode(bytes: &[u8]) -> Result<image::RgbImage, Rejection> {
    Ok(photo_from_bytes(Path::new("that was sent"), bytes, MEGAPIXELS)?)
}

fn faces(photo: &FacePhoto) -> Vec<Face> {
    let faces = photo.faces().iter().map(|face| {
        let FaceBox { x, y, size, .. } = face.bounds();
        let shown = face.intensities();
        let units = ActionUnit::ALL.into_iter();
        let shown = units.map(|unit| (unit.number(), shown.get(unit))).collect();
        Face { x, y, size, shown }
    });
    faces.collect()
}

/// The rectangle of the photo that contains all faces: left, top, width, height.
fn around(photo: &FacePhoto) -> (u32, u32, u32, u32) {
    let (width, height) = photo.photo().dimensions();
    let inside = |at: i64, length: u32| u32::try_from(at.clamp(0, length.into())).unwrap_or(length);
    let (mut left, mut top, mut right, mut bottom) = (width, height, 0, 0);
    for face in photo.faces() {
        let FaceBox { x, y, size, .. } = face.bounds();
        left = left.min(inside(x.into(), width));
        top = top.min(inside(y.into(), height));
        right = right.max(inside(i64::from(x) + i64::from(size), width));
        bottom = bottom.max(inside(i64::from(y) + i64::from(size), height));
    }
    (left, top, right.saturating_sub(left), bottom.saturating_sub(top))
}
