//! Our side of the comparison with PyTorch. It prepares a case, prints `ready`, and answers every line on stdin with
//! the seconds of one round. `benches/pytorch/compare` runs it and PyTorch's side, which uses the same protocol.
//!
//!     cargo bench --bench ours -- generator-b1-f32 flex     # then press Enter for a figure
//!     cargo bench --bench ours -- face me.jpg               # x, y and size of the box around the face
//!     cargo bench --bench ours -- profile train-b4 cuda     # one step of both networks; `benches/gpu.sh` reads the log
//!     cargo bench --bench ours -- reference cuda            # the checks of `tests/reference`
//!     cargo bench --bench ours -- devices
//!     cargo bench --bench ours -- train FACES RUN DEVICE SECONDS BATCH STEPS GENERATOR DISCRIMINATOR
//!                                 # the motion network's second stage, from weights of 24 channels
//!
//! So one program is all that a machine with a GPU needs.

#[path = "../tests/reference/main.rs"]
mod reference;
mod work;

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use ganimation::device;
use ganimation_data::picture::decode_photo;
use ganimation_data::{Dataset, FaceDetector, Split};
use ganimation_train::{Limits, Observer, Progress, Run, TrainConfig};

/// Minimum time of a round, so that fast cases are measured more than once.
const TURN: Duration = Duration::from_millis(400);

/// Batches of 25 faces in one round of the loader, after the same number of batches to empty the queue.
const BATCHES: usize = 40;
const BATCH: usize = 25;

/// Measures one round, in seconds.
type Turn = Box<dyn FnMut() -> f64>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["face", photo, ..] => face(photo),
        ["profile", case, device, ..] => profile(case, device),
        ["reference", device, ..] => check(device),
        ["devices", ..] => devices(),
        [
            "train",
            faces,
            run,
            device,
            seconds,
            batch,
            steps,
            generator,
            discriminator,
        ] => {
            let config = TrainConfig {
                generator_channels: 24,
                batch_size: batch.parse()?,
                steps: Some(steps.parse()?),
                from: Some(generator.into()),
                discriminator_from: Some(discriminator.into()),
                log_every: 10,
                ..TrainConfig::motion(faces)
            };
            train(
                config,
                Path::new(run),
                device,
                Duration::from_secs(seconds.parse()?),
            )
        }
        [case, rest @ ..] if !case.starts_with('-') => match prepare(case, rest)? {
            Some(turn) => serve(turn),
            None => say("skip this precision is not supported"),
        },
        // `cargo bench` runs every benchmark, but this one needs the comparison script.
        _ => say("the comparison with PyTorch is run by crates/ganimation/benches/pytorch/compare"),
    }
}

/// One round of a case; `None` if this project does not support it.
fn prepare(case: &str, rest: &[&str]) -> Result<Option<Turn>, Box<dyn Error>> {
    let unknown = || format!("unknown case {case}");
    let parts: Vec<&str> = case.split('-').collect();
    Ok(match parts.as_slice() {
        ["loader", workers] => {
            let workers = workers.trim_start_matches('w').parse()?;
            let folder = rest.get(1).map_or_else(work::sample_dataset, Into::into);
            Some(Box::new(move || load(&folder, workers)))
        }
        ["generator" | "train", _, "bf16"] => None,
        [kind, batch, "f32" | "bf16"] => {
            let batch = batch.trim_start_matches('b').parse()?;
            let device = device::resolve(rest.first().unwrap_or(&"auto").parse()?)?;
            match *kind {
                "generator" => Some(generator(&device, batch)),
                "train" => Some(training(&device, batch)),
                "motion" | "pilot" => Some(motion(&device, batch)),
                _ => return Err(unknown().into()),
            }
        }
        _ => return Err(unknown().into()),
    })
}

/// Median time of a pass in a round.
fn generator(device: &Device, batch: usize) -> Turn {
    let edit = work::generator(device, batch);
    Box::new(move || {
        let start = Instant::now();
        let mut passes = Vec::new();
        while start.elapsed() < TURN {
            passes.push(timed(|| drop(edit())));
        }
        passes.sort_by(f64::total_cmp);
        passes[passes.len() / 2]
    })
}

/// A discriminator step and one fifth of a generator step, as in the schedule.
fn training(device: &Device, batch: usize) -> Turn {
    let mut training = work::Training::new(device, batch);
    let mut turn =
        move || timed(|| training.discriminator_step()) + timed(|| training.generator_step()) / 5.0;
    turn(); // kernels are compiled and tuned on first use
    Box::new(turn)
}

/// Mean of eight steps of the motion network's second stage, in f32.
fn motion(device: &Device, batch: usize) -> Turn {
    let mut training = work::Motion::new(device, batch);
    let mut turn = move || (0..8).map(|step| timed(|| training.step(step))).sum::<f64>() / 8.0;
    turn(); // kernels are compiled and tuned on first use
    Box::new(turn)
}

/// Seconds per face, decoded again for each batch.
fn load(folder: &Path, workers: usize) -> f64 {
    let mut loader = work::loader(folder, workers, false);
    let mut batches = || {
        for batch in loader.by_ref().take(BATCHES) {
            if let Err(error) = batch {
                panic!("{error}");
            }
        }
    };
    batches();
    timed(batches) / (BATCHES * BATCH) as f64
}

/// One step of both networks, after one that compiles and tunes kernels.
///
/// With `[profiling] logger = { level = "basic", stdout = true }` in `cubecl.toml`, CubeCL prints a table by kernel
/// whenever the device is waited for. The last one is the step's.
fn profile(case: &str, device: &str) -> Result<(), Box<dyn Error>> {
    let unknown = || format!("unknown case {case}");
    let (kind, batch) = case.split_once("-b").ok_or_else(unknown)?;
    let (batch, device) = (batch.parse()?, device::resolve(device.parse()?)?);
    let mut step: Box<dyn FnMut(u64)> = match kind {
        "generator" => {
            let edit = work::generator(&device, batch);
            Box::new(move |_| drop(edit()))
        }
        "train" => {
            let mut training = work::Training::new(&device, batch);
            Box::new(move |_| training.both_steps())
        }
        "motion" => {
            let mut training = work::Motion::new(&device, batch);
            Box::new(move |step| training.step(step))
        }
        _ => return Err(unknown().into()),
    };
    let warm = timed(|| (0..3).for_each(&mut step));
    say(&format!("three steps with compilation and tuning: {warm:.3} s"))?;
    let seconds = timed(|| step(1)); // without R1, which comes in every eighth step of the motion network
    say(&format!("profiled step: {seconds:.4} s"))
}

/// Runs the checks of the reference suite on one device. Every failure is reported, and none ends the others.
fn check(device: &str) -> Result<(), Box<dyn Error>> {
    let mut failed = 0;
    for (name, check) in reference::CHECKS {
        let start = Instant::now();
        let result = std::panic::catch_unwind(|| reference::on_one_device(device, *check));
        let told = if result.is_ok() { "ok" } else { "FAILED" };
        failed += usize::from(result.is_err());
        say(&format!("{told} {name} ({:.1} s)", start.elapsed().as_secs_f64()))?;
    }
    say(&format!(
        "{} of {} checks passed on {device}",
        reference::CHECKS.len() - failed,
        reference::CHECKS.len()
    ))?;
    match failed {
        0 => Ok(()),
        _ => Err(format!("{failed} checks failed").into()),
    }
}

fn devices() -> Result<(), Box<dyn Error>> {
    for device in device::devices() {
        let emulated = if device.software {
            ", emulated on the CPU"
        } else {
            ""
        };
        say(&format!("{device}{emulated}"))?;
    }
    Ok(())
}

/// Tells what was measured in each line of metrics.
struct Told;

impl Observer for Told {
    fn measured(&mut self, progress: &Progress) {
        let told = say(&format!(
            "step {}, {:.1} faces/s",
            progress.step, progress.faces_per_second
        ));
        if let Err(error) = told {
            panic!("{error}");
        }
    }
}

fn train(mut config: TrainConfig, run: &Path, device: &str, time: Duration) -> Result<(), Box<dyn Error>> {
    config.motion.taught_steps = 0;
    let dataset = Dataset::open(&config.data)?;
    let config = config.with_mean_aus(dataset.split(Split::Train));
    config.check()?;
    let limits = Limits {
        time: Some(time),
        ..Limits::default()
    };
    let mut run = Run::start(run, config, &device::resolve(device.parse()?)?)?;
    let outcome = run.train(&dataset, limits, &mut Told, &AtomicBool::new(false))?;
    say(&format!("{outcome:?} after {} steps", run.step()))
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn serve(mut turn: Turn) -> Result<(), Box<dyn Error>> {
    say("ready")?;
    for line in io::stdin().lock().lines() {
        line?;
        say(&format!("{:.9}", turn()))?;
    }
    Ok(())
}

fn face(photo: &str) -> Result<(), Box<dyn Error>> {
    let faces = FaceDetector::new()?.detect(&decode_photo(photo)?);
    let face = faces.first().ok_or("no face")?;
    say(&format!("{} {} {}", face.x, face.y, face.size))
}

fn say(line: &str) -> Result<(), Box<dyn Error>> {
    writeln!(io::stdout(), "{line}")?;
    Ok(io::stdout().flush()?)
}
