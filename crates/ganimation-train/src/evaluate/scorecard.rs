//! The numbers that describe a generator's quality. The mean of an empty set is NaN here and `null` in JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::photos::PhotosScore;
use super::regions::Region;

/// Version of `scorecard.json`. Version 2 tests two more action units, gives relative networks a smile relative to the
/// face's expression, and adds fields. The fields of version 1 keep their names.
pub const SCORECARD_VERSION: u32 = 2;

/// The text of [`Scorecard::identity_note`].
pub(super) const IDENTITY_NOTE: &str = "Identity is not measured, because no face recognition network with a suitable licence is bundled. feature_distance is a proxy: a cosine distance of the AU regressor's features, which also change with the expression. The distance between two people is given for comparison.";

/// All measurements on held-out faces. Intensities are OpenFace's, 0 to 5, as estimated by the judge.
#[derive(Clone, Debug, Serialize)]
pub struct Scorecard {
    /// [`SCORECARD_VERSION`].
    pub version: u32,
    /// Held-out faces evaluated.
    pub faces: usize,
    /// Side of the faces in pixels.
    pub image_size: usize,
    /// Edits made for the scores.
    pub edits: usize,
    /// The judge's accuracy on unedited faces, compared with their labels. It limits all other scores.
    pub reading: Agreement,
    /// The editor's scores.
    #[serde(flatten)]
    pub scores: Scores,
    /// The same scores of an editor that does nothing.
    pub nothing: Scores,
    /// An explanation of the identity measurement.
    pub identity_note: &'static str,
    /// Edits of whole photos; `null` if none were given.
    pub photos: Option<PhotosScore>,
    /// The rectangles of mouth, brows, eyes and corners.
    pub regions: Regions,
}

/// The scores of an editor.
#[derive(Clone, Debug, Serialize)]
pub struct Scores {
    /// One or two action units with a target of 3 on faces that show less than 0.5; the others keep their values.
    #[serde(rename = "asks")] // the name in version 1
    pub requests: Vec<RequestScore>,
    /// Each action unit with targets from 0 to 5; the others keep their values.
    pub sweep: SweepScore,
    /// Targets from other faces, compared with the estimates after the edit.
    pub targets: Agreement,
    /// A face's own action units as its target: nothing should change.
    pub self_edit: SelfEditScore,
    /// Mean absolute pixel error of faces edited to another face's action units and back, as a fraction of the range.
    pub cycle_error: f64,
    /// Mask coverage of a smile.
    pub attention: AttentionScore,
    /// Changes in regions where nothing should change.
    pub identity: IdentityScore,
    /// Distance between the set of edited faces and the set of real faces.
    pub frechet: FrechetScore,
    /// Detail and colour of each expression.
    pub expressions: Vec<ExpressionScore>,
    /// One action unit with a target of 0 on faces with an estimate above 1.5; the others keep their values.
    pub removal: Vec<RemovalScore>,
    /// One or two action units with targets from 0 to 5 in small steps; the others keep their values.
    pub curve: CurveScore,
}

/// Agreement of two columns of intensities, by action unit and on average.
#[derive(Clone, Debug, Serialize)]
pub struct Agreement {
    /// Mean of the correlations.
    pub mean_correlation: f64,
    /// Mean of the errors.
    pub mean_error: f64,
    /// By action unit.
    pub units: BTreeMap<&'static str, UnitAgreement>,
}

/// Agreement of two columns of intensities of one action unit.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct UnitAgreement {
    /// Pearson's correlation.
    pub correlation: f64,
    /// Mean absolute difference, in intensities.
    pub error: f64,
    /// Mean absolute deviation of the first column from its mean: the error of a constant prediction.
    pub deviation: f64,
}

/// The effect of a target intensity.
#[derive(Clone, Debug, Serialize)]
pub struct RequestScore {
    /// The action units with this target.
    pub units: Vec<&'static str>,
    /// The target intensity.
    pub intensity: f32,
    /// Faces whose labels are below 0.5 for each of these units.
    pub faces: usize,
    /// Estimate after the edit minus estimate before, mean over faces and these units.
    pub mean_rise: f64,
    /// Fraction of faces where the mean over these units is 0.5 or more.
    pub share_risen: f64,
    /// Mean absolute change of the other action units.
    pub leakage: f64,
}

/// The response of the estimates to targets from 0 to 5.
#[derive(Clone, Debug, Serialize)]
pub struct SweepScore {
    /// Faces in the sweep, spread evenly over the evaluated faces.
    pub faces: usize,
    /// The target intensities.
    pub intensities: Vec<f32>,
    /// Mean of the units' pooled correlations.
    pub mean_pooled_correlation: f64,
    /// Mean of the units' correlations within a face.
    pub mean_face_correlation: f64,
    /// By action unit.
    pub units: BTreeMap<&'static str, UnitSweep>,
}

/// The response of the estimate of one action unit to its target.
#[derive(Clone, Debug, Serialize)]
pub struct UnitSweep {
    /// Spearman's correlation of target and estimate, pooled over all faces.
    pub pooled_correlation: f64,
    /// Spearman's correlation of target and estimate on each face, mean over faces.
    pub face_correlation: f64,
    /// Mean estimate at each target intensity.
    pub read: Vec<f64>,
    /// Mean absolute change of the other action units at an intensity of 3.
    pub leakage: f64,
}

/// Changes when no change is requested.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SelfEditScore {
    /// Mean absolute pixel error, as a fraction of the range.
    pub pixel_error: f64,
    /// Mean absolute change of the estimates, in intensities.
    pub reading_change: f64,
    /// The largest change of any colour of any pixel of any face, in levels of 255.
    pub largest_level: u8,
    /// Fraction of faces where no pixel changes by more than 2 levels.
    pub share_within_two_levels: f64,
}

/// Visible effects of an expression. Action units that the expression does not name keep their values. For networks
/// with absolute orders, their target is 0.
#[derive(Clone, Debug, Serialize)]
pub struct ExpressionScore {
    /// The expression.
    pub name: &'static str,
    /// Faces edited, spread evenly over the evaluated faces.
    pub faces: usize,
    /// Mean over faces of [`kept_detail`](super::pixels::kept_detail): 1 keeps all detail, smaller values mean blur.
    pub detail: f64,
    /// Chroma divided by luminance.
    pub color: f64,
    /// Mean absolute change of Y outside the rectangles of mouth and eyes, in levels of 255.
    pub luminance: f64,
    /// Mean length of the change of (Cb, Cr) there, in levels of 255.
    pub chroma: f64,
}

/// The effect of a target of 0 on action units that are present.
#[derive(Clone, Debug, Serialize)]
pub struct RemovalScore {
    /// The action units with a target of 0.
    pub units: Vec<&'static str>,
    /// Faces where the estimate of each is above 1.5.
    pub faces: usize,
    /// Mean estimate before the edit.
    pub before: f64,
    /// Mean of the estimate before minus the estimate after.
    pub mean_fall: f64,
    /// Fraction of faces with an estimate below 0.5 after the edit.
    pub share_gone: f64,
}

/// Smoothness of the response to an intensity that increases from 0 to 5.
#[derive(Clone, Debug, Serialize)]
pub struct CurveScore {
    /// Faces, spread evenly over the evaluated faces.
    pub faces: usize,
    /// The target intensities.
    pub intensities: Vec<f32>,
    /// By action unit or pair.
    pub units: Vec<UnitCurve>,
}

/// Response of one action unit or a pair. Steps are absolute changes from one intensity to the next.
#[derive(Clone, Debug, Serialize)]
pub struct UnitCurve {
    /// The action units with the target.
    pub units: Vec<&'static str>,
    /// Mean over faces of Pearson's correlation of target and estimate; a pair uses its mean estimate.
    pub correlation: f64,
    /// The largest step in pixels (mean absolute change) divided by the mean step; mean over the faces that change.
    pub largest_step_pixels: f64,
    /// The same for the estimate.
    pub largest_step_reading: f64,
    /// Mean estimate at each intensity.
    pub read: Vec<f64>,
    /// Mean step in pixel values, as a fraction of the range, to the second intensity, the third, and so on.
    pub pixel_steps: Vec<f64>,
}

/// Mask coverage `1 - A` when every face gets a smile as its target.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AttentionScore {
    /// Mean of `1 - A`.
    pub mean: f64,
    /// Its mean in the rectangle of the mouth.
    pub mouth: f64,
    /// Its mean in the corners of the crop, where nothing should be painted.
    pub corners: f64,
    /// Fraction of pixels with `1 - A` above 0.1.
    pub coverage: f64,
    /// Fraction of faces whose largest `1 - A` is below 0.1: their mask is dead.
    pub dead: f64,
}

/// Mean absolute pixel change outside the rectangles of mouth and brows, as a fraction of the range.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct IdentityScore {
    /// With the action units of another face as the target.
    pub outside: f64,
    /// The same inside the rectangles, for comparison.
    pub inside: f64,
    /// Outside the rectangles, with a smile as the target.
    pub outside_smile: f64,
    /// A proxy for identity: mean cosine distance of the judge's features of a face before and after the edit, with the
    /// action units of another face as the target. `null` for a judge without features.
    #[serde(rename = "reader_distance")] // the name in version 1
    pub feature_distance: f64,
    /// The same distance between unedited faces of two people.
    #[serde(rename = "reader_distance_stranger")]
    pub feature_distance_stranger: f64,
}

/// Fréchet distance on the judge's features between real faces and the same faces edited to other faces' targets.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FrechetScore {
    /// The distance; `null` for a judge without features. It is not the FID, because the features are those of an AU
    /// regressor.
    pub distance: f64,
    /// The distance between two halves of the real faces. It shows the noise level.
    pub real_halves: f64,
    /// Features per face.
    pub features: usize,
}

/// Fixed rectangles of the crop, as fractions of its side.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Regions {
    /// The mouth.
    pub mouth: Region,
    /// Brows and eyes.
    pub brows: Region,
    /// Each eye.
    pub eyes: [Region; 2],
    /// The four corners.
    pub corners: [Region; 4],
}

impl Regions {
    pub(super) const FIXED: Self = Self {
        mouth: Region::MOUTH,
        brows: Region::BROWS,
        eyes: Region::EYES,
        corners: Region::CORNERS,
    };
}
