//! Films of an animated photo.

use std::path::Path;

use ganimation_data::film::{FilmOptions, FilmWriter, FrameRate};

use crate::{Animator, Expression, FacePhoto, Frame, Result, Timeline};

/// A photo whose faces follow a timeline. Frames are computed on demand.
///
/// ```no_run
/// # #[cfg(feature = "bundled")] {
/// use ganimation::{Animator, Ease, Emotion, Expression, PhotoOptions, Timeline};
///
/// let animator = Animator::bundled()?;
/// let photo = animator.open("me.jpg".as_ref(), &PhotoOptions::new())?;
/// let happy = Expression::new().with_emotion(Emotion::Happiness, 1.0)?;
/// let timeline = Timeline::there_and_back(Expression::new(), happy, 2.0, Ease::InOut);
/// animator.film(&photo, &timeline, "12".parse()?).save("me.gif")?;
/// # }
/// # Ok::<(), ganimation::Error>(())
/// ```
#[derive(Debug)]
pub struct Film<'a> {
    animator: &'a Animator,
    photo: &'a FacePhoto,
    expressions: Vec<Expression>,
    rate: FrameRate,
}

impl Animator {
    /// Animates the photo's faces along `timeline`, with `rate` frames per second.
    pub fn film<'a>(&'a self, photo: &'a FacePhoto, timeline: &Timeline, rate: FrameRate) -> Film<'a> {
        #[expect(clippy::cast_possible_truncation, reason = "60 frames a second at most")]
        let fps = rate.fps() as f32;
        Film {
            animator: self,
            photo,
            expressions: timeline.frames(fps),
            rate,
        }
    }
}

impl Film<'_> {
    /// The frames, in order, computed in small batches on demand.
    pub fn frames(&self) -> impl Iterator<Item = Frame> {
        self.animator.frames(self.photo, &self.expressions)
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.expressions.len()
    }

    /// Whether there are no frames.
    pub fn is_empty(&self) -> bool {
        self.expressions.is_empty()
    }

    /// Writes the film. GIFs and animated PNGs repeat endlessly. The extension determines the format: gif, png or apng,
    /// or, with FFmpeg, mp4, mov, mkv or webm. A path without an extension becomes a new folder of numbered pictures.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) for other extensions, for a video without FFmpeg, and if the file cannot be
    /// written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let options = FilmOptions {
            rate: self.rate,
            plays: 0,
            frames: u32::try_from(self.len()).unwrap_or(u32::MAX),
        };
        let mut film = FilmWriter::create(path.as_ref(), options)?;
        for frame in self.frames() {
            film.push(frame.photo)?;
        }
        Ok(film.finish()?)
    }
}
