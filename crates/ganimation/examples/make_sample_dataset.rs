//! Makes `assets/sample_dataset/` from the two bundled portraits: 32 faces to try the training commands on.
//!
//!     cargo run --release --example make_sample_dataset
//!
//! There are no random numbers, so the files are always the same. `assets/sample_dataset/README.md` describes the
//! dataset.

use std::error::Error;
use std::fs;
use std::path::Path;

use ganimation_data::pickle::{Labels, write_labels};
use ganimation_data::picture::decode_photo;
use ganimation_data::{ActionUnit, FaceBox, FaceDetector, Intensities, crop_face, save_image};
use image::imageops;

/// Side of the faces, in pixels.
const SIZE: u32 = 128;

/// Shift to the right and down in hundredths of the box, change of its size in hundredths, change of brightness in
/// levels.
const VARIANTS: [(i32, i32, i32, i32); 8] = [
    (0, 0, 0, 0),
    (3, 0, 2, 12),
    (-3, 1, -2, -12),
    (0, 3, 4, 6),
    (0, -3, -4, -6),
    (2, 2, 3, -18),
    (-2, -2, -3, 18),
    (1, -1, 1, 9),
];

/// A portrait and its action units, estimated by eye.
struct Portrait {
    file: &'static str,
    name: &'static str,
    /// OpenFace intensities; the others are 0.
    actions: &'static [(ActionUnit, f32)],
}

const PORTRAITS: [Portrait; 2] = [
    Portrait {
        file: "grace_hopper.jpg",
        name: "hopper",
        actions: &[],
    },
    Portrait {
        file: "astronaut.png",
        name: "collins",
        actions: &[
            (ActionUnit::CheekRaiser, 1.5),
            (ActionUnit::UpperLipRaiser, 1.0),
            (ActionUnit::LipCornerPuller, 2.8),
            (ActionUnit::LipsPart, 2.2),
        ],
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets");
    let folder = assets.join("sample_dataset");
    fs::create_dir_all(folder.join("imgs"))?;

    let detector = FaceDetector::new()?;
    let (mut labels, mut train, mut test) = (Labels::new(), String::new(), String::new());
    for Portrait { file, name, actions } in PORTRAITS {
        let photo = decode_photo(assets.join(file))?;
        let face = detector.detect(&photo).into_iter().next().ok_or("no face")?;
        let mut intensities = Intensities::default();
        for &(unit, intensity) in actions {
            intensities.set(unit, intensity);
        }
        for (number, variant) in VARIANTS.into_iter().enumerate() {
            let upright = imageops::brighten(&crop_face(&photo, moved(face, variant), SIZE), variant.3);
            let mirrored = imageops::flip_horizontal(&upright);
            for (side, picture) in [("", upright), ("_mirrored", mirrored)] {
                let id = format!("{name}_{number}{side}.jpg");
                save_image(folder.join("imgs").join(&id), &picture)?;
                let list = if number + 1 == VARIANTS.len() {
                    &mut test
                } else {
                    &mut train
                };
                *list += &format!("{id}\n");
                let values = intensities.as_array().map(f64::from);
                labels.insert(id.trim_end_matches(".jpg").to_owned(), values.to_vec());
            }
        }
    }
    write_labels(folder.join("aus_openface.pkl"), &labels)?;
    fs::write(folder.join("train_ids.csv"), train)?;
    fs::write(folder.join("test_ids.csv"), test)?;
    println!("{} faces in assets/sample_dataset", labels.len());
    Ok(())
}

/// A box shifted and resized about its centre.
fn moved(face: FaceBox, (right, down, larger, _): (i32, i32, i32, i32)) -> FaceBox {
    let part = |hundredths: i32| face.size.cast_signed() * hundredths / 100;
    let growth = part(larger);
    FaceBox {
        x: face.x + part(right) - growth / 2,
        y: face.y + part(down) - growth / 2,
        size: face.size.saturating_add_signed(growth),
        ..face
    }
}
