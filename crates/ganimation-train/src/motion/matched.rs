//! The second stage: against a discriminator that matches faces with action units.

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};
use ganimation_model::{Edit, ProjectionDiscriminator, average, enlarge};
use rand_chacha::ChaCha8Rng;

use super::MotionTrainer;
use super::batch::{Lesson, LessonBatch, PairBatch};
use super::config::{MatchedConfig, MotionConfig};
use super::losses::{cross_entropy, softplus, variation, weighted_mean};
use super::report::MotionReport;
use super::views::view;
use crate::random::view_stream;
use crate::trainer::{DiscriminatorReport, GeneratorReport};

/// Squared distance of action units from which somebody else's count in full as wrong ones.
const OTHER: f64 = 0.5;

/// Below this sum of asked changes, in intensity / 5, a face is asked for nothing.
const NOTHING: f64 = 1e-3;

impl MotionTrainer {
    pub(super) fn matched_step(&mut self, batch: &LessonBatch, step: u64, rate: f64) -> MotionReport {
        let config = self.config.motion.clone();
        let weights = &config.matched;
        let mut random = view_stream(self.config.seed, step);
        let orders = batch.targets.clone() - batch.aus.clone();
        let images = batch.images.clone().autodiff();
        let edit = self.generator.edit(images, orders.autodiff());

        let edited = edit.image.clone().inner();
        let (discriminator_total, discriminator) =
            discriminator_loss(&self.discriminator, batch, edited, &config, step, &mut random);
        self.update_discriminator(discriminator_total, rate * weights.discriminator_lr_factor);

        let frozen = self.discriminator.clone().no_grad();
        let loss = self.generator_loss(&frozen, batch, &edit, step, &mut random);
        self.generator_adam
            .step(&mut self.generator, &loss.total(weights), rate);
        self.update_average();

        let size = batch.images.dims()[2] as f64;
        let painted = edit.attention.clone().inner().neg() + 1.0;
        let MatchedLoss {
            adversarial,
            regularization,
            cycle,
            pixels,
        } = loss;
        MotionReport {
            has_penalty: step.is_multiple_of(weights.r1_every),
            has_cycle: cycle.is_some(),
            discriminator,
            generator: GeneratorReport {
                adversarial: adversarial.score.inner(),
                aus: adversarial.aus.inner(),
                cycle: cycle.map_or_else(|| Tensor::zeros([1], &painted.device()), Tensor::inner),
                attention: edit.attention.inner().mean(),
                total_variation: regularization.variation.inner(),
                mask_coverage: painted.clone().mean(),
                mask_coverage_peak: painted.flatten::<2>(1, 3).max_dim(1).mean(),
            },
            field: regularization.motion.inner() * size,
            field_baseline: batch.lesson.field.clone().abs().mean() * size,
            pixels: pixels.map(|of_pairs| of_pairs.plain),
            pixels_baseline: (batch.pairs.as_ref())
                .map(|pairs| (pairs.reduced_images() - pairs.images.clone()).abs().mean()),
            mask_coverage_outside: regularization.outside.inner(),
            shading: regularization.shading.inner(),
        }
    }

    /// What the generator learns from `batch`, of which it made `edit`.
    pub(super) fn generator_loss(
        &self,
        frozen: &ProjectionDiscriminator,
        batch: &LessonBatch,
        edit: &Edit,
        step: u64,
        random: &mut ChaCha8Rng,
    ) -> MatchedLoss {
        let config = &self.config.motion;
        let weights = &config.matched;
        let turn = step % weights.cycle_every == 1 % weights.cycle_every;
        MatchedLoss {
            adversarial: AdversarialTerms::new(frozen, batch, edit, config, random),
            regularization: RegularizationTerms::new(batch, edit, weights),
            cycle: turn.then(|| self.cycle_loss(batch, edit, weights)),
            pixels: batch.pairs.as_ref().map(|pairs| self.pair_loss(pairs, weights)),
        }
    }

    /// Mean absolute difference of faces edited there and back, what the teacher lets be painted counting more.
    ///
    /// The way back alone learns from it. The way there would learn to paint nothing: what is painted over is hard to bring
    /// back.
    fn cycle_loss(&self, batch: &LessonBatch, edit: &Edit, weights: &MatchedConfig) -> Tensor<1> {
        let [_, _, height, width] = batch.images.dims();
        let orders = batch.aus.clone() - batch.targets.clone();
        let there = edit.image.clone().detach();
        let back = self.generator.edit(there, orders.autodiff());
        let free = enlarge(paintable(&batch.lesson), [height, width]).autodiff();
        let difference = (back.image - batch.images.clone().autodiff()).abs();
        let painted = back.attention.neg() + 1.0;
        let outside = (painted * (free.clone() * (weights.mask_coverage_inside - 1.0) + 1.0)).mean();
        weighted_mean(difference, free, weights.cycle_inside)
            + outside * (weights.mask_coverage / weights.cycle.max(1.0))
    }

    fn pair_loss(&self, pairs: &PairBatch, weights: &MatchedConfig) -> PairLoss {
        let [_, _, height, width] = pairs.images.dims();
        let (led, orders) = (pairs.reduced_images().autodiff(), pairs.orders().autodiff());
        let edit = self.generator.edit(led, orders);
        let difference = (edit.image - pairs.images.clone().autodiff()).abs();
        let mask = enlarge(pairs.lesson.mask.clone(), [height, width]).autodiff();
        let plain = difference.clone().inner().mean();
        PairLoss {
            weighted: weighted_mean(difference, mask, weights.pixels_inside),
            plain,
        }
    }
}

/// The generator's terms, each `[1]` and not yet weighted.
pub(super) struct MatchedLoss {
    pub(super) adversarial: AdversarialTerms,
    pub(super) regularization: RegularizationTerms,
    /// Faces edited there and back, in some steps.
    pub(super) cycle: Option<Tensor<1>>,
    /// Of the batch's pairs, if it has any.
    pub(super) pixels: Option<PairLoss>,
}

/// Mean absolute difference of pairs from the real faces.
pub(super) struct PairLoss {
    /// The teacher's mask counts more.
    pub(super) weighted: Tensor<1>,
    /// Outside autodiff.
    plain: Tensor<1>,
}

impl MatchedLoss {
    /// The weighted sum.
    pub(super) fn total(&self, weights: &MatchedConfig) -> Tensor<1> {
        let mut total = self.adversarial.total(weights) + self.regularization.total(weights);
        if let Some(cycle) = &self.cycle {
            total = total + cycle.clone() * (weights.cycle * weights.cycle_every as f64);
        }
        if let Some(of_pairs) = &self.pixels {
            // Every second step has pairs.
            total = total + of_pairs.weighted.clone() * (2.0 * weights.pixels);
        }
        total
    }
}

/// Where the teacher lets the generator paint: what motion uncovers, and lips that close over teeth.
fn paintable(lesson: &Lesson) -> Tensor<4> {
    lesson.mask.clone().max_pair(lesson.seam.clone())
}

/// The discriminator's weighted loss, and what it measured.
pub(super) fn discriminator_loss(
    discriminator: &ProjectionDiscriminator,
    batch: &LessonBatch,
    edited: Tensor<4>,
    config: &MotionConfig,
    step: u64,
    random: &mut ChaCha8Rng,
) -> (Tensor<1>, DiscriminatorReport) {
    let weights = &config.matched;
    let real = view(batch.images.clone(), &config.views, random).autodiff();
    let edited = view(edited, &config.views, random).autodiff();
    let (aus, targets) = (batch.aus.clone().autodiff(), batch.targets.clone().autodiff());

    let of_real = discriminator.features(real.clone());
    let of_edited = discriminator.features(edited);
    let real_score = of_real.score(discriminator, aus.clone());
    let edited_score = of_edited.score(discriminator, targets);
    // Each face with the action units of the next one, as far as they differ.
    let others = next(aus.clone());
    let differs = ((others.clone() - aus.clone()).square().sum_dim(1) / OTHER).clamp_max(1.0);
    let other_score = of_real.score(discriminator, others);
    let of_aus = (of_real.aus.clone() - aus.clone()).square().mean();
    let mut total = softplus(real_score.clone().neg()).mean()
        + softplus(edited_score.clone()).mean()
        + (softplus(other_score) * differs.flatten(0, 1)).mean() * weights.mismatched
        + (softplus(of_real.patches.neg()).mean() + softplus(of_edited.patches).mean()) * weights.patches
        + of_aus.clone() * weights.aus;
    let device = batch.images.device();
    let mut penalty = Tensor::zeros([1], &device);
    if step.is_multiple_of(weights.r1_every) {
        let gradient = discriminator.input_gradient(real, aus);
        let of_gradient = gradient.square().sum_dims(&[1, 2, 3]).mean();
        total = total + of_gradient.clone() * (weights.r1 * weights.r1_every as f64);
        penalty = of_gradient.inner();
    }
    let report = DiscriminatorReport {
        adversarial: (edited_score.mean() - real_score.mean()).inner(),
        aus: of_aus.inner(),
        gradient_penalty: penalty,
    };
    (total, report)
}

/// Every row takes the place of the one before; the first one goes to the end.
fn next(rows: Tensor<2>) -> Tensor<2> {
    let [count, _] = rows.dims();
    let order: Vec<i64> = (1..=count).map(|at| (at % count) as i64).collect();
    let order = Tensor::<1, Int>::from_data(TensorData::new(order, [count]), &rows.device().inner());
    rows.inner().select(0, order).autodiff()
}

/// What the generator learns from the discriminator.
pub(super) struct AdversarialTerms {
    pub(super) score: Tensor<1>,
    pub(super) patches: Tensor<1>,
    /// Half of the differences, half absolute; motion and shading alone learn from it.
    pub(super) aus: Tensor<1>,
}

impl AdversarialTerms {
    fn new(
        frozen: &ProjectionDiscriminator,
        batch: &LessonBatch,
        edit: &Edit,
        config: &MotionConfig,
        random: &mut ChaCha8Rng,
    ) -> Self {
        let of_edited = frozen.features(view(edit.image.clone(), &config.views, random));
        let of_real = view(batch.images.clone(), &config.views, random);
        let shown = frozen.valid().estimate_aus(of_real).autodiff();
        let (aus, targets) = (batch.aus.clone().autodiff(), batch.targets.clone().autodiff());
        // Paint must not please the head that reads: it finds colours that no mouth has.
        let moved = Edit::new(
            batch.images.clone().autodiff(),
            edit.attention.clone().detach(),
            edit.color.clone().detach(),
            edit.motion.clone(),
            edit.shading.clone(),
        );
        let read = frozen.estimate_aus(view(moved.image, &config.views, random));
        let change = read.clone() - shown - (targets.clone() - aus);
        let of_change = change.square().mean();
        let of_whole = (read - targets.clone()).square().mean();
        Self {
            score: softplus(of_edited.score(frozen, targets).neg()).mean(),
            patches: softplus(of_edited.patches.neg()).mean(),
            aus: (of_change + of_whole) * 0.5,
        }
    }

    fn total(&self, weights: &MatchedConfig) -> Tensor<1> {
        self.score.clone() * weights.adversarial
            + self.patches.clone() * weights.patches
            + self.aus.clone() * weights.aus
    }
}

/// What keeps the generator near its teacher and the face near itself.
pub(super) struct RegularizationTerms {
    pub(super) motion: Tensor<1>,
    pub(super) outside: Tensor<1>,
    pub(super) mask: Tensor<1>,
    pub(super) variation: Tensor<1>,
    pub(super) shading: Tensor<1>,
    pub(super) shading_variation: Tensor<1>,
    pub(super) identity: Tensor<1>,
}

impl RegularizationTerms {
    fn new(batch: &LessonBatch, edit: &Edit, weights: &MatchedConfig) -> Self {
        let [_, _, height, width] = batch.images.dims();
        let Some((motion, shading)) = edit.motion.clone().zip(edit.shading.clone()) else {
            panic!("a network without motion or shading is not taught any")
        };
        let free = enlarge(paintable(&batch.lesson), [height, width]).autodiff();
        let painted = edit.attention.clone().neg() + 1.0;
        let price = free * (weights.mask_coverage_inside - 1.0) + 1.0;
        let change = (edit.image.clone() - batch.images.clone().autodiff()).abs();
        let requested = (batch.targets.clone() - batch.aus.clone()).abs().sum_dim(1);
        let nothing = requested
            .lower_elem(NOTHING)
            .float()
            .cast(change.dtype())
            .reshape([-1, 1, 1, 1])
            .autodiff();
        Self {
            motion: (motion - batch.lesson.field.clone().autodiff()).abs().mean(),
            outside: (painted.clone() * price).mean(),
            mask: cross_entropy(
                average(painted, 2),
                batch.lesson.mask.clone().autodiff(),
                batch.lesson.seam.clone().autodiff(),
                weights.mask_inside,
            ),
            variation: variation(edit.attention.clone()),
            shading: shading.clone().abs().mean(),
            shading_variation: variation(shading),
            identity: (change * nothing).mean(),
        }
    }

    fn total(&self, weights: &MatchedConfig) -> Tensor<1> {
        self.motion.clone() * weights.motion
            + self.outside.clone() * weights.mask_coverage
            + self.mask.clone() * weights.mask
            + self.variation.clone() * weights.mask_tv
            + self.shading.clone() * weights.shading
            + self.shading_variation.clone() * weights.shading_tv
            + self.identity.clone() * weights.identity
    }
}
