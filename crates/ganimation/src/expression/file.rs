//! Expressions as TOML files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use ganimation_data::{ActionUnit, write_whole};
use serde::Deserialize;

use super::{Change, Emotion, Expression};
use crate::{Error, Result};

/// Largest size of a file in bytes. An expression needs a few hundred bytes.
const MAX_BYTES: u64 = 1 << 20;

/// An expression in a file or in a key of a script.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpressionFile {
    /// Whether unnamed action units are set to 0 instead of keeping the photo's intensities.
    #[serde(default)]
    absolute: bool,
    #[serde(default)]
    action_units: BTreeMap<String, Written>,
    #[serde(default)]
    emotions: BTreeMap<String, f32>,
}

/// `3` or `"+1"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f32),
    Text(String),
}

impl ExpressionFile {
    /// The expression. Emotions are applied first, so that action units override them.
    pub(crate) fn expression(&self) -> Result<Expression> {
        let mut expression = if self.absolute {
            Expression::neutral()
        } else {
            Expression::new()
        };
        for (emotion, &strength) in &self.emotions {
            expression = expression.with_emotion(emotion.parse::<Emotion>()?, strength)?;
        }
        let mut named = Vec::new();
        for (unit, written) in &self.action_units {
            let change = match written {
                Written::Number(intensity) => Change::To(*intensity),
                Written::Text(text) => text.parse::<Change>().ok().ok_or_else(|| Error::AuCommand {
                    found: format!("{unit} = \"{text}\""),
                })?,
            };
            let unit: ActionUnit = unit.parse()?;
            if named.contains(&unit) {
                return Err(Error::RepeatedUnit { unit });
            }
            named.push(unit);
            expression = expression.with(unit, change)?;
        }
        Ok(expression)
    }
}

impl Expression {
    /// Reads an expression from a TOML file.
    ///
    /// ```toml
    /// absolute = false # the default: other action units keep the photo's intensities
    /// [action_units]
    /// AU12 = 3
    /// brow-lowerer = "-0.5"
    /// [emotions]
    /// happiness = 0.4
    /// ```
    ///
    /// # Errors
    /// [`Error::Data`] if the file cannot be read, [`Error::Toml`] if it is not valid TOML or has unknown contents,
    /// [`Error::InFile`] with the error of an action unit or an emotion.
    pub fn load(path: &Path) -> Result<Self> {
        let file: ExpressionFile = read_toml(path)?;
        file.expression().map_err(|error| error.in_file(path))
    }

    /// Writes the expression to a TOML file that [`Expression::load`] reads.
    ///
    /// # Errors
    /// [`Error::Data`] if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        Ok(write_whole(path, self.to_toml().as_bytes())?)
    }

    /// The contents of the file. For an interpolated expression, they are an approximation.
    fn to_toml(self) -> String {
        let mut text = String::from(
            "# An expression for `ganimation edit --from`: intensities are 0 to 5, \"+1\" is one more than the photo shows.\n\
             [action_units]\n",
        );
        for unit in ActionUnit::ALL {
            let line = match self.change(unit) {
                None => continue,
                Some(Change::To(intensity)) => format!("{intensity}"),
                Some(by) => format!("\"{by}\""),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{unit} = {line} # {}", unit.name());
        }
        text
    }
}

/// Reads a small TOML file of any kind.
pub(crate) fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let read_error = |source| {
        Error::Data(ganimation_data::Error::Read {
            path: path.to_owned(),
            source,
        })
    };
    if fs::metadata(path).map_err(read_error)?.len() > MAX_BYTES {
        return Err(read_error(std::io::Error::other(
            "too large for a file of expressions",
        )));
    }
    let text = fs::read_to_string(path).map_err(read_error)?;
    toml::from_str(&text).map_err(|source| Error::Toml {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> Result<Expression> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("face.toml");
        fs::write(&path, text).unwrap();
        Expression::load(&path)
    }

    #[test]
    fn a_saved_expression_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wink.toml");
        for start in [Expression::new(), Expression::neutral()] {
            let wink = start
                .with(ActionUnit::Blink, 5.0)
                .and_then(|wink| wink.with(ActionUnit::LipCornerPuller, Change::By(1.25)))
                .and_then(|wink| wink.with(ActionUnit::BrowLowerer, Change::By(-2.0)))
                .unwrap();
            wink.save(&path).unwrap();
            assert_eq!(Expression::load(&path).unwrap(), wink);
        }
    }

    #[test]
    fn action_units_have_the_last_word_over_emotions() {
        let text = "[action_units]\n12 = 1\nbrow-lowerer = \"+0.5\"\n[emotions]\nhappy = 0.5\n";
        let expression = loaded(text).unwrap();
        let change = |unit| expression.change(unit);
        assert_eq!(change(ActionUnit::LipCornerPuller), Some(Change::To(1.0)));
        assert_eq!(change(ActionUnit::CheekRaiser), Some(Change::To(2.0)));
        assert_eq!(change(ActionUnit::BrowLowerer), Some(Change::By(0.5)));
        assert_eq!(change(ActionUnit::Blink), None);
        assert_eq!(
            loaded("absolute = true").unwrap().change(ActionUnit::Blink),
            Some(Change::To(0.0))
        );
    }

    #[test]
    fn what_cannot_be_read_is_reported_with_the_file() {
        for (text, expected) in [
            ("[action_units", "face.toml is not as expected"),
            ("smile = 3", "face.toml is not as expected"),
            (
                "[action_units]\n12 = 9",
                "face.toml: intensity 9 of AU12 is outside 0 to 5",
            ),
            (
                "[action_units]\n12 = \"x\"",
                "face.toml: cannot read action-unit command",
            ),
            (
                "[action_units]\n12 = 1\nAU12 = 2",
                "face.toml: AU12 (lip-corner-puller) is named twice",
            ),
            ("[emotions]\nhunger = 1", "face.toml: unknown emotion `hunger`"),
        ] {
            let message = loaded(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
