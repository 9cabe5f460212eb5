//! Pictures of every format: no input panics, and none is decoded beyond its limit.
#![no_main]

use std::path::Path;

use ganimation_data::picture::{photo_from_bytes, square};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Small, so that the fuzzer spends its time on headers and codes, not on filling pixels.
    let Ok(photo) = photo_from_bytes(Path::new("fuzz.jpg"), bytes, 1) else { return };
    let (width, height) = photo.dimensions();
    assert!(u64::from(width) * u64::from(height) <= 1_000_000);
    if width > 0 && height > 0 && width * height < 10_000 {
        assert_eq!(square(&photo, 8).dimensions(), (8, 8));
    }
});
