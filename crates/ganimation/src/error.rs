//! What can go wrong between a photo and its frames, and what a person can do about it.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use ganimation_data::ActionUnit;

use crate::device::Backend;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong with photos, action units, devices and weights.
///
/// A message is one line and does not repeat its source; [`Error::hint`] says what helps.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A device name that does not exist.
    #[error("unknown device `{found}`")]
    UnknownDevice {
        /// The text as it was given.
        found: String,
    },

    /// A device whose backend was left out of this build.
    #[error("this build has no {backend} backend")]
    DeviceCompiledOut {
        /// The backend.
        backend: Backend,
    },

    /// A device that this machine does not have.
    #[error("no device {backend}:{number} on this machine ({present} present)")]
    DeviceAbsent {
        /// The backend.
        backend: Backend,
        /// The number asked for, from 0.
        number: usize,
        /// How many devices the backend has here.
        present: usize,
    },

    /// A build without any backend, or one whose only backends found no device.
    #[error("no device to compute on")]
    NoDevice,

    /// An action-unit command that cannot be read.
    #[error("cannot read action-unit command `{found}`")]
    AuCommand {
        /// The text as it was given.
        found: String,
    },

    /// An intensity outside OpenFace's scale.
    #[error("intensity {found} of {unit} is outside 0 to 5")]
    Intensity {
        /// The action unit.
        unit: ActionUnit,
        /// The intensity as it was given.
        found: f32,
    },

    /// An action unit that was named twice.
    #[error("{unit} ({}) is named twice", unit.name())]
    RepeatedUnit {
        /// The action unit.
        unit: ActionUnit,
    },

    /// An action unit that shall move where only one picture is made.
    #[error("{unit} moves between two intensities, but one picture shows one")]
    MovingUnit {
        /// The action unit.
        unit: ActionUnit,
    },

    /// A photo in which the detector finds no face.
    #[error("no face found in {} ({width} x {height} pixels)", path.as_ref().map_or("the photo".into(), |path| path.display().to_string()))]
    NoFace {
        /// The photo's file, if it came from one.
        path: Option<PathBuf>,
        /// The photo's width in pixels.
        width: u32,
        /// The photo's height in pixels.
        height: u32,
    },

    /// Weights of a network that is conditioned on other action units.
    #[error("the weights are for action units {found:?}, not for OpenFace's 17")]
    OtherActionUnits {
        /// The action units' numbers.
        found: Vec<u32>,
    },

    /// Weights that claim an impossible size of faces.
    #[error("the weights are for faces of {found} pixels, expected a multiple of 4, {limit} at most")]
    NetworkSize {
        /// The size that the file claims, in pixels.
        found: usize,
        /// The largest size that is accepted, in pixels.
        limit: u32,
    },

    /// A face that is too large to be painted in memory.
    #[error("the face's box is {found} pixels wide, more than {limit}")]
    FaceTooLarge {
        /// Side of the box, in pixels.
        found: u32,
        /// The largest side that is accepted, in pixels.
        limit: u32,
    },

    /// A picture file whose extension names no format that can be written.
    #[error("cannot tell the format of {} from its extension", path.display())]
    OutputFormat {
        /// The file to be written.
        path: PathBuf,
        /// The extensions that can be.
        accepted: &'static [&'static str],
    },

    /// A file that is to be written into a folder that is not there.
    #[error("cannot write {}: there is no folder {}", path.display(), folder.display())]
    NoFolder {
        /// The file to be written.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },

    /// An output that is a folder.
    #[error("cannot write {}: it is a folder", path.display())]
    OutputIsFolder {
        /// The folder.
        path: PathBuf,
    },

    /// Two outputs of one command that are the same file.
    #[error("{} would be written twice", path.display())]
    SameOutput {
        /// The file.
        path: PathBuf,
    },

    /// An output that would replace the input.
    #[error("{} is the input and would be replaced", path.display())]
    OutputIsInput {
        /// The file.
        path: PathBuf,
    },

    /// A name of a run that is not that of one folder.
    #[error("run name `{found}` is not the name of one folder")]
    RunName {
        /// The text as it was given.
        found: String,
    },

    /// The result could not be told.
    #[error("cannot write to the standard output")]
    Stdout {
        /// Why.
        source: io::Error,
    },

    /// A picture, dataset or other file that is not as it should be.
    #[error(transparent)]
    Data(#[from] ganimation_data::Error),

    /// Weights that are not as they should be.
    #[error(transparent)]
    Model(#[from] ganimation_model::Error),

    /// A training run that cannot go on.
    #[error(transparent)]
    Train(#[from] ganimation_train::Error),
}

impl Error {
    /// Says which file the photo came from, in errors about the photo.
    #[must_use]
    pub fn in_photo(self, file: &Path) -> Self {
        match self {
            Self::NoFace { width, height, .. } => Self::NoFace {
                path: Some(file.to_owned()),
                width,
                height,
            },
            other => other,
        }
    }

    /// What the person in front of the program can do, where that is known; one line.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownDevice { .. } => {
                "accepted: auto, flex, cuda, cuda:1, wgpu, vulkan, metal, ndarray; \
                 `ganimation devices` lists those present"
                    .to_owned()
            }
            Self::DeviceCompiledOut { backend } => format!("build with `--features {backend}`"),
            Self::DeviceAbsent {
                backend, present: 0, ..
            } => {
                format!(
                    "{backend} needs {}; `--device auto` takes what is there",
                    backend.needs()
                )
            }
            Self::DeviceAbsent { .. } => "`ganimation devices` lists those present".to_owned(),
            Self::NoDevice => "build with a backend, for example `--features flex`".to_owned(),
            Self::AuCommand { .. } => {
                "write UNIT=INTENSITY as in 12=3, or UNIT=FROM..TO as in 12=0..4".to_owned()
            }
            Self::Intensity { .. } => "intensities are OpenFace's: 0 is absent, 5 is maximal".to_owned(),
            Self::RepeatedUnit { .. } => "give each action unit once".to_owned(),
            Self::MovingUnit { .. } => {
                "write a single intensity as in 12=3, or use `ganimation animate`".to_owned()
            }
            Self::NoFace { .. } => {
                "the face has to look at the camera and be at least 60 pixels wide".to_owned()
            }
            Self::OtherActionUnits { .. } | Self::NetworkSize { .. } => {
                "use the bundled weights, or weights that `ganimation train` wrote".to_owned()
            }
            Self::OutputFormat { accepted, .. } => format!("use one of: {}", accepted.join(", ")),
            Self::FaceTooLarge { .. } => "make the picture smaller first".to_owned(),
            Self::OutputIsFolder { .. } => "name a file in it".to_owned(),
            Self::SameOutput { .. } => "give each output its own name".to_owned(),
            Self::OutputIsInput { .. } => "write to another file".to_owned(),
            Self::RunName { .. } => {
                "choose a name such as experiment_1; --runs-dir says where runs are kept".to_owned()
            }
            Self::Stdout { .. } => "send the output elsewhere".to_owned(),
            Self::NoFolder { .. } => "make the folder first, or write elsewhere".to_owned(),
            Self::Data(error) => return data_hint(error).map(str::to_owned),
            Self::Model(error) => return model_hint(error).map(str::to_owned),
            Self::Train(error) => return train_hint(error),
        };
        Some(hint)
    }
}

fn data_hint(error: &ganimation_data::Error) -> Option<&'static str> {
    use ganimation_data::Error as Data;
    match error {
        Data::UnknownActionUnit { .. } => Some("for example 12=3, AU12=3 or lip-corner-puller=3"),
        Data::Picture { .. } => Some("jpg, png and webp pictures can be read"),
        Data::PictureTooLarge { .. } => Some("make the picture smaller first"),
        Data::Read { .. } => Some("check the path"),
        Data::Write { .. } => Some("check that the folder exists and may be written to"),
        Data::NoLabels { .. } => Some(
            "a dataset folder holds imgs/, labels, train_ids.csv and test_ids.csv, as assets/sample_dataset does",
        ),
        Data::Dataset { .. } => Some("mend the dataset, or leave such faces out with --skip-bad"),
        Data::TooFewFaces { .. } => Some("lower --batch-size"),
        Data::LoaderThread { .. } => Some("lower --workers"),
        _ => None,
    }
}

fn model_hint(error: &ganimation_model::Error) -> Option<&'static str> {
    use ganimation_model::Error as Model;
    match error {
        Model::Read { .. } => Some("check the path"),
        Model::Write { .. } => Some("check that the folder exists and may be written to"),
        Model::ImageSize { .. } => Some("choose an --image-size of 64, 128, 192, …"),
        _ => Some("weights are safetensors files written by `ganimation train`"),
    }
}

fn train_hint(error: &ganimation_train::Error) -> Option<String> {
    use ganimation_train::Error as Train;
    let hint = match error {
        Train::Setting { name, .. } => return Some(setting_hint(name)),
        Train::RunExists(_) => "go on with it with --resume, or choose another --name",
        Train::NothingToResume(_) => "check --name and --runs-dir, or start the run without --resume",
        Train::Busy(_) => "wait until it ends or stop it, or choose another --name",
        Train::File { .. } => "check that the folder exists, may be written to and has room",
        Train::Damaged { path, .. } if path.file_name() == Some(OsStr::new("config.toml")) => {
            "mend the file, or start again under another --name"
        }
        Train::Damaged { .. } => "remove the newest folder in checkpoints/ to go on from the one before",
        Train::NotFinite { .. } => "lower `rate` in the run's config.toml, then go on with --resume",
        Train::Data(error) => data_hint(error)?,
        Train::Model(error) => model_hint(error)?,
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Where a person gives the setting of that name in `config.toml`.
fn setting_hint(name: &str) -> String {
    let flag = match name {
        "generator_channels" => "channels",
        "discriminator_channels" => "critic-channels",
        "image_size" | "batch_size" | "steps" | "generator_every" | "rate" | "balance" | "ema_decay"
        | "seed" | "workers" | "checkpoint_every" | "preview_every" | "log_every" => name,
        _ => return format!("change `{name}` in the run's config.toml"),
    };
    let flag = flag.replace('_', "-");
    format!("give another --{flag}; a run that is resumed has it in config.toml")
}
