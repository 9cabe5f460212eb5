//! What can go wrong with weights and sizes.

use std::path::PathBuf;

use crate::import::{Layout, TorchProblem};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A thing that the caller can mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The discriminator halves an image six times.
    #[error("image size {found} is not a positive multiple of {step}")]
    ImageSize {
        /// The size that was asked for, in pixels.
        found: usize,
        /// What it must be a multiple of.
        step: usize,
    },
    /// A weights file could not be read.
    #[error("cannot read weights {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A weights file could not be written.
    #[error("cannot write weights {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is larger than any weights.
    #[error("{} has {size} bytes; weights of more than {limit} are not read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        size: u64,
        /// How many it may have.
        limit: u64,
    },
    /// A file whose weights are not those of the network that is wanted, or damaged.
    #[error("cannot use the weights in {}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        source: Box<Error>,
    },
    /// The bytes are no safetensors file.
    #[error("not a safetensors file")]
    Format {
        /// What the reader stumbled over.
        #[from]
        source: safetensors::SafeTensorError,
    },
    /// A tensor's numbers are of a type that no network here uses.
    #[error("tensor {name} has element type {found}; expected F64, F32, F16 or BF16")]
    ElementType {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// The metadata block lacks an entry or holds a wrong one.
    #[error("weights metadata `{key}` is {found}; expected {expected}")]
    Metadata {
        /// The entry.
        key: &'static str,
        /// What it says (`missing` when absent).
        found: String,
        /// What it must be.
        expected: String,
    },
    /// A parameter of the network is not in the file.
    #[error("the weights lack tensor {name}")]
    MissingTensor {
        /// The parameter.
        name: String,
    },
    /// A parameter in the file has another shape than in the network.
    #[error("tensor {name} has shape {found:?}; the network expects {expected:?}")]
    Shape {
        /// The parameter.
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// Its shape in the network.
        expected: Vec<usize>,
    },
    /// The file holds tensors that the network does not have.
    #[error(
        "the weights hold tensors that the network does not have: {}",
        shortened(names)
    )]
    ExtraTensors {
        /// The names.
        names: Vec<String>,
    },
    /// A weight that is infinite or no number at all.
    #[error("tensor {name} holds an infinity or a NaN")]
    NotFinite {
        /// The tensor.
        name: String,
    },
    /// A file that others wrote is of no known kind.
    #[error("{} is neither a PyTorch file nor safetensors", path.display())]
    UnknownFile {
        /// The file.
        path: PathBuf,
        /// Why it is no safetensors file.
        source: safetensors::SafeTensorError,
    },
    /// A PyTorch file is damaged, or holds what no file of weights does.
    #[error("cannot read PyTorch file {}", path.display())]
    Torch {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TorchProblem,
    },
    /// A file's tensors are views that stand for more numbers than it stores.
    #[error("{} has {size} bytes, but its tensors would take {bytes}", path.display())]
    Inflated {
        /// The file.
        path: PathBuf,
        /// Bytes of its tensors.
        bytes: u64,
        /// Bytes of the file.
        size: u64,
    },
    /// A file in which no tensor has a name, as it would in a state dictionary.
    #[error("{} holds no tensors with names", path.display())]
    NoTensors {
        /// The file.
        path: PathBuf,
    },
    /// A file's names are those of no network that is known.
    #[error("the {} tensors of {} are in no known layout: {}", names.len(), path.display(), shortened(names))]
    UnknownLayout {
        /// The file.
        path: PathBuf,
        /// All names in the file.
        names: Vec<String>,
    },
    /// A file holds two networks of a kind.
    #[error("{} holds two {kind}s: {} and {}", path.display(), places[0], places[1])]
    SeveralNetworks {
        /// The file.
        path: PathBuf,
        /// `generator` or `discriminator`.
        kind: &'static str,
        /// Where they are, and in which layout.
        places: [String; 2],
    },
    /// A file has no network under the key asked for.
    #[error("{} has no network under the key `{key}`; there are: {}", path.display(), found.join(", "))]
    NoKey {
        /// The file.
        path: PathBuf,
        /// The key asked for.
        key: String,
        /// Where networks are.
        found: Vec<String>,
    },
    /// A network of a known layout that is not whole.
    #[error("cannot take the {kind} in {}, whose names are those of {layout}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// `generator` or `discriminator`.
        kind: &'static str,
        /// The layout.
        layout: Layout,
        /// What is wrong with it, by the released network's names.
        source: Box<Error>,
    },
}

/// The first names of a list that may be long.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 40;
    let first = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
