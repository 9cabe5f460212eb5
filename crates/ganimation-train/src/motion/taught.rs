//! The first stage: motion and mask are taught, and real faces are what pairs must become.

use burn::tensor::Tensor;
use ganimation_model::enlarge;

use super::MotionTrainer;
use super::batch::LessonBatch;
use super::losses::{cross_entropy, halved, weighted_mean};
use super::report::MotionReport;
use super::views::view;
use crate::random::view_stream;
use crate::trainer::{CriticReport, GeneratorReport};

impl MotionTrainer {
    pub(super) fn taught_step(&mut self, batch: &LessonBatch, step: u64, rate: f64) -> MotionReport {
        let Some(pairs) = &batch.pairs else {
            panic!("a taught step without pairs")
        };
        let config = self.config.motion.clone();
        let weights = &config.taught;
        let [faces, _, size, _] = batch.images.dims();
        let [count, ..] = pairs.images.dims();
        let full = |mask: Tensor<4>| enlarge(mask, [size, size]);

        let led = pairs.led_images();
        let images = Tensor::cat(vec![batch.images.clone(), led.clone()], 0);
        let orders = batch.targets.clone() - batch.aus.clone();
        let orders = Tensor::cat(vec![orders, pairs.orders()], 0);
        let both = |of_faces: &Tensor<4>, of_pairs: &Tensor<4>| {
            Tensor::cat(vec![of_faces.clone(), of_pairs.clone()], 0)
        };
        let (lesson, back) = (&batch.lesson, &pairs.lesson);
        let field = both(&lesson.field, &back.field);
        let mask = both(&lesson.mask, &back.mask);
        let seam = both(&lesson.seam, &back.seam);

        let edit = self.generator.edit(images.autodiff(), orders.autodiff());
        let Some((motion, shading)) = edit.motion.zip(edit.shading) else {
            panic!("a network without motion or shading is not taught any")
        };
        let off = (motion - field.clone().autodiff()).abs().mean_dims(&[1, 2, 3]) * size as f64;
        let shares = [(faces, 1.0), (count, weights.motion_in_pairs)]
            .map(|(count, share)| Tensor::full([count, 1, 1, 1], share, &field.device()));
        let of_motion = (off.clone() * Tensor::cat(shares.to_vec(), 0).autodiff()).mean();
        let painted = edit.attention.clone().neg() + 1.0;
        let of_mask = cross_entropy(
            halved(painted.clone()),
            mask.clone().autodiff(),
            seam.autodiff(),
            weights.mask_inside,
        );
        let copy = (edit.color.narrow(0, 0, faces) - batch.images.clone().autodiff())
            .abs()
            .mean();
        let real = pairs.images.clone().autodiff();
        let from_real = (edit.image.narrow(0, faces, count) - real).abs();
        let inside = full(back.mask.clone()).autodiff();
        let of_pixels = weighted_mean(from_real.clone(), inside, weights.pixels_inside);
        let of_shading = shading.abs().mean();
        let total = of_motion * weights.motion
            + of_mask * weights.mask
            + copy * weights.copy
            + of_pixels * weights.pixels
            + of_shading.clone() * weights.shading;
        self.generator_adam.step(&mut self.generator, &total, rate);
        self.update_average();

        // The discriminator learns to read meanwhile.
        let mut random = view_stream(self.config.seed, step);
        let seen = Tensor::cat(vec![batch.images.clone(), pairs.images.clone()], 0);
        let shown = Tensor::cat(vec![batch.aus.clone(), pairs.aus.clone()], 0);
        let read = self
            .discriminator
            .read(view(seen, &config.views, &mut random).autodiff());
        let of_aus = (read - shown.autodiff()).square().mean();
        self.update_discriminator(of_aus.clone() * weights.aus, rate);

        let painted = painted.inner();
        let zero = Tensor::<1>::zeros([1], &painted.device());
        MotionReport {
            critic: CriticReport {
                realness: zero.clone(),
                aus: of_aus.inner(),
                penalty: zero.clone(),
            },
            generator: GeneratorReport {
                realness: zero.clone(),
                aus: zero.clone(),
                cycle: zero.clone(),
                attention: edit.attention.inner().mean(),
                smoothness: zero,
                painted: painted.clone().mean(),
                painted_peak: painted.clone().flatten::<2>(1, 3).max_dim(1).mean(),
            },
            field: off.inner().mean(),
            field_of_nothing: field.abs().mean() * size as f64,
            pixels: Some(from_real.inner().mean()),
            pixels_of_nothing: Some((led - pairs.images.clone()).abs().mean()),
            outside: (painted * (full(mask).neg() + 1.0)).mean(),
            shading: of_shading.inner(),
        }
    }
}
