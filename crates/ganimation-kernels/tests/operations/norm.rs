//! Instance normalisation and the leaky ReLU against compositions of Burn's operations.

use crate::numbers::{Numbers, assert_close, values};
use burn::tensor::{
    DType, Device, Tensor,
    activation::{leaky_relu as burn_leaky_relu, relu},
};
use ganimation_kernels::{instance_norm, instance_norm_add, instance_norm_relu, leaky_relu, scale_by_slope};

const EPSILON: f64 = 1e-5;

/// The definition, in elementary operations.
fn defined(x: Tensor<4>, weight: Tensor<1>, bias: Tensor<1>) -> Tensor<4> {
    let [_, channels, _, _] = x.dims();
    let mean = x.clone().mean_dim(3).mean_dim(2);
    let centered = x - mean;
    let variance = (centered.clone() * centered.clone()).mean_dim(3).mean_dim(2);
    let shape = [1, channels, 1, 1];
    centered / (variance + EPSILON).sqrt() * weight.reshape(shape) + bias.reshape(shape)
}

#[test]
fn instance_norm_and_its_gradients_agree_with_the_definition() {
    let device = Device::flex().autodiff();
    for (index, shape) in [[2, 3, 5, 4], [1, 5, 1, 9], [3, 2, 16, 17], [2, 4, 32, 32]]
        .into_iter()
        .enumerate()
    {
        for dtype in [DType::F32, DType::F64] {
            for end in ["nothing", "relu", "skip"] {
                let mut numbers = Numbers::new(index as u64);
                let x = (numbers.tensor(shape, &device, dtype) * 3.0 + 0.5).require_grad();
                let weight = numbers.tensor([shape[1]], &device, dtype).require_grad();
                let bias = numbers.tensor([shape[1]], &device, dtype).require_grad();
                let slope = numbers.tensor(shape, &device, dtype);
                let skip = numbers.tensor(shape, &device, dtype).require_grad();
                let plain = defined(x.clone(), weight.clone(), bias.clone());
                let (image, scale, shift) = (x.clone(), weight.clone(), bias.clone());
                let (found, expected) = match end {
                    "nothing" => (instance_norm(image, scale, shift, EPSILON), plain),
                    "relu" => (instance_norm_relu(image, scale, shift, EPSILON), relu(plain)),
                    _ => (
                        instance_norm_add(image, scale, shift, skip.clone(), EPSILON),
                        plain + skip.clone(),
                    ),
                };
                let name = format!("{shape:?} {dtype:?} {end}");
                assert_close(&found, &expected, &name);
                let found = (found * slope.clone()).sum().backward();
                let expected = (expected * slope).sum().backward();
                let mut images = vec![("x", &x)];
                if end == "skip" {
                    images.push(("skip", &skip));
                }
                for (part, tensor) in images {
                    assert_close(
                        &tensor.grad(&found).unwrap(),
                        &tensor.grad(&expected).unwrap(),
                        &format!("{name} {part}"),
                    );
                }
                for (part, tensor) in [("weight", &weight), ("bias", &bias)] {
                    assert_close(
                        &tensor.grad(&found).unwrap(),
                        &tensor.grad(&expected).unwrap(),
                        &format!("{name} {part}"),
                    );
                }
            }
        }
    }
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
        Tensor::ones([4], &device),
        Tensor::zeros([3], &device),
        EPSILON,
    );
}
