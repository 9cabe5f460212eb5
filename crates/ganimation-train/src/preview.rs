//! A picture of the generator's edits of a few faces.

use burn::tensor::{Device, Tensor};
use ganimation_data::Intensities;
use ganimation_data::pixels::{images_from_tensor, tensor_from_images, tensor_from_intensities};
use ganimation_model::Generator;
use image::RgbImage;

use crate::expressions::{ANGER, DISGUST, Expression, NEUTRAL, SLIGHT_SMILE, SMILE, SURPRISE};
use crate::samples::SampledFace;

/// Number of faces in a preview.
pub(crate) const PREVIEWED: usize = 6;

/// The target of each column.
const EXPRESSIONS: [Expression; 6] = [NEUTRAL, SLIGHT_SMILE, SMILE, SURPRISE, ANGER, DISGUST];

/// A few faces, the same in every preview.
#[derive(Debug)]
pub(crate) struct Preview {
    /// `[faces, 3, size, size]`.
    faces: Tensor<4>,
    /// Their action units.
    shown: Vec<Intensities>,
}

impl Preview {
    /// Takes faces of the generator's image size. Returns `None` without faces.
    pub(crate) fn new(faces: Vec<SampledFace<'_>>, device: &Device) -> Option<Self> {
        let shown = faces.iter().map(|(face, _)| face.intensities).collect();
        let pictures: Vec<RgbImage> = faces.into_iter().map(|(_, picture)| picture).collect();
        (!pictures.is_empty()).then(|| Self {
            faces: tensor_from_images(&pictures, device),
            shown,
        })
    }

    /// One row per face: the face, then neutral, a slight smile, a smile, surprise, anger and disgust, then the mask of
    /// the smile (`1 - A`; painted pixels are white).
    pub(crate) fn draw(&self, generator: &Generator) -> Option<RgbImage> {
        let [count, ..] = self.faces.dims();
        let device = self.faces.device();
        let current = tensor_from_intensities(&self.shown, &device);
        let edits = EXPRESSIONS.map(|expression| {
            let target = |&shown| expression.target_of(shown, generator.orders());
            let targets: Vec<Intensities> = self.shown.iter().map(target).collect();
            let targets = tensor_from_intensities(&targets, &device);
            generator.edit_towards(self.faces.clone(), current.clone(), targets)
        });
        let painted = edits[2].attention.clone() * -2.0 + 1.0;
        let mut columns = vec![self.faces.clone()];
        columns.extend(edits.map(|edit| edit.image));
        columns.push(painted.repeat_dim(1, 3));
        // Columns from left to right, then the faces of the batch from top to bottom.
        let rows = Tensor::cat(columns, 3).chunk(count, 0);
        images_from_tensor(Tensor::cat(rows, 2)).pop()
    }
}
