//! Adam against a plain loop in `f64`.

use crate::numbers::{Numbers, assert_close_values, values};
use burn::tensor::{DType, Device, Tensor};
use ganimation_kernels::{AdamStep, Moments, adam_step};

const ELEMENTS: usize = 40_003;

fn step(count: u32) -> AdamStep {
    AdamStep {
        learning_rate: 1e-3,
        beta_1: 0.5,
        beta_2: 0.999,
        epsilon: 1e-8,
        count,
    }
}

#[test]
fn ten_steps_agree_with_a_plain_loop() {
    let device = Device::flex();
    for dtype in [DType::F32, DType::F64] {
        let mut numbers = Numbers::new(1);
        let mut param = numbers.tensor([ELEMENTS], &device, dtype);
        let zeros = || Tensor::<1>::zeros([ELEMENTS], (&device, dtype));
        let mut moments = Moments {
            first: zeros(),
            second: zeros(),
        };
        let mut expected = values(&param);
        let (mut first, mut second) = (vec![0.0; ELEMENTS], vec![0.0; ELEMENTS]);
        for count in 1..=10 {
            let grad = numbers.tensor([ELEMENTS], &device, dtype);
            for (index, grad) in values(&grad).into_iter().enumerate() {
                let corrections = [0.5_f64, 0.999].map(|beta| 1.0 - beta.powi(count));
                first[index] = 0.5 * first[index] + 0.5 * grad;
                second[index] = 0.999 * second[index] + 0.001 * grad * grad;
                let denominator = second[index].sqrt() / corrections[1].sqrt() + 1e-8;
                expected[index] -= 1e-3 / corrections[0] * first[index] / denominator;
            }
            let count = u32::try_from(count).unwrap();
            (param, moments) = adam_step(param, grad, moments, step(count));
        }
        assert_close_values(&values(&param), &expected, dtype, "parameter");
        assert_close_values(&values(&moments.first), &first, dtype, "first moment");
        assert_close_values(&values(&moments.second), &second, dtype, "second moment");
    }
}

#[test]
fn tensors_that_others_hold_stay_as_they_are() {
    let device = Device::flex();
    let param = Tensor::<1>::from_floats([1.0, 2.0], &device);
    let zeros = Tensor::<1>::zeros([2], &device);
    let moments = Moments {
        first: zeros.clone(),
        second: zeros.clone(),
    };
    let (moved, _) = adam_step(param.clone(), param.clone(), moments, step(1));
    assert_eq!(values(&param), [1.0, 2.0]);
    assert_eq!(values(&zeros), [0.0, 0.0]);
    assert_ne!(values(&moved), values(&param));
}

#[test]
#[should_panic(expected = "adam: a gradient of 2 elements for 3 parameters")]
fn a_gradient_of_another_size_panics_with_both_numbers() {
    let device = Device::flex();
    let zeros = |elements| Tensor::<1>::zeros([elements], &device);
    let moments = Moments {
        first: zeros(3),
        second: zeros(3),
    };
    let _ = adam_step(zeros(3), zeros(2), moments, step(1));
}
