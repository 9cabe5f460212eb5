//! A picture of what the generator does to a few faces.

use burn::tensor::{Device, Tensor};
use ganimation_data::pixels::{images_from_tensor, tensor_from_images};
use ganimation_data::{AU_COUNT, ActionUnit, Face, Intensities, picture};
use ganimation_model::Generator;
use image::RgbImage;

use crate::Result;

/// How many faces a preview shows.
const FACES: usize = 6;

/// What is asked of every face, column by column, in OpenFace intensities on a neutral ground.
const EXPRESSIONS: [&[(ActionUnit, f32)]; 6] = [
    &[],
    &[(ActionUnit::CheekRaiser, 1.0), (ActionUnit::LipCornerPuller, 2.0)],
    &[
        (ActionUnit::CheekRaiser, 3.0),
        (ActionUnit::LipCornerPuller, 4.0),
        (ActionUnit::LipsPart, 3.0),
    ],
    &[
        (ActionUnit::InnerBrowRaiser, 3.5),
        (ActionUnit::OuterBrowRaiser, 3.5),
        (ActionUnit::UpperLidRaiser, 2.5),
        (ActionUnit::JawDrop, 3.0),
        (ActionUnit::LipsPart, 3.0),
    ],
    &[
        (ActionUnit::BrowLowerer, 4.0),
        (ActionUnit::LidTightener, 3.0),
        (ActionUnit::LipTightener, 2.0),
    ],
    &[
        (ActionUnit::NoseWrinkler, 3.0),
        (ActionUnit::UpperLipRaiser, 3.5),
        (ActionUnit::BrowLowerer, 2.0),
    ],
];

/// The same few faces at every preview.
#[derive(Debug)]
pub(crate) struct Preview {
    /// `[faces, 3, size, size]`.
    faces: Tensor<4>,
}

impl Preview {
    /// Takes faces spread evenly over a split.
    pub(crate) fn new(faces: &[Face], image_size: usize, device: &Device) -> Result<Option<Self>> {
        let size = u32::try_from(image_size).unwrap_or(u32::MAX);
        let pictures = faces
            .iter()
            .skip(faces.len() / (2 * FACES))
            .step_by((faces.len() / FACES).max(1))
            .take(FACES)
            .map(|face| Ok(picture::read_face(&face.path, size)?.0))
            .collect::<Result<Vec<RgbImage>>>()?;
        Ok((!pictures.is_empty()).then(|| Self {
            faces: tensor_from_images(&pictures, device),
        }))
    }

    /// One row a face: the face, then neutral, a slight smile, a laugh, surprise, anger and disgust, then where the
    /// laugh was painted (white; the mask's `1 - A`).
    pub(crate) fn draw(&self, generator: &Generator) -> Option<RgbImage> {
        let [count, ..] = self.faces.dims();
        let edits = EXPRESSIONS.map(|expression| {
            let mut asked = Intensities::default();
            for &(unit, intensity) in expression {
                asked.set(unit, intensity);
            }
            let row = Tensor::<1>::from_data(asked.normalized(), &self.faces.device());
            generator.edit(
                self.faces.clone(),
                row.reshape([1, AU_COUNT]).repeat_dim(0, count),
            )
        });
        let painted = edits[2].attention.clone() * -2.0 + 1.0;
        let mut columns = vec![self.faces.clone()];
        columns.extend(edits.map(|edit| edit.image));
        columns.push(painted.repeat_dim(1, 3));
        // Columns side by side, then the faces of the batch one below the other.
        let rows = Tensor::cat(columns, 3).chunk(count, 0);
        images_from_tensor(Tensor::cat(rows, 2)).pop()
    }
}
