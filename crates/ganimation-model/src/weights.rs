//! Weights files: safetensors with the published parameter names and all that inference needs to know.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{DType, Device, TensorData};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::discriminator::{LAYERS, SIZE_STEP};
use crate::parameters::{load_state_dict, state_dict};
use crate::reader::READER_SIZE;
use crate::tensors::{tensors_from_bytes, tensors_to_bytes};
use crate::{
    AuReader, Discriminator, DiscriminatorConfig, Error, Generator, GeneratorConfig, Reader, ReaderConfig,
    Result,
};

/// The version of the metadata block that this crate writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// Element type on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FloatFormat {
    /// Exact.
    #[default]
    F32,
    /// Half the size; 11 bits of precision.
    F16,
    /// Half the size; the range of f32 with 8 bits of precision.
    Bf16,
}

/// What a weights file says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Side of the square faces that the network was trained on, in pixels.
    pub image_size: usize,
    /// Channels after the first layer.
    pub channels: usize,
    /// Residual blocks of a generator, 0 otherwise.
    pub blocks: usize,
    /// The action units' numbers, in the order of the network's input.
    pub action_units: Vec<u32>,
    /// How a face is cut from a photo.
    pub crop: String,
    /// What the weights were trained on, how long and on what.
    pub training: String,
    /// Terms of use of the weights.
    pub license: String,
}

/// Writes a generator's weights as one file.
///
/// # Errors
/// [`Error::Write`] when the file cannot be written, [`Error::Format`] when it cannot be encoded.
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
/// As [`save_generator`].
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
/// [`Error::Read`] for the file, and those of [`generator_from_bytes`].
pub fn load_generator(path: &Path, device: &Device) -> Result<(Generator, Metadata)> {
    generator_from_bytes(&read(path)?, device)
}

/// Reads a generator from the bytes of a file.
///
/// # Errors
/// [`Error::Format`], [`Error::Metadata`], [`Error::ElementType`], and those of [`load_state_dict`].
pub fn generator_from_bytes(bytes: &[u8], device: &Device) -> Result<(Generator, Metadata)> {
    let (metadata, tensors) = decode(bytes, "generator")?;
    let config = GeneratorConfig {
        channels: metadata.channels,
        blocks: metadata.blocks,
        aus: metadata.action_units.len(),
    };
    // A network is made only once its size is known to be the file's: metadata alone must not decide over memory.
    let [c, blocks] = [config.channels, config.blocks];
    require(c > 0, "channels", &c, "at least 1")?;
    let expected = blocks.checked_mul(6).and_then(|count| count.checked_add(17));
    require(
        expected == Some(tensors.len()),
        "blocks",
        &blocks,
        "as many as the tensors hold",
    )?;
    expect_shape(&tensors, "main.0.weight", &[c, 3 + config.aus, 7, 7])?;
    expect_shape(&tensors, "main.3.weight", &[2 * c, c, 4, 4])?;
    expect_shape(&tensors, "main.6.weight", &[4 * c, 2 * c, 4, 4])?;
    for block in 0..blocks {
        for conv in ["0", "3"] {
            let name = format!("main.{}.main.{conv}.weight", 9 + block);
            expect_shape(&tensors, &name, &[4 * c, 4 * c, 3, 3])?;
        }
    }
    Ok((load_state_dict(config.init(device), tensors)?, metadata))
}

/// Reads a discriminator from a file.
///
/// # Errors
/// [`Error::Read`] for the file, and those of [`discriminator_from_bytes`].
pub fn load_discriminator(path: &Path, device: &Device) -> Result<(Discriminator, Metadata)> {
    discriminator_from_bytes(&read(path)?, device)
}

/// Reads a discriminator from the bytes of a file.
///
/// # Errors
/// As [`generator_from_bytes`], and [`Error::ImageSize`].
pub fn discriminator_from_bytes(bytes: &[u8], device: &Device) -> Result<(Discriminator, Metadata)> {
    let (metadata, tensors) = decode(bytes, "discriminator")?;
    let config = DiscriminatorConfig {
        image_size: metadata.image_size,
        channels: metadata.channels,
        aus: metadata.action_units.len(),
    };
    config.check()?;
    let mut input = 3;
    for layer in 0..LAYERS {
        let Some(output) = config.channels.checked_shl(layer).filter(|output| *output > 0) else {
            return Err(wrong("channels", &config.channels, "at least 1"));
        };
        expect_shape(
            &tensors,
            &format!("main.{}.weight", 2 * layer),
            &[output, input, 4, 4],
        )?;
        input = output;
    }
    let side = config.image_size / SIZE_STEP;
    expect_shape(&tensors, "conv2.weight", &[config.aus, input, side, side])?;
    Ok((load_state_dict(config.init(device), tensors)?, metadata))
}

/// Writes a reader's weights as one file.
///
/// # Errors
/// As [`save_generator`].
pub fn save_reader(path: &Path, reader: &Reader, metadata: &Metadata, format: FloatFormat) -> Result<()> {
    write(path, &encode(reader, "reader", metadata, format)?)
}

/// Reads what can read action units from a file: a reader, or a discriminator for its action-unit head.
///
/// # Errors
/// [`Error::Read`] for the file, and those of [`au_reader_from_bytes`].
pub fn load_au_reader(path: &Path, device: &Device) -> Result<(AuReader, Metadata)> {
    au_reader_from_bytes(&read(path)?, device)
}

/// Reads what can read action units from the bytes of a file.
///
/// # Errors
/// As [`discriminator_from_bytes`], of which a file may hold one.
pub fn au_reader_from_bytes(bytes: &[u8], device: &Device) -> Result<(AuReader, Metadata)> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let network = header
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get("network"));
    if network.is_some_and(|network| network == "discriminator") {
        let (discriminator, metadata) = discriminator_from_bytes(bytes, device)?;
        let reader = AuReader::Critic {
            discriminator,
            image_size: metadata.image_size,
        };
        return Ok((reader, metadata));
    }
    let (metadata, tensors) = decode(bytes, "reader")?;
    let config = ReaderConfig {
        channels: metadata.channels,
        aus: metadata.action_units.len(),
    };
    let size = &metadata.image_size;
    require(*size == READER_SIZE, "image_size", size, "128")?;
    let c = config.channels;
    require(c > 0, "channels", &c, "at least 1")?;
    // As for the other networks: memory is taken only once the file is known to hold what it promises.
    expect_shape(&tensors, "main.0.weight", &[c, 3, 4, 4])?;
    expect_shape(&tensors, "head.weight", &[config.aus, 8 * c, 8, 8])?;
    let reader = load_state_dict(config.init(device), tensors)?;
    Ok((AuReader::Independent(reader), metadata))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

/// The file appears under its name only once it is complete and on disk.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let scratch = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = (|| {
        let mut file = File::create(&scratch)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&scratch, path)
    })();
    written.map_err(|source| {
        // The scratch file may not even exist; the error that counts is the first one.
        let _ = fs::remove_file(&scratch);
        Error::Write {
            path: path.to_owned(),
            source,
        }
    })
}

fn encode<M: Module>(module: &M, network: &str, metadata: &Metadata, format: FloatFormat) -> Result<Vec<u8>> {
    tensors_to_bytes(state_dict(module), format, Some(to_entries(network, metadata)))
}

fn decode(bytes: &[u8], network: &'static str) -> Result<(Metadata, BTreeMap<String, TensorData>)> {
    let (tensors, entries) = tensors_from_bytes(bytes)?;
    let metadata = from_entries(network, &entries)?;
    let in_f32 = |(name, data): (String, TensorData)| (name, data.convert_dtype(DType::F32));
    Ok((metadata, tensors.into_iter().map(in_f32).collect()))
}

fn expect_shape(tensors: &BTreeMap<String, TensorData>, name: &str, expected: &[usize]) -> Result<()> {
    let Some(data) = tensors.get(name) else {
        return Err(Error::MissingTensor {
            name: name.to_owned(),
        });
    };
    if data.shape().to_vec() != expected {
        return Err(Error::Shape {
            name: name.to_owned(),
            found: data.shape().to_vec(),
            expected: expected.to_vec(),
        });
    }
    Ok(())
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
    HashMap::from(
        [
            ("format_version", FORMAT_VERSION.to_string()),
            ("network", network.to_owned()),
            ("image_size", metadata.image_size.to_string()),
            ("channels", metadata.channels.to_string()),
            ("blocks", metadata.blocks.to_string()),
            ("action_units", numbers.join(" ")),
            ("crop", metadata.crop.clone()),
            ("training", metadata.training.clone()),
            ("license", metadata.license.clone()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    )
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

    expect("format_version", &FORMAT_VERSION.to_string())?;
    expect("network", network)?;
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
        crop: text("crop"),
        training: text("training"),
        license: text("license"),
    })
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tolerance;

    use super::*;
    use crate::AU_COUNT;

    fn metadata() -> Metadata {
        Metadata {
            image_size: 64,
            channels: 2,
            blocks: 1,
            action_units: vec![1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45],
            crop: "detector box at scale 1".to_owned(),
            training: "none".to_owned(),
            license: "research use only".to_owned(),
        }
    }

    fn generator() -> Generator {
        GeneratorConfig {
            channels: 2,
            blocks: 1,
            aus: AU_COUNT,
        }
        .init(&Device::flex())
    }

    #[test]
    fn a_generator_survives_the_file_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("generator.safetensors");
        let saved = generator();
        save_generator(&path, &saved, &metadata(), FloatFormat::F32).unwrap();
        let (loaded, read) = load_generator(&path, &Device::flex()).unwrap();
        assert_eq!(read, metadata());
        for ((name, before), (_, after)) in state_dict(&saved).iter().zip(state_dict(&loaded)) {
            assert_eq!(before, &after, "{name}");
        }
    }

    #[test]
    fn half_precision_files_keep_their_digits() {
        for (format, tolerance) in [(FloatFormat::F16, 1e-3), (FloatFormat::Bf16, 1e-2)] {
            let saved = generator();
            let bytes = encode(&saved, "generator", &metadata(), format).unwrap();
            let (loaded, _) = generator_from_bytes(&bytes, &Device::flex()).unwrap();
            for ((_, before), (_, after)) in state_dict(&saved).iter().zip(state_dict(&loaded)) {
                before.assert_approx_eq::<f32>(&after, Tolerance::rel_abs(tolerance, 1e-6));
            }
        }
    }

    #[test]
    fn a_discriminator_survives_the_file() {
        let saved = DiscriminatorConfig::new(64)
            .with_channels(2)
            .init(&Device::flex());
        let bytes = encode(&saved, "discriminator", &metadata(), FloatFormat::F32).unwrap();
        let (loaded, _) = discriminator_from_bytes(&bytes, &Device::flex()).unwrap();
        assert_eq!(state_dict(&saved), state_dict(&loaded));
    }

    #[test]
    fn a_reader_survives_the_file_and_a_critic_reads_as_well() {
        let device = Device::flex();
        let saved = ReaderConfig::new().with_channels(2).init(&device);
        let of_reader = Metadata {
            image_size: 128,
            ..metadata()
        };
        let bytes = encode(&saved, "reader", &of_reader, FloatFormat::F32).unwrap();
        let (loaded, _) = au_reader_from_bytes(&bytes, &device).unwrap();
        let AuReader::Independent(loaded) = loaded else {
            panic!("a reader was loaded as {loaded:?}")
        };
        assert_eq!(state_dict(&saved), state_dict(&loaded));

        let critic = DiscriminatorConfig::new(64).with_channels(2).init(&device);
        let bytes = encode(&critic, "discriminator", &metadata(), FloatFormat::F32).unwrap();
        let (loaded, _) = au_reader_from_bytes(&bytes, &device).unwrap();
        assert!(matches!(loaded, AuReader::Critic { image_size: 64, .. }));

        let neither = encode(&generator(), "generator", &metadata(), FloatFormat::F32).unwrap();
        let error = au_reader_from_bytes(&neither, &device).unwrap_err();
        assert_eq!(
            error.to_string(),
            "weights metadata `network` is generator; expected reader"
        );
    }

    #[test]
    fn files_that_are_not_generators_are_refused_with_the_reason() {
        let discriminator = DiscriminatorConfig::new(64)
            .with_channels(2)
            .init(&Device::flex());
        let other = encode(&discriminator, "discriminator", &metadata(), FloatFormat::F32).unwrap();
        let lying = Metadata {
            channels: 4096,
            ..metadata()
        };
        let lying = encode(&generator(), "generator", &lying, FloatFormat::F32).unwrap();
        let endless = Metadata {
            blocks: usize::MAX,
            ..metadata()
        };
        let endless = encode(&generator(), "generator", &endless, FloatFormat::F32).unwrap();
        let empty = Metadata {
            channels: 0,
            ..metadata()
        };
        let empty = encode(&generator(), "generator", &empty, FloatFormat::F32).unwrap();
        let whole = encode(&generator(), "generator", &metadata(), FloatFormat::F32).unwrap();
        let cases: [(&[u8], &str); 6] = [
            (&endless, "`blocks` is 18446744073709551615"),
            (&empty, "`channels` is 0; expected at least 1"),
            (b"GIF89a, say", "not a safetensors file"),
            (&whole[..whole.len() - 8], "not a safetensors file"),
            (&other, "`network` is discriminator; expected generator"),
            (
                &lying,
                "tensor main.0.weight has shape [2, 20, 7, 7]; the network expects [4096, 20, 7, 7]",
            ),
        ];
        for (bytes, expected) in cases {
            let error = generator_from_bytes(bytes, &Device::flex()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = load_generator(Path::new("no/such.safetensors"), &Device::flex()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot read weights no/such.safetensors"),
            "{error}"
        );
    }
}
