//! The work that is measured, once for `cargo bench` and for the comparison with PyTorch.

#![allow(dead_code, reason = "each bench measures a part of it")]

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Distribution, Tensor};
use ganimation_data::{AU_COUNT, Dataset, Face, Loader, LoaderConfig, Split};
use ganimation_model::{Edit, GeneratorConfig};
use ganimation_train::{FaceBatch, TrainConfig, Trainer};

/// Side of a face, in pixels.
pub(crate) const SIZE: usize = 128;

/// Learning rate of the training steps.
const RATE: f64 = 1e-4;

/// Waits until the device has done what it was asked to do: tensors are lazy there.
pub(crate) fn wait(device: &Device) {
    assert!(device.sync().is_ok(), "{device:?} failed");
}

/// One pass of the paper's generator (64 channels, 10.63 GMAC a face) over `batch` faces, ready to be timed: kernels
/// are compiled and tuned.
pub(crate) fn generator(device: &Device, batch: usize) -> impl Fn() -> Edit + use<> {
    ganimation_kernels::keep_freed_memory(); // as the program does
    let generator = GeneratorConfig::new().init(device);
    let prepared = generator.prepare(); // as whoever edits more than once does
    let faces = images(batch, device);
    let aus = intensities(batch, device);
    let device = device.clone();
    let edit = move || {
        let _ = &prepared;
        let edit = generator.edit(faces.clone(), aus.clone());
        wait(&device);
        edit
    };
    edit();
    edit
}

/// Both full networks and a batch of random faces.
pub(crate) struct Training {
    trainer: Trainer,
    faces: FaceBatch,
    device: Device,
}

impl Training {
    pub(crate) fn new(device: &Device, batch: usize) -> Self {
        ganimation_kernels::keep_freed_memory(); // as the program does
        let config = TrainConfig {
            batch_size: batch,
            ..TrainConfig::new("")
        };
        Self {
            trainer: Trainer::new(config, device),
            faces: FaceBatch {
                images: images(batch, device),
                aus: intensities(batch, device),
                targets: intensities(batch, device),
            },
            device: device.clone(),
        }
    }

    /// Judgements of real and edited faces, the gradient penalty, one step of Adam.
    pub(crate) fn critic_step(&mut self) {
        self.trainer.critic_step(&self.faces, 0, RATE);
        wait(&self.device);
    }

    /// Edit there and back, all of the generator's losses, one step of Adam, the moving average.
    pub(crate) fn generator_step(&mut self) {
        self.trainer.generator_step(&self.faces, RATE);
        wait(&self.device);
    }
}

/// Batches of 25 faces out of `folder`.
pub(crate) fn loader(folder: &Path, workers: usize, cache: bool) -> Loader {
    let config = LoaderConfig {
        workers,
        cache,
        image_size: SIZE,
        ..LoaderConfig::default()
    };
    let loader = Dataset::open(folder).and_then(|dataset| {
        let faces: Vec<Face> = dataset.split(Split::Train).to_vec();
        Loader::new(faces, config, 0)
    });
    match loader {
        Ok(loader) => loader,
        Err(error) => panic!("{error}"),
    }
}

/// The dataset that comes with the repository.
pub(crate) fn sample_dataset() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/sample_dataset")
}

/// Random faces, `[batch, 3, 128, 128]`.
fn images(batch: usize, device: &Device) -> Tensor<4> {
    Tensor::random([batch, 3, SIZE, SIZE], Distribution::Uniform(-1.0, 1.0), device)
}

/// Random action units, `[batch, 17]`.
fn intensities(batch: usize, device: &Device) -> Tensor<2> {
    Tensor::random([batch, AU_COUNT], Distribution::Uniform(0.0, 1.0), device)
}
