//! Options that say what a face shall do, shared by the commands that edit.

use std::path::{Path, PathBuf};

use clap::Args;
use ganimation::{Animator, AuCommand, EmotionCommand, Expression, FaceChoice, Intensities, PhotoOptions};

use super::inputs::{Crop, open};
use crate::error::{Error, LibraryError, Result};

/// What the face shall do; each command says which of these it needs.
#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// Action unit by number or name: 12=3 is an intensity, 12=+1 one more than the photo shows; may be repeated
    #[arg(long, value_name = "UNIT=VALUE")]
    au: Vec<AuCommand>,

    /// happiness, sadness, surprise, fear, anger, disgust or contempt, in full or as in happy=0.8; may be repeated
    #[arg(long, value_name = "NAME=STRENGTH")]
    emotion: Vec<EmotionCommand>,

    /// Start from an expression saved in a file (toml); --emotion and --au come on top
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// Show what another face shows, read from its photo; --emotion and --au come on top
    #[arg(long, value_name = "PHOTO", conflicts_with = "from")]
    pub(super) like: Option<PathBuf>,

    /// Where the faces are in the photos of --like
    #[arg(long, value_name = "WHERE", value_enum, default_value_t, requires = "like")]
    pub(super) like_crop: Crop,

    /// Let action units that are not named be absent, in place of what the photo shows
    #[arg(long)]
    pub(super) absolute: bool,
}

impl Wanted {
    /// Where a movement begins, and where it leads: what has no beginning starts from what the photo shows.
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

    /// The one expression that options without movement ask for.
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

/// What the largest face of a photo shows.
pub(super) fn shown_by(animator: &Animator, path: &Path, crop: Crop) -> Result<Intensities> {
    let options = PhotoOptions::new().with_crop(crop.into());
    let opened = open(animator, path, &options.with_faces(FaceChoice::Number(1)))?;
    Ok(opened.photo.faces()[0].shown())
}
