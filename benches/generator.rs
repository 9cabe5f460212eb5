//! How long does the paper's generator take, on each device here? 64 channels, 128 x 128 pixels, 10.63 GMAC a face.
//!
//!     cargo bench --bench generator

use burn::tensor::{Distribution, Tensor};
use divan::Bencher;
use divan::counter::ItemsCount;
use ganimation::device::{PresentDevice, devices};
use ganimation_data::AU_COUNT;
use ganimation_model::GeneratorConfig;

fn main() {
    divan::main();
}

/// One face is what somebody who moves a slider waits for.
#[divan::bench(args = devices(), sample_count = 10, sample_size = 1)]
fn batch_1(bencher: Bencher<'_, '_>, on: &PresentDevice) {
    forward(bencher, on, 1);
}

/// Eight faces at once are frames of a film.
#[divan::bench(args = devices(), sample_count = 5, sample_size = 1)]
fn batch_8(bencher: Bencher<'_, '_>, on: &PresentDevice) {
    forward(bencher, on, 8);
}

fn forward(bencher: Bencher<'_, '_>, PresentDevice { device, .. }: &PresentDevice, batch: usize) {
    let generator = GeneratorConfig::new().init(device);
    let faces = Tensor::<4>::random([batch, 3, 128, 128], Distribution::Uniform(-1.0, 1.0), device);
    let aus = Tensor::<2>::random([batch, AU_COUNT], Distribution::Uniform(0.0, 1.0), device);
    let edit = || {
        let edit = generator.edit(faces.clone(), aus.clone());
        assert!(device.sync().is_ok(), "{device:?} failed"); // tensors are lazy: wait for the result
        edit
    };
    edit(); // kernels are compiled and tuned on first use
    bencher.counter(ItemsCount::new(batch)).bench_local(edit);
}
