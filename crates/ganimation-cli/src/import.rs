//! `ganimation import`: converts weights from PyTorch to a file of this project.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use ganimation::device::{self, DeviceChoice};
use ganimation_model::import::{Imported, Network, import_under};
use ganimation_model::weights::{FloatFormat, save_discriminator, save_generator};

use super::export::WEIGHTS;
use super::inputs::check_outputs;
use super::output::{note, say};
use crate::error::{Error, Result};

/// Number of dropped tensors to print without `--list`.
const SHOWN: usize = 4;

const EXAMPLES: &str = "Examples:
  A generator trained with the released code:
    ganimation import net_epoch_30_id_G.pth -o mine.safetensors
    ganimation edit me.jpg --weights mine.safetensors --au 12=3 -o smiling.png

  Both networks; this writes mine.safetensors and mine-discriminator.safetensors:
    ganimation import net_epoch_30_id_G.pth net_epoch_30_id_D.pth -o mine.safetensors

  The EMA (moving average) in a checkpoint with two generators:
    ganimation import checkpoint.pth --key G_ema -o mine.safetensors

  Supported layouts: the released code, ganimation_replicate and vipermu, in zip archives and older streams,
  alone or in a checkpoint. Nothing in a file is executed.";

/// Import weights from PyTorch
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Import {
    /// PyTorch files (pth, pt) or safetensors with a generator, a discriminator or both
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The file to write (safetensors): the generator, or a discriminator without a generator
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Side of the generator's training faces, in pixels; by default the discriminator's, or 128 without one
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(4..=2048))]
    image_size: Option<u32>,

    /// Key of the network in a file with several networks, for example G_ema
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    /// Description of the training in the file's metadata
    #[arg(long, value_name = "TEXT")]
    training: Option<String>,

    /// Licence in the file's metadata
    #[arg(long, value_name = "TEXT")]
    license: Option<String>,

    /// List every tensor that is used, filled in or dropped
    #[arg(long)]
    list: bool,
}

impl Import {
    pub(super) fn run(self) -> Result<()> {
        let beside = beside(&self.output);
        let outputs = [(self.output.as_path(), WEIGHTS), (beside.as_path(), WEIGHTS)];
        for file in &self.files {
            check_outputs(file, outputs)?;
        }
        let device = device::resolve(DeviceChoice::Auto)?;
        let (mut generator, mut discriminator) = (None, None);
        for file in &self.files {
            for mut imported in import_under(file, self.key.as_deref(), &device)? {
                self.describe(file, &mut imported);
                let (place, kind) = match imported.network {
                    Network::Generator(_) => (&mut generator, "generator"),
                    Network::Discriminator(_) => (&mut discriminator, "discriminator"),
                };
                if let Some((first, _)) = place.replace((file.clone(), imported)) {
                    return Err(Error::TwoNetworks {
                        kind,
                        first,
                        second: file.clone(),
                    });
                }
            }
        }
        let discriminator_size = discriminator
            .as_ref()
            .map(|(_, imported)| imported.metadata.image_size);
        let alone = generator.is_none();
        for (file, mut imported) in generator.into_iter().chain(discriminator) {
            self.print(&file, &imported);
            let path = match &imported.network {
                Network::Generator(generator) => {
                    let given = self.image_size.map(|size| size as usize);
                    if let Some(size) = given.or(discriminator_size) {
                        imported.metadata.image_size = size;
                    }
                    save_generator(&self.output, generator, &imported.metadata, FloatFormat::F32)?;
                    &self.output
                }
                Network::Discriminator(discriminator) => {
                    let path = if alone { &self.output } else { &beside };
                    save_discriminator(path, discriminator, &imported.metadata, FloatFormat::F32)?;
                    path
                }
            };
            say(path.display())?;
        }
        Ok(())
    }

    /// Sets the metadata of the network for the file.
    fn describe(&self, file: &Path, imported: &mut Imported) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let from = format!("imported from {name} in the layout of {}", imported.layout);
        imported.metadata.training = self.training.clone().unwrap_or(from);
        if let Some(license) = &self.license {
            imported.metadata.license = license.clone();
        }
    }

    /// Prints to stderr how the file's tensors are used.
    fn print(&self, file: &Path, imported: &Imported) {
        let kind = match imported.network {
            Network::Generator(_) => "generator",
            Network::Discriminator(_) => "discriminator",
        };
        let under = match imported.prefix.trim_end_matches('.') {
            "" => String::new(),
            key => format!(" under `{key}`"),
        };
        note(format_args!(
            "{}: a {kind} in the layout of {}{under}, {} tensors used",
            file.display(),
            imported.layout,
            imported.taken.len()
        ));
        if self.list {
            for (from, to) in &imported.taken {
                note(format_args!("  {from} -> {to}"));
            }
        }
        if !imported.filled.is_empty() {
            let names: Vec<&str> = imported.filled.iter().map(String::as_str).collect();
            self.note_names(
                "filled in, scale 1 and shift 0 of norms without parameters",
                &names,
            );
        }
        let mut reasons: BTreeMap<_, Vec<&str>> = BTreeMap::new();
        for (name, reason) in &imported.dropped {
            reasons.entry(reason).or_default().push(name);
        }
        for (reason, names) in reasons {
            self.note_names(&format!("dropped, {reason}"), &names);
        }
    }

    fn note_names(&self, what: &str, names: &[&str]) {
        let shown = if self.list {
            names.len()
        } else {
            names.len().min(SHOWN)
        };
        let more = match names.len() - shown {
            0 => String::new(),
            more => format!(" and {more} more (--list)"),
        };
        note(format_args!("  {what}: {}{more}", names[..shown].join(", ")));
    }
}

/// The path of a discriminator that is imported with a generator: `mine-discriminator.safetensors` next to
/// `mine.safetensors`.
fn beside(output: &Path) -> PathBuf {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let extension = output.extension().unwrap_or_default().to_string_lossy();
    output.with_file_name(format!("{stem}-discriminator.{extension}"))
}
