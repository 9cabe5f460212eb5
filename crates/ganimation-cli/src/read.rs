//! `ganimation read`: estimates the action units of faces in photos and films.

mod film;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ganimation::{ActionUnit, PhotoFace, sheet};
use ganimation_data::save_image;
use serde_json::{Map, Value, json};

use super::film::is_film;
use super::inputs::{Faces, Networks, Opened, PICTURES, check_outputs, open};
use super::output::{note, say};
use crate::error::{Error, Result};

const EXAMPLES: &str = "Examples:
  A table to read:
    ganimation read me.jpg us.jpg

  A table for programs:
    ganimation read photos/*.jpg --format csv > units.csv

  Pictures that are face crops:
    ganimation read imgs/*.jpg --crop none --format csv > units.csv

  A film, as a table for `animate --drive` (needs ffmpeg):
    ganimation read film.mp4 --format csv > film.csv

  A picture with a bar for each action unit:
    ganimation read me.jpg --overlay units.png

Intensities are from 0 (absent) to 5 (maximal), like OpenFace's. A small network estimates them. They measure movements, not
emotions.";

/// Estimate the action units of the faces in photos or in a film
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Read {
    /// Photos with faces (jpg, png, webp, bmp, gif, qoi, tif), or one film (mp4, mov, mkv, webm, avi, …)
    #[arg(required = true)]
    photos: Vec<PathBuf>,

    #[command(flatten)]
    faces: Faces,

    /// Reduce the photo so that its longer side is at most this, in pixels
    #[arg(long, value_name = "PIXELS", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(64..))]
    max_side: Option<u32>,

    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// Also draw boxes and bars over the photo (png, jpg, webp); only for a single photo
    #[arg(long, value_name = "FILE")]
    overlay: Option<PathBuf>,

    #[command(flatten)]
    networks: Networks,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum)]
enum Format {
    /// Aligned columns for people
    #[default]
    Table,
    /// One row per face: file,face,AU01,…; for a film like OpenFace: frame,face_id,timestamp,confidence,success,AU01_r,…
    Csv,
    /// One object per face, with its box in the photo
    Json,
}

impl Read {
    pub(super) fn run(self) -> Result<()> {
        if let Some(film) = self.photos.iter().find(|path| is_film(path)) {
            return self.film(film);
        }
        if let Some(overlay) = &self.overlay {
            let [photo] = &self.photos[..] else {
                return Err(Error::OverlayOfMany {
                    count: self.photos.len(),
                });
            };
            check_outputs(photo, [(overlay.as_path(), PICTURES)])?;
        }
        let animator = self.networks.load()?;
        let mut lines = Lines::new(self.format, &self.photos)?;
        let mut unread = 0;
        for path in &self.photos {
            let opened = match open(&animator, path, &self.faces.options(self.max_side)) {
                Ok(opened) => opened,
                // With one photo, the error is the result.
                Err(error) if self.photos.len() == 1 => return Err(error),
                Err(error) => {
                    note(format_args!("skipped: {error}"));
                    unread += 1;
                    continue;
                }
            };
            lines.photo(path, &opened)?;
            if let Some(file) = &self.overlay {
                save_image(file, &sheet::overlay(&opened.photo))?;
            }
        }
        lines.end()?;
        if unread > 0 {
            return Err(Error::Unread { count: unread });
        }
        Ok(())
    }
}

/// Writes the lines of the result.
struct Lines {
    format: Format,
    /// Width of the column of files.
    width: usize,
    /// Whether a face was written.
    begun: bool,
}

impl Lines {
    fn new(format: Format, photos: &[PathBuf]) -> Result<Self> {
        let widths = photos
            .iter()
            .map(|path| path.display().to_string().chars().count());
        let width = widths.max().unwrap_or(0).max(4);
        let codes = ActionUnit::ALL.map(ActionUnit::code);
        match format {
            Format::Table => say(format_args!("{:width$} face {}", "file", codes.join(" ")))?,
            Format::Csv => say(format_args!("file,face,{}", codes.join(",")))?,
            Format::Json => say("[")?,
        }
        Ok(Self {
            format,
            width,
            begun: false,
        })
    }

    fn photo(&mut self, path: &Path, opened: &Opened) -> Result<()> {
        for (number, face) in (1..).zip(opened.photo.faces()) {
            self.face(path, number, face)?;
            self.begun = true;
        }
        Ok(())
    }

    fn face(&self, path: &Path, number: usize, face: &PhotoFace) -> Result<()> {
        let file = path.display().to_string();
        let (shown, bounds) = (face.intensities(), face.bounds());
        let values = |width| shown.as_array().map(|value| format!("{value:width$.2}"));
        match self.format {
            Format::Table => say(format_args!(
                "{file:0$} {number:4} {1}",
                self.width,
                values(4).join(" ")
            )),
            Format::Csv => say(format_args!("{},{number},{}", quoted(&file), values(0).join(","))),
            Format::Json => {
                let units = shown
                    .iter()
                    .map(|(unit, value)| (unit.code().to_owned(), hundredths(value)));
                let face = json!({
                    "file": file,
                    "face": number,
                    "box": { "x": bounds.x, "y": bounds.y, "size": bounds.size },
                    "action_units": units.collect::<Map<String, Value>>(),
                });
                say(format_args!("{}{face}", if self.begun { "," } else { "" }))
            }
        }
    }

    fn end(&self) -> Result<()> {
        match self.format {
            Format::Json => say("]"),
            Format::Table | Format::Csv => Ok(()),
        }
    }
}

/// Rounds an estimate to hundredths, its significant digits.
fn hundredths(value: f32) -> Value {
    json!((f64::from(value) * 100.0).round() / 100.0)
}

/// A CSV cell, with quotes if needed.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_with_commas_and_quotes_are_quoted() {
        assert_eq!(quoted("a b.jpg"), "a b.jpg");
        assert_eq!(quoted("a,\"b\".jpg"), "\"a,\"\"b\"\".jpg\"");
    }
}
