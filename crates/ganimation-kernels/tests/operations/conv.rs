//! Convolutions against Burn's own and against plain loops.

use crate::numbers::{Numbers, assert_close, assert_close_values, values};
use burn::tensor::{
    DType, Device, Tensor,
    module::{conv_transpose2d as burn_conv_transpose2d, conv2d as burn_conv2d},
    ops::{ConvOptions, ConvTransposeOptions},
};
use ganimation_kernels::{conv_transpose2d, conv2d, conv2d_leaky_relu, conv2d_with_planes, leaky_relu};

/// The sizes of a convolution.
#[derive(Debug, Clone, Copy)]
struct Case {
    batch: usize,
    channels: usize,
    filters: usize,
    image: [usize; 2],
    kernel: [usize; 2],
    stride: usize,
    padding: usize,
}

impl Case {
    fn random(numbers: &mut Numbers) -> Self {
        let kernel = [numbers.between(1, 7), numbers.between(1, 7)];
        Self {
            batch: numbers.between(1, 3),
            channels: numbers.between(1, 11),
            filters: numbers.between(1, 11),
            image: kernel.map(|kernel| kernel + numbers.between(0, 12)),
            kernel,
            stride: numbers.between(1, 3),
            padding: numbers.between(0, 3),
        }
    }

    fn weight(&self) -> [usize; 4] {
        [self.filters, self.channels, self.kernel[0], self.kernel[1]]
    }

    fn images(&self) -> [usize; 4] {
        [self.batch, self.channels, self.image[0], self.image[1]]
    }
}

/// Random sizes, then the networks' own with fewer channels: all plans and all forms occur. The kernels take f32; in f64
/// the composition of Burn's operations is compared.
fn cases() -> Vec<(Case, DType)> {
    let mut numbers = Numbers::new(1);
    let dtype = |index: usize| {
        if index.is_multiple_of(3) {
            DType::F64
        } else {
            DType::F32
        }
    };
    let mut cases: Vec<(Case, DType)> = (0..60)
        .map(|index| (Case::random(&mut numbers), dtype(index)))
        .collect();
    for (batch, channels, filters, image, kernel, stride, padding) in [
        (2, 20, 8, 33, 7, 1, 3),
        (9, 6, 9, 20, 4, 2, 1),
        (5, 12, 12, 16, 3, 1, 1),
        (32, 12, 13, 32, 3, 1, 1),
        (16, 12, 14, 20, 4, 2, 1),
        (3, 16, 3, 30, 7, 1, 3),
        (40, 5, 7, 8, 4, 2, 1),
        (25, 70, 300, 2, 4, 2, 1),
        (2, 300, 400, 3, 3, 1, 1),
        (70, 300, 400, 6, 3, 1, 1),
        (7, 30, 17, 1, 1, 1, 0),
    ] {
        let case = Case {
            batch,
            channels,
            filters,
            image: [image, image + 1],
            kernel: [kernel; 2],
            stride,
            padding,
        };
        cases.push((case, DType::F32));
        if batch * image < 200 {
            cases.push((case, DType::F64)); // the compositions' pieces, phases and reflections
        }
    }
    cases
}

fn stock(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, case: Case) -> Tensor<4> {
    let options = ConvOptions::new([case.stride; 2], [case.padding; 2], [1, 1], 1);
    burn_conv2d(x, weight, bias, options)
}

#[test]
fn convolution_and_its_gradients_agree_with_burn() {
    let device = Device::flex().autodiff();
    for (index, (case, dtype)) in cases().into_iter().enumerate() {
        let mut numbers = Numbers::new(index as u64 + 2);
        let x = numbers.tensor(case.images(), &device, dtype).require_grad();
        let weight = numbers.tensor(case.weight(), &device, dtype).require_grad();
        let bias = numbers.tensor([case.filters], &device, dtype).require_grad();
        for bias in [None, Some(bias)] {
            let name = format!("{case:?} {dtype:?} bias {}", bias.is_some());
            let expected = stock(x.clone(), weight.clone(), bias.clone(), case);
            let found = conv2d(x.clone(), weight.clone(), bias.clone(), case.stride, case.padding);
            assert_close(&found, &expected, &name);
            let slope = numbers.tensor(found.dims(), &device, dtype);
            let found = (found * slope.clone()).sum().backward();
            let expected = (expected * slope).sum().backward();
            for (part, tensor) in [("x", &x), ("weight", &weight)] {
                let gradients = [&found, &expected].map(|grads| tensor.grad(grads).unwrap());
                assert_close(&gradients[0], &gradients[1], &format!("{name} {part}"));
            }
            if let Some(bias) = bias {
                let gradients = [&found, &expected].map(|grads| bias.grad(grads).unwrap());
                assert_close(&gradients[0], &gradients[1], &format!("{name} bias"));
            }
        }
    }
}

#[test]
fn transposed_convolution_and_its_gradients_agree_with_burn() {
    let device = Device::flex().autodiff();
    for (index, (case, dtype)) in cases().into_iter().enumerate() {
        if (0..2).any(|axis| (case.image[axis] - 1) * case.stride + case.kernel[axis] <= 2 * case.padding) {
            continue;
        }
        let name = format!("{case:?} {dtype:?}");
        let mut numbers = Numbers::new(index as u64 + 2);
        let mut shape = case.images();
        shape[1] = case.filters;
        let x = numbers.tensor(shape, &device, dtype).require_grad();
        let weight = numbers.tensor(case.weight(), &device, dtype).require_grad();
        let options = ConvTransposeOptions::new([case.stride; 2], [case.padding; 2], [0, 0], [1, 1], 1);
        let expected = burn_conv_transpose2d(x.clone(), weight.clone(), None, options);
        let found = conv_transpose2d(x.clone(), weight.clone(), case.stride, case.padding);
        assert_close(&found, &expected, &name);
        let slope = numbers.tensor(found.dims(), &device, dtype);
        let found = (found * slope.clone()).sum().backward();
        let expected = (expected * slope).sum().backward();
        for (part, tensor) in [("x", &x), ("weight", &weight)] {
            let gradients = [&found, &expected].map(|grads| tensor.grad(grads).unwrap());
            assert_close(&gradients[0], &gradients[1], &format!("{name} {part}"));
        }
    }
}

#[test]
fn convolution_agrees_with_plain_loops() {
    let device = Device::flex();
    for (case, _) in cases().into_iter().take(20) {
        let mut numbers = Numbers::new(5);
        let x = numbers.tensor(case.images(), &device, DType::F64);
        let weight = numbers.tensor(case.weight(), &device, DType::F64);
        let found = conv2d(x.clone(), weight.clone(), None, case.stride, case.padding);
        let expected = plain(&values(&x), &values(&weight), case, found.dims());
        assert_close_values(&values(&found), &expected, DType::F64, &format!("{case:?}"));
    }
}

fn plain(x: &[f64], weight: &[f64], case: Case, [batch, _, rows, columns]: [usize; 4]) -> Vec<f64> {
    let [height, width] = case.image;
    let mut out = Vec::new();
    for image in 0..batch {
        for filter in 0..case.filters {
            for row in 0..rows {
                for column in 0..columns {
                    let mut sum = 0.0;
                    for channel in 0..case.channels {
                        for ky in 0..case.kernel[0] {
                            for kx in 0..case.kernel[1] {
                                let y = (row * case.stride + ky).wrapping_sub(case.padding);
                                let x_ = (column * case.stride + kx).wrapping_sub(case.padding);
                                if y < height && x_ < width {
                                    let pixel = ((image * case.channels + channel) * height + y) * width + x_;
                                    let tap = ((filter * case.channels + channel) * case.kernel[0] + ky)
                                        * case.kernel[1]
                                        + kx;
                                    sum += x[pixel] * weight[tap];
                                }
                            }
                        }
                    }
                    out.push(sum);
                }
            }
        }
    }
    out
}

#[test]
fn constant_planes_are_worth_whole_channels() {
    let device = Device::flex().autodiff();
    for (shape, planes, kernel) in [
        ([2, 3, 9, 12], 5, 7),
        ([1, 3, 7, 7], 17, 7),
        ([3, 2, 4, 30], 1, 3),
    ] {
        let mut numbers = Numbers::new(11);
        let [batch, channels, height, width] = shape;
        let x = numbers.tensor(shape, &device, DType::F32).require_grad();
        let aus = numbers
            .tensor([batch, planes], &device, DType::F32)
            .require_grad();
        let weight = numbers
            .tensor([6, channels + planes, kernel, kernel], &device, DType::F32)
            .require_grad();
        let found = conv2d_with_planes(x.clone(), aus.clone(), weight.clone());
        let spread = aus.clone().reshape([batch, planes, 1, 1]);
        let spread = spread.expand([batch, planes, height, width]);
        let whole = Tensor::cat(vec![x.clone(), spread], 1);
        let expected = conv2d(whole, weight.clone(), None, 1, kernel / 2);
        let name = format!("{shape:?}, {planes} planes");
        assert_close(&found, &expected, &name);
        let slope = numbers.tensor(found.dims(), &device, DType::F32);
        let found = (found * slope.clone()).sum().backward();
        let expected = (expected * slope).sum().backward();
        assert_close(&x.grad(&found).unwrap(), &x.grad(&expected).unwrap(), &name);
        assert_close(&aus.grad(&found).unwrap(), &aus.grad(&expected).unwrap(), &name);
        assert_close(
            &weight.grad(&found).unwrap(),
            &weight.grad(&expected).unwrap(),
            &name,
        );
    }
}

#[test]
fn a_leaky_relu_at_the_end_equals_one_behind() {
    let device = Device::flex().autodiff();
    for (side, filters) in [(5, 3), (16, 20), (4, 64)] {
        let mut numbers = Numbers::new(12);
        let x = numbers
            .tensor([2, 17, side, side], &device, DType::F32)
            .require_grad();
        let weight = numbers
            .tensor([filters, 17, 4, 4], &device, DType::F32)
            .require_grad();
        let bias = numbers.tensor([filters], &device, DType::F32).require_grad();
        let found = conv2d_leaky_relu(x.clone(), weight.clone(), bias.clone(), 2, 1, 0.1);
        let plain = conv2d(x.clone(), weight.clone(), Some(bias.clone()), 2, 1);
        let expected = leaky_relu(plain, 0.1);
        assert_close(&found, &expected, "output");
        let found = found.square().sum().backward();
        let expected = expected.square().sum().backward();
        assert_close(&x.grad(&found).unwrap(), &x.grad(&expected).unwrap(), "image");
        assert_close(
            &weight.grad(&found).unwrap(),
            &weight.grad(&expected).unwrap(),
            "weight",
        );
        assert_close(
            &bias.grad(&found).unwrap(),
            &bias.grad(&expected).unwrap(),
            "bias",
        );
    }
}

#[test]
fn views_that_are_not_contiguous_are_read_in_their_order() {
    let device = Device::flex();
    let mut numbers = Numbers::new(3);
    let x = numbers
        .tensor([9, 4, 2, 8], &device, DType::F64)
        .permute([2, 1, 3, 0]);
    let weight = numbers
        .tensor([3, 3, 5, 4], &device, DType::F64)
        .permute([2, 3, 0, 1]);
    let case = Case {
        batch: 2,
        channels: 4,
        filters: 5,
        image: [8, 9],
        kernel: [3, 3],
        stride: 2,
        padding: 1,
    };
    let expected = stock(x.clone(), weight.clone(), None, case);
    assert_close(&conv2d(x, weight, None, 2, 1), &expected, "permuted");
}

#[test]
fn gradients_flow_to_the_parents_that_ask_for_them_alone() {
    let device = Device::flex().autodiff();
    let mut numbers = Numbers::new(4);
    let x = numbers.tensor([2, 3, 8, 6], &device, DType::F32).require_grad();
    let frozen = numbers.tensor([5, 3, 4, 4], &device, DType::F32);
    let grads = conv2d(x.clone(), frozen.clone(), None, 2, 1).sum().backward();
    assert!(x.grad(&grads).is_some());
    assert!(frozen.grad(&grads).is_none());
}

#[test]
fn an_empty_batch_gives_an_empty_result() {
    let device = Device::flex();
    let x = Tensor::<4>::zeros([0, 3, 8, 6], &device);
    let out = conv2d(x, Tensor::zeros([5, 3, 4, 4], &device), None, 2, 1);
    assert_eq!(out.dims(), [0, 5, 4, 3]);
}

#[test]
fn two_runs_give_the_same_bits() {
    let device = Device::flex().autodiff();
    let mut numbers = Numbers::new(6);
    let x = numbers
        .tensor([25, 24, 16, 16], &device, DType::F32)
        .require_grad();
    let weight = numbers.tensor([40, 24, 3, 3], &device, DType::F32).require_grad();
    let [first, second] = [(); 2].map(|()| {
        let out = conv2d(x.clone(), weight.clone(), None, 1, 1);
        let grads = out.clone().powf_scalar(2.0).sum().backward();
        let x = x.grad(&grads).unwrap();
        let weight = weight.grad(&grads).unwrap();
        [values(&out), values(&x), values(&weight)]
    });
    assert_eq!(first, second);
}

#[test]
#[should_panic(expected = "conv2d: an image of 3 channels for a weight of 4")]
fn channels_that_differ_panic_with_both_numbers() {
    let device = Device::flex();
    let x = Tensor::<4>::zeros([1, 3, 5, 4], &device);
    let _ = conv2d(x, Tensor::zeros([2, 4, 3, 3], &device), None, 1, 1);
}

#[test]
#[should_panic(expected = "conv2d: a kernel of 5 on 4 padded pixels")]
fn a_kernel_larger_than_the_image_panics_with_both_numbers() {
    let device = Device::flex();
    let x = Tensor::<4>::zeros([1, 3, 4, 9], &device);
    let _ = conv2d(x, Tensor::zeros([2, 3, 5, 5], &device), None, 1, 0);
}
