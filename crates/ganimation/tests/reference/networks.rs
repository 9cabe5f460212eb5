//! The paper's networks, losses and steps.

use burn::module::Module;
use burn::tensor::Tensor;
use ganimation_model::{
    LossWeights, Preset, discriminator_loss, generator_loss, gradient_penalty, state_dict,
};
use ganimation_train::{Schedule, TrainConfig, Trainer};

use super::numbers::{Inputs, Numbers, agree, moved, stored, under};
use super::{Tolerance, gradients, named, on_devices, only};

const PRESETS: [(&str, Preset); 3] = [
    ("default", Preset::Default),
    ("released", Preset::Released),
    ("paper", Preset::Paper),
];

/// Runs `check` in f64 on the CPU and in f32 on every device.
fn everywhere(check: impl Fn(&Inputs, Tolerance)) {
    on_devices(|device, dtype, tolerance| check(&Inputs::new(device, dtype), tolerance));
}

pub(super) fn the_generator_gives_the_reference_edits() {
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

pub(super) fn the_discriminator_gives_the_reference_judgements() {
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

pub(super) fn the_penalty_and_its_gradients_are_those_of_double_backward() {
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

pub(super) fn the_critics_losses_and_gradients_are_the_references() {
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

pub(super) fn the_generators_losses_and_gradients_are_the_references() {
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

pub(super) fn ten_alternating_steps_lead_to_the_reference_weights() {
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
