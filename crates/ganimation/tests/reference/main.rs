//! Checks that networks, losses, gradients and training steps agree with a PyTorch implementation. Its results are
//! stored in `assets/reference/`, with the scripts that wrote them.
//!
//! The limits are 1e-9 in f64 on the CPU, and larger in f32 on every available device. Build with the backends to be
//! checked, for example `cargo test --release -p ganimation --features wgpu,ndarray --test reference`.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod motion;
mod numbers;

use burn::module::Module;
use burn::tensor::{DType, Device, Gradients, Tensor};
use ganimation::device;
use ganimation_model::{
    LossWeights, Preset, discriminator_loss, generator_loss, gradient_penalty, state_dict, take_gradients,
};
use ganimation_train::{Schedule, TrainConfig, Trainer};

use numbers::{Inputs, Numbers, agree, moved, stored, under};

const PRESETS: [(&str, Preset); 3] = [
    ("default", Preset::Default),
    ("released", Preset::Released),
    ("paper", Preset::Paper),
];

/// Largest distance from the reference, relative to the tensor's norm.
#[derive(Clone, Copy)]
struct Tolerance {
    outputs: f64,
    gradients: f64,
    /// Limit for changes by Adam's steps, which amplify errors of the smallest gradients.
    steps: f64,
}

const F64: Tolerance = Tolerance {
    outputs: 1e-9,
    gradients: 1e-9,
    steps: 1e-9,
};
const F32: Tolerance = Tolerance {
    outputs: 1e-4,
    gradients: 1e-3,
    steps: 5e-2,
};

/// Runs `check` in f64 on the CPU and in f32 on every device.
fn everywhere(check: impl Fn(&Inputs, Tolerance)) {
    on_devices(|device, dtype, tolerance| check(&Inputs::new(device, dtype), tolerance));
}

/// [`everywhere`] for other inputs.
fn on_devices(check: impl Fn(&Device, DType, Tolerance)) {
    let cpu = device::resolve("flex".parse().unwrap()).unwrap();
    println!("f64 on the CPU");
    check(&cpu, DType::F64, F64);
    for found in device::devices() {
        println!("f32 on {}: {:?}", found.choice(), found.device);
        check(&found.device, DType::F32, F32);
    }
}

#[test]
fn the_generator_gives_the_reference_edits() {
    let expected = stored("networks");
    everywhere(|inputs, tolerance| {
        let faces = inputs.faces();
        let corner = faces.images.slice([0..3, 0..3, 0..16, 0..24]);
        let edit = inputs.generator().valid().edit(corner, faces.targets);
        let found = [
            ("image", edit.image),
            ("attention", edit.attention),
            ("color", edit.color),
        ];
        agree(
            "edit",
            &only(&expected, &["image", "attention", "color"]),
            named(found),
            tolerance.outputs,
        );
    });
}

#[test]
fn the_discriminator_gives_the_reference_judgements() {
    let expected = stored("networks");
    everywhere(|inputs, tolerance| {
        let output = inputs.discriminator().valid().forward(inputs.faces().images);
        let found = [
            ("realness".to_owned(), output.score.into_data()),
            ("aus".to_owned(), output.aus.into_data()),
        ];
        agree(
            "judgement",
            &only(&expected, &["realness", "aus"]),
            found.into(),
            tolerance.outputs,
        );
    });
}

#[test]
fn the_penalty_and_its_gradients_are_those_of_double_backward() {
    let expected = stored("networks");
    everywhere(|inputs, tolerance| {
        let discriminator = inputs.discriminator();
        let real = inputs.faces().images.autodiff();
        let alpha = inputs.alpha(0).autodiff();
        let penalty = gradient_penalty(&discriminator, real, edited(inputs), alpha);
        let found = named([("penalty", penalty.clone())]);
        agree(
            "penalty",
            &only(&expected, &["penalty"]),
            found,
            tolerance.outputs,
        );
        let found = gradients(&discriminator, &penalty);
        agree(
            "penalty",
            &under(&expected, "penalty"),
            found,
            tolerance.gradients,
        );
    });
}

#[test]
fn the_critics_losses_and_gradients_are_the_references() {
    for (name, preset) in PRESETS {
        let expected = stored(name);
        let weights = LossWeights::from(preset);
        everywhere(|inputs, tolerance| {
            let discriminator = inputs.discriminator();
            let faces = inputs.faces();
            let (real, aus) = (faces.images.autodiff(), faces.aus.autodiff());
            let loss = discriminator_loss(&discriminator, real, aus, edited(inputs), &weights);
            let total = loss.total(&weights);
            let found = [
                ("realness", loss.adversarial),
                ("aus", loss.aus),
                ("total", total.clone()),
            ];
            agree(name, &under(&expected, "critic"), named(found), tolerance.outputs);
            let found = gradients(&discriminator, &total);
            agree(
                name,
                &under(&expected, "critic_gradient"),
                found,
                tolerance.gradients,
            );
        });
    }
}

#[test]
fn the_generators_losses_and_gradients_are_the_references() {
    for (name, preset) in PRESETS {
        let expected = stored(name);
        let weights = LossWeights::from(preset);
        everywhere(|inputs, tolerance| {
            let (generator, faces) = (inputs.generator(), inputs.faces());
            let loss = generator_loss(
                &generator,
                &inputs.discriminator().no_grad(),
                faces.images.autodiff(),
                faces.aus.autodiff(),
                faces.targets.autodiff(),
                &weights,
            );
            let total = loss.total(&weights);
            let found = [
                ("realness", loss.adversarial),
                ("aus", loss.aus),
                ("cycle", loss.cycle),
                ("attention", loss.attention),
                ("smoothness", loss.total_variation),
                ("total", total.clone()),
            ];
            agree(
                name,
                &under(&expected, "generator"),
                named(found),
                tolerance.outputs,
            );
            let found = gradients(&generator, &total);
            agree(
                name,
                &under(&expected, "generator_gradient"),
                found,
                tolerance.gradients,
            );
        });
    }
}

#[test]
fn ten_alternating_steps_lead_to_the_reference_weights() {
    for (name, preset) in PRESETS {
        let expected = stored(name);
        everywhere(|inputs, tolerance| {
            let config = TrainConfig::new("").with_preset(preset);
            let schedule = Schedule {
                learning_rate: config.adam.learning_rate,
                steps: 10,
            };
            let mut trainer = Trainer::from_networks(config, inputs.generator(), inputs.discriminator());
            let faces = inputs.faces();
            for (step, rate) in (0..10).zip(inputs.rates()) {
                let ours = schedule.learning_rate_at(step as u64);
                assert!(
                    (ours - rate).abs() <= 1e-12 * rate,
                    "step {step}: rate {ours}, not {rate}"
                );
                trainer.discriminator_step_at(&faces, inputs.alpha(step), ours);
                let count = step + 1;
                if count % 2 == 0 {
                    trainer.generator_step(&faces, ours);
                }
                let compare = |network: &str, weights: Numbers, start: &str| {
                    let after = under(&expected, &format!("after_{count}/{network}"));
                    if !after.is_empty() {
                        let start = inputs.weights(start);
                        let what = format!("{name}, {network} after {count}");
                        agree(
                            &what,
                            &moved(&start, &after),
                            moved(&start, &weights),
                            tolerance.steps,
                        );
                    }
                };
                compare("discriminator", weights(trainer.discriminator()), "discriminator");
                compare("generator", weights(trainer.generator()), "generator");
                compare("average", weights(trainer.average()), "generator");
            }
        });
    }
}

/// The generator's edits in the discriminator's step.
fn edited(inputs: &Inputs) -> Tensor<4> {
    let faces = inputs.faces();
    inputs
        .generator()
        .valid()
        .edit(faces.images, faces.targets)
        .image
        .autodiff()
}

fn weights<M: Module>(network: &M) -> Numbers {
    state_dict(network).into_iter().collect()
}

fn gradients<M: Module>(network: &M, loss: &Tensor<1>) -> Numbers {
    taken(network, &mut loss.backward())
}

/// The gradients of `network` among `all`.
fn taken<M: Module>(network: &M, all: &mut Gradients) -> Numbers {
    take_gradients(network, all)
        .into_iter()
        .map(|(name, gradient)| (name, gradient.into_data()))
        .collect()
}

fn named<const D: usize, const N: usize>(tensors: [(&str, Tensor<D>); N]) -> Numbers {
    tensors
        .map(|(name, tensor)| (name.to_owned(), tensor.into_data()))
        .into()
}

fn only(numbers: &Numbers, names: &[&str]) -> Numbers {
    names
        .iter()
        .map(|&name| (name.to_owned(), numbers[name].clone()))
        .collect()
}
