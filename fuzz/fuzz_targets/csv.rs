//! Tables of OpenFace, labels and landmarks: no input causes a panic, and data does not change when it is written and
//! read again.
#![no_main]

use std::path::Path;

use ganimation_data::labels::{table_from_bytes, table_to_bytes};
use ganimation_data::landmarks;
use ganimation_data::openface::{most_confident, readings_from_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("fuzz.csv");
    if let Ok(readings) = readings_from_bytes(path, bytes) {
        let _ = most_confident(&readings);
        assert!(readings.iter().all(|reading| reading.confidence.is_finite()));
    }
    if let Ok(labels) = table_from_bytes(path, bytes) {
        let again = table_from_bytes(path, &table_to_bytes(&labels));
        let again = again.unwrap_or_else(|error| panic!("the written file cannot be read: {error}"));
        assert!(again.keys().eq(labels.keys()), "{labels:?} came back as {again:?}");
    }
    if let Ok(faces) = landmarks::landmarks_from_bytes(path, bytes) {
        let values = faces.values().flat_map(|points| points.as_flattened());
        assert!(values.into_iter().all(|value| value.is_finite()));
    }
});
