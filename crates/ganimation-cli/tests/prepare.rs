//! Tests of `prepare` and `doctor`, from photos to a training step, with killed processes, full disks and removed
//! photos.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod disk;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use disk::{Small, assert_refused, message, permit, stranger};
use ganimation::ActionUnit;
use tempfile::TempDir;

const HOPPER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/grace_hopper.jpg");

/// Number of photos. All show the same portrait with different brightness.
const PHOTOS: usize = 12;

/// A folder with photos, and OpenFace's tables for them in `processed/`.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(desk.path("photos/processed")).unwrap();
        let portrait = image::open(HOPPER).unwrap().thumbnail(192, 225).into_rgb8();
        for at in 0..PHOTOS {
            let lit = image::imageops::colorops::brighten(&portrait, 4 * i32::try_from(at).unwrap());
            lit.save(desk.path(&format!("photos/{at:02}.jpg"))).unwrap();
            let units = vec![format!("{:.2}", 0.25 * at as f64); 17].join(", ");
            let table = format!("face, confidence,{}\n0, 0.98, {units}\n", columns());
            fs::write(desk.path(&format!("photos/processed/{at:02}.csv")), table).unwrap();
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A command line with words separated by spaces.
    fn command(&self, line: &str) -> Command {
        self.command_with(Command::new(env!("CARGO_BIN_EXE_ganimation")), line)
    }

    fn command_with(&self, mut command: Command, line: &str) -> Command {
        command.current_dir(self.0.path()).args(line.split_whitespace());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The output of the program, which must succeed.
    #[track_caller]
    fn run(&self, line: &str) -> String {
        finished(self.command(line).output().unwrap())
    }

    /// A dataset from an uninterrupted preparation.
    fn undisturbed(&self) -> BTreeMap<String, Vec<u8>> {
        self.run(&prepare("undisturbed"));
        contents(&self.path("undisturbed"))
    }
}

/// The command that makes a dataset of the desk's photos.
fn prepare(output: &str) -> String {
    format!("prepare photos --size 64 --test-share 0.3 -o {output}")
}

fn columns() -> String {
    ActionUnit::ALL
        .map(|unit| format!(" {}_r", unit.code()))
        .join(",")
}

#[track_caller]
fn finished(output: Output) -> String {
    assert!(output.status.success(), "{}", message(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// All files of a dataset, by name.
fn contents(dataset: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for folder in [dataset.to_owned(), dataset.join("imgs")] {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(dataset).unwrap().to_string_lossy().into_owned();
                contents.insert(name, fs::read(path).unwrap());
            }
        }
    }
    contents
}

/// Checks that after an interruption all pictures are complete, and that other files, except the journal, are final or
/// absent.
#[track_caller]
fn assert_whole(dataset: &Path, end: &BTreeMap<String, Vec<u8>>) {
    for (name, bytes) in contents(dataset) {
        if name.ends_with(".part") || name == "prepare.jsonl" {
            continue;
        }
        assert!(end[&name] == bytes, "{name} is neither as in the end nor absent");
    }
}

/// A preparation with one thread, paused.
struct Held(Child);

impl Held {
    /// Starts it, and pauses it after `photos` photos are in the journal.
    fn after(desk: &Desk, photos: usize) -> Self {
        let mut command = desk.command(&prepare("faces"));
        let held = Self(command.args(["--workers", "1"]).spawn().unwrap());
        let (journal, start) = (desk.path("faces/prepare.jsonl"), Instant::now());
        while fs::read_to_string(&journal).map_or(0, |lines| lines.lines().count()) <= photos {
            assert!(start.elapsed().as_secs() < 120, "nothing happens");
            sleep(Duration::from_millis(1));
        }
        held.signal("-STOP");
        held
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.0.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    fn go_on(self) -> Output {
        self.signal("-CONT");
        self.0.wait_with_output().unwrap()
    }
}

#[test]
fn photos_become_a_dataset_that_the_doctor_passes_and_a_step_is_trained_on() {
    let desk = Desk::new();
    let said = desk.run(&prepare("faces"));
    assert!(said.starts_with("12 faces from 12 photos: "), "{said}");

    let said = desk.run("doctor faces --batch-size 4 --image-size 64 --sheet sheet.png");
    assert!(
        said.contains("unreadable 0, grey 0, repeated 0, not sound 0, in no list 0"),
        "{said}"
    );
    assert!(image::open(desk.path("sheet.png")).unwrap().width() > 1000);
    let json = desk.run("doctor faces --batch-size 4 --image-size 64 --format json");
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["fit"], true, "{json}");

    desk.run(
        "train --data faces --name tiny --image-size 64 --channels 1 --discriminator-channels 1 --batch-size 4 --steps 2 \
         --n-critic 2 --set generator_blocks=1 --device flex",
    );
    // From here on, the run's discriminator estimates the labels.
    let discriminator = "runs/tiny/checkpoints/step-2/discriminator.safetensors";
    let said = desk.run(&format!(
        "prepare photos --label-with {discriminator} --size 64 -o read --device flex"
    ));
    assert!(said.starts_with("12 faces from 12 photos: "), "{said}");
    let table = fs::read_to_string(desk.path("read/aus_openface.csv")).unwrap();
    assert_eq!(table.lines().count(), PHOTOS + 1);
}

#[test]
fn the_frames_of_a_video_are_labelled_by_its_table() {
    let desk = Desk::new();
    let mut table = format!("frame, face_id, timestamp, confidence, success,{}\n", columns());
    for frame in 0..PHOTOS {
        let success = u32::from(frame != 5);
        let units = vec![format!("{:.2}", 0.25 * frame as f64); 17].join(", ");
        table += &format!(
            "{}, 0, {:.3}, 0.98, {success}, {units}\n",
            frame + 1,
            frame as f64 / 30.0
        );
    }
    fs::write(desk.path("film.csv"), table).unwrap();
    let said = desk.run("prepare photos --from-frames film.csv --size 64 --test-share 0.2 -o faces");
    assert!(
        said.starts_with("11 faces from 12 photos: 9 to train on, 2 held out"),
        "{said}"
    );
    assert!(said.contains("1 skipped: no face in the table"), "{said}");
    // The end of the film is held out, and photo 10 is frame 11.
    assert_eq!(
        fs::read_to_string(desk.path("faces/test_ids.csv")).unwrap(),
        "10.jpg\n11.jpg\n"
    );
    let labels = fs::read_to_string(desk.path("faces/aus_openface.csv")).unwrap();
    assert!(labels.contains("\n10,2.5,2.5,"), "{labels}");
}

#[test]
fn the_doctor_says_no_by_its_exit_code() {
    let desk = Desk::new();
    desk.run(&prepare("faces"));
    fs::write(desk.path("faces/imgs/03.jpg"), "no picture").unwrap();
    let output = desk.command("doctor faces --batch-size 4").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", message(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 picture(s) cannot be read"), "{said}");
    assert_refused(&desk.command("doctor nowhere").output().unwrap(), &["nowhere"]);
}

#[test]
fn a_killed_preparation_goes_on_and_ends_with_the_same_bytes() {
    let desk = Desk::new();
    let start = Instant::now();
    let end = desk.undisturbed();
    let whole = start.elapsed();
    for kill in 1..=5 {
        let output = format!("killed_{kill}");
        let mut child = desk.command(&prepare(&output)).spawn().unwrap();
        sleep(whole.mul_f64(f64::from(kill) / 6.0));
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        assert_whole(&desk.path(&output), &end);
        desk.run(&prepare(&output));
        assert!(contents(&desk.path(&output)) == end, "after kill {kill}");
    }
}

#[test]
fn two_preparations_do_not_share_a_folder() {
    let desk = Desk::new();
    let end = desk.undisturbed();
    let first = Held::after(&desk, 1);
    let second = desk.command(&prepare("faces")).output().unwrap();
    assert_refused(&second, &["another process works in faces"]);
    finished(first.go_on());
    assert!(contents(&desk.path("faces")) == end);
}

#[test]
fn a_photo_that_goes_in_the_middle_is_left_out_and_taken_in_when_it_is_back() {
    let desk = Desk::new();
    let end = desk.undisturbed();
    let held = Held::after(&desk, 1);
    fs::rename(desk.path("photos/11.jpg"), desk.path("away.jpg")).unwrap();
    let said = finished(held.go_on());
    assert!(said.contains("1 skipped: gone or locked"), "{said}");
    desk.run("doctor faces --batch-size 4 --image-size 64");
    fs::rename(desk.path("away.jpg"), desk.path("photos/11.jpg")).unwrap();
    desk.run(&prepare("faces"));
    assert!(contents(&desk.path("faces")) == end);
}

#[test]
fn a_full_disk_costs_no_face_that_was_done() {
    const KILOBYTES: u32 = 1024;
    let desk = Desk::new();
    let Some(small) = Small::mount(&desk.path("small"), KILOBYTES) else {
        return;
    };
    let end = desk.undisturbed();
    let faces = small.0.join("faces");
    // From no space at all to space for the faces, but not for the other files.
    for room in [0, 4, 8, 16, 32, 48, 56, 64] {
        let ballast = small.fill(KILOBYTES as usize, room * 1024);
        let output = desk.command(&prepare("small/faces")).output().unwrap();
        assert_refused(&output, &["cannot write small/faces/", "No space left"]);
        assert_whole(&faces, &end);
        let left = contents(&faces);
        let count = |ending: &str| left.keys().filter(|name| name.ends_with(ending)).count();
        assert_eq!(count(".part"), 0, "{:?}", left.keys());
        assert!(room < 16 || count(".jpg") > 0, "{:?}", left.keys());

        fs::remove_file(ballast).unwrap();
        desk.run(&prepare("small/faces"));
        assert!(contents(&faces) == end);
        fs::remove_dir_all(&faces).unwrap();
    }
}

#[test]
fn missing_write_permission_is_reported_and_leaves_nothing() {
    let desk = Desk::new();
    let end = desk.undisturbed();
    let folders = ["", "undisturbed", "undisturbed/imgs"].map(|name| desk.path(name));
    if folders.iter().any(|folder| stranger(folder).is_none()) {
        return;
    }
    for name in ["new", "undisturbed"] {
        let program = stranger(desk.0.path()).unwrap();
        let output = desk.command_with(program, &prepare(name)).output().unwrap();
        assert_refused(&output, &[&format!("cannot write {name}"), "Permission denied"]);
    }
    assert!(!desk.path("new").exists());
    assert!(contents(&desk.path("undisturbed")) == end);
    folders.iter().for_each(|folder| permit(folder, 0o755)); // otherwise they cannot be removed
}
