//! Measures whether the loader is faster than a network. Batches of 25 faces of the sample dataset, 128 x 128 pixels.
//!
//!     cargo bench --bench loader

mod work;

use divan::Bencher;
use divan::counter::ItemsCount;
use ganimation::device::{PresentDevice, devices};
use ganimation_data::pixels;

const BATCH: usize = 25;

fn main() {
    divan::main();
}

/// Every picture is decoded again, by the given number of threads.
#[divan::bench(args = [1, 2, 4], sample_count = 20, sample_size = 4)]
fn decoded(bencher: Bencher<'_, '_>, workers: usize) {
    load(bencher, workers, false);
}

/// Pictures are decoded once and kept in memory, as in training.
#[divan::bench(sample_count = 20, sample_size = 20)]
fn cached(bencher: Bencher<'_, '_>) {
    load(bencher, 1, true);
}

/// From bytes in main memory to a normalised tensor on the device.
#[divan::bench(args = devices(), sample_count = 20, sample_size = 4)]
fn moved(bencher: Bencher<'_, '_>, PresentDevice { device, .. }: &PresentDevice) {
    let bytes = vec![127; BATCH * work::SIZE * work::SIZE * 3];
    let to_device = |bytes| {
        let images = pixels::tensor_from_bytes(bytes, [BATCH, work::SIZE, work::SIZE], device);
        work::wait(device);
        images
    };
    to_device(bytes.clone());
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| bytes.clone())
        .bench_local_values(to_device);
}

fn load(bencher: Bencher<'_, '_>, workers: usize, cache: bool) {
    let mut loader = work::loader(&work::sample_dataset(), workers, cache);
    // First empty the queue, which would give a burst, and let the first epochs fill the cache.
    for _ in 0..2 * loader.batches_per_epoch() + 8 {
        loader.next();
    }
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench_local(|| loader.next());
}
