//! Mistakes on the command line: one clear error line and a hint, exit code 2, no files written.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder that holds some bad inputs; the program runs in it.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        fs::write(desk.path().join("notes.jpg"), "not a picture").unwrap();
        fs::write(desk.path().join("notes.safetensors"), "no weights").unwrap();
        image::RgbImage::from_pixel(200, 160, image::Rgb([90, 120, 200]))
            .save(desk.path().join("sky.png"))
            .unwrap();
        desk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(self.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let program = env!("CARGO_BIN_EXE_ganimation");
        Command::new(program)
            .current_dir(self.path())
            .args(arguments)
            .output()
            .unwrap()
    }

    /// Runs an invalid command line and checks the error report.
    #[track_caller]
    fn refuses(&self, arguments: &[&str], expected: &str) {
        let before = self.files();
        let output = self.run(arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines.len(), 2, "one line and a hint: {message}");
        assert!(
            lines[0].starts_with("error: ") && lines[0].contains(expected),
            "{message}"
        );
        assert!(lines[1].starts_with("hint: "), "{message}");
        assert!(output.stdout.is_empty());
        assert_eq!(self.files(), before, "nothing is written");
    }
}

const HOPPER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/grace_hopper.jpg");
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/sample_dataset");
const FLEX: [&str; 2] = ["--device", "flex"];

fn edit<'a>(photo: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["edit", photo, "-o", "out.png"], more, &FLEX].concat()
}

#[test]
fn a_photo_without_a_face() {
    Desk::new().refuses(
        &edit("sky.png", &["--au", "12=3"]),
        "sky.png: no face found (200 x 160 pixels)",
    );
    Desk::new().refuses(
        &["animate", "sky.png", "--au", "12=0..3", "-o", "a.gif"],
        "sky.png: no face found",
    );
}

#[test]
fn a_file_that_is_no_picture() {
    Desk::new().refuses(&edit("notes.jpg", &["--au", "12=3"]), "notes.jpg");
}

#[test]
fn a_photo_that_is_not_there() {
    Desk::new().refuses(&edit("nobody.jpg", &["--au", "12=3"]), "cannot read nobody.jpg");
}

#[test]
fn an_unknown_action_unit() {
    Desk::new().refuses(&edit(HOPPER, &["--au", "smile=3"]), "unknown action unit `smile`");
    Desk::new().refuses(&edit(HOPPER, &["--au", "13=3"]), "unknown action unit `13`");
}

#[test]
fn an_intensity_outside_0_to_5() {
    Desk::new().refuses(
        &edit(HOPPER, &["--au", "12=7"]),
        "intensity 7 of AU12 is outside 0 to 5",
    );
    Desk::new().refuses(
        &edit(HOPPER, &["--au", "12=-6"]),
        "intensity -6 of AU12 is outside -5 to 5",
    );
    Desk::new().refuses(&edit(HOPPER, &["--au", "12=NaN"]), "outside 0 to 5");
}

#[test]
fn a_command_that_cannot_be_read() {
    Desk::new().refuses(
        &edit(HOPPER, &["--au", "12"]),
        "cannot read action-unit command `12`",
    );
    Desk::new().refuses(
        &edit(HOPPER, &["--au", "12=1", "--au", "AU12=2"]),
        "AU12 (lip-corner-puller) is named twice",
    );
    Desk::new().refuses(
        &edit(HOPPER, &["--au", "12=0..2"]),
        "AU12 moves from one value to another",
    );
}

#[test]
fn weights_that_are_missing_or_something_else() {
    let missing = ["--au", "12=3", "--weights", "none.safetensors"];
    Desk::new().refuses(&edit(HOPPER, &missing), "cannot read weights none.safetensors");
    let other = ["--au", "12=3", "--weights", "notes.safetensors"];
    Desk::new().refuses(&edit(HOPPER, &other), "not a safetensors file");
    let export = ["export", "notes.safetensors", "-o", "out.safetensors"];
    Desk::new().refuses(&export, "not a safetensors file");
}

#[test]
fn a_device_that_is_unknown_absent_or_compiled_out() {
    let edit = |device| {
        [
            "edit", HOPPER, "-o", "out.png", "--au", "12=3", "--device", device,
        ]
    };
    Desk::new().refuses(&edit("gpu"), "unknown device `gpu`");
    Desk::new().refuses(&edit("flex:7"), "no device flex:7 on this machine (1 present)");
    let cuda = if cfg!(feature = "cuda") {
        "no device cuda:99"
    } else {
        "no cuda backend"
    };
    Desk::new().refuses(&edit("cuda:99"), cuda);
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_the_work() {
    let desk = Desk::new();
    let to = |output| ["edit", HOPPER, "--au", "12=3", "-o", output];
    desk.refuses(&to("out.tiff"), "cannot determine the format of out.tiff");
    desk.refuses(&to("nowhere/out.png"), "there is no folder nowhere");
    desk.refuses(
        &["animate", HOPPER, "--au", "12=0..3", "-o", "out.avi"],
        "cannot determine the format of out.avi",
    );
}

#[test]
fn an_output_that_is_a_folder_is_refused() {
    let desk = Desk::new();
    fs::create_dir(desk.path().join("out.png")).unwrap();
    desk.refuses(
        &edit(HOPPER, &["--au", "12=3"]),
        "cannot write out.png: it is a folder",
    );
}

#[test]
fn two_outputs_that_are_one_file_are_refused() {
    let desk = Desk::new();
    let sheet = ["--au", "12=3", "--sheet", "./out.png"];
    desk.refuses(&edit(HOPPER, &sheet), "out.png would be written twice");
}

#[test]
fn an_output_that_is_the_input_is_refused() {
    let desk = Desk::new();
    let arguments = ["edit", "sky.png", "--au", "12=3", "-o", "./sky.png"];
    desk.refuses(&arguments, "./sky.png is the input and would be replaced");
    let sheet = ["--au", "12=3", "--sheet", "sky.png"];
    desk.refuses(&edit("sky.png", &sheet), "sky.png is the input");
    desk.refuses(
        &["export", "notes.safetensors", "-o", "notes.safetensors"],
        "notes.safetensors is the input",
    );
}

#[test]
fn a_face_too_large_for_memory_is_refused() {
    let desk = Desk::new();
    image::RgbImage::new(4097, 1)
        .save(desk.path().join("wide.png"))
        .unwrap();
    desk.refuses(
        &edit("wide.png", &["--au", "12=3", "--crop", "none"]),
        "the face's box is 4097 pixels wide, more than 4096",
    );
}

#[test]
fn a_run_name_that_is_no_single_folder_is_refused() {
    for name in ["../a", "a/b", "", "."] {
        let train = ["train", "--data", SAMPLE, "--name", name];
        let expected = format!("run name `{name}` is not the name of one folder");
        Desk::new().refuses(&[&train[..], &FLEX].concat(), &expected);
    }
}

#[test]
fn a_negative_number_is_a_bad_value_and_no_unknown_option() {
    let train = ["train", "--data", SAMPLE, "--name", "a", "--rate", "-1"];
    Desk::new().refuses(
        &[&train[..], &FLEX].concat(),
        "setting `adam.learning_rate` is -1",
    );
}

#[test]
fn training_that_cannot_start_leaves_no_run_behind() {
    let desk = Desk::new();
    fs::create_dir(desk.path().join("faces")).unwrap();
    let train =
        |data, more: &[&'static str]| [&["train", "--data", data, "--name", "a"], more, &FLEX].concat();
    desk.refuses(&train("faces", &[]), "faces holds none of aus_openface.pkl");
    desk.refuses(&train("nowhere", &[]), "nowhere");
    desk.refuses(
        &train("faces", &["--image-size", "100"]),
        "image size 100 is not a positive multiple of 64",
    );
    desk.refuses(
        &train(SAMPLE, &["--batch-size", "300"]),
        "28 face(s) do not fill a batch of 300",
    );
    let resume = ["train", "--name", "a", "--resume"];
    desk.refuses(&[&resume[..], &FLEX].concat(), "a contains no run to resume");
}
