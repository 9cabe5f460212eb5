//! Checks that every available device of compiled backends gives the same results as the CPU: edits, discriminator outputs,
//! losses and all gradients used in training.
//!
//! Build with the backends to be checked, for example `cargo test -p ganimation --release --features wgpu --test
//! devices -- --nocapture`. Mesa's lavapipe can replace a GPU.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use ganimation::device::{self, Backend};
use ganimation_model::{
    AU_COUNT, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, LossWeights,
    discriminator_loss, generator_loss, gradient_penalty, load_state_dict, map_parameters, state_dict,
    take_gradients,
};

/// Largest relative distance from the CPU's numbers. CUDA multiplies in TF32 by default.
const TOLERANCE: f32 = 2e-3;

/// The results of a device, by name: `network/parameter` where there are several networks.
type Numbers = BTreeMap<String, Vec<f32>>;

#[test]
fn every_device_edits_faces_as_the_cpu_does() {
    on_every_device(|device| {
        let edit = generator(device).edit(faces(0.0, device), aus(1.0, device));
        [
            ("image", edit.image),
            ("attention", edit.attention),
            ("color", edit.color),
        ]
        .map(|(name, tensor)| (name.to_owned(), values(tensor)))
        .into()
    });
}

#[test]
fn every_device_judges_faces_as_the_cpu_does() {
    on_every_device(|device| {
        let output = discriminator(device).forward(faces(0.0, device));
        [
            ("score".to_owned(), values(output.score)),
            ("aus".to_owned(), values(output.aus)),
        ]
        .into()
    });
}

#[test]
fn every_device_finds_the_critics_gradients() {
    on_every_device(|device| {
        let device = device.clone().autodiff();
        let discriminator = discriminator(&device);
        let (real, fake) = (faces(0.0, &device), faces(2.0, &device));
        let weights = LossWeights::default();
        let alpha = Tensor::from_data([0.3, 0.8], &device);
        let judged = discriminator_loss(
            &discriminator,
            real.clone(),
            aus(1.0, &device),
            fake.clone(),
            &weights,
        );
        let penalty = gradient_penalty(&discriminator, real, fake, alpha);
        gradients(
            &discriminator,
            judged.total(&weights) + penalty * weights.lambda_gp,
        )
    });
}

#[test]
fn every_device_finds_the_generators_gradients() {
    on_every_device(|device| {
        let device = device.clone().autodiff();
        let (generator, discriminator) = (generator(&device), discriminator(&device).no_grad());
        let weights = LossWeights::default();
        let (real, shown, asked) = (faces(0.0, &device), aus(1.0, &device), aus(3.0, &device));
        let loss = generator_loss(&generator, &discriminator, real, shown, asked, &weights);
        gradients(&generator, loss.total(&weights))
    });
}

/// Features of 1 x 2 positions with channels last: `cubek-reduce` 0.3.1 mixes channels in the mean over their rows.
#[test]
fn every_device_reads_action_units_from_a_row_of_positions() {
    on_every_device(|device| {
        let data = TensorData::new(wave(6 * 3 * 64 * 128, 0.0, 1.0), [6, 3, 64, 128]);
        let judgement = discriminator(device).forward(Tensor::from_data(data, device));
        [("aus".to_owned(), values(judgement.aus))].into()
    });
}

/// Burn's general weight gradient has loops of more than 65,535 iterations here, where Mesa's software drivers stop.
#[test]
fn every_device_finds_the_gradients_of_whole_faces() {
    for batch in 1..=8 {
        on_every_device_within_rounding(|device, dtype| {
            let device = device.clone().autodiff();
            let config = GeneratorConfig::new().with_channels(4).with_blocks(1);
            let generator = map_parameters(waved(config.init(&device)), |_, values| values.cast(dtype));
            let discriminator = DiscriminatorConfig::new(128).with_channels(2);
            let discriminator = waved(discriminator.init(&device));
            let discriminator = map_parameters(discriminator, |_, values| values.cast(dtype));
            let weights = LossWeights::default();
            let pixels = wave(batch * 3 * 128 * 128, 0.0, 1.0);
            let pixels = TensorData::new(pixels, [batch, 3, 128, 128]);
            let real = Tensor::<4>::from_data(pixels, (&device, dtype));
            let row = |phase| {
                let data = TensorData::new(wave(batch * AU_COUNT, phase, 1.0), [batch, AU_COUNT]);
                Tensor::<2>::from_data(data, (&device, dtype)).abs()
            };
            let frozen = discriminator.clone().no_grad();
            let loss = generator_loss(&generator, &frozen, real.clone(), row(1.0), row(3.0), &weights);
            let mut found = under("generator", gradients(&generator, loss.total(&weights)));

            let fake = real.clone().neg();
            let alpha = Tensor::full([batch], 0.3, (&device, dtype));
            let judged = discriminator_loss(&discriminator, real.clone(), row(1.0), fake.clone(), &weights);
            let penalty = gradient_penalty(&discriminator, real, fake, alpha);
            let total = judged.total(&weights) + penalty * weights.lambda_gp;
            found.extend(under("discriminator", gradients(&discriminator, total)));
            found
        });
    }
}

fn under(network: &str, numbers: Numbers) -> Numbers {
    let named = |(name, values)| (format!("{network}/{name}"), values);
    numbers.into_iter().map(named).collect()
}

/// Compares the results of `compute` on each device with those on the CPU. Prints which devices are skipped, and why.
fn on_every_device(compute: impl Fn(&Device) -> Numbers) {
    compare(&compute(&cpu()), &Numbers::new(), compute);
}

/// The same with the CPU's results in f64. A device may round as much as four times more than the CPU in f32: gradients
/// of a norm's weight can be small sums of large terms.
fn on_every_device_within_rounding(compute: impl Fn(&Device, DType) -> Numbers) {
    let exact = compute(&cpu(), DType::F64);
    compare(&exact, &compute(&cpu(), DType::F32), |device| {
        compute(device, DType::F32)
    });
}

/// Compares with `exact`. `rounded` are the same numbers in f32, or none.
fn compare(exact: &Numbers, rounded: &Numbers, compute: impl Fn(&Device) -> Numbers) {
    if device::devices().len() < 2 {
        println!("only the reference device: nothing compared");
    }
    for found in device::devices() {
        println!("{}: {:?}", found.choice(), found.device);
        let computed = compute(&found.device);
        let mut worst = 0.0_f32;
        for (name, expected) in exact {
            let size = norm(expected.iter().copied());
            let off = distance(expected, &computed[name]);
            let rounding = rounded
                .get(name)
                .map_or(0.0, |rounded| distance(expected, rounded));
            let allowed = TOLERANCE * size + 4.0 * rounding + 1e-6;
            assert!(
                off <= allowed,
                "{}: {name} is off by {off} of {size}; the CPU by {rounding}",
                found.choice()
            );
            worst = worst.max(off / allowed);
        }
        println!(
            "{}: off by {worst:.2} of what is allowed, at most",
            found.choice()
        );
    }
    for backend in Backend::ALL {
        if !backend.is_compiled_in() {
            println!("{backend}: skipped, not in this build");
        } else if !device::devices().iter().any(|found| found.backend == backend) {
            println!("{backend}: skipped, this machine lacks {}", backend.needs());
        }
    }
}

/// The reference device.
fn cpu() -> Device {
    device::resolve("flex".parse().unwrap()).unwrap()
}

fn distance(expected: &[f32], found: &[f32]) -> f32 {
    assert_eq!(expected.len(), found.len(), "equally many numbers");
    norm(
        expected
            .iter()
            .zip(found)
            .map(|(expected, found)| expected - found),
    )
}

fn norm(values: impl Iterator<Item = f32>) -> f32 {
    values.map(|value| value * value).sum::<f32>().sqrt()
}

/// A small generator whose weights do not depend on the device's random numbers.
fn generator(device: &Device) -> Generator {
    waved(
        GeneratorConfig::new()
            .with_channels(8)
            .with_blocks(2)
            .init(device),
    )
}

/// A small discriminator, likewise.
fn discriminator(device: &Device) -> Discriminator {
    waved(DiscriminatorConfig::new(64).with_channels(4).init(device))
}

fn waved<M: Module>(fresh: M) -> M {
    let weights = state_dict(&fresh)
        .into_iter()
        .enumerate()
        .map(|(index, (name, data))| {
            let shape = data.shape().to_vec();
            let values = wave(shape.iter().product(), 0.37 + index as f32, 0.1);
            (name, TensorData::new(values, shape))
        });
    load_state_dict(fresh, weights.collect()).unwrap()
}

/// Two faces of 64 pixels, in -1..1.
fn faces(phase: f32, device: &Device) -> Tensor<4> {
    let data = TensorData::new(wave(2 * 3 * 64 * 64, phase, 1.0), [2, 3, 64, 64]);
    Tensor::from_data(data, device)
}

/// Two rows of action units, in 0..1.
fn aus(phase: f32, device: &Device) -> Tensor<2> {
    let data = TensorData::new(wave(2 * AU_COUNT, phase, 1.0), [2, AU_COUNT]);
    Tensor::from_data(data, device).abs()
}

/// Values in `-height..=height` that look like noise and are the same everywhere.
fn wave(count: usize, phase: f32, height: f32) -> Vec<f32> {
    (0..count)
        .map(|index| (index as f32 * 1.618 + phase).sin() * height)
        .collect()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert_dtype(DType::F32).try_to_vec().unwrap()
}

fn gradients<M: Module>(module: &M, loss: Tensor<1>) -> Numbers {
    take_gradients(module, &mut loss.backward())
        .into_iter()
        .map(|(name, gradient)| (name, values(gradient)))
        .collect()
}
