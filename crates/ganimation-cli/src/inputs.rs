//! Options that several commands share.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use ganimation::device::{self, DeviceChoice};
use ganimation::{Animator, CropMode, FaceChoice, FacePhoto, PhotoOptions};
use ganimation_data::picture::Source;
use ganimation_data::picture::{PhotoFile, read_photo};
use ganimation_data::{PHOTO_EXTENSIONS, is_side_file};
use ganimation_data::{Turn, file_extension};

use super::film::is_film;
use super::output::note;
use crate::error::{Error, Result};

/// Picture formats that can be written.
pub(super) const PICTURES: &[&str] = &["png", "jpg", "jpeg", "webp"];

/// The generator and its device.
#[derive(Debug, Args)]
pub(super) struct Network {
    /// Weights to use instead of the bundled ones (safetensors)
    #[arg(long, value_name = "FILE")]
    pub(super) weights: Option<PathBuf>,

    /// Device: auto, flex, cuda, cuda:1, wgpu, vulkan, metal, ndarray
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub(super) device: DeviceChoice,
}

impl Network {
    /// Loads the weights onto the device.
    pub(super) fn load(&self) -> Result<Animator> {
        let device = device::resolve(self.device)?;
        Ok(match &self.weights {
            Some(path) => Animator::load(path, &device)?,
            None => Animator::bundled_on(&device)?,
        })
    }
}

/// The generator and the AU estimator.
#[derive(Debug, Args)]
pub(super) struct Networks {
    #[command(flatten)]
    network: Network,

    /// AU regressor or discriminator to use instead of the bundled AU regressor (safetensors)
    #[arg(long, alias = "reader", value_name = "FILE")]
    au_estimator: Option<PathBuf>,
}

impl Networks {
    /// Loads both onto the device.
    pub(super) fn load(&self) -> Result<Animator> {
        let animator = self.network.load()?;
        match &self.au_estimator {
            Some(path) => Ok(animator.with_estimator(path)?),
            None => Ok(animator),
        }
    }

    /// The options for the same networks, without defaults.
    #[cfg(feature = "serve")]
    pub(super) fn options(&self) -> Vec<String> {
        let Network { weights, device } = &self.network;
        let path = |name: &str, path: &Option<PathBuf>| {
            let path = path.as_ref()?;
            Some([name.to_owned(), path.display().to_string()])
        };
        let device =
            (*device != DeviceChoice::default()).then(|| ["--device".to_owned(), device.to_string()]);
        let options = [
            path("--weights", weights),
            path("--au-estimator", &self.au_estimator),
            device,
        ];
        options.into_iter().flatten().flatten().collect()
    }
}

/// The photo and its selected faces.
#[derive(Debug, Args)]
pub(super) struct Photo {
    /// Photo with faces (jpg, png, webp, bmp, gif, qoi, tif)
    photo: PathBuf,

    #[command(flatten)]
    pub(super) faces: Faces,
}

/// The selected faces of photos, and how they are found.
#[derive(Debug, Args)]
pub(super) struct Faces {
    /// Number of the face, from 1 for the largest; by default all faces
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    face: Option<usize>,

    /// How the faces are found
    #[arg(long, value_enum, default_value_t)]
    crop: CropMode,
}

impl Faces {
    /// Options for films: those for frames, the number of the face, and the maximum side in pixels.
    pub(super) fn of_film(&self, max_side: Option<u32>) -> (PhotoOptions, Option<usize>, Option<u32>) {
        (PhotoOptions::new().with_crop(self.crop), self.face, max_side)
    }

    /// Options for photos, reduced to `max_side` pixels if it is given.
    pub(super) fn options(&self, max_side: Option<u32>) -> PhotoOptions {
        let faces = self.face.map_or(FaceChoice::All, FaceChoice::Number);
        let options = PhotoOptions::new().with_crop(self.crop).with_faces(faces);
        max_side.map_or(options, |side| options.with_max_side(side))
    }
}

impl Photo {
    pub(super) fn path(&self) -> &Path {
        &self.photo
    }

    /// Opens the photo, see [`open`].
    pub(super) fn open(&self, animator: &Animator, max_side: Option<u32>) -> Result<Opened> {
        open(animator, &self.photo, &self.faces.options(max_side))
    }
}

/// An open photo.
pub(super) struct Opened {
    pub(super) photo: FacePhoto,
    /// The file's data beyond 8-bit RGB.
    pub(super) source: Source,
}

/// Reads a photo, prints notes about the file, and finds the faces, including rotated faces.
pub(super) fn open(animator: &Animator, path: &Path, options: &PhotoOptions) -> Result<Opened> {
    if is_film(path) {
        return Err(Error::NotOfFilms {
            path: path.to_owned(),
            why: "a photo is needed here",
        });
    }
    let PhotoFile {
        pixels,
        source,
        remarks,
    } = read_photo(path)?;
    for remark in remarks {
        note(format_args!("note: {}: {remark}", path.display()));
    }
    let photo = animator.detect(pixels, options);
    let photo = photo.map_err(|error| error.in_file(path))?;
    for (number, face) in (1..).zip(photo.faces()) {
        if face.turn() != Turn::None {
            note(format_args!(
                "note: {}: face {number} is {}",
                path.display(),
                face.turn()
            ));
        }
    }
    Ok(Opened { photo, source })
}

/// An output file and its allowed extensions.
pub(super) type Output<'a> = (&'a Path, &'static [&'static str]);

/// Checks, before any work is done, that the files can be written and that they do not replace each other or `input`.
pub(super) fn check_outputs<'a>(input: &Path, outputs: impl IntoIterator<Item = Output<'a>>) -> Result<()> {
    let input = identity(input);
    let mut seen = Vec::new();
    for (path, accepted) in outputs {
        check_output(path, accepted)?;
        let identity = identity(path);
        if identity == input {
            return Err(Error::OutputIsInput {
                path: path.to_owned(),
            });
        }
        if seen.contains(&identity) {
            return Err(Error::SameOutput {
                path: path.to_owned(),
            });
        }
        seen.push(identity);
    }
    Ok(())
}

fn check_output(path: &Path, accepted: &'static [&'static str]) -> Result<()> {
    if !accepted.contains(&file_extension(path).as_str()) {
        return Err(Error::OutputFormat {
            path: path.to_owned(),
            accepted,
        });
    }
    if path.is_dir() {
        return Err(Error::OutputIsFolder {
            path: path.to_owned(),
        });
    }
    let folder = folder_of(path);
    if folder.is_dir() {
        Ok(())
    } else {
        Err(Error::NoFolder {
            path: path.to_owned(),
            folder: folder.to_owned(),
        })
    }
}

/// The canonical path, also for a file that does not exist yet.
fn identity(path: &Path) -> PathBuf {
    if let Ok(path) = fs::canonicalize(path) {
        return path;
    }
    match (fs::canonicalize(folder_of(path)), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Checks that a folder for frames can be created.
pub(super) fn check_output_folder(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    if folder.is_dir() {
        return Ok(());
    }
    Err(Error::NoFolder {
        path: path.to_owned(),
        folder: folder.to_owned(),
    })
}

/// The pictures of a folder, by extension, sorted by name.
pub(super) fn photos_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let failure = |source| ganimation_data::Error::Read {
        path: folder.to_owned(),
        source,
    };
    let mut photos = Vec::new();
    for entry in fs::read_dir(folder).map_err(failure)? {
        let path = entry.map_err(failure)?.path();
        if PHOTO_EXTENSIONS.contains(&file_extension(&path).as_str()) && !is_side_file(&path) {
            photos.push(path);
        }
    }
    photos.sort();
    Ok(photos)
}
