//! The learning rate for each step.

/// Constant for the first two thirds of a run, then linear to zero: the paper's 20 and 10 epochs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The learning rate of the constant part.
    pub learning_rate: f64,
    /// Discriminator steps of the whole run.
    pub steps: u64,
}

impl Schedule {
    /// The learning rate of discriminator step `step`, counted from 0.
    pub fn learning_rate_at(&self, step: u64) -> f64 {
        let constant = self.steps * 2 / 3;
        if step < constant {
            return self.learning_rate;
        }
        let left = self.steps.saturating_sub(step);
        #[expect(clippy::cast_precision_loss, reason = "step counts are far below 2^52")]
        let share = left as f64 / (self.steps - constant).max(1) as f64;
        self.learning_rate * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_constant_for_two_thirds_and_then_falls_to_zero() {
        let schedule = Schedule {
            learning_rate: 3e-4,
            steps: 300,
        };
        assert_eq!(schedule.learning_rate_at(0), 3e-4);
        assert_eq!(schedule.learning_rate_at(199), 3e-4);
        assert_eq!(schedule.learning_rate_at(200), 3e-4);
        assert!((schedule.learning_rate_at(250) - 1.5e-4).abs() < 1e-12);
        assert!((schedule.learning_rate_at(299) - 3e-6).abs() < 1e-12);
        assert_eq!(schedule.learning_rate_at(300), 0.0);
        assert_eq!(schedule.learning_rate_at(1000), 0.0);
    }
}
