//! Films: tracking and editing of their faces.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ganimation::{Animator, Expression, FaceTracker, FilmFaces, PhotoOptions};
use ganimation_data::file_extension;
use ganimation_data::film::{FilmFormat, FilmOptions, FilmWriter};
use ganimation_data::film::{FilmReader, FilmSource};

use super::output::note;
use super::progress;
use super::train::stop_on_interrupt;
use crate::error::{Error, LibraryError, Result};

/// Extensions of films that can be read.
const FILMS: &[&str] = &[
    "mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "mts", "m2ts", "ts", "wmv", "3gp", "ogv", "flv",
];

/// Whether a path has the extension of a film.
pub(super) fn is_film(path: &Path) -> bool {
    FILMS.contains(&file_extension(path).as_str())
}

/// A film and its tracked faces.
pub(super) struct Film {
    pub(super) source: FilmSource,
    pub(super) faces: FilmFaces,
    max_side: Option<u32>,
    stop: Arc<AtomicBool>,
}

impl Film {
    /// Tracks the faces of a film, or one of them, and prints notes about the film.
    pub(super) fn open(
        animator: &Animator,
        path: &Path,
        (options, face, max_side): (PhotoOptions, Option<usize>, Option<u32>),
    ) -> Result<Self> {
        let source = FilmSource::open(path)?;
        for remark in source.remarks() {
            note(format_args!("note: {}: {remark}", path.display()));
        }
        let bar = progress::bar(expected(&source), "looking");
        let stop = Arc::new(AtomicBool::new(false));
        stop_on_interrupt(&stop, bar.clone());
        let mut tracker = FaceTracker::new(animator, &options, source.rate())?;
        let mut frames = FilmReader::open(&source, max_side)?;
        for frame in frames.by_ref() {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            tracker.track(&frame?);
            bar.inc(1);
        }
        // Ctrl-C also ends ffmpeg. The reader can notice this before the request to stop.
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        bar.finish_and_clear();
        if let Some(damage) = frames.damage() {
            note(format_args!("note: {}: damaged: {damage}", path.display()));
        }
        let mut faces = tracker.finish();
        if faces.count() == 0 {
            return Err(Error::NoFaceInFilm {
                path: path.to_owned(),
                frames: faces.frames(),
            });
        }
        if let Some(number) = face {
            let found = faces.count();
            if number == 0 || number > found {
                return Err(LibraryError::NoSuchFace { number, found }.in_file(path).into());
            }
            faces = faces.only(number);
        }
        let (all, empty) = (faces.frames(), faces.empty());
        if empty > 0 {
            note(format_args!(
                "note: {}: no face in {empty} of {all} frames",
                path.display()
            ));
        }
        Ok(Self {
            source,
            faces,
            max_side,
            stop,
        })
    }

    /// Edits the faces and writes the film with its sound and frame rate.
    pub(super) fn edit(&self, animator: &Animator, expression: &Expression, output: &Path) -> Result<()> {
        let options = FilmOptions {
            rate: self.source.rate(),
            plays: 0,
            frames: u32::try_from(self.faces.frames()).unwrap_or(u32::MAX),
        };
        let mut film = FilmWriter::create_with_sound(output, options, &self.source)?;
        if self.source.has_sound() && FilmFormat::of(output) != Some(FilmFormat::Video) {
            note(format_args!(
                "note: {}: the format cannot store the sound",
                output.display()
            ));
        }
        let bar = progress::bar(self.faces.frames(), "frames");
        let mut frames = FilmReader::open(&self.source, self.max_side)?;
        for number in 0..self.faces.frames() {
            let frame = match frames.next() {
                _ if self.stop.load(Ordering::Relaxed) => {
                    bar.suspend(|| note("nothing is written"));
                    return Err(Error::Stopped);
                }
                Some(frame) => frame?,
                None => {
                    return Err(Error::FilmChanged {
                        path: self.source.path().to_owned(),
                    });
                }
            };
            let edited = animator.edit_frame(frame, &self.faces.at(number), expression)?;
            self.unless_stopped(film.push(edited))?;
            bar.inc(1);
        }
        self.unless_stopped(film.finish())?;
        bar.finish_and_clear();
        Ok(())
    }

    /// An error after Ctrl-C counts as a stop, because Ctrl-C also ends ffmpeg.
    fn unless_stopped(&self, written: ganimation_data::Result<()>) -> Result<()> {
        match written {
            Err(_) if self.stop.load(Ordering::Relaxed) => Err(Error::Stopped),
            written => Ok(written?),
        }
    }
}

fn expected(source: &FilmSource) -> usize {
    let frames = source.frames().unwrap_or(0);
    usize::try_from(frames).unwrap_or(usize::MAX)
}
