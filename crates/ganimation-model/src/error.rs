//! Errors of weights and sizes.

use std::path::PathBuf;

use crate::import::{Layout, TorchProblem};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that the caller can correct.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The image size does not fit the discriminator, which halves an image six times.
    #[error("image size {found} is not a positive multiple of {step}")]
    ImageSize {
        /// The requested size, in pixels.
        found: usize,
        /// The size must be a multiple of this.
        step: usize,
    },
    /// A weights file could not be read.
    #[error("cannot read weights {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A weights file could not be written.
    #[error("cannot write weights {path}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file that is too large for weights.
    #[error("{} has {size} bytes; weights of more than {limit} are not read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The largest allowed size in bytes.
        limit: u64,
    },
    /// The weights in a file are damaged, or belong to another network.
    #[error("cannot use the weights in {}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// The problem.
        source: Box<Error>,
    },
    /// The bytes are not a safetensors file.
    #[error("not a safetensors file")]
    Format {
        /// The error of the safetensors library.
        #[from]
        source: safetensors::SafeTensorError,
    },
    /// A tensor has an element type that the networks do not use.
    #[error("tensor {name} has element type {found}; expected F64, F32, F16 or BF16")]
    ElementType {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// An entry of the metadata is missing or wrong.
    #[error("weights metadata `{key}` is {found}; expected {expected}")]
    Metadata {
        /// The entry.
        key: &'static str,
        /// Its value (`missing` if absent).
        found: String,
        /// The valid values.
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
    /// The file contains tensors that the network does not have.
    #[error(
        "the weights contain tensors that the network does not have: {}",
        shortened(names)
    )]
    ExtraTensors {
        /// The names.
        names: Vec<String>,
    },
    /// A weight is infinite or NaN.
    #[error("tensor {name} contains an infinity or a NaN")]
    NotFinite {
        /// The tensor.
        name: String,
    },
    /// A file to import has an unknown format.
    #[error("{} is neither a PyTorch file nor safetensors", path.display())]
    UnknownFile {
        /// The file.
        path: PathBuf,
        /// Why it is not a safetensors file.
        source: safetensors::SafeTensorError,
    },
    /// A PyTorch file is damaged, or contains objects that weights files do not contain.
    #[error("cannot read PyTorch file {}", path.display())]
    Torch {
        /// The file.
        path: PathBuf,
        /// The problem.
        source: TorchProblem,
    },
    /// A file's tensors are views with more elements than the file stores.
    #[error("{} has {size} bytes, but its tensors would take {bytes}", path.display())]
    Inflated {
        /// The file.
        path: PathBuf,
        /// Bytes of its tensors.
        bytes: u64,
        /// Bytes of the file.
        size: u64,
    },
    /// A file contains no named tensors, so it is not a state dictionary.
    #[error("{} contains no tensors with names", path.display())]
    NoTensors {
        /// The file.
        path: PathBuf,
    },
    /// The tensor names in a file belong to no known network.
    #[error("the {} tensors of {} are in no known layout: {}", names.len(), path.display(), shortened(names))]
    UnknownLayout {
        /// The file.
        path: PathBuf,
        /// All names in the file.
        names: Vec<String>,
    },
    /// A file contains two networks of the same kind.
    #[error("{} contains two {kind}s: {} and {}", path.display(), places[0], places[1])]
    SeveralNetworks {
        /// The file.
        path: PathBuf,
        /// `generator` or `discriminator`.
        kind: &'static str,
        /// Their positions and layouts.
        places: [String; 2],
    },
    /// A file has no network under the requested key.
    #[error("{} has no network under the key `{key}`; there are: {}", path.display(), found.join(", "))]
    NoKey {
        /// The file.
        path: PathBuf,
        /// The requested key.
        key: String,
        /// The keys of networks in the file.
        found: Vec<String>,
    },
    /// A network of a known layout is incomplete or has wrong shapes.
    #[error("cannot import the {kind} in {}, which has the names of {layout}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// `generator` or `discriminator`.
        kind: &'static str,
        /// The layout.
        layout: Layout,
        /// The problem, with the released network's names.
        source: Box<Error>,
    },
}

/// The first names of a list.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 40;
    let first = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
