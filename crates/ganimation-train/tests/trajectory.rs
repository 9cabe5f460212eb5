//! A hundred training steps with the CPU kernels in f32 agree with those with Burn's own operations in f64.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use burn::module::Module;
use burn::tensor::{DType, Device, Distribution, Tensor};
use ganimation_data::AU_COUNT;
use ganimation_model::{Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, map_parameters};
use ganimation_train::{AdamConfig, FaceBatch, TrainConfig, Trainer};

const STEPS: u64 = 100;
const GENERATOR_EVERY: u64 = 5;
const RATE: f64 = 0.05;
/// Largest relative difference of a loss at any step.
const LOSSES: f64 = 1e-4;
/// Smaller losses are treated as this value.
const SMALL: f64 = 1e-3;
/// Largest difference of the trained generator's edit, relative to the change during training.
const EDIT: f64 = 1e-4;

/// `network` in `f64`, which has no kernels.
fn wide<M: Module>(network: M) -> M {
    map_parameters(network, |_, values| values.cast(DType::F64))
}

/// Losses at every step, and the generator's final edits.
struct Trajectory {
    /// The discriminator's losses, then the generator's losses in steps where it is trained.
    losses: Vec<f64>,
    edit: Vec<f64>,
}

fn train(generator: Generator, discriminator: Discriminator, faces: &FaceBatch, dtype: DType) -> Trajectory {
    let faces = FaceBatch {
        images: faces.images.clone().cast(dtype),
        aus: faces.aus.clone().cast(dtype),
        targets: faces.targets.clone().cast(dtype),
    };
    // With this large value, Adam's steps depend on the gradients' sizes, and not only on their signs, which rounding
    // can change.
    let adam = AdamConfig {
        epsilon: 1.0,
        ..AdamConfig::default()
    };
    let config = TrainConfig {
        adam,
        ..TrainConfig::new("")
    };
    let mut trainer = Trainer::from_networks(config, generator, discriminator);
    let mut losses = Vec::new();
    for step in 0..STEPS {
        let alpha = Tensor::<1>::from_data([0.3_f64], (&faces.images.device(), dtype));
        let discriminator = trainer.discriminator_step_at(&faces, alpha, RATE);
        losses.extend(
            [
                discriminator.adversarial,
                discriminator.aus,
                discriminator.gradient_penalty,
            ]
            .map(number),
        );
        if (step + 1).is_multiple_of(GENERATOR_EVERY) {
            let generator = trainer.generator_step(&faces, RATE);
            losses.extend([generator.aus, generator.cycle, generator.attention].map(number));
        }
    }
    let edit = trainer.generator().valid().edit(faces.images, faces.targets);
    Trajectory {
        losses,
        edit: edit.image.into_data().iter::<f64>().collect(),
    }
}

fn number(loss: Tensor<1>) -> f64 {
    loss.into_data().iter::<f64>().next().unwrap()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn a_hundred_steps_of_the_kernels_stay_beside_those_of_burns_operations() {
    let device = Device::flex();
    device.seed(5);
    let training = device.clone().autodiff();
    // The smallest number of channels for tiled convolutions. The discriminator doubles its channels in each layer.
    let config = GeneratorConfig::new().with_channels(12).with_blocks(1);
    let generator = config.init(&training);
    let discriminator = DiscriminatorConfig::new(64).with_channels(4).init(&training);
    let random =
        |shape: [usize; 2], low, high| Tensor::<2>::random(shape, Distribution::Uniform(low, high), &device);
    let faces = FaceBatch {
        images: random([1, 3 * 64 * 64], -1.0, 1.0).reshape([1, 3, 64, 64]),
        aus: random([1, AU_COUNT], 0.0, 0.5),
        targets: random([1, AU_COUNT], 0.2, 1.0),
    };

    let before = generator
        .valid()
        .edit(faces.images.clone(), faces.targets.clone());
    let before: Vec<f64> = before.image.into_data().iter::<f64>().collect();
    let wide = train(
        wide(generator.clone()),
        wide(discriminator.clone()),
        &faces,
        DType::F64,
    );
    let kernels = train(generator, discriminator, &faces, DType::F32);

    let mut worst = 0.0_f64;
    for (index, (wide, kernels)) in wide.losses.iter().zip(&kernels.losses).enumerate() {
        let share = (wide - kernels).abs() / wide.abs().max(SMALL);
        worst = worst.max(share);
        assert!(share <= LOSSES, "loss {index}: {kernels} instead of {wide}");
    }
    let change = distance(&wide.edit, &before);
    let share = distance(&wide.edit, &kernels.edit) / change;
    println!(
        "{} losses off by {worst:.1e} at most, the edit by {share:.1e} of its change",
        wide.losses.len()
    );
    assert!(change > 1.0, "training changed nothing");
    assert!(share <= EDIT, "the edit is off by {share} of its change");
}
