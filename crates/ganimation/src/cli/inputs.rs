//! Options that several commands share, and what they lead to.

use std::path::{Path, PathBuf};

use clap::Args;
use ganimation::device::{self, DeviceChoice};
use ganimation::{Animator, Error, Result};

/// Picture formats that can be written.
pub(super) const PICTURES: &[&str] = &["png", "jpg", "jpeg", "webp"];

/// The network and where it runs.
#[derive(Debug, Args)]
pub(super) struct Network {
    /// Weights to use in place of the bundled ones (safetensors)
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,

    /// Where to compute: auto, flex, cuda, cuda:1, wgpu, vulkan, metal, ndarray
    #[arg(long, value_name = "DEVICE", default_value_t)]
    device: DeviceChoice,
}

impl Network {
    /// Loads the weights onto the device.
    pub(super) fn load(&self) -> Result<Animator> {
        let device = device::resolve(self.device)?;
        match &self.weights {
            Some(path) => Animator::load(path, &device),
            None => Animator::bundled(&device),
        }
    }
}

/// Refuses, before any work is done, a file that could not be written in the end.
pub(super) fn check_output(path: &Path, accepted: &'static [&'static str]) -> Result<()> {
    let extension = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    if !accepted.contains(&extension.as_str()) {
        return Err(Error::OutputFormat {
            path: path.to_owned(),
            accepted,
        });
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => Err(Error::NoFolder {
            path: path.to_owned(),
            folder: folder.to_owned(),
        }),
        _ => Ok(()),
    }
}
