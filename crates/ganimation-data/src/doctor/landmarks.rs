//! What the landmarks of a dataset are like, and a few faces to draw them on.

use image::RgbImage;
use serde::Serialize;

use crate::dataset::Face;
use crate::picture::decode_whole;

/// So many faces are kept with their pictures.
const EXAMPLES: usize = 6;

/// What the landmarks of the sound faces are like.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LandmarkCount {
    /// Faces that have them.
    pub known: usize,
    /// Faces to train on that have them.
    pub train: usize,
    /// Ids of faces whose landmarks are not those of an upright face.
    pub implausible: Vec<String>,
    /// Some faces, evenly chosen, for [`draw`](super::draw).
    #[serde(skip)]
    pub examples: Vec<Example>,
}

/// A face and its landmarks.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Its id.
    pub id: String,
    /// Its picture.
    pub picture: RgbImage,
    /// Its landmarks `[x, y]`, in shares of the picture's sides.
    pub points: Vec<[f32; 2]>,
}

/// Looks at the landmarks of all faces, the first `train` of which are those to train on.
pub(super) fn count(faces: &[&Face], train: usize) -> LandmarkCount {
    let known: Vec<_> = faces
        .iter()
        .filter_map(|face| Some((face, face.landmarks?)))
        .collect();
    let implausible = known
        .iter()
        .filter(|(_, landmarks)| !landmarks.plausible())
        .map(|(face, _)| face.id.clone());
    let chosen = (0..EXAMPLES.min(known.len())).map(|at| known[at * known.len() / EXAMPLES.min(known.len())]);
    let examples = chosen.filter_map(|(face, landmarks)| {
        Some(Example {
            id: face.id.clone(),
            picture: decode_whole(&face.path).ok()?, // one that cannot be read is another finding
            points: landmarks.points().to_vec(),
        })
    });
    LandmarkCount {
        known: known.len(),
        train: faces[..train]
            .iter()
            .filter(|face| face.landmarks.is_some())
            .count(),
        implausible: implausible.collect(),
        examples: examples.collect(),
    }
}
