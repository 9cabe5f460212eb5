//! Weights that others trained: PyTorch's `.pth` files, in the layouts that the field has published.
//!
//! A file is a dictionary from names to tensors, as `torch.save(network.state_dict())` writes it, or a checkpoint that
//! holds such dictionaries under keys; zip archives and the older streams, f32, f16, bf16 and f64. Safetensors will do
//! as well. Which layout it is follows from the names alone; whatever is not taken is listed with the reason, and what
//! fits no layout is refused. No code in a pickle is run, and memory is bounded by the size of the file.

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
    /// One that paints faces.
    Generator(Generator),
    /// One that judges them.
    Discriminator(Box<Discriminator>),
}

/// A network with where it came from and what became of the file's tensors.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The network, in f32.
    pub network: Network,
    /// What its shapes say; the generator's image size is the published networks' 128.
    pub metadata: Metadata,
    /// Whose names the file uses.
    pub layout: Layout,
    /// What stands before the names, `state_dict.module.` for example; mostly nothing.
    pub prefix: String,
    /// Tensors that were taken: the file's names and the released network's.
    pub taken: Vec<(String, String)>,
    /// Tensors that were left, each with the reason.
    pub dropped: Vec<(String, Reason)>,
    /// Parameters that the layout fixes and does not store (released names): norms at scale 1 and shift 0.
    pub filled: Vec<String>,
}

/// Reads every network in a file.
///
/// # Errors
/// [`Error::Read`], [`Error::UnknownFile`], [`Error::Torch`] or [`Error::Weights`] for a file that cannot be read or is
/// damaged, [`Error::Inflated`] for one whose tensors stand for more than it holds, [`Error::NoTensors`] or
/// [`Error::UnknownLayout`] with the names if it holds no known network, [`Error::SeveralNetworks`] if it holds two of a
/// kind, [`Error::Import`] with the reason if a network in it is incomplete or misshapen.
pub fn import(path: &Path, device: &Device) -> Result<Vec<Imported>> {
    import_under(path, None, device)
}

/// As [`import`], but only the networks under a key of the file's dictionaries, `G_ema` for example.
///
/// # Errors
/// As [`import`], and [`Error::NoKey`] with the keys that there are.
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

/// The network at `place`; what lies under the `others`' prefixes is theirs.
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
            license: "as its authors allow".to_owned(),
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
                let generator = load_state_dict(config.init(device), tensors)?;
                (Network::Generator(generator), metadata)
            }
            Self::Discriminator(config) => {
                let metadata = derived_metadata(Some(config.image_size), config.channels, 0, config.aus)?;
                let discriminator = load_state_dict(config.init(device), tensors)?;
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
