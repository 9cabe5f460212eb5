//! `ganimation sheet`: makes a picture of every action unit at every intensity.

use std::path::PathBuf;

use clap::Args;
use ganimation::ActionUnit;
use ganimation::sheet::unit_sheet;
use ganimation_data::save_image;

use super::inputs::{Networks, PICTURES, Photo, check_outputs};
use super::output::say;
use crate::error::Result;

const EXAMPLES: &str = "Examples:
  All 17 action units with the bundled weights:
    ganimation sheet me.jpg -o units.png

  Two action units, in small steps:
    ganimation sheet me.jpg --au 12 --au brow-lowerer --intensities 0,0.5,1,1.5,2,2.5,3 -o two.png";

/// Make a picture with a row for each action unit and a column for each intensity
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Sheet {
    #[command(flatten)]
    photo: Photo,

    /// Action unit by number or name; all by default; may be repeated
    #[arg(long, value_name = "UNIT", value_parser = unit)]
    au: Vec<ActionUnit>,

    /// Intensities of the columns, 0 to 5
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "0,1,2,3,4,5"
    )]
    intensities: Vec<f32>,

    /// The picture to write (png, jpg, webp)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Reduce the photo so that its longer side is at most this, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 800, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(64..))]
    max_side: u32,

    #[command(flatten)]
    networks: Networks,
}

fn unit(text: &str) -> Result<ActionUnit> {
    Ok(text.parse()?)
}

impl Sheet {
    pub(super) fn run(self) -> Result<()> {
        check_outputs(self.photo.path(), [(self.output.as_path(), PICTURES)])?;
        let animator = self.networks.load()?;
        let photo = self.photo.open(&animator, Some(self.max_side))?.photo;
        let units = if self.au.is_empty() {
            &ActionUnit::ALL[..]
        } else {
            &self.au
        };
        save_image(
            &self.output,
            &unit_sheet(&animator, &photo, units, &self.intensities)?,
        )?;
        say(self.output.display())
    }
}
