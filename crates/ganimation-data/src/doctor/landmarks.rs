//! Statistics of a dataset's landmarks, and a few faces to draw them on.

use image::RgbImage;
use serde::Serialize;

use crate::dataset::Face;
use crate::picture::decode_whole;

/// Number of faces to keep with their pictures.
const EXAMPLES: usize = 6;

/// Statistics of the landmarks of the valid faces.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LandmarkCount {
    /// Faces with landmarks.
    pub known: usize,
    /// Training faces with landmarks.
    pub train: usize,
    /// Ids of faces with landmarks that do not form an upright face.
    pub implausible: Vec<String>,
    /// Some evenly spread faces, for [`draw`](super::draw).
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
    /// Its landmarks `[x, y]`, as fractions of the picture's sides.
    pub points: Vec<[f32; 2]>,
}

/// Checks the landmarks of all faces. The first `train` faces are the training faces.
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
            picture: decode_whole(&face.path).ok()?, // unreadable pictures are reported separately
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
