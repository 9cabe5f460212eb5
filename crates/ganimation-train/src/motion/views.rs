//! Augmentation of the discriminator's inputs: colours change, the expression does not.

use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::config::ViewConfig;

/// Random changes of brightness, saturation and contrast, one of each for every face of a batch.
#[derive(Clone, Debug)]
pub(super) struct View {
    brightness: Vec<f32>,
    saturation: Vec<f32>,
    contrast: Vec<f32>,
}

impl View {
    /// Changes for `batch` faces.
    pub(super) fn draw(batch: usize, config: &ViewConfig, random: &mut ChaCha8Rng) -> Self {
        let mut draw = |around: f32, by: f32| {
            (0..batch)
                .map(|_| around + by * random.random_range(-1.0f32..1.0))
                .collect()
        };
        Self {
            brightness: draw(0.0, config.brightness),
            saturation: draw(1.0, config.saturation),
            contrast: draw(1.0, config.contrast),
        }
    }

    /// Parts of a batch of `first` faces and other faces behind them: each has equal shares of both.
    pub(super) fn parts_of_both(&self, first: usize, count: usize) -> Vec<Self> {
        let split = |values: &[f32]| -> Vec<Vec<f32>> {
            let (first, second) = values.split_at(first);
            let shares = [first, second].map(|values| values.len() / count);
            let part = |at: usize| {
                let of = |values: &[f32], share: usize| values[at * share..(at + 1) * share].to_vec();
                [of(first, shares[0]), of(second, shares[1])].concat()
            };
            (0..count).map(part).collect()
        };
        let (brightness, saturation) = (split(&self.brightness), split(&self.saturation));
        (brightness.into_iter().zip(saturation).zip(split(&self.contrast)))
            .map(|((brightness, saturation), contrast)| Self {
                brightness,
                saturation,
                contrast,
            })
            .collect()
    }

    /// Equal parts, in the order of the faces.
    pub(super) fn parts(&self, count: usize) -> Vec<Self> {
        self.parts_of_both(self.brightness.len(), count)
    }

    /// The changed faces.
    ///
    /// # Shapes
    /// - `images`: `[batch, 3, height, width]`, in [-1, 1]; the result has the same shape and may leave the range
    pub(super) fn of(&self, images: Tensor<4>) -> Tensor<4> {
        let (device, dtype) = (images.device(), images.dtype());
        let each = |values: &[f32]| {
            let data = TensorData::new(values.to_vec(), [values.len(), 1, 1, 1]);
            Tensor::<4>::from_data(data, (&device, dtype))
        };
        let brighter = images + each(&self.brightness);
        let grey = brighter.clone().mean_dim(1);
        let colored = (brighter - grey.clone()) * each(&self.saturation) + grey;
        let mean = colored.clone().mean_dims(&[1, 2, 3]);
        (colored - mean.clone()) * each(&self.contrast) + mean
    }
}

/// The views of a step against the discriminator.
#[derive(Clone, Debug)]
pub(super) struct Views {
    /// Real and edited faces in the discriminator's step.
    pub(super) real: View,
    pub(super) judged: View,
    /// Edited faces in the generator's step: for the discriminator's score, and for its estimate of action units.
    pub(super) edited: View,
    pub(super) shaded: View,
}

impl Views {
    pub(super) fn draw(batch: usize, config: &ViewConfig, random: &mut ChaCha8Rng) -> Self {
        let mut view = || View::draw(batch, config, random);
        Self {
            real: view(),
            judged: view(),
            edited: view(),
            shaded: view(),
        }
    }

    /// Equal parts, in the order of the faces.
    pub(super) fn parts(&self, count: usize) -> Vec<Self> {
        let (real, judged) = (self.real.parts(count), self.judged.parts(count));
        let (edited, shaded) = (self.edited.parts(count), self.shaded.parts(count));
        (real.into_iter().zip(judged).zip(edited.into_iter().zip(shaded)))
            .map(|((real, judged), (edited, shaded))| Self {
                real,
                judged,
                edited,
                shaded,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, Tolerance};
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_view_depends_on_its_stream_and_keeps_grey_faces_grey() {
        let device = Device::flex();
        let grey = Tensor::<4>::random([2, 1, 8, 6], Distribution::Uniform(-1.0, 1.0), &device);
        let images = grey.repeat_dim(1, 3);
        let drawn = |seed| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            View::draw(2, &ViewConfig::default(), &mut random).of(images.clone())
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
        View::draw(2, &still, &mut ChaCha8Rng::seed_from_u64(1))
            .of(images.clone())
            .into_data()
            .assert_approx_eq::<f32>(&images.into_data(), Tolerance::absolute(1e-6));
    }

    #[test]
    fn parts_of_a_view_change_faces_as_the_whole_does() {
        let device = Device::flex();
        let images = Tensor::<4>::random([4, 3, 8, 6], Distribution::Uniform(-1.0, 1.0), &device);
        let whole = View::draw(4, &ViewConfig::default(), &mut ChaCha8Rng::seed_from_u64(1));
        let parts = whole.parts(2);
        let second = parts[1].of(images.clone().narrow(0, 2, 2)).into_data();
        second.assert_eq(&whole.of(images.clone()).narrow(0, 2, 2).into_data(), true);
        // Two faces and two others behind them: a part has one of each.
        let second = Tensor::cat(
            vec![images.clone().narrow(0, 1, 1), images.clone().narrow(0, 3, 1)],
            0,
        );
        let changed = whole.of(images);
        let expected = Tensor::cat(vec![changed.clone().narrow(0, 1, 1), changed.narrow(0, 3, 1)], 0);
        let found = whole.parts_of_both(2, 2)[1].of(second);
        found.into_data().assert_eq(&expected.into_data(), true);
    }
}
