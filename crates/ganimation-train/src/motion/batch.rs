//! A batch of lessons on a device.

use burn::tensor::{Device, Tensor, TensorData};
use ganimation_data::pixels::{tensor_from_aus, tensor_from_bytes};
use ganimation_data::teacher::FIELD_SIDE;
use ganimation_data::{Batch, Lessons, Pairs};
use ganimation_model::enlarge;

/// Faces, what they are asked to do, and what the teacher says to it.
#[derive(Clone, Debug)]
pub struct LessonBatch {
    /// `[batch, 3, size, size]`, in [-1, 1].
    pub(super) images: Tensor<4>,
    /// `[batch, 17]`, OpenFace intensity / 5.
    pub(super) aus: Tensor<2>,
    /// Likewise.
    pub(super) targets: Tensor<2>,
    pub(super) lesson: Lesson,
    pub(super) pairs: Option<PairBatch>,
}

/// What the teacher says to orders.
#[derive(Clone, Debug)]
pub(super) struct Lesson {
    /// Motion, `[batch, 2, size / 4, size / 4]`, in shares of the face's side.
    pub(super) field: Tensor<4>,
    /// What motion uncovers, `[batch, 1, size / 2, size / 2]`, in [0, 1].
    pub(super) mask: Tensor<4>,
    /// Where lips close over teeth and may be painted too: as `mask`.
    pub(super) seam: Tensor<4>,
}

/// Real faces, and how they become the pictures that they are to be made of again.
#[derive(Clone, Debug)]
pub(super) struct PairBatch {
    /// The real faces, `[pairs, 3, size, size]`, in [-1, 1].
    pub(super) images: Tensor<4>,
    /// What they show, `[pairs, 17]`, OpenFace intensity / 5.
    pub(super) aus: Tensor<2>,
    /// What they show less of when the teacher has led them back.
    pub(super) reduced_aus: Tensor<2>,
    /// The motion that leads them back, as [`Lesson::field`].
    pub(super) lead: Tensor<4>,
    /// What the teacher says to the way forth.
    pub(super) lesson: Lesson,
}

impl LessonBatch {
    /// Moves a loaded batch to `device`.
    ///
    /// # Panics
    /// If it holds no lessons.
    pub fn new(batch: Batch, device: &Device) -> Self {
        let Some(Lessons {
            field,
            mask,
            seam,
            pairs,
        }) = batch.lessons
        else {
            panic!("a batch of {} faces without lessons", batch.batch)
        };
        let on = Place {
            size: batch.size,
            device,
        };
        Self {
            images: tensor_from_bytes(batch.pixels, [batch.batch, batch.size, batch.size], device),
            aus: tensor_from_aus(batch.aus, device),
            targets: tensor_from_aus(batch.target_aus, device),
            lesson: on.lesson(batch.batch, field, mask, seam),
            pairs: pairs.map(|pairs| on.pairs(pairs)),
        }
    }
}

struct Place<'a> {
    size: usize,
    device: &'a Device,
}

impl Place<'_> {
    fn lesson(&self, count: usize, field: Vec<f32>, mask: Vec<f32>, seam: Vec<f32>) -> Lesson {
        let half = [count, 1, self.size / 2, self.size / 2];
        let plane = |values| Tensor::from_data(TensorData::new(values, half), self.device);
        Lesson {
            field: self.field(count, field),
            mask: plane(mask),
            seam: plane(seam),
        }
    }

    /// At the network's resolution.
    fn field(&self, count: usize, values: Vec<f32>) -> Tensor<4> {
        let field = TensorData::new(values, [count, 2, FIELD_SIDE, FIELD_SIDE]);
        enlarge(Tensor::from_data(field, self.device), [self.size / 4; 2])
    }

    fn pairs(&self, pairs: Pairs) -> PairBatch {
        let count = pairs.count;
        PairBatch {
            images: tensor_from_bytes(pairs.pixels, [count, self.size, self.size], self.device),
            aus: tensor_from_aus(pairs.aus, self.device),
            reduced_aus: tensor_from_aus(pairs.reduced_aus, self.device),
            lead: self.field(count, pairs.lead),
            lesson: self.lesson(count, pairs.field, pairs.mask, pairs.seam),
        }
    }
}

impl PairBatch {
    /// The real faces, led back: what the generator gets.
    pub(super) fn reduced_images(&self) -> Tensor<4> {
        let [_, _, height, width] = self.images.dims();
        ganimation_kernels::warp(self.images.clone(), enlarge(self.lead.clone(), [height, width]))
    }

    /// The orders that bring the real faces forth again, `[pairs, 17]`.
    pub(super) fn orders(&self) -> Tensor<2> {
        self.aus.clone() - self.reduced_aus.clone()
    }
}
