//! The discriminator of the motion network: it scores whether a real face shows the given action units.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::convolution::{Conv2d, ConvShape};
use crate::discriminator::SIZE_STEP;
use crate::layer::{self, Layer, run};
use crate::parameters::draw_parameters;
use crate::resample::{average, mean_over_positions, repeat};
use crate::{AU_COUNT, Error, Result};

/// Slope of the LeakyReLUs below zero.
const LEAKY_SLOPE: f64 = 0.05;

/// Standard deviation of the initial weights of the heads.
const HEAD_STD: f64 = 0.01;

/// Maximum channels of a layer for the whole face.
const MAX_CHANNELS: usize = 512;

/// Factor of the action units, in intensity / 5, to bring them to the scale of the features.
const MATCH_GAIN: f64 = 4.0;

/// A rectangle of the picture.
#[derive(Clone, Copy)]
struct Part {
    top: usize,
    bottom: usize,
    left: usize,
    right: usize,
}

/// Mouth and eyes in eighths of the picture's side. If the side is a multiple of 64, three strided layers can halve these
/// parts exactly.
const MOUTH: Part = Part {
    top: 4,
    bottom: 8,
    left: 1,
    right: 7,
};
const EYES: Part = Part {
    top: 1,
    bottom: 4,
    left: 0,
    right: 8,
};

/// Shape of a [`ProjectionDiscriminator`].
#[derive(Config, Debug, PartialEq, Eq)]
pub struct ProjectionDiscriminatorConfig {
    /// Side of the square input images, in pixels: a multiple of 64.
    pub image_size: usize,
    /// Channels after the first layer for the whole face. Each further layer doubles them, up to 512.
    #[config(default = 48)]
    pub channels: usize,
    /// Channels after the first layer for the mouth and for the eyes.
    #[config(default = 32)]
    pub local_channels: usize,
    /// Number of action units.
    #[config(default = "AU_COUNT")]
    pub aus: usize,
}

impl ProjectionDiscriminatorConfig {
    /// Checks that the network can be built.
    ///
    /// # Errors
    /// [`Error::ImageSize`] unless the image size is a positive multiple of 64.
    pub fn check(&self) -> Result<()> {
        match self.image_size {
            size if size > 0 && size.is_multiple_of(SIZE_STEP) => Ok(()),
            found => Err(Error::ImageSize {
                found,
                step: SIZE_STEP,
            }),
        }
    }

    /// Creates the network on `device` with random initial weights. `mean_aus` are the mean action units of the
    /// training faces, intensity / 5. The network stores them.
    ///
    /// # Panics
    /// If the image size is not a positive multiple of 64 ([`Self::check`] reports this as an error), or if the number
    /// of means is not the number of action units.
    pub fn init(&self, mean_aus: &[f32], device: &Device) -> ProjectionDiscriminator {
        assert!(self.check().is_ok(), "an image size of {}", self.image_size);
        let means = mean_aus.len();
        assert_eq!(means, self.aus, "{means} means for {} action units", self.aus);
        // The whole face at half size, halved until a side of two or three positions is left.
        let mut side = self.image_size / 2;
        let (mut whole, mut input, mut output) = (Vec::new(), 3, self.channels);
        while side > 3 {
            whole.extend(strided(ConvShape::halving(input, output), device));
            (input, output, side) = (output, (2 * output).min(MAX_CHANNELS), side / 2);
        }
        let head = |outputs| {
            Conv2d::new(ConvShape::whole(input, outputs, side), device)
                .with_weights_of(HEAD_STD, device)
                .with_bias(device)
        };
        let local = || LocalDiscriminator::new(self.local_channels, self.aus, device);
        let discriminator = ProjectionDiscriminator {
            whole,
            realness: head(1),
            matching: head(self.aus),
            aus: head(self.aus),
            mouth: local(),
            eyes: local(),
            mean_aus: Param::from_tensor(Tensor::<1>::from_data(mean_aus, device)).set_require_grad(false),
        };
        draw_parameters(&discriminator);
        discriminator
    }
}

/// A strided convolution and its LeakyReLU.
fn strided(shape: ConvShape, device: &Device) -> [Layer; 2] {
    let conv = Conv2d::new(shape, device)
        .with_kaiming_weights(LEAKY_SLOPE, device)
        .with_bias(device);
    [Layer::Conv(conv), Layer::leaky_relu(LEAKY_SLOPE)]
}

/// Scores faces together with action units: `unconditional score + <features, 4 (aus - mean aus)>` (Miyato and Koyama,
/// *cGANs with projection discriminator*, ICLR 2018). It uses the whole face at half size, and the mouth and the eyes
/// at full size.
#[derive(Module, Debug)]
pub struct ProjectionDiscriminator {
    whole: Vec<Layer>,
    /// The unconditional score. The name is part of the checkpoint format.
    realness: Conv2d,
    matching: Conv2d,
    aus: Conv2d,
    mouth: LocalDiscriminator,
    eyes: LocalDiscriminator,
    /// `[aus]`; not trained.
    mean_aus: Param<Tensor<1>>,
}

/// The outputs of a [`ProjectionDiscriminator`] for a batch of faces.
#[derive(Clone, Debug)]
pub struct ProjectionOutput {
    /// `[batch]`, unbounded. Larger means more real, and closer to the given action units.
    pub score: Tensor<1>,
    /// `[batch, patches]`, unbounded: the score of each patch of the mouth and the eyes.
    pub patches: Tensor<2>,
    /// `[batch, aus]`, OpenFace intensity / 5, unbounded: estimated on the whole face.
    pub aus: Tensor<2>,
}

/// The features of a [`ProjectionDiscriminator`] for a batch of faces.
#[derive(Clone, Debug)]
pub struct Features {
    /// `[batch, 1]`.
    unconditional: Tensor<2>,
    /// `[batch, aus]`.
    matching: Tensor<2>,
    /// See [`ProjectionOutput`].
    pub patches: Tensor<2>,
    /// See [`ProjectionOutput`].
    pub aus: Tensor<2>,
}

impl Features {
    /// [`ProjectionOutput::score`] of the faces for the action units `aus`, `[batch, aus]`.
    pub fn score(&self, discriminator: &ProjectionDiscriminator, aus: Tensor<2>) -> Tensor<1> {
        let matching = (self.matching.clone() * discriminator.key(aus)).sum_dim(1);
        (self.unconditional.clone() + matching).flatten(0, 1)
    }
}

impl ProjectionDiscriminator {
    /// Scores faces for the action units `aus`.
    ///
    /// # Shapes
    /// - `images`: `[batch, 3, size, size]`, in [-1, 1], of the configured size
    /// - `aus`: `[batch, aus]`, OpenFace intensity / 5
    pub fn forward(&self, images: Tensor<4>, aus: Tensor<2>) -> ProjectionOutput {
        let features = self.features(images);
        ProjectionOutput {
            score: features.score(self, aus),
            patches: features.patches,
            aus: features.aus,
        }
    }

    /// The features of faces. They do not depend on the action units for which faces are scored.
    ///
    /// # Shapes
    /// - `images`: see [`Self::forward`]
    pub fn features(&self, images: Tensor<4>) -> Features {
        let top = run(&self.whole, average(images.clone(), 2));
        let (mouth, of_mouth) = self.mouth.forward(crop(images.clone(), MOUTH));
        let (eyes, of_eyes) = self.eyes.forward(crop(images, EYES));
        let matching = self.matching.forward(top.clone()).flatten::<2>(1, 3);
        Features {
            unconditional: self.realness.forward(top.clone()).flatten(1, 3),
            matching: matching + of_mouth + of_eyes,
            patches: Tensor::cat(vec![mouth, eyes], 1),
            aus: self.aus.forward(top).flatten(1, 3),
        }
    }

    /// The activations of the mouth's three layers, for feature matching (pix2pixHD, section 3.3).
    ///
    /// # Shapes
    /// - `images`: see [`Self::forward`]
    /// - result: three maps `[batch, channels, h, w]`, each with twice the channels and half the size of the previous
    ///   one
    pub fn mouth_activations(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        layer::activations(&self.mouth.main, crop(images, MOUTH))
    }

    /// The estimated action units of faces.
    ///
    /// # Shapes
    /// - `images`: see [`Self::forward`]
    /// - result: `[batch, aus]`, OpenFace intensity / 5, unbounded
    pub fn estimate_aus(&self, images: Tensor<4>) -> Tensor<2> {
        let top = run(&self.whole, average(images, 2));
        self.aus.forward(top).flatten(1, 3)
    }

    /// Gradient of `score + sum(patches) / sqrt(number of patches)`, summed over the batch, with respect to `images`.
    /// It is differentiable in the weights and is computed explicitly, like [`crate::Discriminator::input_gradient`].
    ///
    /// # Shapes
    /// - see [`Self::forward`]; the gradient has the shape of `images`
    pub fn input_gradient(&self, images: Tensor<4>, aus: Tensor<2>) -> Tensor<4> {
        let images = images.detach();
        let key = self.key(aus.detach());
        let [batch, count] = key.dims();
        let [_, _, height, width] = images.dims();

        let frozen = self.clone().no_grad();
        let activations = layer::activations(&frozen.whole, average(images.clone(), 2));
        let ones = Tensor::<4>::ones([batch, 1, 1, 1], (&images.device(), images.dtype()));
        let top = self.realness.input_gradient(ones)
            + self
                .matching
                .input_gradient(key.clone().reshape([batch, count, 1, 1]));
        let whole = layer::input_gradient(&self.whole, activations, top);

        let parts = [
            (&self.mouth, &frozen.mouth, MOUTH),
            (&self.eyes, &frozen.eyes, EYES),
        ]
        .map(|(discriminator, frozen, place)| {
            (
                discriminator,
                layer::activations(&frozen.main, crop(images.clone(), place)),
                place,
            )
        });
        let places =
            |activations: &[Tensor<4>]| activations.last().map_or(0, |map| map.dims()[2] * map.dims()[3]);
        let patches: usize = parts.iter().map(|(_, activations, _)| places(activations)).sum();
        let local = parts.map(|(discriminator, activations, place)| {
            let gradient = discriminator.input_gradient(activations, key.clone(), patches);
            let at = pixels(place, height, width);
            gradient.pad((at.left, width - at.right, at.top, height - at.bottom), 0.0)
        });
        let [mouth, eyes] = local;
        repeat(whole, 2) / 4.0 + mouth + eyes
    }

    /// The factors of the features, `[batch, aus]`: centred and scaled action units.
    fn key(&self, aus: Tensor<2>) -> Tensor<2> {
        (aus - self.mean_aus.val().unsqueeze::<2>()) * MATCH_GAIN
    }
}

/// Processes a part of the face: three strided layers, scores of patches, and features of the whole part.
#[derive(Module, Debug)]
struct LocalDiscriminator {
    main: Vec<Layer>,
    /// The scores of patches. The name is part of the checkpoint format.
    realness: Conv2d,
    /// A 1x1 convolution, for the mean over positions.
    matching: Conv2d,
}

impl LocalDiscriminator {
    fn new(channels: usize, aus: usize, device: &Device) -> Self {
        let mut main = Vec::new();
        for (input, output) in [
            (3, channels),
            (channels, 2 * channels),
            (2 * channels, 4 * channels),
        ] {
            main.extend(strided(ConvShape::halving(input, output), device));
        }
        let head = |outputs, kernel| {
            Conv2d::new(ConvShape::same(4 * channels, outputs, kernel), device)
                .with_weights_of(HEAD_STD, device)
                .with_bias(device)
        };
        Self {
            main,
            realness: head(1, 3),
            matching: head(aus, 1),
        }
    }

    /// `[batch, patches]` and `[batch, aus]`.
    fn forward(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let top = run(&self.main, images);
        let patches = self.realness.forward(top.clone()).flatten(1, 3);
        let [batch, channels, ..] = top.dims();
        let mean = mean_over_positions(top).reshape([batch, channels, 1, 1]);
        let matching = self.matching.forward(mean).flatten(1, 3);
        (patches, matching)
    }

    /// Gradient of this part's contribution to the score, plus the sum of its patches divided by the square root of
    /// `patches`, the number of all patches.
    fn input_gradient(&self, activations: Vec<Tensor<4>>, key: Tensor<2>, patches: usize) -> Tensor<4> {
        let [batch, _, height, width] = activations.last().map_or([0; 4], Tensor::dims);
        let [_, count] = key.dims();
        let share = Tensor::full(
            [batch, 1, height, width],
            (patches as f64).sqrt().recip(),
            (&key.device(), key.dtype()),
        );
        let of_mean = self.matching.input_gradient(key.reshape([batch, count, 1, 1]));
        // Multiplied by the reciprocal, because Burn computes the gradient of a division by a number in f32.
        let top = self.realness.input_gradient(share) + of_mean * ((height * width) as f64).recip();
        layer::input_gradient(&self.main, activations, top)
    }
}

/// A part in pixels.
fn pixels(part: Part, height: usize, width: usize) -> Part {
    Part {
        top: part.top * height / 8,
        bottom: part.bottom * height / 8,
        left: part.left * width / 8,
        right: part.right * width / 8,
    }
}

/// A part of the face at full size.
fn crop(images: Tensor<4>, part: Part) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    let at = pixels(part, height, width);
    images
        .narrow(2, at.top, at.bottom - at.top)
        .narrow(3, at.left, at.right - at.left)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    fn small(device: &Device) -> ProjectionDiscriminator {
        let config = ProjectionDiscriminatorConfig::new(64)
            .with_channels(4)
            .with_local_channels(3);
        let plain = config.init(&[0.1; AU_COUNT], device);
        // Non-zero biases put units on both sides of the LeakyReLU's kink.
        crate::map_parameters(plain, |name, values| match name.ends_with("bias") {
            true => Tensor::random(values.dims(), Distribution::Uniform(-0.3, 0.3), &values.device()),
            false => values * 3.0,
        })
    }

    fn faces(device: &Device) -> (Tensor<4>, Tensor<2>) {
        let images = Tensor::random([2, 3, 64, 64], Distribution::Uniform(-1.0, 1.0), device);
        let aus = Tensor::random([2, AU_COUNT], Distribution::Uniform(0.0, 1.0), device);
        (images, aus)
    }

    #[test]
    fn the_output_has_a_score_for_each_face_and_patches_of_mouth_and_eyes() {
        let device = Device::flex();
        let (images, aus) = faces(&device);
        let discriminator = small(&device);
        let output = discriminator.forward(images.clone(), aus);
        assert_eq!(output.score.dims(), [2]);
        assert_eq!(output.patches.dims(), [2, 4 * 6 + 3 * 8]);
        let estimates = discriminator.estimate_aus(images).into_data();
        estimates.assert_eq(&output.aus.into_data(), true);
    }

    #[test]
    fn the_score_depends_on_the_action_units_that_are_claimed() {
        let device = Device::flex();
        let (images, aus) = faces(&device);
        let discriminator = small(&device);
        let score = |aus| -> f32 {
            discriminator
                .forward(images.clone(), aus)
                .score
                .sum()
                .into_scalar()
        };
        let change = (score(aus.clone()) - score(aus + 0.5)).abs();
        assert!(change > 1e-3, "{change}");
    }

    #[test]
    fn the_explicit_input_gradient_is_that_of_autodiff() {
        let device = Device::flex().autodiff();
        let (images, aus) = faces(&device);
        let images = images.detach().require_grad();
        let discriminator = small(&device);
        let output = discriminator.forward(images.clone(), aus.clone());
        let [_, patches] = output.patches.dims();
        let total = output.score.sum() + output.patches.sum() / (patches as f64).sqrt();
        let expected = images.grad(&total.backward()).unwrap();
        let gradient = discriminator.input_gradient(images, aus);
        let difference: f32 = (gradient.inner() - expected.clone()).abs().max().into_scalar();
        let size: f32 = expected.abs().max().into_scalar();
        assert!(difference < 1e-4 * size, "off by {difference} of {size}");
    }

    #[test]
    fn the_mean_of_the_labels_is_kept_and_never_trained() {
        let device = Device::flex().autodiff();
        let (images, aus) = faces(&device);
        let discriminator = small(&device);
        let mut gradients = discriminator.forward(images, aus).score.sum().backward();
        let trained = crate::take_gradients(&discriminator, &mut gradients);
        assert!(trained.contains_key("matching.weight") && !trained.contains_key("mean_aus"));
        assert!(
            crate::state_dict(&discriminator)
                .iter()
                .any(|(name, _)| name == "mean_aus")
        );
    }

    #[test]
    fn sizes_that_are_no_multiple_of_64_are_refused() {
        for size in [0, 32, 100, 129] {
            assert!(ProjectionDiscriminatorConfig::new(size).check().is_err());
        }
        for size in [64, 128, 192] {
            let config = ProjectionDiscriminatorConfig::new(size)
                .with_channels(2)
                .with_local_channels(2);
            let device = Device::flex();
            let faces = Tensor::zeros([1, 3, size, size], &device);
            let output = config
                .init(&[0.0; AU_COUNT], &device)
                .forward(faces, Tensor::zeros([1, AU_COUNT], &device));
            assert_eq!(output.aus.dims(), [1, AU_COUNT]);
        }
    }
}
