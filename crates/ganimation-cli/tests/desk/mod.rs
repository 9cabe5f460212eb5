//! A folder in which tests run the program.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::path::PathBuf;
use std::process::{Command, Output};

use image::RgbImage;
use tempfile::TempDir;

/// Grace Hopper, who does not smile.
pub(crate) const HOPPER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/grace_hopper.jpg");
/// Eileen Collins, who smiles.
pub(crate) const COLLINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/astronaut.png");

/// A folder that the program runs in.
pub(crate) struct Desk(TempDir);

impl Desk {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn picture(&self, name: &str) -> RgbImage {
        image::open(self.path(name)).unwrap().into_rgb8()
    }

    /// Runs a command line with words separated by spaces.
    pub(crate) fn output(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ganimation"));
        command.current_dir(self.0.path()).args(line.split_whitespace());
        command.args(["--device", "flex"]).output().unwrap()
    }

    /// The output of the program, which must succeed.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> String {
        let output = self.output(line);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {message}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Checks that the program fails with a one-line error and a hint.
    #[track_caller]
    pub(crate) fn refuses(&self, line: &str, expected: &str) {
        let output = self.output(line);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {message}");
        assert!(
            message.starts_with("error: ") && message.contains(expected),
            "{line}: {message}"
        );
        assert!(
            message.contains("\nhint: ") && message.lines().count() == 2,
            "{line}: {message}"
        );
        assert!(output.stdout.is_empty(), "{line}");
    }
}

/// Number of different pixels.
pub(crate) fn changes(a: &RgbImage, b: &RgbImage) -> usize {
    assert_eq!(a.dimensions(), b.dimensions());
    a.pixels().zip(b.pixels()).filter(|(a, b)| a != b).count()
}
