//! The tensors of a file, by name. They are read one at a time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, TensorData};
use safetensors::SafeTensors;

use super::torch::{self, TorchFile};
use crate::files::{read_safetensors, unusable};
use crate::tensors::{finite, floats};
use crate::{Error, Result};

/// The contents of a file.
pub(super) struct Entries {
    path: PathBuf,
    torch: Option<TorchFile>,
    entries: BTreeMap<String, Entry>,
}

enum Entry {
    /// Not yet read from the PyTorch file.
    Stored(ganimation_pickle::Tensor),
    Loaded(TensorData),
    /// A tensor with an element type that weights do not have. It is an error only if the tensor is used.
    Other {
        shape: Vec<usize>,
        element: String,
    },
}

/// Lists the tensors of a PyTorch or safetensors file.
pub(super) fn open(path: &Path) -> Result<Entries> {
    let (torch, entries) = match torch::open(path)? {
        Some((file, tensors)) => {
            let entry = |(name, tensor): (String, _)| (printable(&name), Entry::Stored(tensor));
            (Some(file), tensors.into_iter().map(entry).collect())
        }
        None => match read_safetensors(path) {
            Ok(bytes) => (None, safetensors(&bytes).map_err(unusable(path))?),
            Err(Error::Format { source }) => {
                return Err(Error::UnknownFile {
                    path: path.to_owned(),
                    source,
                });
            }
            Err(error) => return Err(error),
        },
    };
    Ok(Entries {
        path: path.to_owned(),
        torch,
        entries,
    })
}

fn safetensors(bytes: &[u8]) -> Result<BTreeMap<String, Entry>> {
    let file = SafeTensors::deserialize(bytes)?;
    let entry = |(name, view)| {
        let entry = match floats(&view) {
            Some(data) => Entry::Loaded(data),
            None => Entry::Other {
                shape: view.shape().to_vec(),
                element: format!("{:?}", view.dtype()),
            },
        };
        (printable(name), entry)
    };
    Ok(file.iter().map(entry).collect())
}

/// A name without control characters, which could affect a terminal. Valid names have none.
fn printable(name: &str) -> String {
    name.replace(char::is_control, "?")
}

impl Entries {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All names, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The shape of a tensor; empty if it does not exist.
    pub(super) fn shape(&self, name: &str) -> &[usize] {
        match self.entries.get(name) {
            Some(Entry::Stored(tensor)) => &tensor.shape,
            Some(Entry::Loaded(data)) => data.shape(),
            Some(Entry::Other { shape, .. }) => shape,
            None => &[],
        }
    }

    /// Refuses tensors whose total size is larger than the file, because they are views with more elements than are
    /// stored.
    pub(super) fn check_sizes<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<()> {
        let Some(file) = &self.torch else {
            return Ok(());
        };
        let bytes = names.fold(0_u64, |bytes, name| match self.entries.get(name) {
            Some(Entry::Stored(tensor)) => {
                let element = tensor.storage.element.size() as u64;
                let elements = tensor
                    .shape
                    .iter()
                    .fold(element, |product, &length| product.saturating_mul(length as u64));
                bytes.saturating_add(elements)
            }
            _ => bytes,
        });
        if bytes <= file.size {
            return Ok(());
        }
        Err(Error::Inflated {
            path: self.path.clone(),
            bytes,
            size: file.size,
        })
    }

    /// The numbers of a tensor, in f32.
    pub(super) fn read(&self, name: &str) -> Result<TensorData> {
        let data = match (self.entries.get(name), &self.torch) {
            (Some(Entry::Loaded(data)), _) => data.clone(),
            (Some(Entry::Stored(tensor)), Some(file)) => file.read(name, tensor)?,
            (Some(Entry::Other { element, .. }), _) => {
                return Err(Error::ElementType {
                    name: name.to_owned(),
                    found: element.clone(),
                });
            }
            _ => {
                return Err(Error::MissingTensor {
                    name: name.to_owned(),
                });
            }
        };
        finite(name, data.convert_dtype(DType::F32))
    }
}
