//! Pickles that researchers exchange, read as data: labels, and the weights of PyTorch networks.
//!
//! Reads protocols 0 to 5 as written by Python 2 and 3 with NumPy 1 and 2. A pickle is a program; this
//! one is run by a small machine that knows a few globals, all about arrays, tensors and bytes. Among labels it refuses the
//! rest, beside weights it reads past it.
//! Nothing is imported or executed, nothing recurses, and memory is bounded by the size of the file.

#![forbid(unsafe_code)]

mod input;
mod labels;
mod machine;
mod numpy;
mod opcodes;
mod store;
mod text;
mod torch;
mod write;

pub use labels::{Labels, labels_from_bytes};
pub use torch::{Element, Storage, Tensor, Weights, is_little_endian, storage_keys, weights_from_bytes};
pub use write::labels_to_bytes;

/// Why a pickle is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PickleProblem {
    /// The file ends in the middle of something.
    #[error("the file ends too early")]
    Truncated,
    /// A byte that is no opcode.
    #[error("0x{0:02x} is not a pickle opcode; is this a pickle?")]
    UnknownOpcode(u8),
    /// An opcode that plain data never needs.
    #[error("{0} is refused: only dictionaries, lists, text, numbers and arrays are read")]
    RefusedOpcode(&'static str),
    /// A Python object that is not on the list of allowed ones.
    #[error(
        "the Python object `{module}.{name}` is refused; only plain data, NumPy arrays and PyTorch tensors are read"
    )]
    RefusedGlobal {
        /// Its module.
        module: String,
        /// Its name.
        name: String,
    },
    /// A value that is known but cannot be part of labels.
    #[error("{0}")]
    Unsupported(&'static str),
    /// A NumPy element type other than f4, f8, i4 and i8.
    #[error("arrays of `{0}` are refused; f4, f8, i4 and i8 are read")]
    RefusedDtype(String),
    /// A value of the wrong kind.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What would have been right.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A label that is no list of numbers.
    #[error("the label of `{id}` is {found}, expected a one-dimensional array of numbers")]
    NotALabel {
        /// The label's id.
        id: String,
        /// What is there.
        found: String,
    },
    /// Text or a number that cannot be parsed.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// An array whose bytes do not fill its shape.
    #[error("an array of shape ({length},) needs {expected} bytes, found {found}")]
    ArraySize {
        /// Number of elements.
        length: usize,
        /// Bytes that they take.
        expected: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// A bound that protects against hostile files.
    #[error("more than {limit} {what}")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
}

/// A problem and its place in the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {position}: {problem}")]
pub struct PickleError {
    /// Bytes from the start of the file to the opcode that failed.
    pub position: usize,
    /// What went wrong there.
    pub problem: PickleProblem,
}

/// What a step of the machine comes to.
pub(crate) type Outcome<T> = Result<T, PickleProblem>;

#[cfg(test)]
mod tests;
