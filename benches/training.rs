//! How long does one step of training take, on each device here? Full networks, 128 x 128 pixels, 4 faces.
//!
//!     cargo bench --bench training

mod work;

use divan::Bencher;
use divan::counter::ItemsCount;
use ganimation::device::{PresentDevice, devices};

use work::Training;

const BATCH: usize = 4;

fn main() {
    divan::main();
}

/// Judgements of real and edited faces, the gradient penalty, one step of Adam.
#[divan::bench(args = devices(), sample_count = 5, sample_size = 1)]
fn critic_step(bencher: Bencher<'_, '_>, on: &PresentDevice) {
    step(bencher, on, Training::critic_step);
}

/// Edit there and back, all of the generator's losses, one step of Adam, the moving average.
#[divan::bench(args = devices(), sample_count = 5, sample_size = 1)]
fn generator_step(bencher: Bencher<'_, '_>, on: &PresentDevice) {
    step(bencher, on, Training::generator_step);
}

fn step(bencher: Bencher<'_, '_>, on: &PresentDevice, step: fn(&mut Training)) {
    let mut training = Training::new(&on.device, BATCH);
    step(&mut training); // kernels are compiled and tuned on first use
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench_local(|| step(&mut training));
}
