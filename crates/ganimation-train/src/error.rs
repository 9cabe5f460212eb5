//! What can go wrong in a run.

use std::path::PathBuf;

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
    /// Another process trains in this folder.
    #[error("run {path} is being trained by another process", path = .0.display())]
    Busy(PathBuf),
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
}
