//! Steps on several devices at once. Each device processes a part of the batch, and the gradients are averaged.
//!
//! Weights are sent to every device before a step. Gradients are sent back to the first device, and its optimiser
//! updates the weights. So there is one state and one checkpoint. If the losses are means over the batch, equal parts
//! give the same step as the whole batch, except for rounding.

use std::thread;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ganimation_model::{AuTerm, DiscriminatorUpdates, TotalVariationTerm, take_gradients};

use crate::config::{Network, TrainConfig};
use crate::optimizer::Gradients;
use crate::random::penalty_alphas;
use crate::trainer::{
    DiscriminatorReport, FaceBatch, GeneratorReport, Trainer, discriminator_terms, generator_terms,
};
use crate::{Error, Result};

impl TrainConfig {
    /// Checks that batches can be divided among `devices` devices.
    ///
    /// # Errors
    /// [`Error::Setting`] if the batch has no equal parts, if a loss is not a mean over the batch (preset `released`),
    /// or if the network is the motion network, whose steps cannot be divided.
    pub fn check_devices(&self, devices: usize) -> Result<()> {
        if devices < 2 {
            return Ok(());
        }
        let wrong = |name, found, expected| Error::Setting {
            name,
            found,
            expected,
        };
        if self.network == Network::Motion {
            let expected = "paper, for several devices: steps of the motion network are not shared";
            return Err(wrong("network", "motion".to_owned(), expected));
        }
        let loss = &self.loss;
        let means = loss.discriminator_updates == DiscriminatorUpdates::Joint
            && loss.au_term != AuTerm::MeanDividedByBatch
            && loss.total_variation_term != TotalVariationTerm::Sum;
        if !means {
            let expected = "losses that are means over the batch, for several devices";
            return Err(wrong("loss", "that of the 2018 code".to_owned(), expected));
        }
        if !self.batch_size.is_multiple_of(devices) {
            let expected = "a multiple of the number of devices";
            return Err(wrong("batch_size", self.batch_size.to_string(), expected));
        }
        Ok(())
    }
}

/// A device's part of a batch, on that device.
struct Part {
    device: Device,
    faces: FaceBatch,
    alpha: Tensor<1>,
}

impl Trainer {
    /// [`Self::discriminator_step`], divided among `devices`.
    ///
    /// # Panics
    /// If the batch has no equal parts; [`TrainConfig::check_devices`] reports this as an error.
    pub fn discriminator_step_on(
        &mut self,
        devices: &[Device],
        faces: &FaceBatch,
        step: u64,
        rate: f64,
    ) -> DiscriminatorReport {
        let [batch, ..] = faces.images.dims();
        let alphas = penalty_alphas(self.config.seed, step, batch);
        let alpha = Tensor::from_data(alphas.as_slice(), &faces.images.device());
        let (generator, discriminator) = (self.generator.valid(), &self.discriminator);
        let weights = &self.config.loss;
        let (gradients, reports) = shared(parts(devices, faces, alpha), |part| {
            let discriminator = discriminator.clone().fork(&part.device.clone().autodiff());
            let generator = generator.clone().fork(&part.device);
            let terms = discriminator_terms(&generator, &discriminator, &part.faces, weights);
            let penalty = terms.penalty(&discriminator, part.alpha);
            let total = terms.total.clone() + penalty.clone() * weights.lambda_gp;
            let gradients = take_gradients(&discriminator, &mut total.backward());
            let DiscriminatorReport {
                adversarial,
                aus,
                gradient_penalty: penalty,
            } = terms.report(penalty);
            (gradients, [adversarial, aus, penalty])
        });
        let adam = &mut self.discriminator_adam;
        adam.step_against(&mut self.discriminator, gradients, rate);
        let [adversarial, aus, penalty] = reports;
        DiscriminatorReport {
            adversarial,
            aus,
            gradient_penalty: penalty,
        }
    }

    /// [`Self::generator_step`], divided among `devices`.
    ///
    /// # Panics
    /// See [`Self::discriminator_step_on`].
    pub fn generator_step_on(&mut self, devices: &[Device], faces: &FaceBatch, rate: f64) -> GeneratorReport {
        let [batch, ..] = faces.images.dims();
        let unused = Tensor::zeros([batch], &faces.images.device());
        let (generator, discriminator) = (&self.generator, &self.discriminator);
        let weights = &self.config.loss;
        let (gradients, reports) = shared(parts(devices, faces, unused), |part| {
            let device = part.device.autodiff();
            let generator = generator.clone().fork(&device);
            let discriminator = discriminator.clone().fork(&device).no_grad();
            let (total, report) = generator_terms(&generator, &discriminator, &part.faces, weights);
            let gradients = take_gradients(&generator, &mut total.backward());
            let GeneratorReport {
                adversarial,
                aus,
                cycle,
                attention,
                total_variation,
                mask_coverage,
                mask_coverage_peak,
            } = report;
            let report = [
                adversarial,
                aus,
                cycle,
                attention,
                total_variation,
                mask_coverage,
                mask_coverage_peak,
            ];
            (gradients, report)
        });
        self.generator_adam
            .step_against(&mut self.generator, gradients, rate);
        self.update_average();
        let [
            adversarial,
            aus,
            cycle,
            attention,
            total_variation,
            mask_coverage,
            mask_coverage_peak,
        ] = reports;
        GeneratorReport {
            adversarial,
            aus,
            cycle,
            attention,
            total_variation,
            mask_coverage,
            mask_coverage_peak,
        }
    }
}

/// Equal parts of a batch, each on its device.
fn parts(devices: &[Device], faces: &FaceBatch, alpha: Tensor<1>) -> Vec<Part> {
    let [batch, ..] = faces.images.dims();
    let count = devices.len();
    assert!(
        count > 0 && batch.is_multiple_of(count),
        "a batch of {batch} has no {count} equal parts"
    );
    let size = batch / count;
    let part = |(at, device): (usize, &Device)| Part {
        device: device.clone(),
        faces: FaceBatch {
            images: faces.images.clone().narrow(0, at * size, size).to_device(device),
            aus: faces.aus.clone().narrow(0, at * size, size).to_device(device),
            targets: faces.targets.clone().narrow(0, at * size, size).to_device(device),
        },
        alpha: alpha.clone().narrow(0, at * size, size).to_device(device),
    };
    devices.iter().enumerate().map(part).collect()
}

/// Processes each part in its own thread. Returns the means of the gradients and of the reports, on the first device.
///
/// # Panics
/// If a thread panics.
fn shared<const N: usize>(
    parts: Vec<Part>,
    work: impl Fn(Part) -> (Gradients, [Tensor<1>; N]) + Sync,
) -> (Gradients, [Tensor<1>; N]) {
    let Some(home) = parts.first().map(|part| part.device.clone()) else {
        panic!("0 devices share no batch")
    };
    #[expect(clippy::cast_precision_loss, reason = "a handful of devices")]
    let share = 1.0 / parts.len() as f64;
    let mut results = thread::scope(|scope| {
        let threads: Vec<_> = (parts.into_iter())
            .map(|part| scope.spawn(|| work(part)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().map(join).collect::<Vec<_>>()
    })
    .into_iter();
    let bring = |tensor: Tensor<1>| tensor.to_device(&home) * share;
    let Some((gradients, report)) = results.next() else {
        panic!("0 devices share no batch")
    };
    let mut gradients: Gradients = (gradients.into_iter())
        .map(|(name, gradient)| (name, bring(gradient)))
        .collect();
    let mut report = report.map(bring);
    for (of_part, values) in results {
        for (name, gradient) in of_part {
            // Every part has gradients for the same parameters.
            if let Some(sum) = gradients.get_mut(&name) {
                *sum = sum.clone() + bring(gradient);
            }
        }
        for (sum, value) in report.iter_mut().zip(values) {
            *sum = sum.clone() + bring(value);
        }
    }
    (gradients, report)
}
