//! Errors of files. Each variant is a problem that the user can correct.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use crate::au::{AU_COUNT, ActionUnit};
use crate::dataset::PHOTO_EXTENSIONS;
use crate::pickle::PickleProblem;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of faces, labels or pictures.
///
/// A message does not repeat its `source`. [`Error::with_sources`] returns both.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An unknown action unit.
    #[error("unknown action unit `{found}`; accepted: {}", ActionUnit::accepted())]
    UnknownActionUnit {
        /// The given text.
        found: String,
    },

    /// A file or folder could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },

    /// A file is larger than the limit.
    #[error("{} is larger than {limit} bytes", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },

    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the operating system or the encoder.
        source: io::Error,
    },

    /// A pickle is damaged, does not contain labels, or contains code.
    #[error("{}, byte {position}: {problem}", path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
        /// The position, in bytes from the start of the file.
        position: usize,
        /// The problem.
        problem: PickleProblem,
    },

    /// A table is not valid CSV.
    #[error("{} is not a readable table", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// The error of the parser, with the line.
        source: csv::Error,
    },

    /// A table does not have a required column.
    #[error("{} has no column `{column}`; it has: {found}", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The missing column.
        column: String,
        /// The existing columns (the first twelve).
        found: String,
    },

    /// A cell of a table is not a number.
    #[error("{}:{line}: column `{column}` holds `{found}`, not a number", path.display())]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// The column's name.
        column: String,
        /// The text in the cell.
        found: String,
    },

    /// A table of another program with fewer action units.
    #[error("{} is a table of {tool}, without {missing}", path.display())]
    ForeignTable {
        /// The file.
        path: PathBuf,
        /// The program.
        tool: &'static str,
        /// What is missing.
        missing: String,
    },

    /// A cell of a table is far outside the scale of intensities.
    #[error("{}:{line}: column `{column}` holds {found}, far outside 0 to 5", path.display())]
    OffScale {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// The column's name.
        column: String,
        /// The value.
        found: f64,
    },

    /// A list or table is not UTF-8.
    #[error("{}:{line}: not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
    },

    /// A face has two labels.
    #[error("{} has two labels for one face: `{first}` and `{second}`", path.display())]
    RepeatedLabel {
        /// The labels file.
        path: PathBuf,
        /// One id.
        first: String,
        /// The other id, which may be the same.
        second: String,
    },

    /// Another process uses the folder.
    #[error("another process works in {}", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },

    /// A dataset folder was started with other settings.
    #[error("{} was begun with {before}, not with {now}", folder.display())]
    OtherSettings {
        /// The folder.
        folder: PathBuf,
        /// The original settings.
        before: String,
        /// The current settings.
        now: String,
    },

    /// Two photos would have the same name in the dataset.
    #[error("{} and {} would have the same name", first.display(), second.display())]
    SameName {
        /// One photo.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },

    /// Two photos are the same frame of a video.
    #[error("{} and {} are both frame {frame}", first.display(), second.display())]
    SameFrame {
        /// The number in both names.
        frame: u64,
        /// One photo.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },

    /// A row of a video's table has no frame.
    #[error("{}:{line}: no number in column `frame`", path.display())]
    NoFrame {
        /// The table.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
    },

    /// There are no photos.
    #[error(
        "no photos ({}) in {}{}",
        PHOTO_EXTENSIONS.join(", "),
        places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", "),
        skipped_text(skipped)
    )]
    NoPhotos {
        /// The searched paths.
        places: Vec<PathBuf>,
        /// Numbers of files of other kinds, by extension.
        skipped: BTreeMap<String, usize>,
    },

    /// None of the photos could be used.
    #[error("none of {photos} photo(s) could be used; most often: {reason}")]
    NothingPrepared {
        /// Number of photos.
        photos: usize,
        /// The most frequent reason.
        reason: &'static str,
    },

    /// A dataset folder contains no labels.
    #[error("{} holds none of {expected}", dir.display())]
    NoLabels {
        /// The dataset folder.
        dir: PathBuf,
        /// The accepted file names.
        expected: &'static str,
    },

    /// A listed face has no picture.
    #[error("{}:{line}: no picture `{id}` (jpg, jpeg, png or webp) in {}{}", path.display(), dir.display(), near_text(near))]
    MissingPicture {
        /// The list of ids.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// The id in the list.
        id: String,
        /// The folder of pictures.
        dir: PathBuf,
        /// A picture with a similar name.
        near: Option<String>,
    },

    /// A listed id matches several pictures with different extensions.
    #[error("{}:{line}: `{id}` fits both {first} and {second}; write the extension", path.display())]
    AmbiguousPicture {
        /// The list of ids.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// The id in the list.
        id: String,
        /// One picture.
        first: String,
        /// Another picture.
        second: String,
    },

    /// A listed face has no label.
    #[error("{}:{line}: `{id}` has no label in {}{}", path.display(), labels.display(), near_text(near))]
    MissingLabel {
        /// The list of ids.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// The id in the list.
        id: String,
        /// The labels file.
        labels: PathBuf,
        /// A label with a similar name.
        near: Option<String>,
    },

    /// A face is listed twice, in one list or across the two.
    #[error("{}:{line}: `{id}` is already listed at {}:{first_line}", path.display(), first_path.display())]
    RepeatedId {
        /// The list of ids.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// The id in the list.
        id: String,
        /// The list that contains it already.
        first_path: PathBuf,
        /// Its line there.
        first_line: u64,
    },

    /// A label has the wrong number of intensities.
    #[error("{}:{line}: the label of `{id}` in {} has {found} intensities, expected {AU_COUNT}", path.display(), labels.display())]
    LabelLength {
        /// The list of ids.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// The id in the list.
        id: String,
        /// The labels file.
        labels: PathBuf,
        /// The length of the label.
        found: usize,
    },

    /// A label contains NaN or infinity.
    #[error("{}:{line}: the label of `{id}` in {} has {found} for {au}", path.display(), labels.display())]
    LabelNotFinite {
        /// The list of ids.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// The id in the list.
        id: String,
        /// The labels file.
        labels: PathBuf,
        /// The action unit.
        au: ActionUnit,
        /// Its value.
        found: f64,
    },

    /// A face has two rows in the table of landmarks.
    #[error("{}:{line}: `{id}` has landmarks already", path.display())]
    RepeatedLandmarks {
        /// The table.
        path: PathBuf,
        /// Line of the second row, counted from 1.
        line: u64,
        /// The id in the list.
        id: String,
    },

    /// A landmark lies far outside its picture.
    #[error("{}:{line}: landmark {landmark} is at ({x}, {y}), far outside a picture of {width} x {height} pixels", path.display())]
    LandmarkOutside {
        /// The table.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// The landmark, 0 to 67.
        landmark: usize,
        /// Its position, in pixels from the left.
        x: f64,
        /// Its position, in pixels from the top.
        y: f64,
        /// Width of the picture in pixels.
        width: u32,
        /// Height of the picture in pixels.
        height: u32,
    },

    /// The table of landmarks is for pictures of another size.
    #[error("{}: the landmarks of {misfits} of {faces} faces do not fit their pictures; they must be in pixels of the pictures in `imgs`", path.display())]
    LandmarksOfOtherSize {
        /// The table.
        path: PathBuf,
        /// Number of faces that do not fit.
        misfits: usize,
        /// Number of faces with landmarks.
        faces: usize,
    },

    /// Too few faces have landmarks to learn motion.
    #[error(
        "{found} face(s) have landmarks, but learning motion needs {needed}; add landmarks.csv, which `ganimation prepare` takes from the columns x_0 to y_67 of OpenFace's tables"
    )]
    NoLandmarks {
        /// Number of faces with landmarks.
        found: usize,
        /// The required number.
        needed: usize,
    },

    /// A dataset folder has problems.
    #[error("{} has {count} problem(s); the first: {first}", dir.display())]
    Dataset {
        /// The dataset folder.
        dir: PathBuf,
        /// Number of problems.
        count: usize,
        /// The first problem.
        first: Box<Error>,
    },

    /// There are too few faces for one batch.
    #[error("{faces} face(s) do not fill a batch of {batch_size}; lower the batch size or add faces")]
    TooFewFaces {
        /// Number of faces.
        faces: usize,
        /// The batch size.
        batch_size: usize,
    },

    /// A setting of the loader is invalid.
    #[error("loader setting `{setting}` is {found}, expected {expected}")]
    LoaderSetting {
        /// The field of `LoaderConfig`.
        setting: &'static str,
        /// Its value.
        found: f64,
        /// The valid values.
        expected: &'static str,
    },

    /// The system cannot create a thread for the loader.
    #[error("cannot start a thread that loads faces")]
    LoaderThread {
        /// The cause.
        source: io::Error,
    },

    /// Too many pictures cannot be read.
    #[error("{found} of {faces} pictures cannot be read, too many to skip; the latest: {latest}")]
    TooManyBad {
        /// Number of unreadable pictures so far.
        found: usize,
        /// Number of faces.
        faces: usize,
        /// The latest of them.
        latest: Box<Error>,
    },

    /// A thread of the loader stopped, for example because a decoder panicked.
    #[error("a thread that loads faces has stopped")]
    LoaderStopped,

    /// A picture cannot be decoded.
    #[error("cannot decode picture {}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// The error of the decoder.
        source: image::ImageError,
    },

    /// A file of a known but unsupported kind.
    #[error("picture {} is {kind}, which cannot be read", path.display())]
    ForeignPicture {
        /// The file.
        path: PathBuf,
        /// The kind of file.
        kind: &'static str,
    },

    /// A picture is larger than the limit.
    #[error(
        "picture {} is {width} x {height} pixels ({} megapixels), more than {limit} megapixels",
        path.display(),
        (u64::from(*width) * u64::from(*height)).div_ceil(1_000_000)
    )]
    PictureTooLarge {
        /// The file.
        path: PathBuf,
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// The limit in millions of pixels.
        limit: u64,
    },

    /// A picture does not fit the format of its file.
    #[error("cannot encode picture {}", path.display())]
    EncodePicture {
        /// The file.
        path: PathBuf,
        /// The error of the encoder.
        source: image::ImageError,
    },

    /// The path of a picture has no supported extension.
    #[error("{} has no extension among png, jpg, jpeg and webp", path.display())]
    UnknownPictureFormat {
        /// The file.
        path: PathBuf,
    },

    /// The path of a film has no supported extension.
    #[error("{} has no extension of a film", path.display())]
    UnknownFilmFormat {
        /// The file.
        path: PathBuf,
    },

    /// An invalid frame rate.
    #[error("`{found}` is no frame rate of 1 to 60 frames a second")]
    FrameRate {
        /// The given rate.
        found: String,
    },

    /// A GIF has too many frames for the memory.
    #[error("{} is too long for a GIF: {frames} frames fill the memory it may take", path.display())]
    FilmTooLong {
        /// The file.
        path: PathBuf,
        /// Number of frames that fit.
        frames: usize,
    },

    /// The folder for frames is not empty.
    #[error("{} is not empty", path.display())]
    FolderNotEmpty {
        /// The folder.
        path: PathBuf,
    },

    /// FFmpeg cannot be run to write a video.
    #[error("cannot write {}: videos need the program ffmpeg", path.display())]
    NoFfmpeg {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },

    /// FFmpeg cannot be run to read a film.
    #[error("cannot read {}: films need the programs ffmpeg and ffprobe", path.display())]
    NoFfprobe {
        /// The film.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },

    /// A file is not a film, or no frame can be read.
    #[error("cannot read film {}", path.display())]
    FilmInput {
        /// The file.
        path: PathBuf,
        /// The message of FFmpeg.
        source: io::Error,
    },

    /// FFmpeg has no suitable encoder.
    #[error("cannot write {}: this ffmpeg has none of the encoders {}", path.display(), encoders.join(", "))]
    NoEncoder {
        /// The file.
        path: PathBuf,
        /// The suitable encoders.
        encoders: &'static [&'static str],
    },

    /// FFmpeg could not write a video.
    #[error("ffmpeg cannot write {}", path.display())]
    Ffmpeg {
        /// The file.
        path: PathBuf,
        /// The last line of its output.
        source: io::Error,
    },

    /// The built-in face detector cannot be loaded.
    #[error("the built-in face detector is damaged; build again")]
    DetectorModel {
        /// The cause.
        source: io::Error,
    },
}

/// `; skipped: 3 heic, 1 tif`, or nothing.
fn skipped_text(kinds: &BTreeMap<String, usize>) -> String {
    let kinds: Vec<_> = kinds
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    match kinds.is_empty() {
        true => String::new(),
        false => format!("; skipped: {}", kinds.join(", ")),
    }
}

/// `; there is `1.jpg``, or nothing.
fn near_text(near: &Option<String>) -> String {
    let text = |near: &String| format!("; there is `{near}`");
    near.as_ref().map(text).unwrap_or_default()
}

impl Error {
    /// The message and those of its sources in one line.
    pub fn with_sources(&self) -> String {
        ganimation_io::one_line(self)
    }
}
