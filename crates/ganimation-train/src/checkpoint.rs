//! Checkpoints: folders that are always complete or absent.
//!
//! A checkpoint is written to `checkpoints/.scratch`, synced and renamed to `checkpoints/step-N`; an old one is renamed
//! to `checkpoints/.trash` before it is deleted. If the process is killed at any time, all named checkpoints are
//! complete. The next process removes the remaining scratch and trash folders.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{DType, Device};
use ganimation_data::write_whole;
use ganimation_model::weights::FloatFormat;
use ganimation_model::{NamedTensors, load_state_dict, state_dict, tensors_from_bytes, tensors_to_bytes};

use crate::config::{AdamConfig, Network, TrainConfig};
use crate::optimizer::Adam;
use crate::trainer::Trainer;
use crate::{Error, Result};

const SCRATCH: &str = ".scratch";
const TRASH: &str = ".trash";
const GENERATOR: &str = "generator.safetensors";
const DISCRIMINATOR: &str = "discriminator.safetensors";
const AVERAGE: &str = "average.safetensors";
const GENERATOR_ADAM: &str = "generator_adam.safetensors";
const DISCRIMINATOR_ADAM: &str = "discriminator_adam.safetensors";
/// Metadata key of an optimiser's file.
const COUNT: &str = "count";

/// Which checkpoints to keep when a new one is complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// The number of newest checkpoints to keep.
    pub(crate) newest: usize,
    /// Keep checkpoints whose step is a multiple of this.
    pub(crate) every: Option<u64>,
    /// Keep the checkpoint of this step.
    pub(crate) best: Option<u64>,
}

impl Keep {
    fn holds(self, step: u64, newer: usize) -> bool {
        let milestone = |every| step.is_multiple_of(every);
        newer < self.newest || self.every.is_some_and(milestone) || self.best == Some(step)
    }
}

/// Writes `trainer` after `step` discriminator steps into `folder/step-N`.
pub(crate) fn save<D: Module>(folder: &Path, trainer: &Trainer<D>, step: u64) -> Result<PathBuf> {
    let path = folder.join(format!("step-{step}"));
    if path.exists() {
        return Ok(path); // the same step of the same trajectory
    }
    let scratch = folder.join(SCRATCH);
    clear_leftovers(folder)?;
    fs::create_dir_all(&scratch).map_err(Error::file("create", &scratch))?;
    write_all(&scratch, trainer).inspect_err(|_| {
        // Free the disk space. The first error is the one to report.
        let _ = fs::remove_dir_all(&scratch);
    })?;
    fs::rename(&scratch, &path).map_err(Error::file("name", &path))?;
    sync_folder(folder)?;
    Ok(path)
}

/// Removes the checkpoints that `keep` does not hold.
pub(crate) fn prune(folder: &Path, keep: Keep) -> Result<()> {
    let trash = folder.join(TRASH);
    for (newer, (step, old)) in list(folder)?.iter().rev().enumerate() {
        if !keep.holds(*step, newer) {
            clear(&trash)?;
            fs::rename(old, &trash).map_err(Error::file("remove", old))?;
        }
    }
    clear(&trash)
}

/// Removes files that remain if the process was killed during [`save`].
pub(crate) fn clear_leftovers(folder: &Path) -> Result<()> {
    clear(&folder.join(SCRATCH))?;
    clear(&folder.join(TRASH))
}

fn write_all<D: Module>(scratch: &Path, trainer: &Trainer<D>) -> Result<()> {
    let write = |name, tensors, count| write_tensors(&scratch.join(name), tensors, count);
    write(GENERATOR, state_dict(&trainer.generator), None)?;
    write(DISCRIMINATOR, state_dict(&trainer.discriminator), None)?;
    write(AVERAGE, state_dict(&trainer.average), None)?;
    for (name, adam) in [
        (GENERATOR_ADAM, &trainer.generator_adam),
        (DISCRIMINATOR_ADAM, &trainer.discriminator_adam),
    ] {
        write(name, adam.state(), Some(adam.count()))?;
    }
    sync_folder(scratch)
}

fn clear(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file("clear", folder)(error)),
        _ => Ok(()),
    }
}

/// Initial networks: the `fresh` ones, or those from the files named in their settings.
pub(crate) fn begin<D: Module>(fresh: Trainer<D>) -> Result<Trainer<D>> {
    let config = &fresh.config;
    let of_folder = |name| Some(config.from.as_ref().filter(|path| path.is_dir())?.join(name));
    let discriminator =
        (config.discriminator_from.clone()).or_else(|| of_folder(DISCRIMINATOR).filter(|path| path.exists()));
    let generator = generator_file(config);
    if generator.is_none() && discriminator.is_none() {
        return Ok(fresh);
    }
    let generator = begin_from(generator, fresh.generator)?;
    Ok(Trainer {
        start: needs_start(config).then(|| generator.valid()),
        ..Trainer::from_networks(
            fresh.config.clone(),
            generator,
            begin_from(discriminator, fresh.discriminator)?,
        )
    })
}

/// The file of the generator that the settings name.
fn generator_file(config: &TrainConfig) -> Option<PathBuf> {
    let from = config.from.as_ref()?;
    Some(match from.is_dir() {
        true => from.join(GENERATOR),
        false => from.clone(),
    })
}

/// Whether a loss compares with the generator that training started from.
fn needs_start(config: &TrainConfig) -> bool {
    config.network == Network::Motion && config.motion.taught.start > 0.0
}

fn begin_from<M: Module>(path: Option<PathBuf>, module: M) -> Result<M> {
    let Some(path) = path else {
        return Ok(module);
    };
    let bytes = fs::read(&path).map_err(Error::file("read", &path))?;
    let (tensors, _) = tensors_from_bytes(&bytes).map_err(Error::begin(&path))?;
    load_state_dict(module, tensors.into_iter().collect()).map_err(Error::begin(&path))
}

/// Loads the networks and optimisers of a checkpoint folder into `fresh` ones. The optimisers use the settings `adam`.
pub(crate) fn load<D: Module>(
    path: &Path,
    fresh: Trainer<D>,
    adam: AdamConfig,
    device: &Device,
) -> Result<Trainer<D>> {
    let start = needs_start(&fresh.config)
        .then(|| begin_from(generator_file(&fresh.config), fresh.generator.valid()));
    Ok(Trainer {
        start: start.transpose()?,
        generator_adam: load_adam(path, GENERATOR_ADAM, adam, &fresh.generator, device)?,
        discriminator_adam: load_adam(path, DISCRIMINATOR_ADAM, adam, &fresh.discriminator, device)?,
        generator: load_module(path, GENERATOR, fresh.generator)?,
        discriminator: load_module(path, DISCRIMINATOR, fresh.discriminator)?,
        average: load_module(path, AVERAGE, fresh.average)?,
        further: Vec::new(),
        config: fresh.config,
        team: fresh.team,
    })
}

/// All checkpoints and their numbers of discriminator steps, oldest first.
pub(crate) fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::file("list", folder))? {
        let path = entry.map_err(Error::file("list", folder))?.path();
        let step = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_prefix("step-")?.parse().ok());
        if let Some(step) = step {
            found.push((step, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn write_tensors(path: &Path, tensors: NamedTensors, count: Option<u32>) -> Result<()> {
    let entries = count.map(|count| HashMap::from([(COUNT.to_owned(), count.to_string())]));
    let bytes = tensors_to_bytes(tensors, FloatFormat::F32, entries)?;
    Ok(write_whole(path, &bytes)?)
}

fn read_tensors(path: &Path) -> Result<(NamedTensors, Option<u32>)> {
    let bytes = fs::read(path).map_err(Error::file("read", path))?;
    let (tensors, entries) = tensors_from_bytes(&bytes).map_err(Error::damaged(path))?;
    if let Some((name, data)) = tensors.iter().find(|(_, data)| data.dtype() != DType::F32) {
        let found = data.dtype();
        let message = format!("tensor {name} has element type {found:?}; expected F32");
        return Err(Error::damaged(path)(message));
    }
    let count = entries.get(COUNT).and_then(|count| count.parse().ok());
    Ok((tensors, count))
}

fn load_module<M: Module>(folder: &Path, name: &str, module: M) -> Result<M> {
    let path = folder.join(name);
    let (tensors, _) = read_tensors(&path)?;
    load_state_dict(module, tensors.into_iter().collect()).map_err(Error::damaged(&path))
}

fn load_adam<M: Module>(
    folder: &Path,
    name: &str,
    config: AdamConfig,
    module: &M,
    device: &Device,
) -> Result<Adam> {
    let path = folder.join(name);
    let (tensors, count) = read_tensors(&path)?;
    count
        .ok_or_else(|| "no step count".to_owned())
        .and_then(|count| Adam::from_state(config, count, tensors, module, device))
        .map_err(Error::damaged(&path))
}

/// Syncs a folder's entries to disk. Only Unix supports this.
fn sync_folder(path: &Path) -> Result<()> {
    if cfg!(unix) {
        let folder = fs::File::open(path).map_err(Error::file("open", path))?;
        folder.sync_all().map_err(Error::file("sync", path))?;
    }
    Ok(())
}
