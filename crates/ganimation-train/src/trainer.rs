//! The networks during training, and one step of each.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ganimation_data::Batch;
use ganimation_data::pixels::{tensor_from_aus, tensor_from_bytes};
use ganimation_model::{
    Discriminator, DiscriminatorLoss, DiscriminatorUpdates, Generator, LossWeights, discriminator_loss,
    generator_loss, gradient_penalty, map_parameters, take_gradients, update_parameters,
};

use crate::config::TrainConfig;
use crate::optimizer::Adam;
use crate::random::{drawn, penalty_alphas};
use crate::team::{Measurements, Replica, Team, replica, split};

/// A batch of faces on a device.
#[derive(Clone, Debug)]
pub struct FaceBatch {
    /// `[batch, 3, size, size]`, in [-1, 1].
    pub images: Tensor<4>,
    /// The faces' action units, `[batch, 17]`, OpenFace intensity / 5.
    pub aus: Tensor<2>,
    /// The target action units, `[batch, 17]`.
    pub targets: Tensor<2>,
}

impl FaceBatch {
    /// Copies a loaded batch to `device` as bytes, and normalises it there.
    pub fn new(batch: Batch, device: &Device) -> Self {
        let shape = [batch.batch, batch.size, batch.size];
        Self {
            images: tensor_from_bytes(batch.pixels, shape, device),
            aus: tensor_from_aus(batch.aus, device),
            targets: tensor_from_aus(batch.target_aus, device),
        }
    }

    /// Equal parts, one for each device.
    fn parts(&self, devices: &[Device]) -> Vec<Self> {
        let (aus, targets) = (split(&self.aus, devices), split(&self.targets, devices));
        (split(&self.images, devices).into_iter().zip(aus).zip(targets))
            .map(|((images, aus), targets)| Self { images, aus, targets })
            .collect()
    }
}

/// The measurements of a discriminator step, each `[1]`, unweighted, on the device. Reading a value waits for the device.
#[derive(Clone, Debug)]
pub struct DiscriminatorReport {
    /// Mean critic score of edited faces minus that of real faces.
    pub adversarial: Tensor<1>,
    /// Action-unit error on real faces.
    pub aus: Tensor<1>,
    /// Gradient penalty.
    pub gradient_penalty: Tensor<1>,
}

impl DiscriminatorReport {
    /// The terms and their names in errors.
    pub(crate) fn terms(&self) -> [(&'static str, &Tensor<1>); 3] {
        [
            ("discriminator's adversarial", &self.adversarial),
            ("discriminator's action-unit", &self.aus),
            ("gradient penalty", &self.gradient_penalty),
        ]
    }
}

impl Measurements for DiscriminatorReport {
    fn values(&mut self) -> Vec<&mut Tensor<1>> {
        vec![&mut self.adversarial, &mut self.aus, &mut self.gradient_penalty]
    }
}

/// The measurements of a generator step, each `[1]`, unweighted, on the device. Reading a value waits for the device.
#[derive(Clone, Debug)]
pub struct GeneratorReport {
    /// Negative mean critic score of edited faces.
    pub adversarial: Tensor<1>,
    /// Action-unit error on edited faces.
    pub aus: Tensor<1>,
    /// Mean absolute cycle error, for a value range of 2.
    pub cycle: Tensor<1>,
    /// Attention loss: size of the masks, both passes.
    pub attention: Tensor<1>,
    /// Total variation of the masks, both passes.
    pub total_variation: Tensor<1>,
    /// Mask coverage: mean of `1 - A`.
    pub mask_coverage: Tensor<1>,
    /// Batch mean of each picture's largest `1 - A`. Near 0 for a dead mask.
    pub mask_coverage_peak: Tensor<1>,
}

impl GeneratorReport {
    /// The terms and their names in errors.
    pub(crate) fn terms(&self) -> [(&'static str, &Tensor<1>); 7] {
        [
            ("generator's adversarial", &self.adversarial),
            ("generator's action-unit", &self.aus),
            ("cycle", &self.cycle),
            ("attention", &self.attention),
            ("total variation", &self.total_variation),
            ("mask", &self.mask_coverage),
            ("mask", &self.mask_coverage_peak),
        ]
    }
}

impl Measurements for GeneratorReport {
    fn values(&mut self) -> Vec<&mut Tensor<1>> {
        vec![
            &mut self.adversarial,
            &mut self.aus,
            &mut self.cycle,
            &mut self.attention,
            &mut self.total_variation,
            &mut self.mask_coverage,
            &mut self.mask_coverage_peak,
        ]
    }
}

/// Both networks, their optimisers and the generator's EMA (moving average).
///
/// The discriminator `D` determines the protocol: [`Discriminator`] for the paper's protocol, a projection
/// discriminator for that of [`MotionTrainer`](crate::MotionTrainer).
#[derive(Debug)]
pub struct Trainer<D = Discriminator> {
    pub(crate) config: TrainConfig,
    pub(crate) generator: Generator,
    pub(crate) discriminator: D,
    pub(crate) average: Generator,
    /// The generator that training started from, without gradients, if a loss needs it.
    pub(crate) start: Option<Generator>,
    pub(crate) generator_adam: Adam,
    pub(crate) discriminator_adam: Adam,
    pub(crate) team: Team,
    /// The networks of the team's devices but the first.
    pub(crate) further: Vec<Replica<D>>,
}

impl<D: Module> Trainer<D> {
    /// New networks on `device`, initialised with the settings' seed. `discriminator` creates the second network.
    pub(crate) fn drawn(
        config: TrainConfig,
        device: &Device,
        discriminator: impl FnOnce(&TrainConfig, &Device) -> D,
    ) -> Self {
        let device = device.clone().autodiff();
        let (generator, discriminator) = drawn(config.seed, &device, || {
            (config.generator().init(&device), discriminator(&config, &device))
        });
        Self::from_networks(config, generator, discriminator)
    }

    /// Starts from existing networks, with new optimisers.
    ///
    /// All networks and batches must have the same float type. Both networks must be on the same autodiff device.
    pub fn from_networks(config: TrainConfig, generator: Generator, discriminator: D) -> Self {
        let device = generator.devices().into_iter().next().unwrap_or_default();
        Self {
            team: Team::of_one(&device, &config),
            further: Vec::new(),
            discriminator,
            average: generator.valid(),
            start: None,
            generator,
            generator_adam: Adam::new(config.adam),
            discriminator_adam: Adam::new(config.adam),
            config,
        }
    }

    /// The current generator. For editing, use its [`average`](Self::average).
    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    /// The EMA (moving average) of the generator, without autodiff. Use it for previews, evaluation and release.
    pub fn average(&self) -> &Generator {
        &self.average
    }

    /// The current discriminator.
    pub fn discriminator(&self) -> &D {
        &self.discriminator
    }

    /// Updates the EMA. The decay is smaller in the first steps, so that the initial weights soon lose their effect.
    pub(crate) fn update_average(&mut self) {
        let count = f64::from(self.generator_adam.count());
        let decay = self.config.ema_decay.min((1.0 + count) / (10.0 + count));
        let mut current = BTreeMap::new();
        map_parameters(self.generator.valid(), |name, values| {
            current.insert(name.to_owned(), values.clone());
            values
        });
        update_parameters(&mut self.average, |name, values| match current.remove(name) {
            Some(newest) => values * decay + newest * (1.0 - decay),
            None => values,
        });
    }
}

impl Trainer {
    /// New networks on `device`, initialised with the settings' seed.
    ///
    /// # Panics
    /// If the settings are invalid; [`TrainConfig::check`] reports this as an error.
    pub fn new(config: TrainConfig, device: &Device) -> Self {
        Self::drawn(config, device, |config, device| {
            config.discriminator().init(device)
        })
    }

    /// One update of the discriminator at learning rate `rate`. `step` determines the gradient penalty's random points.
    pub fn discriminator_step(&mut self, faces: &FaceBatch, step: u64, rate: f64) -> DiscriminatorReport {
        let [batch, ..] = faces.images.dims();
        let alphas = penalty_alphas(self.config.seed, step, batch);
        let alpha = Tensor::from_data(alphas.as_slice(), &faces.images.device());
        self.discriminator_step_at(faces, alpha, rate)
    }

    /// [`Self::discriminator_step`] with given points of the gradient penalty. `alpha`, in [0, 1], is the weight of the real
    /// face.
    ///
    /// # Shapes
    /// - `alpha`: `[batch]`
    pub fn discriminator_step_at(
        &mut self,
        faces: &FaceBatch,
        alpha: Tensor<1>,
        rate: f64,
    ) -> DiscriminatorReport {
        let weights = &self.config.loss;
        let devices = self.team.devices();
        let parts = faces.parts(&devices).into_iter().zip(split(&alpha, &devices));
        let parts = self.networks().into_iter().zip(parts).collect();
        let judged = self
            .team
            .run(parts, |((generator, discriminator), (faces, alpha)), device| {
                let discriminator = replica(discriminator, device);
                let terms = discriminator_terms(&generator.valid(), &discriminator, &faces, weights);
                let judgement = terms.judgement.clone();
                let (total, penalty) = match weights.discriminator_updates {
                    DiscriminatorUpdates::Joint => {
                        let penalty = terms.penalty(&discriminator, alpha.clone());
                        (judgement + penalty.clone() * weights.lambda_gp, Some(penalty))
                    }
                    DiscriminatorUpdates::Separate => (judgement, None),
                };
                let gradients = take_gradients(&discriminator, &mut total.backward());
                (
                    gradients,
                    Judged {
                        terms,
                        alpha,
                        penalty,
                    },
                )
            });
        let (gradients, judged): (Vec<_>, Vec<_>) = judged.into_iter().unzip();
        self.update_discriminator(gradients, rate);
        let reports = match self.config.loss.discriminator_updates {
            DiscriminatorUpdates::Joint => judged.into_iter().map(Judged::report).collect(),
            DiscriminatorUpdates::Separate => self.penalty_step(judged, rate),
        };
        self.team.mean(reports)
    }

    /// An update of the discriminator against the gradient penalty alone.
    fn penalty_step(&mut self, judged: Vec<Judged>, rate: f64) -> Vec<DiscriminatorReport> {
        let weight = self.config.loss.lambda_gp;
        let parts = self.networks().into_iter().zip(judged).collect();
        let penalised = self.team.run(parts, |((_, discriminator), mut judged), device| {
            let discriminator = replica(discriminator, device);
            let penalty = judged.terms.penalty(&discriminator, judged.alpha.clone());
            let total = penalty.clone() * weight;
            judged.penalty = Some(penalty);
            let gradients = take_gradients(&discriminator, &mut total.backward());
            (gradients, judged.report())
        });
        let (gradients, reports) = penalised.into_iter().unzip();
        self.update_discriminator(gradients, rate);
        reports
    }

    /// One update of the generator at learning rate `rate`, and of its EMA.
    pub fn generator_step(&mut self, faces: &FaceBatch, rate: f64) -> GeneratorReport {
        let weights = &self.config.loss;
        let devices = self.team.devices();
        let parts = self.networks().into_iter().zip(faces.parts(&devices));
        let stepped = self
            .team
            .run(parts.collect(), |((generator, discriminator), faces), device| {
                let generator = replica(generator, device);
                let frozen = replica(discriminator, device).no_grad();
                let (total, report) = generator_terms(&generator, &frozen, &faces, weights);
                (take_gradients(&generator, &mut total.backward()), report)
            });
        let (gradients, reports) = stepped.into_iter().unzip();
        self.update_generator(gradients, rate);
        self.team.mean(reports)
    }
}

/// A part of a discriminator's step, after its first backward pass.
struct Judged {
    terms: DiscriminatorTerms,
    alpha: Tensor<1>,
    penalty: Option<Tensor<1>>,
}

impl Judged {
    fn report(self) -> DiscriminatorReport {
        let penalty = self.penalty.unwrap_or_else(|| self.terms.judgement.zeros_like());
        self.terms.report(penalty)
    }
}

/// The terms of the discriminator's step.
pub(crate) struct DiscriminatorTerms {
    real: Tensor<4>,
    fake: Tensor<4>,
    loss: DiscriminatorLoss,
    /// The weighted loss without the penalty.
    pub(crate) judgement: Tensor<1>,
}

/// The discriminator's loss on the edits that `generator` makes of `faces`. `generator` is without autodiff.
pub(crate) fn discriminator_terms(
    generator: &Generator,
    discriminator: &Discriminator,
    faces: &FaceBatch,
    weights: &LossWeights,
) -> DiscriminatorTerms {
    let real = faces.images.clone().autodiff();
    let edit = generator.edit(faces.images.clone(), faces.targets.clone());
    let fake = edit.image.autodiff();
    let aus = faces.aus.clone().autodiff();
    let loss = discriminator_loss(discriminator, real.clone(), aus, fake.clone(), weights);
    DiscriminatorTerms {
        judgement: loss.total(weights),
        real,
        fake,
        loss,
    }
}

impl DiscriminatorTerms {
    /// The unweighted gradient penalty at `alpha`, `[batch]`.
    pub(crate) fn penalty(&self, discriminator: &Discriminator, alpha: Tensor<1>) -> Tensor<1> {
        gradient_penalty(
            discriminator,
            self.real.clone(),
            self.fake.clone(),
            alpha.autodiff(),
        )
    }

    /// The report of the step.
    pub(crate) fn report(self, penalty: Tensor<1>) -> DiscriminatorReport {
        DiscriminatorReport {
            adversarial: self.loss.adversarial.inner(),
            aus: self.loss.aus.inner(),
            gradient_penalty: penalty.inner(),
        }
    }
}

/// The generator's weighted loss on `faces` and its report. The discriminator is without gradients.
pub(crate) fn generator_terms(
    generator: &Generator,
    discriminator: &Discriminator,
    faces: &FaceBatch,
    weights: &LossWeights,
) -> (Tensor<1>, GeneratorReport) {
    let loss = generator_loss(
        generator,
        discriminator,
        faces.images.clone().autodiff(),
        faces.aus.clone().autodiff(),
        faces.targets.clone().autodiff(),
        weights,
    );
    let total = loss.total(weights);
    let painted = loss.mask.inner().neg() + 1.0;
    let report = GeneratorReport {
        adversarial: loss.adversarial.inner(),
        aus: loss.aus.inner(),
        cycle: loss.cycle.inner(),
        attention: loss.attention.inner(),
        total_variation: loss.total_variation.inner(),
        mask_coverage: painted.clone().mean(),
        mask_coverage_peak: painted.flatten::<2>(1, 3).max_dim(1).mean(),
    };
    (total, report)
}
