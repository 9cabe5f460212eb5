//! Scorecards: what a generator does to held-out faces, judged by a network that it was not trained against.

mod frechet;
mod measures;
mod pictures;
mod regions;
mod report;
mod scorecard;
mod statistics;
mod subject;

use burn::tensor::{Device, Tensor};
use ganimation_data::Face;
use ganimation_model::{AuReader, Edit, Generator};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

pub use pictures::Pictures;
pub(crate) use regions::Area;
pub use regions::Region;
pub use scorecard::{
    Agreement, AskScore, AttentionScore, FrechetScore, IdentityScore, Regions, SCORECARD_VERSION, Scorecard,
    SelfEditScore, SweepScore, UnitAgreement, UnitSweep,
};
pub(crate) use statistics::pearson;

use crate::{Error, Result};
use subject::Subject;

/// Who reads action units from faces for a scorecard: a network that no generator has learnt to please.
pub trait Judge {
    /// The action units of `images`, `[batch, 3, size, size]` in [-1, 1]: `[batch, 17]`, OpenFace intensity / 5.
    fn read(&self, images: Tensor<4>) -> Tensor<2>;

    /// A description of each face, `[batch, features]`, for distances between sets of faces; not every judge has one.
    fn features(&self, images: Tensor<4>) -> Option<Tensor<2>>;
}

impl Judge for AuReader {
    fn read(&self, images: Tensor<4>) -> Tensor<2> {
        Self::read(self, images)
    }

    fn features(&self, images: Tensor<4>) -> Option<Tensor<2>> {
        Self::features(self, images)
    }
}

/// What a scorecard judges: faces and wishes in, edited faces out.
pub trait Editor {
    /// Edits `images`, `[batch, 3, size, size]` in [-1, 1], which show `current`, towards `target`: `[batch, 17]` each,
    /// OpenFace intensity / 5.
    fn edit(&self, images: Tensor<4>, current: Tensor<2>, target: Tensor<2>) -> Edit;
}

impl Editor for Generator {
    fn edit(&self, images: Tensor<4>, current: Tensor<2>, target: Tensor<2>) -> Edit {
        self.edit_towards(images, current, target)
    }
}

/// What is judged, by whom, and where.
#[derive(Clone, Copy)]
pub struct Trial<'a> {
    /// What edits.
    pub editor: &'a dyn Editor,
    /// Side of the faces that it edits, in pixels.
    pub image_size: usize,
    /// Who reads.
    pub judge: &'a dyn Judge,
    /// Where tensors are made.
    pub device: &'a Device,
}

/// How much is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Faces to look at, spread evenly over those given; all when absent.
    pub faces: Option<usize>,
    /// Faces of which every action unit is swept: each costs 102 edits.
    pub sweep_faces: usize,
    /// Faces edited at once.
    pub batch_size: usize,
    /// Picks whose action units are asked of whom.
    pub seed: u64,
}

impl Default for Extent {
    fn default() -> Self {
        Self {
            faces: None,
            sweep_faces: 64,
            batch_size: 16,
            seed: 0,
        }
    }
}

/// What an evaluation finds: numbers and pictures.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The numbers.
    pub scorecard: Scorecard,
    /// The pictures.
    pub pictures: Pictures,
}

/// Judges an editor on `faces`; `progress` hears how many faces have been looked at, and of how many.
///
/// # Errors
/// [`Error::Setting`] if there is nothing to look at, [`Error::Data`] if a picture cannot be read.
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
    let swept = spread(chosen.len(), extent.sweep_faces);

    let mut subject = Subject::new(trial, &chosen, extent.batch_size, progress)?;
    let single_edits = measures::ask_count(subject.labels()) + measures::sweep_count(swept.len());
    subject.expect(4 * chosen.len() + single_edits + pictures::count(chosen.len()));

    let before = measures::before(&mut subject);
    let asks = measures::asks(&mut subject, &before);
    let sweep = measures::sweep(&mut subject, &before, &swept);
    let targets = measures::targets(&mut subject, &before, &others(chosen.len(), extent.seed));
    let self_edit = measures::self_edit(&mut subject, &before);
    let (attention, outside_smile) = measures::smile(&mut subject);
    let scorecard = Scorecard {
        version: SCORECARD_VERSION,
        faces: chosen.len(),
        image_size: trial.image_size,
        reading: measures::agreement(subject.labels(), &before.read),
        asks,
        sweep,
        identity: IdentityScore {
            outside: targets.outside,
            inside: targets.inside,
            outside_smile,
        },
        targets: targets.agreement,
        self_edit,
        cycle_error: targets.cycle_error,
        attention,
        frechet: targets.frechet,
        regions: Regions::FIXED,
    };
    let pictures = Pictures::draw(&mut subject);
    Ok(Evaluation { scorecard, pictures })
}

/// At most `count` of `all` places, evenly spread.
pub(crate) fn spread(all: usize, count: usize) -> Vec<usize> {
    let count = count.min(all);
    (0..count).map(|at| (2 * at + 1) * all / (2 * count)).collect()
}

/// For each face another one, drawn from `seed`: the next one round a random circle.
pub(crate) fn others(count: usize, seed: u64) -> Vec<usize> {
    let mut circle: Vec<usize> = (0..count).collect();
    circle.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut others = vec![0; count];
    for (at, &face) in circle.iter().enumerate() {
        others[face] = circle[(at + 1) % count];
    }
    others
}
