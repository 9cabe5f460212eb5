//! Measures the time of one training step on each device. Full networks, 128 x 128
//! pixels, 4 faces; 16 faces for the motion network.
//!
//!     cargo bench --bench training

mod work;

use divan::Bencher;
use divan::counter::ItemsCount;
use ganimation::device::{PresentDevice, devices};

use work::{Motion, Training};

const BATCH: usize = 4;
/// Batch size of the motion network.
const MOTION_BATCH: usize = 16;

fn main() {
    divan::main();
}

/// Discriminator outputs of real and edited faces, the gradient penalty, one step of Adam.
#[divan::bench(args = devices(), sample_count = 5, sample_size = 1)]
fn discriminator_step(bencher: Bencher<'_, '_>, on: &PresentDevice) {
    step(bencher, on, Training::discriminator_step);
}

/// A cycle of edits, all losses of the generator, one step of Adam, the EMA.
#[divan::bench(args = devices(), sample_count = 5, sample_size = 1)]
fn generator_step(bencher: Bencher<'_, '_>, on: &PresentDevice) {
    step(bencher, on, Training::generator_step);
}

/// Eight steps of the motion network's second stage, of which one has R1.
#[divan::bench(args = devices(), sample_count = 3, sample_size = 1)]
fn motion_steps(bencher: Bencher<'_, '_>, on: &PresentDevice) {
    let mut training = Motion::new(&on.device, MOTION_BATCH);
    let mut steps = move || (0..8).for_each(|step| training.step(step));
    steps();
    bencher
        .counter(ItemsCount::new(8 * MOTION_BATCH))
        .bench_local(steps);
}

fn step(bencher: Bencher<'_, '_>, on: &PresentDevice, step: fn(&mut Training)) {
    let mut training = Training::new(&on.device, BATCH);
    step(&mut training); // kernels are compiled and tuned on first use
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench_local(|| step(&mut training));
}
