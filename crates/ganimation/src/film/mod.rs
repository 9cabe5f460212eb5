//! The tracked faces of a film, with smoothed boxes and intensities.

mod render;
mod steady;
mod track;

use ganimation_data::film::FrameRate;
use ganimation_data::{FaceBox, Intensities};

pub use render::Film;
use steady::steady;
pub use track::FaceTracker;
use track::Track;
pub(crate) use track::between;

use crate::motion::smoothed;

/// Duration of the fade of an edit, in seconds, when a face appears or disappears.
const FADE: f64 = 0.2;
/// Maximum gap, in seconds, after which a face at the same position still counts as the same face.
const ABSENT: f64 = 2.0;
/// Minimum time, in seconds, for which a face must be detected. Shorter detections count as false.
const SEEN: f64 = 0.25;

/// A face in a film frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilmFace {
    /// The number of the face in the film, from 1 for the face with the largest total area.
    pub number: usize,
    /// The square around the face, stabilised. It can extend beyond the frame.
    pub bounds: FaceBox,
    /// The smoothed intensities.
    pub shown: Intensities,
    /// The strength of the edit, 0 to 1: it fades in and out.
    pub strength: f32,
}

/// The faces of all frames of a film. One face at 30 frames per second needs about 160 kB of memory per minute.
#[derive(Clone, Debug)]
pub struct FilmFaces {
    parts: Vec<Part>,
    frames: usize,
}

/// A face from its appearance until it is lost.
#[derive(Clone, Debug)]
struct Part {
    number: usize,
    first: usize,
    faces: Vec<(FaceBox, Intensities, f32)>,
}

impl FilmFaces {
    fn new(tracks: Vec<Track>, frames: usize, rate: FrameRate) -> Self {
        let fps = rate.fps();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a fraction of a second"
        )]
        let least = ((SEEN * fps) as usize).clamp(1, (frames / 2).max(1));
        let mut tracks: Vec<Track> = tracks.into_iter().filter(|track| track.seen() >= least).collect();
        tracks.sort_by_key(|track| track.first);
        let owners = owners(&tracks, fps);
        let mut room = vec![0.0; tracks.len()];
        for (track, &owner) in tracks.iter().zip(&owners) {
            room[owner] += track.room();
        }
        let mut ranked: Vec<usize> = (0..tracks.len()).filter(|&at| owners[at] == at).collect();
        ranked.sort_by(|&one, &other| room[other].total_cmp(&room[one]));
        let number = |owner: usize| 1 + ranked.iter().position(|&at| at == owner).unwrap_or_default();
        let parts = tracks.iter().zip(&owners);
        let parts = parts.map(|(track, &owner)| part(track, number(owner), fps));
        Self {
            parts: parts.collect(),
            frames,
        }
    }

    /// Number of frames.
    pub const fn frames(&self) -> usize {
        self.frames
    }

    /// The largest number of a face: how many different faces there are, unless [`only`](Self::only) chose one.
    pub fn count(&self) -> usize {
        self.parts.iter().map(|part| part.number).max().unwrap_or(0)
    }

    /// Only the face with this number, from 1.
    #[must_use]
    pub fn only(mut self, number: usize) -> Self {
        self.parts.retain(|part| part.number == number);
        self
    }

    /// The faces of frame `frame`, counted from 0, in the order of their numbers.
    pub fn at(&self, frame: usize) -> Vec<FilmFace> {
        let mut faces: Vec<FilmFace> = self.parts.iter().filter_map(|part| part.at(frame)).collect();
        faces.sort_by_key(|face| face.number);
        faces
    }

    /// Number of frames without a face.
    pub fn empty(&self) -> usize {
        let mut seen = vec![false; self.frames];
        for part in &self.parts {
            let frames = seen.iter_mut().skip(part.first).take(part.faces.len());
            frames.for_each(|seen| *seen = true);
        }
        seen.into_iter().filter(|seen| !seen).count()
    }
}

impl Part {
    fn at(&self, frame: usize) -> Option<FilmFace> {
        let &(bounds, shown, strength) = self.faces.get(frame.checked_sub(self.first)?)?;
        Some(FilmFace {
            number: self.number,
            bounds,
            shown,
            strength,
        })
    }
}

/// For each track, the index of the first track of the same face.
fn owners(tracks: &[Track], fps: f64) -> Vec<usize> {
    let mut owners: Vec<usize> = (0..tracks.len()).collect();
    for (at, track) in tracks.iter().enumerate() {
        let before = (0..at).rev().find(|&other| {
            let other = &tracks[other];
            let away = track.first as f64 - other.end() as f64;
            (0.0..=ABSENT * fps).contains(&away) && !track.after_cut && track.continues(other)
        });
        if let Some(before) = before {
            owners[at] = owners[before];
        }
    }
    owners
}

fn part(track: &Track, number: usize, fps: f64) -> Part {
    let boxes = steady(&track.boxes(), fps);
    #[allow(clippy::cast_possible_truncation, reason = "seconds of a film fit f32")]
    let readings: Vec<_> = (0_u32..)
        .zip(track.shown())
        .map(|(frame, shown)| ((f64::from(frame) / fps) as f32, shown))
        .collect();
    let shown = smoothed(&readings);
    let last = boxes.len().saturating_sub(1);
    let fade = |frame: usize| {
        let ramp = |frames: usize, whole: bool| match whole {
            true => 1.0,
            #[allow(clippy::cast_possible_truncation, reason = "a share")]
            false => ((frames as f64 + 1.0) / (FADE * fps + 1.0)).min(1.0) as f32,
        };
        ramp(frame, track.begins_whole).min(ramp(last - frame, track.ends_whole))
    };
    let faces = boxes.into_iter().zip(shown).enumerate();
    Part {
        number,
        first: track.first,
        faces: faces
            .map(|(frame, (face, shown))| (face, shown, fade(frame)))
            .collect(),
    }
}
