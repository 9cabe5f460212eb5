//! Tests that runs survive SIGKILL at any time, a full disk, and a folder without write permission.
//!
//!     GANIMATION_KILLS=100 cargo test --release --workspace --test survival -- --nocapture
//!
//! kills a hundred runs at random times (every second one at the next write after that), and fills the disk to 17
//! levels. Without the variable, it kills five runs and fills the disk to one level.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod disk;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use disk::{Small, assert_refused, message, permit, stranger};
use ganimation_train::Run;
use tempfile::TempDir;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/sample_dataset");

/// Discriminator steps of a run. There is a checkpoint after every third step, so that kills can interrupt many of them.
const STEPS: u64 = 24;

/// Two networks with very fast steps.
const TINY: &str = "image_size = 64\ngenerator_channels = 1\ngenerator_blocks = 1\ndiscriminator_channels = 1\n\
    batch_size = 2\nsteps = 24\ngenerator_every = 2\nlog_every = 2\ncheckpoint_every = 3\ncheckpoint_keep = 2\n\
    checkpoint_keep_every = 12\npreview_every = 6\nvalidate_every = 6\nvalidate_faces = 2\nworkers = 1\n";

/// Number of runs to kill, if the variable is set.
fn kills() -> Option<u32> {
    let count = std::env::var("GANIMATION_KILLS").ok()?;
    Some(count.parse().unwrap())
}

/// A folder with runs.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.set(Path::new(SAMPLE), TINY);
        desk
    }

    /// Writes the settings for new runs.
    fn set(&self, data: &Path, settings: &str) {
        let settings = format!("data = {data:?}\n{settings}");
        fs::write(self.path("tiny.toml"), settings).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Starts run `name`, or resumes it if it exists.
    fn train(&self, runs_dir: &Path, name: &str) -> Command {
        self.train_with(Command::new(env!("CARGO_BIN_EXE_ganimation")), runs_dir, name)
    }

    /// [`Self::train`] with the program started by `command`.
    fn train_with(&self, mut command: Command, runs_dir: &Path, name: &str) -> Command {
        command
            .current_dir(self.0.path())
            .args(["train", "--device", "flex", "--name", name, "--runs-dir"])
            .arg(runs_dir)
            .env("RAYON_NUM_THREADS", "2"); // the same bits need the same number of threads
        if runs_dir.join(name).join("config.toml").exists() {
            command.arg("--resume");
        } else {
            command.args(["--config", "tiny.toml"]);
        }
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn finish(&self, runs_dir: &Path, name: &str) {
        let output = self.train(runs_dir, name).output().unwrap();
        assert!(output.status.success(), "{}", message(&output));
    }
}

/// The newest checkpoint's files and their contents.
fn newest(run: &Path) -> (u64, BTreeMap<String, Vec<u8>>) {
    let steps = names(&run.join("checkpoints"));
    let step = steps
        .iter()
        .filter_map(|name| name.strip_prefix("step-")?.parse().ok())
        .max()
        .unwrap_or(0);
    let folder = run.join("checkpoints").join(format!("step-{step}"));
    let read = |name: String| (name.clone(), fs::read(folder.join(name)).unwrap());
    (step, names(&folder).into_iter().map(read).collect())
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Whether a file name belongs to the documented contents of a run folder.
fn is_promised(name: &str) -> bool {
    let files = [
        ".lock",
        "config.toml",
        "metrics.jsonl",
        "validation.jsonl",
        "warnings.jsonl",
    ];
    let more = ["previews", "checkpoints", "generator.safetensors"];
    files.contains(&name) || more.contains(&name) || name.starts_with("events.out.tfevents.")
}

fn is_scratch(name: &str) -> bool {
    name == ".scratch" || name == ".trash" || (name.starts_with('.') && name.ends_with(".part"))
}

/// Every other name in a run folder: scratch files, or an error.
fn surplus(run: &Path) -> Vec<String> {
    let of = |part: &str, promised: &dyn Fn(&str) -> bool| {
        let mut names = names(&run.join(part));
        names.retain(|name| !promised(name));
        names
    };
    let checkpoint = |name: &str| {
        name.strip_prefix("step-")
            .is_some_and(|step| step.parse::<u64>().is_ok())
    };
    let preview = |name: &str| name.starts_with("step-") && name.ends_with(".png");
    [
        of("", &is_promised),
        of("checkpoints", &checkpoint),
        of("previews", &preview),
    ]
    .concat()
}

/// Checks that the run ended with the same bits as an uninterrupted run, and left no scratch files.
#[track_caller]
fn assert_same(run: &Path, undisturbed: &Path) {
    let ((step, found), (_, expected)) = (newest(run), newest(undisturbed));
    assert_eq!(step, STEPS);
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    for (name, expected) in expected {
        assert!(found[&name] == expected, "{name} differs");
    }
    assert_eq!(
        names(&run.join("checkpoints")),
        names(&undisturbed.join("checkpoints"))
    );
    assert_eq!(surplus(run), Vec::<String>::new());
    // Every measured step occurs once.
    let steps = |run: &Path| -> Vec<u64> {
        let text = fs::read_to_string(run.join("validation.jsonl")).unwrap();
        text.lines()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["step"]
                    .as_u64()
                    .unwrap()
            })
            .collect()
    };
    assert_eq!(steps(run), steps(undisturbed));
}

/// Checks conditions that must be true at any time: the newest checkpoint loads, and all undocumented files are
/// scratch.
#[track_caller]
fn assert_loadable(run: &Path) -> u64 {
    let surplus = surplus(run);
    assert!(surplus.iter().all(|name| is_scratch(name)), "{surplus:?}");
    if !run.join("config.toml").exists() {
        return 0; // killed before it began
    }
    // On a copy, because opening a run removes its scratch files.
    let copy = tempfile::tempdir().unwrap();
    let status = Command::new("cp")
        .arg("-r")
        .arg(run)
        .arg(copy.path().join("run"))
        .status()
        .unwrap();
    assert!(status.success());
    Run::resume(copy.path().join("run"), &Device::flex())
        .unwrap()
        .step()
}

/// Waits until the run has a scratch file, or ends.
fn wait_for_a_write(child: &mut Child, run: &Path) {
    while child.try_wait().unwrap().is_none() && surplus(run).is_empty() {
        sleep(Duration::from_micros(100));
    }
}

#[test]
fn a_killed_run_loses_no_checkpoint_and_ends_with_the_same_bits() {
    let kills = kills().unwrap_or(5);
    let desk = Desk::new();
    let runs = desk.path("runs");
    let start = Instant::now();
    desk.finish(&runs, "undisturbed");
    let whole = start.elapsed();

    let mut random = u64::from(std::process::id()); // other instants every time
    let mut in_the_middle = 0;
    let mut scratch = 0;
    for kill in 0..kills {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let share = f64::from(u32::try_from(random >> 33).unwrap()) / f64::from(1u32 << 31);
        let name = format!("killed_{kill}");
        let run = runs.join(&name);
        let mut child = desk.train(&runs, &name).spawn().unwrap();
        sleep(whole.mul_f64(share));
        if kill % 2 == 1 {
            wait_for_a_write(&mut child, &run);
        }
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        if run.exists() {
            let step = assert_loadable(&run);
            in_the_middle += u32::from(step > 0 && step < STEPS);
            scratch += u32::from(!surplus(&run).is_empty());
        }
        desk.finish(&runs, &name);
        assert_same(&run, &runs.join("undisturbed"));
        fs::remove_dir_all(run).unwrap();
    }
    println!(
        "{kills} of {kills} killed runs went on to the same bits; {in_the_middle} were killed between their first and last \
         checkpoint, {scratch} in the middle of a write; a whole run takes {whole:.1?}"
    );
}

#[test]
fn a_full_disk_costs_no_checkpoint() {
    const KILOBYTES: u32 = 8 * 1024;
    let desk = Desk::new();
    let Some(small) = Small::mount(&desk.path("small"), KILOBYTES) else {
        return;
    };
    let undisturbed = desk.path("runs/undisturbed");
    desk.finish(&desk.path("runs"), "undisturbed");
    let files = newest(&undisturbed).1;
    let checkpoint: usize = files.values().map(Vec::len).sum();
    // Additional space for about one and a half checkpoints. In the long test, from no space up to that.
    let rooms = if kills().is_some() { 0..=16 } else { 16..=16 };
    for room in rooms {
        let ballast = small.fill(KILOBYTES as usize, checkpoint * room / 8);
        let output = desk.train(&small.0, "full").output().unwrap();
        assert_refused(&output, &["No space left"]);
        let run = small.0.join("full");
        let step = assert_loadable(&run);
        println!("with room for {room}/8 of a checkpoint the disk was full after step {step}");

        fs::remove_file(ballast).unwrap();
        desk.finish(&small.0, "full");
        assert_same(&run, &undisturbed);
        fs::remove_dir_all(run).unwrap();
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let desk = Desk::new();
    let Some(small) = Small::mount(&desk.path("small"), 8 * 1024) else {
        return;
    };
    desk.finish(&small.0, "run");
    let remount = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(&small.0)
        .status()
        .unwrap();
    assert!(remount.success());
    for name in ["run", "new"] {
        let output = desk.train(&small.0, name).output().unwrap();
        assert_refused(&output, &[name, "Read-only file system"]);
    }
    assert_eq!(newest(&small.0.join("run")).0, STEPS);
}

#[test]
fn who_may_not_write_changes_nothing() {
    let desk = Desk::new();
    let runs = desk.path("runs");
    desk.finish(&runs, "run");
    let before = newest(&runs.join("run"));
    let run = runs.join("run");
    let folders = [desk.0.path(), &runs, &run];
    if folders.iter().any(|folder| stranger(folder).is_none()) {
        return;
    }
    for name in ["run", "new"] {
        let program = stranger(&runs).unwrap();
        let output = desk.train_with(program, &runs, name).output().unwrap();
        assert_refused(&output, &[name, "Permission denied"]);
    }
    assert!(newest(&run) == before);
    assert_eq!(names(&runs), ["run"]);
    folders.iter().for_each(|folder| permit(folder, 0o755)); // otherwise they cannot be removed
}

#[test]
fn a_picture_that_goes_in_mid_run_costs_no_step() {
    let desk = Desk::new();
    let data = desk.path("faces");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(SAMPLE)
        .arg(&data)
        .status()
        .unwrap();
    assert!(copied.success());
    desk.set(
        &data,
        &TINY.replace("steps = 24", "steps = 100000\ncache = false"),
    );
    let (runs, run) = (desk.path("runs"), desk.path("runs/run"));
    let child = desk.train(&runs, "run").spawn().unwrap();
    let start = Instant::now();
    while !run.join("generator.safetensors").exists() {
        assert!(start.elapsed().as_secs() < 120, "no checkpoint");
        sleep(Duration::from_millis(10));
    }
    let (here, away) = (data.join("imgs/hopper_3.jpg"), desk.path("away.jpg"));
    fs::rename(&here, &away).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_refused(&output, &["hopper_3.jpg", "No such file"]);
    let stopped = assert_loadable(&run);
    assert!(stopped > 0);

    fs::rename(&away, &here).unwrap();
    let mut again = desk.train(&runs, "run");
    let output = again
        .args(["--max-steps", &(stopped + 40).to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", message(&output));
    assert_eq!(newest(&run).0, stopped + 40);
}
