//! Scripts of films: keys with times, expressions and curves in a TOML file.

use std::path::Path;

use serde::Deserialize;

use super::{Ease, Key, Timeline};
use crate::Result;
use crate::expression::{ExpressionFile, read_toml};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    #[serde(default)]
    key: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    time: f32,
    #[serde(default)]
    ease: Ease,
    /// The form is that of an expression file. By default, the photo's expression.
    #[serde(default)]
    expression: ExpressionFile,
}

impl Timeline {
    /// Reads a script.
    ///
    /// ```toml
    /// [[key]]                  # the photo's own expression
    /// time = 0
    /// [[key]]
    /// time = 0.6               # seconds
    /// ease = "out"             # linear, in, out, in-out (default) or hold
    /// expression.emotions.happiness = 0.8
    /// [[key]]
    /// time = 1.5
    /// expression.action_units = { AU45 = 5, AU12 = "+1" }
    /// ```
    ///
    /// # Errors
    /// The errors of [`Expression::load`](crate::Expression::load), and those of [`Timeline::new`] with the file.
    pub fn load(path: &Path) -> Result<Self> {
        let script: Script = read_toml(path)?;
        let keys: Result<Vec<Key>> = script.key.iter().map(key).collect();
        keys.and_then(Self::new).map_err(|error| error.in_file(path))
    }
}

fn key(written: &Written) -> Result<Key> {
    Ok(Key {
        time: written.time,
        expression: written.expression.expression()?,
        ease: written.ease,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ActionUnit, Change, Expression};
    use std::fs;

    fn loaded(text: &str) -> Result<Timeline> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.toml");
        fs::write(&path, text).unwrap();
        Timeline::load(&path)
    }

    #[test]
    fn a_script_is_a_timeline() {
        let film = loaded(
            "[[key]]\ntime = 0\n\
             [[key]]\ntime = 0.6\nease = 'out'\nexpression.emotions.happiness = 0.5\n\
             [[key]]\ntime = 1.5\nexpression.action_units = { AU45 = 5, AU12 = '+1' }\n",
        )
        .unwrap();
        assert_eq!(film.seconds(), 1.5);
        assert_eq!(film.at(0.0), Expression::new());
        assert_eq!(
            film.at(0.6).change(ActionUnit::LipCornerPuller),
            Some(Change::To(2.0))
        );
        assert_eq!(film.at(1.5).change(ActionUnit::Blink), Some(Change::To(5.0)));
        assert_eq!(
            film.at(1.5).change(ActionUnit::LipCornerPuller),
            Some(Change::By(1.0))
        );
    }

    #[test]
    fn a_script_that_makes_no_film_is_told_with_the_file() {
        for (text, expected) in [
            ("", "film.toml: there is no key"),
            (
                "[[key]]\ntime = 1\n[[key]]\ntime = 1",
                "film.toml: key 2 is at 1 s",
            ),
            (
                "[[key]]\ntime = 0\nease = 'bounce'",
                "film.toml is not as expected",
            ),
            ("[[key]]\ntime = 0\nsmile = 3", "film.toml is not as expected"),
        ] {
            let message = loaded(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
