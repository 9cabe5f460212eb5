//! The measurements of a step of the motion network.

use burn::tensor::Tensor;

use crate::team::Measurements;
use crate::trainer::{DiscriminatorReport, GeneratorReport};

/// The measurements of a step, each `[1]`, unweighted, on the device. Reading a value waits for the device.
#[derive(Clone, Debug)]
pub struct MotionReport {
    /// Terms that the paper's protocol also has; 0 if the stage does not have them. The adversarial term is the difference
    /// of the scores.
    pub discriminator: DiscriminatorReport,
    /// See `discriminator`.
    pub generator: GeneratorReport,
    /// Whether this step computed R1, the penalty.
    pub(crate) has_penalty: bool,
    /// Whether this step computed the cycle.
    pub(crate) has_cycle: bool,
    /// Mean absolute difference of the motion from the teacher's, in pixels of the face.
    pub field: Tensor<1>,
    /// Mean absolute motion of the teacher, in pixels: the value of `field` without motion.
    pub field_baseline: Tensor<1>,
    /// Mean absolute difference of pairs from the real face, for a value range of 2; `None` in steps without pairs.
    pub pixels: Option<Tensor<1>>,
    /// The same difference without an edit.
    pub pixels_baseline: Option<Tensor<1>>,
    /// Mean of `1 - A` outside the teacher's mask.
    pub mask_coverage_outside: Tensor<1>,
    /// Mean magnitude of the shading.
    pub shading: Tensor<1>,
}

impl Measurements for MotionReport {
    fn values(&mut self) -> Vec<&mut Tensor<1>> {
        let mut values = self.discriminator.values();
        values.extend(self.generator.values());
        values.extend([&mut self.field, &mut self.field_baseline]);
        values.extend(&mut self.pixels);
        values.extend(&mut self.pixels_baseline);
        values.extend([&mut self.mask_coverage_outside, &mut self.shading]);
        values
    }
}

impl MotionReport {
    /// The terms that the paper's protocol does not have, and their names in errors.
    pub(crate) fn terms(&self) -> impl Iterator<Item = (&'static str, &Tensor<1>)> {
        let always = [
            ("motion", &self.field),
            ("motion", &self.field_baseline),
            ("mask", &self.mask_coverage_outside),
            ("shading", &self.shading),
        ];
        let of_pairs = [&self.pixels, &self.pixels_baseline].into_iter().flatten();
        always.into_iter().chain(of_pairs.map(|term| ("pixel", term)))
    }

    /// Takes the values that this step did not compute from the previous step.
    pub(crate) fn or_latest(mut self, before: Option<Self>) -> Self {
        if let Some(before) = before {
            self.pixels = self.pixels.or(before.pixels);
            self.pixels_baseline = self.pixels_baseline.or(before.pixels_baseline);
            if !self.has_penalty {
                self.discriminator.gradient_penalty = before.discriminator.gradient_penalty;
            }
            if !self.has_cycle {
                self.generator.cycle = before.generator.cycle;
            }
        }
        self
    }
}
