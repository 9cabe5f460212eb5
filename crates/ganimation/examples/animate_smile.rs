//! Animates a smile on Grace Hopper's portrait, and back to the original expression.
//!
//!     cargo run --release --example animate_smile
//!
//! Writes `out/animate_smile.gif`, and `out/animate_smile.png`, a contact sheet of the network's outputs.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use ganimation::sheet::contact_sheet;
use ganimation::{ActionUnit, Animator, Ease, Expression, PhotoOptions, Timeline};
use ganimation_data::film::write_gif;
use ganimation_data::save_image;

/// Number of frames, to the smile and back.
const FRAMES: usize = 24;
/// Length of the film.
const SECONDS: f32 = 1.92;

fn main() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let animator = Animator::bundled()?;
    println!(
        "network on {:?}: {:.1} s",
        animator.device(),
        start.elapsed().as_secs_f64()
    );

    let portrait = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/grace_hopper.jpg");
    let photo = animator.open(&portrait, &PhotoOptions::new())?;
    println!(
        "face of {0} x {0} pixels: {1:.1} s",
        photo.faces()[0].bounds().size,
        start.elapsed().as_secs_f64()
    );

    // A genuine smile raises the cheeks (AU06), pulls the mouth's corners (AU12) and parts the lips (AU25). Intensities are
    // OpenFace's, 0 to 5.
    let smile = Expression::new()
        .with(ActionUnit::CheekRaiser, 2.0)?
        .with(ActionUnit::LipCornerPuller, 3.5)?
        .with(ActionUnit::LipsPart, 2.5)?;
    let film = Timeline::there_and_back(Expression::new(), smile, SECONDS, Ease::InOut);
    let expressions = film.frames(FRAMES as f32 / SECONDS);
    let frames: Vec<_> = animator.frames(&photo, &expressions).collect();
    println!("{FRAMES} frames: {:.1} s", start.elapsed().as_secs_f64());

    fs::create_dir_all("out")?;
    let photos: Vec<_> = frames.iter().map(|frame| frame.photo.clone()).collect();
    write_gif(
        "out/animate_smile.gif",
        &photos,
        Duration::from_secs_f32(SECONDS / FRAMES as f32),
        0,
    )?;
    let steps = [0, 2, 4, 7, 9, 12].map(|step| (format!("frame {}", step + 1), frames[step].clone()));
    save_image("out/animate_smile.png", &contact_sheet(&photo, &steps))?;
    println!("wrote out/animate_smile.gif, and out/animate_smile.png with, from top to bottom:");
    println!(
        "the result; the face; its motion as a grid; the attention A, where white keeps the moved face; the colours C"
    );
    println!(
        "(face = A * moved + (1 - A) * C); {:.1} s in all",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}
