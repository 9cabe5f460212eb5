//! `ganimation prepare`: makes a dataset folder from photos and OpenFace's tables.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use clap::{Args, ValueEnum};
use ganimation::CropMode;
use ganimation::device::{self, DeviceChoice};
use ganimation_data::prepare::{FaceFormat, PrepareConfig, PrepareReport, Prepared, Reason, Source, prepare};
use ganimation_data::{AU_COUNT, Intensities, pixels};
use ganimation_model::AuEstimator;
use ganimation_model::weights::load_au_estimator;
use image::RgbImage;

use super::output::{note, say};
use super::progress::bar;
use super::train::stop_on_interrupt;
use crate::error::{Error, LibraryError, Result};

const EXAMPLES: &str = "Examples:
  Photos, and the tables that OpenFace's FaceLandmarkImg wrote for them (photos/me.jpg, processed/me.csv):
    FaceLandmarkImg -fdir photos -out_dir processed
    ganimation prepare photos --csv processed -o faces

  The frames of a video, and the table that FeatureExtraction wrote for it:
    ffmpeg -i film.mp4 frames/%06d.png
    FeatureExtraction -f film.mp4 -out_dir processed
    ganimation prepare frames --from-frames processed/film.csv -o faces

  Without OpenFace: an AU regressor or a run's discriminator estimates the labels:
    ganimation prepare photos --label-with au_regressor.safetensors -o faces

  Then:
    ganimation doctor faces
    ganimation train --data faces --name experiment_1

In photos with several faces, the face with OpenFace's highest confidence is used, located by its landmarks. After Ctrl-C or a
crash, the same command continues, and adds new photos. report.json lists the skipped photos with reasons.

Subfolders are searched, except hidden folders and OpenFace's `processed` and `..._aligned`. A face gets the name of its photo
with the subfolder as a prefix: s1/0001.jpg becomes s1_0001. If several PHOTOS contain the same name, the names of the parent
folders are added. Tables are searched as s1/0001.csv and s1_0001.csv in --csv, and as 0001.csv if only one photo has that name.

Other kinds of pictures are skipped and counted. Convert them to png first:
    heif-convert PHOTO.heic photo.png";

/// Make a dataset folder from photos and OpenFace's tables
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Prepare {
    /// Folders of photos, searched with their subfolders, or photos (jpg, jpeg, png, webp, bmp, gif, qoi, tif)
    #[arg(required = true, value_name = "PHOTOS")]
    photos: Vec<PathBuf>,

    /// Dataset folder to create or to continue
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,

    #[command(flatten)]
    labels: Labels,

    /// How the face is found in each photo
    #[arg(long, value_enum, default_value_t)]
    crop: CropMode,

    /// Side of the faces in pixels
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(16..=4096), default_value = "128")]
    size: u32,

    /// Format of the face crops
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// JPEG quality
    #[arg(long, value_name = "1..100", value_parser = clap::value_parser!(u8).range(1..=100), default_value = "95")]
    quality: u8,

    /// Skip faces with a lower confidence of OpenFace, 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.7")]
    min_confidence: f64,

    /// Skip grey faces
    #[arg(long)]
    drop_grey: bool,

    /// Fraction of faces to hold out for tests, 0 to 1; for a video, its end
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.05")]
    test_share: f64,

    /// Seed of the choice of held-out faces
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Threads; by default one per core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    workers: Option<u32>,

    /// Device for --label-with: auto, flex, cuda, cuda:1, wgpu, vulkan, metal, ndarray
    #[arg(long, value_name = "DEVICE", default_value_t, requires = "label_with")]
    device: DeviceChoice,
}

/// The source of labels; by default tables next to the photos, or in the folder `processed` next to them.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct Labels {
    /// Folder of FaceLandmarkImg's tables, one per photo; by default next to the photos or in processed/
    #[arg(long, value_name = "DIR")]
    csv: Option<PathBuf>,

    /// FeatureExtraction's table of a video; the photos are the frames of the video
    #[arg(long, value_name = "CSV")]
    from_frames: Option<PathBuf>,

    /// Weights of an AU regressor or a discriminator that estimates the labels (safetensors)
    #[arg(long, value_name = "WEIGHTS")]
    label_with: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JPEG: small files
    #[default]
    Jpg,
    /// PNG: lossless, about five times larger
    Png,
}

impl Prepare {
    pub(super) fn run(self) -> Result<()> {
        let mut config = PrepareConfig::new(self.photos.clone(), &self.output);
        config.size = self.size;
        config.format = match self.format {
            Format::Jpg => FaceFormat::Jpeg(self.quality),
            Format::Png => FaceFormat::Png,
        };
        config.min_confidence = self.min_confidence;
        config.drop_grey = self.drop_grey;
        config.whole = self.crop == CropMode::None;
        config.test_share = self.test_share;
        config.seed = self.seed;
        if let Some(workers) = self.workers {
            config.workers = workers as usize;
        }
        if let Some(csv) = self.labels.csv.as_deref().filter(|csv| !csv.is_dir()) {
            return Err(Error::NotAFolder { path: csv.to_owned() });
        }
        match (&self.labels.from_frames, &self.labels.label_with) {
            (Some(table), _) => self.prepare(&config, Source::Frames(table)),
            (None, Some(weights)) => {
                let device = device::resolve(self.device)?;
                let (estimator, metadata) = load_au_estimator(weights, &device)?;
                if metadata.action_units.len() != AU_COUNT {
                    let found = metadata.action_units;
                    return Err(LibraryError::OtherActionUnits { found }.into());
                }
                let read = |face: &RgbImage| read_face(&estimator, face, &device);
                let name = weights.display().to_string();
                self.prepare(&config, Source::Estimator(&name, &read))
            }
            (None, None) => self.prepare(&config, Source::Tables(self.labels.csv.as_deref())),
        }
    }

    fn prepare(&self, config: &PrepareConfig, source: Source<'_>) -> Result<()> {
        let (bar, stop) = (bar(0, "preparing"), Arc::new(AtomicBool::new(false)));
        stop_on_interrupt(&stop, bar.clone());
        let mut progress = |done: usize, of: usize| {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        };
        let prepared = prepare(config, source, &mut progress, &stop);
        bar.finish_and_clear();
        match prepared? {
            Prepared::Finished(report) => self.print(&report),
            Prepared::Stopped { done, of } => {
                note(format_args!(
                    "{done} of {of} photos are done; run the same command to continue"
                ));
                Err(Error::Stopped)
            }
        }
    }

    fn print(&self, report: &PrepareReport) -> Result<()> {
        let faces = report.train + report.test;
        say(format_args!(
            "{faces} faces from {} photos: {} to train on, {} held out",
            report.photos, report.train, report.test
        ))?;
        for (reason, count) in &report.dropped {
            say(format_args!("{count:>7} skipped: {}", reason.text()))?;
        }
        let off_scale = report
            .dropped_photos
            .values()
            .find(|drop| drop.reason == Reason::OffScale);
        if let Some(drop) = off_scale {
            say(format_args!("        such as {}", drop.detail))?;
        }
        for (kind, count) in &report.skipped {
            say(format_args!(
                "{count:>7} skipped: {kind} (convert them to png, see --help)"
            ))?;
        }
        if let Some(first) = &report.first_off_scale {
            let count = report.off_scale;
            say(format_args!(
                "{count:>7} of the labels are outside 0 to 5 and are clamped, the first in {first}"
            ))?;
        }
        for (count, what) in [
            (report.grey, "are grey"),
            (report.enlarged, "were enlarged"),
            (
                faces - report.landmarks,
                "have no landmarks (x_0 to y_67 in OpenFace's tables), which the motion network needs",
            ),
            (
                report.guessed,
                "are uncertain: several faces, and the tables have no landmarks",
            ),
        ] {
            if count > 0 {
                say(format_args!("{count:>7} of the faces {what}"))?;
            }
        }
        say(self.output.display())
    }
}

/// The estimated action units of a face.
fn read_face(estimator: &AuEstimator, face: &RgbImage, device: &Device) -> Intensities {
    let image = pixels::tensor_from_images(std::slice::from_ref(face), device);
    let values = estimator
        .estimate(image)
        .into_data_as::<f32>()
        .try_into_vec::<f32>();
    let values = values
        .ok()
        .and_then(|values| <[f32; AU_COUNT]>::try_from(values).ok());
    let Some(values) = values else {
        panic!("an estimator of {AU_COUNT} action units returned another number of them")
    };
    // Two decimals, as OpenFace writes them.
    let rounded = |value: f32| (value * 100.0).round() / 100.0;
    Intensities::new(Intensities::from_normalized(values).as_array().map(rounded))
}

/// A fraction from 0 to 1.
fn share(text: &str) -> std::result::Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}
