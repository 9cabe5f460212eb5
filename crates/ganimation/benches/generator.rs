//! Measures the time of the paper's generator on each device. 64 channels, 128 x 128 pixels, 10.63 GMAC per face.
//!
//!     cargo bench --bench generator

mod work;

use divan::Bencher;
use divan::counter::ItemsCount;
use ganimation::device::{PresentDevice, devices};

fn main() {
    divan::main();
}

/// One face, as for one move of a slider.
#[divan::bench(args = devices(), sample_count = 10, sample_size = 1)]
fn batch_1(bencher: Bencher<'_, '_>, on: &PresentDevice) {
    forward(bencher, on, 1);
}

/// Eight faces in one batch, as for frames of a film.
#[divan::bench(args = devices(), sample_count = 5, sample_size = 1)]
fn batch_8(bencher: Bencher<'_, '_>, on: &PresentDevice) {
    forward(bencher, on, 8);
}

fn forward(bencher: Bencher<'_, '_>, on: &PresentDevice, batch: usize) {
    bencher
        .counter(ItemsCount::new(batch))
        .bench_local(work::generator(&on.device, batch));
}
