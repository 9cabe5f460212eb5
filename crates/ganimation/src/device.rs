//! Selection of the device: names, compiled backends, available devices, and the fastest one.
//!
//! ```
//! use ganimation::device::{DeviceChoice, resolve};
//!
//! let device = resolve(DeviceChoice::Auto)?; // the fastest one present
//! let same = resolve("flex".parse()?)?; // the pure-Rust CPU backend
//! # Ok::<(), ganimation::Error>(())
//! ```

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
use burn::tensor::DeviceKind;
#[cfg(any(
    feature = "flex",
    feature = "cuda",
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal",
    feature = "ndarray"
))]
use burn::tensor::DeviceType;

use crate::{Error, Result};

/// A backend. Each is a cargo feature of this crate with the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// NVIDIA GPUs through CUDA.
    Cuda,
    /// Apple GPUs through Metal.
    Metal,
    /// GPUs through Vulkan, kernels as SPIR-V.
    Vulkan,
    /// GPUs through the system's graphics API, with kernels in WGSL.
    Wgpu,
    /// The CPU, in pure Rust, with this project's own kernels.
    Flex,
    /// The CPU through Burn's older backend, which is much slower than [`Backend::Flex`].
    NdArray,
}

impl Backend {
    /// All backends, fastest kind of hardware first.
    pub const ALL: [Self; 6] = [
        Self::Cuda,
        Self::Metal,
        Self::Vulkan,
        Self::Wgpu,
        Self::Flex,
        Self::NdArray,
    ];

    /// The name on the command line, which is also that of the cargo feature.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Metal => "metal",
            Self::Vulkan => "vulkan",
            Self::Wgpu => "wgpu",
            Self::Flex => "flex",
            Self::NdArray => "ndarray",
        }
    }

    /// What a machine needs for this backend.
    pub const fn needs(self) -> &'static str {
        match self {
            Self::Cuda => "an NVIDIA GPU and its driver (libcuda)",
            Self::Metal => "a Mac with a Metal GPU",
            Self::Vulkan => "a Vulkan driver (Debian: mesa-vulkan-drivers and libvulkan1)",
            Self::Wgpu => "a Vulkan, Metal or DirectX 12 driver",
            Self::Flex | Self::NdArray => "a CPU",
        }
    }

    /// Whether this build contains the backend.
    pub const fn is_compiled_in(self) -> bool {
        match self {
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Metal => cfg!(feature = "metal"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Flex => cfg!(feature = "flex"),
            Self::NdArray => cfg!(feature = "ndarray"),
        }
    }

    /// Its devices on this machine; none if it is not compiled in.
    ///
    /// This does not use any device. Burn panics if a missing device is used, so call this first.
    fn enumerate(self) -> Vec<Device> {
        match self {
            #[cfg(feature = "cuda")]
            Self::Cuda => Device::enumerate(DeviceType::Cuda).into_vec(),
            #[cfg(feature = "metal")]
            Self::Metal => Device::enumerate(DeviceType::Metal).into_vec(),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Device::enumerate(DeviceType::Vulkan).into_vec(),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Device::enumerate(DeviceType::Wgpu).into_vec(),
            #[cfg(feature = "flex")]
            Self::Flex => Device::enumerate(DeviceType::Flex).into_vec(),
            #[cfg(feature = "ndarray")]
            Self::NdArray => Device::enumerate(DeviceType::NdArray).into_vec(),
            #[allow(unreachable_patterns, reason = "reachable in builds that leave a backend out")]
            _ => Vec::new(),
        }
    }

    /// Whether `device` is a graphics API emulated on the CPU, such as Mesa's lavapipe.
    #[allow(unused_variables, reason = "only graphics APIs are emulated")]
    fn is_software(self, device: &Device) -> bool {
        match self {
            #[cfg(feature = "metal")]
            Self::Metal => *device == Device::metal(DeviceKind::Cpu),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => *device == Device::vulkan(DeviceKind::Cpu),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => *device == Device::wgpu(DeviceKind::Cpu),
            _ => false,
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A value of `--device`: `auto`, `flex`, `cuda`, `cuda:1`, `wgpu`, `vulkan`, `metal`, `ndarray`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The fastest available device.
    #[default]
    Auto,
    /// The device with this number, counted from 0, among the backend's devices.
    Numbered(Backend, usize),
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::UnknownDevice {
            found: text.to_owned(),
        };
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let (name, number) = match text.split_once(':') {
            Some((name, number)) => (name, number.parse().ok().ok_or_else(unknown)?),
            None => (text, 0),
        };
        let backend = Backend::ALL.into_iter().find(|backend| backend.name() == name);
        Ok(Self::Numbered(backend.ok_or_else(unknown)?, number))
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Numbered(backend, 0) => f.pad(backend.name()),
            Self::Numbered(backend, number) => f.pad(&format!("{backend}:{number}")),
        }
    }
}

/// An available device of a compiled backend.
#[derive(Clone, Debug)]
pub struct PresentDevice {
    /// Its backend.
    pub backend: Backend,
    /// Its number among the backend's devices, from 0.
    pub number: usize,
    /// Whether it is a graphics API emulated on the CPU (Mesa's lavapipe). It is slow, so `auto` selects it last, and
    /// it computes wrong gradients, without an error, if loops are long: see [`Self::check_training`].
    pub software: bool,
    /// The device, ready for tensors.
    pub device: Device,
}

impl PresentDevice {
    /// The choice that selects this device.
    pub const fn choice(&self) -> DeviceChoice {
        DeviceChoice::Numbered(self.backend, self.number)
    }

    /// The name of the GPU, or of the driver that emulates one, such as `llvmpipe (LLVM 19.1.7, 256 bits)`. None for the
    /// CPU. This opens the device.
    pub fn adapter(&self) -> Option<String> {
        #[cfg(any(feature = "cuda", feature = "wgpu", feature = "vulkan", feature = "metal"))]
        return self.device.identity().map(|identity| identity.name.to_string());
        #[cfg(not(any(feature = "cuda", feature = "wgpu", feature = "vulkan", feature = "metal")))]
        None
    }

    /// Checks that training steps with `batch` faces of `image_size` x `image_size` pixels have been tested on such a
    /// device.
    ///
    /// Mesa's software drivers end the loops of a shader after 65,535 iterations in total, without an error. So a batch
    /// on an emulated device is limited to [`SOFTWARE_PIXELS`]. For batches of this size, gradients have been compared
    /// with those of the CPU.
    ///
    /// # Errors
    /// [`Error::SoftwareDevice`] for a larger batch on an emulated device.
    pub const fn check_training(&self, batch: usize, image_size: usize) -> Result<()> {
        let pixels = batch.saturating_mul(image_size).saturating_mul(image_size);
        if self.software && pixels > SOFTWARE_PIXELS {
            return Err(Error::SoftwareDevice {
                device: self.choice(),
                batch,
                image_size,
            });
        }
        Ok(())
    }
}

/// Pixels of the largest batch that has been tested on an emulated device: 8 faces of 128 x 128.
pub const SOFTWARE_PIXELS: usize = 8 * 128 * 128;

impl fmt::Display for PresentDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.choice().fmt(f)
    }
}

/// Lists all available devices of compiled backends, fastest kind first, emulated devices last.
pub fn devices() -> Vec<PresentDevice> {
    let mut present: Vec<_> = Backend::ALL.into_iter().flat_map(devices_of).collect();
    present.sort_by_key(|device| device.software); // stable: keeps the order within each group
    present
}

fn devices_of(backend: Backend) -> impl Iterator<Item = PresentDevice> {
    let devices = backend.enumerate().into_iter().enumerate();
    devices.map(move |(number, device)| PresentDevice {
        backend,
        number,
        software: backend.is_software(&device),
        device,
    })
}

/// Resolves a choice to an available device.
///
/// # Errors
/// [`Error::DeviceCompiledOut`] with the missing cargo feature, [`Error::DeviceAbsent`] with the machine's missing
/// requirement, [`Error::NoDevice`] if this build has no backend.
pub fn resolve(choice: DeviceChoice) -> Result<Device> {
    present(choice).map(|found| found.device)
}

/// Like [`resolve`], but returns the device with its properties.
///
/// # Errors
/// See [`resolve`].
pub fn present(choice: DeviceChoice) -> Result<PresentDevice> {
    match choice {
        DeviceChoice::Auto => devices().into_iter().next().ok_or(Error::NoDevice),
        DeviceChoice::Numbered(backend, _) if !backend.is_compiled_in() => {
            Err(Error::DeviceCompiledOut { backend })
        }
        DeviceChoice::Numbered(backend, number) => {
            let mut devices: Vec<_> = devices_of(backend).collect();
            let present = devices.len();
            if number < present {
                Ok(devices.swap_remove(number))
            } else {
                Err(Error::DeviceAbsent {
                    backend,
                    number,
                    present,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_reads_back_as_it_is_written() {
        for text in [
            "auto", "flex", "cuda", "cuda:1", "wgpu", "vulkan:2", "metal", "ndarray",
        ] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
        }
        assert_eq!("cuda:0".parse::<DeviceChoice>().unwrap().to_string(), "cuda");
    }

    #[test]
    fn nonsense_is_refused_with_the_text_that_was_typed() {
        for text in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "Flex", "auto:0"] {
            let error = text.parse::<DeviceChoice>().unwrap_err();
            assert!(error.to_string().contains(&format!("`{text}`")), "{error}");
        }
    }

    #[cfg(feature = "flex")]
    #[test]
    fn auto_never_picks_an_emulated_device_over_the_cpu() {
        let first = devices().remove(0);
        assert!(!first.software, "{first:?}");
    }

    #[cfg(feature = "flex")]
    #[test]
    fn emulated_devices_train_on_tested_batches_only() {
        let cpu = present("flex".parse().unwrap()).unwrap();
        let emulated = PresentDevice {
            backend: Backend::Wgpu,
            software: true,
            ..cpu.clone()
        };
        emulated.check_training(8, 128).unwrap();
        cpu.check_training(9, 128).unwrap();
        for (batch, size) in [(9, 128), (3, 256), (usize::MAX, usize::MAX)] {
            let error = emulated.check_training(batch, size).unwrap_err();
            assert!(
                error.to_string().starts_with("wgpu is emulated on the CPU"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_device_beyond_the_last_one_is_absent() {
        for backend in Backend::ALL
            .into_iter()
            .filter(|backend| backend.is_compiled_in())
        {
            let error = resolve(DeviceChoice::Numbered(backend, 99)).unwrap_err();
            assert!(matches!(error, Error::DeviceAbsent { number: 99, .. }), "{error}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_compiled_out_device_is_named() {
        let error = resolve("cuda:0".parse().unwrap()).unwrap_err();
        assert!(
            matches!(
                error,
                Error::DeviceCompiledOut {
                    backend: Backend::Cuda
                }
            ),
            "{error}"
        );
    }
}
