//! Passes faces through an editor and a judge, batch by batch.

use burn::tensor::Tensor;
use ganimation_data::MAX_INTENSITY;
use ganimation_data::pixels::{tensor_from_images, tensor_from_intensities};
use ganimation_data::{AU_COUNT, Face, Intensities, picture};
use ganimation_model::Edit;
use image::RgbImage;

use super::{DoNothing, Trial};
use crate::Result;
use crate::expressions::Expression;

/// A face and its target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// Its index among the faces.
    pub(super) face: usize,
    /// All 17 action units.
    pub(super) target: Intensities,
}

/// The judge's results for the unedited faces.
#[derive(Default)]
pub(super) struct Before {
    pub(super) read: Vec<Intensities>,
    pub(super) features: Vec<Vec<f32>>,
}

/// Faces of one size, with the editor and the judge.
pub(super) struct Subject<'a> {
    pub(super) trial: Trial<'a>,
    pub(super) before: Before,
    /// Whether edits return the faces unchanged.
    still: bool,
    batch_size: usize,
    labels: Vec<Intensities>,
    pictures: Vec<RgbImage>,
    done: usize,
    total: usize,
    progress: &'a mut dyn FnMut(usize, usize),
}

impl<'a> Subject<'a> {
    /// Decodes the faces.
    pub(super) fn new(
        trial: Trial<'a>,
        faces: &[&Face],
        batch_size: usize,
        progress: &'a mut dyn FnMut(usize, usize),
    ) -> Result<Self> {
        let size = u32::try_from(trial.image_size).unwrap_or(u32::MAX);
        let pictures = faces
            .iter()
            .map(|face| Ok(picture::read_face(&face.path, size)?.0))
            .collect::<Result<_>>()?;
        // Labels of other tools can lie outside the scale, but targets must not.
        let within = |face: &&Face| {
            face.intensities
                .as_array()
                .map(|value| value.clamp(0.0, MAX_INTENSITY))
        };
        Ok(Self {
            trial,
            before: Before::default(),
            still: false,
            batch_size,
            labels: faces.iter().map(within).map(Intensities::new).collect(),
            pictures,
            done: 0,
            total: 0,
            progress,
        })
    }

    /// Announces `more` further passes over faces, for the progress.
    pub(super) fn expect(&mut self, more: usize) {
        self.total += more;
    }

    /// Number of faces passed to the judge so far.
    pub(super) fn looks(&self) -> usize {
        self.done
    }

    /// Passes the unedited faces to the judge.
    pub(super) fn look(&mut self) {
        let mut before = Before::default();
        let mut start = 0;
        while start < self.pictures.len() {
            let end = (start + self.batch_size).min(self.pictures.len());
            let images = tensor_from_images(&self.pictures[start..end], self.trial.device);
            before
                .read
                .extend(intensities(self.trial.judge.estimate(images.clone())));
            before.features.extend(self.features_of(images));
            self.advance(end - start);
            start = end;
        }
        self.before = before;
    }

    /// From now on, faces are not edited. The judge's results for the unedited faces are reused.
    pub(super) fn keep_still(&mut self, nothing: &'a DoNothing) {
        self.trial.editor = nothing;
        self.still = true;
    }

    /// The faces' labels, clamped to 0 to 5.
    pub(super) fn labels(&self) -> &[Intensities] {
        &self.labels
    }

    pub(super) fn picture(&self, face: usize) -> &RgbImage {
        &self.pictures[face]
    }

    /// Every face with the target that `target` computes from its index and label.
    pub(super) fn request_all(&self, target: impl Fn(usize, Intensities) -> Intensities) -> Vec<Request> {
        let request = |(face, label)| Request {
            face,
            target: target(face, label),
        };
        self.labels.iter().copied().enumerate().map(request).collect()
    }

    /// All 17 action units of an expression on a face.
    pub(super) fn target(&self, expression: Expression, face: usize) -> Intensities {
        expression.target_of(self.labels[face], self.trial.editor.orders())
    }

    /// Edits the faces and passes each batch to `look`: the targets, the faces, their edits.
    pub(super) fn each_edit(
        &mut self,
        requests: &[Request],
        mut look: impl FnMut(&Self, &[Request], Tensor<4>, Edit),
    ) {
        for requests in requests.chunks(self.batch_size) {
            let pictures: Vec<RgbImage> = requests
                .iter()
                .map(|request| self.pictures[request.face].clone())
                .collect();
            let targets: Vec<Intensities> = requests.iter().map(|request| request.target).collect();
            let images = tensor_from_images(&pictures, self.trial.device);
            let aus = tensor_from_intensities(&targets, self.trial.device);
            let current: Vec<Intensities> =
                requests.iter().map(|request| self.labels[request.face]).collect();
            let current = tensor_from_intensities(&current, self.trial.device);
            let edit = self.trial.editor.edit(images.clone(), current, aus);
            look(self, requests, images, edit);
            self.advance(requests.len());
        }
    }

    /// The action units that the judge estimates on the edits of `asks`, in OpenFace intensities.
    pub(super) fn estimates(&self, requests: &[Request], edited: Tensor<4>) -> Vec<Intensities> {
        match self.still {
            true => requests
                .iter()
                .map(|request| self.before.read[request.face])
                .collect(),
            false => intensities(self.trial.judge.estimate(edited)),
        }
    }

    /// The judge's features of the edits of `asks`; empty if the judge has no features.
    pub(super) fn features(&self, requests: &[Request], edited: Tensor<4>) -> Vec<Vec<f32>> {
        let before = &self.before.features;
        match self.still {
            true if before.is_empty() => Vec::new(),
            true => requests
                .iter()
                .map(|request| before[request.face].clone())
                .collect(),
            false => self.features_of(edited),
        }
    }

    fn features_of(&self, images: Tensor<4>) -> Vec<Vec<f32>> {
        self.trial.judge.features(images).map(rows).unwrap_or_default()
    }

    fn advance(&mut self, looks: usize) {
        self.done += looks;
        (self.progress)(self.done, self.total);
    }
}

fn intensities(aus: Tensor<2>) -> Vec<Intensities> {
    rows(aus)
        .iter()
        .filter_map(|row| <[f32; AU_COUNT]>::try_from(row.as_slice()).ok())
        .map(Intensities::from_normalized)
        .collect()
}

/// The rows of a tensor, in main memory.
fn rows(tensor: Tensor<2>) -> Vec<Vec<f32>> {
    let [_, width] = tensor.dims();
    let values: Vec<f32> = tensor.into_data_as::<f32>().iter::<f32>().collect();
    values.chunks_exact(width).map(<[f32]>::to_vec).collect()
}

/// The values of a tensor, in main memory.
pub(super) fn values(tensor: Tensor<1>) -> Vec<f64> {
    tensor
        .into_data_as::<f32>()
        .iter::<f32>()
        .map(f64::from)
        .collect()
}
