//! Videos through FFmpeg, where it is installed: frames go into its standard input as they come.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};

use image::RgbImage;

use super::FilmOptions;
use crate::error::{Error, Result};

/// The program, as it is found on the path.
const FFMPEG: &str = "ffmpeg";

/// A video that is being written.
pub(super) struct Video {
    path: PathBuf,
    options: FilmOptions,
    /// The encoder, once the first frame has told the size.
    running: Option<Running>,
}

/// FFmpeg at work; it ends with this value.
struct Running {
    child: Child,
    scratch: PathBuf,
}

impl Video {
    /// # Errors
    /// [`Error::NoFfmpeg`], before any frame is made.
    pub(super) fn new(path: &Path, options: FilmOptions) -> Result<Self> {
        let mut probe = Command::new(FFMPEG);
        probe.arg("-version").stdin(Stdio::null()).stdout(Stdio::null());
        probe.stderr(Stdio::null());
        probe.status().map_err(|source| Error::NoFfmpeg {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            options,
            running: None,
        })
    }

    pub(super) fn push(&mut self, frame: &RgbImage) -> Result<()> {
        let running = match &mut self.running {
            Some(running) => running,
            none => none.insert(Running::start(&self.path, frame.dimensions(), self.options)?),
        };
        let Some(input) = running.child.stdin.as_mut() else {
            return Ok(()); // it was asked for
        };
        match input.write_all(frame.as_raw()) {
            Ok(()) => Ok(()),
            // It has gone, and says why.
            Err(_) => Err(running.failure(&self.path)),
        }
    }

    pub(super) fn finish(self) -> Result<()> {
        let Some(mut running) = self.running else {
            panic!("0 frames do not make a video")
        };
        drop(running.child.stdin.take());
        let ended = running.child.wait();
        if !ended.is_ok_and(|status| status.success()) {
            return Err(running.failure(&self.path));
        }
        fs::rename(&running.scratch, &self.path).map_err(|source| Error::Write {
            path: self.path,
            source,
        })
    }
}

impl Running {
    fn start(path: &Path, (width, height): (u32, u32), options: FilmOptions) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        // FFmpeg takes the container from the extension.
        let scratch = path.with_file_name(format!(".{name}.{}.part", process::id()));
        let scratch = scratch.with_added_extension(&extension);
        let mut command = Command::new(FFMPEG);
        command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]);
        command.args(["-f", "rawvideo", "-pixel_format", "rgb24"]);
        command.args(["-video_size", &format!("{width}x{height}")]);
        command.args(["-framerate", &options.fps.to_string(), "-i", "pipe:0", "-an"]);
        // What players want: half the colours, hence even sides.
        command.args(["-vf", "crop=trunc(iw/2)*2:trunc(ih/2)*2", "-pix_fmt", "yuv420p"]);
        match extension.to_str() {
            Some("webm") => command.args(["-c:v", "libvpx-vp9", "-crf", "24", "-b:v", "0"]),
            Some("mkv") => command.args(["-c:v", "libx264", "-crf", "16"]),
            _ => command.args(["-c:v", "libx264", "-crf", "16", "-movflags", "+faststart"]),
        };
        // A path that begins with a dash is no option.
        command.arg(Path::new(".").join(&scratch));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let child = command.spawn().map_err(|source| Error::NoFfmpeg {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self { child, scratch })
    }

    /// The last thing that FFmpeg says.
    fn failure(&mut self, path: &Path) -> Error {
        drop(self.child.stdin.take());
        let mut told = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            // A message cut short is a message still.
            let _ = stderr.take(64 * 1024).read_to_string(&mut told);
        }
        let line = told.lines().rev().find(|line| !line.trim().is_empty());
        Error::Ffmpeg {
            path: path.to_owned(),
            source: io::Error::other(line.unwrap_or("it ended without a word").trim().to_owned()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Neither the program nor half a video is left behind; after a success both are gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.scratch);
    }
}
