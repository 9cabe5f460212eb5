//! Random numbers that depend only on the seed and the step. A resumed run draws the same numbers as an uninterrupted
//! run.

use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Separates this stream from the data loader's streams, which use the same seed.
const PENALTY: u64 = 0x70_656e_616c_7479;

/// The same for the augmentation of an AU regressor's training faces.
const JITTER: u64 = 0x6a69_7474_6572;

/// The same for the augmentation of faces for the motion network's discriminator.
const VIEW: u64 = 0x7669_6577;

/// The interpolation points of the gradient penalty between real and edited faces: `batch` draws in [0, 1).
pub(crate) fn penalty_alphas(seed: u64, step: u64, batch: usize) -> Vec<f32> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed ^ PENALTY);
    generator.set_stream(step);
    (0..batch).map(|_| generator.random()).collect()
}

/// The random stream for the augmentation of an AU regressor's training faces in `step`.
pub(crate) fn jitter_stream(seed: u64, step: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed ^ JITTER);
    generator.set_stream(step);
    generator
}

/// The random stream for the augmentation of the discriminator's faces in `step`.
pub(crate) fn view_stream(seed: u64, step: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed ^ VIEW);
    generator.set_stream(step);
    generator
}

/// A module with initial weights that depend only on `seed`.
///
/// Burn's random generator is global: no other thread that draws in this way can draw meanwhile. Loading draws nothing.
pub(crate) fn drawn<M>(seed: u64, device: &Device, init: impl FnOnce() -> M) -> M {
    static DRAWING: Mutex<()> = Mutex::new(());
    let _alone = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(seed);
    init()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphas_depend_on_seed_and_step_alone() {
        assert_eq!(penalty_alphas(1, 2, 8), penalty_alphas(1, 2, 8));
        assert_ne!(penalty_alphas(1, 2, 8), penalty_alphas(1, 3, 8));
        assert_ne!(penalty_alphas(1, 2, 8), penalty_alphas(2, 2, 8));
        assert!(
            penalty_alphas(5, 5, 100)
                .iter()
                .all(|alpha| (0.0..1.0).contains(alpha))
        );
    }
}
