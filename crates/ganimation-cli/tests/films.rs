//! Tests of `animate` with real portraits, for every kind of film.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod desk;

use std::fs;
use std::io::BufReader;
use std::process::Command;

use desk::{COLLINS, Desk, HOPPER, changes};
use ganimation::ActionUnit;
use image::AnimationDecoder;
use image::codecs::png::PngDecoder;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../assets/scripts/blink_and_smile.toml"
);

#[test]
fn animate_writes_gifs_animated_pngs_and_folders() {
    let desk = Desk::new();
    let smile = format!("animate {COLLINS} --au 12=4 --emotion surprise=0..0.5 --frames 4 --max-side 160");
    desk.run(&format!("{smile} --loops 2 -o film.gif --sheet sheet.png"));
    assert!(fs::read(desk.path("film.gif")).unwrap().starts_with(b"GIF89a"));
    assert!(desk.picture("sheet.png").width() > 4 * 128);

    desk.run(&format!("{smile} --once --ease out -o film.png"));
    desk.run(&format!("{smile} --once --ease out -o frames"));
    let decoder = PngDecoder::new(BufReader::new(fs::File::open(desk.path("film.png")).unwrap())).unwrap();
    let film = decoder.apng().unwrap().into_frames().collect_frames().unwrap();
    assert_eq!(film.len(), 4);
    for (number, frame) in (1..).zip(&film) {
        let picture = desk.picture(&format!("frames/{number:04}.png"));
        let frame = image::DynamicImage::from(frame.buffer().clone()).into_rgb8();
        assert_eq!(frame, picture, "frame {number}");
    }
    assert!(changes(&desk.picture("frames/0001.png"), &desk.picture("frames/0004.png")) > 100);
    desk.refuses(&format!("{smile} -o frames"), "frames is not empty");
}

#[test]
fn animate_makes_a_video_or_says_what_is_missing() {
    let desk = Desk::new();
    let line = format!("animate {COLLINS} --au 12=4 --frames 4 --max-side 160 -o film.mp4");
    if Command::new("ffmpeg").arg("-version").output().is_ok() {
        desk.run(&line);
        assert!(fs::metadata(desk.path("film.mp4")).unwrap().len() > 1000);
    } else {
        desk.refuses(&line, "videos need the program ffmpeg");
    }
    // The same where there is none for sure.
    let mut command = Command::new(env!("CARGO_BIN_EXE_ganimation"));
    command
        .current_dir(desk.path("."))
        .env("PATH", "")
        .args(line.split_whitespace());
    let output = command.output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("videos need the program ffmpeg") && message.contains("hint: install ffmpeg"),
        "{message}"
    );
}

/// Runs a command line where `ffmpeg` is a script that lists these encoders, and writes its arguments as the video.
#[cfg(unix)]
fn with_encoders(desk: &Desk, encoders: &str, line: &str) -> std::process::Output {
    use std::os::unix::fs::PermissionsExt;
    let folder = desk.path("bin");
    fs::create_dir_all(&folder).unwrap();
    let script = folder.join("ffmpeg");
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *-encoders*) echo ' V....D {encoders} x'; exit;; esac\n\
         /bin/cat >/dev/null || true\nfor last; do :; done\necho \"$@\" > \"$last\"\n"
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    Command::new(env!("CARGO_BIN_EXE_ganimation"))
        .current_dir(desk.path("."))
        .env("PATH", folder)
        .args(line.split_whitespace())
        .output()
        .unwrap()
}

#[test]
#[cfg(unix)]
fn a_video_is_tagged_and_an_absent_encoder_is_known_before_the_work() {
    let desk = Desk::new();
    let line = |name: &str| {
        format!("animate {COLLINS} --au 12=4 --frames 2 --fps 29.97 --max-side 160 -o {name} --device flex")
    };
    let message = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let arguments = |name: &str| fs::read_to_string(desk.path(name)).unwrap();

    let output = with_encoders(&desk, "libx264", &line("a.mp4"));
    assert!(
        output.status.success() && message(&output).is_empty(),
        "{}",
        message(&output)
    );
    for expected in [
        "-framerate 30000/1001",
        "scale=out_color_matrix=bt709:out_range=tv",
        "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv",
        "-c:v libx264",
    ] {
        assert!(
            arguments("a.mp4").contains(expected),
            "{expected}: {}",
            arguments("a.mp4")
        );
    }
    let output = with_encoders(&desk, "mpeg4", &line("b.mp4"));
    assert!(output.status.success(), "{}", message(&output));
    assert!(message(&output).contains("mpeg4 is used"), "{}", message(&output));
    assert!(arguments("b.mp4").contains("-c:v mpeg4"));

    let output = with_encoders(&desk, "libx264", &line("c.webm"));
    assert_eq!(output.status.code(), Some(2));
    assert!(
        message(&output).contains("this ffmpeg has none of the encoders libvpx-vp9, libvpx"),
        "{}",
        message(&output)
    );
}

/// The duration of a GIF, in hundredths of a second, and its frames.
fn played(path: &std::path::Path) -> (u32, usize) {
    let mut reader = gif::DecodeOptions::new()
        .read_info(fs::File::open(path).unwrap())
        .unwrap();
    let (mut hundredths, mut frames) = (0, 0);
    while let Some(frame) = reader.read_next_frame().unwrap() {
        hundredths += u32::from(frame.delay);
        frames += 1;
    }
    (hundredths, frames)
}

#[test]
fn a_driven_film_is_as_long_as_its_table() {
    let desk = Desk::new();
    let fps = 30_000.0 / 1001.0;
    fs::write(
        desk.path("openface.csv"),
        drive(30, 0, |at| (at as f64 / fps, 1.0 + at as f64 / 10.0)),
    )
    .unwrap();
    let animate = format!("animate {COLLINS} --max-side 160 --drive openface.csv");
    desk.run(&format!("{animate} -o own.gif"));
    assert_eq!(played(&desk.path("own.gif")), (100, 30));
    desk.run(&format!("{animate} --fps 30000/1001 -o said.gif"));
    assert_eq!(played(&desk.path("said.gif")), (100, 30));
    desk.run(&format!("{animate} --fps 12 -o slow.gif"));
    let (hundredths, frames) = played(&desk.path("slow.gif"));
    assert!(
        (96..=109).contains(&hundredths) && frames <= 13,
        "{hundredths} {frames}"
    );
    for rate in ["0", "61", "x", "30/0"] {
        desk.refuses(
            &format!("{animate} --fps {rate} -o no.gif"),
            "is no frame rate of 1 to 60",
        );
    }
}

/// A table of OpenFace with the given number of rows of a face, each with its time and smile.
fn drive(rows: usize, face: usize, at: impl Fn(usize) -> (f64, f64)) -> String {
    let columns = ActionUnit::ALL.map(|unit| format!("{unit}_r")).join(",");
    let row = |index: usize| {
        let (time, smile) = at(index);
        let values = ActionUnit::ALL.map(|unit| {
            let value = if unit == ActionUnit::LipCornerPuller {
                smile
            } else {
                0.5
            };
            format!("{value:.2}")
        });
        format!("{},{face},{time:.3},0.98,1,{}\n", index + 1, values.join(","))
    };
    let rows: String = (0..rows).map(row).collect();
    format!("frame,face_id,timestamp,confidence,success,{columns}\n{rows}")
}

#[test]
fn drivers_with_two_faces_a_nan_or_a_smile_at_the_start_are_followed_and_reported() {
    let desk = Desk::new();
    let animate = format!("animate {HOPPER} --max-side 160 --fps 5");
    let run = |name: &str, table: &str, more: &str| {
        fs::write(desk.path(name), table).unwrap();
        let output = desk.output(&format!("{animate} --drive {name} {more}"));
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let smile = |at: usize| (at as f64 / 10.0, 3.0 - at as f64 / 4.0);
    let two = drive(12, 0, smile) + drive(9, 1, smile).split_once('\n').unwrap().1;
    let (code, message) = run("two.csv", &two, "-o two");
    assert!(
        code == Some(0) && message.contains("2 faces; face 0 is followed"),
        "{message}"
    );
    let (code, message) = run("two.csv", &two, "--drive-face 1 -o second");
    assert!(code == Some(0) && !message.contains("followed"), "{message}");
    let (code, message) = run("two.csv", &two, "--drive-face 7 -o third");
    assert!(
        code == Some(2) && message.contains("has no face 7; it has: 0, 1"),
        "{message}"
    );

    let nan = drive(12, 0, smile).replacen("2.50", "nan", 1);
    let (code, message) = run("nan.csv", &nan, "-o nan");
    assert!(
        code == Some(0) && message.contains("1 row(s) skipped for a NaN"),
        "{message}"
    );

    let comma = drive(12, 0, smile).replacen("2.50", "250", 1);
    let (code, message) = run("comma.csv", &comma, "-o comma");
    assert!(
        code == Some(2) && message.contains("comma.csv:4: column `AU12_r` holds 250"),
        "{message}"
    );

    // She does not smile: from the first frame on there is nothing to take away.
    let (code, message) = run("smile.csv", &drive(12, 0, smile), "--neutral first -o still");
    assert!(code == Some(0) && message.contains("AU12 to -"), "{message}");
    let (code, message) = run("smile.csv", &drive(12, 0, smile), "-o fading");
    assert!(code == Some(0) && !message.contains("note"), "{message}");
    let (first, last) = (desk.picture("fading/0001.png"), desk.picture("fading/0006.png"));
    let photo = desk.picture("still/0001.png");
    let away = |picture: &image::RgbImage| {
        let pairs = photo.as_raw().iter().zip(picture.as_raw());
        pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
    };
    assert!(away(&first) > 2 * away(&last), "{} {}", away(&first), away(&last));
}

#[test]
fn animate_follows_scripts_tables_and_faces() {
    let desk = Desk::new();
    let animate = format!("animate {COLLINS} --max-side 160 --fps 5");
    desk.run(&format!("{animate} --script {SCRIPT} -o script"));
    assert_eq!(
        fs::read_dir(desk.path("script")).unwrap().count(),
        13,
        "2.5 s that end as they began"
    );

    fs::write(desk.path("openface.csv"), table()).unwrap();
    desk.run(&format!("{animate} --drive openface.csv -o driven"));
    assert_eq!(
        fs::read_dir(desk.path("driven")).unwrap().count(),
        6,
        "one second, both ends"
    );
    let (first, last) = (desk.picture("driven/0001.png"), desk.picture("driven/0006.png"));
    assert!(changes(&first, &last) > 100);

    fs::create_dir(desk.path("faces")).unwrap();
    for (name, photo) in [("1.jpg", HOPPER), ("2.png", COLLINS)] {
        fs::copy(photo, desk.path("faces").join(name)).unwrap();
    }
    image::RgbImage::new(200, 200)
        .save(desk.path("faces/3.png"))
        .unwrap();
    let output = desk.output(&format!("{animate} --like faces -o like"));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && message.contains("skipped: faces/3.png: no face found"),
        "{message}"
    );
    assert_eq!(fs::read_dir(desk.path("like")).unwrap().count(), 2);
}

/// A smile that grows over a second, as OpenFace writes it; one frame is lost.
fn table() -> String {
    let columns = ActionUnit::ALL.map(|unit| format!(" {unit}_r")).join(",");
    let row = |frame: u16| {
        let smile = f32::from(frame) * 0.4;
        let values = ActionUnit::ALL.map(|unit| match unit {
            ActionUnit::LipCornerPuller | ActionUnit::CheekRaiser => format!(" {smile:.2}"),
            _ => " 0.50".to_owned(),
        });
        let success = u8::from(frame != 4);
        format!(
            "{}, 0, {:.3}, 0.98, {success},{}\n",
            frame + 1,
            f32::from(frame) / 10.0,
            values.join(",")
        )
    };
    let rows: String = (0..=10).map(row).collect();
    format!("frame, face_id, timestamp, confidence, success,{columns}\n{rows}")
}
