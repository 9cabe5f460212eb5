//! The measured work, shared by `cargo bench` and the comparison with PyTorch.

#![allow(dead_code, reason = "each bench measures a part of it")]

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Distribution, Tensor};
use ganimation_data::teacher::FIELD_SIDE;
use ganimation_data::{AU_COUNT, Batch, Dataset, Face, Lessons, Loader, LoaderConfig, Pairs, Split};
use ganimation_model::{Edit, GeneratorConfig};
use ganimation_train::{FaceBatch, LessonBatch, MotionConfig, MotionTrainer, TrainConfig, Trainer};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Side of a face, in pixels.
pub(crate) const SIZE: usize = 128;

/// Learning rate of the training steps.
const RATE: f64 = 1e-4;

/// Waits until the device has finished its work, because tensors are lazy.
pub(crate) fn wait(device: &Device) {
    assert!(device.sync().is_ok(), "{device:?} failed");
}

/// One pass of the paper's generator (64 channels, 10.63 GMAC a face) over `batch` faces, ready to be timed: kernels
/// are compiled and tuned.
pub(crate) fn generator(device: &Device, batch: usize) -> impl Fn() -> Edit + use<> {
    ganimation_kernels::keep_freed_memory(); // as the program does
    let generator = GeneratorConfig::new().init(device).into_prepared(); // as for repeated edits
    let faces = images(batch, device);
    let aus = intensities(batch, device);
    let device = device.clone();
    let edit = move || {
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

    /// Discriminator outputs of real and edited faces, the gradient penalty, one step of Adam.
    pub(crate) fn discriminator_step(&mut self) {
        self.trainer.discriminator_step(&self.faces, 0, RATE);
        wait(&self.device);
    }

    /// A step of each network, waited for once.
    pub(crate) fn both_steps(&mut self) {
        self.trainer.discriminator_step(&self.faces, 0, RATE);
        self.trainer.generator_step(&self.faces, RATE);
        wait(&self.device);
    }

    /// A cycle of edits, all losses of the generator, one step of Adam, the EMA.
    pub(crate) fn generator_step(&mut self) {
        self.trainer.generator_step(&self.faces, RATE);
        wait(&self.device);
    }
}

/// Both networks of the motion training in its second stage, and a batch of random faces with random lessons.
pub(crate) struct Motion {
    trainer: MotionTrainer,
    /// With pairs and without.
    batches: [LessonBatch; 2],
    device: Device,
}

impl Motion {
    pub(crate) fn new(device: &Device, batch: usize) -> Self {
        ganimation_kernels::keep_freed_memory(); // as the program does
        let config = TrainConfig {
            batch_size: batch,
            generator_channels: 24,
            motion: MotionConfig {
                taught_steps: 0,
                ..MotionConfig::default()
            },
            ..TrainConfig::motion("")
        };
        let batches = [Some(batch / 2), None].map(|pairs| LessonBatch::new(lessons(batch, pairs), device));
        Self {
            trainer: MotionTrainer::draw(config, device),
            batches,
            device: device.clone(),
        }
    }

    /// One step of both networks: R1 in every eighth step, pairs in even steps, cycles in odd steps.
    pub(crate) fn step(&mut self, step: u64) {
        let batch = &self.batches[usize::from(step % 2 == 1)];
        self.trainer.step(batch, step, RATE);
        wait(&self.device);
    }
}

/// Random faces with random lessons, and the same number of pairs.
fn lessons(batch: usize, pairs: Option<usize>) -> Batch {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut pixels = |count: usize| (0..count * SIZE * SIZE * 3).map(|_| random.random()).collect();
    let (faces, of_pairs) = (pixels(batch), pairs.map(&mut pixels));
    let mut draw = |count: usize, width: f32| -> Vec<f32> {
        (0..count)
            .map(|_| random.random_range(0.0..1.0) * width)
            .collect()
    };
    let (field, half) = (2 * FIELD_SIDE * FIELD_SIDE, SIZE * SIZE / 4);
    Batch {
        step: 0,
        pixels: faces,
        batch,
        size: SIZE,
        aus: draw(batch * AU_COUNT, 1.0),
        target_aus: draw(batch * AU_COUNT, 1.0),
        lessons: Some(Lessons {
            field: draw(batch * field, 0.05),
            mask: draw(batch * half, 1.0),
            seam: draw(batch * half, 1.0),
            pairs: pairs.zip(of_pairs).map(|(count, pixels)| Pairs {
                pixels,
                count,
                aus: draw(count * AU_COUNT, 1.0),
                reduced_aus: draw(count * AU_COUNT, 1.0),
                lead: draw(count * field, 0.05),
                lead_seam: draw(count * half, 1.0),
                field: draw(count * field, 0.05),
                mask: draw(count * half, 1.0),
                seam: draw(count * half, 1.0),
            }),
        }),
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

/// The dataset in the repository.
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
