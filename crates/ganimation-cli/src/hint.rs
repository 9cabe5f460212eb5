//! Advice for each error.

use std::ffi::OsStr;
use std::io::ErrorKind;

use ganimation_data::FaceDetector;
use ganimation_model::import::TorchProblem;

use ganimation::{Ease, Emotion};

use crate::error::{Error, LibraryError};

impl Error {
    /// What the user can do, in one line, if it is known.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Moving { .. } => "write a single value as in 12=3, or use `ganimation animate`".to_owned(),
            Self::NoFaces { .. } => "faces must look at the camera and be at least 60 pixels wide".to_owned(),
            Self::NoFaceInFilm { .. } => {
                "faces must look at the camera for a quarter of a second; --crop none uses each whole frame"
                    .to_owned()
            }
            Self::FilmChanged { .. } => "run the command again when the film is complete".to_owned(),
            Self::NotOfFilms { .. } => "use `edit` or `read` with a single film".to_owned(),
            Self::OverlayOfMany { .. } => "read the photos one by one".to_owned(),
            Self::Unread { .. } => "see the lines above".to_owned(),
            Self::OutputFormat { accepted, .. } => format!("use one of: {}", accepted.join(", ")),
            Self::OutputIsFolder { .. } => "name a file in it".to_owned(),
            Self::SameOutput { .. } => "give each output its own name".to_owned(),
            Self::OutputIsInput { .. } => "write to another file".to_owned(),
            Self::TwoNetworks { .. } => "import them one by one".to_owned(),
            Self::RunName { .. } => {
                "use a name such as experiment_1; --runs-dir selects the folder of runs".to_owned()
            }
            Self::NoData => "give a dataset folder with --data".to_owned(),
            Self::NotAFolder { .. } => "give the folder that contains the files".to_owned(),
            Self::Unfit { .. } => {
                "correct the errors above, or try --skip-bad of `ganimation train`".to_owned()
            }
            Self::Stopped => "run the same command again to continue".to_owned(),
            Self::Serve { source, .. } if source.kind() == ErrorKind::AddrInUse => {
                "the port is in use; choose another --port, or 0 for any free port".to_owned()
            }
            Self::Serve { .. } => "choose another --host or --port".to_owned(),
            Self::HostName { .. } => {
                "write only a name, for example my-computer.local, without a port or *".to_owned()
            }
            Self::Stdout { .. } => "check the program or the file that receives the output".to_owned(),
            Self::NoFolder { .. } => "create the folder first, or choose another one".to_owned(),
            Self::Library(error) => return of_library(error),
            Self::Data(error) => return data_hint(error).map(str::to_owned),
            Self::Model(error) => return model_hint(error).map(str::to_owned),
            Self::Train(error) => return train_hint(error),
        };
        Some(hint)
    }
}

/// Advice for an error of the library.
pub(crate) fn of_library(error: &LibraryError) -> Option<String> {
    use ganimation::Error as Library;
    let hint = match error {
        Library::UnknownDevice { .. } => "accepted: auto, flex, cuda, cuda:1, wgpu, vulkan, metal, ndarray; \
             `ganimation devices` lists the available ones"
            .to_owned(),
        Library::DeviceCompiledOut { backend } => format!("build with `--features {backend}`"),
        Library::DeviceAbsent {
            backend, present: 0, ..
        } => {
            format!(
                "{backend} needs {}; `--device auto` selects an available device",
                backend.needs()
            )
        }
        Library::DeviceAbsent { .. } => "`ganimation devices` lists the available ones".to_owned(),
        Library::SoftwareDevice { .. } => {
            "train on flex, which is faster here, or with smaller batches; --software trains nevertheless"
                .to_owned()
        }
        Library::NoDevice => "build with a backend, for example `--features flex`".to_owned(),
        Library::AuCommand { .. } => {
            "write 12=3 for an intensity, 12=+1 to add 1 to the photo's intensity, 12=0..4 for a movement"
                .to_owned()
        }
        Library::Intensity { .. } => "intensities are from 0 (absent) to 5 (maximal)".to_owned(),
        Library::RepeatedUnit { .. } => "give each action unit once".to_owned(),
        Library::UnknownEmotion { .. } => {
            format!("use one of: {}", Emotion::ALL.map(Emotion::name).join(", "))
        }
        Library::EmotionCommand { .. } => {
            "write EMOTION, EMOTION=STRENGTH as in happy=0.8, or EMOTION=FROM..TO as in happy=0..1".to_owned()
        }
        Library::Strength { .. } => "a strength of 1 is the full expression, 0.5 half of it".to_owned(),
        Library::UnknownEase { .. } => format!("use one of: {}", Ease::ALL.map(Ease::name).join(", ")),
        Library::Keys { .. } => "write each key as [[key]] with its time, in order".to_owned(),
        Library::EmptySequence { .. } => {
            "FeatureExtraction of OpenFace makes such tables from videos".to_owned()
        }
        Library::NoDriver { .. } => "choose one of these with --drive-face".to_owned(),
        Library::LongDriver { .. } => "split the table".to_owned(),
        Library::Neutral { .. } => "write calm, first, or the time in seconds of the neutral face".to_owned(),
        Library::Toml { .. } => {
            "the documentation of `Expression::load` and `Timeline::load` shows such files".to_owned()
        }
        Library::InFile { error, .. } => return of_library(error),
        Library::NoSuchFace { .. } => {
            "faces are counted from 1, the largest first; `ganimation read` lists them".to_owned()
        }
        Library::NoFace { width, height } => {
            let least = FaceDetector::smallest_face(*width, *height);
            format!(
                "a face must look at the camera and be at least {least} pixels wide in this photo; --crop none uses the whole photo"
            )
        }
        Library::OtherActionUnits { .. } | Library::NetworkSize { .. } => {
            "use the bundled weights, or weights of `ganimation train`".to_owned()
        }
        Library::FaceTooLarge { .. } => "make the picture smaller first".to_owned(),
        Library::Data(error) => return data_hint(error).map(str::to_owned),
        Library::Model(error) => return model_hint(error).map(str::to_owned),
        _ => return None,
    };
    Some(hint)
}

/// Advice for unsupported kinds of pictures.
const UNSUPPORTED: &str = "convert them to jpg or png first: heif-convert PHOTO.heic photo.png, \
     ffmpeg -i FILM frames/%06d.png";

fn data_hint(error: &ganimation_data::Error) -> Option<&'static str> {
    use ganimation_data::Error as Data;
    use ganimation_data::LANDMARKS_FILE;
    match error {
        Data::UnknownActionUnit { .. } => Some("for example 12=3, AU12=3 or lip-corner-puller=3"),
        Data::Picture { source, .. } if is_short(source) => Some("the file is truncated; copy it again"),
        Data::Picture { .. } => Some("supported are jpg, png, webp, bmp, gif, qoi and tif"),
        Data::ForeignPicture { kind, .. } if kind.contains("HEIC") => Some(
            "save it as jpg or png first; an iPhone takes jpg with Settings > Camera > Formats > Most Compatible",
        ),
        Data::ForeignPicture { kind: "a video", .. } => Some(
            "`edit` and `read` recognise films by their extension, as in film.mp4; for other commands, extract a picture: ffmpeg -i VIDEO -frames:v 1 photo.png",
        ),
        Data::ForeignPicture { .. } => Some("save the photo as jpg or png first"),
        Data::PictureTooLarge { .. } => {
            Some("reduce it first, for example with ImageMagick: magick PHOTO -resize 8000x8000 smaller.jpg")
        }
        Data::Read { .. } => Some("check the path"),
        Data::Write { .. } => Some("check that the folder exists and is writable"),
        Data::NoLabels { .. } => Some(
            "a dataset folder contains imgs/, labels, train_ids.csv and test_ids.csv, like assets/sample_dataset",
        ),
        Data::Dataset { first, .. } if matches!(**first, Data::MissingPicture { near: Some(_), .. }) => {
            Some("lists contain one file name of imgs/ per line, with the same upper and lower case")
        }
        Data::NotText { .. } => Some("save it as UTF-8 (in PowerShell: Out-File -Encoding utf8)"),
        Data::Dataset { .. } => Some("correct the dataset, or skip such faces with --skip-bad"),
        Data::UnknownFilmFormat { .. } => Some("use gif, png, apng, mp4, mov, mkv or webm, or a folder"),
        Data::FilmTooLong { .. } => Some("write a video or an animated PNG, or reduce --max-side"),
        Data::FolderNotEmpty { .. } => Some("name a new folder for the frames"),
        Data::NoFfmpeg { .. } => Some("install ffmpeg, or write a gif or an animated png"),
        Data::NoFfprobe { .. } => Some("install ffmpeg"),
        Data::FilmInput { .. } => {
            Some("check that a player can show it; supported are mp4, mov, mkv, webm, avi and others")
        }
        Data::NoEncoder { .. } => {
            Some("install a full ffmpeg, or write another format: mp4, gif or an animated png")
        }
        Data::Ffmpeg { .. } => Some("try another format: gif, png, mp4, mov, mkv or webm"),
        Data::TooFewFaces { .. } => Some("reduce --batch-size"),
        Data::FileTooLarge { .. } => Some("check that this is the right file"),
        Data::Csv { path, .. } | Data::NotANumber { path, .. } | Data::MissingColumn { path, .. }
            if path.ends_with(LANDMARKS_FILE) =>
        {
            Some(
                "landmarks.csv needs the columns file, x_0 to x_67 and y_0 to y_67, in pixels of the pictures in imgs/",
            )
        }
        Data::Csv { .. } | Data::NotANumber { .. } | Data::MissingColumn { .. } => {
            Some("OpenFace's tables have commas and the columns AU01_r to AU45_r: run OpenFace with -aus")
        }
        Data::RepeatedLabel { .. } | Data::RepeatedLandmarks { .. } => Some("keep one of them"),
        Data::NoLandmarks { .. } => {
            Some("`ganimation doctor` counts landmarks; without `--network motion`, none are needed")
        }
        Data::LandmarksOfOtherSize { .. } => {
            Some("`ganimation doctor` counts landmarks and draws some of them")
        }
        Data::OffScale { .. } => Some(
            "intensities are from 0 to 5; a spreadsheet that drops the decimal comma turns 2,50 into 250",
        ),
        Data::ForeignTable {
            tool: "OpenFace 3", ..
        } => Some("use OpenFace 2 (FeatureExtraction -aus), or pictures with --like FOLDER"),
        Data::ForeignTable { .. } => Some(
            "`animate --drive FILE --fill-absent` sets absent action units to 0; OpenFace 2 measures all 17",
        ),
        Data::FrameRate { .. } => Some("write a number or a fraction, for example 25, 29.97 or 30000/1001"),
        Data::Busy { .. } => Some("wait until it ends, stop it, or use another folder"),
        Data::OtherSettings { .. } => Some("continue with the same settings, or choose another -o"),
        Data::SameName { .. } => Some("rename one of them"),
        Data::SameFrame { .. } | Data::NoFrame { .. } => Some(
            "--from-frames takes one table of FeatureExtraction and frames numbered at the end of their names",
        ),
        Data::NoPhotos { skipped, .. } if skipped.is_empty() => {
            Some("give the folder that contains the photos")
        }
        Data::NoPhotos { .. } => Some(UNSUPPORTED),
        Data::NothingPrepared { .. } => Some(
            "tables must be next to the photos, in processed/, or in the folder of --csv, with the photos' names",
        ),
        Data::TooManyBad { .. } => Some("check the disk; `ganimation doctor` checks every picture"),
        Data::LoaderThread { .. } => Some("reduce --workers"),
        _ => None,
    }
}

/// Whether the file is truncated.
fn is_short(error: &image::ImageError) -> bool {
    matches!(error, image::ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof)
}

fn model_hint(error: &ganimation_model::Error) -> Option<&'static str> {
    use ganimation_model::Error as Model;
    match error {
        Model::Read { .. } => Some("check the path"),
        Model::TooLarge { .. } => Some("check that this is the right file"),
        Model::Write { .. } => Some("check that the folder exists and is writable"),
        Model::Torch {
            source: TorchProblem::Module(_),
            ..
        } => Some(
            "in Python, with the code of the network: torch.save(torch.load(FILE, weights_only=False).state_dict(), NEW), then import NEW",
        ),
        Model::Torch {
            source: TorchProblem::Script,
            ..
        } => Some("in Python: torch.save(torch.jit.load(FILE).state_dict(), NEW), then import NEW"),
        Model::NoKey { .. } => {
            Some("choose one of these with --key; without --key, the only network is used")
        }
        Model::UnknownFile { .. } | Model::NoTensors { .. } | Model::Torch { .. } => {
            Some("supported are files of torch.save(network.state_dict()), and checkpoints that contain one")
        }
        Model::UnknownLayout { .. } => {
            Some("supported are the layouts of the released code, of ganimation_replicate and of vipermu")
        }
        Model::SeveralNetworks { .. } => Some("choose one with --key, for example --key G_ema"),
        Model::Import { .. } | Model::Inflated { .. } => {
            Some("save it again with torch.save(network.state_dict(), FILE)")
        }
        Model::ImageSize { .. } => Some("choose an --image-size of 64, 128, 192, …"),
        _ => Some("use safetensors files of `ganimation train`, `import` or `export`"),
    }
}

fn train_hint(error: &ganimation_train::Error) -> Option<String> {
    use ganimation_train::Error as Train;
    let hint = match error {
        Train::Setting { name, .. } => return Some(setting_hint(name)),
        Train::RunExists(_) => "resume it with --resume, or choose another --name",
        Train::NothingToResume(_) => "check --name and --runs-dir, or start the run without --resume",
        Train::File { .. } => "check that the folder exists and is writable, and that the disk is not full",
        Train::Damaged { path, .. } if path.file_name() == Some(OsStr::new("config.toml")) => {
            "correct the file, or start again with another --name"
        }
        Train::Damaged { .. } => "remove the newest folder in checkpoints/ to continue from the previous one",
        Train::NotFinite { .. } | Train::BrokenWeights { .. } => {
            "continue with --resume and a lower --learning-rate"
        }
        Train::Warned(warning) => warning.advice,
        Train::NotARun(_) => "check the name and --runs-dir",
        Train::Assignment { .. } | Train::Value { .. } => "write NAME=VALUE, for example loss.lambda_cycle=5",
        Train::Settings { .. } => "`config.toml` of any run contains the names and types of all settings",
        Train::Unchangeable { .. } => {
            "start another run, optionally with --from and this run's newest checkpoint"
        }
        Train::Begin { .. } => {
            "give the sizes of those networks: --image-size, --channels, --discriminator-channels"
        }
        Train::Data(error) => data_hint(error)?,
        Train::Model(error) => model_hint(error)?,
        _ => return None,
    };
    Some(hint.to_owned())
}

/// The flag or name of a setting of `config.toml`.
fn setting_hint(name: &str) -> String {
    let flag = match name {
        "faces" => return "use more --faces, or add faces to test_ids.csv".to_owned(),
        "generator_channels" => "channels",
        "discriminator_channels" => "discriminator-channels",
        "learning_rate" | "adam.learning_rate" => "learning-rate",
        "image_size" | "batch_size" | "steps" | "n_critic" | "balance" | "ema_decay" | "seed" | "workers"
        | "checkpoint_every" | "preview_every" | "log_every" | "validate_every" => name,
        "precision" => return "omit --precision".to_owned(),
        "loss" => return "omit `--preset released`, or use one device".to_owned(),
        "checkpoint_keep" => "keep",
        "checkpoint_keep_every" => "keep-every",
        _ => return format!("give another --set {name}=…"),
    };
    format!("give another --{}", flag.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use ganimation::device::Backend;

    use super::*;

    #[test]
    fn a_compiled_out_device_names_its_feature() {
        let error = LibraryError::DeviceCompiledOut {
            backend: Backend::Cuda,
        };
        assert_eq!(
            of_library(&error).as_deref(),
            Some("build with `--features cuda`")
        );
    }
}
