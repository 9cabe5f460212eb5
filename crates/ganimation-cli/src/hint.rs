//! What helps against each mistake, as far as that is known.

use std::ffi::OsStr;
use std::io::ErrorKind;

use ganimation_data::FaceDetector;
use ganimation_model::import::TorchProblem;

use ganimation::{Ease, Emotion};

use crate::error::{Error, LibraryError};

impl Error {
    /// What the person in front of the program can do, where that is known; one line.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Moving { .. } => "write a single value as in 12=3, or use `ganimation animate`".to_owned(),
            Self::NoFaces { .. } => {
                "the faces have to look at the camera and be at least 60 pixels wide".to_owned()
            }
            Self::NoFaceInFilm { .. } => {
                "faces have to look at the camera for a quarter of a second; --crop none takes each frame whole".to_owned()
            }
            Self::FilmChanged { .. } => "run it again when the film is complete".to_owned(),
            Self::NotOfFilms { .. } => "`edit` and `read` take one film, alone".to_owned(),
            Self::OverlayOfMany { .. } => "read the photos one by one".to_owned(),
            Self::Unread { .. } => "the lines above say why".to_owned(),
            Self::OutputFormat { accepted, .. } => format!("use one of: {}", accepted.join(", ")),
            Self::OutputIsFolder { .. } => "name a file in it".to_owned(),
            Self::SameOutput { .. } => "give each output its own name".to_owned(),
            Self::OutputIsInput { .. } => "write to another file".to_owned(),
            Self::TwoNetworks { .. } => "import them one by one".to_owned(),
            Self::RunName { .. } => {
                "choose a name such as experiment_1; --runs-dir says where runs are kept".to_owned()
            }
            Self::NoData => "give a dataset folder with --data".to_owned(),
            Self::NotAFolder { .. } => "name the folder that holds the files".to_owned(),
            Self::Unfit { .. } => {
                "mend what is marked as error above, or see whether --skip-bad of `ganimation train` will do"
                    .to_owned()
            }
            Self::Stopped => "run the same command again to go on".to_owned(),
            Self::Serve { source, .. } if source.kind() == ErrorKind::AddrInUse => {
                "something listens there already; choose another --port, or 0 for any that is free".to_owned()
            }
            Self::Serve { .. } => "choose another --host or --port".to_owned(),
            Self::HostName { .. } => "write a name alone, as in my-computer.local: no port, no *".to_owned(),
            Self::Stdout { .. } => "send the output elsewhere".to_owned(),
            Self::NoFolder { .. } => "make the folder first, or write elsewhere".to_owned(),
            Self::Library(error) => return of_library(error),
            Self::Data(error) => return data_hint(error).map(str::to_owned),
            Self::Model(error) => return model_hint(error).map(str::to_owned),
            Self::Train(error) => return train_hint(error),
        };
        Some(hint)
    }
}

/// What helps against an error of the library.
pub(crate) fn of_library(error: &LibraryError) -> Option<String> {
    use ganimation::Error as Library;
    let hint = match error {
        Library::UnknownDevice { .. } => "accepted: auto, flex, cuda, cuda:1, wgpu, vulkan, metal, ndarray; \
             `ganimation devices` lists those present"
            .to_owned(),
        Library::DeviceCompiledOut { backend } => format!("build with `--features {backend}`"),
        Library::DeviceAbsent {
            backend, present: 0, ..
        } => {
            format!(
                "{backend} needs {}; `--device auto` takes what is there",
                backend.needs()
            )
        }
        Library::DeviceAbsent { .. } => "`ganimation devices` lists those present".to_owned(),
        Library::SoftwareDevice { .. } => {
            "train on flex, which is faster here, or with smaller batches; --software trains nevertheless"
                .to_owned()
        }
        Library::NoDevice => "build with a backend, for example `--features flex`".to_owned(),
        Library::AuCommand { .. } => {
            "write 12=3 for an intensity, 12=+1 for one more than the photo shows, 12=0..4 for a movement"
                .to_owned()
        }
        Library::Intensity { .. } => "intensities are OpenFace's: 0 is absent, 5 is maximal".to_owned(),
        Library::RepeatedUnit { .. } => "give each action unit once".to_owned(),
        Library::UnknownEmotion { .. } => {
            format!("use one of: {}", Emotion::ALL.map(Emotion::name).join(", "))
        }
        Library::EmotionCommand { .. } => {
            "write EMOTION, EMOTION=STRENGTH as in happy=0.8, or EMOTION=FROM..TO as in happy=0..1".to_owned()
        }
        Library::Strength { .. } => "strengths are shares: 0.5 is half of the full expression".to_owned(),
        Library::UnknownEase { .. } => format!("use one of: {}", Ease::ALL.map(Ease::name).join(", ")),
        Library::Keys { .. } => "write each key as [[key]] with its time, in order".to_owned(),
        Library::EmptySequence { .. } => {
            "OpenFace's FeatureExtraction writes such tables from videos".to_owned()
        }
        Library::NoDriver { .. } => "choose one of these with --drive-face".to_owned(),
        Library::LongDriver { .. } => "cut the table into parts".to_owned(),
        Library::Neutral { .. } => {
            "write calm, first, or the seconds from the start at which the face is at rest".to_owned()
        }
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
                "a face has to look at the camera and be {least} pixels wide in this photo; --crop none takes it whole"
            )
        }
        Library::OtherActionUnits { .. } | Library::NetworkSize { .. } => {
            "use the bundled weights, or weights that `ganimation train` wrote".to_owned()
        }
        Library::FaceTooLarge { .. } => "make the picture smaller first".to_owned(),
        Library::Data(error) => return data_hint(error).map(str::to_owned),
        Library::Model(error) => return model_hint(error).map(str::to_owned),
        _ => return None,
    };
    Some(hint)
}

/// What helps with pictures of kinds that are not read.
const UNSUPPORTED: &str = "make jpg or png of them first: heif-convert PHOTO.heic photo.png, \
     ffmpeg -i FILM frames/%06d.png";

fn data_hint(error: &ganimation_data::Error) -> Option<&'static str> {
    use ganimation_data::Error as Data;
    use ganimation_data::landmarks::LANDMARKS_FILE;
    match error {
        Data::UnknownActionUnit { .. } => Some("for example 12=3, AU12=3 or lip-corner-puller=3"),
        Data::Picture { source, .. } if is_short(source) => Some("the file is cut off; copy it again"),
        Data::Picture { .. } => Some("jpg, png, webp, bmp, gif, qoi and tif pictures can be read"),
        Data::ForeignPicture { kind, .. } if kind.contains("HEIC") => Some(
            "save it as jpg or png first; an iPhone takes jpg with Settings > Camera > Formats > Most Compatible",
        ),
        Data::ForeignPicture { kind: "a video", .. } => Some(
            "`edit` and `read` know films by their names, as in film.mp4; other commands take pictures: ffmpeg -i VIDEO -frames:v 1 photo.png",
        ),
        Data::ForeignPicture { .. } => Some("save the photo as jpg or png first"),
        Data::PictureTooLarge { .. } => Some(
            "make it smaller first, for example with ImageMagick: magick PHOTO -resize 8000x8000 smaller.jpg",
        ),
        Data::Read { .. } => Some("check the path"),
        Data::Write { .. } => Some("check that the folder exists and may be written to"),
        Data::NoLabels { .. } => Some(
            "a dataset folder holds imgs/, labels, train_ids.csv and test_ids.csv, as assets/sample_dataset does",
        ),
        Data::Dataset { first, .. } if matches!(**first, Data::MissingPicture { near: Some(_), .. }) => {
            Some("lists hold one file name of imgs/ a line; write names as they are there, in the same case")
        }
        Data::NotText { .. } => Some("save it as UTF-8 (in PowerShell: Out-File -Encoding utf8)"),
        Data::Dataset { .. } => Some("mend the dataset, or leave such faces out with --skip-bad"),
        Data::UnknownFilmFormat { .. } => Some("use gif, png, apng, mp4, mov, mkv or webm, or a folder"),
        Data::FilmTooLong { .. } => Some("write a video or an animated PNG, or lower --max-side"),
        Data::FolderNotEmpty { .. } => Some("name a new folder for the frames"),
        Data::NoFfmpeg { .. } => Some("install ffmpeg, or write a gif or an animated png"),
        Data::NoFfprobe { .. } => Some("install ffmpeg"),
        Data::FilmInput { .. } => Some("does a player show it? mp4, mov, mkv, webm, avi and others are read"),
        Data::NoEncoder { .. } => {
            Some("install a full ffmpeg, or write another format: mp4, gif or an animated png")
        }
        Data::Ffmpeg { .. } => Some("try another format: gif, png, mp4, mov, mkv or webm"),
        Data::TooFewFaces { .. } => Some("lower --batch-size"),
        Data::FileTooLarge { .. } => Some("is this the right file?"),
        Data::Csv { path, .. } | Data::NotANumber { path, .. } | Data::MissingColumn { path, .. }
            if path.ends_with(LANDMARKS_FILE) =>
        {
            Some(
                "landmarks.csv has the columns file, x_0 to x_67 and y_0 to y_67, in pixels of the pictures in imgs/",
            )
        }
        Data::Csv { .. } | Data::NotANumber { .. } | Data::MissingColumn { .. } => {
            Some("OpenFace's tables are separated by commas and have AU01_r to AU45_r: run it with -aus")
        }
        Data::RepeatedLabel { .. } | Data::RepeatedLandmarks { .. } => Some("keep one of them"),
        Data::NoLandmarks { .. } => Some(
            "`ganimation doctor` counts landmarks; the paper's network needs none: leave `--network motion` out",
        ),
        Data::LandmarksOfOtherSize { .. } => {
            Some("`ganimation doctor` counts landmarks and draws some of them")
        }
        Data::OffScale { .. } => {
            Some("intensities run from 0 to 5; a spreadsheet that loses the decimal comma makes 250 of 2,50")
        }
        Data::ForeignTable {
            tool: "OpenFace 3", ..
        } => Some("measure with OpenFace 2 (FeatureExtraction -aus), or take pictures and --like FOLDER"),
        Data::ForeignTable { .. } => Some(
            "`animate --drive FILE --fill-absent` takes absent action units to be 0; OpenFace 2 measures all 17",
        ),
        Data::FrameRate { .. } => Some("write a number or a fraction, as in 25, 29.97 or 30000/1001"),
        Data::Busy { .. } => Some("wait until it ends or stop it, or write elsewhere"),
        Data::OtherSettings { .. } => Some("go on with the same settings, or choose another -o"),
        Data::SameName { .. } => Some("rename one of them"),
        Data::SameFrame { .. } | Data::NoFrame { .. } => Some(
            "--from-frames takes one table of FeatureExtraction and frames numbered at the end of their names",
        ),
        Data::NoPhotos { skipped, .. } if skipped.is_empty() => Some("name the folder that holds the photos"),
        Data::NoPhotos { .. } => Some(UNSUPPORTED),
        Data::NothingPrepared { .. } => Some(
            "tables stand beside the photos, in processed/ there, or where --csv says, under the photos' names",
        ),
        Data::TooManyBad { .. } => {
            Some("is the disk still there? `ganimation doctor` looks at every picture")
        }
        Data::LoaderThread { .. } => Some("lower --workers"),
        _ => None,
    }
}

/// Whether a decoder wanted more than the file has.
fn is_short(error: &image::ImageError) -> bool {
    matches!(error, image::ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof)
}

fn model_hint(error: &ganimation_model::Error) -> Option<&'static str> {
    use ganimation_model::Error as Model;
    match error {
        Model::Read { .. } => Some("check the path"),
        Model::TooLarge { .. } => Some("is this the right file?"),
        Model::Write { .. } => Some("check that the folder exists and may be written to"),
        Model::Torch {
            source: TorchProblem::Module(_),
            ..
        } => Some(
            "in Python, where its code is: torch.save(torch.load(FILE, weights_only=False).state_dict(), NEW), then import NEW",
        ),
        Model::Torch {
            source: TorchProblem::Script,
            ..
        } => Some("in Python: torch.save(torch.jit.load(FILE).state_dict(), NEW), then import NEW"),
        Model::NoKey { .. } => Some("choose one of these with --key, or leave it out if there is one"),
        Model::UnknownFile { .. } | Model::NoTensors { .. } | Model::Torch { .. } => Some(
            "a file of torch.save(network.state_dict()), or a checkpoint with one in it, can be imported",
        ),
        Model::UnknownLayout { .. } => {
            Some("the layouts of the released code, of ganimation_replicate and of vipermu are known")
        }
        Model::SeveralNetworks { .. } => Some("choose one with --key, as in --key G_ema"),
        Model::Import { .. } | Model::Inflated { .. } => {
            Some("save it again with torch.save(network.state_dict(), FILE)")
        }
        Model::ImageSize { .. } => Some("choose an --image-size of 64, 128, 192, …"),
        _ => Some("weights are safetensors files that `ganimation train`, `import` or `export` wrote"),
    }
}

fn train_hint(error: &ganimation_train::Error) -> Option<String> {
    use ganimation_train::Error as Train;
    let hint = match error {
        Train::Setting { name, .. } => return Some(setting_hint(name)),
        Train::RunExists(_) => "go on with it with --resume, or choose another --name",
        Train::NothingToResume(_) => "check --name and --runs-dir, or start the run without --resume",
        Train::File { .. } => "check that the folder exists, may be written to and has room",
        Train::Damaged { path, .. } if path.file_name() == Some(OsStr::new("config.toml")) => {
            "mend the file, or start again under another --name"
        }
        Train::Damaged { .. } => "remove the newest folder in checkpoints/ to go on from the one before",
        Train::NotFinite { .. } | Train::BrokenWeights { .. } => {
            "go on with --resume and a lower --learning-rate"
        }
        Train::Warned(warning) => warning.advice,
        Train::NotARun(_) => "check the name and --runs-dir",
        Train::Assignment { .. } => "write NAME=VALUE as in loss.lambda_cycle=5",
        Train::Settings { .. } => "`config.toml` of any run shows the names and kinds of all settings",
        Train::Unchangeable { .. } => {
            "begin another run, with --from and this run's newest checkpoint if you like"
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

/// Where a person gives the setting of that name in `config.toml`.
fn setting_hint(name: &str) -> String {
    let flag = match name {
        "faces" => return "look at more --faces, or list more of them in test_ids.csv".to_owned(),
        "generator_channels" => "channels",
        "discriminator_channels" => "discriminator-channels",
        "learning_rate" | "adam.learning_rate" => "learning-rate",
        "image_size" | "batch_size" | "steps" | "n_critic" | "balance" | "ema_decay" | "seed" | "workers"
        | "checkpoint_every" | "preview_every" | "log_every" | "validate_every" => name,
        "precision" => return "leave --precision out".to_owned(),
        "loss" => return "leave `--preset released` out, or use one device".to_owned(),
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
