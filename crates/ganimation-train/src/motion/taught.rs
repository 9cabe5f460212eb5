//! The first stage: the generator learns motion and mask from the teacher, and reconstructs real faces from pairs.

use burn::module::Module;
use burn::tensor::Tensor;
use ganimation_model::{Edit, Generator, ProjectionDiscriminator, average, enlarge, take_gradients};

use super::MotionTrainer;
use super::batch::{Lesson, LessonBatch, PairBatch};
use super::config::{MotionConfig, TaughtConfig};
use super::losses::{cross_entropy, mean_of_masked, motion_error, weighted_mean};
use super::report::MotionReport;
use super::views::View;
use crate::optimizer::Gradients;
use crate::random::view_stream;
use crate::team::replica;
use crate::trainer::{DiscriminatorReport, GeneratorReport};

/// The generator's unweighted terms, each `[1]`, and its outputs.
pub(super) struct TaughtLoss {
    /// See [`motion_error`]; in pixels. Pairs have a smaller weight.
    pub(super) motion: Tensor<1>,
    pub(super) mask: Tensor<1>,
    pub(super) copy: Tensor<1>,
    /// With a larger weight inside the teacher's mask.
    pub(super) pixels: Tensor<1>,
    pub(super) shading: Tensor<1>,
    /// If the generator that training started from is given.
    pub(super) start: Option<Tensor<1>>,
    /// Of the faces, then of the pairs.
    attention: Tensor<4>,
    /// Mean absolute difference of the motion from the teacher's, in pixels.
    off: Tensor<1>,
    /// Absolute difference of pairs from the real faces.
    from_real: Tensor<4>,
    /// Its mean if nothing is done.
    baseline: Tensor<1>,
}

impl TaughtLoss {
    pub(super) fn new(
        generator: &Generator,
        batch: &LessonBatch,
        pairs: &PairBatch,
        start: Option<&Generator>,
        weights: &TaughtConfig,
    ) -> Self {
        let [faces, _, size, _] = batch.images.dims();
        let [count, ..] = pairs.images.dims();
        let orders = batch.targets.clone() - batch.aus.clone();
        let orders = Tensor::cat(vec![orders, pairs.orders()], 0);
        let led = pairs.reduced_images();
        let baseline = (led.clone() - pairs.images.clone()).abs().mean();
        let images = Tensor::cat(vec![batch.images.clone(), led], 0);
        let [field, mask] = both(&batch.lesson, &pairs.lesson);

        let before = start.map(|start| start.edit(images.clone(), orders.clone()));
        let edit = generator.edit(images.autodiff(), orders.autodiff());
        let start = before.map(|before| repainted(&edit, before, enlarge(mask.clone(), [size, size])));
        let Some((motion, shading)) = edit.motion.zip(edit.shading) else {
            panic!("the generator has no motion or no shading")
        };
        let place = (&field.device(), field.dtype());
        let shares = [(faces, 1.0), (count, weights.motion_in_pairs)]
            .map(|(count, share)| Tensor::full([count, 1, 1, 1], share, place));
        let off = (motion.clone().inner() - field.clone()).abs().mean() * size as f64;
        let of_motion = motion_error(motion, field) * size as f64;
        let of_motion = (of_motion * Tensor::cat(shares.to_vec(), 0).autodiff()).mean();
        let painted = average(edit.attention.clone().neg() + 1.0, 2);
        let copy = edit.color.narrow(0, 0, faces) - batch.images.clone().autodiff();
        let from_real = (edit.image.narrow(0, faces, count) - pairs.images.clone().autodiff()).abs();
        let inside = enlarge(pairs.lesson.mask.clone(), [size, size]).autodiff();
        Self {
            motion: of_motion,
            mask: cross_entropy(painted, mask.autodiff(), weights.mask_inside),
            copy: copy.abs().mean(),
            pixels: weighted_mean(from_real.clone(), inside, weights.pixels_inside),
            shading: shading.abs().mean(),
            start,
            attention: edit.attention.inner(),
            off,
            from_real: from_real.inner(),
            baseline,
        }
    }

    /// The weighted sum.
    pub(super) fn total(&self, weights: &TaughtConfig) -> Tensor<1> {
        let total = self.motion.clone() * weights.motion
            + self.mask.clone() * weights.mask
            + self.copy.clone() * weights.copy
            + self.pixels.clone() * weights.pixels
            + self.shading.clone() * weights.shading;
        match &self.start {
            Some(start) => total + start.clone() * weights.start,
            None => total,
        }
    }
}

/// Mean absolute difference of paint from that `before`: of the mask, and of the colours, where paint of either is visible or
/// `mask` is 1.
///
/// # Shapes
/// - `mask`: `[batch, 1, height, width]`, in [0, 1]
fn repainted(edit: &Edit, before: Edit, mask: Tensor<4>) -> Tensor<1> {
    let [now, then] = [edit.attention.clone().inner(), before.attention.clone()].map(|kept| kept.neg() + 1.0);
    let visible = now.max_pair(then).max_pair(mask);
    let colors = (edit.color.clone() - before.color.autodiff()).abs() * visible.clone().autodiff();
    let masks = (edit.attention.clone() - before.attention.autodiff()).abs();
    mean_of_masked(colors, visible.clone()) + mean_of_masked(masks, visible)
}

/// Field and paintable pixels of the faces, then of the pairs.
fn both(of_faces: &Lesson, of_pairs: &Lesson) -> [Tensor<4>; 2] {
    let of = |lesson: &Lesson| [lesson.field.clone(), lesson.paintable()];
    let ([field, mask], [pairs_field, pairs_mask]) = (of(of_faces), of(of_pairs));
    [
        Tensor::cat(vec![field, pairs_field], 0),
        Tensor::cat(vec![mask, pairs_mask], 0),
    ]
}

impl MotionTrainer {
    pub(super) fn taught_step(&mut self, batch: &LessonBatch, step: u64, rate: f64) -> MotionReport {
        let Some(pairs) = &batch.pairs else {
            panic!("a step of the first stage without pairs")
        };
        let config = self.config.motion.clone();
        let [faces, pairs] = [batch.images.dims(), pairs.images.dims()].map(|[count, ..]| count);
        let mut random = view_stream(self.config.seed, step);
        let seen = View::draw(faces + pairs, &config.views, &mut random);
        let devices = self.team.devices();
        let views = seen.parts_of_both(faces, devices.len());
        let parts = batch.parts(&devices).into_iter().zip(views);
        let parts = self.networks().into_iter().zip(parts).collect();
        let parts = self
            .team
            .run(parts, |((generator, discriminator), (batch, view)), device| {
                let (generator, discriminator) = (replica(generator, device), replica(discriminator, device));
                let start = self.start.clone().map(|start| start.fork(device));
                taught(&generator, &discriminator, start.as_ref(), &batch, &view, &config)
            });
        let mut reports = Vec::new();
        let (mut of_generator, mut of_discriminator) = (Vec::new(), Vec::new());
        for part in parts {
            reports.push(part.report);
            of_generator.push(part.generator);
            of_discriminator.push(part.discriminator);
        }
        self.update_generator(of_generator, rate);
        self.update_discriminator(of_discriminator, rate);
        self.team.mean(reports)
    }
}

/// What a part of a taught step gives.
struct Taught {
    generator: Gradients,
    discriminator: Gradients,
    report: MotionReport,
}

fn taught(
    generator: &Generator,
    discriminator: &ProjectionDiscriminator,
    start: Option<&Generator>,
    batch: &LessonBatch,
    view: &View,
    config: &MotionConfig,
) -> Taught {
    let Some(pairs) = &batch.pairs else {
        panic!("a taught step without pairs")
    };
    let loss = TaughtLoss::new(generator, batch, pairs, start, &config.taught);
    let of_generator = take_gradients(generator, &mut loss.total(&config.taught).backward());

    // The discriminator learns to read meanwhile.
    let seen = Tensor::cat(vec![batch.images.clone(), pairs.images.clone()], 0);
    let shown = Tensor::cat(vec![batch.aus.clone(), pairs.aus.clone()], 0);
    let read = discriminator.estimate_aus(view.of(seen).autodiff());
    let of_aus = (read - shown.autodiff()).square().mean();
    let total = of_aus.clone() * config.taught.aus;

    let [_, _, size, _] = batch.images.dims();
    let [field, mask] = both(&batch.lesson, &pairs.lesson);
    let painted = loss.attention.clone().neg() + 1.0;
    let zero = Tensor::<1>::zeros([1], &painted.device());
    Taught {
        generator: of_generator,
        discriminator: take_gradients(discriminator, &mut total.backward()),
        report: MotionReport {
            has_penalty: false,
            has_cycle: false,
            discriminator: DiscriminatorReport {
                adversarial: zero.clone(),
                aus: of_aus.inner(),
                gradient_penalty: zero.clone(),
            },
            generator: GeneratorReport {
                adversarial: zero.clone(),
                aus: zero.clone(),
                cycle: zero.clone(),
                attention: loss.attention.mean(),
                total_variation: zero,
                mask_coverage: painted.clone().mean(),
                mask_coverage_peak: painted.clone().flatten::<2>(1, 3).max_dim(1).mean(),
            },
            field: loss.off,
            field_baseline: field.abs().mean() * size as f64,
            pixels: Some(loss.from_real.mean()),
            pixels_baseline: Some(loss.baseline),
            mask_coverage_outside: (painted * (enlarge(mask, [size, size]).neg() + 1.0)).mean(),
            shading: loss.shading.inner(),
        },
    }
}
