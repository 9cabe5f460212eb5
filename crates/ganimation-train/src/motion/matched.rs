//! The second stage: against a discriminator that matches faces with action units.

use burn::module::Module;
use burn::tensor::Tensor;
use ganimation_model::{Edit, Generator, ProjectionDiscriminator, average, blend, enlarge, take_gradients};

use super::MotionTrainer;
use super::appearance::{hue_error, lid_error, mouth_error, seam_error};
use super::batch::{LessonBatch, PairBatch};
use super::config::{MatchedConfig, MotionConfig};
use super::losses::{cross_entropy, difference, motion_error, softplus, variation, weighted_mean};
use super::report::MotionReport;
use super::views::Views;
use crate::random::view_stream;
use crate::team::replica;
use crate::trainer::{DiscriminatorReport, GeneratorReport};

/// Squared distance of action units from which somebody else's count in full as wrong ones.
const OTHER: f64 = 0.5;

/// Squares along each side over which shading is averaged.
const STAINS: usize = 8;

/// Below this sum of asked changes, in intensity / 5, a face is asked for nothing.
const NOTHING: f64 = 1e-3;

/// A part of a step after the discriminator's turn.
struct Judged {
    batch: LessonBatch,
    views: Views,
    generator: Generator,
    edit: Edit,
    /// What the discriminator's head reads on the faces, `[batch, 17]`, without autodiff.
    shown: Tensor<2>,
    discriminator: DiscriminatorReport,
}

impl MotionTrainer {
    pub(super) fn matched_step(&mut self, batch: &LessonBatch, step: u64, rate: f64) -> MotionReport {
        let config = self.config.motion.clone();
        let [faces, ..] = batch.images.dims();
        let mut random = view_stream(self.config.seed, step);
        let views = Views::draw(faces, &config.views, &mut random);
        let devices = self.team.devices();
        let parts = (batch.parts(&devices).into_iter()).zip(views.parts(devices.len()));

        let parts = self.networks().into_iter().zip(parts).collect();
        let judged = self
            .team
            .run(parts, |((generator, discriminator), (batch, views)), device| {
                let (generator, discriminator) = (replica(generator, device), replica(discriminator, device));
                let orders = batch.targets.clone() - batch.aus.clone();
                let edit = generator.edit(batch.images.clone().autodiff(), orders.autodiff());
                let edited = edit.image.clone().inner();
                let judgement = Judgement::new(&discriminator, &batch, edited, &config, step, &views);
                let gradients = take_gradients(&discriminator, &mut judgement.total.backward());
                let judged = Judged {
                    batch,
                    views,
                    generator,
                    edit,
                    shown: judgement.shown,
                    discriminator: judgement.report,
                };
                (gradients, judged)
            });
        let (gradients, judged): (Vec<_>, Vec<_>) = judged.into_iter().unzip();
        self.update_discriminator(gradients, rate * config.matched.discriminator_lr_factor);

        let parts = self.networks().into_iter().zip(judged).collect();
        let parts = self.team.run(parts, |((_, discriminator), part), device| {
            let frozen = replica(discriminator, device).no_grad();
            let loss = MatchedLoss::new(
                &part.generator,
                &frozen,
                &part.batch,
                &part.edit,
                part.shown.clone(),
                step,
                &config,
                &part.views,
            );
            let total = loss.total(&config.matched);
            let gradients = take_gradients(&part.generator, &mut total.backward());
            (gradients, part.report(loss, step, &config.matched))
        });
        let (gradients, reports) = parts.into_iter().unzip();
        self.update_generator(gradients, rate);
        self.team.mean(reports)
    }
}

impl Judged {
    fn report(self, loss: MatchedLoss, step: u64, weights: &MatchedConfig) -> MotionReport {
        let size = self.batch.images.dims()[2] as f64;
        let painted = self.edit.attention.clone().inner().neg() + 1.0;
        let MatchedLoss {
            adversarial,
            regularization,
            cycle,
            pixels,
        } = loss;
        let off = match self.edit.motion {
            Some(motion) => (motion.inner() - self.batch.lesson.field.clone()).abs().mean(),
            None => Tensor::zeros([1], &painted.device()),
        };
        let (plain, baseline) = pixels.map(|of_pairs| (of_pairs.plain, of_pairs.baseline)).unzip();
        MotionReport {
            has_penalty: step.is_multiple_of(weights.r1_every),
            has_cycle: cycle.is_some(),
            discriminator: self.discriminator,
            generator: GeneratorReport {
                adversarial: adversarial.score.inner(),
                aus: adversarial.aus.inner(),
                cycle: cycle.map_or_else(|| Tensor::zeros([1], &painted.device()), Tensor::inner),
                attention: self.edit.attention.inner().mean(),
                total_variation: regularization.variation.inner(),
                mask_coverage: painted.clone().mean(),
                mask_coverage_peak: painted.flatten::<2>(1, 3).max_dim(1).mean(),
            },
            field: off * size,
            field_baseline: self.batch.lesson.field.clone().abs().mean() * size,
            pixels: plain,
            pixels_baseline: baseline,
            mask_coverage_outside: regularization.outside.inner(),
            shading: regularization.shading.inner(),
        }
    }
}

/// Mean [`difference`] of faces edited there and back, what the teacher lets be painted counting more.
///
/// The way back alone learns from it. The way there would learn to paint nothing: what is painted over is hard to bring
/// back.
fn cycle_loss(generator: &Generator, batch: &LessonBatch, edit: &Edit, weights: &MatchedConfig) -> Tensor<1> {
    let [_, _, height, width] = batch.images.dims();
    let orders = batch.aus.clone() - batch.targets.clone();
    let there = edit.image.clone().detach();
    let back = generator.edit(there, orders.autodiff());
    let free = enlarge(batch.lesson.paintable(), [height, width]).autodiff();
    let difference = difference(back.image, batch.images.clone().autodiff());
    let painted = back.attention.neg() + 1.0;
    let outside = (painted * (free.clone() * (weights.mask_coverage_inside - 1.0) + 1.0)).mean();
    weighted_mean(difference, free, weights.cycle_inside)
        + outside * (weights.mask_coverage / weights.cycle.max(1.0))
}

impl PairLoss {
    fn new(
        generator: &Generator,
        frozen: &ProjectionDiscriminator,
        pairs: &PairBatch,
        weights: &MatchedConfig,
    ) -> Self {
        let [_, _, height, width] = pairs.images.dims();
        let led = pairs.reduced_images();
        let edit = generator.edit(led.clone().autodiff(), pairs.orders().autodiff());
        let real = pairs.images.clone().autodiff();
        let plain = (edit.image.clone() - real.clone()).abs().inner().mean();
        let features = (weights.features > 0.0).then(|| {
            let activations = [&edit.image, &real].map(|faces| frozen.mouth_activations(faces.clone()));
            let [found, real] = activations.map(Vec::into_iter);
            let layers = found.zip(real).map(|(found, real)| (found - real).abs().mean());
            Tensor::cat(layers.collect(), 0).mean()
        });
        let difference = difference(edit.image, real);
        let mask = enlarge(pairs.lesson.mask.clone(), [height, width]).autodiff();
        Self {
            weighted: weighted_mean(difference, mask, weights.pixels_inside),
            features,
            plain,
            baseline: (led - pairs.images.clone()).abs().mean(),
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

/// Difference of pairs from the real faces.
pub(super) struct PairLoss {
    /// See [`difference`]; the teacher's mask counts more.
    pub(super) weighted: Tensor<1>,
    /// Of the discriminator's activations at the mouth.
    pub(super) features: Option<Tensor<1>>,
    /// Mean absolute difference, outside autodiff.
    plain: Tensor<1>,
    /// The same if nothing is done.
    baseline: Tensor<1>,
}

impl MatchedLoss {
    /// What `generator` learns from `batch`, of which it made `edit`.
    #[expect(clippy::too_many_arguments, reason = "the parts of a step")]
    pub(super) fn new(
        generator: &Generator,
        frozen: &ProjectionDiscriminator,
        batch: &LessonBatch,
        edit: &Edit,
        shown: Tensor<2>,
        step: u64,
        config: &MotionConfig,
        views: &Views,
    ) -> Self {
        let weights = &config.matched;
        let turn = step % weights.cycle_every == 1 % weights.cycle_every;
        let pairs = batch.pairs.as_ref();
        Self {
            adversarial: AdversarialTerms::new(frozen, batch, edit, shown, weights, views),
            regularization: RegularizationTerms::new(batch, edit, weights),
            cycle: turn.then(|| cycle_loss(generator, batch, edit, weights)),
            pixels: pairs.map(|pairs| PairLoss::new(generator, frozen, pairs, weights)),
        }
    }

    /// The weighted sum.
    pub(super) fn total(&self, weights: &MatchedConfig) -> Tensor<1> {
        let mut total = self.adversarial.total(weights) + self.regularization.total(weights);
        if let Some(cycle) = &self.cycle {
            total = total + cycle.clone() * (weights.cycle * weights.cycle_every as f64);
        }
        if let Some(of_pairs) = &self.pixels {
            // Every second step has pairs.
            total = total + of_pairs.weighted.clone() * (2.0 * weights.pixels);
            if let Some(features) = &of_pairs.features {
                total = total + features.clone() * (2.0 * weights.features);
            }
        }
        total
    }
}

/// The discriminator's weighted loss, and what it measured.
pub(super) struct Judgement {
    pub(super) total: Tensor<1>,
    pub(super) report: DiscriminatorReport,
    /// What the head reads on real faces, `[batch, 17]`, without autodiff.
    pub(super) shown: Tensor<2>,
}

impl Judgement {
    pub(super) fn new(
        discriminator: &ProjectionDiscriminator,
        batch: &LessonBatch,
        edited: Tensor<4>,
        config: &MotionConfig,
        step: u64,
        views: &Views,
    ) -> Self {
        let weights = &config.matched;
        let real = views.real.of(batch.images.clone()).autodiff();
        let edited = views.judged.of(edited).autodiff();
        let (aus, targets) = (batch.aus.clone().autodiff(), batch.targets.clone().autodiff());
        let others = batch.others.clone().autodiff();

        let of_real = discriminator.features(real.clone());
        let of_edited = discriminator.features(edited);
        let real_score = of_real.score(discriminator, aus.clone());
        let edited_score = of_edited.score(discriminator, targets);
        // Each face with the action units of the next one, as far as they differ.
        let differs = ((others.clone() - aus.clone()).square().sum_dim(1) / OTHER).clamp_max(1.0);
        let other_score = of_real.score(discriminator, others);
        let of_aus = (of_real.aus.clone() - aus.clone()).square().mean();
        let shown = of_real.aus.clone().inner();
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
        Self { total, report, shown }
    }
}

/// The same colours, of which the brightness alone learns, from the fraction `share` of its gradient: hues come from
/// pairs and [`hue_error`].
///
/// A discriminator of small patches likes hues that no mouth has, another one every few hundred steps.
fn of_brightness(color: Tensor<4>, share: f64) -> Tensor<4> {
    let brightness = color.clone().mean_dim(1);
    color.detach() + (brightness.clone() - brightness.detach()) * share
}

/// What the generator learns from the discriminator.
pub(super) struct AdversarialTerms {
    pub(super) score: Tensor<1>,
    pub(super) patches: Tensor<1>,
    /// Half of the differences, half absolute; shading alone learns from it.
    pub(super) aus: Tensor<1>,
}

impl AdversarialTerms {
    fn new(
        frozen: &ProjectionDiscriminator,
        batch: &LessonBatch,
        edit: &Edit,
        shown: Tensor<2>,
        weights: &MatchedConfig,
        views: &Views,
    ) -> Self {
        let painted = of_brightness(edit.color.clone(), weights.adversarial_paint);
        let painted = blend(edit.kept.clone(), edit.attention.clone(), painted);
        let of_edited = frozen.features(views.edited.of(painted));
        let (aus, targets) = (batch.aus.clone().autodiff(), batch.targets.clone().autodiff());
        // Paint and motion must not please the head that reads: it takes colours and distortions for expressions that no
        // person does.
        let shaded = Edit::new(
            batch.images.clone().autodiff(),
            edit.attention.clone().detach(),
            edit.color.clone().detach(),
            edit.motion.clone().map(Tensor::detach),
            edit.shading.clone(),
        );
        let read = frozen.estimate_aus(views.shaded.of(shaded.image));
        let change = targets.clone() - aus;
        let falls = change.clone().lower_elem(0.0).float().cast(change.dtype());
        let counts = falls * (weights.aus_falling - 1.0) + 1.0;
        let of_change = (read.clone() - shown.autodiff() - change).square();
        let of_whole = (read - targets.clone()).square();
        Self {
            score: softplus(of_edited.score(frozen, targets).neg()).mean(),
            patches: softplus(of_edited.patches.neg()).mean(),
            aus: ((of_change + of_whole) * counts).mean() * 0.5,
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
    pub(super) hues: Tensor<1>,
    pub(super) mouths: Tensor<1>,
    pub(super) lips: Tensor<1>,
    pub(super) lids: Tensor<1>,
    pub(super) variation: Tensor<1>,
    pub(super) shading: Tensor<1>,
    pub(super) stains: Tensor<1>,
    pub(super) shading_tv: Tensor<1>,
    pub(super) identity: Tensor<1>,
}

impl RegularizationTerms {
    fn new(batch: &LessonBatch, edit: &Edit, weights: &MatchedConfig) -> Self {
        let [_, _, height, width] = batch.images.dims();
        let Some((motion, shading)) = edit.motion.clone().zip(edit.shading.clone()) else {
            panic!("a network without motion or shading is not taught any")
        };
        let free = batch.lesson.paintable();
        let [whole, uncovered, covered] =
            [free.clone(), batch.lesson.mask.clone(), batch.lesson.seam.clone()]
                .map(|mask| enlarge(mask, [height, width]));
        let color = || edit.color.clone();
        let (faces, targets) = (|| batch.images.clone(), || batch.targets.clone());
        let price = whole.autodiff();
        let painted = edit.attention.clone().neg() + 1.0;
        let price = price * (weights.mask_coverage_inside - 1.0) + 1.0;
        let change = (edit.image.clone() - batch.images.clone().autodiff()).abs();
        let asked = (batch.targets.clone() - batch.aus.clone()).abs().sum_dim(1);
        let nothing = asked
            .lower_elem(NOTHING)
            .float()
            .cast(change.dtype())
            .reshape([-1, 1, 1, 1])
            .autodiff();
        Self {
            motion: motion_error(motion, batch.lesson.field.clone()).mean(),
            outside: (painted.clone() * price).mean(),
            mask: cross_entropy(average(painted, 2), free.autodiff(), weights.mask_inside),
            hues: hue_error(color(), faces(), uncovered.clone(), covered.clone()),
            mouths: mouth_error(color(), faces(), targets(), uncovered),
            lips: seam_error(color(), faces(), targets(), covered.clone()),
            lids: lid_error(color(), faces(), covered),
            variation: variation(edit.attention.clone()),
            shading: shading.clone().abs().mean(),
            stains: average(shading.clone(), (shading.dims()[2] / STAINS).max(1))
                .abs()
                .mean(),
            shading_tv: variation(shading),
            identity: (change * nothing).mean(),
        }
    }

    fn total(&self, weights: &MatchedConfig) -> Tensor<1> {
        self.motion.clone() * weights.motion
            + self.outside.clone() * weights.mask_coverage
            + self.mask.clone() * weights.mask
            + self.hues.clone() * weights.hues
            + self.mouths.clone() * weights.mouths
            + self.lips.clone() * weights.lips
            + self.lids.clone() * weights.lids
            + self.variation.clone() * weights.mask_tv
            + self.shading.clone() * weights.shading
            + self.stains.clone() * weights.stains
            + self.shading_tv.clone() * weights.shading_tv
            + self.identity.clone() * weights.identity
    }
}
