//! `ganimation evaluate`: the scorecard of a generator on held-out faces.

use std::path::{Path, PathBuf};

use clap::Args;
use ganimation::{Animator, Expression, PhotoOptions, device};
use ganimation_data::{Dataset, OpenOptions, Split};
use ganimation_model::AuEstimator;
use ganimation_model::weights::load_au_estimator;
use ganimation_train::evaluate::{Extent, PhotoScore, PhotosScore, Scorecard, Trial, evaluate};

use super::inputs::{Faces, Network, photos_in};
use super::output::{note, say};
use super::progress::bar;
use crate::error::{Error, LibraryError, Result};

const EXAMPLES: &str = "Examples:
  Score a run, then open scorecard/index.html:
    ganimation evaluate --data faces --weights runs/experiment_1/generator.safetensors

  A quick evaluation on 100 faces:
    ganimation evaluate --data faces --weights generator.safetensors --faces 100 --sweep-faces 8

  With whole photos at their own resolution:
    ganimation evaluate --data faces --weights generator.safetensors --photos photos

The faces are those of test_ids.csv. An AU regressor (see `ganimation train-au-regressor`) estimates the action units before
and after each edit. The scorecard also contains its accuracy on unedited faces, and the same numbers for an editor that does
nothing. 800 faces need about 17,000 edits. The output folder contains scorecard.json, scorecard.md (for a model card),
index.html, edits.png and mask_coverage.png.";

/// Score a generator on held-out faces
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Evaluate {
    /// Dataset folder; its test faces are used
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    #[command(flatten)]
    network: Network,

    /// AU regressor to use instead of the bundled one (safetensors)
    #[arg(long, alias = "reader", value_name = "FILE")]
    au_estimator: Option<PathBuf>,

    /// Folder of photos (jpg, png, webp), to measure a smile and surprise at their own resolution
    #[arg(long, value_name = "DIR")]
    photos: Option<PathBuf>,

    #[command(flatten)]
    which: Faces,

    /// Folder for the scorecard
    #[arg(short, long, value_name = "DIR", default_value = "scorecard")]
    output: PathBuf,

    /// Number of test faces, spread evenly; by default all
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    faces: Option<usize>,

    /// Faces for sweeps of every action unit from 0 to 5, 102 edits each
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = Extent::default().sweep_faces)]
    sweep_faces: usize,

    /// Faces for detail and colour of eight expressions
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = Extent::default().expression_faces)]
    expression_faces: usize,

    /// Faces for response curves, 126 edits each
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = Extent::default().curve_faces)]
    curve_faces: usize,

    /// Faces edited at once
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = Extent::default().batch_size)]
    batch_size: usize,

    /// Seed of the choice of target faces
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = Extent::default().seed)]
    seed: u64,
}

impl Evaluate {
    pub(super) fn run(self) -> Result<()> {
        let device = device::resolve(self.network.device)?;
        let animator = self.network.load()?;
        let (estimator, estimator_training) = match &self.au_estimator {
            Some(path) => {
                let (estimator, metadata) = load_au_estimator(path, &device)?;
                (estimator, metadata.training)
            }
            None => (animator.au_estimator().clone(), "see its model card".to_owned()),
        };
        if matches!(estimator, AuEstimator::Discriminator { .. }) {
            note("warning: a discriminator cannot evaluate generators that were trained against it");
        }
        let test = OpenOptions {
            only: Some(Split::Test),
            ..OpenOptions::default()
        };
        let dataset = Dataset::open_with(&self.data, test)?;
        // Photos come first, so that an unreadable photo is reported before the long evaluation.
        let options = self.which.options(None);
        let photos = self.photos.as_ref();
        let photos = photos.map(|folder| score_photos(folder, &animator, &options));
        let photos = photos.transpose()?;
        let trial = Trial {
            editor: animator.generator(),
            image_size: animator.metadata().image_size,
            judge: &estimator,
            device: &device,
        };
        let extent = Extent {
            faces: self.faces,
            sweep_faces: self.sweep_faces,
            expression_faces: self.expression_faces,
            curve_faces: self.curve_faces,
            batch_size: self.batch_size,
            seed: self.seed,
        };
        let bar = bar(0, "evaluating");
        let mut evaluation = evaluate(trial, dataset.split(Split::Test), extent, &mut |done, total| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        evaluation.scorecard.photos = photos;

        let from = |path: &Option<PathBuf>| {
            let path = path.as_ref().map(|path| path.display().to_string());
            path.unwrap_or_else(|| "bundled".to_owned())
        };
        let about = [
            ("weights", from(&self.network.weights)),
            ("trained", animator.metadata().training.clone()),
            ("AU regressor", from(&self.au_estimator)),
            ("AU regressor trained", estimator_training),
            (
                "faces",
                self.data.join(Split::Test.file_name()).display().to_string(),
            ),
        ];
        evaluation.save(&self.output, &about)?;
        print(&evaluation.scorecard)?;
        say(self.output.join("index.html").display())
    }
}

/// Edits the photos in a folder. Photos without an editable face are skipped.
fn score_photos(folder: &Path, animator: &Animator, options: &PhotoOptions) -> Result<PhotosScore> {
    let paths = photos_in(folder)?;
    let bar = bar(paths.len(), "photos");
    let mut scores = Vec::new();
    for path in paths {
        match animator.open(&path, options) {
            Ok(photo) => {
                let faces: Vec<_> = photo.faces().iter().map(|face| face.bounds()).collect();
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                scores.push(PhotoScore::measure(&name, photo.photo(), &faces, |requested| {
                    let mut units = requested.iter();
                    let expression =
                        units.try_fold(Expression::new(), |all, &(unit, value)| all.with(unit, value))?;
                    Ok::<_, Error>(animator.edit(&photo, &expression).photo)
                })?);
            }
            Err(error @ LibraryError::InFile { .. }) => {
                bar.suspend(|| note(format_args!("skipped: {error}")))
            }
            Err(error) => return Err(error.into()),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if scores.is_empty() {
        return Err(Error::NoFaces {
            path: folder.to_owned(),
        });
    }
    Ok(PhotosScore::new(scores))
}

/// Prints the most important numbers.
fn print(card: &Scorecard) -> Result<()> {
    let scores = &card.scores;
    say(format_args!(
        "{} faces, {} px, {} edits; AU regressor on unedited faces: correlation {:.2}",
        card.faces, card.image_size, card.edits, card.reading.mean_correlation
    ))?;
    say("target 3     faces   mean rise   rising by 0.5   leakage")?;
    for request in &scores.requests {
        say(format_args!(
            "{:<10}   {:>5}   {:>9.2}   {:>12.0}%   {:>7.2}",
            request.units.join("+"),
            request.faces,
            request.mean_rise,
            100.0 * request.share_risen,
            request.leakage
        ))?;
    }
    say("target 0     faces   mean fall   under 0.5")?;
    for removal in &scores.removal {
        say(format_args!(
            "{:<10}   {:>5}   {:>9.2}   {:>8.0}%",
            removal.units.join("+"),
            removal.faces,
            removal.mean_fall,
            100.0 * removal.share_gone
        ))?;
    }
    say("expression         kept detail   colour of the change")?;
    for expression in &scores.expressions {
        say(format_args!(
            "{:<16}   {:>11.2}   {:>20.2}",
            expression.name, expression.detail, expression.color
        ))?;
    }
    for expression in card.photos.iter().flat_map(|photos| &photos.scores.expressions) {
        say(format_args!(
            "{:<16}   {:>11.2}   {:>20.2}   in whole photos",
            expression.name, expression.detail, expression.color
        ))?;
    }
    if scores.curve.faces > 0 {
        say("0 to 5       r within a face   largest step of pixels   of the estimate")?;
        for curve in &scores.curve.units {
            say(format_args!(
                "{:<10}   {:>15.2}   {:>14.2} x mean   {:>7.2} x mean",
                curve.units.join("+"),
                curve.correlation,
                curve.largest_step_pixels,
                curve.largest_step_reading
            ))?;
        }
    }
    if scores.sweep.faces > 0 {
        say(format_args!(
            "sweep 0 to 5: rank correlation {:.2} pooled, {:.2} within a face",
            scores.sweep.mean_pooled_correlation, scores.sweep.mean_face_correlation
        ))?;
    }
    say(format_args!(
        "random targets: correlation {:.2}, error {:.2}",
        scores.targets.mean_correlation, scores.targets.mean_error
    ))?;
    say(format_args!(
        "unchanged targets: pixel error {:.2}%, largest change {} levels, within 2 levels on {:.0}% of the faces",
        100.0 * scores.self_edit.pixel_error,
        scores.self_edit.largest_level,
        100.0 * scores.self_edit.share_within_two_levels
    ))?;
    say(format_args!(
        "cycle error {:.2}%, outside mouth and brows {:.2}% of the range; 1 - A at the mouth {:.2}, in the corners {:.3}",
        100.0 * scores.cycle_error,
        100.0 * scores.identity.outside,
        scores.attention.mouth,
        scores.attention.corners
    ))
}
