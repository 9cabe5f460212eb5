//! Tracking of faces from frame to frame.

use ganimation_data::film::FrameRate;
use ganimation_data::{FaceBox, FaceDetector, Intensities, Turn};
use image::RgbImage;
use image::imageops;

use super::FilmFaces;
use crate::photo::{CropMode, PhotoOptions, scaled, smaller};
use crate::{Animator, Result};

/// Minimum intersection over union of the boxes of one face in consecutive frames.
const SAME: f64 = 0.3;
/// Maximum gap, in seconds, without a detection (for example in blurred frames) after which a face is still tracked.
const GAP: f64 = 0.2;
/// Interval in seconds at which whole frames are searched for new faces.
const LOOK: f64 = 0.5;
/// Longer side of the reduced frame that is searched, in pixels.
const SIDE: u32 = 1_280;
/// Size of the search area of a tracked face, relative to its box.
const AROUND: f64 = 2.0;
/// Side of the reduced search area, in pixels. The face is about 100 pixels wide in it.
const NEAR: u32 = 200;
/// Minimum score of a new face. It is higher than for photos, because the many frames of a film give more false
/// detections.
const NEW: f32 = 6.0;
/// Minimum mean difference of two consecutive frames at a cut, in levels.
const CUT: f64 = 40.0;
/// Size of the reduced frames for this comparison.
const THUMBNAIL: (u32, u32) = (32, 18);

/// Tracks the faces of a film, frame by frame. [`FaceTracker::finish`] returns all faces.
///
/// ```no_run
/// # #[cfg(feature = "bundled")] {
/// use ganimation::{Animator, Expression, FaceTracker, PhotoOptions};
/// use ganimation_data::film::{FilmReader, FilmSource};
///
/// let animator = Animator::bundled()?;
/// let film = FilmSource::open("film.mp4".as_ref())?;
/// let mut tracker = FaceTracker::new(&animator, &PhotoOptions::new(), film.rate())?;
/// for frame in FilmReader::open(&film, None)? {
///     tracker.track(&frame?);
/// }
/// let faces = tracker.finish();
/// println!("{} faces in {} frames", faces.count(), faces.frames());
/// # }
/// # Ok::<(), ganimation::Error>(())
/// ```
pub struct FaceTracker<'a> {
    animator: &'a Animator,
    detector: FaceDetector,
    whole: bool,
    rate: FrameRate,
    frames: usize,
    searched: usize,
    thumbnail: Option<RgbImage>,
    /// The current tracks.
    open: Vec<Track>,
    done: Vec<Track>,
}

/// A frame number, and the box and the intensities of a face in this frame.
type Sight = (usize, FaceBox, Intensities);

/// A face from its first detection until it is lost.
#[derive(Clone, Debug)]
pub(super) struct Track {
    /// The first frame, counted from 0.
    pub(super) first: usize,
    /// Whether it begins at the start of the film or at a cut.
    pub(super) begins_whole: bool,
    /// Whether it begins at a cut.
    pub(super) after_cut: bool,
    /// Whether it ends at the end of the film or at a cut.
    pub(super) ends_whole: bool,
    /// Its detections.
    seen: Vec<Sight>,
}

impl<'a> FaceTracker<'a> {
    /// A tracker for a film with frame rate `rate`. With [`CropMode::None`], each whole frame is a face.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) if the detector cannot be loaded.
    pub fn new(animator: &'a Animator, options: &PhotoOptions, rate: FrameRate) -> Result<Self> {
        Ok(Self {
            animator,
            detector: FaceDetector::new()?,
            whole: options.crop == CropMode::None,
            rate,
            frames: 0,
            searched: 0,
            thumbnail: None,
            open: Vec::new(),
            done: Vec::new(),
        })
    }

    /// Processes the next frame. Returns the number of tracked faces in it.
    pub fn track(&mut self, frame: &RgbImage) -> usize {
        let cut = self.is_cut(frame);
        if cut {
            self.close(|_| true, true);
        }
        let found = match self.whole {
            true => vec![FaceBox::around(frame.dimensions())],
            false => self.find(frame, cut),
        };
        let places: Vec<_> = found.iter().map(|&face| (face, Turn::None)).collect();
        for (face, shown) in found.into_iter().zip(self.animator.read(frame, &places)) {
            let here = (self.frames, face, shown);
            let known = self.open.iter_mut().filter(|track| track.end() <= self.frames);
            let nearest = known.max_by(|one, other| one.likeness(&face).total_cmp(&other.likeness(&face)));
            match nearest.filter(|track| track.likeness(&face) >= SAME) {
                Some(track) => track.seen.push(here),
                None => self.open.push(Track {
                    first: self.frames,
                    begins_whole: cut || self.frames == 0,
                    after_cut: cut,
                    ends_whole: false,
                    seen: vec![here],
                }),
            }
        }
        self.frames += 1;
        let (now, gap) = (self.frames, GAP * self.rate.fps());
        self.close(|track| (now - track.end()) as f64 > gap, false);
        self.open.iter().filter(|track| track.end() == now).count()
    }

    /// Ends the tracking and returns all faces.
    pub fn finish(mut self) -> FilmFaces {
        self.close(|_| true, true);
        FilmFaces::new(self.done, self.frames, self.rate)
    }

    /// The faces of a frame: the tracked ones near their last positions, and new ones at intervals.
    fn find(&mut self, frame: &RgbImage, cut: bool) -> Vec<FaceBox> {
        let mut found: Vec<FaceBox> = Vec::new();
        for track in &self.open {
            found.extend(track.last().and_then(|last| self.near(frame, last)));
        }
        let lost = found.len() < self.open.len() || self.open.is_empty();
        let often = (self.frames - self.searched) as f64 >= LOOK * self.rate.fps();
        if cut || lost || often || self.frames == 0 {
            self.searched = self.frames;
            found.extend(self.everywhere(frame));
        }
        // Keep the detection with the highest score for each face.
        found.sort_by(|one, other| other.score.total_cmp(&one.score));
        let mut kept: Vec<FaceBox> = Vec::new();
        for face in found {
            if kept.iter().all(|other| overlap(other, &face) < SAME) {
                kept.push(face);
            }
        }
        kept
    }

    /// Searches for a face near its last position.
    fn near(&self, frame: &RgbImage, before: FaceBox) -> Option<FaceBox> {
        let side = f64::from(before.size) * AROUND;
        let (width, height) = frame.dimensions();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "lengths in a frame are far below 2^31"
        )]
        let part = |start: i32, length: u32| {
            let centre = f64::from(start) + f64::from(before.size) / 2.0;
            let first = (centre - side / 2.0).max(0.0) as u32;
            let last = ((centre + side / 2.0).max(0.0) as u32).min(length);
            (first, last.saturating_sub(first))
        };
        let ((left, width), (top, height)) = (part(before.x, width), part(before.y, height));
        if width == 0 || height == 0 {
            return None;
        }
        let square = imageops::crop_imm(frame, left, top, width, height).to_image();
        let share = (f64::from(NEAR) / f64::from(width.max(height))).min(1.0);
        let faces = self.resized(&square, share);
        let moved = faces.into_iter().map(|face| FaceBox {
            x: face.x.saturating_add_unsigned(left),
            y: face.y.saturating_add_unsigned(top),
            ..face
        });
        moved
            .max_by(|one, other| overlap(one, &before).total_cmp(&overlap(other, &before)))
            .filter(|face| overlap(face, &before) >= SAME)
    }

    fn everywhere(&self, frame: &RgbImage) -> Vec<FaceBox> {
        let (width, height) = frame.dimensions();
        let share = (f64::from(SIDE) / f64::from(width.max(height))).min(1.0);
        let mut faces = self.resized(frame, share);
        faces.retain(|face| face.score >= NEW);
        faces
    }

    /// The faces of a scaled copy, in pixels of the original.
    fn resized(&self, picture: &RgbImage, share: f64) -> Vec<FaceBox> {
        if share >= 1.0 {
            return self.detector.detect(picture);
        }
        let (width, height) = picture.dimensions();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a side is a side"
        )]
        let copy = smaller(picture, (f64::from(width.max(height)) * share).round() as u32);
        let copy = copy.unwrap_or_else(|| picture.clone());
        let back = f64::from(width) / f64::from(copy.width());
        let faces = self.detector.detect(&copy).into_iter();
        faces.map(|face| scaled(face, back)).collect()
    }

    /// Whether there is a cut before this frame.
    fn is_cut(&mut self, frame: &RgbImage) -> bool {
        let (width, height) = THUMBNAIL;
        let now = imageops::thumbnail(frame, width, height);
        let before = self.thumbnail.replace(now.clone());
        before.is_some_and(|before| {
            let pairs = before.as_raw().iter().zip(now.as_raw());
            let sum: f64 = pairs.map(|(one, other)| f64::from(one.abs_diff(*other))).sum();
            sum / now.as_raw().len() as f64 > CUT
        })
    }

    /// Ends some of the tracks.
    fn close(&mut self, ends: impl Fn(&Track) -> bool, whole: bool) {
        let (ended, open): (Vec<Track>, _) = std::mem::take(&mut self.open).into_iter().partition(ends);
        let frames = self.frames;
        self.done.extend(ended.into_iter().map(|track| Track {
            ends_whole: whole && track.end() == frames,
            ..track
        }));
        self.open = open;
    }
}

impl Track {
    /// The frame after its last detection.
    pub(super) fn end(&self) -> usize {
        self.seen.last().map_or(self.first, |(frame, ..)| frame + 1)
    }

    /// Number of detections.
    pub(super) fn seen(&self) -> usize {
        self.seen.len()
    }

    /// The sum of the areas of its detections, in pixels.
    pub(super) fn room(&self) -> f64 {
        let area = |(_, face, _): &Sight| f64::from(face.size).powi(2);
        self.seen.iter().map(area).sum()
    }

    /// Whether it continues another track.
    pub(super) fn continues(&self, other: &Self) -> bool {
        self.seen
            .first()
            .is_some_and(|(_, face, _)| other.likeness(face) >= SAME)
    }

    fn last(&self) -> Option<FaceBox> {
        self.seen.last().map(|(_, face, _)| *face)
    }

    fn likeness(&self, face: &FaceBox) -> f64 {
        self.last().map_or(0.0, |last| overlap(&last, face))
    }

    /// Its boxes in all frames, interpolated where it was not detected.
    pub(super) fn boxes(&self) -> Vec<FaceBox> {
        self.filled(|one, next, share| {
            let mix = |one: f64, next: f64| one + (next - one) * share;
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between two lengths"
            )]
            FaceBox {
                x: mix(one.1.x.into(), next.1.x.into()).round() as i32,
                y: mix(one.1.y.into(), next.1.y.into()).round() as i32,
                size: mix(one.1.size.into(), next.1.size.into()).round() as u32,
                score: one.1.score,
            }
        })
    }

    /// Its intensities in all frames.
    pub(super) fn shown(&self) -> Vec<Intensities> {
        #[allow(clippy::cast_possible_truncation, reason = "a share")]
        self.filled(|one, next, share| between(&one.2, &next.2, share as f32))
    }

    fn filled<T>(&self, mix: impl Fn(&Sight, &Sight, f64) -> T) -> Vec<T> {
        let mut all = Vec::new();
        for [one, next] in self.seen.array_windows() {
            let frames = next.0 - one.0;
            all.extend((0..frames).map(|frame| mix(one, next, frame as f64 / frames as f64)));
        }
        all.extend(self.seen.last().map(|last| mix(last, last, 0.0)));
        all
    }
}

/// Interpolates between intensities.
pub(crate) fn between(one: &Intensities, other: &Intensities, share: f32) -> Intensities {
    let mut mixed = *one;
    for (unit, value) in other.iter() {
        mixed.set(unit, one.get(unit) + (value - one.get(unit)) * share);
    }
    mixed
}

/// Intersection over union.
fn overlap(one: &FaceBox, other: &FaceBox) -> f64 {
    let along = |one: (i32, u32), other: (i32, u32)| {
        let end = |(start, size): (i32, u32)| i64::from(start) + i64::from(size);
        (end(one).min(end(other)) - i64::from(one.0.max(other.0))).max(0) as f64
    };
    let common =
        along((one.x, one.size), (other.x, other.size)) * along((one.y, one.size), (other.y, other.size));
    let whole = f64::from(one.size).powi(2) + f64::from(other.size).powi(2) - common;
    if whole > 0.0 { common / whole } else { 0.0 }
}
