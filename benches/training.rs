//! How long does one step of training take, on each device here? Full networks, 128 x 128 pixels, 4 faces.
//!
//!     cargo bench --bench training

use burn::tensor::{Distribution, Tensor};
use divan::Bencher;
use ganimation::device::{PresentDevice, devices};
use ganimation_data::AU_COUNT;
use ganimation_train::{FaceBatch, TrainConfig, Trainer};

const BATCH: usize = 4;
const RATE: f64 = 1e-4;

fn main() {
    divan::main();
}

/// Judgements of real and edited faces, the gradient penalty, one step of Adam.
#[divan::bench(args = devices(), sample_count = 5, sample_size = 1)]
fn critic_step(bencher: Bencher<'_, '_>, on: &PresentDevice) {
    step(bencher, on, |trainer, faces| {
        trainer.critic_step(faces, 0, RATE);
    });
}

/// Edit there and back, all of the generator's losses, one step of Adam, the moving average.
#[divan::bench(args = devices(), sample_count = 5, sample_size = 1)]
fn generator_step(bencher: Bencher<'_, '_>, on: &PresentDevice) {
    step(bencher, on, |trainer, faces| {
        trainer.generator_step(faces, RATE);
    });
}

fn step(
    bencher: Bencher<'_, '_>,
    PresentDevice { device, .. }: &PresentDevice,
    step: impl Fn(&mut Trainer, &FaceBatch),
) {
    let config = TrainConfig {
        batch_size: BATCH,
        ..TrainConfig::new("")
    };
    let labels = || Tensor::random([BATCH, AU_COUNT], Distribution::Uniform(0.0, 1.0), device);
    let faces = FaceBatch {
        images: Tensor::random([BATCH, 3, 128, 128], Distribution::Uniform(-1.0, 1.0), device),
        aus: labels(),
        targets: labels(),
    };
    let mut trainer = Trainer::new(config, device);
    let mut step = || {
        step(&mut trainer, &faces);
        assert!(device.sync().is_ok(), "{device:?} failed"); // tensors are lazy: wait for the weights
    };
    step(); // kernels are compiled and tuned on first use
    bencher.bench_local(step);
}
