//! What can go wrong in a run.

use std::path::{Path, PathBuf};

use crate::watchdog::Warning;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A thing that the caller can mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting has a value that cannot work.
    #[error("setting `{name}` is {found}; expected {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A new run was asked for, but the folder holds one.
    #[error("run {path} exists already", path = .0.display())]
    RunExists(PathBuf),
    /// A run was to be resumed, but the folder holds none.
    #[error("{path} holds no run to resume", path = .0.display())]
    NothingToResume(PathBuf),
    /// A folder that was to tell of a run holds none.
    #[error("{path} holds no run", path = .0.display())]
    NotARun(PathBuf),
    /// A file or folder of the run could not be written or read.
    #[error("cannot {action} {path}", path = path.display())]
    File {
        /// What was tried, as in "cannot *write* …".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the run does not say what it should.
    #[error("{path} is damaged: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The loss stopped being a number.
    #[error("the {term} loss became {value} at step {step}")]
    NotFinite {
        /// Which term.
        term: &'static str,
        /// What it became.
        value: f32,
        /// The critic step.
        step: u64,
    },
    /// Weights to begin with that do not fit the networks of the settings.
    #[error("cannot begin with {path}", path = path.display())]
    Begin {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ganimation_model::Error,
    },
    /// A weight of a network stopped being a number.
    #[error("a weight of the {network} is no number any more at step {step}")]
    BrokenWeights {
        /// Which network.
        network: &'static str,
        /// The critic step.
        step: u64,
    },
    /// The watchdog found something, and the run was to stop at that.
    #[error("stopped at step {}: {}", .0.step, .0.sign)]
    Warned(Warning),
    /// Something that is no `NAME=VALUE`.
    #[error("cannot read setting `{found}`: {reason}")]
    Assignment {
        /// The text as it was given.
        found: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Settings that do not exist or are of the wrong kind.
    #[error("cannot use the settings: {reason}")]
    Settings {
        /// What is wrong with them.
        reason: String,
    },
    /// A setting that a run keeps for good.
    #[error("setting `{name}` of a run that is under way cannot change from {before} to {after}")]
    Unchangeable {
        /// The setting.
        name: String,
        /// Its value in the run.
        before: String,
        /// The value that was asked for.
        after: String,
    },
    /// The dataset or one of its pictures.
    #[error(transparent)]
    Data(#[from] ganimation_data::Error),
    /// The networks or one of their files.
    #[error(transparent)]
    Model(#[from] ganimation_model::Error),
}

impl Error {
    /// Wraps an I/O error with what was tried on which file.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// Says which file could not be begun with.
    pub(crate) fn begin(path: &Path) -> impl FnOnce(ganimation_model::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Begin { path, source }
    }
}
