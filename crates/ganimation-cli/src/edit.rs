//! `ganimation edit`: edits the faces in a photo or a film.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use ganimation_data::film::FilmFormat;
use ganimation_data::save_image;

use super::expression_args::ExpressionArgs;
use super::film::{Film, is_film};
use super::inputs::{Networks, Opened, PICTURES, Photo, check_output_folder, check_outputs};
use super::output::{note, say};
use crate::error::{Error, Result};

const EXAMPLES: &str = "Examples:
  A smile, and one slightly stronger than in the photo:
    ganimation edit me.jpg --au 6=2 --au 12=3 -o smiling.png
    ganimation edit me.jpg --au 12=+1 -o happier.png

  An emotion with a strength of 0.8, only on the largest face:
    ganimation edit us.jpg --emotion happy=0.8 --face 1 -o happy.jpg

  A raised brow and everything else relaxed, with a strip of intermediate pictures:
    ganimation edit me.jpg --absolute --au inner-brow-raiser=3 -o brows.png --strip strip.png

  The expression of another person:
    ganimation edit me.jpg --like you.jpg -o like_you.png

  A film with its sound (needs ffmpeg); faces are tracked, and frames without a face do not change:
    ganimation edit film.mp4 --au 12=+2 -o happier.mp4

  Save an expression, and use it again:
    ganimation edit me.jpg --emotion sad=0.5 --au 25=1 --save mood.toml -o a.png
    ganimation edit you.jpg --from mood.toml -o b.png

  A picture that is a face crop:
    ganimation edit face.png --crop none --au 12=3 -o out.png";

/// Change the expression of the faces in a photo or a film
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    group = ArgGroup::new("task").args(["au", "emotion", "from", "like", "absolute"]).required(true).multiple(true),
)]
pub(super) struct Edit {
    #[command(flatten)]
    photo: Photo,

    #[command(flatten)]
    expression_args: ExpressionArgs,

    /// The photo to write (png, jpg, webp), or the film (mp4, mov, mkv, webm, gif, png, apng, or a folder); in png and
    /// webp, the transparency and the pixels outside the faces do not change
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Reduce the photo so that its longer side is at most this, in pixels
    #[arg(long, value_name = "PIXELS", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(64..))]
    max_side: Option<u32>,

    /// Also write a strip of each face: input, attention, colours and result (png, jpg, webp)
    #[arg(long, alias = "sheet", value_name = "FILE")]
    strip: Option<PathBuf>,

    /// Also write the expression to a file, for --from (toml)
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,

    #[command(flatten)]
    networks: Networks,
}

impl Edit {
    pub(super) fn run(self) -> Result<()> {
        if is_film(self.photo.path()) {
            return self.film();
        }
        let strip = self.strip.iter().map(|strip| (strip.as_path(), PICTURES));
        let save = self.save.iter().map(|save| (save.as_path(), &["toml"][..]));
        let outputs = strip.chain(save).chain([(self.output.as_path(), PICTURES)]);
        check_outputs(self.photo.path(), outputs)?;
        let animator = self.networks.load()?;
        let expression = self.expression_args.held(&animator)?;
        let Opened { photo, source } = self.photo.open(&animator, self.max_side)?;

        let frame = animator.edit(&photo, &expression);
        for loss in source.save(&self.output, photo.photo(), &frame.photo)? {
            note(format_args!("note: {}: {loss}", self.output.display()));
        }
        say(self.output.display())?;
        if let Some(strip) = &self.strip {
            save_image(strip, &ganimation::sheet::strip(&photo, &frame))?;
            say(strip.display())?;
        }
        if let Some(save) = &self.save {
            expression.save(save)?;
            say(save.display())?;
        }
        Ok(())
    }

    /// [`Edit::run`] for a film.
    fn film(self) -> Result<()> {
        let path = self.photo.path();
        if self.strip.is_some() {
            return Err(Error::NotOfFilms {
                path: path.to_owned(),
                why: "--strip shows one photo",
            });
        }
        let save = self.save.iter().map(|save| (save.as_path(), &["toml"][..]));
        if FilmFormat::of(&self.output) == Some(FilmFormat::Folder) {
            check_output_folder(&self.output)?;
            check_outputs(path, save)?;
        } else {
            let film = (self.output.as_path(), FilmFormat::EXTENSIONS);
            check_outputs(path, save.chain([film]))?;
        }
        let animator = self.networks.load()?;
        let expression = self.expression_args.held(&animator)?;
        let film = Film::open(&animator, path, self.photo.faces.of_film(self.max_side))?;
        film.edit(&animator, &expression, &self.output)?;
        say(self.output.display())?;
        if let Some(save) = &self.save {
            expression.save(save)?;
            say(save.display())?;
        }
        Ok(())
    }
}
