//! Augmentation of training faces that does not change their action units.

use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Largest shift, in pixels: face detectors differ by some pixels.
const SHIFT: usize = 6;

/// Largest change of contrast, as a fraction.
const CONTRAST: f32 = 0.2;

/// Largest change of brightness, for a value range of 2.
const BRIGHTNESS: f32 = 0.15;

/// Changes contrast and brightness of each face. The whole batch is shifted and, in half of the draws, blurred to half
/// its resolution.
///
/// # Shapes
/// - `images`: `[batch, 3, height, width]`, in [-1, 1]; the result has the same shape and may leave the range
pub(super) fn jitter(images: Tensor<4>, random: &mut ChaCha8Rng) -> Tensor<4> {
    let [batch, _, height, width] = images.dims();
    let device = images.device();
    let mut draw = |around: f32, by: f32| {
        let values: Vec<f32> = (0..batch)
            .map(|_| around + by * random.random_range(-1.0f32..1.0))
            .collect();
        Tensor::<4>::from_data(TensorData::new(values, [batch, 1, 1, 1]), &device)
    };
    let (contrast, brightness) = (draw(1.0, CONTRAST), draw(0.0, BRIGHTNESS));
    let mut changed = images * contrast + brightness;
    if random.random() {
        changed = resize(resize(changed, [height / 2, width / 2]), [height, width]);
    }
    let mut starts = || random.random_range(0..=2 * SHIFT);
    let (down, across) = (starts(), starts());
    shift(shift(changed, 2, down), 3, across)
}

/// Pads the images with `SHIFT` copies of the border pixels at both ends of `axis`, and returns the window from
/// `start`.
fn shift(images: Tensor<4>, axis: usize, start: usize) -> Tensor<4> {
    let length = images.dims()[axis];
    let first = images.clone().narrow(axis, 0, 1).repeat_dim(axis, SHIFT);
    let last = images.clone().narrow(axis, length - 1, 1).repeat_dim(axis, SHIFT);
    Tensor::cat(vec![first, images, last], axis).narrow(axis, start, length)
}

fn resize(images: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let options = InterpolateOptions::new(InterpolateMode::Bilinear)
        .with_align_corners(false)
        .with_output_size(size);
    interpolate(images, options)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, Tolerance};
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn shifts_move_pixels_and_repeat_the_border() {
        let device = Device::flex();
        let images = Tensor::<4>::random([1, 1, 4, 20], Distribution::Default, &device);
        assert_eq!(
            shift(images.clone(), 3, SHIFT).into_data(),
            images.clone().into_data()
        );
        let moved = shift(images.clone(), 3, SHIFT + 2);
        moved
            .clone()
            .narrow(3, 0, 18)
            .into_data()
            .assert_eq(&images.clone().narrow(3, 2, 18).into_data(), true);
        moved
            .narrow(3, 19, 1)
            .into_data()
            .assert_eq(&images.narrow(3, 19, 1).into_data(), true);
    }

    #[test]
    fn jitter_depends_on_its_stream_and_stays_near() {
        let device = Device::flex();
        let images = Tensor::<4>::full([2, 3, 32, 32], 0.5, &device);
        let drawn = |seed| jitter(images.clone(), &mut ChaCha8Rng::seed_from_u64(seed)).into_data();
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        drawn(3).assert_approx_eq::<f32>(
            &images.into_data(),
            Tolerance::absolute(0.5 * CONTRAST + BRIGHTNESS),
        );
    }
}
