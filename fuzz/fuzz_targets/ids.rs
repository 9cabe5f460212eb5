//! Lists of ids: no input causes a panic, and ids are trimmed, not empty and in order.
#![no_main]

use std::path::Path;

use ganimation_data::ids_from_bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(ids) = ids_from_bytes(Path::new("fuzz.csv"), bytes) else { return };
    assert!(ids.is_sorted_by(|a, b| a.0 < b.0));
    assert!(ids.iter().all(|(_, id)| !id.is_empty() && id.trim() == *id && !id.contains('\n')));
});
