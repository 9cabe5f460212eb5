//! Settings of the loader.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::teacher::Teacher;

/// Settings of batches.
#[derive(Clone, Debug, PartialEq)]
pub struct LoaderConfig {
    /// Faces per batch; 25 in the paper.
    pub batch_size: usize,
    /// Height and width of the faces in pixels; files of other sizes are resized.
    pub image_size: usize,
    /// Seed. With the step, it determines shuffles, flips and targets.
    pub seed: u64,
    /// Decoding threads.
    pub workers: usize,
    /// Mirror half of the faces at random. The action units are the same for both sides of the face.
    pub flip: bool,
    /// Number of batches to prepare in advance, at least one per worker.
    pub queue: usize,
    /// Targets are another face's action units plus U(-noise, noise), in units of intensity / 5.
    pub target_noise: f32,
    /// Keep targets in `[0, 1]`; the released code of 2018 does not.
    pub clamp_targets: bool,
    /// Fraction of targets that are the face's own action units, with 0 to 3 random units set to U(0, 0.8). The other
    /// targets are another face's action units. Those only have combinations that real faces show, while edited targets
    /// teach single units.
    pub target_edits: f32,
    /// Keep decoded faces in memory: `faces * image_size² * 3` bytes, 158 MB for 12,848 faces of 64 px.
    pub cache: bool,
    /// Replace a face with an unreadable picture by another face, up to ten faces or one percent of the faces; see
    /// [`Loader::take_problems`](crate::Loader::take_problems).
    pub skip_bad: bool,
    /// How much more often faces with rare action units are drawn, from 0 (no preference, the default) to 1.
    ///
    /// A face shows an action unit if its intensity is above 1.5. The weight of a face is the largest
    /// `(1 / fraction of faces that show it)^balance` over the units that it shows, at most 10, and 1 if it shows
    /// no unit. Faces and targets are drawn by weight, with replacement, and an epoch is only a
    /// number of batches.
    pub balance: f32,
    /// Make lessons for the motion network. Then only faces with landmarks are drawn, and `target_noise`,
    /// `clamp_targets`, `target_edits` and `balance` have no effect, because lessons have their own weights and
    /// targets.
    pub lessons: Option<LessonConfig>,
}

/// Settings of lessons; see [`Lessons`](crate::Lessons).
#[derive(Clone, Debug, PartialEq)]
pub struct LessonConfig {
    /// The teacher, which moves the landmarks.
    pub teacher: Arc<Teacher>,
    /// Steps of the first stage, in which half of each batch are reverse pairs.
    pub taught_steps: u64,
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self {
            batch_size: 25,
            image_size: 128,
            seed: 0,
            workers: 1,
            flip: true,
            queue: 4,
            target_noise: 0.1,
            clamp_targets: true,
            target_edits: 0.0,
            cache: true,
            skip_bad: false,
            balance: 0.0,
            lessons: None,
        }
    }
}

impl LoaderConfig {
    pub(super) fn check(&self) -> Result<()> {
        let at_least_one = |setting, value: usize| match value {
            0 => Err(Error::LoaderSetting {
                setting,
                found: 0.0,
                expected: "at least 1",
            }),
            _ => Ok(()),
        };
        at_least_one("batch_size", self.batch_size)?;
        at_least_one("image_size", self.image_size)?;
        at_least_one("workers", self.workers)?;
        if self.lessons.is_some() && self.batch_size < 2 {
            return Err(Error::LoaderSetting {
                setting: "batch_size",
                found: 1.0,
                expected: "at least 2 with lessons, half of which are reverse pairs",
            });
        }
        let between = |setting, value: f32| match value {
            0.0..=1.0 => Ok(()),
            _ => Err(Error::LoaderSetting {
                setting,
                found: value.into(),
                expected: "0 to 1",
            }),
        };
        between("target_noise", self.target_noise)?;
        between("target_edits", self.target_edits)?;
        between("balance", self.balance)
    }
}
