//! The discriminator's views of faces: other light, the same expression.

use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::config::ViewConfig;

/// Changes brightness, saturation and contrast face by face.
///
/// # Shapes
/// - `images`: `[batch, 3, height, width]`, in [-1, 1]; the result has the same shape and may leave the range
pub(super) fn view(images: Tensor<4>, config: &ViewConfig, random: &mut ChaCha8Rng) -> Tensor<4> {
    let [batch, ..] = images.dims();
    let (device, dtype) = (images.device(), images.dtype());
    let mut draw = |around: f32, by: f32| {
        let values: Vec<f32> = (0..batch)
            .map(|_| around + by * random.random_range(-1.0f32..1.0))
            .collect();
        Tensor::<4>::from_data(TensorData::new(values, [batch, 1, 1, 1]), (&device, dtype))
    };
    let brighter = images + draw(0.0, config.brightness);
    let gray = brighter.clone().mean_dim(1);
    let colored = (brighter - gray.clone()) * draw(1.0, config.saturation) + gray;
    let mean = colored.clone().mean_dims(&[1, 2, 3]);
    (colored - mean.clone()) * draw(1.0, config.contrast) + mean
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, Tolerance};
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_view_depends_on_its_stream_and_keeps_gray_faces_gray() {
        let device = Device::flex();
        let gray = Tensor::<4>::random([2, 1, 8, 6], Distribution::Uniform(-1.0, 1.0), &device);
        let images = gray.repeat_dim(1, 3);
        let drawn = |seed| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            view(images.clone(), &ViewConfig::default(), &mut random)
        };
        assert_eq!(drawn(1).into_data(), drawn(1).into_data());
        assert_ne!(drawn(1).into_data(), drawn(2).into_data());
        let channel = |at| drawn(3).narrow(1, at, 1).into_data();
        channel(0).assert_approx_eq::<f32>(&channel(2), Tolerance::absolute(1e-6));
    }

    #[test]
    fn no_change_asked_is_no_change() {
        let device = Device::flex();
        let images = Tensor::<4>::random([2, 3, 8, 6], Distribution::Uniform(-1.0, 1.0), &device);
        let still = ViewConfig {
            brightness: 0.0,
            saturation: 0.0,
            contrast: 0.0,
        };
        view(images.clone(), &still, &mut ChaCha8Rng::seed_from_u64(1))
            .into_data()
            .assert_approx_eq::<f32>(&images.into_data(), Tolerance::absolute(1e-6));
    }
}
