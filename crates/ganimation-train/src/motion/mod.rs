//! Training of the motion network in two stages: with landmarks, then with a projection discriminator.
//!
//! | stage | generator | discriminator |
//! |---|---|---|
//! | taught | learns the teacher's motion and mask, and reconstructs real faces from pairs | learns to estimate action units |
//! | matched | adversarial loss; the motion stays near the teacher's | logistic loss with R1 |
//!
//! The data has no paired pictures. A *pair* is a real face with an expression, and the teacher's version of it with a weaker
//! expression. The generator must reconstruct the real face from the weaker expression.

mod appearance;
mod batch;
mod config;
mod losses;
mod matched;
mod report;
mod taught;
mod views;

#[cfg(test)]
mod tests;

use burn::tensor::Device;
use ganimation_model::ProjectionDiscriminator;

use crate::config::TrainConfig;
use crate::trainer::Trainer;

pub use batch::LessonBatch;
pub use config::{MatchedConfig, MotionConfig, TaughtConfig, ViewConfig};
pub use report::MotionReport;

/// The motion network, its discriminator, their optimisers and the generator's EMA (moving average).
pub type MotionTrainer = Trainer<ProjectionDiscriminator>;

impl MotionTrainer {
    /// New networks on `device`, initialised with the settings' seed.
    ///
    /// # Panics
    /// If the settings are invalid; [`TrainConfig::check`] reports this as an error.
    pub fn draw(config: TrainConfig, device: &Device) -> Self {
        Self::drawn(config, device, |config, device| {
            config
                .projection_discriminator()
                .init(&config.motion.mean_aus, device)
        })
    }

    /// One update of both networks at learning rate `rate`. `step` determines the stage and all random draws.
    ///
    /// # Panics
    /// If the batch does not contain the lessons of the stage.
    pub fn step(&mut self, batch: &LessonBatch, step: u64, rate: f64) -> MotionReport {
        let motion = self.config.motion.clone();
        if step < motion.taught_steps {
            return self.taught_step(batch, step, rate);
        }
        if step == motion.taught_steps {
            // The losses change, so the moments of the first stage are not useful.
            self.renew_optimisers(motion.matched.adam);
        }
        self.matched_step(batch, step, rate)
    }
}
