//! The generator: a face and action units in, colours and an attention mask out.

use burn::config::Config;
use burn::module::Module;
use burn::nn::Relu;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use ganimation_kernels::PreparedWeights;

use crate::AU_COUNT;
use crate::convolution::{Conv2d, ConvTranspose2d};
use crate::edit::{Edit, blend};
use crate::instance_norm::InstanceNorm;
use crate::layer::{self, Layer, ResidualBlock, run};

/// Shape of a [`Generator`]. The defaults are the paper's network: 8,471,296 parameters.
#[derive(Config, Debug, PartialEq, Eq)]
pub struct GeneratorConfig {
    /// Channels after the first convolution; the middle of the network has four times as many.
    #[config(default = 64)]
    pub channels: usize,
    /// Residual blocks in the middle.
    #[config(default = 6)]
    pub blocks: usize,
    /// Action units it is conditioned on.
    #[config(default = "AU_COUNT")]
    pub aus: usize,
}

impl GeneratorConfig {
    /// Draws fresh weights on `device` (convolutions from N(0, 0.02), norms at scale 1 and shift 0).
    pub fn init(&self, device: &Device) -> Generator {
        let c = self.channels;
        let conv =
            |channels, kernel, placement| Layer::Conv(Conv2d::new(channels, kernel, placement, device));
        let up = |channels| Layer::ConvTranspose(ConvTranspose2d::new(channels, 4, [2, 1], device));
        let norm = |channels| Layer::InstanceNorm(InstanceNorm::new(channels, device));
        let relu = || Layer::Relu(Relu::new());

        let mut main = vec![conv([3 + self.aus, c], 7, [1, 3]), norm(c), relu()];
        main.extend([conv([c, 2 * c], 4, [2, 1]), norm(2 * c), relu()]);
        main.extend([conv([2 * c, 4 * c], 4, [2, 1]), norm(4 * c), relu()]);
        main.extend((0..self.blocks).map(|_| Layer::Residual(ResidualBlock::new(4 * c, device))));
        main.extend([up([4 * c, 2 * c]), norm(2 * c), relu()]);
        main.extend([up([2 * c, c]), norm(c), relu()]);
        Generator {
            main,
            img_reg: vec![Conv2d::new([c, 3], 7, [1, 3], device)],
            attetion_reg: vec![Conv2d::new([c, 1], 7, [1, 3], device)],
        }
    }
}

/// Paints colours and attention for a face and action units (paper, section 4).
///
/// Fields carry the names of the published files, spelling included.
#[derive(Module, Debug)]
pub struct Generator {
    main: Vec<Layer>,
    img_reg: Vec<Conv2d>,
    attetion_reg: Vec<Conv2d>,
}

impl Generator {
    /// Makes the weights ready for many edits, which are faster for as long as the result lives.
    pub fn prepare(&self) -> PreparedWeights {
        let mut prepared = PreparedWeights::default();
        layer::prepare(&self.main, &mut prepared);
        prepared
    }

    /// Edits a batch of faces towards `aus`.
    ///
    /// # Shapes
    /// - `images`: `[batch, 3, height, width]`, in [-1, 1], height and width multiples of 4
    /// - `aus`: `[batch, aus]`, OpenFace intensity / 5
    ///
    /// # Panics
    /// If the batches differ, or height or width is no multiple of 4.
    pub fn edit(&self, images: Tensor<4>, aus: Tensor<2>) -> Edit {
        let [batch, _, height, width] = images.dims();
        let [labels, _] = aus.dims();
        assert_eq!(batch, labels, "{batch} images but {labels} rows of action units");
        assert!(
            height % 4 == 0 && width % 4 == 0,
            "a face of {height} x {width} pixels; both must be multiples of 4"
        );

        // The action units are constant planes beside the image.
        let features = match self.main.as_slice() {
            [Layer::Conv(first), rest @ ..] => run(rest, first.forward_with_planes(images.clone(), aus)),
            _ => unreachable!("the network begins with a convolution"),
        };

        // Two heads over the same features are one convolution with four outputs.
        let heads = self.img_reg.iter().chain(&self.attetion_reg);
        let weight = Tensor::cat(heads.map(|head| head.weight.val()).collect(), 0);
        let painted = ganimation_kernels::conv2d(features, weight, None, 1, 3);
        let color = painted.clone().narrow(1, 0, 3).tanh();
        let attention = sigmoid(painted.narrow(1, 3, 1));

        Edit {
            image: blend(images, attention.clone(), color.clone()),
            attention,
            color,
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    #[test]
    fn the_papers_generator_has_8_471_296_parameters() {
        let generator = GeneratorConfig::new().init(&Device::flex());
        assert_eq!(generator.num_params(), 8_471_296);
    }

    #[test]
    fn an_edit_keeps_the_shape_of_a_face_that_is_not_square() {
        let device = Device::flex();
        let generator = GeneratorConfig::new()
            .with_channels(4)
            .with_blocks(1)
            .init(&device);
        let faces = Tensor::random([2, 3, 64, 32], Distribution::Uniform(-1.0, 1.0), &device);
        let edit = generator.edit(faces, Tensor::zeros([2, AU_COUNT], &device));
        assert_eq!(edit.image.dims(), [2, 3, 64, 32]);
        assert_eq!(edit.attention.dims(), [2, 1, 64, 32]);
        assert_eq!(edit.color.dims(), [2, 3, 64, 32]);
    }

    #[test]
    fn prepared_weights_change_no_bit_and_are_left_behind_by_new_ones() {
        let device = Device::flex();
        let config = GeneratorConfig::new().with_channels(16).with_blocks(1);
        let generator = config.init(&device);
        let faces = Tensor::random([2, 3, 64, 64], Distribution::Uniform(-1.0, 1.0), &device);
        let edit = |generator: &Generator| {
            let edit = generator.edit(faces.clone(), Tensor::ones([2, AU_COUNT], &device));
            edit.color.into_data()
        };
        let plain = edit(&generator);
        let prepared = generator.prepare();
        edit(&generator).assert_eq(&plain, true);
        let doubled = crate::map_parameters(generator.clone(), |_, values| values * 2.0);
        let with_the_first_kept = edit(&doubled);
        drop(prepared);
        edit(&doubled).assert_eq(&with_the_first_kept, true);
        edit(&generator).assert_eq(&plain, true);
    }

    #[test]
    fn attention_is_a_share_and_color_an_image() {
        let device = Device::flex();
        let generator = GeneratorConfig::new()
            .with_channels(4)
            .with_blocks(1)
            .init(&device);
        let faces = Tensor::random([1, 3, 64, 64], Distribution::Uniform(-1.0, 1.0), &device);
        let edit = generator.edit(faces, Tensor::ones([1, AU_COUNT], &device));
        edit.attention.into_data().assert_within_range(0.0f32..1.0);
        edit.color.into_data().assert_within_range(-1.0f32..1.0);
    }

    #[test]
    fn action_units_reach_the_output() {
        let device = Device::flex();
        let generator = GeneratorConfig::new()
            .with_channels(4)
            .with_blocks(1)
            .init(&device);
        let face = Tensor::random([1, 3, 64, 64], Distribution::Uniform(-1.0, 1.0), &device);
        let neutral = generator.edit(face.clone(), Tensor::zeros([1, AU_COUNT], &device));
        let smiling = generator.edit(face, Tensor::ones([1, AU_COUNT], &device));
        let change: f32 = (neutral.image - smiling.image).abs().max().into_scalar();
        assert!(
            change > 1e-4,
            "17 action units changed no pixel by more than {change}"
        );
    }

    #[test]
    #[should_panic(expected = "multiples of 4")]
    fn a_face_of_odd_size_is_refused() {
        let device = Device::flex();
        let generator = GeneratorConfig::new()
            .with_channels(4)
            .with_blocks(1)
            .init(&device);
        generator.edit(
            Tensor::zeros([1, 3, 30, 32], &device),
            Tensor::zeros([1, AU_COUNT], &device),
        );
    }
}
