//! Conversion between named tensors and the bytes of a safetensors file, for weights and checkpoints.

use std::collections::HashMap;

use burn::tensor::{DType, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::weights::FloatFormat;
use crate::{Error, Result};

/// Tensors with their names, in the order of the network or of the file.
pub type NamedTensors = Vec<(String, TensorData)>;

/// The bytes of a safetensors file with `tensors`, stored as `format`, and `entries` as its metadata.
///
/// # Errors
/// [`Error::Format`] if a tensor cannot be encoded.
pub fn tensors_to_bytes(
    tensors: NamedTensors,
    format: FloatFormat,
    entries: Option<HashMap<String, String>>,
) -> Result<Vec<u8>> {
    let (dtype, stored) = match format {
        FloatFormat::F32 => (DType::F32, Dtype::F32),
        FloatFormat::F16 => (DType::F16, Dtype::F16),
        FloatFormat::Bf16 => (DType::BF16, Dtype::BF16),
    };
    let tensors: NamedTensors = tensors
        .into_iter()
        .map(|(name, data)| (name, data.convert_dtype(dtype)))
        .collect();
    let views = tensors
        .iter()
        .map(|(name, data)| {
            let view = TensorView::new(stored, data.shape().to_vec(), data.as_bytes())?;
            Ok((name.as_str(), view))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(safetensors::serialize(views, entries)?)
}

/// The tensors of a safetensors file, in their stored element types, and its metadata.
///
/// # Errors
/// [`Error::Format`] if the bytes are not a safetensors file, [`Error::ElementType`] if a tensor does not contain
/// floats.
pub fn tensors_from_bytes(bytes: &[u8]) -> Result<(NamedTensors, HashMap<String, String>)> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let entries = header.metadata().clone().unwrap_or_default();
    let tensors = SafeTensors::deserialize(bytes)?
        .iter()
        .map(|(name, view)| match floats(&view) {
            Some(data) => Ok((name.to_owned(), data)),
            None => Err(Error::ElementType {
                name: name.to_owned(),
                found: format!("{:?}", view.dtype()),
            }),
        })
        .collect::<Result<_>>()?;
    Ok((tensors, entries))
}

/// Returns `data` unchanged if it contains no NaN and no infinity.
///
/// # Errors
/// [`Error::NotFinite`].
pub(crate) fn finite(name: &str, data: TensorData) -> Result<TensorData> {
    if data.iter::<f32>().all(f32::is_finite) {
        return Ok(data);
    }
    Err(Error::NotFinite {
        name: name.to_owned(),
    })
}

/// The elements of a tensor in their stored type, if they are floats.
pub(crate) fn floats(view: &TensorView<'_>) -> Option<TensorData> {
    let dtype = match view.dtype() {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        _ => return None,
    };
    Some(TensorData::from_bytes_vec(
        view.data().to_vec(),
        view.shape().to_vec(),
        dtype,
    ))
}
