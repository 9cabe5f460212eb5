//! `edit`, `read` and `sheet` on real portraits, from the command line to the files they write.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod desk;

use std::fs;
use std::process::Command;

use desk::{COLLINS, Desk, HOPPER, changes};
use ganimation::{ActionUnit, Change, Expression};

const CROP: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../assets/sample_dataset/imgs/collins_0.jpg"
);

#[test]
fn edit_takes_units_emotions_and_differences_and_saves_the_request() {
    let desk = Desk::new();
    let said = desk.run(&format!(
        "edit {HOPPER} --emotion happy=0.8 --au 25=+1 --au brow-lowerer=0.5 --max-side 300 -o a.webp --strip s.png --save mood.toml"
    ));
    assert_eq!(said, "a.webp\ns.png\nmood.toml\n");
    assert_eq!(desk.picture("a.webp").dimensions(), (256, 300));
    let strip = desk.picture("s.png");
    assert!(
        strip.width() > 4 * 128 && strip.height() < 2 * 128,
        "{:?}",
        strip.dimensions()
    );
    let mood = Expression::load(&desk.path("mood.toml")).unwrap();
    assert_eq!(mood.change(ActionUnit::LipCornerPuller), Some(Change::To(3.2)));
    assert_eq!(mood.change(ActionUnit::LipsPart), Some(Change::By(1.0)));
    assert_eq!(mood.change(ActionUnit::Blink), None);

    // What was saved asks for the same again.
    desk.run(&format!(
        "edit {HOPPER} --from mood.toml --max-side 300 -o b.webp"
    ));
    assert_eq!(desk.picture("a.webp"), desk.picture("b.webp"));
    desk.run(&format!(
        "edit {HOPPER} --from mood.toml --absolute --au 45=5 --max-side 300 -o c.webp"
    ));
    assert!(changes(&desk.picture("b.webp"), &desk.picture("c.webp")) > 100);
}

#[test]
fn unnamed_units_rest_only_on_request() {
    let desk = Desk::new();
    desk.run(&format!("edit {COLLINS} --au 45=0 -o kept.png"));
    desk.run(&format!("edit {COLLINS} --au 45=0 --absolute -o rest.png"));
    desk.run(&format!("edit {COLLINS} --like {COLLINS} -o like.png"));
    let photo = image::open(COLLINS).unwrap().into_rgb8();
    let distance = |name: &str| {
        let edited = desk.picture(name);
        let pairs = photo.as_raw().iter().zip(edited.as_raw());
        pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
    };
    let (kept, rest, like) = (distance("kept.png"), distance("rest.png"), distance("like.png"));
    assert!(
        2 * kept < rest,
        "she smiles: keeping it changes {kept}, letting it rest {rest}"
    );
    assert!(2 * like < rest, "{like} {rest}");
}

#[test]
fn edit_writes_every_format_and_a_crop_is_edited_whole() {
    let desk = Desk::new();
    for name in ["a.png", "a.jpg", "a.webp"] {
        assert_eq!(
            desk.run(&format!("edit {CROP} --crop none --au 12=4 -o {name}")),
            format!("{name}\n")
        );
    }
    let photo = image::open(CROP).unwrap().into_rgb8();
    assert_eq!(desk.picture("a.png"), desk.picture("a.webp"));
    let edited = desk.picture("a.png");
    assert_eq!(edited.dimensions(), photo.dimensions());
    assert!(changes(&photo, &edited) > 500);
}

#[test]
fn a_camera_s_orientation_is_honoured_on_the_way_in() {
    let desk = Desk::new();
    // Lay the portrait on its side, and say so as cameras do: orientation 6, turn a quarter clockwise.
    let portrait = image::open(HOPPER).unwrap();
    let mut jpeg = Vec::new();
    let lying = portrait.rotate270();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 95)
        .encode_image(&lying)
        .unwrap();
    let exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    jpeg.splice(2..2, exif.iter().copied());
    fs::write(desk.path("lying.jpg"), jpeg).unwrap();
    desk.run("edit lying.jpg --au 12=3 -o upright.jpg");
    assert_eq!(
        desk.picture("upright.jpg").dimensions(),
        (portrait.width(), portrait.height())
    );
}

#[test]
fn read_finds_the_smile_in_every_format_and_draws_it() {
    let desk = Desk::new();
    let csv = desk.run(&format!("read {HOPPER} {COLLINS} --format csv"));
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 3, "{csv}");
    assert_eq!(
        (lines[0].len(), lines[0][0], lines[0][1], lines[0][2]),
        (19, "file", "face", "AU01")
    );
    let column = lines[0].iter().position(|name| *name == "AU12").unwrap();
    let smile = |line: usize| lines[line][column].parse::<f32>().unwrap();
    assert!(
        smile(2) > 2.0 && smile(1) < 1.5,
        "she smiles and she does not: {csv}"
    );

    let json = desk.run(&format!("read {COLLINS} --format json --overlay bars.png"));
    let faces: serde_json::Value = serde_json::from_str(&json).unwrap();
    let message = faces[0]["action_units"]["AU12"].as_f64().unwrap();
    assert!((message - f64::from(smile(2))).abs() < 1e-6, "{json}");
    assert!(desk.picture("bars.png").width() > 512 + 200);

    let table = desk.run(&format!("read {COLLINS}"));
    assert_eq!(table.lines().count(), 2);
    assert!(table.lines().next().unwrap().ends_with("AU45"));
}

#[test]
fn read_goes_on_past_photos_without_faces_and_says_so() {
    let desk = Desk::new();
    image::RgbImage::new(100, 100)
        .save(desk.path("black.png"))
        .unwrap();
    let output = desk.output(&format!("read black.png {COLLINS} nowhere.jpg --format csv"));
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2);
    assert!(message.contains("skipped: black.png: no face found"), "{message}");
    assert!(message.contains("skipped: cannot read nowhere.jpg"), "{message}");
    assert!(
        message.contains("error: 2 of the photos could not be read"),
        "{message}"
    );
    desk.refuses(
        &format!("read {COLLINS} {HOPPER} --overlay a.png"),
        "an overlay shows one photo, and there are 2",
    );
}

#[test]
fn edit_keeps_what_the_file_holds_or_says_what_it_does_not() {
    let desk = Desk::new();
    let portrait = image::open(COLLINS).unwrap().into_rgb8();
    let clear = image::RgbaImage::from_fn(512, 512, |x, y| {
        let [red, green, blue] = portrait.get_pixel(x, y).0;
        image::Rgba([
            red,
            green,
            blue,
            if y < 20 { u8::try_from(x / 2).unwrap() } else { 255 },
        ])
    });
    clear.save(desk.path("clear.png")).unwrap();
    let message = |line: &str| {
        let output = desk.output(line);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{line}: {message}");
        message
    };
    assert_eq!(message("edit clear.png --au 12=0 -o kept.png"), "");
    let kept = image::open(desk.path("kept.png")).unwrap();
    assert!(kept.color().has_alpha());
    let kept = kept.into_rgba8();
    for (x, y, pixel) in clear.enumerate_pixels().filter(|(_, y, _)| *y < 20) {
        assert_eq!(kept.get_pixel(x, y), pixel, "{x} {y}");
    }
    assert!(kept != clear, "the face was edited");
    let jpeg = message("edit clear.png --au 12=0 -o lost.jpg");
    assert!(
        jpeg.contains("note: lost.jpg: transparent parts are laid on white"),
        "{jpeg}"
    );

    let deep = image::DynamicImage::ImageRgb8(portrait.clone()).into_rgb16();
    deep.save(desk.path("deep.png")).unwrap();
    assert_eq!(message("edit deep.png --au 12=0 -o deep_too.png"), "");
    assert!(
        image::open(desk.path("deep_too.png"))
            .unwrap()
            .as_rgb16()
            .is_some()
    );
    let webp = message("edit deep.png --au 12=0 -o lost.webp");
    assert!(webp.contains("16 bits a colour become 8"), "{webp}");

    image::DynamicImage::ImageRgb8(portrait)
        .into_luma8()
        .save(desk.path("grey.png"))
        .unwrap();
    message("edit grey.png --au 12=0 -o still_grey.png");
    let grey = desk.picture("still_grey.png");
    assert!(
        grey.pixels()
            .all(|pixel| pixel.0[0] == pixel.0[1] && pixel.0[1] == pixel.0[2])
    );
}

#[test]
fn files_that_are_cut_off_or_foreign_are_reported() {
    let desk = Desk::new();
    let whole = fs::read(HOPPER).unwrap();
    fs::write(desk.path("cut.jpg"), &whole[..whole.len() * 9 / 10]).unwrap();
    let output = desk.output("edit cut.jpg --au 12=3 -o out.png");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && message.contains("note: cut.jpg: the file is cut off"),
        "{message}"
    );
    fs::write(desk.path("phone.jpg"), b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").unwrap();
    desk.refuses(
        "edit phone.jpg --au 12=3 -o no.png",
        "phone.jpg is an iPhone's HEIC photo, which cannot be read",
    );
}

#[test]
fn upright_and_turned_faces_of_one_photo_are_edited_each_its_way() {
    let desk = Desk::new();
    let portrait = image::open(COLLINS).unwrap().into_rgb8();
    let (width, height) = portrait.dimensions();
    let mut both = image::RgbImage::new(2 * width, height);
    image::imageops::replace(&mut both, &portrait, 0, 0);
    image::imageops::replace(&mut both, &image::imageops::rotate180(&portrait), width.into(), 0);
    both.save(desk.path("both.png")).unwrap();
    let output = desk.output("edit both.png --au 12=0 -o edited.png");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && message.contains("is upside down"),
        "{message}"
    );
    desk.run(&format!("edit {COLLINS} --au 12=0 -o one.png"));
    let (edited, one) = (desk.picture("edited.png"), desk.picture("one.png"));
    assert!(changes(&portrait, &one) > 100);
    let half = |x| image::imageops::crop_imm(&edited, x, 0, width, height).to_image();
    let upright = half(0);
    let turned = image::imageops::rotate180(&half(width));
    // In a wider photo boxes may lie a few pixels elsewhere; what is far from them is untouched.
    for picture in [&upright, &turned] {
        assert!(changes(&portrait, picture) > changes(&portrait, &one) / 2);
        let below = |picture| image::imageops::crop_imm(picture, 0, 300, width, 200).to_image();
        assert_eq!(changes(&below(picture), &below(&portrait)), 0);
    }
}

#[test]
fn faces_on_their_side_and_upside_down_are_edited_in_place() {
    let desk = Desk::new();
    let portrait = image::open(COLLINS).unwrap();
    desk.run(&format!("edit {COLLINS} --au 12=0 -o upright.png"));
    let upright = desk.picture("upright.png");
    type Turned = fn(&image::DynamicImage) -> image::DynamicImage;
    let turns: [(&str, Turned, Turned); 3] = [
        ("left", |photo| photo.rotate270(), |photo| photo.rotate90()),
        ("right", |photo| photo.rotate90(), |photo| photo.rotate270()),
        ("down", |photo| photo.rotate180(), |photo| photo.rotate180()),
    ];
    for (name, turn, back) in turns {
        turn(&portrait).save(desk.path(&format!("{name}.png"))).unwrap();
        let output = desk.output(&format!("edit {name}.png --au 12=0 -o {name}_too.png"));
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && message.contains("face 1 is "),
            "{name}: {message}"
        );
        let edited = image::open(desk.path(&format!("{name}_too.png"))).unwrap();
        assert_eq!(back(&edited).into_rgb8(), upright, "{name}");
    }
    // The box is that in the file.
    let faces: serde_json::Value = serde_json::from_str(&desk.run("read down.png --format json")).unwrap();
    let upright: serde_json::Value =
        serde_json::from_str(&desk.run(&format!("read {COLLINS} --format json"))).unwrap();
    let (down, up) = (&faces[0]["box"], &upright[0]["box"]);
    let end = |axis: &str| up[axis].as_i64().unwrap() + up["size"].as_i64().unwrap();
    assert_eq!(down["x"].as_i64().unwrap(), 512 - end("x"), "{down} {up}");
    assert_eq!(down["y"].as_i64().unwrap(), 512 - end("y"), "{down} {up}");
}

#[test]
fn ready_crops_are_read_and_followed_whole() {
    let desk = Desk::new();
    let message = desk.run(&format!("read {CROP} --crop none --format json"));
    let faces: serde_json::Value = serde_json::from_str(&message).unwrap();
    assert_eq!(faces[0]["box"]["x"], 0, "{message}");
    assert_eq!(
        faces[0]["box"]["size"],
        u64::from(image::open(CROP).unwrap().width()),
        "{message}"
    );
    desk.run(&format!(
        "edit {HOPPER} --like {CROP} --like-crop none -o like.png"
    ));
    fs::create_dir(desk.path("crops")).unwrap();
    for name in ["1.jpg", "2.jpg"] {
        fs::copy(CROP, desk.path("crops").join(name)).unwrap();
    }
    desk.run(&format!(
        "animate {CROP} --crop none --like crops --like-crop none --fps 2 -o film"
    ));
    assert_eq!(fs::read_dir(desk.path("film")).unwrap().count(), 2);
}

#[test]
fn sheet_has_a_row_a_unit_and_a_column_an_intensity() {
    let desk = Desk::new();
    let line =
        format!("sheet {COLLINS} --au 12 --au blink --intensities 0,2.5,5 --max-side 300 -o units.png");
    assert_eq!(desk.run(&line), "units.png\n");
    let sheet = desk.picture("units.png");
    assert!(
        (2 * 128..2 * 160).contains(&sheet.height()),
        "{:?}",
        sheet.dimensions()
    );
    assert!(
        (3 * 128..3 * 128 + 300).contains(&sheet.width()),
        "{:?}",
        sheet.dimensions()
    );
    desk.refuses(&line.replace("2.5", "7"), "intensity 7 of AU12 is outside 0 to 5");
    desk.refuses(&line.replace("blink", "wink"), "unknown action unit `wink`");
}

#[test]
fn mistakes_in_what_is_wanted_are_reported_in_one_line() {
    let desk = Desk::new();
    fs::write(desk.path("bad.toml"), "[action_units]\nAU12 = 9\n").unwrap();
    fs::write(desk.path("bad.csv"), "name,age\na,3\n").unwrap();
    fs::create_dir(desk.path("empty")).unwrap();
    let edit = |more: &str| format!("edit {COLLINS} -o out.png {more}");
    let animate = |more: &str| format!("animate {COLLINS} -o out.gif {more}");
    for (line, expected) in [
        (edit("--emotion hunger"), "unknown emotion `hunger`"),
        (
            edit("--emotion happy=2"),
            "strength 2 of happiness is outside 0 to 1",
        ),
        (edit("--emotion happy=x"), "cannot read emotion command `happy=x`"),
        (
            edit("--emotion happy=0..1"),
            "happiness moves from one value to another",
        ),
        (edit("--au 12=+6"), "intensity 6 of AU12 is outside -5 to 5"),
        (edit("--from nowhere.toml"), "cannot read nowhere.toml"),
        (
            edit("--from bad.toml"),
            "bad.toml: intensity 9 of AU12 is outside 0 to 5",
        ),
        (edit("--au 12=3 --face 2"), "no face 2: 1 found"),
        (edit("--au 12=3 --face 0"), "no face 0: 1 found"),
        (
            edit("--au 12=3 --au-estimator bad.toml"),
            "not a safetensors file",
        ),
        (edit("--like bad.toml"), "cannot decode picture bad.toml"),
        (animate("--au 12=3 --ease bounce"), "unknown ease `bounce`"),
        (animate("--script bad.toml"), "bad.toml is not as expected"),
        (animate("--drive bad.csv"), "has no column `confidence`"),
        (animate("--like empty"), "empty holds no photo with a face"),
        (
            animate("--au 12=3 -o nowhere/frames").replace("-o out.gif ", ""),
            "there is no folder nowhere",
        ),
    ] {
        desk.refuses(&line, expected);
    }
    // Without anything to do, and with contradictions, clap says what it misses.
    for line in [
        edit(""),
        animate(""),
        animate("--script a.toml --au 12=3"),
        edit("--from a.toml --like b.jpg"),
    ] {
        let output = desk.output(&line);
        assert_eq!(output.status.code(), Some(2), "{line}");
    }
    assert!(!desk.path("out.png").exists());
}

#[test]
fn help_teaches_with_examples() {
    for command in ["edit", "animate", "read", "sheet"] {
        let output = Command::new(env!("CARGO_BIN_EXE_ganimation"))
            .args([command, "--help"])
            .output()
            .unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let examples = help.split_once("Examples:").unwrap().1;
        assert!(
            examples.matches(&format!("ganimation {command} ")).count() >= 2,
            "{command}"
        );
    }
}
