//! Scorecards: a generator's edits of held-out faces, evaluated by a network that was not part of its training.

mod frechet;
mod measures;
mod photos;
mod pictures;
pub mod pixels;
mod regions;
mod report;
mod scorecard;
mod statistics;
mod subject;
mod tables;
mod visible;

use burn::tensor::{Device, Tensor};
use ganimation_data::Face;
use ganimation_model::{AuEstimator, Edit, Generator, Orders};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

pub use photos::{PhotoExpressionScore, PhotoScore, PhotoScores, PhotosScore};
pub use pictures::Pictures;
pub(crate) use regions::Area;
pub use regions::Region;
pub use scorecard::{
    Agreement, AttentionScore, CurveScore, ExpressionScore, FrechetScore, IdentityScore, Regions,
    RemovalScore, RequestScore, SCORECARD_VERSION, Scorecard, Scores, SelfEditScore, SweepScore,
    UnitAgreement, UnitCurve, UnitSweep,
};
pub(crate) use statistics::pearson;

use crate::{Error, Result};
use subject::Subject;

/// Estimates action units for a scorecard: a network that was not used to train any generator.
pub trait Judge {
    /// The action units of `images`, `[batch, 3, size, size]` in [-1, 1]: `[batch, 17]`, OpenFace intensity / 5.
    fn estimate(&self, images: Tensor<4>) -> Tensor<2>;

    /// Features of each face, `[batch, features]`, for distances between sets of faces. `None` if the judge has no
    /// features.
    fn features(&self, images: Tensor<4>) -> Option<Tensor<2>>;
}

impl Judge for AuEstimator {
    fn estimate(&self, images: Tensor<4>) -> Tensor<2> {
        Self::estimate(self, images)
    }

    fn features(&self, images: Tensor<4>) -> Option<Tensor<2>> {
        Self::features(self, images)
    }
}

/// The subject of a scorecard. It edits faces towards targets.
pub trait Editor {
    /// Edits `images`, `[batch, 3, size, size]` in [-1, 1], which show `current`, towards `target`: `[batch, 17]` each,
    /// OpenFace intensity / 5.
    fn edit(&self, images: Tensor<4>, current: Tensor<2>, target: Tensor<2>) -> Edit;

    /// Whether action units that an expression does not name keep their values (relative) or have a target of 0
    /// (absolute).
    fn orders(&self) -> Orders {
        Orders::Absolute
    }
}

impl Editor for Generator {
    fn edit(&self, images: Tensor<4>, current: Tensor<2>, target: Tensor<2>) -> Edit {
        self.edit_towards(images, current, target)
    }

    fn orders(&self) -> Orders {
        Self::orders(self)
    }
}

/// An editor that returns its input. Its scores are the baseline.
#[derive(Clone, Copy, Debug, Default)]
pub struct DoNothing {
    /// The orders of the editor that it is compared with.
    pub orders: Orders,
}

impl Editor for DoNothing {
    fn edit(&self, images: Tensor<4>, _: Tensor<2>, _: Tensor<2>) -> Edit {
        let [batch, _, height, width] = images.dims();
        Edit {
            attention: Tensor::ones([batch, 1, height, width], &images.device()),
            color: images.clone(),
            kept: images.clone(),
            image: images,
            motion: None,
            shading: None,
        }
    }

    fn orders(&self) -> Orders {
        self.orders
    }
}

/// The editor, the judge and the device.
#[derive(Clone, Copy)]
pub struct Trial<'a> {
    /// The editor.
    pub editor: &'a dyn Editor,
    /// Side of the faces that it edits, in pixels.
    pub image_size: usize,
    /// The AU regressor that judges.
    pub judge: &'a dyn Judge,
    /// The device of the tensors.
    pub device: &'a Device,
}

/// The size of an evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Faces to evaluate, spread evenly over the given faces; all if `None`.
    pub faces: Option<usize>,
    /// Faces for sweeps of all action units: 102 edits per face.
    pub sweep_faces: usize,
    /// Faces for detail and colour of eight expressions.
    pub expression_faces: usize,
    /// Faces for response curves: 126 edits per face.
    pub curve_faces: usize,
    /// Faces edited at once.
    pub batch_size: usize,
    /// Seed of the random choice of target faces.
    pub seed: u64,
}

impl Default for Extent {
    fn default() -> Self {
        Self {
            faces: None,
            sweep_faces: 64,
            expression_faces: 200,
            curve_faces: 16,
            batch_size: 16,
            seed: 0,
        }
    }
}

/// The result of an evaluation: numbers and pictures.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The numbers.
    pub scorecard: Scorecard,
    /// The pictures.
    pub pictures: Pictures,
}

/// Evaluates an editor on `faces`. `progress` is called with the number of processed faces and the total.
///
/// # Errors
/// [`Error::Setting`] if there are too few faces, [`Error::Data`] if a picture cannot be read.
pub fn evaluate(
    trial: Trial<'_>,
    faces: &[Face],
    extent: Extent,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Evaluation> {
    let chosen = spread(faces.len(), extent.faces.unwrap_or(faces.len()));
    for (name, found, least, expected) in [
        ("faces", chosen.len(), 2, "at least 2 held-out faces"),
        ("batch_size", extent.batch_size, 1, "at least 1"),
    ] {
        if found < least {
            return Err(Error::Setting {
                name,
                found: found.to_string(),
                expected,
            });
        }
    }
    let chosen: Vec<&Face> = chosen.into_iter().map(|at| &faces[at]).collect();
    let plan = Plan {
        swept: spread(chosen.len(), extent.sweep_faces),
        expressive: spread(chosen.len(), extent.expression_faces),
        curved: spread(chosen.len(), extent.curve_faces),
        others: others(chosen.len(), extent.seed),
    };
    let nothing = DoNothing {
        orders: trial.editor.orders(),
    };

    let mut subject = Subject::new(trial, &chosen, extent.batch_size, progress)?;
    let count = plan.count(&subject);
    subject.expect(chosen.len() + 2 * count + pictures::count(chosen.len()));
    subject.look();
    subject.expect(2 * visible::removal_count(&subject));
    let scores = plan.score(&mut subject);
    // The pass over unedited faces is not an edit. The way back of each cycle is an edit.
    let edits = subject.looks();
    let pictures = Pictures::draw(&mut subject);
    subject.keep_still(&nothing);
    let scorecard = Scorecard {
        version: SCORECARD_VERSION,
        faces: chosen.len(),
        image_size: trial.image_size,
        edits,
        reading: measures::agreement(subject.labels(), &subject.before.read),
        scores,
        nothing: plan.score(&mut subject),
        identity_note: scorecard::IDENTITY_NOTE,
        photos: None,
        regions: Regions::FIXED,
    };
    Ok(Evaluation { scorecard, pictures })
}

/// Which faces are used for which test.
struct Plan {
    swept: Vec<usize>,
    expressive: Vec<usize>,
    curved: Vec<usize>,
    /// For each face, the face whose label is its target.
    others: Vec<usize>,
}

impl Plan {
    /// Number of judged edits of [`Self::score`], without removals. The number of removals depends on the judge's
    /// estimates.
    fn count(&self, subject: &Subject<'_>) -> usize {
        3 * self.others.len()
            + measures::ask_count(subject.labels())
            + measures::sweep_count(self.swept.len())
            + visible::expression_count(self.expressive.len())
            + visible::curve_count(self.curved.len())
    }

    fn score(&self, subject: &mut Subject<'_>) -> Scores {
        let requests = measures::requests(subject);
        let sweep = measures::sweep(subject, &self.swept);
        let targets = measures::targets(subject, &self.others);
        let self_edit = measures::self_edit(subject);
        let (attention, outside_smile) = measures::smile(subject);
        Scores {
            requests,
            sweep,
            identity: IdentityScore {
                outside: targets.outside,
                inside: targets.inside,
                outside_smile,
                feature_distance: targets.feature_distance,
                feature_distance_stranger: targets.feature_distance_stranger,
            },
            targets: targets.agreement,
            self_edit,
            cycle_error: targets.cycle_error,
            attention,
            frechet: targets.frechet,
            expressions: visible::expressions(subject, &self.expressive),
            removal: visible::removal(subject),
            curve: visible::curve(subject, &self.curved),
        }
    }
}

/// At most `count` of `all` indices, evenly spread.
pub(crate) fn spread(all: usize, count: usize) -> Vec<usize> {
    let count = count.min(all);
    (0..count).map(|at| (2 * at + 1) * all / (2 * count)).collect()
}

/// For each face another face, drawn from `seed`: the next one in a random cyclic order.
pub(crate) fn others(count: usize, seed: u64) -> Vec<usize> {
    let mut circle: Vec<usize> = (0..count).collect();
    circle.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut others = vec![0; count];
    for (at, &face) in circle.iter().enumerate() {
        others[face] = circle[(at + 1) % count];
    }
    others
}
