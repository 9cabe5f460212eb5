//! Uses the network directly, with tensors as input and output, and with weights loaded by `ganimation-model`.
//!
//!     cargo run --release --example edit_tensor
//!
//! Prints the mask coverage of each action unit when its intensity changes from 0 to a high value.

use std::error::Error;
use std::path::Path;

use burn::tensor::Tensor;
use ganimation::device;
use ganimation_data::picture::decode_photo;
use ganimation_data::{ActionUnit, FaceDetector, Intensities, crop_face, pixels};
use ganimation_model::weights::load_generator;

fn main() -> Result<(), Box<dyn Error>> {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets");
    let device = device::resolve("auto".parse()?)?;
    let weights = assets.join("../crates/ganimation-weights/generator.safetensors");
    let (generator, metadata) = load_generator(&weights, &device)?;

    // Any source of faces can be used, if they are cropped like the training faces.
    let photo = decode_photo(assets.join("astronaut.png"))?;
    let face = FaceDetector::new()?
        .detect(&photo)
        .into_iter()
        .next()
        .ok_or("no face")?;
    let face = crop_face(&photo, face, u32::try_from(metadata.image_size)?);
    let image = pixels::tensor_from_images(&[face], &device); // [1, 3, size, size], in [-1, 1]

    for unit in ActionUnit::ALL {
        let mut strong = Intensities::default();
        strong.set(unit, 4.0);
        let aus = pixels::tensor_from_intensities(&[Intensities::default(), strong], &device); // [2, 17], in [0, 1]
        let edit = generator.edit(image.clone().repeat_dim(0, 2), aus);

        let painted = percent(edit.attention.clone().narrow(0, 1, 1).neg() + 1.0); // attention 1 keeps the input
        let [absent, strong] = [0, 1].map(|row| edit.image.clone().narrow(0, row, 1));
        let changed = percent((strong - absent).abs() / 2.0);
        println!(
            "{unit} {:22} paints {painted:5.2} %, moves pixels by {changed:.2} % on average",
            unit.name()
        );
    }
    Ok(())
}

fn percent(share: Tensor<4>) -> f32 {
    100.0 * share.mean().into_scalar::<f32>()
}
