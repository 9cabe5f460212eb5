//! The generator. Its inputs are a face and action units. Its outputs are colours and an attention mask, optionally
//! also motion and shading.

use std::ops::Deref;

use burn::config::Config;
use burn::module::Module;
use burn::nn::Relu;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};
use ganimation_kernels::PreparedWeights;
use serde::{Deserialize, Serialize};

use crate::AU_COUNT;
use crate::convolution::{Conv2d, ConvShape, ConvTranspose2d, EnlargingConv2d};
use crate::edit::Edit;
use crate::instance_norm::InstanceNorm;
use crate::layer::{self, Layer, ResidualBlock, run_ordered};
use crate::parameters::draw_parameters;
use crate::resample::{average, depth_to_space, smooth, space_to_depth};

/// Largest motion of a pixel, as a fraction of the picture's side.
const MAX_MOTION: f64 = 0.12;

/// Largest relative change of brightness.
const MAX_SHADING: f64 = 0.2;

/// If the sum of the absolute relative orders (intensity / 5) is below this, the effect is reduced in proportion, so
/// that zero orders change nothing.
const WHOLE_ORDER: f64 = 0.1;

/// Initial bias of an attention head, for a mask of 0.95.
const SHUT: f64 = 3.0;

/// How action units condition the generator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conditioning {
    /// Constant planes concatenated with the image, as in the paper.
    #[default]
    Planes,
    /// Scale and shift of every instance norm. A norm cancels most of the effect of constant planes, but not its own
    /// scale and shift.
    Norms,
}

/// The meaning of the generator's second input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orders {
    /// The target intensities, in [0, 1], as in the paper.
    #[default]
    Absolute,
    /// The target intensities minus the current intensities, in [-1, 1].
    Relative,
}

/// How the generator doubles the resolution, both after its residual blocks and from features to sub-pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Enlarging {
    /// Transposed 4x4 convolutions with stride 2, as in the paper.
    #[default]
    Transposed,
    /// Repetition of pixels, then a 3x3 convolution. Painted sub-pixels are mixed with their neighbours. This gives no
    /// checkerboard pattern.
    Repeated,
}

/// Shape of a [`Generator`]. The defaults are the paper's network, 8,471,296 parameters; [`GeneratorConfig::motion`] is
/// the network of the bundled weights.
#[derive(Config, Debug, PartialEq, Eq)]
pub struct GeneratorConfig {
    /// Channels after the first convolution. The residual blocks have four times as many.
    #[config(default = 64)]
    pub channels: usize,
    /// Number of residual blocks.
    #[config(default = 6)]
    pub blocks: usize,
    /// Number of action units.
    #[config(default = "AU_COUNT")]
    pub aus: usize,
    /// How the action units condition the network.
    #[config(default = "Conditioning::Planes")]
    pub conditioning: Conditioning,
    /// The meaning of the second input: the target, or the change.
    #[config(default = "Orders::Absolute")]
    pub orders: Orders,
    /// Side of the pixel blocks that are converted to channels at the input and back at the output; 1 means no
    /// conversion. The network works at `1 / space_to_depth` of the resolution.
    #[config(default = 1)]
    pub space_to_depth: usize,
    /// Kernel size of the first layer and of the heads; it must be odd.
    #[config(default = 7)]
    pub edge_kernel: usize,
    /// How the network doubles the resolution.
    #[config(default = "Enlarging::Transposed")]
    pub enlarging: Enlarging,
    /// Whether the network also moves the input's pixels.
    #[config(default = false)]
    pub motion: bool,
    /// Whether the network changes the brightness of the moved pixels.
    #[config(default = false)]
    pub shading: bool,
    /// Whether shading has the resolution of the features instead of half of it. The full resolution can show folds of
    /// the skin.
    #[config(default = false)]
    pub fine_shading: bool,
}

impl GeneratorConfig {
    /// The network that moves pixels and paints only what motion uncovers. Typical values of `channels` are 24 and 32.
    ///
    /// At half the resolution, its edge kernels of size 3 have about the field of view of the paper's size 7, at a
    /// fifth of the cost.
    pub fn motion(channels: usize) -> Self {
        Self::new()
            .with_channels(channels)
            .with_conditioning(Conditioning::Norms)
            .with_orders(Orders::Relative)
            .with_space_to_depth(2)
            .with_edge_kernel(3)
            .with_enlarging(Enlarging::Repeated)
            .with_motion(true)
            .with_shading(true)
            .with_fine_shading(true)
    }

    /// Height and width of the input must be multiples of this.
    pub fn size_step(&self) -> usize {
        4 * self.space_to_depth
    }

    /// Creates the network on `device` with random initial weights: convolutions from N(0, 0.02), norms with scale 1
    /// and shift 0. Sub-pixel heads start with equal sub-pixels. In a network with motion, the attention mask starts at
    /// about 0.95. The shading head starts at 0.
    pub fn init(&self, device: &Device) -> Generator {
        let generator = self.undrawn(device);
        // This order keeps the weights of a seed as they have always been.
        draw_parameters(&generator.main);
        draw_parameters(&generator.attetion_reg);
        draw_parameters(&generator);
        generator
    }

    /// The network without values, to load them.
    pub(crate) fn undrawn(&self, device: &Device) -> Generator {
        let c = self.channels;
        let conv = |shape| Layer::Conv(Conv2d::new(shape, device));
        let up = |input, output| match self.enlarging {
            Enlarging::Transposed => {
                Layer::ConvTranspose(ConvTranspose2d::new(ConvShape::halving(input, output), device))
            }
            Enlarging::Repeated => Layer::Enlarge(EnlargingConv2d::new(input, output, device)),
        };
        let plain = |channels| InstanceNorm::new(channels, device);
        let norm = |channels| match self.conditioning {
            Conditioning::Planes => plain(channels),
            Conditioning::Norms => plain(channels).with_orders(self.aus, device),
        };
        let layer = |channels| Layer::InstanceNorm(norm(channels));
        let relu = || Layer::Relu(Relu::new());
        let folded = self.space_to_depth * self.space_to_depth;
        let planes = match self.conditioning {
            Conditioning::Planes => self.aus,
            Conditioning::Norms => 0,
        };

        let edge = self.edge_kernel;
        let mut main = vec![
            conv(ConvShape::same(3 * folded + planes, c, edge)),
            layer(c),
            relu(),
        ];
        main.extend([conv(ConvShape::halving(c, 2 * c)), layer(2 * c), relu()]);
        main.extend([conv(ConvShape::halving(2 * c, 4 * c)), layer(4 * c), relu()]);
        main.extend((0..self.blocks).map(|_| Layer::Residual(ResidualBlock::new(4 * c, norm, device))));
        main.extend([up(4 * c, 2 * c), layer(2 * c), relu()]);
        main.extend([up(2 * c, c), layer(c), relu()]);

        let head = |outputs| Conv2d::new(ConvShape::same(c, outputs, edge), device);
        let subpixels = |channels| head(channels * folded).with_equal_subpixels(self.space_to_depth);
        let attention = subpixels(1);
        Generator {
            main,
            img_reg: vec![subpixels(3)],
            attetion_reg: vec![match self.motion {
                true => attention.with_bias_of(SHUT, device),
                false => attention,
            }],
            motion_reg: self.motion.then(|| head(2)).into_iter().collect(),
            shading_reg: (self
                .shading
                .then(|| head(1).with_weights_of(0.0, device))
                .into_iter())
            .collect(),
            space_to_depth: self.space_to_depth,
            fine_shading: self.fine_shading,
            smooth: self.enlarging == Enlarging::Repeated && self.space_to_depth > 1,
            planes: self.conditioning == Conditioning::Planes,
            relative: self.orders == Orders::Relative,
        }
    }
}

/// Edits faces. It computes colours and an attention mask from a face and action units (paper, section 4). Depending on
/// its configuration, it also moves and shades the face's own pixels.
///
/// Fields have the names of the published files, including their spelling.
#[derive(Module, Debug)]
pub struct Generator {
    main: Vec<Layer>,
    img_reg: Vec<Conv2d>,
    attetion_reg: Vec<Conv2d>,
    /// One head, or none.
    motion_reg: Vec<Conv2d>,
    /// One head, or none.
    shading_reg: Vec<Conv2d>,
    space_to_depth: usize,
    /// Whether shading has the resolution of the features.
    fine_shading: bool,
    /// Whether painted sub-pixels are mixed with their neighbours.
    smooth: bool,
    planes: bool,
    relative: bool,
}

impl Generator {
    /// Prepares the weights for many edits, which makes each edit faster.
    pub fn into_prepared(self) -> PreparedGenerator {
        let mut weights = PreparedWeights::default();
        layer::prepare(&self.main, &mut weights);
        PreparedGenerator {
            generator: self,
            _weights: weights,
        }
    }

    /// Whether shading has the resolution of the features.
    pub fn fine_shading(&self) -> bool {
        self.fine_shading
    }

    /// The meaning of the second input.
    pub fn orders(&self) -> Orders {
        match self.relative {
            true => Orders::Relative,
            false => Orders::Absolute,
        }
    }

    /// Edits faces that show `current` towards `target` with [`Self::edit`].
    ///
    /// # Shapes
    /// - `images`: see [`Self::edit`]
    /// - `current`, `target`: `[batch, aus]`, OpenFace intensity / 5; networks with absolute orders ignore `current`
    ///
    /// # Panics
    /// See [`Self::edit`].
    pub fn edit_towards(&self, images: Tensor<4>, current: Tensor<2>, target: Tensor<2>) -> Edit {
        match self.orders() {
            Orders::Absolute => self.edit(images, target),
            Orders::Relative => self.edit(images, target - current),
        }
    }

    /// Edits a batch of faces according to `orders`.
    ///
    /// # Shapes
    /// - `images`: `[batch, 3, height, width]`, in [-1, 1], height and width multiples of
    ///   [`GeneratorConfig::size_step`]
    /// - `orders`: `[batch, aus]`, OpenFace intensity / 5: the target, or, with [`Orders::Relative`], the target minus
    ///   the current intensities
    ///
    /// # Panics
    /// If the batch sizes differ, or height or width is not a multiple of the step.
    pub fn edit(&self, images: Tensor<4>, orders: Tensor<2>) -> Edit {
        let [batch, _, height, width] = images.dims();
        let [labels, _] = orders.dims();
        assert_eq!(batch, labels, "{batch} images but {labels} rows of action units");
        let step = 4 * self.space_to_depth;
        assert!(
            height.is_multiple_of(step) && width.is_multiple_of(step),
            "a face of {height} x {width} pixels; both must be multiples of {step}"
        );

        let whole = self.relative.then(|| {
            let asked = orders.clone().abs().sum_dim(1) / WHOLE_ORDER;
            asked.clamp_max(1.0).reshape([batch, 1, 1, 1])
        });
        let folded = space_to_depth(images.clone(), self.space_to_depth);
        let features = match (self.main.as_slice(), self.planes) {
            // The action units are constant planes concatenated with the image.
            ([Layer::Conv(first), rest @ ..], true) => {
                run_ordered(rest, first.forward_with_planes(folded, orders), None)
            }
            (layers, _) => run_ordered(layers, folded, Some(&orders)),
        };
        self.paint(images, features, whole)
    }

    /// Computes the outputs of all heads. Heads with the same input are combined into one convolution.
    ///
    /// `whole`, `[batch, 1, 1, 1]`, in [0, 1], scales the effect of the edit.
    fn paint(&self, images: Tensor<4>, features: Tensor<4>, whole: Option<Tensor<4>>) -> Edit {
        let heads = || {
            let painting = self.img_reg.iter().chain(&self.attetion_reg);
            painting.chain(&self.motion_reg).chain(&self.shading_reg)
        };
        let weight = Tensor::cat(heads().map(|head| head.weight.val()).collect(), 0);
        let bias = heads().any(|head| head.bias.is_some()).then(|| {
            let bias = |head: &Conv2d| match &head.bias {
                Some(bias) => bias.val(),
                None => Tensor::zeros([head.weight.dims()[0]], (&weight.device(), weight.dtype())),
            };
            Tensor::cat(heads().map(bias).collect(), 0)
        });
        let padding = weight.dims()[2] / 2;
        let outputs = ganimation_kernels::conv2d(features, weight, bias, 1, padding);
        let mut first = 0;
        let mut take = |channels: usize| {
            first += channels;
            outputs.clone().narrow(1, first - channels, channels)
        };
        let scale = self.space_to_depth;
        let painted = depth_to_space(take(4 * scale * scale), scale);
        let painted = if self.smooth { smooth(painted) } else { painted };
        let done = |change: Tensor<4>| match &whole {
            Some(whole) => change * whole.clone(),
            None => change,
        };
        // Motion has half the features' resolution, because skin moves smoothly.
        let motion = (!self.motion_reg.is_empty()).then(|| done(average(take(2), 2).tanh() * MAX_MOTION));
        let shading = (!self.shading_reg.is_empty()).then(|| {
            let shading = match self.fine_shading {
                true => take(1),
                false => average(take(1), 2),
            };
            done(shading.tanh() * MAX_SHADING)
        });
        let color = painted.clone().narrow(1, 0, 3).tanh();
        let attention = sigmoid(painted.narrow(1, 3, 1));
        let attention = match whole {
            Some(_) => done(attention.neg() + 1.0).neg() + 1.0,
            None => attention,
        };
        Edit::new(images, attention, color, motion, shading)
    }
}

/// A generator for many edits. It stores the convolutions' weights in the form used for computation.
#[derive(Debug)]
pub struct PreparedGenerator {
    generator: Generator,
    _weights: PreparedWeights,
}

impl Deref for PreparedGenerator {
    type Target = Generator;

    fn deref(&self) -> &Generator {
        &self.generator
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
        let prepared = generator.clone().into_prepared();
        edit(&prepared).assert_eq(&plain, true);
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

    fn small_motion_generator(device: &Device) -> Generator {
        GeneratorConfig::motion(4).with_blocks(1).init(device)
    }

    #[test]
    fn the_motion_network_moves_paints_and_shades() {
        let device = Device::flex();
        let faces = Tensor::random([2, 3, 64, 32], Distribution::Uniform(-1.0, 1.0), &device);
        let edit = small_motion_generator(&device).edit(faces, Tensor::ones([2, AU_COUNT], &device));
        assert_eq!(edit.image.dims(), [2, 3, 64, 32]);
        assert_eq!(edit.color.dims(), [2, 3, 64, 32]);
        assert_eq!(edit.attention.dims(), [2, 1, 64, 32]);
        let motion = edit.motion.unwrap();
        assert_eq!(motion.dims(), [2, 2, 16, 8]);
        motion.into_data().assert_within_range_inclusive(-0.12f32..=0.12);
        assert_eq!(edit.shading.unwrap().dims(), [2, 1, 32, 16]);
    }

    #[test]
    fn a_fresh_motion_network_paints_the_four_subpixels_of_a_place_alike() {
        let device = Device::flex();
        let faces = Tensor::random([1, 3, 32, 32], Distribution::Uniform(-1.0, 1.0), &device);
        let mut generator = small_motion_generator(&device);
        generator.smooth = false; // smoothing mixes neighbours
        let edit = generator.edit(faces, Tensor::ones([1, AU_COUNT], &device));
        let blocks = crate::resample::average(edit.color.clone(), 2);
        crate::resample::repeat(blocks, 2)
            .into_data()
            .assert_approx_eq::<f32>(&edit.color.into_data(), burn::tensor::Tolerance::absolute(1e-5));
    }

    #[test]
    fn orders_through_norms_reach_the_middle_of_the_picture() {
        let device = Device::flex();
        let face = Tensor::random([1, 3, 64, 64], Distribution::Uniform(-1.0, 1.0), &device);
        let generator = small_motion_generator(&device);
        let change = |generator: &Generator| -> f32 {
            let color = |orders| generator.edit(face.clone(), orders).color;
            let orders = Tensor::ones([1, AU_COUNT], &device);
            let change = (color(orders.zeros_like()) - color(orders)).abs();
            change.slice([0..1, 0..3, 24..40, 24..40]).mean().into_scalar()
        };
        let change = change(&generator);
        assert!(change > 1e-3, "17 action units changed the middle by {change}");
    }

    #[test]
    fn a_relative_order_of_nothing_changes_no_bit() {
        let device = Device::flex();
        let face = Tensor::<4>::random([2, 3, 32, 32], Distribution::Uniform(-1.0, 1.0), &device);
        let orders = Tensor::zeros([2, AU_COUNT], &device);
        let edit = small_motion_generator(&device).edit(face.clone(), orders);
        edit.image
            .into_data()
            .assert_approx_eq::<f32>(&face.into_data(), burn::tensor::Tolerance::absolute(1e-6));
        assert_eq!(edit.motion.unwrap().abs().max().into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn relative_orders_are_targets_minus_what_the_face_shows() {
        let device = Device::flex();
        let face = Tensor::<4>::random([1, 3, 32, 32], Distribution::Uniform(-1.0, 1.0), &device);
        let generator = small_motion_generator(&device);
        let shown = Tensor::<2>::full([1, AU_COUNT], 0.25, &device);
        let target = Tensor::<2>::full([1, AU_COUNT], 0.75, &device);
        let towards = generator.edit_towards(face.clone(), shown.clone(), target.clone());
        let by = generator.edit(face, target - shown);
        towards.image.into_data().assert_eq(&by.image.into_data(), true);
    }

    #[test]
    fn every_weight_of_a_fresh_network_gets_a_gradient() {
        let device = Device::flex().autodiff();
        for config in [
            GeneratorConfig::new().with_channels(4),
            GeneratorConfig::motion(4),
        ] {
            let generator = config.with_blocks(1).init(&device);
            let face = Tensor::random([1, 3, 32, 32], Distribution::Uniform(-1.0, 1.0), &device);
            let edit = generator.edit(face, Tensor::ones([1, AU_COUNT], &device));
            let mut gradients = edit.image.square().sum().backward();
            let reached = crate::take_gradients(&generator, &mut gradients);
            let missed: Vec<_> = (crate::state_dict(&generator).into_iter())
                .map(|(name, _)| name)
                .filter(|name| !reached.contains_key(name))
                .collect();
            assert!(missed.is_empty(), "{missed:?}");
        }
    }
}
