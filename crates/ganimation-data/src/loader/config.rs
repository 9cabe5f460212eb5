//! Settings of the loader.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::teacher::Teacher;

/// How batches are made.
#[derive(Clone, Debug, PartialEq)]
pub struct LoaderConfig {
    /// Faces a batch; 25 in the paper.
    pub batch_size: usize,
    /// Height and width of the faces in pixels; files of other sizes are resized.
    pub image_size: usize,
    /// Decides shuffles, flips and targets, together with the step.
    pub seed: u64,
    /// Threads that decode.
    pub workers: usize,
    /// Mirror half of the faces at random; the action units have no sides.
    pub flip: bool,
    /// Finished batches that may wait, at least one a worker.
    pub queue: usize,
    /// Targets are another face's action units plus U(-noise, noise), in units of intensity / 5.
    pub target_noise: f32,
    /// Keep targets in `[0, 1]`; the released code of 2018 does not.
    pub clamp_targets: bool,
    /// Share of targets that are not another face's action units but the face's own with 0 to 3 units, drawn at random,
    /// set to U(0, 0.8). Other faces' units come in the combinations that faces show; these teach each unit alone.
    pub target_edits: f32,
    /// Keep decoded faces in memory: `faces * image_size² * 3` bytes, 158 MB for 12,848 faces of 64 px.
    pub cache: bool,
    /// Let another face stand in for one whose picture cannot be read, up to ten faces or one of a hundred; see
    /// [`Loader::take_problems`](crate::Loader::take_problems).
    pub skip_bad: bool,
    /// How strongly faces with rare action units are preferred, 0 (not at all, the default) to 1.
    ///
    /// A face counts as showing an action unit above an intensity of 1.5. Its weight is the largest
    /// `(1 / share of faces that show it)^balance` over what it shows, at most 10, and 1 if it shows
    /// nothing. Faces and targets are then drawn by weight, with replacement, and an epoch is only a
    /// number of batches.
    pub balance: f32,
    /// Make lessons for the motion network. Only faces with landmarks are drawn then, and `target_noise`,
    /// `clamp_targets`, `target_edits` and `balance` do not matter: lessons have weights and targets of their own.
    pub lessons: Option<LessonConfig>,
}

/// How lessons are made; see [`Lessons`](crate::Lessons).
#[derive(Clone, Debug, PartialEq)]
pub struct LessonConfig {
    /// What moves the landmarks.
    pub teacher: Arc<Teacher>,
    /// Steps of the taught stage, in which half of a batch are reverse pairs.
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
