//! Several devices share a batch and compute the same step as one device.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use burn::tensor::{Device, Tensor, TensorData};
use ganimation_data::AU_COUNT;
use ganimation_model::{Preset, state_dict};
use ganimation_train::{AdamConfig, FaceBatch, TrainConfig, Trainer};

fn numbers(shape: &[usize], low: f32, high: f32) -> TensorData {
    let mut state = 7u32;
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            low + (high - low) * (state >> 8) as f32 / (1u32 << 24) as f32
        })
        .collect();
    TensorData::new(values, shape.to_vec())
}

fn faces() -> FaceBatch {
    let device = Device::flex();
    FaceBatch {
        images: Tensor::from_data(numbers(&[4, 3, 64, 64], -1.0, 1.0), &device),
        aus: Tensor::from_data(numbers(&[4, AU_COUNT], 0.0, 0.5), &device),
        targets: Tensor::from_data(numbers(&[4, AU_COUNT], 0.2, 1.0), &device),
    }
}

fn config() -> TrainConfig {
    TrainConfig {
        image_size: 64,
        generator_channels: 2,
        generator_blocks: 1,
        discriminator_channels: 2,
        batch_size: 4,
        // With this large value, Adam's steps depend on the gradients' sizes, and not only on their signs, which
        // rounding can change.
        adam: AdamConfig {
            epsilon: 1.0,
            ..AdamConfig::default()
        },
        ..TrainConfig::new("faces")
    }
}

fn values(state: Vec<(String, TensorData)>) -> Vec<f32> {
    let of_one = |(_, data): &(String, TensorData)| data.iter::<f32>().collect::<Vec<_>>();
    state.iter().flat_map(of_one).collect()
}

/// Both networks after three discriminator steps and two generator steps, shared from step `from`.
fn trained(devices: usize, from: u64) -> (Vec<f32>, Vec<f32>, [f32; 2]) {
    let team = vec![Device::flex(); devices];
    let mut trainer = Trainer::new(config(), &team[0]);
    let faces = faces();
    let mut message = [0.0; 2];
    for step in 0..3 {
        if step == from {
            trainer.share(&team);
        }
        let discriminator = trainer.discriminator_step(&faces, step, 0.1);
        if step > 0 {
            let generator = trainer.generator_step(&faces, 0.1);
            message = [
                discriminator.gradient_penalty.into_scalar(),
                generator.cycle.into_scalar(),
            ];
        }
    }
    (
        values(state_dict(trainer.discriminator())),
        values(state_dict(trainer.generator())),
        message,
    )
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    squares.sum::<f64>().sqrt()
}

#[test]
fn parts_of_a_batch_on_two_and_four_devices_make_the_step_of_the_whole() {
    let (discriminator, generator, message) = trained(1, 0);
    let untrained = Trainer::new(config(), &Device::flex());
    let ways = [
        distance(&discriminator, &values(state_dict(untrained.discriminator()))),
        distance(&generator, &values(state_dict(untrained.generator()))),
    ];
    // Devices that join later take over the optimisers' moments.
    for (devices, from) in [(2, 0), (4, 0), (2, 2)] {
        let (discriminator_shared, generator_shared, measured_shared) = trained(devices, from);
        let errors = [
            distance(&discriminator, &discriminator_shared),
            distance(&generator, &generator_shared),
        ];
        for (error, way) in errors.iter().zip(ways) {
            assert!(way > 1e-3, "nothing moved: {way}");
            let share = error / way;
            assert!(share < 1e-3, "{devices} devices: {share} of the change differs");
        }
        for (a, b) in message.iter().zip(measured_shared) {
            assert!(
                (a - b).abs() < 1e-4 * a.abs().max(0.1),
                "{devices} devices report {b} instead of {a}"
            );
        }
    }
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let refuses = |config: TrainConfig, devices, name: &str| {
        let error = config.check_devices(devices).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    };
    config().check_devices(2).unwrap();
    refuses(config(), 3, "batch_size");
    refuses(config().with_preset(Preset::Released), 2, "loss");
    config().with_preset(Preset::Released).check_devices(1).unwrap();
}
