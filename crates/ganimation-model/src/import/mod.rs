//! Import of weights from other projects: PyTorch's `.pth` files in the published layouts.
//!
//! A file is a dictionary from names to tensors, as `torch.save(network.state_dict())` writes it, or a checkpoint with
//! such dictionaries under keys. Zip archives and the older stream format are supported, with f32, f16, bf16 and f64.
//! Safetensors files are also supported. The names determine the layout. Unused tensors are listed with the reason, and
//! files with an unknown layout are refused. No code in a pickle is run. The size of the file limits the memory that is
//! used.

mod archive;
mod layout;
mod source;
mod stream;
mod torch;

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, TensorData};

use crate::shapes::{Shapes, discriminator_config, generator_config};
use crate::weights::{Metadata, derived_metadata};
use crate::{Discriminator, DiscriminatorConfig, Error, Generator, GeneratorConfig, Result, load_state_dict};

use layout::{Fate, Kind, Place};
use source::Entries;

pub use layout::{Layout, Reason};
pub use torch::TorchProblem;

/// A network found in a file.
#[derive(Clone, Debug)]
pub enum Network {
    /// A generator.
    Generator(Generator),
    /// A discriminator.
    Discriminator(Box<Discriminator>),
}

/// A network with its source and the use of the file's tensors.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The network, in f32.
    pub network: Network,
    /// Metadata derived from its shapes. The generator's image size is 128, as in the published networks.
    pub metadata: Metadata,
    /// The naming scheme of the file.
    pub layout: Layout,
    /// The prefix of the names, for example `state_dict.module.`. Usually empty.
    pub prefix: String,
    /// Used tensors: the file's names and the released network's names.
    pub taken: Vec<(String, String)>,
    /// Unused tensors, each with the reason.
    pub dropped: Vec<(String, Reason)>,
    /// Parameters that the layout does not store (released names): norms with scale 1 and shift 0.
    pub filled: Vec<String>,
}

/// Reads every network in a file.
///
/// # Errors
/// [`Error::Read`], [`Error::TooLarge`], [`Error::UnknownFile`], [`Error::Torch`] or [`Error::Weights`] if the file
/// cannot be read, is too large or is damaged, [`Error::Inflated`] if its tensors have more elements than it stores,
/// [`Error::NoTensors`] or [`Error::UnknownLayout`] with the names if it contains no known network,
/// [`Error::SeveralNetworks`] if it contains two networks of the same kind, [`Error::Import`] with the reason if a
/// network is incomplete or has wrong shapes.
pub fn import(path: &Path, device: &Device) -> Result<Vec<Imported>> {
    import_under(path, None, device)
}

/// Like [`import`], but only for networks under a key of the file's dictionaries, for example `G_ema`.
///
/// # Errors
/// See [`import`]; also [`Error::NoKey`] with the available keys.
pub fn import_under(path: &Path, key: Option<&str>, device: &Device) -> Result<Vec<Imported>> {
    let entries = source::open(path)?;
    let places = layout::find(&entries, key)?;
    places
        .iter()
        .map(|place| {
            let others: Vec<&str> = places
                .iter()
                .filter(|other| !std::ptr::eq(*other, place))
                .map(|other| other.prefix.as_str())
                .collect();
            take(&entries, place, &others, device).map_err(|source| Error::Import {
                path: path.to_owned(),
                kind: place.kind.name(),
                layout: place.layout,
                source: Box::new(source),
            })
        })
        .collect()
}

/// The network at `place`. Tensors under the prefixes of `others` belong to other networks.
fn take(entries: &Entries, place: &Place, others: &[&str], device: &Device) -> Result<Imported> {
    let (mut taken, mut dropped) = (Vec::new(), Vec::new());
    let mut shapes = Shapes::new();
    for name in entries.names() {
        match place.fate(name) {
            Fate::Taken(to) => {
                shapes.insert(to.clone(), entries.shape(name).to_vec());
                taken.push((name.to_owned(), to));
            }
            Fate::Dropped(Reason::Elsewhere) if others.iter().any(|other| name.starts_with(other)) => {}
            Fate::Dropped(reason) => dropped.push((name.to_owned(), reason)),
        }
    }
    let config = Config::of(place.kind, &shapes)?;
    entries.check_sizes(taken.iter().map(|(from, _)| from.as_str()))?;
    let mut tensors = BTreeMap::new();
    for (from, to) in &taken {
        tensors.insert(to.clone(), entries.read(from)?);
    }
    let filled = match (&config, place.layout) {
        (Config::Generator(config), Layout::Replicate) => plain_norms(config),
        _ => BTreeMap::new(),
    };
    let filled_names = filled.keys().cloned().collect();
    tensors.extend(filled);
    let (network, metadata) = config.load(tensors, device)?;
    Ok(Imported {
        network,
        metadata: Metadata {
            training: format!("imported from the layout of {}", place.layout),
            license: "determined by its authors".to_owned(),
            ..metadata
        },
        layout: place.layout,
        prefix: place.prefix.clone(),
        taken,
        dropped,
        filled: filled_names,
    })
}

enum Config {
    Generator(GeneratorConfig),
    Discriminator(DiscriminatorConfig),
}

impl Config {
    fn of(kind: Kind, shapes: &Shapes) -> Result<Self> {
        Ok(match kind {
            Kind::Generator => Self::Generator(generator_config(shapes)?),
            Kind::Discriminator => Self::Discriminator(discriminator_config(shapes)?),
        })
    }

    fn load(self, tensors: BTreeMap<String, TensorData>, device: &Device) -> Result<(Network, Metadata)> {
        Ok(match self {
            Self::Generator(config) => {
                let metadata = derived_metadata(None, config.channels, config.blocks, config.aus)?;
                let generator = load_state_dict(config.undrawn(device), tensors)?;
                (Network::Generator(generator), metadata)
            }
            Self::Discriminator(config) => {
                let metadata = derived_metadata(Some(config.image_size), config.channels, 0, config.aus)?;
                let discriminator = load_state_dict(config.undrawn(device), tensors)?;
                (Network::Discriminator(Box::new(discriminator)), metadata)
            }
        })
    }
}

/// The norms of a generator whose layout has none of their parameters: scale 1, shift 0.
fn plain_norms(config: &GeneratorConfig) -> BTreeMap<String, TensorData> {
    let (c, up) = (config.channels, 9 + config.blocks);
    let mut norms = vec![
        ("main.1".to_owned(), c),
        ("main.4".to_owned(), 2 * c),
        ("main.7".to_owned(), 4 * c),
    ];
    for block in 9..up {
        norms.extend([1, 4].map(|norm| (format!("main.{block}.main.{norm}"), 4 * c)));
    }
    norms.extend([
        (format!("main.{}", up + 1), 2 * c),
        (format!("main.{}", up + 4), c),
    ]);
    norms
        .into_iter()
        .flat_map(|(norm, channels)| {
            [("weight", 1.0_f32), ("bias", 0.0)].map(|(parameter, value)| {
                let values = TensorData::new(vec![value; channels], [channels]);
                (format!("{norm}.{parameter}"), values)
            })
        })
        .collect()
}
