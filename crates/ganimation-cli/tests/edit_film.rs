//! Films in and films out: faces followed, edited and read, from the command line.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod desk;

use std::fs;
use std::path::Path;
use std::process::Command;

use desk::{COLLINS, Desk, HOPPER, changes};
use ganimation_data::FaceDetector;
use ganimation_data::film::{FilmOptions, FilmWriter};
use ganimation_data::film::{FilmReader, FilmSource};
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use serde_json::Value;

/// Frames in which the head is still, moves, is away, and is back.
const STILL: u32 = 24;
const MOVES: u32 = 36;
const AWAY: u32 = 46;
const FRAMES: u32 = 60;
const SIZE: (u32, u32) = (420, 320);
const RATE: &str = "30000/1001";

/// Whether FFmpeg is here; says so where it is not.
fn no_ffmpeg() -> bool {
    let missing = ["ffmpeg", "ffprobe"]
        .iter()
        .any(|program| Command::new(program).arg("-version").output().is_err());
    if missing {
        eprintln!("skipped: ffmpeg and ffprobe are not installed");
    }
    missing
}

#[track_caller]
fn ffmpeg(desk: &Desk, line: &str) {
    let mut command = Command::new("ffmpeg");
    command.current_dir(desk.path(".")).args(["-v", "error", "-y"]);
    let output = command.args(line.split_whitespace()).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A frame as a camera takes it: the portrait somewhere on grey, or something before her face, and noise.
fn frame(at: u32) -> RgbImage {
    let portrait = image::open(COLLINS).unwrap().into_rgb8();
    let portrait = imageops::resize(&portrait, 300, 300, FilterType::Triangle);
    let mut frame = RgbImage::from_pixel(SIZE.0, SIZE.1, Rgb([119, 120, 118]));
    let moved = if at < MOVES {
        at.saturating_sub(STILL)
    } else {
        MOVES - STILL
    };
    let (left, top) = (10 + 3 * i64::from(moved), 10 + i64::from(moved));
    imageops::replace(&mut frame, &portrait, left, top);
    if (MOVES..AWAY).contains(&at) {
        let hand = RgbImage::from_pixel(140, 130, Rgb([150, 120, 110]));
        imageops::replace(&mut frame, &hand, left + 70, top);
    }
    for (x, y, pixel) in frame.enumerate_pixels_mut() {
        let mixed = (x.wrapping_mul(7_919) ^ y.wrapping_mul(104_729) ^ at.wrapping_mul(2_654_435_761))
            .wrapping_mul(40_503);
        let noise = (mixed >> 13) as i32 % 9 - 4;
        pixel.0 = pixel
            .0
            .map(|level| u8::try_from((i32::from(level) + noise).clamp(0, 255)).unwrap());
    }
    frame
}

/// Writes `film.mp4` with a tone of its length.
fn film(desk: &Desk) {
    let options = FilmOptions {
        rate: RATE.parse().unwrap(),
        plays: 0,
        frames: FRAMES,
    };
    let mut film = FilmWriter::create(&desk.path("silent.mp4"), options).unwrap();
    for at in 0..FRAMES {
        film.push(frame(at)).unwrap();
    }
    film.finish().unwrap();
    ffmpeg(
        desk,
        "-i silent.mp4 -f lavfi -i sine=frequency=440:duration=2.002 -map 0:v -map 1:a -c:v copy -c:a aac film.mp4",
    );
}

fn frames(path: &Path) -> Vec<RgbImage> {
    let source = FilmSource::open(path).unwrap();
    let frames = FilmReader::open(&source, None).unwrap();
    frames.map(Result::unwrap).collect()
}

/// What ffprobe says of the streams of a film.
fn streams(path: &Path) -> Vec<Value> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-count_frames", "-show_streams", "-of", "json"]);
    let output = command.arg(path).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["streams"].as_array().unwrap().clone()
}

/// Mean difference of a part of two pictures, in levels.
fn difference(one: &RgbImage, other: &RgbImage, (x, y, width, height): (u32, u32, u32, u32)) -> f64 {
    let part = |picture| imageops::crop_imm(picture, x, y, width, height).to_image();
    let (one, other) = (part(one), part(other));
    let pairs = one.as_raw().iter().zip(other.as_raw());
    pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / one.as_raw().len() as f64
}

#[test]
fn a_film_is_edited_with_its_sound_rate_and_length_and_what_shows_no_face_is_left() {
    if no_ffmpeg() {
        return;
    }
    let desk = Desk::new();
    film(&desk);
    let output = desk.output("edit film.mp4 --au 12=0 --au 25=0 -o out.mp4");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    assert!(
        message.contains("film.mp4: no face in 10 of 60 frames"),
        "{message}"
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "out.mp4\n");

    let (before, after) = (streams(&desk.path("film.mp4")), streams(&desk.path("out.mp4")));
    assert_eq!(
        (
            after[0]["avg_frame_rate"].as_str(),
            after[0]["nb_read_frames"].as_str()
        ),
        (Some(RATE), Some("60"))
    );
    let seconds = |stream: &Value| stream["duration"].as_str().unwrap().parse::<f64>().unwrap();
    assert_eq!(after.len(), 2, "{after:?}");
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before["codec_name"], after["codec_name"]);
        assert!(
            (seconds(before) - seconds(after)).abs() < 0.05,
            "{before} {after}"
        );
    }
    assert_eq!(
        before[1]["bit_rate"], after[1]["bit_rate"],
        "the sound is the same"
    );

    let (before, after) = (frames(&desk.path("film.mp4")), frames(&desk.path("out.mp4")));
    assert_eq!((before.len(), after.len()), (60, 60));
    let everywhere = (0, 0, SIZE.0, SIZE.1);
    for at in MOVES..AWAY {
        let at = at as usize;
        assert!(difference(&before[at], &after[at], everywhere) < 2.5, "{at}");
    }
    for at in [0, 12, 30, 58] {
        let detector = FaceDetector::new().unwrap();
        let face = detector.detect(&before[at])[0];
        let place = |start: i32| u32::try_from(start).unwrap();
        // The mouth, and the corner of the frame.
        let mouth = (
            place(face.x) + face.size / 4,
            place(face.y) + face.size / 2,
            face.size / 2,
            face.size / 2,
        );
        let (mouth, corner) = (
            difference(&before[at], &after[at], mouth),
            difference(&before[at], &after[at], (0, 280, 60, 40)),
        );
        assert!(
            mouth > 3.0 && corner < 2.5,
            "frame {at}: mouth {mouth}, corner {corner}"
        );
    }
    // The pictures of a film as pictures.
    desk.run("edit film.mp4 --au 12=0 --max-side 160 -o frames");
    assert_eq!(fs::read_dir(desk.path("frames")).unwrap().count(), 60);
    assert_eq!(desk.picture("frames/0001.png").dimensions(), (160, 120));
}

#[test]
fn a_film_is_read_steadily_and_drives_a_photo() {
    if no_ffmpeg() {
        return;
    }
    let desk = Desk::new();
    film(&desk);
    let rows: Value = serde_json::from_str(&desk.run("read film.mp4 --format json")).unwrap();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 50);
    assert!(
        rows.iter().all(|row| row["face"] == 1),
        "one face, who is away for a while"
    );
    let centre = |row: &Value| {
        let part = |name: &str| row["box"][name].as_f64().unwrap();
        [
            part("x") + part("size") / 2.0,
            part("y") + part("size") / 2.0,
            part("size"),
        ]
    };
    let jump = |rows: &[[f64; 3]]| {
        let jumps = rows
            .windows(2)
            .flat_map(|pair| [0, 1, 2].map(|at| (pair[0][at] - pair[1][at]).abs()));
        jumps.fold(0.0, f64::max)
    };
    // What is smoothed hears of the movement some frames before.
    let still: Vec<_> = rows.iter().take(STILL as usize - 10).map(centre).collect();
    let detector = FaceDetector::new().unwrap();
    let raw: Vec<_> = frames(&desk.path("film.mp4"))
        .iter()
        .take(still.len())
        .map(|frame| {
            let face = detector.detect(frame)[0];
            let half = f64::from(face.size) / 2.0;
            [
                f64::from(face.x) + half,
                f64::from(face.y) + half,
                f64::from(face.size),
            ]
        })
        .collect();
    eprintln!(
        "largest jump of a still head's box: {} px, of the detector's {} px",
        jump(&still),
        jump(&raw)
    );
    assert!(jump(&still) < 0.5, "{still:?}");
    // 12 frames later it has moved by 36 and 12 pixels.
    let last = rows.last().map(centre).unwrap();
    assert!(
        (last[0] - still[0][0] - 33.0).abs() < 8.0 && (last[1] - still[0][1] - 11.0).abs() < 8.0,
        "{last:?}"
    );
    let smile = |row: &Value| row["action_units"]["AU12"].as_f64().unwrap();
    let steps = rows[..STILL as usize]
        .windows(2)
        .map(|pair| (smile(&pair[0]) - smile(&pair[1])).abs());
    assert!(steps.fold(0.0, f64::max) < 0.1);

    let table = desk.run("read film.mp4 --format csv");
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("frame,face_id,timestamp,confidence,success,AU01_r,"));
    assert_eq!(lines.len(), 61);
    assert!(
        lines[1].starts_with("1,0,0.000,1,1,") && lines[40].starts_with("40,0,1.301,0,0,0.00,"),
        "{}",
        lines[40]
    );
    fs::write(desk.path("film.csv"), &table).unwrap();
    desk.run(&format!(
        "animate {COLLINS} --drive film.csv --max-side 160 -o driven"
    ));
    assert_eq!(fs::read_dir(desk.path("driven")).unwrap().count(), 60);
    let (first, last) = (desk.picture("driven/0001.png"), desk.picture("driven/0060.png"));
    assert!(changes(&first, &last) < 40_000); // she smiles all the time
}

#[test]
fn films_that_cannot_be_used_are_refused_in_a_line() {
    let desk = Desk::new();
    fs::write(desk.path("no.mp4"), "no film").unwrap();
    desk.refuses(
        &format!("animate {HOPPER} --like no.mp4 -o a.gif"),
        "no.mp4 is a film: a photo is needed here",
    );
    desk.refuses("read no.mp4 no.mp4", "no.mp4 is a film: it is read alone");
    desk.refuses(
        "edit no.mp4 --au 12=3 --strip s.png -o a.mp4",
        "--strip shows one photo",
    );
    desk.refuses("edit no.mp4 --au 12=3 -o a.jpg", "a.jpg");
    desk.refuses("edit no.mp4 --au 12=3 -o no.mp4", "no.mp4");
    desk.refuses("read gone.mp4", "gone.mp4");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ganimation"));
    command.current_dir(desk.path(".")).env("PATH", "");
    let output = command.args(["read", "no.mp4"]).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        message.contains("films need the programs ffmpeg and ffprobe") && message.contains("hint: install"),
        "{message}"
    );
    if no_ffmpeg() {
        return;
    }
    desk.refuses("read no.mp4", "cannot read film no.mp4: ");
    ffmpeg(
        &desk,
        "-f lavfi -i testsrc=duration=0.4:size=160x120:rate=10 nobody.mp4",
    );
    desk.refuses("read nobody.mp4", "no face found in the 4 frames of nobody.mp4");
    film(&desk);
    desk.refuses("read film.mp4 --face 2", "film.mp4: no face 2: 1 found");
    // Cut off in the middle: what is there is read, and that is said.
    ffmpeg(&desk, "-i film.mp4 -c copy whole.mkv");
    let bytes = fs::read(desk.path("whole.mkv")).unwrap();
    fs::write(desk.path("cut.mkv"), &bytes[..bytes.len() / 2]).unwrap();
    let output = desk.output("read cut.mkv --format csv");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stdout).lines().count() > 15);
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_nothing() {
    use std::os::unix::process::CommandExt;
    if no_ffmpeg() {
        return;
    }
    let desk = Desk::new();
    film(&desk);
    let parts = || {
        let names = fs::read_dir(desk.path(".")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(".out.mp4")).count()
    };
    // To the program alone, or to ffmpeg as well, as a terminal does.
    for group in ["", "-"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ganimation"));
        command.current_dir(desk.path(".")).process_group(0);
        command.args("edit film.mp4 --au 12=3 -o out.mp4 --device flex".split_whitespace());
        command.stderr(std::process::Stdio::piped());
        let child = command.spawn().unwrap();
        let start = std::time::Instant::now();
        while parts() == 0 {
            assert!(start.elapsed().as_secs() < 120, "nothing happens");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let whom = format!("{group}{}", child.id());
        Command::new("kill").args(["-INT", "--", &whom]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{whom}: {message}");
        assert!(!message.contains("error"), "{message}");
        assert!(parts() == 0 && !desk.path("out.mp4").exists());
    }
}
