//! The tensors of a file by name, read one at a time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, TensorData};

use super::torch::{self, TorchFile};
use crate::tensors::tensors_from_bytes;
use crate::{Error, Result};

/// What a file holds.
pub(super) struct Entries {
    path: PathBuf,
    torch: Option<TorchFile>,
    entries: BTreeMap<String, Entry>,
}

enum Entry {
    /// Still in the PyTorch file.
    Stored(ganimation_pickle::Tensor),
    Loaded(TensorData),
}

/// Lists the tensors of a PyTorch or safetensors file.
pub(super) fn open(path: &Path) -> Result<Entries> {
    let (torch, entries) = match torch::open(path)? {
        Some((file, tensors)) => {
            let entry = |(name, tensor)| (name, Entry::Stored(tensor));
            (Some(file), tensors.into_iter().map(entry).collect())
        }
        None => {
            let bytes = fs::read(path).map_err(|source| Error::Read {
                path: path.to_owned(),
                source,
            })?;
            let (tensors, _) = tensors_from_bytes(&bytes).map_err(|source| Error::UnknownFile {
                path: path.to_owned(),
                source: Box::new(source),
            })?;
            let entry = |(name, data)| (name, Entry::Loaded(data));
            (None, tensors.into_iter().map(entry).collect())
        }
    };
    Ok(Entries {
        path: path.to_owned(),
        torch,
        entries,
    })
}

impl Entries {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All names, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The shape of a tensor, empty for one that is not there.
    pub(super) fn shape(&self, name: &str) -> &[usize] {
        match self.entries.get(name) {
            Some(Entry::Stored(tensor)) => &tensor.shape,
            Some(Entry::Loaded(data)) => data.shape(),
            None => &[],
        }
    }

    /// Refuses tensors that together have more bytes than the file: views that stand for more than is stored.
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
            _ => {
                return Err(Error::MissingTensor {
                    name: name.to_owned(),
                });
            }
        };
        let data = data.convert_dtype(DType::F32);
        if data.iter::<f32>().all(f32::is_finite) {
            return Ok(data);
        }
        Err(Error::NotFinite {
            name: name.to_owned(),
        })
    }
}
