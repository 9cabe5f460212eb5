//! Files of `torch.save`: their named tensors, and the elements of a tensor on request.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use burn::tensor::{DType, TensorData};
use ganimation_pickle::{Element, PickleError, Tensor};

use super::{archive, stream};
use crate::{Error, Result, files};

/// The largest total size of a file's pickles, in bytes. A checkpoint of both networks and their optimisers needs tens
/// of kilobytes. One byte of a pickle can need up to a few hundred bytes of memory.
pub(super) const MAX_PICKLES: u64 = 1 << 19;

/// Why a PyTorch file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TorchProblem {
    /// The file could not be read.
    #[error("cannot read further")]
    Io(#[from] io::Error),
    /// A pickle in it is refused.
    #[error("{0}")]
    Pickle(#[from] PickleError),
    /// The structure of the file is invalid.
    #[error("damaged: {0}")]
    Damaged(&'static str),
    /// A count in it exceeds that of any valid file.
    #[error("more than {limit} {what}")]
    Limit {
        /// The counted items.
        what: &'static str,
        /// The largest allowed number.
        limit: u64,
    },
    /// An entry of an archive is compressed. PyTorch never compresses entries; decompression bombs do.
    #[error("entry {0} is compressed; PyTorch stores uncompressed entries")]
    Compressed(String),
    /// An entry of an archive has changed since it was written.
    #[error("the checksum of {0} is wrong; the file is damaged")]
    Checksum(String),
    /// It was written on a big-endian machine.
    #[error("its numbers are big-endian")]
    BigEndian,
    /// It is a network object with Python classes, not a dictionary of tensors.
    #[error("it contains a whole pickled network of the class {0}, not a dictionary of its weights")]
    Module(String),
    /// It is a TorchScript program.
    #[error("it is a TorchScript program, not a dictionary of weights")]
    Script,
    /// A tensor extends beyond its storage.
    #[error("tensor {0} extends beyond its storage")]
    Beyond(String),
    /// The storage of a tensor is missing.
    #[error("the storage `{0}` is not in the file")]
    MissingStorage(String),
}

/// The position of a storage in the file, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) size: u64,
    /// Checksum of all bytes, if there is one.
    pub(super) crc: Option<u32>,
}

/// Tensors of a file by name, without their elements.
pub(super) type NamedViews = Vec<(String, Tensor)>;

/// The contents of a container.
pub(super) struct Contents {
    pub(super) tensors: NamedViews,
    pub(super) storages: BTreeMap<String, Span>,
    /// Pickled networks, by path and class.
    pub(super) modules: Vec<(String, String)>,
}

/// An open PyTorch file.
#[derive(Debug)]
pub(super) struct TorchFile {
    path: PathBuf,
    file: File,
    pub(super) size: u64,
    storages: BTreeMap<String, Span>,
}

/// Opens a file and lists its tensors; `None` if it is not a PyTorch file.
pub(super) fn open(path: &Path) -> Result<Option<(TorchFile, NamedViews)>> {
    let (mut file, size) = files::open(path)?;
    let mut front = Vec::new();
    (&mut file)
        .take(MAX_PICKLES)
        .read_to_end(&mut front)
        .map_err(files::read_error(path))?;
    let contents = if front.starts_with(archive::SIGNATURE) {
        archive::contents(&mut file, size)
    } else if front.starts_with(stream::SIGNATURE) {
        stream::contents(&mut file, &front, size)
    } else {
        return Ok(None);
    };
    let contents = contents.and_then(|contents| match contents.modules.first() {
        Some((_, class)) if contents.tensors.is_empty() => Err(TorchProblem::Module(class.clone())),
        _ => Ok(contents),
    });
    let contents = contents.map_err(|source| torch_error(path, source))?;
    let Contents {
        tensors, storages, ..
    } = contents;
    let file = TorchFile {
        path: path.to_owned(),
        file,
        size,
        storages,
    };
    Ok(Some((file, tensors)))
}

fn torch_error(path: &Path, source: TorchProblem) -> Error {
    Error::Torch {
        path: path.to_owned(),
        source,
    }
}

impl TorchFile {
    /// The elements of a tensor, in row-major order.
    pub(super) fn read(&self, name: &str, tensor: &Tensor) -> Result<TensorData> {
        let dtype = match tensor.storage.element {
            Element::F64 => DType::F64,
            Element::F32 => DType::F32,
            Element::F16 => DType::F16,
            Element::Bf16 => DType::BF16,
            Element::Integer(_) => {
                return Err(Error::ElementType {
                    name: name.to_owned(),
                    found: "integers".to_owned(),
                });
            }
        };
        let bytes = self
            .bytes(name, tensor)
            .map_err(|source| torch_error(&self.path, source))?;
        Ok(TensorData::from_bytes_vec(bytes, tensor.shape.clone(), dtype))
    }

    fn bytes(&self, name: &str, tensor: &Tensor) -> Result<Vec<u8>, TorchProblem> {
        let beyond = || TorchProblem::Beyond(name.to_owned());
        let element = tensor.storage.element.size();
        let storage = self.storages.get(&tensor.storage.key);
        let storage = storage.ok_or_else(|| TorchProblem::MissingStorage(tensor.storage.key.clone()))?;
        if tensor.shape.contains(&0) {
            return Ok(Vec::new());
        }
        // The span from the first element that is needed to the last.
        let axes = || tensor.shape.iter().zip(&tensor.strides);
        let last = axes().try_fold(0, |last: usize, (length, stride)| {
            last.checked_add((length - 1).checked_mul(*stride)?)
        });
        let span = last
            .and_then(|last| last.checked_add(1)?.checked_mul(element))
            .ok_or_else(beyond)?;
        let start = tensor.offset.checked_mul(element).ok_or_else(beyond)? as u64;
        if start
            .checked_add(span as u64)
            .is_none_or(|end| end > storage.size)
        {
            return Err(beyond());
        }
        let bytes = read_span(&self.file, storage.start + start, span)?;
        let whole = span as u64 == storage.size;
        if whole && storage.crc.is_some_and(|crc| crc32fast::hash(&bytes) != crc) {
            return Err(TorchProblem::Checksum(tensor.storage.key.clone()));
        }
        Ok(gathered(bytes, element, &tensor.shape, &tensor.strides))
    }
}

/// Bytes from `start`. The caller must check the file's length.
pub(super) fn read_span(mut file: &File, start: u64, size: usize) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = vec![0; size];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The elements of a view, contiguous in row-major order.
fn gathered(bytes: Vec<u8>, element: usize, shape: &[usize], strides: &[usize]) -> Vec<u8> {
    let mut dense = 1;
    let is_dense = shape.iter().zip(strides).rev().all(|(&length, &stride)| {
        let fits = length == 1 || stride == dense;
        dense *= length;
        fits
    });
    if is_dense {
        return bytes;
    }
    let count = shape.iter().product();
    let mut out = Vec::with_capacity(count * element);
    for index in 0..count {
        let (mut rest, mut at) = (index, 0);
        for (&length, &stride) in shape.iter().zip(strides).rev() {
            at += rest % length * stride;
            rest /= length;
        }
        out.extend_from_slice(&bytes[at * element..(at + 1) * element]);
    }
    out
}
