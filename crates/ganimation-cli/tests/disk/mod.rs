//! Small disks, and users without write permission, for tests of the program's files.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A separate small file system, if this process can mount one.
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
                    message(&output).trim()
                );
                None
            }
            Err(error) => {
                println!("skipped: there is no `mount` ({error})");
                None
            }
        }
    }

    /// Fills the file system except for `but` bytes. The returned file uses the space.
    pub(crate) fn fill(&self, kilobytes: usize, but: usize) -> PathBuf {
        let ballast = self.0.join("ballast");
        fs::write(&ballast, vec![0; 1024 * kilobytes - but]).unwrap();
        ballast
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Remaining mounts disappear with the machine.
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// The program, run by a user who owns no files in `folder`, which all users can read. `None` if this is not possible.
pub(crate) fn stranger(folder: &Path) -> Option<Command> {
    let program = env!("CARGO_BIN_EXE_ganimation");
    if fs::metadata(folder).unwrap().uid() != 0 {
        permit(folder, 0o555);
        return Some(Command::new(program));
    }
    // Root can write everywhere.
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

/// Sets the permissions of a folder, like `chmod`.
pub(crate) fn permit(folder: &Path, mode: u32) {
    fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
}

/// The stderr of a program.
pub(crate) fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Checks that the program failed with one error and one hint, and without a panic.
#[track_caller]
pub(crate) fn assert_refused(output: &Output, expected: &[&str]) {
    let message = message(output);
    assert_eq!(output.status.code(), Some(2), "{message}");
    let count = |start: &str| message.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((count("error: "), count("hint: ")), (1, 1), "{message}");
    for words in expected {
        assert!(message.contains(words), "no {words:?} in {message}");
    }
}
