//! Pickles of labels and weights: no input causes a panic or exceeds the memory limit, and labels do not change when
//! they are written and read again.
#![no_main]

use ganimation_data::pickle::{labels_from_bytes, labels_to_bytes};
use ganimation_pickle::{is_little_endian, storage_keys, weights_from_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(weights) = weights_from_bytes(bytes) {
        assert!(weights.end <= bytes.len());
        assert!(weights.tensors.iter().all(|(_, tensor)| tensor.shape.len() == tensor.strides.len()));
    }
    let _ = (is_little_endian(bytes), storage_keys(bytes));
    let Ok(labels) = labels_from_bytes(bytes) else { return };
    let again = labels_from_bytes(&labels_to_bytes(&labels));
    let bits = |values: &Vec<f64>| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let again = again.unwrap_or_else(|error| panic!("the written file cannot be read: {error}"));
    assert!(labels.iter().eq(again.iter()) || labels.values().map(bits).eq(again.values().map(bits)));
});
