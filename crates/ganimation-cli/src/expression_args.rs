//! Options for the target expression, shared by the editing commands.

use std::path::{Path, PathBuf};

use clap::Args;
use ganimation::{
    Animator, AuCommand, CropMode, EmotionCommand, Expression, FaceChoice, Intensities, PhotoOptions,
};

use super::inputs::open;
use crate::error::{Error, LibraryError, Result};

/// The target expression. Each command declares which options it requires.
#[derive(Debug, Args)]
pub(super) struct ExpressionArgs {
    /// Action unit by number or name: 12=3 sets the intensity, 12=+1 adds 1 to the photo's intensity; may be repeated
    #[arg(long, value_name = "UNIT=VALUE")]
    au: Vec<AuCommand>,

    /// happiness, sadness, surprise, fear, anger, disgust or contempt, at full strength or as in happy=0.8; may be
    /// repeated
    #[arg(long, value_name = "NAME=STRENGTH")]
    emotion: Vec<EmotionCommand>,

    /// Start from an expression saved in a file (toml); --emotion and --au are added
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// Use the expression of another face, estimated from its photo; --emotion and --au are added
    #[arg(long, value_name = "PHOTO", conflicts_with = "from")]
    pub(super) like: Option<PathBuf>,

    /// How to find the faces in the photos of --like
    #[arg(long, value_name = "WHERE", value_enum, default_value_t, requires = "like")]
    pub(super) like_crop: CropMode,

    /// Set action units that are not named to 0, instead of keeping the photo's intensities
    #[arg(long)]
    pub(super) absolute: bool,
}

impl ExpressionArgs {
    /// Start and end of a movement. Without a start value, an action unit starts from the photo's intensity.
    pub(super) fn ends(&self, animator: &Animator) -> Result<(Expression, Expression)> {
        let mut start = Expression::new();
        let mut end = match (&self.from, &self.like) {
            (Some(path), _) => Expression::load(path)?,
            (None, Some(path)) => shown_by(animator, path, self.like_crop)?.into(),
            (None, None) if self.absolute => Expression::neutral(),
            (None, None) => Expression::new(),
        };
        for &EmotionCommand { emotion, from, to } in &self.emotion {
            if let Some(from) = from {
                start = start.with_emotion(emotion, from)?;
            }
            end = end.with_emotion(emotion, to)?;
        }
        let mut named = Vec::new();
        for &AuCommand { unit, from, to } in &self.au {
            if named.contains(&unit) {
                return Err(LibraryError::RepeatedUnit { unit }.into());
            }
            named.push(unit);
            if let Some(from) = from {
                start = start.with(unit, from)?;
            }
            end = end.with(unit, to)?;
        }
        Ok((start, end))
    }

    /// The target expression of options that contain no movement.
    pub(super) fn held(&self, animator: &Animator) -> Result<Expression> {
        let units = self.au.iter().filter(|command| command.from.is_some());
        let emotions = self.emotion.iter().filter(|command| command.from.is_some());
        let moving = units.map(|command| command.unit.to_string());
        match moving
            .chain(emotions.map(|command| command.emotion.to_string()))
            .next()
        {
            Some(what) => Err(Error::Moving { what }),
            None => Ok(self.ends(animator)?.1),
        }
    }
}

/// The action units of a photo's largest face.
pub(super) fn shown_by(animator: &Animator, path: &Path, crop: CropMode) -> Result<Intensities> {
    let options = PhotoOptions::new().with_crop(crop);
    let opened = open(animator, path, &options.with_faces(FaceChoice::Number(1)))?;
    Ok(opened.photo.faces()[0].intensities())
}
