//! Films: writes frames to GIFs, animated PNGs, folders of pictures and videos, and reads the frames of videos.

mod apng;
mod area;
mod gif;
mod probe;
mod rate;
mod reader;
mod video;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use image::RgbImage;

use crate::error::{Error, Result};
use crate::files::file_extension;
use crate::sheet::save_image;

pub use gif::{gif_bytes, write_gif};
pub use probe::{FilmRemark, FilmSource};
pub use rate::FrameRate;
pub use reader::FilmReader;

/// Maximum size of the pixels of a GIF, in bytes. All frames are kept in memory to make the palette.
const MAX_GIF: usize = 2 << 30;

/// The format of a film.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilmFormat {
    /// A GIF: 256 colours, supported by all browsers and mail programs.
    Gif,
    /// An animated PNG: lossless.
    Apng,
    /// A folder of PNG pictures, `0001.png` and so on.
    Folder,
    /// A video. FFmpeg must be installed.
    Video,
}

impl FilmFormat {
    /// The supported extensions. A path without an extension is a folder.
    pub const EXTENSIONS: &[&str] = &["gif", "png", "apng", "mp4", "mov", "mkv", "webm"];

    /// The format of a path, if it has a supported extension or none.
    pub fn of(path: &Path) -> Option<Self> {
        if path.extension().is_none() {
            return Some(Self::Folder);
        }
        match file_extension(path).as_str() {
            "gif" => Some(Self::Gif),
            "png" | "apng" => Some(Self::Apng),
            "mp4" | "mov" | "mkv" | "webm" => Some(Self::Video),
            _ => None,
        }
    }
}

/// Options of a film.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilmOptions {
    /// Frames per second. A GIF has at most 50; of a higher rate, some frames are skipped.
    pub rate: FrameRate,
    /// How many times a GIF or an animated PNG plays; 0 plays without end.
    pub plays: u16,
    /// Number of frames.
    pub frames: u32,
}

/// Writes a film frame by frame. The file exists only when the film is finished.
///
/// ```no_run
/// use ganimation_data::film::{FilmOptions, FilmWriter};
/// use image::RgbImage;
///
/// let options = FilmOptions { rate: "12".parse()?, plays: 0, frames: 2 };
/// let mut film = FilmWriter::create("film.gif".as_ref(), options)?;
/// film.push(RgbImage::new(64, 64))?;
/// film.push(RgbImage::new(64, 64))?;
/// film.finish()?;
/// # Ok::<(), ganimation_data::Error>(())
/// ```
pub struct FilmWriter {
    path: PathBuf,
    options: FilmOptions,
    size: Option<(u32, u32)>,
    pushed: u32,
    kind: Kind,
}

enum Kind {
    Gif(Vec<RgbImage>),
    Apng(apng::Apng),
    Folder,
    Video(video::Video),
}

impl FilmWriter {
    /// Starts a film. The extension of `path` determines its format.
    ///
    /// # Errors
    /// [`Error::UnknownFilmFormat`]; for a video [`Error::NoFfmpeg`] and [`Error::NoEncoder`]; for a folder
    /// [`Error::FolderNotEmpty`] and [`Error::Write`].
    ///
    /// # Panics
    /// If the film has no frames.
    pub fn create(path: &Path, options: FilmOptions) -> Result<Self> {
        Self::new(path, options, None)
    }

    /// Like [`FilmWriter::create`]. A video gets the sound and the metadata of another film.
    ///
    /// # Errors
    /// See [`FilmWriter::create`].
    ///
    /// # Panics
    /// If the film has no frames.
    pub fn create_with_sound(path: &Path, options: FilmOptions, sound: &FilmSource) -> Result<Self> {
        Self::new(path, options, Some(sound))
    }

    fn new(path: &Path, options: FilmOptions, sound: Option<&FilmSource>) -> Result<Self> {
        assert!(options.frames > 0, "a film of {} frames", options.frames);
        let kind = match FilmFormat::of(path) {
            Some(FilmFormat::Gif) => Kind::Gif(Vec::new()),
            Some(FilmFormat::Apng) => Kind::Apng(apng::Apng::new(path, options)),
            Some(FilmFormat::Video) => Kind::Video(video::Video::new(path, options, sound)?),
            Some(FilmFormat::Folder) => {
                empty_folder(path)?;
                Kind::Folder
            }
            None => {
                return Err(Error::UnknownFilmFormat {
                    path: path.to_owned(),
                });
            }
        };
        Ok(Self {
            path: path.to_owned(),
            options,
            size: None,
            pushed: 0,
            kind,
        })
    }

    /// The encoder of a video, if FFmpeg does not have the preferred one.
    pub fn substitute(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Video(video) => Some(video.encoder())
                .filter(|(_, best)| !best)
                .map(|(encoder, _)| encoder),
            _ => None,
        }
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::EncodePicture`], [`Error::Ffmpeg`], and [`Error::FilmTooLong`] for a GIF that does not
    /// fit in memory.
    ///
    /// # Panics
    /// If the frame is empty or has another size than the first one, or if there are more frames than in the options.
    pub fn push(&mut self, frame: RgbImage) -> Result<()> {
        let size = frame.dimensions();
        let first = *self.size.get_or_insert(size);
        assert!(
            size == first && size.0 * size.1 > 0,
            "frame {} is {size:?}, the first is {first:?}",
            self.pushed
        );
        self.pushed += 1;
        assert!(
            self.pushed <= self.options.frames,
            "more than {} frames",
            self.options.frames
        );
        match &mut self.kind {
            Kind::Gif(frames) => {
                if (frames.len() + 1) * frame.as_raw().len() > MAX_GIF {
                    return Err(Error::FilmTooLong {
                        path: self.path.clone(),
                        frames: frames.len(),
                    });
                }
                frames.push(frame);
                Ok(())
            }
            Kind::Apng(film) => film.push(&frame),
            Kind::Folder => save_image(self.path.join(format!("{:04}.png", self.pushed)), &frame),
            Kind::Video(film) => film.push(&frame),
        }
    }

    /// Completes the film.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::Ffmpeg`].
    ///
    /// # Panics
    /// If there are fewer frames than in the options.
    pub fn finish(self) -> Result<()> {
        let FilmOptions { rate, plays, frames } = self.options;
        assert!(
            self.pushed == frames,
            "{} frames in place of {frames}",
            self.pushed
        );
        match self.kind {
            Kind::Gif(frames) => {
                let frame_time = Duration::from_secs_f64(rate.fps().recip());
                write_gif(&self.path, &frames, frame_time, plays)
            }
            Kind::Apng(film) => film.finish(),
            Kind::Folder => Ok(()),
            Kind::Video(film) => film.finish(),
        }
    }
}

/// Creates the folder. An existing folder must be empty, so that old and new frames are not mixed.
fn empty_folder(path: &Path) -> Result<()> {
    let failure = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    if !path.is_dir() {
        return fs::create_dir(path).map_err(failure);
    }
    match fs::read_dir(path).map_err(failure)?.next() {
        None => Ok(()),
        Some(_) => Err(Error::FolderNotEmpty {
            path: path.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
