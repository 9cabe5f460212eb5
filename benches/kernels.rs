//! How long does each kind of layer take, forward, and forward and back? The sizes are those of the generator and the
//! critic at 128 pixels and 64 channels, one face and four.
//!
//!     cargo bench --bench kernels

use burn::tensor::{Device, Distribution, Tensor};
use divan::Bencher;
use divan::counter::ItemsCount;
use ganimation_kernels::{conv_transpose2d, conv2d, instance_norm_relu};

fn main() {
    divan::main();
}

/// A layer: its name, what it does, channels in and out, the input's side, the kernel's, stride and padding.
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
    layer("critic 1", Kind::Convolution, [3, 64], 128, [4, 2, 1]),
    layer("critic 3", Kind::Convolution, [128, 256], 32, [4, 2, 1]),
    layer("critic 5", Kind::Convolution, [512, 1024], 8, [4, 2, 1]),
    layer("critic 6", Kind::Convolution, [1024, 2048], 4, [4, 2, 1]),
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

    fn run(&self, x: Tensor<4>, weight: Tensor<4>) -> Tensor<4> {
        match self.kind {
            Kind::Convolution => conv2d(x, weight, None, self.stride, self.padding),
            Kind::Transposed => conv_transpose2d(x, weight, self.stride, self.padding),
            Kind::Norm => {
                let ones = Tensor::ones([self.channels[0]], &x.device());
                instance_norm_relu(x, ones.clone(), ones, 1e-5)
            }
        }
    }
}

fn noise(shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
}

#[divan::bench(args = LAYERS, consts = [1, 4], sample_count = 20, sample_size = 1)]
fn forward<const BATCH: usize>(bencher: Bencher<'_, '_>, layer: Layer) {
    let device = Device::flex();
    // In the layout in which the layer before it would have left it.
    let x = instance_norm_relu(
        layer.image(BATCH, &device),
        Tensor::ones([layer.channels[0]], &device),
        Tensor::zeros([layer.channels[0]], &device),
        1e-5,
    );
    let weight = layer.weight(&device);
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench_local(|| layer.run(x.clone(), weight.clone()));
}

#[divan::bench(args = LAYERS, consts = [4], sample_count = 10, sample_size = 1)]
fn forward_and_back<const BATCH: usize>(bencher: Bencher<'_, '_>, layer: Layer) {
    let device = Device::flex().autodiff();
    let x = layer.image(BATCH, &device).require_grad();
    let weight = layer.weight(&device).require_grad();
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench_local(|| layer.run(x.clone(), weight.clone()).sum().backward());
}
