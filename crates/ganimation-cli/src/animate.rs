//! `ganimation animate`: makes a film from one photo.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use ganimation::sheet::contact_sheet;
use ganimation::{
    Animator, Clipped, Driver, DriverOptions, Ease, Expression, FacePhoto, Frame, FrameRate, Neutral,
    Timeline,
};
use ganimation_data::film::{FilmFormat, FilmOptions, FilmWriter};
use ganimation_data::save_image;

use super::expression_args::{ExpressionArgs, shown_by};
use super::inputs::{Networks, Opened, PICTURES, Photo, check_output_folder, check_outputs, photos_in};
use super::output::{note, say};
use super::progress;
use crate::error::{Error, LibraryError, Result};

/// Columns of a contact sheet, in addition to the input.
const STEPS: usize = 6;

const EXAMPLES: &str = "Examples:
  A smile that grows and fades:
    ganimation animate me.jpg --au 6=0..3 --au 12=0..4 --au 25=0..3 -o smile.gif

  From the photo's expression to an emotion, once, as a video:
    ganimation animate me.jpg --emotion surprise --once --ease out --frames 20 -o oh.mp4

  A film from a script, as an animated PNG (see assets/scripts):
    ganimation animate me.jpg --script blink_and_smile.toml -o film.png

  Changes that OpenFace measured in a video, added to the photo's expression:
    ganimation animate me.jpg --drive measured.csv -o driven.mp4
    ganimation animate me.jpg --drive two_faces.csv --drive-face 1 --neutral first --fps 25 -o driven.mp4

  The expressions of a folder of pictures, in the order of their names, as pictures:
    ganimation animate me.jpg --like frames/ -o driven/

With one value, the film starts at what the photo shows and ends at the value. 12=2..4 starts at 2; 12=3..3 stays at 3.";

/// Make a film of a face that changes its expression
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group = ArgGroup::new("task")
        .args(["au", "emotion", "from", "like", "absolute", "script", "drive"]).required(true).multiple(true),
)]
pub(super) struct Animate {
    #[command(flatten)]
    photo: Photo,

    #[command(flatten)]
    expression_args: ExpressionArgs,

    /// Read times, expressions and curves from a file (toml)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["au", "emotion", "from", "like", "absolute", "drive", "frames", "once", "ease"])]
    script: Option<PathBuf>,

    /// Follow a table of OpenFace's FeatureExtraction (csv), smoothed: the changes from --neutral, or the intensities
    /// with --absolute
    #[arg(long, value_name = "FILE", conflicts_with_all = ["au", "emotion", "from", "like", "frames", "once", "ease"])]
    drive: Option<PathBuf>,

    /// Face of the table to follow, by its face_id; by default the one with the most tracked rows
    #[arg(long, value_name = "ID", requires = "drive")]
    drive_face: Option<u64>,

    /// Set action units that are missing in the table to 0; tables of LibreFace and py-feat lack some
    #[arg(long, requires = "drive")]
    fill_absent: bool,

    /// Neutral frame of the driver: calm (low values of each unit), first (the first frame), or a time in seconds; by
    /// default calm, or first for a folder with --like
    #[arg(long, value_name = "WHEN", conflicts_with = "absolute")]
    neutral: Option<Neutral>,

    /// Number of frames, there and back; with --once, one way
    #[arg(long, value_name = "N", default_value_t = 24, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(2..=240))]
    frames: u16,

    /// Stop at the target expression, instead of returning to the start
    #[arg(long)]
    once: bool,

    /// Speed curve of the movement: linear, in, out, in-out or hold
    #[arg(long, value_name = "CURVE", default_value_t)]
    ease: Ease,

    /// Frames per second, 1 to 60, for example 25, 29.97 or 30000/1001; by default the table's rate with --drive, else 12
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = rate)]
    fps: Option<FrameRate>,

    /// How many times the film plays; 0 repeats endlessly (a video plays once)
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    loops: u16,

    /// The film to write: gif, png or apng (animated), mp4, mov, mkv or webm (needs ffmpeg), or a folder for pictures
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Also write a contact sheet of the first face: input, steps, attention and colours (png, jpg, webp)
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,

    /// Reduce the photo so that its longer side is at most this, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 800, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(64..))]
    max_side: u32,

    #[command(flatten)]
    networks: Networks,
}

fn rate(text: &str) -> Result<FrameRate> {
    Ok(text.parse()?)
}

impl Animate {
    pub(super) fn run(self) -> Result<()> {
        let sheet = self.sheet.iter().map(|sheet| (sheet.as_path(), PICTURES));
        if FilmFormat::of(&self.output) == Some(FilmFormat::Folder) {
            check_output_folder(&self.output)?;
            check_outputs(self.photo.path(), sheet)?;
        } else {
            let film = (self.output.as_path(), FilmFormat::EXTENSIONS);
            check_outputs(self.photo.path(), sheet.chain([film]))?;
        }
        let animator = self.networks.load()?;
        let (timeline, rate) = self.timeline(&animator)?;
        #[allow(clippy::cast_possible_truncation, reason = "a rate has few digits")]
        let mut expressions = timeline.frames(rate.fps() as f32);
        // A film that returns to the start shows the target expression in its middle.
        let shown = if self.goes_back() {
            expressions.len() / 2
        } else {
            expressions.len() - 1
        };
        if FilmFormat::of(&self.output) == Some(FilmFormat::Video) {
            expressions = expressions.repeat(self.loops.max(1).into());
        }
        let Opened { photo, source } = self.photo.open(&animator, Some(self.max_side))?;
        for loss in source.lost_in_film() {
            note(format_args!("note: {}: {loss}", self.output.display()));
        }
        self.note_beyond(&expressions, &photo);
        let steps = self.film(&animator, &photo, (&expressions, rate), &evenly(shown))?;
        say(self.output.display())?;
        if let Some(sheet) = &self.sheet {
            save_image(sheet, &contact_sheet(&photo, &steps))?;
            say(sheet.display())?;
        }
        Ok(())
    }

    fn goes_back(&self) -> bool {
        let folder = self
            .expression_args
            .like
            .as_ref()
            .is_some_and(|path| path.is_dir());
        !(self.once || self.script.is_some() || self.drive.is_some() || folder)
    }

    /// The timeline and the frame rate.
    fn timeline(&self, animator: &Animator) -> Result<(Timeline, FrameRate)> {
        let rate = self.fps.unwrap_or_default();
        let neutral = |usual| (!self.expression_args.absolute).then(|| self.neutral.unwrap_or(usual));
        let timeline = match (&self.script, &self.drive, &self.expression_args.like) {
            (Some(script), ..) => Timeline::load(script)?,
            (_, Some(table), _) => {
                let driver = self.driver(table)?;
                let timeline = Timeline::following(&driver.measured, neutral(Neutral::Calm));
                let timeline = timeline.map_err(|error| error.in_file(table))?;
                return Ok((timeline, self.fps.unwrap_or(driver.rate)));
            }
            (.., Some(folder)) if folder.is_dir() => {
                Timeline::following(&self.shown_in(animator, folder, rate)?, neutral(Neutral::First))?
            }
            _ => {
                let (start, end) = self.expression_args.ends(animator)?;
                #[allow(clippy::cast_possible_truncation, reason = "a rate has few digits")]
                let (frames, fps) = (f32::from(self.frames), rate.fps() as f32);
                if self.once {
                    Timeline::once(start, end, (frames - 1.0) / fps, self.ease)
                } else {
                    Timeline::there_and_back(start, end, frames / fps, self.ease)
                }
            }
        };
        Ok((timeline, rate))
    }

    fn driver(&self, table: &Path) -> Result<Driver> {
        let options = DriverOptions {
            face: self.drive_face,
            fill_absent: self.fill_absent,
        };
        let driver = Driver::load(table, &options)?;
        for remark in &driver.remarks {
            note(format_args!("note: {}: {remark}", table.display()));
        }
        Ok(driver)
    }

    /// Reports the first face's targets that are outside 0 to 5.
    fn note_beyond(&self, expressions: &[Expression], photo: &FacePhoto) {
        let beyond = photo
            .faces()
            .first()
            .map(|face| Clipped::in_frames(expressions, &face.intensities()));
        let beyond = beyond.unwrap_or_default();
        if beyond.is_empty() {
            return;
        }
        let units = beyond.iter().map(|clipped| {
            let (unit, furthest, frames) = (clipped.unit, clipped.furthest, clipped.frames);
            format!(
                "{unit} to {furthest:.1} ({frames} of {} frames)",
                expressions.len()
            )
        });
        note(format_args!(
            "note: the targets leave 0 to 5 and are limited: {}; --neutral selects the neutral frame of the driver",
            units.collect::<Vec<_>>().join(", ")
        ));
    }

    /// The intensities in the photos of a folder, one photo per frame.
    fn shown_in(
        &self,
        animator: &Animator,
        folder: &Path,
        rate: FrameRate,
    ) -> Result<Vec<(f32, ganimation::Intensities)>> {
        let photos = photos_in(folder)?;
        let bar = progress::bar(photos.len(), "faces");
        let mut shown = Vec::new();
        for (frame, path) in (0_u32..).zip(&photos) {
            match shown_by(animator, path, self.expression_args.like_crop) {
                #[allow(clippy::cast_possible_truncation, reason = "seconds of a film fit f32")]
                Ok(intensities) => shown.push(((f64::from(frame) / rate.fps()) as f32, intensities)),
                Err(error @ Error::Library(LibraryError::InFile { .. })) => {
                    bar.suspend(|| note(format_args!("skipped: {error}")))
                }
                Err(error) => return Err(error),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        if shown.is_empty() {
            return Err(Error::NoFaces {
                path: folder.to_owned(),
            });
        }
        Ok(shown)
    }

    /// Writes the film. Returns the frames with these numbers, with captions.
    fn film(
        &self,
        animator: &Animator,
        photo: &FacePhoto,
        (expressions, rate): (&[Expression], FrameRate),
        kept: &[usize],
    ) -> Result<Vec<(String, Frame)>> {
        let options = FilmOptions {
            rate,
            plays: self.loops,
            frames: u32::try_from(expressions.len()).unwrap_or(u32::MAX),
        };
        let mut film = FilmWriter::create(&self.output, options)?;
        if let Some(encoder) = film.substitute() {
            let path = self.output.display();
            note(format_args!(
                "note: {path}: ffmpeg does not have the preferred encoder; {encoder} is used"
            ));
        }
        let bar = progress::bar(expressions.len(), "frames");
        let mut steps = Vec::new();
        for (index, frame) in bar.wrap_iter(animator.frames(photo, expressions)).enumerate() {
            film.push(frame.photo.clone())?;
            if self.sheet.is_some() && kept.contains(&index) {
                steps.push((format!("frame {}", index + 1), frame));
            }
        }
        film.finish()?;
        bar.finish_and_clear();
        Ok(steps)
    }
}

/// Evenly spaced numbers from 0 to `last`, including both.
fn evenly(last: usize) -> Vec<usize> {
    let gaps = last.min(STEPS - 1);
    (0..=gaps)
        .map(|step| (step * last).checked_div(gaps).unwrap_or(0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_run_from_the_first_to_the_last() {
        assert_eq!(evenly(12), [0, 2, 4, 7, 9, 12]);
        assert_eq!(evenly(2), [0, 1, 2]);
        assert_eq!(evenly(0), [0]);
    }
}
