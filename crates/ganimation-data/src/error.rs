//! What can go wrong with a person's files, one variant for each thing that the person can mend.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io;
use std::path::PathBuf;

use crate::au::{AU_COUNT, ActionUnit};
use crate::dataset::PHOTO_EXTENSIONS;
use crate::pickle::PickleProblem;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong with faces, labels and pictures.
///
/// A message does not repeat its `source`: print the chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that is none of the 17 action units.
    #[error("unknown action unit `{found}`; accepted: {}", ActionUnit::accepted())]
    UnknownActionUnit {
        /// The text as it was given.
        found: String,
    },

    /// A file or folder could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },

    /// A file is larger than this crate is willing to read.
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
        /// What the operating system or the encoder says.
        source: io::Error,
    },

    /// A pickle that is damaged, holds something other than labels, or asks for code to be run.
    #[error("{}, byte {position}: {problem}", path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
        /// Where the trouble is, in bytes from the start of the file.
        position: usize,
        /// What the trouble is.
        problem: PickleProblem,
    },

    /// A table that is not well-formed CSV.
    #[error("{} is not a readable table", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// What the reader says, with the line.
        source: csv::Error,
    },

    /// A table lacks a column.
    #[error("{} has no column `{column}`; it has: {found}", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The missing column.
        column: String,
        /// The columns that are there (the first dozen).
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

    /// A table of another program, which measures fewer action units.
    #[error("{} is a table of {tool}, without {missing}", path.display())]
    ForeignTable {
        /// The file.
        path: PathBuf,
        /// The program.
        tool: &'static str,
        /// What is missing.
        missing: String,
    },

    /// A cell of a table is on another scale than intensities are.
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

    /// Another process works in a folder.
    #[error("another process works in {}", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },

    /// A dataset folder was begun with other settings.
    #[error("{} was begun with {before}, not with {now}", folder.display())]
    OtherSettings {
        /// The folder.
        folder: PathBuf,
        /// The settings that it was begun with.
        before: String,
        /// Those of this run.
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
        /// Where they were looked for.
        places: Vec<PathBuf>,
        /// How many files of other kinds are there, by extension.
        skipped: BTreeMap<String, usize>,
    },

    /// None of the photos could be used.
    #[error("none of {photos} photo(s) could be used; most often: {reason}")]
    NothingPrepared {
        /// How many photos there are.
        photos: usize,
        /// The most frequent reason.
        reason: &'static str,
    },

    /// A dataset folder holds no labels.
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
        /// The id as written there.
        id: String,
        /// The folder of pictures.
        dir: PathBuf,
        /// A picture whose name is nearly the same.
        near: Option<String>,
    },

    /// A listed id fits several pictures that differ in their extension.
    #[error("{}:{line}: `{id}` fits both {first} and {second}; write the extension", path.display())]
    AmbiguousPicture {
        /// The list of ids.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// The id as written there.
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
        /// The id as written there.
        id: String,
        /// The labels file.
        labels: PathBuf,
        /// A face with a label whose name is nearly the same.
        near: Option<String>,
    },

    /// A face is listed twice, in one list or across the two.
    #[error("{}:{line}: `{id}` is already listed at {}:{first_line}", path.display(), first_path.display())]
    RepeatedId {
        /// The list of ids.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// The id as written there.
        id: String,
        /// The list that has it already.
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
        /// The id as written there.
        id: String,
        /// The labels file.
        labels: PathBuf,
        /// The length of the label.
        found: usize,
    },

    /// A label holds a NaN or an infinity.
    #[error("{}:{line}: the label of `{id}` in {} has {found} for {au}", path.display(), labels.display())]
    LabelNotFinite {
        /// The list of ids.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// The id as written there.
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
        /// The id as written there.
        id: String,
    },

    /// A landmark lies far outside its picture.
    #[error("{}:{line}: landmark {landmark} is at ({x}, {y}), far outside a picture of {width} x {height} pixels", path.display())]
    LandmarkOutside {
        /// The table.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// Which of the 68.
        landmark: usize,
        /// Where it is, in pixels from the left.
        x: f64,
        /// Where it is, in pixels from the top.
        y: f64,
        /// Width of the picture in pixels.
        width: u32,
        /// Height of the picture in pixels.
        height: u32,
    },

    /// The table of landmarks was made for pictures of another size.
    #[error("{}: the landmarks of {misfits} of {faces} faces do not fit their pictures; they must be in pixels of the pictures in `imgs`", path.display())]
    LandmarksOfOtherSize {
        /// The table.
        path: PathBuf,
        /// How many faces do not fit.
        misfits: usize,
        /// How many faces have landmarks.
        faces: usize,
    },

    /// Too few faces have landmarks to teach motion.
    #[error(
        "{found} face(s) have landmarks, but learning motion needs {needed}; add landmarks.csv, which `ganimation prepare` takes from the columns x_0 to y_67 of OpenFace's tables"
    )]
    NoLandmarks {
        /// How many have them.
        found: usize,
        /// How many are needed.
        needed: usize,
    },

    /// A dataset folder has problems.
    #[error("{} has {count} problem(s); the first: {first}", dir.display())]
    Dataset {
        /// The dataset folder.
        dir: PathBuf,
        /// How many problems there are.
        count: usize,
        /// The first problem.
        first: Box<Error>,
    },

    /// There are too few faces for one batch.
    #[error("{faces} face(s) do not fill a batch of {batch_size}; lower the batch size or add faces")]
    TooFewFaces {
        /// How many faces there are.
        faces: usize,
        /// The batch size asked for.
        batch_size: usize,
    },

    /// A setting of the loader makes no sense.
    #[error("loader setting `{setting}` is {found}, expected {expected}")]
    LoaderSetting {
        /// The field of `LoaderConfig`.
        setting: &'static str,
        /// Its value.
        found: f64,
        /// What is accepted.
        expected: &'static str,
    },

    /// The system does not give the loader a thread.
    #[error("cannot start a thread that loads faces")]
    LoaderThread {
        /// Why.
        source: io::Error,
    },

    /// So many pictures cannot be read that it is no accident.
    #[error("{found} of {faces} pictures cannot be read, too many to leave out; the latest: {latest}")]
    TooManyBad {
        /// How many were found so far.
        found: usize,
        /// How many faces there are.
        faces: usize,
        /// The latest of them.
        latest: Box<Error>,
    },

    /// A loader's thread ended before its time, which a decoder's panic can cause.
    #[error("a thread that loads faces has stopped")]
    LoaderStopped,

    /// A picture cannot be decoded.
    #[error("cannot decode picture {}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        source: image::ImageError,
    },

    /// A file that is known and that this crate does not read.
    #[error("picture {} is {kind}, which cannot be read", path.display())]
    ForeignPicture {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },

    /// A picture is larger than this crate is willing to decode.
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
        /// What the encoder says.
        source: image::ImageError,
    },

    /// A picture's path does not say its format.
    #[error("{} has no extension among png, jpg, jpeg and webp", path.display())]
    UnknownPictureFormat {
        /// The file.
        path: PathBuf,
    },

    /// A film's path does not say its format.
    #[error("{} has no extension of a film", path.display())]
    UnknownFilmFormat {
        /// The file.
        path: PathBuf,
    },

    /// A frame rate that no film here has.
    #[error("`{found}` is no frame rate of 1 to 60 frames a second")]
    FrameRate {
        /// The rate as it was given.
        found: String,
    },

    /// A film of which too many frames would wait in memory.
    #[error("{} is too long for a GIF: {frames} frames fill the memory it may take", path.display())]
    FilmTooLong {
        /// The file.
        path: PathBuf,
        /// How many frames fitted.
        frames: usize,
    },

    /// A folder that shall hold frames and holds something already.
    #[error("{} is not empty", path.display())]
    FolderNotEmpty {
        /// The folder.
        path: PathBuf,
    },

    /// A video is asked for where FFmpeg cannot be run.
    #[error("cannot write {}: videos need the program ffmpeg", path.display())]
    NoFfmpeg {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },

    /// A film is to be read where FFmpeg cannot be run.
    #[error("cannot read {}: films need the programs ffmpeg and ffprobe", path.display())]
    NoFfprobe {
        /// The film.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },

    /// A file that is no film, or too damaged for any frame.
    #[error("cannot read film {}", path.display())]
    FilmInput {
        /// The file.
        path: PathBuf,
        /// What FFmpeg says.
        source: io::Error,
    },

    /// FFmpeg was built without any encoder that would do.
    #[error("cannot write {}: this ffmpeg has none of the encoders {}", path.display(), encoders.join(", "))]
    NoEncoder {
        /// The file.
        path: PathBuf,
        /// The encoders that would do.
        encoders: &'static [&'static str],
    },

    /// FFmpeg did not make a video.
    #[error("ffmpeg cannot write {}", path.display())]
    Ffmpeg {
        /// The file.
        path: PathBuf,
        /// The last line that it wrote.
        source: io::Error,
    },

    /// The face detector that is built in cannot be unpacked.
    #[error("the built-in face detector is damaged; build again")]
    DetectorModel {
        /// What its reader says.
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
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !line.contains(&text) {
                line = format!("{line}: {text}"); // some messages repeat their sources
            }
            cause = error.source();
        }
        line.replace('\n', " ")
    }
}
