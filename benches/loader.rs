//! Do pictures arrive faster than a network eats them? Batches of 25 faces of the sample dataset, 128 x 128 pixels.
//!
//!     cargo bench --bench loader

use std::path::Path;

use divan::Bencher;
use divan::counter::ItemsCount;
use ganimation::device::{PresentDevice, devices};
use ganimation_data::{Dataset, Face, Loader, LoaderConfig, Split, pixels};

const BATCH: usize = 25;

fn main() {
    divan::main();
}

/// Every picture is decoded anew, by so many threads.
#[divan::bench(args = [1, 2, 4], sample_count = 20, sample_size = 4)]
fn decoded(bencher: Bencher<'_, '_>, workers: usize) {
    load(
        bencher,
        LoaderConfig {
            workers,
            cache: false,
            ..config()
        },
    );
}

/// Pictures are decoded once and kept, as training does.
#[divan::bench(sample_count = 20, sample_size = 20)]
fn cached(bencher: Bencher<'_, '_>) {
    load(
        bencher,
        LoaderConfig {
            cache: true,
            ..config()
        },
    );
}

/// From bytes in main memory to a normalised tensor on the device.
#[divan::bench(args = devices(), sample_count = 20, sample_size = 4)]
fn moved(bencher: Bencher<'_, '_>, PresentDevice { device, .. }: &PresentDevice) {
    let bytes = vec![127; BATCH * 128 * 128 * 3];
    let to_device = |bytes| {
        let images = pixels::tensor_from_bytes(bytes, [BATCH, 128, 128], device);
        assert!(device.sync().is_ok(), "{device:?} failed"); // tensors are lazy: wait for the copy
        images
    };
    to_device(bytes.clone());
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| bytes.clone())
        .bench_local_values(to_device);
}

fn config() -> LoaderConfig {
    LoaderConfig {
        batch_size: BATCH,
        image_size: 128,
        ..LoaderConfig::default()
    }
}

fn load(bencher: Bencher<'_, '_>, config: LoaderConfig) {
    let mut loader = match Loader::new(faces(), config, 0) {
        Ok(loader) => loader,
        Err(error) => panic!("{error}"),
    };
    // A queue filled ahead would be measured as a burst.
    for _ in 0..2 * loader.batches_per_epoch() + 8 {
        loader.next();
    }
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench_local(|| loader.next());
}

fn faces() -> Vec<Face> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/sample_dataset");
    match Dataset::open(folder) {
        Ok(dataset) => dataset.split(Split::Train).to_vec(),
        Err(error) => panic!("{error}"),
    }
}
