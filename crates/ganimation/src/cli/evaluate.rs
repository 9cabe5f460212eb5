//! `ganimation evaluate`: a generator's weights and held-out faces to a scorecard.

use std::path::PathBuf;

use clap::Args;
use ganimation::Result;
use ganimation::device;
use ganimation_data::{Dataset, Split};
use ganimation_model::AuReader;
use ganimation_model::weights::load_au_reader;
use ganimation_train::evaluate::{Extent, Scorecard, Trial, evaluate};

use super::inputs::Network;
use super::output::{note, say};
use super::progress::bar;

const EXAMPLES: &str = "Examples:
  Score a run, then open scorecard/index.html:
    ganimation evaluate --data faces --weights runs/experiment_1/generator.safetensors

  A quick look, on 100 faces:
    ganimation evaluate --data faces --weights generator.safetensors --faces 100 --sweep-faces 8

The faces are those of test_ids.csv. The reader, a network such as `ganimation train-reader` makes, says which action
units it sees before and after an edit; how well it reads unedited faces stands on the scorecard too. The folder holds
scorecard.json, scorecard.md (for a model card), index.html, edits.png and painted.png.";

/// Score a generator on held-out faces
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Evaluate {
    /// Dataset folder; its test faces are looked at
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    #[command(flatten)]
    network: Network,

    /// Who reads the action units in place of the bundled reader (safetensors)
    #[arg(long, value_name = "FILE")]
    reader: Option<PathBuf>,

    /// Folder for the scorecard
    #[arg(short, long, value_name = "DIR", default_value = "scorecard")]
    output: PathBuf,

    /// Look at so many test faces, evenly spread; all when left out
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    faces: Option<usize>,

    /// Faces of which every action unit is swept from 0 to 5, 102 edits each
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = Extent::default().sweep_faces)]
    sweep_faces: usize,

    /// Faces edited at once
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = Extent::default().batch_size)]
    batch_size: usize,

    /// Picks whose action units are asked of whom
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = Extent::default().seed)]
    seed: u64,
}

impl Evaluate {
    pub(super) fn run(self) -> Result<()> {
        let device = device::resolve(self.network.device)?;
        let animator = self.network.load()?;
        let (reader, of_reader) = match &self.reader {
            Some(path) => {
                let (reader, metadata) = load_au_reader(path, &device)?;
                (reader, metadata.training)
            }
            None => (animator.reader().clone(), "see its model card".to_owned()),
        };
        if matches!(reader, AuReader::Critic { .. }) {
            note("warning: a critic's head is no judge of generators that were trained to please it");
        }
        let dataset = Dataset::open(&self.data)?;
        let trial = Trial {
            editor: animator.generator(),
            image_size: animator.metadata().image_size,
            judge: &reader,
            device: &device,
        };
        let extent = Extent {
            faces: self.faces,
            sweep_faces: self.sweep_faces,
            batch_size: self.batch_size,
            seed: self.seed,
        };
        let bar = bar(0, "evaluating");
        let evaluation = evaluate(trial, dataset.split(Split::Test), extent, &mut |done, total| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();

        let from = |path: &Option<PathBuf>| {
            let path = path.as_ref().map(|path| path.display().to_string());
            path.unwrap_or_else(|| "bundled".to_owned())
        };
        let about = [
            ("weights", from(&self.network.weights)),
            ("trained", animator.metadata().training.clone()),
            ("reader", from(&self.reader)),
            ("reader trained", of_reader),
            (
                "faces",
                self.data.join(Split::Test.file_name()).display().to_string(),
            ),
        ];
        evaluation.save(&self.output, &about)?;
        tell(&evaluation.scorecard)?;
        say(self.output.join("index.html").display())
    }
}

/// The lines that one looks at first.
fn tell(card: &Scorecard) -> Result<()> {
    say(format_args!(
        "{} faces, {} px; reader on unedited faces: correlation {:.2}",
        card.faces, card.image_size, card.reading.mean_correlation
    ))?;
    say("asked at 3   faces   mean rise   rising by 0.5   leakage")?;
    for ask in &card.asks {
        say(format_args!(
            "{:<10}   {:>5}   {:>9.2}   {:>12.0}%   {:>7.2}",
            ask.units.join("+"),
            ask.faces,
            ask.mean_rise,
            100.0 * ask.share_risen,
            ask.leakage
        ))?;
    }
    say(format_args!(
        "sweep 0 to 5: rank correlation {:.2} pooled, {:.2} within a face; random targets: correlation {:.2}, error {:.2}",
        card.sweep.mean_pooled_correlation,
        card.sweep.mean_face_correlation,
        card.targets.mean_correlation,
        card.targets.mean_error
    ))?;
    say(format_args!(
        "self-edit {:.2}%, there and back {:.2}%, outside mouth and brows {:.2}% of the range; 1 - A at the mouth {:.2}, \
         in the corners {:.3}",
        100.0 * card.self_edit.pixel_error,
        100.0 * card.cycle_error,
        100.0 * card.identity.outside,
        card.attention.mouth,
        card.attention.corners
    ))
}
