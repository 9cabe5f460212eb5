//! Transformed weights that are stored between calls, and found by the address of the weights' storage.
//!
//! An entry holds a handle to the weights. While it exists, their storage is neither freed nor changed (a write to a
//! shared tensor copies it). So the same address means the same values.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, Weak},
};

use burn::backend::flex::FlexTensor;

use super::winograd;

/// The transformed weights of one convolution.
#[derive(Debug)]
pub(crate) struct Entry {
    key: Key,
    #[allow(dead_code, reason = "keeps the storage as it is")]
    weight: FlexTensor,
    transformed: winograd::Prepared,
}

/// The weights' address, and whether they are for the adjoint.
type Key = (usize, bool);

static ENTRIES: RwLock<Option<HashMap<Key, Weak<Entry>>>> = RwLock::new(None);

impl Entry {
    /// Stores transformed weights until the last handle of the entry is dropped.
    pub(super) fn keep(weight: FlexTensor, adjoint: bool, transformed: winograd::Prepared) -> Arc<Self> {
        let entry = Arc::new(Self {
            key: key(&weight, adjoint),
            weight,
            transformed,
        });
        let mut entries = ENTRIES.write().unwrap_or_else(PoisonError::into_inner);
        entries
            .get_or_insert_default()
            .insert(entry.key, Arc::downgrade(&entry));
        entry
    }

    /// The entry of these weights, if one is kept.
    pub(super) fn find(weight: &FlexTensor, adjoint: bool) -> Option<Arc<Self>> {
        let entries = ENTRIES.read().unwrap_or_else(PoisonError::into_inner);
        entries.as_ref()?.get(&key(weight, adjoint))?.upgrade()
    }

    pub(super) fn transformed(&self) -> &winograd::Prepared {
        &self.transformed
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut entries = ENTRIES.write().unwrap_or_else(PoisonError::into_inner);
        // A second entry for the same weights may have replaced this one.
        if let Some(entries) = entries.as_mut()
            && entries
                .get(&self.key)
                .is_some_and(|entry| entry.strong_count() == 0)
        {
            entries.remove(&self.key);
        }
    }
}

fn key(weight: &FlexTensor, adjoint: bool) -> Key {
    (weight.storage::<f32>().as_ptr().addr(), adjoint)
}
