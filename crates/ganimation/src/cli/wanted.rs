//! Options that say what a face shall do, shared by the commands that edit.

use std::path::PathBuf;

use clap::Args;
use ganimation::{AuCommand, EmotionCommand, Error, Expression, Result};

/// What the face shall do; at least one of these is given.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct Wanted {
    /// Action unit by number or name: 12=3 is an intensity, 12=+1 one more than the photo shows; may be repeated
    #[arg(long = "au", value_name = "UNIT=VALUE")]
    au: Vec<AuCommand>,

    /// happiness, sadness, surprise, fear, anger, disgust or contempt, in full or as in happy=0.8; may be repeated
    #[arg(long = "emotion", value_name = "NAME=STRENGTH")]
    emotions: Vec<EmotionCommand>,

    /// Start from an expression saved in a file (toml); --emotion and --au come on top
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// Let action units that are not named be absent, in place of what the photo shows
    #[arg(long)]
    absolute: bool,
}

impl Wanted {
    /// Where a movement begins, and where it leads: what has no beginning starts from what the photo shows.
    pub(super) fn ends(&self) -> Result<(Expression, Expression)> {
        let (mut start, mut end) = match (&self.from, self.absolute) {
            (Some(path), _) => (Expression::new(), Expression::load(path)?),
            (None, true) => (Expression::neutral(), Expression::neutral()),
            (None, false) => (Expression::new(), Expression::new()),
        };
        for &EmotionCommand { emotion, from, to } in &self.emotions {
            if let Some(from) = from {
                start = start.with_emotion(emotion, from)?;
            }
            end = end.with_emotion(emotion, to)?;
        }
        let mut named = Vec::new();
        for &AuCommand { unit, from, to } in &self.au {
            if named.contains(&unit) {
                return Err(Error::RepeatedUnit { unit });
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
    pub(super) fn held(&self) -> Result<Expression> {
        let units = self.au.iter().filter(|command| command.from.is_some());
        let emotions = self.emotions.iter().filter(|command| command.from.is_some());
        let moving = units.map(|command| command.unit.to_string());
        match moving
            .chain(emotions.map(|command| command.emotion.to_string()))
            .next()
        {
            Some(what) => Err(Error::Moving { what }),
            None => Ok(self.ends()?.1),
        }
    }
}
