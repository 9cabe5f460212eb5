//! The numbers that say whether a generator is good. A mean of nothing is NaN here and `null` in JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::regions::Region;

/// Version of `scorecard.json`.
pub const SCORECARD_VERSION: u32 = 1;

/// Everything that was measured, on held-out faces. Intensities are OpenFace's, 0 to 5, as the judge reads them.
#[derive(Clone, Debug, Serialize)]
pub struct Scorecard {
    /// [`SCORECARD_VERSION`].
    pub version: u32,
    /// Held-out faces looked at.
    pub faces: usize,
    /// Side of the faces in pixels.
    pub image_size: usize,
    /// How well the judge reads unedited faces, against their labels: what can be asked of the rest at best.
    pub reading: Agreement,
    /// One action unit or two asked at an intensity of 3 on faces that show less than 0.5; the others as they are.
    pub asks: Vec<AskScore>,
    /// Each action unit asked from 0 to 5, the others as they are.
    pub sweep: SweepScore,
    /// Targets taken from other faces: asked against read.
    pub targets: Agreement,
    /// A face's own action units asked of it: nothing should change.
    pub self_edit: SelfEditScore,
    /// Mean absolute pixel error, as a share of the range, of faces edited to a target of another face and back.
    pub cycle_error: f64,
    /// Where a smile is painted.
    pub attention: AttentionScore,
    /// What changes where nothing should.
    pub identity: IdentityScore,
    /// How far edited faces are from real ones, all together.
    pub frechet: FrechetScore,
    /// The rectangles behind the words mouth, brows and corners.
    pub regions: Regions,
}

/// How two columns of intensities agree, by action unit and on average.
#[derive(Clone, Debug, Serialize)]
pub struct Agreement {
    /// Mean of the correlations.
    pub mean_correlation: f64,
    /// Mean of the errors.
    pub mean_error: f64,
    /// By action unit.
    pub units: BTreeMap<&'static str, UnitAgreement>,
}

/// How two columns of intensities of one action unit agree.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct UnitAgreement {
    /// Pearson's correlation.
    pub correlation: f64,
    /// Mean absolute difference, in intensities.
    pub error: f64,
    /// Mean absolute deviation of the first column from its mean: the error of who always says the same.
    pub deviation: f64,
}

/// What asking for something does.
#[derive(Clone, Debug, Serialize)]
pub struct AskScore {
    /// The action units asked for.
    pub units: Vec<&'static str>,
    /// The intensity asked for.
    pub intensity: f32,
    /// Faces that showed less than 0.5 of each by their labels.
    pub faces: usize,
    /// Mean of read after minus read before, over faces and the units asked for.
    pub mean_rise: f64,
    /// Share of faces on which that mean over the units is 0.5 or more.
    pub share_risen: f64,
    /// Mean absolute change of the action units not asked for.
    pub leakage: f64,
}

/// How the reading follows an action unit that is asked from 0 to 5.
#[derive(Clone, Debug, Serialize)]
pub struct SweepScore {
    /// Faces swept, spread evenly over those looked at.
    pub faces: usize,
    /// The intensities asked for.
    pub intensities: Vec<f32>,
    /// Mean of the units' pooled correlations.
    pub mean_pooled_correlation: f64,
    /// Mean of the units' correlations within a face.
    pub mean_face_correlation: f64,
    /// By action unit.
    pub units: BTreeMap<&'static str, UnitSweep>,
}

/// How the reading of one action unit follows what is asked.
#[derive(Clone, Debug, Serialize)]
pub struct UnitSweep {
    /// Spearman's correlation of asked and read, all faces in one pool.
    pub pooled_correlation: f64,
    /// Mean over faces of Spearman's correlation of asked and read on that face.
    pub face_correlation: f64,
    /// Mean reading at each intensity asked for.
    pub read: Vec<f64>,
    /// Mean absolute change of the other action units at an intensity of 3.
    pub leakage: f64,
}

/// What changes when nothing should.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SelfEditScore {
    /// Mean absolute pixel error, as a share of the range.
    pub pixel_error: f64,
    /// Mean absolute change of the readings, in intensities.
    pub reading_change: f64,
}

/// Where `1 - A` is when a smile is asked of every face.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AttentionScore {
    /// Mean of `1 - A`.
    pub mean: f64,
    /// Its mean in the mouth's rectangle.
    pub mouth: f64,
    /// Its mean in the corners of the crop, where nothing should be painted.
    pub corners: f64,
    /// Share of pixels with `1 - A` above 0.1.
    pub coverage: f64,
    /// Share of faces whose largest `1 - A` stays under 0.1: the mask is dead there.
    pub dead: f64,
}

/// Mean absolute pixel change, as a share of the range, outside the rectangles of mouth and brows.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct IdentityScore {
    /// When a target of another face is asked.
    pub outside: f64,
    /// The same inside the rectangles, for comparison.
    pub inside: f64,
    /// Outside them, when a smile is asked.
    pub outside_smile: f64,
}

/// Fréchet distance on the judge's features between real faces and the same faces edited to other faces' targets.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FrechetScore {
    /// The distance; `null` for a judge without features. No FID: the features are those of an action-unit reader.
    pub distance: f64,
    /// The distance between the two halves of the real faces, with half as many faces in each: the scale of noise.
    pub real_halves: f64,
    /// Features a face.
    pub features: usize,
}

/// Fixed rectangles of the crop, in shares of its side.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Regions {
    /// The mouth's.
    pub mouth: Region,
    /// That of brows and eyes.
    pub brows: Region,
    /// Four of them.
    pub corners: [Region; 4],
}

impl Regions {
    pub(super) const FIXED: Self = Self {
        mouth: Region::MOUTH,
        brows: Region::BROWS,
        corners: Region::CORNERS,
    };
}
