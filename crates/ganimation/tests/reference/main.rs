//! Checks that networks, losses, gradients and training steps agree with a PyTorch implementation. Its results are
//! stored in `assets/reference/`, with the scripts that wrote them.
//!
//! The limits are 1e-9 in f64 on the CPU, and larger in f32 on every available device. Build with the backends to be
//! checked, for example `cargo test --release -p ganimation --features wgpu,ndarray --test reference`. The environment
//! variable `GANIMATION_DEVICE` limits the checks to one device, for example `cuda`.
//!
//! The program of `benches/ours.rs` contains the same checks, for machines without a compiler.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod motion;
mod networks;
mod numbers;

use std::cell::RefCell;

use burn::module::Module;
use burn::tensor::{DType, Device, Gradients, Tensor};
use ganimation::device::{self, Backend};
use ganimation_model::take_gradients;

use numbers::Numbers;

/// Makes a test of every check, and a list of them.
macro_rules! checks {
    ($($module:ident::$name:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                $module::$name();
            }
        )+

        /// Every check by name. A check panics if numbers differ.
        #[allow(dead_code, reason = "for the program of `benches/ours.rs`")]
        pub(crate) const CHECKS: &[(&str, fn())] = &[$((stringify!($name), $module::$name)),+];
    };
}

checks! {
    networks::the_generator_gives_the_reference_edits,
    networks::the_discriminator_gives_the_reference_judgements,
    networks::the_penalty_and_its_gradients_are_those_of_double_backward,
    networks::the_critics_losses_and_gradients_are_the_references,
    networks::the_generators_losses_and_gradients_are_the_references,
    networks::ten_alternating_steps_lead_to_the_reference_weights,
    motion::the_motion_network_gives_the_reference_edits_and_gradients,
    motion::the_projection_discriminator_gives_the_reference_verdicts,
    motion::r1_and_its_gradients_are_those_of_double_backward,
}

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
/// CUDA multiplies f32 in TF32, which has 10 bits of fraction.
const TF32: Tolerance = Tolerance {
    outputs: 3e-3,
    gradients: 1e-2,
    steps: 3e-1,
};

thread_local! {
    /// The only device to check, for the program of `benches/ours.rs`.
    static ONLY: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a check on one device alone.
#[allow(dead_code, reason = "for the program of `benches/ours.rs`")]
pub(crate) fn on_one_device(device: &str, check: fn()) {
    ONLY.set(Some(device.to_owned()));
    check();
}

/// Runs `check` in f64 on the CPU and in f32 on every device.
fn on_devices(check: impl Fn(&Device, DType, Tolerance)) {
    let only = ONLY
        .with_borrow(Clone::clone)
        .or_else(|| std::env::var("GANIMATION_DEVICE").ok());
    if only.is_none() {
        println!("f64 on the CPU");
        let cpu = device::resolve("flex".parse().unwrap()).unwrap();
        check(&cpu, DType::F64, F64);
    }
    let mut checked = only.is_none();
    for found in device::devices() {
        if only
            .as_ref()
            .is_some_and(|only| *only != found.choice().to_string())
        {
            println!("{}: skipped, another device is asked for", found.choice());
            continue;
        }
        println!("f32 on {}: {:?}", found.choice(), found.device);
        let tolerance = if found.backend == Backend::Cuda { TF32 } else { F32 };
        check(&found.device, DType::F32, tolerance);
        checked = true;
    }
    assert!(checked, "no such device on this machine: {only:?}");
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
