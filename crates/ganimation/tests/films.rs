//! `animate` on real portraits, from the command line to every kind of film.

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
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("videos need the program ffmpeg") && told.contains("hint: install ffmpeg"),
        "{told}"
    );
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
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && told.contains("left out: faces/3.png: no face found"),
        "{told}"
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
