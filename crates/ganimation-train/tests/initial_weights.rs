//! Initial weights depend on the seed alone. Burn's random generator is global, so this is the file's only test.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use burn::tensor::{Device, Distribution, Tensor, TensorData};
use ganimation_model::{state_dict, weights::load_generator};
use ganimation_train::{MotionTrainer, TrainConfig, Trainer};

type Weights = Vec<(String, TensorData)>;

/// Draws of somebody else.
fn draw(device: &Device) -> TensorData {
    Tensor::<1>::random([5], Distribution::Default, device).into_data()
}

#[test]
fn initial_weights_depend_on_the_seed_alone_and_loading_draws_nothing() {
    let device = Device::flex();
    let config = |seed| TrainConfig {
        image_size: 64,
        generator_channels: 2,
        generator_blocks: 1,
        discriminator_channels: 2,
        seed,
        ..TrainConfig::new("data")
    };
    let paper = |seed, others: bool| -> (Weights, Weights) {
        let trainer = Trainer::new(config(seed), &device);
        if others {
            draw(&device);
        }
        (
            state_dict(trainer.generator()),
            state_dict(trainer.discriminator()),
        )
    };
    assert_eq!(paper(1, true), paper(1, false));
    let (first, second) = (paper(1, false), paper(2, false));
    assert!(first.0 != second.0 && first.1 != second.1);

    let motion = |others: bool| -> Weights {
        let mut config = TrainConfig {
            image_size: 64,
            ..TrainConfig::motion("data")
        };
        config.generator_channels = 2;
        config.generator_blocks = 1;
        config.discriminator_channels = 2;
        config.motion.local_channels = 2;
        let trainer = MotionTrainer::draw(config, &device);
        if others {
            draw(&device);
        }
        state_dict(trainer.discriminator())
    };
    assert_eq!(motion(true), motion(false));

    device.seed(3);
    let expected = draw(&device);
    device.seed(3);
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../ganimation-weights/generator.safetensors"
    );
    let (generator, _) = load_generator(file.as_ref(), &device).unwrap();
    assert_eq!(draw(&device), expected, "loading drew numbers");
    assert!(state_dict(&generator).len() > 50);
}
