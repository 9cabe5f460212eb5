//! With weights of every published layout, saved by PyTorch, edits of a picture agree with PyTorch's.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::RgbImage;

fn data(name: &str) -> PathBuf {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../ganimation-model/tests/data"
    ))
    .join(name)
}

fn ganimation(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ganimation"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

#[track_caller]
fn succeeds(folder: &Path, arguments: &[&str]) -> (String, String) {
    let output = ganimation(folder, arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {message}");
    (String::from_utf8(output.stdout).unwrap(), message)
}

fn picture(path: &Path) -> RgbImage {
    image::open(path).unwrap().into_rgb8()
}

#[test]
fn imported_weights_give_pytorchs_picture_up_to_one_step_a_pixel() {
    let folder = tempfile::tempdir().unwrap();
    let face = data("face.png");
    for (file, expected) in [
        ("released.pth", "released.png"),
        ("released_legacy_module.pth", "released.png"),
        ("released_03.pth", "released.png"),
        ("checkpoint.pth", "released.png"),
        ("replicate.pth", "replicate.png"),
        ("replicate_legacy.pth", "replicate.png"),
        ("vipermu.pth", "released.png"),
        ("vipermu_legacy.pth", "released.png"),
    ] {
        let file = data(file);
        let (file, face) = (file.to_str().unwrap(), face.to_str().unwrap());
        succeeds(folder.path(), &["import", file, "-o", "weights.safetensors"]);
        let options = ["--absolute", "--au", "12=3", "--au", "25=2", "--crop", "none"];
        let network = ["--weights", "weights.safetensors", "--device", "flex"];
        succeeds(
            folder.path(),
            &[&["edit", face, "-o", "out.png"], &options[..], &network].concat(),
        );
        let (found, expected) = (picture(&folder.path().join("out.png")), picture(&data(expected)));
        assert_eq!(found.dimensions(), expected.dimensions());
        let distance = found
            .iter()
            .zip(expected.iter())
            .map(|(a, b)| a.abs_diff(*b))
            .max();
        assert!(distance <= Some(1), "{file}: difference {distance:?} of 255");
    }
}

#[test]
fn both_networks_are_written_and_what_was_dropped_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (generator, discriminator) = (data("vipermu.pth"), data("critic_f16.pth"));
    let files = [generator.to_str().unwrap(), discriminator.to_str().unwrap()];
    let (written, message) = succeeds(
        folder.path(),
        &["import", files[0], files[1], "-o", "mine.safetensors"],
    );
    assert_eq!(written, "mine.safetensors\nmine-discriminator.safetensors\n");
    for line in [
        "a generator in the layout of vipermu, 23 tensors used",
        "dropped, running statistics, which instance norms do not use: ",
        "dropped, second names of the same tensors: ",
        "a discriminator in the layout of the released code, 14 tensors used",
    ] {
        assert!(message.contains(line), "{message}");
    }
    let list = succeeds(
        folder.path(),
        &["import", files[0], "-o", "mine.safetensors", "--list"],
    )
    .1;
    assert!(
        list.contains("  im_att.0.weight -> attetion_reg.0.weight\n"),
        "{list}"
    );
}

#[test]
fn what_cannot_be_imported_is_reported_in_one_line_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| data(name).to_str().unwrap().to_owned();
    let cases = [
        (
            vec![file("face.png")],
            "is neither a PyTorch file nor safetensors",
        ),
        (vec!["no.pth".to_owned()], "cannot read weights no.pth"),
        (
            vec![file("released.pth"), file("vipermu.pth")],
            "both hold a generator",
        ),
        (
            vec![file("expected.safetensors")],
            "are in no known layout: aus, corner, f16, read",
        ),
    ];
    for (files, expected) in cases {
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let output = ganimation(
            folder.path(),
            &[&["import", "-o", "out.safetensors"], &files[..]].concat(),
        );
        let message = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!((output.status.code(), lines.len()), (Some(2), 2), "{message}");
        assert!(
            lines[0].contains(expected) && lines[1].starts_with("hint: "),
            "{message}"
        );
        assert!(!folder.path().join("out.safetensors").exists());
    }
}
