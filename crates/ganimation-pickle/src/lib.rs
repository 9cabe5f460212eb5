//! Reads pickles as data: labels, and the weights of PyTorch networks.
//!
//! Supports protocols 0 to 5, written by Python 2 and 3 with NumPy 1 and 2. A pickle is a program. A small machine
//! interprets it. The machine knows only a few globals, for arrays, tensors and bytes. It refuses all other globals in
//! labels, and skips them in files of weights. It imports and executes no code, does not recurse, and uses memory in
//! proportion to the file size.

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

/// Why a pickle cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PickleProblem {
    /// The file ends before the end of the pickle.
    #[error("the file ends too early")]
    Truncated,
    /// A byte is not an opcode.
    #[error("0x{0:02x} is not a pickle opcode; is this a pickle?")]
    UnknownOpcode(u8),
    /// An opcode that plain data does not need.
    #[error("{0} is refused: only dictionaries, lists, text, numbers and arrays are read")]
    RefusedOpcode(&'static str),
    /// A Python object that is not on the list of allowed objects.
    #[error(
        "the Python object `{module}.{name}` is refused; only plain data, NumPy arrays and PyTorch tensors are read"
    )]
    RefusedGlobal {
        /// The object's module.
        module: String,
        /// The object's name.
        name: String,
    },
    /// A known value that cannot be part of labels.
    #[error("{0}")]
    Unsupported(&'static str),
    /// A NumPy element type other than f4, f8, i4 and i8.
    #[error("arrays of `{0}` are refused; f4, f8, i4 and i8 are read")]
    RefusedDtype(String),
    /// A value of the wrong type.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// The expected type.
        expected: &'static str,
        /// The found type.
        found: &'static str,
    },
    /// A label is not a list of numbers.
    #[error("the label of `{id}` is {found}, expected a one-dimensional array of numbers")]
    NotALabel {
        /// The label's id.
        id: String,
        /// The found type.
        found: String,
    },
    /// Text or a number cannot be parsed.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// The number of bytes of an array does not match its shape.
    #[error("an array of shape ({length},) needs {expected} bytes, found {found}")]
    ArraySize {
        /// Number of elements.
        length: usize,
        /// Bytes needed for them.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// A limit that protects against hostile files is exceeded.
    #[error("more than {limit} {what}")]
    Limit {
        /// The counted items.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

/// A problem and its position in the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {position}: {problem}")]
pub struct PickleError {
    /// Bytes from the start of the file to the opcode that failed.
    pub position: usize,
    /// The problem.
    pub problem: PickleProblem,
}

/// The result of one step of the machine.
pub(crate) type Outcome<T> = Result<T, PickleProblem>;

#[cfg(test)]
mod tests;
