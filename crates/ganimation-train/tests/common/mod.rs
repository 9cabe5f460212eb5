//! A small dataset, and runs on it.

#![allow(dead_code, reason = "not every test file uses all of it")]
#![allow(unreachable_pub, reason = "a module of tests")]

pub mod drawn;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use ganimation_data::{AU_COUNT, Dataset, pickle};
use ganimation_model::state_dict;
use ganimation_train::{Run, TrainConfig};
use image::{Rgb, RgbImage};
use tempfile::TempDir;

/// Twelve pictures of 64 pixels with labels, ten of them for training.
pub fn dataset(folder: &Path) -> PathBuf {
    let data = folder.join("data");
    fs::create_dir_all(data.join("imgs")).unwrap();
    let mut labels = std::collections::BTreeMap::new();
    let names: Vec<String> = (0..12).map(|index| format!("face_{index}")).collect();
    for (index, name) in names.iter().enumerate() {
        let shade = |x: u32, y: u32| {
            let value = (x * 3 + y * 5 + 20 * u32::try_from(index).unwrap()) % 256;
            u8::try_from(value).unwrap()
        };
        let picture = RgbImage::from_fn(64, 64, |x, y| Rgb([shade(x, y), shade(y, x), shade(x, x)]));
        picture
            .save(data.join("imgs").join(format!("{name}.png")))
            .unwrap();
        let value = f64::from(u32::try_from(index).unwrap()) / 3.0;
        labels.insert(name.clone(), vec![value; AU_COUNT]);
    }
    pickle::write_labels(data.join("aus_openface.pkl"), &labels).unwrap();
    let list = |names: &[String]| {
        names
            .iter()
            .map(|name| format!("{name}.png\n"))
            .collect::<String>()
    };
    fs::write(data.join("train_ids.csv"), list(&names[..10])).unwrap();
    fs::write(data.join("test_ids.csv"), list(&names[10..])).unwrap();
    data
}

pub fn config(data: &Path) -> TrainConfig {
    TrainConfig {
        image_size: 64,
        generator_channels: 2,
        generator_blocks: 1,
        discriminator_channels: 2,
        batch_size: 2,
        steps: Some(10),
        n_critic: 2,
        log_every: 2,
        checkpoint_every: 4,
        checkpoint_keep: 2,
        preview_every: 5,
        seed: 11,
        ..TrainConfig::new(data)
    }
}

pub fn never() -> AtomicBool {
    AtomicBool::new(false)
}

pub fn weights(run: &Run) -> Vec<(String, burn::tensor::TensorData)> {
    state_dict(run.training().average())
}

pub struct Fixture {
    pub folder: TempDir,
    pub dataset: Dataset,
    pub config: TrainConfig,
}

impl Fixture {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = dataset(folder.path());
        Self {
            dataset: Dataset::open(&data).unwrap(),
            config: config(&data),
            folder,
        }
    }

    pub fn start(&self, name: &str) -> Run {
        Run::start(
            self.folder.path().join(name),
            self.config.clone(),
            &Device::flex(),
        )
        .unwrap()
    }

    pub fn resume(&self, name: &str) -> Run {
        Run::resume(self.folder.path().join(name), &Device::flex()).unwrap()
    }
}
