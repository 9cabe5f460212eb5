//! Measures the time of each kind of layer, for the forward pass, and for forward and backward passes. The sizes are
//! those of the generator and the discriminator at 128 pixels and 64 channels, for one face and four. `ours` are this
//! project's operations, `stock` are Burn's own operations.
//!
//!     cargo bench --bench kernels
//!     GANIMATION_SIMD=avx2 cargo bench --bench kernels     # without AVX-512

use burn::tensor::activation::relu;
use burn::tensor::module::{
    batch_norm_train, conv_transpose2d as stock_transposed, conv2d as stock_conv2d, interpolate,
};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Distribution, Tensor};
use divan::Bencher;
use divan::counter::ItemsCount;
use ganimation_kernels::{conv_transpose2d, conv2d, instance_norm_relu, warp};

fn main() {
    divan::main();
}

/// A layer: its name, its kind, input and output channels, input size, kernel size, stride and padding.
#[derive(Clone, Copy)]
struct Layer {
    name: &'static str,
    kind: Kind,
    channels: [usize; 2],
    side: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Convolution,
    Transposed,
    Norm,
}

/// The implementation to measure.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Ours,
    Stock,
}

impl std::fmt::Display for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

const fn layer(
    name: &'static str,
    kind: Kind,
    channels: [usize; 2],
    side: usize,
    [kernel, stride, padding]: [usize; 3],
) -> Layer {
    Layer {
        name,
        kind,
        channels,
        side,
        kernel,
        stride,
        padding,
    }
}

const LAYERS: [Layer; 13] = [
    layer("first 7x7", Kind::Convolution, [20, 64], 128, [7, 1, 3]),
    layer("down 1", Kind::Convolution, [64, 128], 128, [4, 2, 1]),
    layer("down 2", Kind::Convolution, [128, 256], 64, [4, 2, 1]),
    layer("residual 3x3", Kind::Convolution, [256, 256], 32, [3, 1, 1]),
    layer("up 1", Kind::Transposed, [256, 128], 32, [4, 2, 1]),
    layer("up 2", Kind::Transposed, [128, 64], 64, [4, 2, 1]),
    layer("heads 7x7", Kind::Convolution, [64, 4], 128, [7, 1, 3]),
    layer("norm 128", Kind::Norm, [64, 64], 128, [1, 1, 0]),
    layer("norm 32", Kind::Norm, [256, 256], 32, [1, 1, 0]),
    layer("discriminator 1", Kind::Convolution, [3, 64], 128, [4, 2, 1]),
    layer("discriminator 3", Kind::Convolution, [128, 256], 32, [4, 2, 1]),
    layer("discriminator 5", Kind::Convolution, [512, 1024], 8, [4, 2, 1]),
    layer("discriminator 6", Kind::Convolution, [1024, 2048], 4, [4, 2, 1]),
];

impl Layer {
    fn image(&self, batch: usize, device: &Device) -> Tensor<4> {
        noise([batch, self.channels[0], self.side, self.side], device)
    }

    fn weight(&self, device: &Device) -> Tensor<4> {
        let [input, output] = self.channels;
        let [first, second] = if self.kind == Kind::Transposed {
            [input, output]
        } else {
            [output, input]
        };
        noise([first, second, self.kernel, self.kernel], device)
    }

    fn run(&self, side: Side, x: Tensor<4>, weight: Tensor<4>) -> Tensor<4> {
        let (stride, padding) = (self.stride, self.padding);
        match (side, self.kind) {
            (Side::Ours, Kind::Convolution) => conv2d(x, weight, None, stride, padding),
            (Side::Ours, Kind::Transposed) => conv_transpose2d(x, weight, stride, padding),
            (Side::Ours, Kind::Norm) => {
                let ones = Tensor::<1>::ones([self.channels[0]], &x.device());
                instance_norm_relu(x, ones.clone(), ones, 1e-5)
            }
            (Side::Stock, Kind::Convolution) => {
                let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
                stock_conv2d(x, weight, None, options)
            }
            (Side::Stock, Kind::Transposed) => {
                let options = ConvTransposeOptions::new([stride; 2], [padding; 2], [0, 0], [1, 1], 1);
                stock_transposed(x, weight, None, options)
            }
            (Side::Stock, Kind::Norm) => {
                let [batch, channels, height, width] = x.dims();
                let ones = Tensor::ones([batch * channels], &x.device());
                let planes = x.reshape([1, batch * channels, height, width]);
                let normalized = batch_norm_train(planes, ones.clone(), ones, 1e-5).output;
                relu(normalized.reshape([batch, channels, height, width]))
            }
        }
    }
}

fn noise(shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

/// A layer's input, in the output layout of the previous layer.
fn input<const BATCH: usize>(side: Side, layer: Layer) -> Tensor<4> {
    let device = Device::flex();
    let x = layer.image(BATCH, &device);
    if side == Side::Stock {
        return x;
    }
    let [ones, zeros] = [Tensor::<1>::ones, Tensor::zeros].map(|fill| fill([layer.channels[0]], &device));
    instance_norm_relu(x, ones, zeros, 1e-5)
}

fn forward<const BATCH: usize>(bencher: Bencher<'_, '_>, side: Side, layer: Layer) {
    let x = input::<BATCH>(side, layer);
    let weight = layer.weight(&x.device());
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench_local(|| layer.run(side, x.clone(), weight.clone()));
}

fn forward_and_back<const BATCH: usize>(bencher: Bencher<'_, '_>, side: Side, layer: Layer) {
    let x = input::<BATCH>(side, layer).autodiff().require_grad();
    let weight = layer.weight(&x.device()).require_grad();
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench_local(|| layer.run(side, x.clone(), weight.clone()).sum().backward());
}

/// Declares the benches of one side.
macro_rules! benches {
    ($name:ident, $side:expr) => {
        mod $name {
            use super::*;

            #[divan::bench(args = LAYERS, consts = [1, 4], sample_count = 20, sample_size = 1)]
            fn forward<const BATCH: usize>(bencher: Bencher<'_, '_>, layer: Layer) {
                super::forward::<BATCH>(bencher, $side, layer);
            }

            #[divan::bench(args = LAYERS, consts = [4], sample_count = 10, sample_size = 1)]
            fn forward_and_back<const BATCH: usize>(bencher: Bencher<'_, '_>, layer: Layer) {
                super::forward_and_back::<BATCH>(bencher, $side, layer);
            }
        }
    };
}

/// A picture and a field that moves it by up to a tenth of its side, for the forward pass, and for forward and backward
/// passes.
#[divan::bench(args = [[16, 128], [1, 2000]], sample_count = 20, sample_size = 1)]
fn warp_forward(bencher: Bencher<'_, '_>, [batch, side]: [usize; 2]) {
    let device = Device::flex();
    let (x, field) = (
        noise([batch, 3, side, side], &device),
        field(batch, side, &device),
    );
    bencher.bench_local(|| warp(x.clone(), field.clone()));
}

#[divan::bench(args = [[16, 128]], sample_count = 20, sample_size = 1)]
fn warp_forward_and_back(bencher: Bencher<'_, '_>, [batch, side]: [usize; 2]) {
    let device = Device::flex().autodiff();
    let [x, field] = [
        noise([batch, 3, side, side], &device),
        field(batch, side, &device),
    ];
    let [x, field] = [x, field].map(Tensor::require_grad);
    bencher.bench_local(|| warp(x.clone(), field.clone()).sum().backward());
}

fn field(batch: usize, side: usize, device: &Device) -> Tensor<4> {
    let coarse = noise([batch, 2, 8, 8], device) * 0.1;
    let options = InterpolateOptions::new(InterpolateMode::Bilinear).with_output_size([side; 2]);
    interpolate(coarse, options)
}

benches!(ours, Side::Ours);
benches!(stock, Side::Stock);
