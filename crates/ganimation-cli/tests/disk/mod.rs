//! Disks that are small, and people who may not write: what the program's files have to bear.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A small file system of its own, if this process may have one.
pub(crate) struct Small(pub(crate) PathBuf);

impl Small {
    pub(crate) fn mount(at: &Path, kilobytes: u32) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={kilobytes}k");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(at)
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(at.to_owned())),
            Ok(output) => {
                println!(
                    "skipped: cannot mount a small file system: {}",
                    told(&output).trim()
                );
                None
            }
            Err(error) => {
                println!("skipped: there is no `mount` ({error})");
                None
            }
        }
    }

    /// Fills it but for so many bytes; the file that is returned takes the room.
    pub(crate) fn fill(&self, kilobytes: usize, but: usize) -> PathBuf {
        let ballast = self.0.join("ballast");
        fs::write(&ballast, vec![0; 1024 * kilobytes - but]).unwrap();
        ballast
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // What stays mounted is cleaned up with the machine.
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// The program, run by somebody who owns nothing in `folder`, which all may look into; none if that cannot be had.
pub(crate) fn stranger(folder: &Path) -> Option<Command> {
    let program = env!("CARGO_BIN_EXE_ganimation");
    if fs::metadata(folder).unwrap().uid() != 0 {
        permit(folder, 0o555);
        return Some(Command::new(program));
    }
    // Root may write anywhere.
    permit(folder, 0o755);
    let nobody = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", program]);
        command
    };
    if nobody()
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        return Some(nobody());
    }
    println!("skipped: root cannot run the program as nobody");
    None
}

/// Sets who may do what with a folder, as `chmod` does.
pub(crate) fn permit(folder: &Path, mode: u32) {
    fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
}

/// What a program said beside its results.
pub(crate) fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The program refused with one error and one hint, and nothing that reads like a panic.
#[track_caller]
pub(crate) fn assert_refused(output: &Output, expected: &[&str]) {
    let told = told(output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    let count = |start: &str| told.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((count("error: "), count("hint: ")), (1, 1), "{told}");
    for words in expected {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
}
