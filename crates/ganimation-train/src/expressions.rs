//! Expressions in previews and scorecards. They are fixed, so that networks can be compared by eye.

use ganimation_data::{ActionUnit, Intensities};
use ganimation_model::Orders;

/// A name and its target, in OpenFace intensities. Every other action unit has a target of 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expression {
    /// Its label under a picture.
    pub(crate) name: &'static str,
    /// The named action units and their intensities.
    pub(crate) requested: &'static [(ActionUnit, f32)],
}

impl Expression {
    /// The same expression under another name.
    pub(crate) const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// The complete target.
    pub(crate) fn target(self) -> Intensities {
        let mut target = Intensities::default();
        for &(unit, intensity) in self.requested {
            target.set(unit, intensity);
        }
        target
    }

    /// The target for a face that shows `current`. With relative orders, action units that are not named keep their
    /// values. With absolute orders, their target is 0. If no action unit is named, the target is a neutral face.
    pub(crate) fn target_of(self, current: Intensities, orders: Orders) -> Intensities {
        if orders == Orders::Absolute || self.requested.is_empty() {
            return self.target();
        }
        let mut target = current;
        for &(unit, intensity) in self.requested {
            target.set(unit, intensity);
        }
        target
    }
}

/// No action unit is active.
pub(crate) const NEUTRAL: Expression = Expression {
    name: "neutral",
    requested: &[],
};

/// The mouth's corners rise a little, and the cheeks.
pub(crate) const SLIGHT_SMILE: Expression = Expression {
    name: "slight smile",
    requested: &[(ActionUnit::CheekRaiser, 1.0), (ActionUnit::LipCornerPuller, 2.0)],
};

/// A smile that shows teeth.
pub(crate) const SMILE: Expression = Expression {
    name: "smile",
    requested: &[
        (ActionUnit::CheekRaiser, 3.0),
        (ActionUnit::LipCornerPuller, 4.0),
        (ActionUnit::LipsPart, 3.0),
    ],
};

/// A smile with the lips together.
pub(crate) const CLOSED_SMILE: Expression = Expression {
    name: "closed smile",
    requested: &[
        (ActionUnit::CheekRaiser, 2.0),
        (ActionUnit::LipCornerPuller, 3.5),
        (ActionUnit::LipsPart, 0.0),
        (ActionUnit::JawDrop, 0.0),
    ],
};

/// No smile. A face that does not smile does not change.
pub(crate) const SMILE_REMOVED: Expression = Expression {
    name: "smile removed",
    requested: &[
        (ActionUnit::CheekRaiser, 0.0),
        (ActionUnit::UpperLipRaiser, 0.0),
        (ActionUnit::LipCornerPuller, 0.0),
        (ActionUnit::LipsPart, 0.0),
    ],
};

/// Raised brows, wide eyes, open mouth.
pub(crate) const SURPRISE: Expression = Expression {
    name: "surprise",
    requested: &[
        (ActionUnit::InnerBrowRaiser, 2.5),
        (ActionUnit::OuterBrowRaiser, 2.5),
        (ActionUnit::UpperLidRaiser, 1.5),
        (ActionUnit::JawDrop, 3.0),
        (ActionUnit::LipsPart, 3.0),
    ],
};

/// Lowered brows, narrow lids and lips. A smile goes.
pub(crate) const ANGER: Expression = Expression {
    name: "anger",
    requested: &[
        (ActionUnit::BrowLowerer, 4.0),
        (ActionUnit::CheekRaiser, 0.0),
        (ActionUnit::LidTightener, 3.0),
        (ActionUnit::LipCornerPuller, 0.0),
        (ActionUnit::LipTightener, 2.0),
        (ActionUnit::LipsPart, 0.0),
        (ActionUnit::JawDrop, 0.0),
    ],
};

/// Inner brows up and together, the mouth's corners down. A smile goes.
pub(crate) const SADNESS: Expression = Expression {
    name: "sadness",
    requested: &[
        (ActionUnit::InnerBrowRaiser, 3.0),
        (ActionUnit::BrowLowerer, 2.5),
        (ActionUnit::CheekRaiser, 0.0),
        (ActionUnit::UpperLipRaiser, 0.0),
        (ActionUnit::LipCornerPuller, 0.0),
        (ActionUnit::LipCornerDepressor, 3.0),
        (ActionUnit::ChinRaiser, 2.0),
        (ActionUnit::LipsPart, 0.0),
        (ActionUnit::JawDrop, 0.0),
    ],
};

/// Wrinkled nose, raised upper lip. A smile goes.
pub(crate) const DISGUST: Expression = Expression {
    name: "disgust",
    requested: &[
        (ActionUnit::BrowLowerer, 2.0),
        (ActionUnit::CheekRaiser, 0.0),
        (ActionUnit::NoseWrinkler, 3.0),
        (ActionUnit::UpperLipRaiser, 3.5),
        (ActionUnit::LipCornerPuller, 0.0),
    ],
};

/// Closed eyes.
pub(crate) const BLINK: Expression = Expression {
    name: "blink",
    requested: &[(ActionUnit::Blink, 5.0)],
};
