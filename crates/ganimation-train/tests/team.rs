//! Several devices, or several cores, share a batch and compute the same step as one.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "levels from 0 to 255"
)]

use burn::tensor::{Device, Tensor, TensorData};
use ganimation_data::teacher::FIELD_SIDE;
use ganimation_data::{AU_COUNT, Batch, Lessons, Pairs};
use ganimation_kernels::Cores;
use ganimation_model::{Preset, state_dict};
use ganimation_train::{AdamConfig, FaceBatch, LessonBatch, MotionTrainer, TrainConfig, Trainer};

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

/// Both networks after three critic steps and two generator steps.
fn trained(devices: usize) -> (Vec<f32>, Vec<f32>, [f32; 2]) {
    let team = vec![Device::flex(); devices];
    let mut trainer = Trainer::new(config(), &team[0]);
    trainer.share(&team).unwrap();
    let faces = faces();
    let mut told = [0.0; 2];
    for step in 0..3 {
        let discriminator = trainer.discriminator_step(&faces, step, 0.1);
        if step > 0 {
            let generator = trainer.generator_step(&faces, 0.1);
            told = [
                discriminator.gradient_penalty.into_scalar(),
                generator.cycle.into_scalar(),
            ];
        }
    }
    (
        values(state_dict(trainer.discriminator())),
        values(state_dict(trainer.generator())),
        told,
    )
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    squares.sum::<f64>().sqrt()
}

#[test]
fn parts_of_a_batch_on_two_and_four_devices_make_the_step_of_the_whole() {
    let (critic, generator, told) = trained(1);
    let untrained = Trainer::new(config(), &Device::flex());
    let ways = [
        distance(&critic, &values(state_dict(untrained.discriminator()))),
        distance(&generator, &values(state_dict(untrained.generator()))),
    ];
    for devices in [2, 4] {
        let (critic_shared, generator_shared, told_shared) = trained(devices);
        let errors = [
            distance(&critic, &critic_shared),
            distance(&generator, &generator_shared),
        ];
        for (error, way) in errors.iter().zip(ways) {
            assert!(way > 1e-3, "nothing moved: {way}");
            let share = error / way;
            assert!(share < 1e-3, "{devices} devices: {share} of the change differs");
        }
        for (a, b) in told.iter().zip(told_shared) {
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

fn motion_config() -> TrainConfig {
    let mut config = TrainConfig {
        image_size: 64,
        generator_channels: 2,
        generator_blocks: 1,
        discriminator_channels: 2,
        batch_size: 4,
        adam: AdamConfig {
            epsilon: 1.0,
            ..AdamConfig::default()
        },
        ..TrainConfig::motion("faces")
    };
    config.motion.taught_steps = 2;
    config.motion.local_channels = 2;
    config.motion.matched.adam.epsilon = 1.0;
    config
}

/// `count` faces with lessons and `pairs` pairs, all of noise.
fn lessons(count: usize, pairs: usize) -> LessonBatch {
    let floats = |count: usize, low, high| numbers(&[count], low, high).try_to_vec::<f32>().unwrap();
    let pixels = |count: usize| -> Vec<u8> {
        (floats(count * 3 * 64 * 64, 0.0, 255.0).iter())
            .map(|level| *level as u8)
            .collect()
    };
    let field = |count: usize| floats(count * 2 * FIELD_SIDE * FIELD_SIDE, -0.03, 0.03);
    let mask = |count: usize| floats(count * 32 * 32, 0.0, 1.0);
    let batch = Batch {
        step: 0,
        pixels: pixels(count),
        batch: count,
        size: 64,
        aus: floats(count * AU_COUNT, 0.0, 0.5),
        target_aus: floats(count * AU_COUNT, 0.2, 1.0),
        lessons: Some(Lessons {
            field: field(count),
            mask: mask(count),
            seam: mask(count),
            pairs: (pairs > 0).then(|| Pairs {
                pixels: pixels(pairs),
                count: pairs,
                aus: floats(pairs * AU_COUNT, 0.2, 1.0),
                reduced_aus: floats(pairs * AU_COUNT, 0.0, 0.2),
                lead: field(pairs),
                lead_seam: mask(pairs),
                field: field(pairs),
                mask: mask(pairs),
                seam: mask(pairs),
            }),
        }),
    };
    LessonBatch::new(batch, &Device::flex())
}

/// Both networks of the motion training after two taught and four matched steps, and two numbers of the last report.
fn motion_trained(devices: usize) -> (Vec<f32>, Vec<f32>, [f32; 2]) {
    // On one core, one device is not divided.
    Cores::new(1).run(|| {
        let team = vec![Device::flex(); devices];
        let mut trainer = MotionTrainer::draw(motion_config(), &team[0]);
        trainer.share(&team).unwrap();
        let (taught, with_pairs, without) = (lessons(2, 2), lessons(4, 2), lessons(4, 0));
        let mut numbers = [0.0; 2];
        for (step, batch) in [&taught, &taught, &with_pairs, &without, &with_pairs, &without]
            .into_iter()
            .enumerate()
        {
            let report = trainer.step(batch, step as u64, 1e-3);
            numbers = [
                report.discriminator.aus.into_scalar(),
                report.generator.cycle.into_scalar(),
            ];
        }
        (
            values(state_dict(trainer.discriminator())),
            values(state_dict(trainer.generator())),
            numbers,
        )
    })
}

#[test]
fn parts_of_a_batch_with_lessons_make_the_step_of_the_whole() {
    let whole = motion_trained(1);
    let untrained = MotionTrainer::draw(motion_config(), &Device::flex());
    let shared = motion_trained(2);
    let networks = [
        (&whole.0, &shared.0, values(state_dict(untrained.discriminator()))),
        (&whole.1, &shared.1, values(state_dict(untrained.generator()))),
    ];
    for (whole, shared, untrained) in networks {
        let (way, error) = (distance(whole, &untrained), distance(whole, shared));
        assert!(way > 1e-3, "nothing moved: {way}");
        assert!(error / way < 1e-3, "{} of the change differs", error / way);
    }
    for (a, b) in whole.2.iter().zip(shared.2) {
        assert!(
            a.abs() > 1e-6 && (a - b).abs() < 1e-4 * a.abs().max(0.1),
            "{b} instead of {a}"
        );
    }
    let error = motion_config().check_devices(4).unwrap_err().to_string();
    assert!(
        error.contains("a multiple of twice the number of devices"),
        "{error}"
    );
}
