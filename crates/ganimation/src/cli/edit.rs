//! `ganimation edit`: one photo to another.

use std::path::PathBuf;
use std::slice;

use clap::{Args, ValueEnum};
use ganimation::{AuCommand, Error, Expression, FaceBox, Result, Sweep, contact_sheet};
use ganimation_data::{decode_photo, save_image};
use image::RgbImage;

use super::inputs::{Network, PICTURES, check_outputs};
use super::output::say;

const EXAMPLES: &str = "Examples:
  A smile:
    ganimation edit me.jpg --au 6=2 --au 12=3 -o smiling.png

  Raised brows, in a picture that is a face crop already:
    ganimation edit face.png --crop none --au inner-brow-raiser=3 -o brows.png";

/// Change the expression of the face in a photo
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Edit {
    /// Photo with a face (jpg, png, webp); the largest face is edited
    photo: PathBuf,

    /// Action unit and intensity, as 12=3 or lip-corner-puller=3; may be repeated
    #[arg(long = "au", value_name = "UNIT=INTENSITY", required = true)]
    au: Vec<AuCommand>,

    /// The photo to write (png, jpg, webp)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Where the face is
    #[arg(long, value_enum, default_value_t)]
    crop: Crop,

    /// Also write a strip: input, result, attention and colours (png, jpg, webp)
    #[arg(long, alias = "strip", value_name = "FILE")]
    sheet: Option<PathBuf>,

    #[command(flatten)]
    network: Network,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Crop {
    /// Where the detector finds it
    #[default]
    Auto,
    /// Everywhere: the photo is a face crop already
    None,
}

impl Edit {
    pub(super) fn run(self) -> Result<()> {
        let sheet = self.sheet.iter().map(|sheet| (sheet.as_path(), PICTURES));
        check_outputs(&self.photo, sheet.chain([(self.output.as_path(), PICTURES)]))?;
        let expression = held(&self.au)?;
        let photo = decode_photo(&self.photo)?;
        let animator = self.network.load()?;
        let face = match self.crop {
            Crop::Auto => animator
                .face(photo)
                .map_err(|error| error.in_photo(&self.photo))?,
            Crop::None => {
                let whole = whole(&photo);
                animator.face_at(photo, whole)?
            }
        };

        let target = animator.target(&face, &expression);
        for frame in animator.frames(&face, &[target]) {
            save_image(&self.output, &frame.photo)?;
            say(self.output.display())?;
            if let Some(sheet) = &self.sheet {
                save_image(sheet, &contact_sheet(&face, slice::from_ref(&frame)))?;
                say(sheet.display())?;
            }
        }
        Ok(())
    }
}

/// The one expression that commands without movement ask for.
fn held(commands: &[AuCommand]) -> Result<Expression> {
    let sweep = Sweep::new(commands)?;
    if let Some(moving) = commands.iter().find(|command| command.from != command.to) {
        return Err(Error::MovingUnit { unit: moving.unit });
    }
    Ok(sweep.at(0.0))
}

/// The centred square that holds the whole picture.
fn whole(photo: &RgbImage) -> FaceBox {
    let (width, height) = photo.dimensions();
    let size = width.max(height);
    let before = |side: u32| -i32::try_from((size - side) / 2).unwrap_or_default();
    FaceBox {
        x: before(width),
        y: before(height),
        size,
        score: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_picture_is_a_box_that_overhangs_the_shorter_side() {
        assert_eq!(
            whole(&RgbImage::new(80, 128)),
            FaceBox {
                x: -24,
                y: 0,
                size: 128,
                score: 0.0
            }
        );
        assert_eq!(
            whole(&RgbImage::new(128, 128)),
            FaceBox {
                x: 0,
                y: 0,
                size: 128,
                score: 0.0
            }
        );
    }

    #[test]
    fn a_movement_is_no_edit() {
        let commands = ["12=3".parse().unwrap(), "6=0..2".parse().unwrap()];
        assert!(matches!(held(&commands), Err(Error::MovingUnit { .. })));
        assert!(held(&commands[..1]).is_ok());
    }
}
