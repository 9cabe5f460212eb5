//! The program does what its help says: films, edits, runs that resume, weights that it reads back.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

#[path = "../../ganimation-train/tests/common/drawn.rs"]
mod drawn;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets");
const HOPPER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/grace_hopper.jpg");

/// Two networks that take steps in no time; `--data` is relative to [`ASSETS`].
const TINY: [&str; 14] = [
    "train",
    "--data",
    "sample_dataset",
    "--name",
    "tiny",
    "--channels",
    "2",
    "--discriminator-channels",
    "2",
    "--image-size",
    "64",
    "--batch-size",
    "4",
    "--no-cache",
];

/// A folder for what the program writes.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ganimation"));
        command.current_dir(folder).args(arguments);
        if arguments[0] == "train" {
            command.arg("--runs-dir").arg(self.path("runs"));
        }
        if !["export", "completions", "man", "runs", "plot"].contains(&arguments[0]) {
            command.args(["--device", "flex"]);
        }
        command
    }

    /// Runs the program in `folder` and returns its lines on stdout.
    #[track_caller]
    fn run_in(&self, folder: &Path, arguments: &[&str]) -> Vec<String> {
        lines(&self.command(folder, arguments).output().unwrap())
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Vec<String> {
        self.run_in(self.0.path(), arguments)
    }
}

#[track_caller]
fn lines(output: &Output) -> Vec<String> {
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {message}", output.status);
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn animate_writes_the_film_and_the_sheet_and_names_them() {
    let desk = Desk::new();
    let message = desk.run(&[
        "animate",
        HOPPER,
        "--au",
        "12=0..4",
        "--frames",
        "3",
        "--max-side",
        "300",
        "-o",
        "smile.gif",
        "--sheet",
        "smile.png",
    ]);
    assert_eq!(message, ["smile.gif", "smile.png"]);
    let film = fs::read(desk.path("smile.gif")).unwrap();
    assert!(film.starts_with(b"GIF89a"));
    assert_eq!(film[6..10], [0, 1, 44, 1], "256 x 300 pixels");
    assert!(image::image_dimensions(desk.path("smile.png")).is_ok());
}

#[test]
fn edit_writes_a_photo_of_the_same_size() {
    let desk = Desk::new();
    let message = desk.run(&["edit", HOPPER, "--au", "lip-corner-puller=3", "-o", "smiling.png"]);
    assert_eq!(message, ["smiling.png"]);
    let edited = image::open(desk.path("smiling.png")).unwrap().into_rgb8();
    let photo = image::open(HOPPER).unwrap().into_rgb8();
    assert_eq!(edited.dimensions(), photo.dimensions());
    assert_ne!(edited, photo);
}

/// Two steps of each stage of a tiny motion network.
const MOVING: [&str; 18] = [
    "train",
    "--network",
    "motion",
    "--name",
    "moving",
    "--image-size",
    "64",
    "--channels",
    "2",
    "--discriminator-channels",
    "2",
    "--batch-size",
    "4",
    "--steps",
    "4",
    "--set",
    "motion.taught_steps=2",
    "--data",
];

#[test]
fn a_motion_run_draws_previews_and_ends_with_weights_that_animate_takes() {
    let desk = Desk::new();
    let data = drawn::drawn_dataset(&desk.path(""), true);
    let often = ["--preview-every", "2", "--set", "motion.local_channels=2"];
    let weights = desk.path("runs").join("moving/generator.safetensors");
    let weights = weights.to_str().unwrap();
    let train = [&MOVING[..], &[data.to_str().unwrap()], &often].concat();
    assert_eq!(desk.run(&train), [weights]);
    for preview in ["step-0000002.png", "step-0000004.png"] {
        let preview = desk.path("runs/moving/previews").join(preview);
        assert!(
            image::open(&preview).unwrap().width() > 64,
            "{}",
            preview.display()
        );
    }
    let edit = [
        "edit",
        HOPPER,
        "--au",
        "12=4",
        "--max-side",
        "300",
        "--weights",
        weights,
    ];
    assert_eq!(
        desk.run(&[&edit[..], &["-o", "moved.png"]].concat()),
        ["moved.png"]
    );
}

#[test]
fn what_the_motion_network_cannot_be_trained_on_is_reported_in_a_line_with_a_hint() {
    let desk = Desk::new();
    let data = drawn::drawn_dataset(&desk.path(""), false);
    let train = [&MOVING[..], &[data.to_str().unwrap()]].concat();
    let output = desk.command(desk.0.path(), &train).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("error: 0 face(s) have landmarks, but learning motion needs 100")
            && message.contains("hint: `ganimation doctor` counts landmarks"),
        "{message}"
    );
    let mut two = Command::new(env!("CARGO_BIN_EXE_ganimation"));
    let output = two
        .args(&train)
        .args(["--devices", "flex,flex,flex"])
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.starts_with(
            "error: setting `batch_size` is 4; expected a multiple of twice the number of devices"
        ) && message.contains("hint: "),
        "{message}"
    );
}

#[test]
fn a_run_ends_with_weights_that_animate_takes() {
    let desk = Desk::new();
    let length = ["--steps", "6", "--checkpoint-every", "3"];
    let weights = desk.path("runs").join("tiny/generator.safetensors");
    let weights = weights.to_str().unwrap();
    assert_eq!(
        desk.run_in(ASSETS.as_ref(), &[&TINY[..], &length].concat()),
        [weights]
    );
    for step in ["step-3", "step-6"] {
        assert!(desk.path("runs/tiny/checkpoints").join(step).is_dir(), "{step}");
    }

    // From another folder than where it began: the settings name the dataset for good.
    assert_eq!(desk.run(&["train", "--name", "tiny", "--resume"]), [weights]);
    let animate = [
        "animate",
        HOPPER,
        "--au",
        "12=0..4",
        "--frames",
        "2",
        "--max-side",
        "300",
    ];
    let message = desk.run(&[&animate[..], &["--weights", weights, "-o", "tiny.gif"]].concat());
    assert_eq!(message, ["tiny.gif"]);
}

#[test]
fn runs_are_listed_and_drawn() {
    let desk = Desk::new();
    let length = ["--steps", "6", "--log-every", "2", "--validate-every", "3"];
    desk.run_in(
        ASSETS.as_ref(),
        &[&TINY[..], &length, &["--n-critic", "2"]].concat(),
    );
    let table = desk.run(&["runs", "--runs-dir", "runs"]);
    assert_eq!(table.len(), 2, "{table:?}");
    assert!(
        table[0].starts_with("run") && table[0].ends_with("warnings"),
        "{table:?}"
    );
    let cells: Vec<&str> = table[1].split_whitespace().collect();
    assert_eq!(cells[..6], ["tiny", "6", "6", "64", "2/2", "4"]);
    assert!(table[1].contains(" % "), "the loop's share: {table:?}");
    assert_eq!(
        desk.run(&["plot", "tiny", "--runs-dir", "runs"]),
        ["runs/tiny/losses.svg"]
    );
    let plot = fs::read_to_string(desk.path("runs/tiny/losses.svg")).unwrap();
    assert!(plot.starts_with("<svg ") && plot.ends_with("</svg>\n") && plot.contains("Gradient penalty"));
}

#[test]
fn a_run_without_a_length_stores_that_of_thirty_epochs() {
    let desk = Desk::new();
    let mut child = Child::start(desk.command(ASSETS.as_ref(), &TINY));
    let config = desk.path("runs/tiny/config.toml");
    child.wait_until(|| config.is_file() && fs::read_to_string(&config).unwrap().contains("steps"));
    drop(child);
    let text = fs::read_to_string(config).unwrap();
    assert!(
        text.contains("\nsteps = 210\n"),
        "28 faces in batches of 4: {text}"
    );
}

#[test]
fn evaluate_scores_the_bundled_weights_on_the_test_faces() {
    let desk = Desk::new();
    let reader = ganimation_model::AuRegressorConfig::new().with_channels(1);
    let metadata = ganimation_model::weights::Metadata {
        orders: ganimation_model::Orders::Absolute,
        fine_shading: false,
        image_size: ganimation_model::AU_REGRESSOR_SIZE,
        channels: 1,
        blocks: 0,
        action_units: ganimation::ActionUnit::ALL
            .map(|unit| unit.number().into())
            .to_vec(),
        crop: String::new(),
        training: "none at all".to_owned(),
        license: String::new(),
    };
    let reader = reader.init(&burn::tensor::Device::flex());
    let path = desk.path("au_regressor.safetensors");
    ganimation_model::weights::save_au_regressor(&path, &reader, &metadata, Default::default()).unwrap();

    let data = format!("{ASSETS}/sample_dataset");
    let arguments = [
        "evaluate",
        "--data",
        &data,
        "--au-estimator",
        "au_regressor.safetensors",
    ];
    let few = ["--sweep-faces", "1", "--curve-faces", "1", "--photos", ASSETS];
    let message = desk.run(&[&arguments[..], &few, &["-o", "card"]].concat());
    assert_eq!(message.last().unwrap(), "card/index.html");
    let card = fs::read_to_string(desk.path("card/scorecard.json")).unwrap();
    for part in [
        "\"faces\": 4",
        "none at all",
        "\"file\": \"astronaut.png\"",
        "\"file\": \"grace_hopper.jpg\"",
    ] {
        assert!(card.contains(part), "no {part} in {card}");
    }

    // The list of faces to train on is not asked for; face crops are taken whole.
    let bare = desk.path("bare");
    fs::create_dir_all(bare.join("imgs")).unwrap();
    for name in fs::read_dir(format!("{data}/imgs")).unwrap() {
        let name = name.unwrap();
        fs::copy(name.path(), bare.join("imgs").join(name.file_name())).unwrap();
    }
    for name in ["aus_openface.pkl", "test_ids.csv"] {
        fs::copy(format!("{data}/{name}"), bare.join(name)).unwrap();
    }
    let crops = [
        "--photos",
        "bare/imgs",
        "--crop",
        "none",
        "--expression-faces",
        "2",
    ];
    let bare = [
        "evaluate",
        "--data",
        "bare",
        "--au-estimator",
        "au_regressor.safetensors",
        "-o",
        "two",
        "--faces",
        "2",
    ];
    desk.run(&[&bare[..], &few[..4], &crops].concat());

    fs::create_dir(desk.path("empty")).unwrap();
    let no_photos = [&arguments[..], &["--photos", "empty"]].concat();
    let refused = desk.command(desk.0.path(), &no_photos).output().unwrap();
    let message = String::from_utf8_lossy(&refused.stderr);
    assert!(message.contains("empty holds no photo with a face"), "{message}");

    let too_few = [&arguments[..], &["--faces", "1"]].concat();
    let refused = desk.command(desk.0.path(), &too_few).output().unwrap();
    let message = String::from_utf8_lossy(&refused.stderr);
    assert!(message.contains("`faces` is 1; expected at least 2"), "{message}");
}

#[test]
fn exported_halves_are_half_the_size_and_still_edit() {
    let desk = Desk::new();
    let bundled = format!("{ASSETS}/../crates/ganimation-weights/generator.safetensors");
    let exact = desk.path("exact.safetensors");
    let message = desk.run(&[
        "export",
        &bundled,
        "-o",
        "exact.safetensors",
        "--license",
        "for a test",
    ]);
    assert_eq!(message, ["exact.safetensors"]);
    desk.run(&["export", &bundled, "--float", "f16", "-o", "half.safetensors"]);
    let size = |path: &Path| fs::metadata(path).unwrap().len() as f64;
    let share = size(&desk.path("half.safetensors")) / size(&exact);
    assert!((0.45..0.55).contains(&share), "{share}");
    let bytes = fs::read(exact).unwrap();
    assert!(bytes.windows(10).any(|text| text == b"for a test"));

    let edit = ["edit", HOPPER, "--au", "12=3", "-o", "half.png"];
    let message = desk.run(&[&edit[..], &["--weights", "half.safetensors"]].concat());
    assert_eq!(message, ["half.png"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_saves_and_resume_goes_on_from_there() {
    let desk = Desk::new();
    let weights = desk.path("runs/tiny/generator.safetensors");
    let length = ["--steps", "1000000", "--checkpoint-every", "2"];
    let mut child = Child::start(desk.command(ASSETS.as_ref(), &[&TINY[..], &length].concat()));
    child.wait_until(|| weights.is_file());
    let first = stopped_after(&child.interrupt());

    assert_eq!(newest(&desk), first);
    let resume = ["train", "--name", "tiny", "--resume"];
    let mut child = Child::start(desk.command(desk.0.path(), &resume));
    child.wait_until(|| newest(&desk) > first);
    let second = stopped_after(&child.interrupt());
    assert!(second > first, "{second} steps after {first}");
    assert_eq!(newest(&desk), second);
}

/// Steps of the newest checkpoint.
#[cfg(unix)]
fn newest(desk: &Desk) -> u64 {
    let entries = fs::read_dir(desk.path("runs/tiny/checkpoints")).unwrap();
    entries
        .filter_map(|entry| {
            entry
                .unwrap()
                .file_name()
                .to_str()?
                .strip_prefix("step-")?
                .parse()
                .ok()
        })
        .max()
        .unwrap_or(0)
}

/// The steps of `stopped after N discriminator steps; --resume goes on`.
#[cfg(unix)]
#[track_caller]
fn stopped_after(message: &[String]) -> u64 {
    let [line] = message else {
        panic!("one line: {message:?}");
    };
    let steps = line.strip_prefix("stopped after ").unwrap();
    steps.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let desk = Desk::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ganimation"));
    command.current_dir(desk.0.path()).arg("devices");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert!(lines(&output).is_empty());
    assert!(output.stderr.is_empty());
}

/// A running program, which a failing test does not leave behind.
struct Child(Option<std::process::Child>);

impl Child {
    fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(command.spawn().unwrap()))
    }

    #[track_caller]
    fn wait_until(&mut self, holds: impl Fn() -> bool) {
        let start = std::time::Instant::now();
        while !holds() {
            assert!(start.elapsed().as_secs() < 120, "nothing happens");
            let ended = self.0.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() || holds(), "ended too early: {ended:?}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Presses Ctrl-C and returns the lines that the program leaves with.
    #[cfg(unix)]
    #[track_caller]
    fn interrupt(mut self) -> Vec<String> {
        let child = self.0.take().unwrap();
        let sent = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        lines(&child.wait_with_output().unwrap())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn shells_and_manuals_know_every_command() {
    let desk = Desk::new();
    let pages = desk.run(&["man", "--folder", "."]);
    let edit = fs::read_to_string(desk.path("ganimation-edit.1")).unwrap();
    assert!(edit.contains("\\-\\-emotion"), "{edit}");
    for shell in ["bash", "zsh", "fish"] {
        let script = desk.run(&["completions", shell]).join("\n");
        for page in &pages {
            let name = page.trim_start_matches("./").trim_end_matches(".1");
            let command = name.trim_start_matches("ganimation").trim_start_matches('-');
            assert!(script.contains(command), "{shell} does not know {command}");
        }
    }
}
