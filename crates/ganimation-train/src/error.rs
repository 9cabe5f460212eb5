//! Errors of a run.

use std::path::{Path, PathBuf};

use crate::watchdog::Warning;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The cause of an error, of one of several types.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// An error that the caller can correct.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting has an invalid value.
    #[error("setting `{name}` is {found}; expected {expected}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        found: String,
        /// The valid values.
        expected: &'static str,
    },
    /// The folder of a new run already contains a run.
    #[error("run {path} already exists", path = .0.display())]
    RunExists(PathBuf),
    /// The folder contains no run to resume.
    #[error("{path} contains no run to resume", path = .0.display())]
    NothingToResume(PathBuf),
    /// The folder contains no run to read.
    #[error("{path} contains no run", path = .0.display())]
    NotARun(PathBuf),
    /// A file or folder of the run could not be written or read.
    #[error("cannot {action} {path}", path = path.display())]
    File {
        /// The failed action, as in "cannot *write* …".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file of the run has invalid content.
    #[error("{path} is damaged", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The cause: an error of TOML, JSON or the weights, or a message.
        source: Source,
    },
    /// A loss became NaN or infinite.
    #[error("the {term} loss became {value} at step {step}")]
    NotFinite {
        /// Which term.
        term: &'static str,
        /// Its value.
        value: f32,
        /// The discriminator step.
        step: u64,
    },
    /// The initial weights do not fit the networks of the settings.
    #[error("cannot start from {path}", path = path.display())]
    Begin {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ganimation_model::Error,
    },
    /// A weight of a network became NaN or infinite.
    #[error("a weight of the {network} became NaN or infinite at step {step}")]
    BrokenWeights {
        /// Which network.
        network: &'static str,
        /// The discriminator step.
        step: u64,
    },
    /// The watchdog warned, and the run was set to stop at warnings.
    #[error("stopped at step {}: {}", .0.step, .0.message)]
    Warned(Warning),
    /// A text that is not of the form `NAME=VALUE`.
    #[error("cannot read setting `{found}`: there is no `=`")]
    Assignment {
        /// The given text.
        found: String,
    },
    /// A value that TOML cannot represent.
    #[error("setting `{name}` cannot have this value")]
    Value {
        /// The setting.
        name: String,
        /// The cause.
        source: toml::ser::Error,
    },
    /// Settings that do not exist or have the wrong type.
    #[error("cannot use the settings")]
    Settings {
        /// The cause: the name or the type, from TOML.
        source: Source,
    },
    /// A setting that cannot change after the start of a run.
    #[error("setting `{name}` of a started run cannot change from {before} to {after}")]
    Unchangeable {
        /// The setting.
        name: String,
        /// Its value in the run.
        before: String,
        /// The requested value.
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
    /// Adds the action and the file to an I/O error.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// Adds the file to an error in its content.
    pub(crate) fn damaged<E: Into<Source>>(path: &Path) -> impl Fn(E) -> Self {
        let path = path.to_owned();
        move |source| Self::Damaged {
            path: path.clone(),
            source: source.into(),
        }
    }

    /// Adds the file of the initial weights to an error.
    pub(crate) fn begin(path: &Path) -> impl FnOnce(ganimation_model::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Begin { path, source }
    }
}
