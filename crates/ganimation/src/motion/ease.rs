//! Easing curves of movements.

use std::f32::consts::{FRAC_PI_2, PI};
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::{Error, Result};

/// A curve from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ease {
    /// Constant speed.
    Linear,
    /// Slow at the start.
    In,
    /// Slow at the end.
    Out,
    /// Slow at both ends, like natural facial movements.
    #[default]
    InOut,
    /// A jump at the end.
    Hold,
}

impl Ease {
    /// All curves.
    pub const ALL: [Self; 5] = [Self::Linear, Self::In, Self::Out, Self::InOut, Self::Hold];

    /// Its name: `linear`, `in`, `out`, `in-out` or `hold`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::In => "in",
            Self::Out => "out",
            Self::InOut => "in-out",
            Self::Hold => "hold",
        }
    }

    /// The completed fraction of the movement at the fraction `share` of its time; both 0 to 1.
    pub fn at(self, share: f32) -> f32 {
        let share = share.clamp(0.0, 1.0);
        match self {
            Self::Linear => share,
            Self::In => 1.0 - (share * FRAC_PI_2).cos(),
            Self::Out => (share * FRAC_PI_2).sin(),
            Self::InOut => (1.0 - (share * PI).cos()) / 2.0,
            Self::Hold => share.floor(),
        }
    }

    /// The curve of the same movement played backwards: `in` and `out` are exchanged.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::In => Self::Out,
            Self::Out => Self::In,
            other => other,
        }
    }
}

impl fmt::Display for Ease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Ease {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|ease| ease.name() == text)
            .ok_or_else(|| Error::UnknownEase {
                found: text.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_rises_from_0_to_1() {
        for ease in Ease::ALL {
            assert_eq!(ease.name().parse::<Ease>().unwrap(), ease);
            assert_eq!(ease.at(0.0), 0.0, "{ease}");
            assert!((ease.at(1.0) - 1.0).abs() < 1e-6, "{ease}");
            let values: Vec<_> = (0..=10).map(|step| ease.at(step as f32 / 10.0)).collect();
            assert!(values.is_sorted(), "{ease}: {values:?}");
        }
        assert!("bounce".parse::<Ease>().is_err());
    }

    #[test]
    fn the_way_back_mirrors_the_way_there() {
        for ease in [Ease::Linear, Ease::In, Ease::Out, Ease::InOut] {
            let (there, back) = (ease.at(0.3), 1.0 - ease.reversed().at(0.7));
            assert!((there - back).abs() < 1e-6, "{ease}: {there} {back}");
        }
    }
}
