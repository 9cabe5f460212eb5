//! The frames of a film, one at a time, through FFmpeg.

use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

use image::RgbImage;

use super::probe::{FilmSource, last_line, plain, refused};
use super::video::FFMPEG;
use crate::error::{Error, Result};

/// Maximum bytes of a line of a frame's header.
const LINE: u64 = 64;
/// Maximum pixels of a frame.
const MAX_PIXELS: u64 = 64_000_000;

/// The frames of a film, upright, with square pixels, at a constant rate.
///
/// One frame is in memory at a time. Dropping this value ends FFmpeg.
pub struct FilmReader {
    path: PathBuf,
    child: Child,
    frames: BufReader<ChildStdout>,
    message: Option<JoinHandle<String>>,
    count: u64,
    damage: Option<String>,
    ended: bool,
}

impl FilmReader {
    /// Starts to read. Frames are reduced if the longer side has more than `max_side` pixels.
    ///
    /// # Errors
    /// [`Error::NoFfprobe`] if FFmpeg cannot be run.
    pub fn open(source: &FilmSource, max_side: Option<u32>) -> Result<Self> {
        let missing = |error| Error::NoFfprobe {
            path: source.path.clone(),
            source: error,
        };
        let mut command = Command::new(FFMPEG);
        command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-i"]);
        command.arg(plain(&source.path)).args(["-map", "0:V:0", "-vf"]);
        command.arg(filters(source, max_side));
        // Each frame contains its size, which is known only after FFmpeg has rotated the frame upright.
        command.args(["-f", "image2pipe", "-c:v", "ppm", "pipe:1"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(missing)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(missing(io::Error::other("no pipe")));
        };
        // Messages are read continuously. Otherwise a badly damaged film would fill the pipe, and FFmpeg would block.
        let message = thread::spawn(move || {
            let (mut stderr, mut last) = (BufReader::new(stderr), Vec::new());
            loop {
                let mut line = Vec::new();
                match stderr.by_ref().take(1 << 16).read_until(b'\n', &mut line) {
                    Ok(read) if read > 0 => last = line,
                    _ => return String::from_utf8_lossy(&last).into_owned(),
                }
            }
        });
        Ok(Self {
            path: source.path.clone(),
            child,
            frames: BufReader::with_capacity(1 << 16, stdout),
            message: Some(message),
            count: 0,
            damage: None,
            ended: false,
        })
    }

    /// The damage of the film. It is known only after the last frame.
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    fn frame(&mut self) -> Result<Option<RgbImage>> {
        let Some(size) = self
            .header()
            .map_err(|error| refused(&self.path, &error.to_string()))?
        else {
            return self.end().map(|()| None);
        };
        let mut pixels = vec![0; size.0 as usize * size.1 as usize * 3];
        if self.frames.read_exact(&mut pixels).is_err() {
            return self.end().map(|()| None); // an incomplete frame is dropped
        }
        self.count += 1;
        Ok(RgbImage::from_raw(size.0, size.1, pixels))
    }

    /// Width and height of the next frame: `P6`, both numbers, `255`.
    fn header(&mut self) -> io::Result<Option<(u32, u32)>> {
        let mut line = || -> io::Result<String> {
            let mut line = Vec::new();
            self.frames.by_ref().take(LINE).read_until(b'\n', &mut line)?;
            Ok(String::from_utf8_lossy(&line).trim().to_owned())
        };
        let (kind, size, levels) = (line()?, line()?, line()?);
        if kind.is_empty() {
            return Ok(None);
        }
        let size = size
            .split_once(' ')
            .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)))
            .filter(|&(width, height): &(u32, u32)| {
                width > 0 && height > 0 && u64::from(width) * u64::from(height) <= MAX_PIXELS
            });
        match size {
            Some(size) if kind == "P6" && levels == "255" => Ok(Some(size)),
            _ => Err(io::Error::other("its frames are too large")),
        }
    }

    fn end(&mut self) -> Result<()> {
        self.ended = true;
        let message = self.message.take().and_then(|message| message.join().ok());
        let message = message.unwrap_or_default();
        let well = self.child.wait().is_ok_and(|status| status.success());
        let line = last_line(&message, &self.path);
        if self.count == 0 {
            return Err(refused(&self.path, line));
        }
        if !well || !message.trim().is_empty() {
            self.damage = Some(line.to_owned());
        }
        Ok(())
    }
}

impl Iterator for FilmReader {
    type Item = Result<RgbImage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let frame = self.frame();
        self.ended |= frame.is_err();
        frame.transpose()
    }
}

impl Drop for FilmReader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn filters(source: &FilmSource, max_side: Option<u32>) -> String {
    // Frames start at time 0, like the sound, even if the film's pictures start later.
    let mut filters = vec![format!("fps=fps={}:start_time=0", source.rate())];
    let mut scale = String::from("flags=bicubic+accurate_rnd+full_chroma_int");
    if source.untagged_hd {
        scale += ":in_color_matrix=bt709";
    }
    if let Some(pixel) = source.pixel {
        filters.push(format!("scale=w='round(iw*{pixel:.6}/2)*2':h=ih,setsar=1"));
    }
    if let Some(side) = max_side {
        let share = format!("min(1,{side}/max(iw,ih))");
        scale = format!("w='max(2,trunc(iw*{share}/2)*2)':h='max(2,trunc(ih*{share}/2)*2)':{scale}");
    }
    filters.push(format!("scale={scale},format=rgb24"));
    filters.join(",")
}
