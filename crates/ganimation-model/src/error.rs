//! What can go wrong with weights and sizes.

use std::path::PathBuf;

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
    /// The bytes are no safetensors file.
    #[error("not a safetensors file")]
    Format {
        /// What the reader stumbled over.
        #[from]
        source: safetensors::SafeTensorError,
    },
    /// A tensor's numbers are of a type that no network here uses.
    #[error("tensor {name} has element type {found}; expected F32, F16 or BF16")]
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
    #[error("the weights hold tensors that the network does not have: {}", names.join(", "))]
    ExtraTensors {
        /// The names.
        names: Vec<String>,
    },
}
