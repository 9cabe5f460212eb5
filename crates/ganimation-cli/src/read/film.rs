//! The estimated action units of the faces in a film, frame by frame.

use std::path::Path;

use ganimation::{ActionUnit, FilmFace};
use serde_json::{Map, Value, json};

use super::super::film::Film;
use super::super::output::say;
use super::{Format, Read, hundredths};
use crate::error::{Error, Result};

impl Read {
    /// Reads a film, which must be the only input file.
    pub(super) fn film(&self, path: &Path) -> Result<()> {
        let refused = |why| Error::NotOfFilms {
            path: path.to_owned(),
            why,
        };
        if self.photos.len() > 1 {
            return Err(refused("it is read alone"));
        }
        if self.overlay.is_some() {
            return Err(refused("--overlay draws over one photo"));
        }
        let animator = self.networks.load()?;
        let film = Film::open(&animator, path, self.faces.of_film(self.max_side))?;
        say(self.format.head())?;
        let mut begun = false;
        for frame in 0..film.faces.frames() {
            let seconds = frame as f64 / film.source.rate().fps();
            let faces = film.faces.at(frame);
            if faces.is_empty() && self.format == Format::Csv {
                say(format_args!(
                    "{},0,{seconds:.3},0,0{}",
                    frame + 1,
                    ",0.00".repeat(ActionUnit::ALL.len())
                ))?;
            }
            for face in faces {
                say(self.format.row((frame + 1, seconds), &face, begun))?;
                begun = true;
            }
        }
        match self.format {
            Format::Json => say("]"),
            Format::Table | Format::Csv => Ok(()),
        }
    }
}

impl Format {
    fn head(self) -> String {
        let codes = ActionUnit::ALL.map(ActionUnit::code);
        match self {
            Self::Table => format!(" frame seconds face {}", codes.join(" ")),
            Self::Csv => {
                let columns = codes.map(|code| format!("{code}_r"));
                format!("frame,face_id,timestamp,confidence,success,{}", columns.join(","))
            }
            Self::Json => "[".to_owned(),
        }
    }

    fn row(self, (frame, seconds): (usize, f64), face: &FilmFace, begun: bool) -> String {
        let (number, shown) = (face.number, face.shown);
        let values = |width| shown.as_array().map(|value| format!("{value:width$.2}"));
        match self {
            Self::Table => format!("{frame:6} {seconds:7.3} {number:4} {}", values(4).join(" ")),
            // OpenFace counts faces from 0. The confidence is always 1, because it is not measured here.
            Self::Csv => format!("{frame},{},{seconds:.3},1,1,{}", number - 1, values(0).join(",")),
            Self::Json => {
                let units = shown.iter();
                let units = units.map(|(unit, value)| (unit.code().to_owned(), hundredths(value)));
                let bounds = face.bounds;
                let row = json!({
                    "frame": frame,
                    "seconds": (seconds * 1000.0).round() / 1000.0,
                    "face": number,
                    "box": { "x": bounds.x, "y": bounds.y, "size": bounds.size },
                    "action_units": units.collect::<Map<String, Value>>(),
                });
                format!("{}{row}", if begun { "," } else { "" })
            }
        }
    }
}
