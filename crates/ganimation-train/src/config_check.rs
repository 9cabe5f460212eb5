//! Checks that settings are valid.

use std::fmt::Display;

use ganimation_data::AU_COUNT;

use crate::config::{CONFIG_VERSION, Network, Precision, TrainConfig};
use crate::motion::MotionConfig;
use crate::{Error, Result};

impl TrainConfig {
    /// Checks every setting before work starts.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Model`] for the first invalid setting.
    pub fn check(&self) -> Result<()> {
        require(self.version == CONFIG_VERSION, "version", &self.version, "1")?;
        require(
            self.precision == Precision::F32,
            "precision",
            &"bf16",
            "f32: no device here has bf16 activations with f32 weights yet",
        )?;
        self.discriminator().check()?;
        require(
            self.image_size <= 1024,
            "image_size",
            &self.image_size,
            "at most 1024",
        )?;
        for (name, value) in [
            ("generator_channels", self.generator_channels),
            ("discriminator_channels", self.discriminator_channels),
        ] {
            require((1..=1024).contains(&value), name, &value, "1 to 1024")?;
        }
        require(
            self.generator_blocks <= 64,
            "generator_blocks",
            &self.generator_blocks,
            "at most 64",
        )?;
        require(
            (1..=4096).contains(&self.batch_size),
            "batch_size",
            &self.batch_size,
            "1 to 4096",
        )?;
        require(
            (1..=256).contains(&self.workers),
            "workers",
            &self.workers,
            "1 to 256",
        )?;
        require(
            self.checkpoint_keep > 0,
            "checkpoint_keep",
            &self.checkpoint_keep,
            "at least 1",
        )?;
        for (name, value) in [
            ("steps", self.steps.unwrap_or(1)),
            ("n_critic", self.n_critic),
            ("checkpoint_every", self.checkpoint_every),
            ("preview_every", self.preview_every),
            ("log_every", self.log_every),
            ("validate_every", self.validate_every),
            ("checkpoint_keep_every", self.checkpoint_keep_every.unwrap_or(1)),
        ] {
            require(value > 0, name, &value, "at least 1")?;
        }
        let share = |value: f64| (0.0..1.0).contains(&value);
        require(
            share(self.ema_decay),
            "ema_decay",
            &self.ema_decay,
            "0 or more, below 1",
        )?;
        require(
            share(self.adam.beta_1),
            "adam.beta_1",
            &self.adam.beta_1,
            "0 or more, below 1",
        )?;
        require(
            share(self.adam.beta_2),
            "adam.beta_2",
            &self.adam.beta_2,
            "0 or more, below 1",
        )?;
        for (name, value) in [
            ("loss.lambda_au", self.loss.lambda_au),
            ("loss.lambda_gp", self.loss.lambda_gp),
            ("loss.lambda_cycle", self.loss.lambda_cycle),
            ("loss.lambda_attention", self.loss.lambda_attention),
            ("loss.lambda_tv", self.loss.lambda_tv),
        ] {
            require(value.is_finite() && value >= 0.0, name, &value, "0 or more")?;
        }
        if self.network == Network::Motion {
            self.check_motion()?;
        }
        let positive = |value: f64| value.is_finite() && value > 0.0;
        require(
            positive(self.adam.learning_rate),
            "adam.learning_rate",
            &self.adam.learning_rate,
            "above 0",
        )?;
        require(
            positive(self.adam.epsilon),
            "adam.epsilon",
            &self.adam.epsilon,
            "above 0",
        )?;
        let noise = self.target_noise;
        require((0.0..=1.0).contains(&noise), "target_noise", &noise, "0 to 1")?;
        let edits = self.target_edits;
        require((0.0..=1.0).contains(&edits), "target_edits", &edits, "0 to 1")?;
        let factors = &self.loss.au_factors;
        require(
            factors.is_empty() || factors.len() == AU_COUNT,
            "loss.au_factors",
            &format_args!("{} numbers", factors.len()),
            "17 numbers, or none",
        )?;
        for factor in factors {
            let holds = factor.is_finite() && *factor >= 0.0;
            require(holds, "loss.au_factors", factor, "0 or more")?;
        }
        require(
            (0.0..=1.0).contains(&self.balance),
            "balance",
            &self.balance,
            "0 to 1",
        )
    }

    /// Checks the settings that only the motion network uses.
    fn check_motion(&self) -> Result<()> {
        let MotionConfig {
            taught,
            matched,
            views,
            ..
        } = &self.motion;
        require(
            self.batch_size.is_multiple_of(2),
            "batch_size",
            &self.batch_size,
            "an even number: half of a taught batch are pairs",
        )?;
        let channels = self.motion.local_channels;
        require(
            (1..=1024).contains(&channels),
            "motion.local_channels",
            &channels,
            "1 to 1024",
        )?;
        for (name, value) in [
            ("motion.matched.r1_every", matched.r1_every),
            ("motion.matched.cycle_every", matched.cycle_every),
        ] {
            require(value > 0, name, &value, "at least 1")?;
        }
        for (name, value) in [
            ("motion.taught.motion", taught.motion),
            ("motion.taught.motion_in_pairs", taught.motion_in_pairs),
            ("motion.taught.mask", taught.mask),
            ("motion.taught.mask_inside", taught.mask_inside),
            ("motion.taught.copy", taught.copy),
            ("motion.taught.pixels", taught.pixels),
            ("motion.taught.pixels_inside", taught.pixels_inside),
            ("motion.taught.shading", taught.shading),
            ("motion.taught.start", taught.start),
            ("motion.taught.aus", taught.aus),
            (
                "motion.matched.discriminator_lr_factor",
                matched.discriminator_lr_factor,
            ),
            ("motion.matched.adversarial", matched.adversarial),
            ("motion.matched.patches", matched.patches),
            ("motion.matched.adversarial_paint", matched.adversarial_paint),
            ("motion.matched.mismatched", matched.mismatched),
            ("motion.matched.aus", matched.aus),
            ("motion.matched.aus_falling", matched.aus_falling),
            ("motion.matched.r1", matched.r1),
            ("motion.matched.cycle", matched.cycle),
            ("motion.matched.cycle_inside", matched.cycle_inside),
            ("motion.matched.mask_coverage", matched.mask_coverage),
            (
                "motion.matched.mask_coverage_inside",
                matched.mask_coverage_inside,
            ),
            ("motion.matched.hues", matched.hues),
            ("motion.matched.mouths", matched.mouths),
            ("motion.matched.lips", matched.lips),
            ("motion.matched.lids", matched.lids),
            ("motion.matched.mask_tv", matched.mask_tv),
            ("motion.matched.motion", matched.motion),
            ("motion.matched.shading", matched.shading),
            ("motion.matched.stains", matched.stains),
            ("motion.matched.shading_tv", matched.shading_tv),
            ("motion.matched.identity", matched.identity),
            ("motion.matched.pixels", matched.pixels),
            ("motion.matched.pixels_inside", matched.pixels_inside),
            ("motion.matched.features", matched.features),
        ] {
            require(value.is_finite() && value >= 0.0, name, &value, "0 or more")?;
        }
        for (name, value) in [
            ("motion.views.brightness", views.brightness),
            ("motion.views.saturation", views.saturation),
            ("motion.views.contrast", views.contrast),
        ] {
            require((0.0..=1.0).contains(&value), name, &value, "0 to 1")?;
        }
        require(
            taught.start == 0.0 || self.from.is_some(),
            "motion.taught.start",
            &taught.start,
            "0, because the setting `from` names no generator",
        )?;
        for gain in &self.motion.gains {
            require(
                (0.0..=10.0).contains(gain),
                "motion.gains",
                gain,
                "17 numbers, each 0 to 10",
            )?;
        }
        let adam = &matched.adam;
        require(
            adam.learning_rate.is_finite() && adam.learning_rate > 0.0,
            "motion.matched.adam.learning_rate",
            &adam.learning_rate,
            "above 0",
        )?;
        for (name, value) in [
            ("motion.matched.adam.beta_1", adam.beta_1),
            ("motion.matched.adam.beta_2", adam.beta_2),
        ] {
            require((0.0..1.0).contains(&value), name, &value, "0 or more, below 1")?;
        }
        Ok(())
    }
}

/// Returns [`Error::Setting`] unless the setting is valid.
fn require(holds: bool, name: &'static str, found: &dyn Display, expected: &'static str) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::Setting {
        name,
        found: found.to_string(),
        expected,
    })
}
