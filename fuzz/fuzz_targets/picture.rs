//! Pictures of every format: no input causes a panic, the size limit is always applied, and pictures accepted by the
//! strict reader are the same in the lenient reader.
#![no_main]

use std::path::Path;

use ganimation_data::picture::{photo_from_bytes, square, whole_from_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("fuzz.jpg");
    // Small, so that the fuzzer spends its time on headers and codes, and not on pixels.
    let whole = whole_from_bytes(path, bytes, 1);
    let Ok(photo) = photo_from_bytes(path, bytes, 1) else {
        assert!(whole.is_err(), "a valid picture is not a photo");
        return;
    };
    assert!(whole.is_err() || whole.is_ok_and(|whole| whole == photo));
    let (width, height) = photo.dimensions();
    assert!(u64::from(width) * u64::from(height) <= 1_000_000);
    if width > 0 && height > 0 && width * height < 10_000 {
        assert_eq!(square(&photo, 8).dimensions(), (8, 8));
    }
});
