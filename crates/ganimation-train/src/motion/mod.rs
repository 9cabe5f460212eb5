//! Training of the motion network: taught by landmarks first, then against a discriminator that matches faces with
//! action units.
//!
//! | stage | generator learns | discriminator learns |
//! |---|---|---|
//! | taught | the teacher's motion and mask; real faces from what the teacher led them back to | to read action units |
//! | matched | what the discriminator takes for real faces that show what is asked; motion stays near the teacher's | logistic loss with R1 |
//!
//! Pictures are never paired in the data. A *pair* is a real face that shows something and the picture that the teacher
//! makes of it with less of it; the order back must bring the real picture forth again.

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

/// The motion network, its discriminator, their optimisers and the generator's moving average.
pub type MotionTrainer = Trainer<ProjectionDiscriminator>;

impl MotionTrainer {
    /// Fresh networks on `device`, drawn from the settings' seed.
    ///
    /// # Panics
    /// If the settings cannot work; [`TrainConfig::check`] says so beforehand.
    pub fn draw(config: TrainConfig, device: &Device) -> Self {
        Self::drawn(config, device, |config, device| {
            config
                .projection_discriminator()
                .init(&config.motion.mean_aus, device)
        })
    }

    /// One update of both networks at learning rate `rate`; `step` decides the stage and every random draw.
    ///
    /// # Panics
    /// If the batch holds no lessons of the stage.
    pub fn step(&mut self, batch: &LessonBatch, step: u64, rate: f64) -> MotionReport {
        let motion = self.config.motion.clone();
        if step < motion.taught_steps {
            return self.taught_step(batch, step, rate);
        }
        if step == motion.taught_steps {
            // Another game begins: what the optimisers remember does not help in it.
            self.renew_optimisers(motion.matched.adam);
        }
        self.matched_step(batch, step, rate)
    }
}
