//! The numbers that say whether a generator is good. A mean of nothing is NaN here and `null` in JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::photos::PhotosScore;
use super::regions::Region;

/// Version of `scorecard.json`. Version 2 asks two more action units, asks relative networks for a smile on top of what a
/// face shows, and adds fields; those of version 1 have kept their names.
pub const SCORECARD_VERSION: u32 = 2;

/// What [`Scorecard::identity_note`] says.
pub(super) const IDENTITY_NOTE: &str = "Whether a face is still the same person is not measured: no face space with     suitable terms is bundled. reader_distance stands in for it: a cosine distance of the action-unit reader's features,     which change with the expression too; beside it stands the distance from one person to another.";

/// Everything that was measured, on held-out faces. Intensities are OpenFace's, 0 to 5, as the judge reads them.
#[derive(Clone, Debug, Serialize)]
pub struct Scorecard {
    /// [`SCORECARD_VERSION`].
    pub version: u32,
    /// Held-out faces looked at.
    pub faces: usize,
    /// Side of the faces in pixels.
    pub image_size: usize,
    /// Edits that the scores took.
    pub edits: usize,
    /// How well the judge reads unedited faces, against their labels: what can be asked of the rest at best.
    pub reading: Agreement,
    /// What the editor does.
    #[serde(flatten)]
    pub scores: Scores,
    /// The same scores of an editor that does nothing.
    pub nothing: Scores,
    /// What is known of identity, in words.
    pub identity_note: &'static str,
    /// Edits of whole photos; `null` if none were given.
    pub photos: Option<PhotosScore>,
    /// The rectangles behind the words mouth, brows, eyes and corners.
    pub regions: Regions,
}

/// What an editor does to the faces.
#[derive(Clone, Debug, Serialize)]
pub struct Scores {
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
    /// Detail and colour, expression by expression.
    pub expressions: Vec<ExpressionScore>,
    /// One action unit asked at 0 on faces that are read above 1.5; the others as they are.
    pub removal: Vec<RemovalScore>,
    /// One action unit or two asked from 0 to 5 in small steps, the others as they are.
    pub curve: CurveScore,
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
    /// The largest change of any colour of any pixel of any face, in levels of 255.
    pub largest_level: u8,
    /// Share of faces of which no pixel changes by more than 2 levels.
    pub share_within_two_levels: f64,
}

/// What people see of an expression. Intensities that it does not name are asked as the face shows them, or, of networks
/// with absolute orders, at 0.
#[derive(Clone, Debug, Serialize)]
pub struct ExpressionScore {
    /// The expression.
    pub name: &'static str,
    /// Faces edited, spread evenly over those looked at.
    pub faces: usize,
    /// Mean over faces of [`kept_detail`](super::pixels::kept_detail): 1 keeps all, less is blurred.
    pub detail: f64,
    /// Chroma divided by luminance.
    pub color: f64,
    /// Mean absolute change of Y outside the rectangles of mouth and eyes, in levels of 255.
    pub luminance: f64,
    /// Mean length of the change of (Cb, Cr) there, in levels of 255.
    pub chroma: f64,
}

/// What becomes of an action unit that is asked away.
#[derive(Clone, Debug, Serialize)]
pub struct RemovalScore {
    /// The action units asked at 0.
    pub units: Vec<&'static str>,
    /// Faces on which each is read above 1.5.
    pub faces: usize,
    /// Mean reading before.
    pub before: f64,
    /// Mean of read before minus read after.
    pub mean_fall: f64,
    /// Share of faces that end under 0.5.
    pub share_gone: f64,
}

/// How evenly edits follow an intensity that rises from 0 to 5.
#[derive(Clone, Debug, Serialize)]
pub struct CurveScore {
    /// Faces, spread evenly over those looked at.
    pub faces: usize,
    /// The intensities asked for.
    pub intensities: Vec<f32>,
    /// By action unit or pair.
    pub units: Vec<UnitCurve>,
}

/// How evenly one action unit or a pair follows. Steps are absolute changes from one intensity to the next.
#[derive(Clone, Debug, Serialize)]
pub struct UnitCurve {
    /// The action units asked for.
    pub units: Vec<&'static str>,
    /// Mean over faces of Pearson's correlation of asked and read; of a pair the mean reading.
    pub correlation: f64,
    /// The largest step in pixels (mean absolute change) divided by the mean step; mean over the faces that change.
    pub largest_step_pixels: f64,
    /// The same of the reading.
    pub largest_step_reading: f64,
    /// Mean reading at each intensity.
    pub read: Vec<f64>,
    /// Mean step in pixels, as a share of the range, to the second intensity, the third, and so on.
    pub pixel_steps: Vec<f64>,
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
    /// No face space, but a stand-in: mean cosine distance of the judge's features of a face before and after, when a
    /// target of another face is asked; `null` for a judge without features.
    pub reader_distance: f64,
    /// The same distance from a face to another person's, both unedited.
    pub reader_distance_stranger: f64,
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
    /// Those of the eyes alone.
    pub eyes: [Region; 2],
    /// Four of them.
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
