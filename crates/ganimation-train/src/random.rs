//! Random numbers that depend on the seed and the step alone, so that a resumed run draws what an uninterrupted one would.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Keeps these draws apart from the data loader's, which start from the same seed.
const PENALTY: u64 = 0x70_656e_616c_7479;

/// The same for the changes of faces that a reader is trained on.
const JITTER: u64 = 0x6a69_7474_6572;

/// The same for the views of faces that the motion network's discriminator gets.
const VIEW: u64 = 0x7669_6577;

/// Where the gradient penalty looks between each real and edited face: `batch` draws in [0, 1).
pub(crate) fn penalty_alphas(seed: u64, step: u64, batch: usize) -> Vec<f32> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed ^ PENALTY);
    generator.set_stream(step);
    (0..batch).map(|_| generator.random()).collect()
}

/// What decides over the changes of a reader's training faces in `step`.
pub(crate) fn jitter_stream(seed: u64, step: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed ^ JITTER);
    generator.set_stream(step);
    generator
}

/// What decides over the discriminator's views of faces in `step`.
pub(crate) fn view_stream(seed: u64, step: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed ^ VIEW);
    generator.set_stream(step);
    generator
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
