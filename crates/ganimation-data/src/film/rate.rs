//! Frames per second, as fractions like in video standards.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Standard rates of film and television, for decimals such as 29.97.
const STANDARD: [(u16, u16); 8] = [
    (24_000, 1001),
    (24, 1),
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
];

/// Frames per second, 1 to 60: `12`, `29.97` or `30000/1001`.
///
/// ```
/// use ganimation_data::film::FrameRate;
///
/// let rate: FrameRate = "29.97".parse()?;
/// assert_eq!(rate.to_string(), "30000/1001");
/// # Ok::<(), ganimation_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRate {
    frames: u16,
    seconds: u16,
}

impl FrameRate {
    /// `frames` in `seconds`.
    ///
    /// # Errors
    /// [`Error::FrameRate`] unless the rate is 1 to 60 frames per second.
    pub fn new(frames: u16, seconds: u16) -> Result<Self> {
        let slow = seconds > frames;
        if seconds == 0 || slow || u32::from(frames) > 60 * u32::from(seconds) {
            return Err(Error::FrameRate {
                found: format!("{frames}/{seconds}"),
            });
        }
        Ok(Self { frames, seconds })
    }

    /// The rate nearest to `fps`, or a standard rate within the relative `tolerance`.
    ///
    /// # Errors
    /// [`Error::FrameRate`] unless the rate is 1 to 60 frames per second.
    pub fn near(fps: f64, tolerance: f64) -> Result<Self> {
        let distance =
            |(frames, seconds): (u16, u16)| (f64::from(frames) / f64::from(seconds) / fps - 1.0).abs();
        let nearest = STANDARD
            .into_iter()
            .min_by(|&one, &other| distance(one).total_cmp(&distance(other)))
            .filter(|&rate| distance(rate) <= tolerance);
        if let Some((frames, seconds)) = nearest {
            return Self::new(frames, seconds);
        }
        let refused = || Error::FrameRate {
            found: fps.to_string(),
        };
        if !(1.0..=60.0).contains(&fps) {
            return Err(refused());
        }
        let scale: u16 = if fps.fract() == 0.0 { 1 } else { 1000 };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "60,000 at most"
        )]
        let frames = (fps * f64::from(scale)).round() as u16;
        Self::new(frames, scale)
    }

    /// Frames per second.
    pub fn fps(self) -> f64 {
        f64::from(self.frames) / f64::from(self.seconds)
    }

    /// The rate as a fraction: frames, seconds.
    pub const fn fraction(self) -> (u16, u16) {
        (self.frames, self.seconds)
    }
}

impl Default for FrameRate {
    /// 12 frames per second.
    fn default() -> Self {
        Self {
            frames: 12,
            seconds: 1,
        }
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.frames, self.seconds) {
            (frames, 1) => write!(f, "{frames}"),
            (frames, seconds) => write!(f, "{frames}/{seconds}"),
        }
    }
}

impl FromStr for FrameRate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let refused = || Error::FrameRate {
            found: text.to_owned(),
        };
        let rate = match text.split_once('/') {
            Some((frames, seconds)) => {
                let part = |part: &str| part.trim().parse().ok().ok_or_else(refused);
                Self::new(part(frames)?, part(seconds)?)
            }
            // The precision of values such as 23.976 or 59.94.
            None => Self::near(text.parse().ok().ok_or_else(refused)?, 2e-5),
        };
        rate.ok().ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_stand_for_the_standards_they_round() {
        for (text, expected) in [
            ("12", "12"),
            ("29.97", "30000/1001"),
            ("23.976", "24000/1001"),
            ("59.94", "60000/1001"),
            ("30000/1001", "30000/1001"),
            ("30", "30"),
            ("29.9", "29900/1000"),
            (" 25 / 2 ", "25/2"),
            ("1", "1"),
        ] {
            assert_eq!(text.parse::<FrameRate>().unwrap().to_string(), expected, "{text}");
        }
        for text in [
            "0",
            "-12",
            "61",
            "0.5",
            "1/2",
            "30/0",
            "x",
            "",
            "NaN",
            "inf",
            "1e9",
            "70000/1001",
        ] {
            let message = text.parse::<FrameRate>().unwrap_err().to_string();
            assert!(message.contains(&format!("`{text}`")), "{message}");
        }
    }
}
