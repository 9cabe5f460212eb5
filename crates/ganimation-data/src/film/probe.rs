//! Properties of a film, from FFmpeg's `ffprobe`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::FrameRate;
use crate::error::{Error, Result};

/// The name of the program.
const FFPROBE: &str = "ffprobe";

/// Films without colour tags use the colours of HD television from this height on, as in players.
const HD: u32 = 720;

/// A film to read, and its properties.
#[derive(Clone, Debug)]
pub struct FilmSource {
    pub(super) path: PathBuf,
    rate: FrameRate,
    frames: Option<u64>,
    pub(super) sound: Option<String>,
    /// Width of a pixel, if it is not square.
    pub(super) pixel: Option<f64>,
    /// Whether the colours are those of HD television, without a tag.
    pub(super) untagged_hd: bool,
    remarks: Vec<FilmRemark>,
}

/// A remark about a film.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FilmRemark {
    /// It has more frames per second than are read.
    Fast {
        /// The rate of the film.
        found: f64,
        /// The rate that is read.
        read: FrameRate,
    },
    /// It has high dynamic range, which 8 bits cannot store.
    HighRange,
}

impl std::fmt::Display for FilmRemark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fast { found, read } => {
                write!(f, "{found:.2} frames a second; it is read at {read}")
            }
            Self::HighRange => f.write_str("high dynamic range (HDR), which is lost: its colours look pale"),
        }
    }
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
struct Format {
    duration: Option<String>,
}

#[derive(Deserialize)]
struct Stream {
    codec_type: Option<String>,
    codec_name: Option<String>,
    height: Option<u32>,
    sample_aspect_ratio: Option<String>,
    color_space: Option<String>,
    color_transfer: Option<String>,
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    nb_frames: Option<String>,
    duration: Option<String>,
    #[serde(default)]
    disposition: Disposition,
}

#[derive(Default, Deserialize)]
struct Disposition {
    /// 1 for the cover picture of a song.
    #[serde(default)]
    attached_pic: u8,
}

impl FilmSource {
    /// Reads the properties of a film.
    ///
    /// # Errors
    /// [`Error::NoFfprobe`] if the program is missing, [`Error::Read`] if the file is missing, [`Error::FilmInput`] if it is
    /// not a film.
    pub fn open(path: &Path) -> Result<Self> {
        std::fs::metadata(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut command = Command::new(FFPROBE);
        command.args(["-v", "error", "-show_streams", "-show_format", "-of", "json"]);
        // FFmpeg must not read a path with a dash at its start as an option, or a path with a colon as a protocol.
        command.arg(plain(path)).stdin(Stdio::null());
        let output = command.output().map_err(|source| Error::NoFfprobe {
            path: path.to_owned(),
            source,
        })?;
        let message = String::from_utf8_lossy(&output.stderr);
        let report: Option<Report> = serde_json::from_slice(&output.stdout).ok();
        let report = report.filter(|_| output.status.success());
        let report = report.ok_or_else(|| refused(path, last_line(&message, path)))?;
        let kind = |kind: &'static str| {
            let mut streams = report.streams.iter();
            streams.find(move |stream| {
                stream.codec_type.as_deref() == Some(kind) && stream.disposition.attached_pic == 0
            })
        };
        let Some(pictures) = kind("video") else {
            return Err(refused(path, "it has no pictures"));
        };
        let fps = [&pictures.avg_frame_rate, &pictures.r_frame_rate];
        let fps = fps.into_iter().flatten().find_map(|rate| fraction(rate, '/'));
        let fps = fps.ok_or_else(|| refused(path, "it does not say how fast it is"))?;
        let rate = rate(fps);
        let number = |text: &Option<String>| text.as_ref()?.parse::<f64>().ok();
        let seconds = number(&pictures.duration).or_else(|| number(&report.format.duration));
        let mut remarks = Vec::new();
        if (fps / rate.fps() - 1.0).abs() > 1e-3 {
            remarks.push(FilmRemark::Fast {
                found: fps,
                read: rate,
            });
        }
        let curve = pictures.color_transfer.as_deref();
        if matches!(curve, Some("smpte2084" | "arib-std-b67")) {
            remarks.push(FilmRemark::HighRange);
        }
        let untagged = pictures
            .color_space
            .as_deref()
            .is_none_or(|space| space == "unknown");
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of frames; a hint of a file beyond it is cut off"
        )]
        let frames = seconds.map(|seconds| (seconds * rate.fps()).round() as u64);
        let counted = pictures.nb_frames.as_ref().and_then(|count| count.parse().ok());
        Ok(Self {
            path: path.to_owned(),
            rate,
            frames: frames.or(counted),
            sound: kind("audio").map(|sound| sound.codec_name.clone().unwrap_or_default()),
            pixel: pictures
                .sample_aspect_ratio
                .as_deref()
                .and_then(|ratio| fraction(ratio, ':'))
                .filter(|ratio| (ratio - 1.0).abs() > 1e-3),
            untagged_hd: untagged && pictures.height.is_some_and(|height| height >= HD),
            remarks,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The frame rate for reading: the rate of the film, or a fraction of it above 60.
    pub const fn rate(&self) -> FrameRate {
        self.rate
    }

    /// Approximate number of frames, if the file contains it.
    pub const fn frames(&self) -> Option<u64> {
        self.frames
    }

    /// Whether it has sound.
    pub const fn has_sound(&self) -> bool {
        self.sound.is_some()
    }

    /// Remarks about the film.
    pub fn remarks(&self) -> &[FilmRemark] {
        &self.remarks
    }
}

/// A path that FFmpeg always treats as a file.
pub(super) fn plain(path: &Path) -> PathBuf {
    Path::new(".").join(path)
}

/// The last line of FFmpeg's output, without the name of the file, which the error contains.
pub(super) fn last_line<'a>(message: &'a str, path: &Path) -> &'a str {
    let line = message.lines().rev().find(|line| !line.trim().is_empty());
    let name = plain(path).display().to_string();
    let line = line.unwrap_or("ffmpeg ended without a word").trim();
    line.strip_prefix(&name)
        .map_or(line, |line| line.trim_start_matches([':', ' ']))
}

pub(super) fn refused(path: &Path, why: &str) -> Error {
    Error::FilmInput {
        path: path.to_owned(),
        source: std::io::Error::other(why.to_owned()),
    }
}

/// The rate, or a half or a third of it if it is above 60.
fn rate(fps: f64) -> FrameRate {
    let mut read = fps.max(1.0);
    let mut parts = 1.0;
    while read > 60.5 {
        parts += 1.0;
        read = fps / parts;
    }
    FrameRate::near(read.min(60.0), 5e-4).unwrap_or_default()
}

/// The value of `30000/1001` or `4:3`; `None` for `0/0`.
fn fraction(text: &str, divider: char) -> Option<f64> {
    let (above, below) = text.split_once(divider)?;
    let value = above.parse::<f64>().ok()? / below.parse::<f64>().ok()?;
    (value.is_finite() && value > 0.0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_films_and_fast_ones_are_divided() {
        for (fps, expected) in [
            (29.97, "30000/1001"),
            (29.97 + 0.002, "30000/1001"),
            (25.0, "25"),
            (119.88, "60000/1001"),
            (240.0, "60"),
            (0.5, "1"),
            (17.123, "17123/1000"),
        ] {
            assert_eq!(rate(fps).to_string(), expected, "{fps}");
        }
        assert_eq!(fraction("0/0", '/'), None);
        assert_eq!(fraction("4:3", ':'), Some(4.0 / 3.0));
    }
}
