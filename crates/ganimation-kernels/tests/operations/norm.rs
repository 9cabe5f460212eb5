//! Instance normalisation and the leaky ReLU against compositions of Burn's operations.

use crate::numbers::{Numbers, assert_close, gradient, values};
use burn::tensor::{
    DType, Device, Tensor,
    activation::{leaky_relu as burn_leaky_relu, relu},
};
use ganimation_kernels::{instance_norm, instance_norm_add, instance_norm_relu, leaky_relu, scale_by_slope};

const EPSILON: f64 = 1e-5;

/// The definition, in elementary operations. The scale and the shift are `[channels]` or `[batch, channels]`.
fn defined<const D: usize>(x: Tensor<4>, weight: Tensor<D>, bias: Tensor<D>) -> Tensor<4> {
    let [batch, channels, _, _] = x.dims();
    let mean = x.clone().mean_dim(3).mean_dim(2);
    let centered = x - mean;
    let variance = (centered.clone() * centered.clone()).mean_dim(3).mean_dim(2);
    let shape = [if D == 1 { 1 } else { batch }, channels, 1, 1];
    centered / (variance + EPSILON).sqrt() * weight.reshape(shape) + bias.reshape(shape)
}

/// The operation after a norm.
#[derive(Debug, Clone, Copy)]
enum End {
    Nothing,
    Relu,
    Skip,
}

const ENDS: [End; 3] = [End::Nothing, End::Relu, End::Skip];

/// Compares values and all gradients with the definition, for parameters of a shape.
fn compare<const D: usize>(shape: [usize; 4], parameters: [usize; D], dtype: DType, end: End, seed: u64) {
    let device = Device::flex().autodiff();
    let mut numbers = Numbers::new(seed);
    let x = (numbers.tensor(shape, &device, dtype) * 3.0 + 0.5).require_grad();
    let weight = numbers.tensor(parameters, &device, dtype).require_grad();
    let bias = numbers.tensor(parameters, &device, dtype).require_grad();
    let slope = numbers.tensor(shape, &device, dtype);
    let skip = numbers.tensor(shape, &device, dtype).require_grad();
    let plain = defined(x.clone(), weight.clone(), bias.clone());
    let (image, scale, shift) = (x.clone(), weight.clone(), bias.clone());
    let (found, expected) = match end {
        End::Nothing => (instance_norm(image, scale, shift, EPSILON), plain),
        End::Relu => (instance_norm_relu(image, scale, shift, EPSILON), relu(plain)),
        End::Skip => (
            instance_norm_add(image, scale, shift, skip.clone(), EPSILON),
            plain + skip.clone(),
        ),
    };
    let name = format!("{shape:?} {parameters:?} {dtype:?} {end:?}");
    assert_close(&found, &expected, &name);
    let found = (found * slope.clone()).sum().backward();
    let expected = (expected * slope).sum().backward();
    let mut images = vec![("x", &x)];
    if matches!(end, End::Skip) {
        images.push(("skip", &skip));
    }
    for (part, tensor) in images {
        let [found, expected] = [&found, &expected].map(|gradients| gradient(tensor, gradients));
        assert_close(&found, &expected, &format!("{name} {part}"));
    }
    for (part, tensor) in [("weight", &weight), ("bias", &bias)] {
        let [found, expected] = [&found, &expected].map(|gradients| gradient(tensor, gradients));
        assert_close(&found, &expected, &format!("{name} {part}"));
    }
}

#[test]
fn instance_norm_and_its_gradients_agree_with_the_definition() {
    for (seed, shape) in (0..).zip([[2, 3, 5, 4], [1, 5, 1, 9], [3, 2, 16, 17], [2, 4, 32, 32]]) {
        for dtype in [DType::F32, DType::F64] {
            for end in ENDS {
                compare(shape, [shape[1]], dtype, end, seed);
            }
        }
    }
}

#[test]
fn a_scale_and_a_shift_of_each_image_agree_with_the_definition() {
    let shapes = [
        [2, 5, 5, 4],
        [1, 5, 1, 9],
        [3, 2, 16, 17],
        [3, 24, 9, 7],
        [2, 24, 32, 32],
    ];
    for (seed, shape) in (0..).zip(shapes) {
        for dtype in [DType::F32, DType::F64] {
            for end in ENDS {
                compare(shape, [shape[0], shape[1]], dtype, end, seed);
            }
        }
    }
}

#[test]
fn equal_rows_of_scales_and_shifts_are_as_good_as_one() {
    let device = Device::flex().autodiff();
    let mut numbers = Numbers::new(9);
    for dtype in [DType::F32, DType::F64] {
        let x = numbers.tensor([3, 5, 6, 4], &device, dtype).require_grad();
        let slope = numbers.tensor([3, 5, 6, 4], &device, dtype);
        let [weight, bias] = [(); 2].map(|()| numbers.tensor([5], &device, dtype).require_grad());
        let [weights, biases] =
            [&weight, &bias].map(|one| one.clone().expand([3, 5]).detach().require_grad());
        let shared = instance_norm(x.clone(), weight.clone(), bias.clone(), EPSILON);
        let own = instance_norm(x.clone(), weights.clone(), biases.clone(), EPSILON);
        assert_eq!(values(&own), values(&shared), "{dtype:?}");
        let shared = (shared * slope.clone()).sum().backward();
        let own = (own * slope).sum().backward();
        let [found, expected] = [&own, &shared].map(|gradients| values(&x.grad(gradients).unwrap()));
        assert_eq!(found, expected, "{dtype:?}");
        for (row, rows) in [(&weight, &weights), (&bias, &biases)] {
            let sum = rows.grad(&own).unwrap().sum_dim(0).reshape([5]);
            assert_close(
                &sum,
                &row.grad(&shared).unwrap(),
                &format!("{dtype:?} parameters"),
            );
        }
    }
}

#[test]
fn parameters_that_are_views_are_read_in_place() {
    let device = Device::flex();
    let mut numbers = Numbers::new(10);
    let x = numbers.tensor([2, 5, 3, 4], &device, DType::F32);
    let both = numbers.tensor([2, 10], &device, DType::F32); // as one linear layer gives them
    let [weight, bias] = [0, 5].map(|start| both.clone().narrow(1, start, 5));
    let found = instance_norm(x.clone(), weight.clone(), bias.clone(), EPSILON);
    assert_close(&found, &defined(x, weight, bias), "views");
}

#[test]
fn leaky_relu_and_its_gradient_agree_with_burn() {
    let device = Device::flex().autodiff();
    let mut numbers = Numbers::new(8);
    for dtype in [DType::F32, DType::F64] {
        for slope in [0.01, 0.2, 0.0] {
            let x = numbers.tensor([3, 5, 7], &device, dtype).require_grad();
            let weights = numbers.tensor([3, 5, 7], &device, dtype);
            let found = leaky_relu(x.clone(), slope);
            let expected = burn_leaky_relu(x.clone(), slope);
            assert_close(&found, &expected, "leaky relu");
            let found = (found * weights.clone()).sum().backward();
            let expected = (expected * weights).sum().backward();
            let gradients = [&found, &expected].map(|grads| x.grad(grads).unwrap());
            assert_close(&gradients[0], &gradients[1], "leaky relu gradient");
        }
    }
}

#[test]
fn leaky_relu_leaves_the_tensors_that_others_hold() {
    let device = Device::flex();
    let x = Tensor::<1>::from_floats([-1.0, 2.0], &device);
    let y = leaky_relu(x.clone(), 0.5);
    assert_eq!(values(&x), [-1.0, 2.0]);
    assert_eq!(values(&y), [-0.5, 2.0]);
}

#[test]
fn the_slope_at_zero_is_the_one_below_as_in_pytorch() {
    let device = Device::flex();
    for dtype in [DType::F32, DType::F64] {
        let sign = Tensor::<1>::from_data([-1.0, 0.0, -0.0, 2.0], (&device, dtype));
        let x = Tensor::<1>::from_data([8.0, 8.0, 8.0, 8.0], (&device, dtype));
        assert_eq!(
            values(&scale_by_slope(sign, x, 0.5)),
            [4.0, 4.0, 4.0, 8.0],
            "{dtype:?}"
        );
    }
}

#[test]
#[should_panic(expected = "instance norm: 4 weights for 3 channels")]
fn a_scale_of_the_wrong_length_panics_with_both_numbers() {
    let device = Device::flex();
    let x = Tensor::<4>::zeros([1, 3, 2, 4], &device);
    let _ = instance_norm(
        x,
        Tensor::<1>::ones([4], &device),
        Tensor::zeros([3], &device),
        EPSILON,
    );
}

#[test]
#[should_panic(expected = "instance norm: 3 x 5 biases for 2 images of 5 channels")]
fn shifts_of_too_many_images_panic_with_all_numbers() {
    let device = Device::flex();
    let x = Tensor::<4>::zeros([2, 5, 2, 4], &device);
    let _ = instance_norm_relu(
        x,
        Tensor::<2>::ones([2, 5], &device),
        Tensor::zeros([3, 5], &device),
        EPSILON,
    );
}

#[test]
#[should_panic(expected = "instance norm: weights of 3 axes in place of 1 or 2")]
fn a_scale_of_three_axes_panics() {
    let device = Device::flex();
    let x = Tensor::<4>::zeros([2, 5, 2, 4], &device);
    let [ones, zeros] = [1.0, 0.0].map(|value| Tensor::<3>::full([2, 5, 1], value, &device));
    let _ = instance_norm(x, ones, zeros, EPSILON);
}
