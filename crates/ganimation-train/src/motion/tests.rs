//! Both stages' losses and gradients against those of PyTorch, which `assets/reference/motion.py` computed, in f64.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use ganimation_model::{
    Generator, GeneratorConfig, ProjectionDiscriminator, ProjectionDiscriminatorConfig, load_state_dict,
    map_parameters, take_gradients, tensors_from_bytes,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::batch::{Lesson, LessonBatch, PairBatch, of_the_next};
use super::config::{MotionConfig, TaughtConfig, ViewConfig};
use super::matched::{Judgement, MatchedLoss};
use super::taught::TaughtLoss;
use super::views::Views;
use super::{MotionTrainer, TrainConfig};

const STORED: &[u8] = include_bytes!("../../../../assets/reference/motion.safetensors");

/// Share of a tensor's norm by which ours may differ.
const TOLERANCE: f64 = 1e-9;

/// `network` in f64.
fn wide<M: Module>(network: M) -> M {
    map_parameters(network, |_, values| values.cast(DType::F64))
}

struct Reference(BTreeMap<String, TensorData>);

impl Reference {
    fn new() -> Self {
        let (tensors, _) = tensors_from_bytes(STORED).unwrap();
        let wide = |(name, data): (String, TensorData)| (name, data.convert_dtype(DType::F64));
        Self(tensors.into_iter().map(wide).collect())
    }

    fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        Tensor::from_data(self.0[name].clone(), (&Device::flex(), DType::F64))
    }

    fn under(&self, prefix: &str) -> BTreeMap<String, TensorData> {
        let rest = |(name, data): (&String, &TensorData)| {
            let rest = name.strip_prefix(prefix)?.strip_prefix('/')?;
            Some((rest.to_owned(), data.clone()))
        };
        self.0.iter().filter_map(rest).collect()
    }

    fn filled<M: Module>(&self, fresh: M, network: &str) -> M {
        load_state_dict(wide(fresh), self.under(network)).unwrap()
    }

    fn generator(&self) -> Generator {
        let config = GeneratorConfig::motion(2).with_blocks(1);
        self.filled(config.init(&Device::flex().autodiff()), "generator_3")
    }

    fn discriminator(&self) -> ProjectionDiscriminator {
        let config = ProjectionDiscriminatorConfig::new(64)
            .with_channels(2)
            .with_local_channels(2);
        let fresh = config.init(&[0.0; 17], &Device::flex().autodiff());
        self.filled(fresh, "discriminator")
    }

    /// The default settings, but views are not changed, and pairs match features.
    fn trainer(&self) -> MotionTrainer {
        let mut config = TrainConfig::motion("");
        config.motion.views = ViewConfig {
            brightness: 0.0,
            saturation: 0.0,
            contrast: 0.0,
        };
        config.motion.matched.features = 4.0;
        MotionTrainer::from_networks(config, self.generator(), self.discriminator())
    }

    fn lesson(&self, prefix: &str) -> Lesson {
        let part = |name: &str| self.tensor(&format!("{prefix}/{name}"));
        Lesson {
            field: part("field"),
            mask: part("mask"),
            seam: part("seam"),
        }
    }

    /// Two faces of 64 pixels, the second of which is asked for next to nothing, and two pairs.
    fn batch(&self) -> LessonBatch {
        let faces = |name: &str| self.tensor::<4>(name) / 127.5 - 1.0;
        LessonBatch {
            images: faces("batch/pixels"),
            aus: self.tensor("batch/aus"),
            others: of_the_next(self.tensor("batch/aus")),
            targets: self.tensor("batch/targets"),
            lesson: self.lesson("batch"),
            pairs: Some(PairBatch {
                images: faces("batch/pairs/pixels"),
                aus: self.tensor("batch/pairs/aus"),
                reduced_aus: self.tensor("batch/pairs/led_aus"),
                lead: self.tensor("batch/pairs/lead"),
                lead_seam: self.tensor("batch/pairs/lead_seam"),
                lesson: self.lesson("batch/pairs"),
            }),
        }
    }

    /// Compares terms, all of those that are stored under `what`.
    fn terms<const N: usize>(&self, what: &str, found: [(&str, &Tensor<1>); N]) {
        let found = found.map(|(name, term)| (name.to_owned(), term.to_data()));
        agree(what, &self.under(what), &found.into());
    }

    fn gradients<M: Module>(&self, what: &str, network: &M, total: &Tensor<1>) {
        let found = take_gradients(network, &mut total.backward());
        let found = found
            .into_iter()
            .map(|(name, gradient)| (name, gradient.into_data()));
        let what = format!("{what}_gradient");
        agree(&what, &self.under(&what), &found.collect());
    }
}

fn agree(what: &str, expected: &BTreeMap<String, TensorData>, found: &BTreeMap<String, TensorData>) {
    let names = |numbers: &BTreeMap<String, TensorData>| numbers.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(expected), names(found), "{what}");
    let norm = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let mut worst = 0.0_f64;
    for (name, expected) in expected {
        let [expected, found] = [expected, &found[name]].map(|data| data.iter::<f64>().collect::<Vec<f64>>());
        assert_eq!(expected.len(), found.len(), "{what}: {name}");
        let off: Vec<f64> = expected.iter().zip(&found).map(|(e, f)| e - f).collect();
        let share = norm(&off) / norm(&expected);
        assert!(
            share <= TOLERANCE,
            "{what}: {name} is off by {share:.1e} of its norm"
        );
        worst = worst.max(share);
    }
    println!("{what}: {} tensors, off by {worst:.1e} at most", expected.len());
}

/// Of two faces.
fn views(config: &MotionConfig) -> Views {
    Views::draw(2, &config.views, &mut ChaCha8Rng::seed_from_u64(1))
}

#[test]
fn the_taught_stages_loss_and_gradients_are_the_references() {
    let reference = Reference::new();
    let (generator, batch) = (reference.generator(), reference.batch());
    let weights = TaughtConfig::default();
    let loss = TaughtLoss::new(&generator, &batch, batch.pairs.as_ref().unwrap(), None, &weights);
    let total = loss.total(&weights);
    let found = [
        ("motion", &loss.motion),
        ("mask", &loss.mask),
        ("copy", &loss.copy),
        ("pixels", &loss.pixels),
        ("shading", &loss.shading),
        ("total", &total),
    ];
    reference.terms("taught", found);
    reference.gradients("taught", &generator, &total);
}

#[test]
fn distillation_counts_how_far_paint_is_from_that_of_the_start() {
    let reference = Reference::new();
    let (generator, batch) = (reference.generator(), reference.batch());
    let weights = TaughtConfig::default();
    let taught = |start: &Generator| {
        let start = Some(start.valid());
        TaughtLoss::new(
            &generator,
            &batch,
            batch.pairs.as_ref().unwrap(),
            start.as_ref(),
            &weights,
        )
    };
    let value = |term: Tensor<1>| term.into_data().iter::<f64>().sum::<f64>();
    let from_itself = taught(&generator);
    assert_eq!(value(from_itself.start.clone().unwrap()), 0.0);
    let fresh = GeneratorConfig::motion(2).with_blocks(1);
    let other = taught(&wide(fresh.init(&Device::flex().autodiff())));
    assert!(value(other.start.clone().unwrap()) > 0.01);
    let heavier = TaughtConfig {
        start: 2.0,
        ..weights.clone()
    };
    let added = value(other.total(&heavier)) - value(other.total(&weights));
    assert!(
        (added - 2.0 * value(other.start.unwrap())).abs() < 1e-9,
        "{added}"
    );
}

#[test]
fn the_matched_stages_discriminator_loss_and_gradients_are_the_references() {
    let reference = Reference::new();
    let (trainer, batch) = (reference.trainer(), reference.batch());
    let orders = batch.targets.clone() - batch.aus.clone();
    let edited = trainer.generator.valid().edit(batch.images.clone(), orders).image;
    let config: &MotionConfig = &trainer.config.motion;
    let at = |step| {
        let discriminator = &trainer.discriminator;
        Judgement::new(
            discriminator,
            &batch,
            edited.clone(),
            config,
            step,
            &views(config),
        )
    };
    // R1 counts in every eighth step.
    let (judgement, without_r1) = (at(8), at(9));
    let found = [
        ("realness", &judgement.report.adversarial),
        ("aus", &judgement.report.aus),
        ("penalty", &judgement.report.gradient_penalty),
        ("total", &judgement.total),
        ("total_without_r1", &without_r1.total),
    ];
    reference.terms("judged", found);
    reference.gradients("judged", &trainer.discriminator, &judgement.total);
}

#[test]
fn the_matched_stages_generator_loss_and_gradients_are_the_references() {
    let reference = Reference::new();
    let (trainer, batch) = (reference.trainer(), reference.batch());
    let orders = batch.targets.clone() - batch.aus.clone();
    let edit = (trainer.generator).edit(batch.images.clone().autodiff(), orders.autodiff());
    let frozen = trainer.discriminator.clone().no_grad();
    let config: &MotionConfig = &trainer.config.motion;
    let shown = trainer.discriminator.valid().estimate_aus(batch.images.clone());
    let at = |step| {
        let (generator, shown) = (&trainer.generator, shown.clone());
        MatchedLoss::new(
            generator,
            &frozen,
            &batch,
            &edit,
            shown,
            step,
            config,
            &views(config),
        )
    };
    // Odd steps have the cycle.
    let loss = at(1);
    let total = loss.total(&trainer.config.motion.matched);
    let (adversarial, regularization) = (&loss.adversarial, &loss.regularization);
    let found = [
        ("score", &adversarial.score),
        ("patches", &adversarial.patches),
        ("aus", &adversarial.aus),
        ("motion", &regularization.motion),
        ("paint", &regularization.outside),
        ("mask", &regularization.mask),
        ("hues", &regularization.hues),
        ("mouths", &regularization.mouths),
        ("lips", &regularization.lips),
        ("lids", &regularization.lids),
        ("mask_tv", &regularization.variation),
        ("shading", &regularization.shading),
        ("stains", &regularization.stains),
        ("shading_tv", &regularization.shading_tv),
        ("identity", &regularization.identity),
        ("cycle", loss.cycle.as_ref().unwrap()),
        ("pixels", &loss.pixels.as_ref().unwrap().weighted),
        (
            "features",
            loss.pixels.as_ref().unwrap().features.as_ref().unwrap(),
        ),
        ("total", &total),
    ];
    reference.terms("pleased", found);
    reference.gradients("pleased", &trainer.generator, &total);
    assert!(at(2).cycle.is_none(), "no cycle in even steps");
}
