//! `ganimation animate`: one photo to a film.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ganimation::{AuCommand, Result, Sweep, contact_sheet};
use ganimation_data::{decode_photo, save_image, write_gif};
use image::imageops::FilterType;
use image::{DynamicImage, RgbImage};

use super::inputs::{Network, PICTURES, check_outputs};
use super::output::say;
use super::progress;

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
    /// Photo with a face (jpg, png, webp); the largest face is animated
    photo: PathBuf,

    /// Action unit and intensity: 12=0..4 moves it, 12=3 holds it; may be repeated
    #[arg(long = "au", value_name = "UNIT=FROM..TO", required = true)]
    au: Vec<AuCommand>,

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
        check_outputs(&self.photo, sheet.chain([(self.output.as_path(), FILMS)]))?;
        let sweep = Sweep::new(&self.au)?;
        let photo = at_most(decode_photo(&self.photo)?, self.max_side);
        let animator = self.network.load()?;
        let face = animator
            .face(photo)
            .map_err(|error| error.in_photo(&self.photo))?;

        let expressions = sweep.there_and_back(self.frames.into());
        let targets: Vec<_> = expressions
            .iter()
            .map(|expression| animator.target(&face, expression))
            .collect();
        let bar = progress::bar(targets.len(), "frames");
        let frames: Vec<_> = bar.wrap_iter(animator.frames(&face, &targets)).collect();
        bar.finish_and_clear();

        let photos: Vec<_> = frames.iter().map(|frame| frame.photo.clone()).collect();
        write_gif(&self.output, &photos, Duration::from_secs(1) / self.fps.into())?;
        say(self.output.display())?;
        if let Some(sheet) = &self.sheet {
            save_image(sheet, &contact_sheet(&face, &frames))?;
            say(sheet.display())?;
        }
        Ok(())
    }
}

/// The photo itself, or a smaller copy whose longer side has `max_side` pixels.
fn at_most(photo: RgbImage, max_side: u32) -> RgbImage {
    if photo.width().max(photo.height()) <= max_side {
        return photo;
    }
    DynamicImage::from(photo)
        .resize(max_side, max_side, FilterType::Lanczos3)
        .into_rgb8()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_photos_shrink_and_small_ones_stay() {
        assert_eq!(at_most(RgbImage::new(400, 100), 200).dimensions(), (200, 50));
        assert_eq!(at_most(RgbImage::new(40, 100), 100).dimensions(), (40, 100));
    }
}
