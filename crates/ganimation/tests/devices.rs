//! Every device that is compiled in and present computes what the CPU computes.
//!
//! Build with the backends to be checked, for example `cargo test -p ganimation --release --features wgpu --test
//! devices -- --nocapture`; Mesa's lavapipe stands in for a GPU.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use burn::tensor::{Device, Tensor, TensorData, Tolerance};
use ganimation::device::{self, Backend};
use ganimation_model::{Generator, GeneratorConfig, load_state_dict, state_dict};

/// Largest difference of a pixel in [-1, 1]; CUDA multiplies in TF32 unless told otherwise.
const TOLERANCE: f32 = 1e-3;

/// A small generator whose weights do not depend on the device's random numbers.
fn generator(device: &Device) -> Generator {
    let fresh = GeneratorConfig::new()
        .with_channels(8)
        .with_blocks(2)
        .init(device);
    let weights = state_dict(&fresh)
        .into_iter()
        .enumerate()
        .map(|(index, (name, data))| {
            let shape = data.shape().to_vec();
            (
                name,
                TensorData::new(wave(shape.iter().product(), 0.37 + index as f32, 0.1), shape),
            )
        });
    load_state_dict(fresh, weights.collect()).unwrap()
}

/// Values in `-height..=height` that look like noise and are the same everywhere.
fn wave(count: usize, phase: f32, height: f32) -> Vec<f32> {
    (0..count)
        .map(|index| (index as f32 * 1.618 + phase).sin() * height)
        .collect()
}

/// Two edited faces of 64 pixels.
fn edited(device: &Device) -> TensorData {
    let tensor = |values, shape: Vec<usize>| TensorData::new(values, shape);
    let faces = Tensor::<4>::from_data(
        tensor(wave(2 * 3 * 64 * 64, 0.0, 1.0), vec![2, 3, 64, 64]),
        device,
    );
    let aus = Tensor::<2>::from_data(tensor(wave(2 * 17, 1.0, 1.0), vec![2, 17]), device).abs();
    generator(device).edit(faces, aus).image.into_data()
}

#[test]
fn every_present_device_agrees_with_the_cpu() {
    let reference = edited(&device::resolve("flex".parse().unwrap()).unwrap());
    for found in device::devices() {
        println!("{}: {:?}", found.choice(), found.device);
        edited(&found.device).assert_approx_eq::<f32>(&reference, Tolerance::absolute(TOLERANCE));
    }
    for backend in Backend::ALL {
        if !backend.is_compiled_in() {
            println!("{backend}: skipped, not in this build");
        } else if !device::devices().iter().any(|found| found.backend == backend) {
            println!("{backend}: skipped, this machine lacks {}", backend.needs());
        }
    }
}
