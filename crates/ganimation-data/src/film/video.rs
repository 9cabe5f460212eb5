//! Videos through FFmpeg. Frames are sent to its standard input.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use image::RgbImage;

use super::probe::plain;
use super::{FilmOptions, FilmSource};
use crate::error::{Error, Result};
use crate::files::file_extension;

/// The name of the program.
pub(super) const FFMPEG: &str = "ffmpeg";

/// Encoders of H.264 and replacements, the best first. Every FFmpeg has its own MPEG-4 encoder.
const H264: &[&str] = &["libx264", "libopenh264", "mpeg4"];
/// Encoders for WebM.
const WEBM: &[&str] = &["libvpx-vp9", "libvpx"];

/// Even sides, for the subsampled colours. The colours are converted to HD television and tagged, because players guess
/// untagged colours from the size.
const FILTERS: &str = "crop=trunc(iw/2)*2:trunc(ih/2)*2,\
    scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,\
    setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709";

/// A video during writing.
pub(super) struct Video {
    path: PathBuf,
    options: FilmOptions,
    encoder: &'static str,
    /// The film with the sound, and the codec of the sound.
    sound: Option<(PathBuf, &'static str)>,
    /// FFmpeg, started with the first frame, which gives the size.
    running: Option<Running>,
}

/// The running FFmpeg. Dropping this value ends it.
struct Running {
    child: Child,
    scratch: PathBuf,
}

impl Video {
    /// # Errors
    /// [`Error::NoFfmpeg`] and [`Error::NoEncoder`].
    pub(super) fn new(path: &Path, options: FilmOptions, sound: Option<&FilmSource>) -> Result<Self> {
        let mut probe = Command::new(FFMPEG);
        probe.args(["-hide_banner", "-loglevel", "error", "-encoders"]);
        probe.stdin(Stdio::null()).stderr(Stdio::null());
        let output = probe.output().map_err(|source| Error::NoFfmpeg {
            path: path.to_owned(),
            source,
        })?;
        let list = String::from_utf8_lossy(&output.stdout);
        // Lines such as ` V....D libx264    description`.
        let has = |encoder: &&&str| {
            list.lines()
                .any(|line| line.split_whitespace().nth(1) == Some(encoder))
        };
        let encoders = if file_extension(path) == "webm" {
            WEBM
        } else {
            H264
        };
        let encoder = encoders.iter().find(has).ok_or_else(|| Error::NoEncoder {
            path: path.to_owned(),
            encoders,
        })?;
        Ok(Self {
            path: path.to_owned(),
            options,
            encoder,
            sound: sound.and_then(|film| {
                let codec = sound_codec(&file_extension(path), film.sound.as_deref()?);
                Some((film.path.clone(), codec))
            }),
            running: None,
        })
    }

    /// The encoder, and whether it is the preferred one.
    pub(super) fn encoder(&self) -> (&'static str, bool) {
        let best = [H264, WEBM]
            .iter()
            .any(|encoders| encoders.first() == Some(&self.encoder));
        (self.encoder, best)
    }

    pub(super) fn push(&mut self, frame: &RgbImage) -> Result<()> {
        let running = match &mut self.running {
            Some(running) => running,
            none => none.insert(Running::start(
                &self.path,
                (self.encoder, self.sound.as_ref()),
                frame.dimensions(),
                self.options,
            )?),
        };
        let Some(input) = running.child.stdin.as_mut() else {
            return Ok(()); // standard input is always piped
        };
        match input.write_all(frame.as_raw()) {
            Ok(()) => Ok(()),
            // FFmpeg has ended, and its output contains the reason.
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

/// The codec for the sound: it is copied if the container supports it, otherwise encoded again.
fn sound_codec(container: &str, sound: &str) -> &'static str {
    let (held, other): (&[&str], _) = match container {
        "mp4" => (&["aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"], "aac"),
        "mov" => (
            &["aac", "mp3", "ac3", "alac", "pcm_s16le", "pcm_s24le", "pcm_s16be"],
            "aac",
        ),
        "webm" => (&["opus", "vorbis"], "libopus"),
        _ => return "copy", // Matroska supports all codecs
    };
    if held.contains(&sound) { "copy" } else { other }
}

impl Running {
    fn start(
        path: &Path,
        (encoder, sound): (&str, Option<&(PathBuf, &'static str)>),
        (width, height): (u32, u32),
        options: FilmOptions,
    ) -> Result<Self> {
        let extension = file_extension(path);
        // FFmpeg takes the container from the extension.
        let scratch = ganimation_io::scratch_path(path).with_added_extension(&extension);
        let mut command = Command::new(FFMPEG);
        command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]);
        command.args(["-f", "rawvideo", "-pixel_format", "rgb24"]);
        command.args(["-video_size", &format!("{width}x{height}")]);
        command.args(["-framerate", &options.rate.to_string(), "-i", "pipe:0"]);
        match sound {
            Some((film, codec)) => {
                command.arg("-i").arg(plain(film));
                command.args(["-map", "0:v", "-map", "1:a", "-map_metadata", "1", "-c:a", codec]);
            }
            None => {
                command.arg("-an");
            }
        }
        command.args(["-vf", FILTERS, "-c:v", encoder]);
        command.args(["-colorspace", "bt709", "-color_primaries", "bt709"]);
        command.args(["-color_trc", "bt709", "-color_range", "tv"]);
        command.args(match encoder {
            "libx264" => &["-crf", "16"][..],
            "libvpx-vp9" => &["-crf", "24", "-b:v", "0"],
            "libvpx" => &["-crf", "10", "-b:v", "4M"],
            "libopenh264" => &["-b:v", "8M"],
            _ => &["-q:v", "2"],
        });
        if matches!(&*extension, "mp4" | "mov") {
            command.args(["-movflags", "+faststart"]);
        }
        // FFmpeg must not read a path with a dash at its start as an option.
        command.arg(plain(&scratch));
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

    /// The last line of FFmpeg's output.
    fn failure(&mut self, path: &Path) -> Error {
        drop(self.child.stdin.take());
        let mut reported = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            // A truncated message is still useful.
            let _ = stderr.take(64 * 1024).read_to_string(&mut reported);
        }
        let line = reported.lines().rev().find(|line| !line.trim().is_empty());
        Error::Ffmpeg {
            path: path.to_owned(),
            source: io::Error::other(line.unwrap_or("it ended without a word").trim().to_owned()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ends FFmpeg and removes an incomplete video. After a success, neither exists any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.scratch);
    }
}
