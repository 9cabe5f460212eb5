//! PyTorch's files: no input causes a panic or exceeds the memory limit, for any container.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use burn::tensor::Device;
use ganimation_model::import::import;
use libfuzzer_sys::fuzz_target;

/// A file of this process only. The reader needs a path, because real files are large.
static FILE: LazyLock<std::path::PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("ganimation-fuzz-{}.pth", std::process::id())));

fuzz_target!(|bytes: &[u8]| {
    fs::write(&*FILE, bytes).expect("a file for the input");
    let _ = import(&FILE, &Device::flex());
});
