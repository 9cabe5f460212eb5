//! The stored reference numbers, and comparisons with them.

use std::collections::BTreeMap;
use std::fs;

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use ganimation_model::{
    Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, load_state_dict, map_parameters,
};
use ganimation_train::FaceBatch;
use safetensors::{Dtype, SafeTensors};

/// From the folder of the package, where `cargo test` runs, or from that of the workspace.
const FOLDERS: [&str; 2] = ["../../assets/reference", "assets/reference"];

/// Tensors by name.
pub(crate) type Numbers = BTreeMap<String, TensorData>;

/// Reads one of the files written by the scripts. All numbers are converted to f64.
pub(crate) fn stored(name: &str) -> Numbers {
    let paths = FOLDERS.map(|folder| format!("{folder}/{name}.safetensors"));
    let path = paths.iter().find(|path| fs::exists(path).unwrap());
    let bytes = fs::read(path.unwrap_or(&paths[0])).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter()
        .map(|(name, view)| {
            let dtype = match view.dtype() {
                Dtype::F64 => DType::F64,
                Dtype::F16 => DType::F16,
                Dtype::U8 => DType::U8,
                other => panic!("{name} is stored as {other:?}"),
            };
            let data = TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype);
            (name.to_owned(), data.convert_dtype(DType::F64))
        })
        .collect()
}

/// The entries under `prefix/`, without it.
pub(crate) fn under(numbers: &Numbers, prefix: &str) -> Numbers {
    numbers
        .iter()
        .filter_map(|(name, data)| {
            let rest = name.strip_prefix(prefix)?.strip_prefix('/')?;
            Some((rest.to_owned(), data.clone()))
        })
        .collect()
}

/// The inputs, on one device in one float type.
pub(crate) struct Inputs {
    stored: Numbers,
    device: Device,
    dtype: DType,
}

impl Inputs {
    pub(crate) fn new(device: &Device, dtype: DType) -> Self {
        Self {
            stored: stored("inputs"),
            device: device.clone(),
            dtype,
        }
    }

    fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        Tensor::from_data(self.stored[name].clone(), (&self.device, self.dtype))
    }

    /// Three faces of 128 x 192 pixels with their action units and targets.
    pub(crate) fn faces(&self) -> FaceBatch {
        FaceBatch {
            images: self.tensor::<4>("pixels") / 127.5 - 1.0,
            aus: self.tensor("aus"),
            targets: self.tensor("targets"),
        }
    }

    /// The gradient penalty's points in discriminator step `step`.
    pub(crate) fn alpha(&self, step: usize) -> Tensor<1> {
        self.tensor::<2>("alphas").narrow(0, step, 1).flatten(0, 1)
    }

    /// Learning rate of each step.
    pub(crate) fn rates(&self) -> Vec<f64> {
        self.stored["rates"].try_to_vec().unwrap()
    }

    pub(crate) fn generator(&self) -> Generator {
        let fresh = GeneratorConfig::new()
            .with_channels(2)
            .with_blocks(1)
            .init(&self.device.clone().autodiff());
        self.filled(fresh, "generator")
    }

    pub(crate) fn discriminator(&self) -> Discriminator {
        let fresh = DiscriminatorConfig::new(128)
            .with_channels(1)
            .init(&self.device.clone().autodiff());
        self.filled(fresh, "discriminator")
    }

    /// The stored weights of a network, under its name.
    pub(crate) fn weights(&self, network: &str) -> Numbers {
        under(&self.stored, network)
    }

    fn filled<M: Module>(&self, fresh: M, network: &str) -> M {
        filled(fresh, self.weights(network), self.dtype)
    }
}

/// `fresh` with stored weights, in `dtype`.
pub(crate) fn filled<M: Module>(fresh: M, weights: Numbers, dtype: DType) -> M {
    load_state_dict(map_parameters(fresh, |_, values| values.cast(dtype)), weights).unwrap()
}

/// Checks that every tensor of `found` differs from the reference by at most `tolerance` times the reference's norm.
#[track_caller]
pub(crate) fn agree(what: &str, expected: &Numbers, found: Numbers, tolerance: f64) {
    let names = |numbers: &Numbers| numbers.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(expected), names(&found), "{what}");
    let mut worst = 0.0_f64;
    for (name, expected) in expected {
        let (expected, found) = (wide(expected), wide(&found[name]));
        assert_eq!(expected.len(), found.len(), "{what}: {name}");
        let distance = norm(expected.iter().zip(&found).map(|(e, f)| e - f));
        let share = distance / norm(expected.iter().copied());
        // NaN must also fail.
        assert!(
            share <= tolerance,
            "{what}: {name} is off by {share:.1e} of its norm, {tolerance:.0e} is allowed"
        );
        worst = worst.max(share);
    }
    println!(
        "{what}: {} tensors, off by {worst:.1e} of their norms at most",
        expected.len()
    );
}

/// `after - before` of every tensor, to compare the steps and not the initial values.
///
/// The middle taps of the first layer for the action units' planes are skipped. They add the same value to every
/// pixel, and the next norm cancels it. So their true gradient is zero, and Adam's steps consist of rounding errors.
pub(crate) fn moved(before: &Numbers, after: &Numbers) -> Numbers {
    const FIRST: &str = "main.0.weight";
    let cancelled = |name: &str, shape: &[usize], index: usize| {
        let &[_, inputs, height, width] = shape else {
            return false;
        };
        let (plane, tap) = (index / (height * width), index % (height * width));
        name == FIRST && inputs > 3 && plane % inputs >= 3 && tap == height * width / 2
    };
    let changes = |(name, after): (&String, &TensorData)| {
        let shape = after.shape().to_vec();
        let pairs = wide(&before[name]).into_iter().zip(wide(after));
        let moved: Vec<f64> = pairs
            .enumerate()
            .map(|(index, (before, after))| match cancelled(name, &shape, index) {
                true => 0.0,
                false => after - before,
            })
            .collect();
        (name.clone(), TensorData::new(moved, shape))
    };
    after.iter().map(changes).collect()
}

fn wide(data: &TensorData) -> Vec<f64> {
    data.iter::<f64>().collect()
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}
