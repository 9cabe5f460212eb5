//! Weights files: safetensors with the published parameter names and the metadata needed for inference.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{DType, Device, TensorData};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::au_regressor::AU_REGRESSOR_SIZE;
use crate::files::{of_file, write};
use crate::parameters::{load_state_dict, state_dict};
use crate::shapes::{discriminator_config, expect_shape, generator_config, shapes_of};
use crate::tensors::{finite, tensors_from_bytes, tensors_to_bytes};
use crate::{
    AU_COUNT, AuEstimator, AuRegressor, AuRegressorConfig, Discriminator, Error, Generator, Orders, Result,
};

/// The newest version of the metadata block, for networks with [`Orders::Relative`].
///
/// Files of other networks still have version 1.
pub const FORMAT_VERSION: u32 = 2;

/// OpenFace's action units, in the input order of published networks.
pub const ACTION_UNITS: [u32; AU_COUNT] = [1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45];

/// Side of the published networks' training faces, in pixels.
const PUBLISHED_SIZE: usize = 128;

/// The value of `network` in the metadata of an AU regressor. It is unchanged since version 1.
const AU_REGRESSOR: &str = "reader";

/// Metadata value for [`Orders::Relative`].
const RELATIVE: &str = "relative";

/// The value of `shading` with the resolution of the features.
const FINE: &str = "fine";

/// Element type on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum FloatFormat {
    /// Single precision, without rounding.
    #[default]
    F32,
    /// Half the file size; 11 bits of precision.
    F16,
    /// Half the file size; the range of f32 with 8 bits of precision.
    Bf16,
}

/// The metadata of a weights file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Side of the network's square training faces, in pixels.
    pub image_size: usize,
    /// Channels after the first layer.
    pub channels: usize,
    /// Residual blocks of a generator, 0 otherwise.
    pub blocks: usize,
    /// The action units' numbers, in the order of the network's input.
    pub action_units: Vec<u32>,
    /// The meaning of a generator's second input.
    #[serde(default)]
    pub orders: Orders,
    /// Whether a generator's shading has the resolution of its features; see
    /// [`GeneratorConfig::fine_shading`](crate::GeneratorConfig::fine_shading).
    #[serde(default)]
    pub fine_shading: bool,
    /// How a face is cropped from a photo.
    pub crop: String,
    /// Training data, training length and hardware.
    pub training: String,
    /// Terms of use of the weights.
    pub license: String,
}

/// Writes a generator's weights as one file.
///
/// # Errors
/// [`Error::Write`] if the file cannot be written, [`Error::Format`] if it cannot be encoded.
pub fn save_generator(
    path: &Path,
    generator: &Generator,
    metadata: &Metadata,
    format: FloatFormat,
) -> Result<()> {
    write(path, &encode(generator, "generator", metadata, format)?)
}

/// Writes a discriminator's weights as one file.
///
/// # Errors
/// See [`save_generator`].
pub fn save_discriminator(
    path: &Path,
    discriminator: &Discriminator,
    metadata: &Metadata,
    format: FloatFormat,
) -> Result<()> {
    write(path, &encode(discriminator, "discriminator", metadata, format)?)
}

/// Reads a generator from a file.
///
/// # Errors
/// [`Error::Read`] and [`Error::TooLarge`] for the file, and [`Error::Weights`] with the errors of
/// [`generator_from_bytes`].
pub fn load_generator(path: &Path, device: &Device) -> Result<(Generator, Metadata)> {
    of_file(path, |bytes| generator_from_bytes(bytes, device))
}

/// Reads a generator from the bytes of a file.
///
/// # Errors
/// [`Error::Format`], [`Error::Metadata`], [`Error::ElementType`], [`Error::NotFinite`], and the errors of
/// [`load_state_dict`].
pub fn generator_from_bytes(bytes: &[u8], device: &Device) -> Result<(Generator, Metadata)> {
    let (metadata, tensors) = decode(bytes, "generator")?;
    // The network is created only after its size is checked against the file, so that metadata cannot cause large
    // allocations.
    let config = generator_config(&shapes_of(&tensors))?;
    let metadata = match metadata {
        Some(metadata) => {
            agree("channels", metadata.channels, config.channels)?;
            agree("blocks", metadata.blocks, config.blocks)?;
            agree("action_units", metadata.action_units.len(), config.aus)?;
            metadata
        }
        None => derived_metadata(None, config.channels, config.blocks, config.aus)?,
    };
    let config = config
        .with_orders(metadata.orders)
        .with_fine_shading(metadata.fine_shading);
    Ok((load_state_dict(config.undrawn(device), tensors)?, metadata))
}

/// Reads a discriminator from a file.
///
/// # Errors
/// [`Error::Read`] and [`Error::TooLarge`] for the file, and [`Error::Weights`] with the errors of
/// [`discriminator_from_bytes`].
pub fn load_discriminator(path: &Path, device: &Device) -> Result<(Discriminator, Metadata)> {
    of_file(path, |bytes| discriminator_from_bytes(bytes, device))
}

/// Reads a discriminator from the bytes of a file.
///
/// # Errors
/// See [`generator_from_bytes`]; also [`Error::ImageSize`].
pub fn discriminator_from_bytes(bytes: &[u8], device: &Device) -> Result<(Discriminator, Metadata)> {
    let (metadata, tensors) = decode(bytes, "discriminator")?;
    let config = discriminator_config(&shapes_of(&tensors))?;
    let metadata = match metadata {
        Some(metadata) => {
            agree("image_size", metadata.image_size, config.image_size)?;
            agree("channels", metadata.channels, config.channels)?;
            agree("action_units", metadata.action_units.len(), config.aus)?;
            metadata
        }
        None => derived_metadata(Some(config.image_size), config.channels, 0, config.aus)?,
    };
    Ok((load_state_dict(config.undrawn(device), tensors)?, metadata))
}

/// Writes an AU regressor's weights as one file.
///
/// # Errors
/// See [`save_generator`].
pub fn save_au_regressor(
    path: &Path,
    regressor: &AuRegressor,
    metadata: &Metadata,
    format: FloatFormat,
) -> Result<()> {
    write(path, &encode(regressor, AU_REGRESSOR, metadata, format)?)
}

/// Reads a network that estimates action units from a file: an AU regressor, or a discriminator with its action-unit head.
///
/// # Errors
/// [`Error::Read`] and [`Error::TooLarge`] for the file, and [`Error::Weights`] with the errors of
/// [`au_estimator_from_bytes`].
pub fn load_au_estimator(path: &Path, device: &Device) -> Result<(AuEstimator, Metadata)> {
    of_file(path, |bytes| au_estimator_from_bytes(bytes, device))
}

/// Reads a network that estimates action units from the bytes of a file.
///
/// # Errors
/// See [`discriminator_from_bytes`], because a file can contain a discriminator.
pub fn au_estimator_from_bytes(bytes: &[u8], device: &Device) -> Result<(AuEstimator, Metadata)> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let network = header
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get("network"));
    // A run's checkpoint has no metadata about its networks. The released name of the action-unit head identifies a
    // discriminator.
    let is_discriminator = match network {
        Some(network) => network == "discriminator",
        None => header.info("conv2.weight").is_some(),
    };
    if is_discriminator {
        let (discriminator, metadata) = discriminator_from_bytes(bytes, device)?;
        let estimator = AuEstimator::Discriminator {
            discriminator,
            image_size: metadata.image_size,
        };
        return Ok((estimator, metadata));
    }
    let (metadata, tensors) = decode(bytes, AU_REGRESSOR)?;
    let metadata = metadata.ok_or_else(|| wrong("network", &"missing", AU_REGRESSOR))?;
    let config = AuRegressorConfig {
        channels: metadata.channels,
        aus: metadata.action_units.len(),
    };
    let size = &metadata.image_size;
    require(*size == AU_REGRESSOR_SIZE, "image_size", size, "128")?;
    let c = config.channels;
    require(c > 0, "channels", &c, "at least 1")?;
    // As for the other networks, the network is created only after its size is checked against the file.
    let shapes = shapes_of(&tensors);
    expect_shape(&shapes, "main.0.weight", &[c, 3, 4, 4])?;
    expect_shape(&shapes, "head.weight", &[config.aus, 8 * c, 8, 8])?;
    let regressor = load_state_dict(config.undrawn(device), tensors)?;
    Ok((AuEstimator::Regressor(regressor), metadata))
}

fn encode<M: Module>(module: &M, network: &str, metadata: &Metadata, format: FloatFormat) -> Result<Vec<u8>> {
    tensors_to_bytes(state_dict(module), format, Some(to_entries(network, metadata)))
}

/// The metadata of a file, if it has any, and its tensors.
fn decode(bytes: &[u8], network: &'static str) -> Result<(Option<Metadata>, BTreeMap<String, TensorData>)> {
    let (tensors, entries) = tensors_from_bytes(bytes)?;
    // Files of other programs have no metadata, or only `format = pt`. Incomplete metadata of this project is an error.
    let ours = ["format_version", "network"]
        .iter()
        .any(|key| entries.contains_key(*key));
    let metadata = ours.then(|| from_entries(network, &entries)).transpose()?;
    let in_f32 = |(name, data): (String, TensorData)| {
        let data = finite(&name, data.convert_dtype(DType::F32))?;
        Ok((name, data))
    };
    Ok((metadata, tensors.into_iter().map(in_f32).collect::<Result<_>>()?))
}

/// Metadata derived from the shapes of a network. Without an image size, that of the published networks is used.
///
/// # Errors
/// [`Error::Metadata`] unless the network has 17 action units, because their numbers would be unknown.
pub(crate) fn derived_metadata(
    image_size: Option<usize>,
    channels: usize,
    blocks: usize,
    aus: usize,
) -> Result<Metadata> {
    let missing = |expected| wrong("action_units", &"missing", expected);
    if aus != AU_COUNT {
        return Err(missing(
            "the numbers of the network's action units, because they are not 17",
        ));
    }
    Ok(Metadata {
        image_size: image_size.unwrap_or(PUBLISHED_SIZE),
        channels,
        blocks,
        action_units: ACTION_UNITS.to_vec(),
        orders: Orders::Absolute,
        fine_shading: false,
        crop: "a square around the face".to_owned(),
        training: "not stated".to_owned(),
        license: "not stated".to_owned(),
    })
}

fn agree(key: &'static str, found: usize, expected: usize) -> Result<()> {
    require(
        found == expected,
        key,
        &found,
        &format!("{expected}, as in the tensors"),
    )
}

fn require(holds: bool, key: &'static str, found: &dyn Display, expected: &str) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(wrong(key, found, expected))
    }
}

fn wrong(key: &'static str, found: &dyn Display, expected: &str) -> Error {
    Error::Metadata {
        key,
        found: found.to_string(),
        expected: expected.to_owned(),
    }
}

fn to_entries(network: &str, metadata: &Metadata) -> HashMap<String, String> {
    let numbers: Vec<String> = metadata.action_units.iter().map(u32::to_string).collect();
    let (version, orders) = match metadata.orders {
        Orders::Absolute => (1, None),
        Orders::Relative => (FORMAT_VERSION, Some(("orders", RELATIVE.to_owned()))),
    };
    let entries = [
        ("format_version", version.to_string()),
        ("network", network.to_owned()),
        ("image_size", metadata.image_size.to_string()),
        ("channels", metadata.channels.to_string()),
        ("blocks", metadata.blocks.to_string()),
        ("action_units", numbers.join(" ")),
        ("crop", metadata.crop.clone()),
        ("training", metadata.training.clone()),
        ("license", metadata.license.clone()),
    ];
    let fine = metadata.fine_shading.then(|| ("shading", FINE.to_owned()));
    let entries = entries.into_iter().chain(orders).chain(fine);
    entries.map(|(key, value)| (key.to_owned(), value)).collect()
}

fn from_entries(network: &'static str, entries: &HashMap<String, String>) -> Result<Metadata> {
    let wrong = |key, found: Option<&str>, expected: &str| wrong(key, &found.unwrap_or("missing"), expected);
    let entry = |key| entries.get(key).map(String::as_str);
    let expect = |key, expected: &str| match entry(key) {
        Some(found) if found == expected => Ok(()),
        found => Err(wrong(key, found, expected)),
    };
    let number = |key| {
        let found = entry(key);
        found
            .and_then(|text| text.parse::<usize>().ok())
            .ok_or_else(|| wrong(key, found, "a number"))
    };
    let text = |key| entry(key).unwrap_or_default().to_owned();

    let version = entry("format_version");
    if !(1..=FORMAT_VERSION).any(|known| version == Some(known.to_string().as_str())) {
        return Err(wrong("format_version", version, "1 or 2"));
    }
    expect("network", network)?;
    let orders = match entry("orders") {
        None => Orders::Absolute,
        Some(RELATIVE) => Orders::Relative,
        found => return Err(wrong("orders", found, RELATIVE)),
    };
    let fine_shading = match entry("shading") {
        None => false,
        Some(FINE) => true,
        found => return Err(wrong("shading", found, FINE)),
    };
    let listed = entry("action_units");
    let action_units = listed
        .and_then(|list| {
            list.split_whitespace()
                .map(|number| number.parse().ok())
                .collect()
        })
        .ok_or_else(|| wrong("action_units", listed, "a list of numbers"))?;
    Ok(Metadata {
        image_size: number("image_size")?,
        channels: number("channels")?,
        blocks: number("blocks")?,
        action_units,
        orders,
        fine_shading,
        crop: text("crop"),
        training: text("training"),
        license: text("license"),
    })
}

#[cfg(test)]
mod tests;
