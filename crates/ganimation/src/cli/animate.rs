//! `ganimation animate`: one photo to a film.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ganimation::{Ease, Result, Timeline, contact_sheet};
use ganimation_data::{save_image, write_gif};

use super::inputs::{Network, PICTURES, Photo, check_outputs};
use super::output::say;
use super::progress;
use super::wanted::Wanted;

/// Film formats that can be written.
const FILMS: &[&str] = &["gif"];

const EXAMPLES: &str = "Examples:
  A smile that grows and fades again:
    ganimation animate me.jpg --au 6=0..3 --au 12=0..4 --au 25=0..3 -o smile.gif

  The same by name, with a contact sheet of what the network painted:
    ganimation animate me.jpg --au lip-corner-puller=0..4 -o smile.gif --sheet smile.png";

/// Make a film of a face that moves from one expression to another and back
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Animate {
    #[command(flatten)]
    photo: Photo,

    #[command(flatten)]
    wanted: Wanted,

    /// Frames of the film, there and back
    #[arg(long, value_name = "N", default_value_t = 24, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(2..=240))]
    frames: u16,

    /// Frames a second
    #[arg(long, value_name = "N", default_value_t = 12, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=50))]
    fps: u16,

    /// The film to write (gif)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Also write a contact sheet: input, steps, attention and colours (png, jpg, webp)
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,

    /// Make photos with a longer side than this smaller first, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 800, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(64..))]
    max_side: u32,

    #[command(flatten)]
    network: Network,
}

impl Animate {
    pub(super) fn run(self) -> Result<()> {
        let sheet = self.sheet.iter().map(|sheet| (sheet.as_path(), PICTURES));
        check_outputs(self.photo.path(), sheet.chain([(self.output.as_path(), FILMS)]))?;
        let (start, end) = self.wanted.ends()?;
        let fps = f32::from(self.fps);
        let film = Timeline::there_and_back(start, end, f32::from(self.frames) / fps, Ease::InOut);
        let animator = self.network.load()?;
        let photo = self.photo.open(&animator, Some(self.max_side))?;

        let expressions = film.frames(fps);
        let bar = progress::bar(expressions.len(), "frames");
        let frames: Vec<_> = bar.wrap_iter(animator.frames(&photo, &expressions)).collect();
        bar.finish_and_clear();

        let photos: Vec<_> = frames.iter().map(|frame| frame.photo.clone()).collect();
        write_gif(&self.output, &photos, Duration::from_secs(1) / self.fps.into())?;
        say(self.output.display())?;
        if let Some(sheet) = &self.sheet {
            save_image(sheet, &contact_sheet(&photo, &frames))?;
            say(sheet.display())?;
        }
        Ok(())
    }
}
