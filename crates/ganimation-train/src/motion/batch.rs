//! A batch of lessons on a device.

use burn::tensor::{Device, Int, Tensor, TensorData};
use ganimation_data::pixels::{tensor_from_aus, tensor_from_bytes};
use ganimation_data::teacher::FIELD_SIDE;
use ganimation_data::{Batch, Lessons, Pairs};
use ganimation_model::{average, enlarge};

use crate::team::split;

/// Side of the squares whose mean is the colour around a point of the mouth, in pixels.
const SURROUNDINGS: usize = 8;

/// Brightness between closed lips, as a fraction of the brightness around.
const BETWEEN_LIPS: f64 = 0.6;

/// Faces, their targets, and the teacher's lessons.
#[derive(Clone, Debug)]
pub struct LessonBatch {
    /// `[batch, 3, size, size]`, in [-1, 1].
    pub(super) images: Tensor<4>,
    /// `[batch, 17]`, OpenFace intensity / 5.
    pub(super) aus: Tensor<2>,
    /// The target action units, like `aus`.
    pub(super) targets: Tensor<2>,
    /// The action units of somebody else, likewise.
    pub(super) others: Tensor<2>,
    pub(super) lesson: Lesson,
    pub(super) pairs: Option<PairBatch>,
}

/// The teacher's output for orders.
#[derive(Clone, Debug)]
pub(super) struct Lesson {
    /// Motion, `[batch, 2, size / 4, size / 4]`, as fractions of the face's side.
    pub(super) field: Tensor<4>,
    /// Areas that the motion uncovers, `[batch, 1, size / 2, size / 2]`, in [0, 1].
    pub(super) mask: Tensor<4>,
    /// Areas where lips close over teeth and lids over eyes, which are painted too: like `mask`.
    pub(super) seam: Tensor<4>,
}

/// Real faces, and the motion to a weaker expression, from which the generator must reconstruct them.
#[derive(Clone, Debug)]
pub(super) struct PairBatch {
    /// The real faces, `[pairs, 3, size, size]`, in [-1, 1].
    pub(super) images: Tensor<4>,
    /// Their action units, `[pairs, 17]`, OpenFace intensity / 5.
    pub(super) aus: Tensor<2>,
    /// The action units of the weaker expression.
    pub(super) reduced_aus: Tensor<2>,
    /// The motion to the weaker expression, like [`Lesson::field`].
    pub(super) lead: Tensor<4>,
    /// Where this motion closes a mouth, like [`Lesson::seam`].
    pub(super) lead_seam: Tensor<4>,
    /// The teacher's lesson from the weaker expression to the real face.
    pub(super) lesson: Lesson,
}

impl LessonBatch {
    /// Copies a loaded batch to `device`.
    ///
    /// # Panics
    /// If the batch has no lessons.
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
        let aus = tensor_from_aus(batch.aus, device);
        Self {
            images: tensor_from_bytes(batch.pixels, [batch.batch, batch.size, batch.size], device),
            others: of_the_next(aus.clone()),
            aus,
            targets: tensor_from_aus(batch.target_aus, device),
            lesson: on.lesson(batch.batch, field, mask, seam),
            pairs: pairs.map(|pairs| on.pairs(pairs)),
        }
    }

    /// Equal parts, one for each device.
    pub(super) fn parts(&self, devices: &[Device]) -> Vec<Self> {
        let labels = [&self.aus, &self.targets, &self.others].map(|labels| split(labels, devices));
        let [aus, targets, others] = labels.map(Vec::into_iter);
        let mut pairs = self.pairs.as_ref().map(|pairs| pairs.parts(devices).into_iter());
        let lessons = self.lesson.parts(devices);
        (split(&self.images, devices).into_iter().zip(lessons))
            .zip(aus.zip(targets.zip(others)))
            .map(|((images, lesson), (aus, (targets, others)))| Self {
                images,
                aus,
                targets,
                others,
                lesson,
                pairs: pairs.as_mut().and_then(Iterator::next),
            })
            .collect()
    }
}

/// Every row takes the place of the one before; the first one goes to the end.
pub(super) fn of_the_next(rows: Tensor<2>) -> Tensor<2> {
    let [count, _] = rows.dims();
    let order: Vec<i64> = (1..=count).map(|at| (at % count) as i64).collect();
    let order = Tensor::<1, Int>::from_data(TensorData::new(order, [count]), &rows.device());
    rows.select(0, order)
}

/// The same masks, 0 in the upper half.
fn lower_half(masks: Tensor<4>) -> Tensor<4> {
    let [_, _, height, _] = masks.dims();
    let lower = masks.clone().narrow(2, height / 2, height - height / 2);
    Tensor::cat(vec![masks.narrow(2, 0, height / 2) * 0.0, lower], 2)
}

impl Lesson {
    /// What is to be painted: what motion uncovers, lips that close over teeth, and lids that close over eyes.
    pub(super) fn paintable(&self) -> Tensor<4> {
        self.mask.clone().max_pair(self.seam.clone())
    }

    fn parts(&self, devices: &[Device]) -> Vec<Self> {
        let [field, mask, seam] = [&self.field, &self.mask, &self.seam].map(|part| split(part, devices));
        (field.into_iter().zip(mask).zip(seam))
            .map(|((field, mask), seam)| Self { field, mask, seam })
            .collect()
    }
}

struct Place<'a> {
    size: usize,
    device: &'a Device,
}

impl Place<'_> {
    fn lesson(&self, count: usize, field: Vec<f32>, mask: Vec<f32>, seam: Vec<f32>) -> Lesson {
        Lesson {
            field: self.field(count, field),
            mask: self.plane(count, mask),
            seam: self.plane(count, seam),
        }
    }

    /// `[count, 1, size / 2, size / 2]`.
    fn plane(&self, count: usize, values: Vec<f32>) -> Tensor<4> {
        let half = [count, 1, self.size / 2, self.size / 2];
        Tensor::from_data(TensorData::new(values, half), self.device)
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
            lead_seam: self.plane(count, pairs.lead_seam),
            lesson: self.lesson(count, pairs.field, pairs.mask, pairs.seam),
        }
    }
}

impl PairBatch {
    fn parts(&self, devices: &[Device]) -> Vec<Self> {
        let parts = [&self.images, &self.lead, &self.lead_seam];
        let [images, lead, seam] = parts.map(|part| split(part, devices).into_iter());
        let [aus, reduced_aus] =
            [&self.aus, &self.reduced_aus].map(|labels| split(labels, devices).into_iter());
        (images.zip(lead.zip(seam)).zip(aus.zip(reduced_aus)))
            .zip(self.lesson.parts(devices))
            .map(
                |(((images, (lead, lead_seam)), (aus, reduced_aus)), lesson)| Self {
                    images,
                    aus,
                    reduced_aus,
                    lead,
                    lead_seam,
                    lesson,
                },
            )
            .collect()
    }

    /// The real faces with the weaker expression: the input of the generator.
    ///
    /// Motion closes the lips, but a line of teeth stays between them. It gives away what the network is to paint, and real
    /// closed mouths do not have it. So it is covered with the colour of the mouth, darkened as between lips.
    pub(super) fn reduced_images(&self) -> Tensor<4> {
        let size = self.images.dims();
        let full = [size[2], size[3]];
        let moved = ganimation_kernels::warp(self.images.clone(), enlarge(self.lead.clone(), full));
        let around = enlarge(average(moved.clone(), SURROUNDINGS), full);
        let line = (around + 1.0) * BETWEEN_LIPS - 1.0;
        let at_the_mouth = lower_half(enlarge(self.lead_seam.clone(), full));
        moved.clone() + (line - moved) * at_the_mouth
    }

    /// The orders from the weaker expression to the real faces, `[pairs, 17]`.
    pub(super) fn orders(&self) -> Tensor<2> {
        self.aus.clone() - self.reduced_aus.clone()
    }
}
