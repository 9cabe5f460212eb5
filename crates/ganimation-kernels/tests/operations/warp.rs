//! The warp against its definition, Burn's grid sampling and PyTorch's.

use crate::numbers::{Numbers, assert_close, assert_close_values, gradient, values};
use burn::tensor::{
    DType, Device, Shape, Tensor, TensorData,
    ops::{GridSampleOptions, GridSamplePaddingMode, InterpolateMode},
};
use ganimation_kernels::warp;

const BOTH: [DType; 2] = [DType::F32, DType::F64];

/// A field with the same motion everywhere, in pixels right and down.
fn shift([batch, _, height, width]: [usize; 4], [right, down]: [f64; 2], dtype: DType) -> Tensor<4> {
    let field = [(right, width), (down, height)].map(|(pixels, size)| {
        Tensor::<4>::full(
            [batch, 1, height, width],
            pixels / size as f64,
            (&Device::flex(), dtype),
        )
    });
    Tensor::cat(field.into(), 1)
}

/// The definition, pixel by pixel.
fn defined(x: &[f64], field: &[f64], [batch, channels, height, width]: [usize; 4]) -> Vec<f64> {
    let mut out = Vec::new();
    for image in 0..batch {
        for channel in 0..channels {
            let value = |row: f64, column: f64| {
                #[allow(clippy::cast_possible_truncation, reason = "whole numbers within the picture")]
                let (row, column) = (row as usize, column as usize);
                x[((image * channels + channel) * height + row) * width + column]
            };
            for row in 0..height {
                for column in 0..width {
                    let motion = |axis: usize| field[((image * 2 + axis) * height + row) * width + column];
                    let last = [height, width].map(|size| (size - 1) as f64);
                    let y = (row as f64 + height as f64 * motion(1)).clamp(0.0, last[0]);
                    let x = (column as f64 + width as f64 * motion(0)).clamp(0.0, last[1]);
                    let mut sum = 0.0;
                    for (row, weight) in [(y.floor(), 1.0 - y.fract()), (y.ceil(), y.fract())] {
                        for (column, share) in [(x.floor(), 1.0 - x.fract()), (x.ceil(), x.fract())] {
                            sum += weight * share * value(row, column);
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
fn a_field_of_zeros_returns_the_input_exactly() {
    let mut numbers = Numbers::new(1);
    for shape in [[2, 3, 5, 7], [1, 1, 1, 1], [1, 3, 64, 33], [3, 4, 2, 9]] {
        let [batch, _, height, width] = shape;
        let device = Device::flex();
        let x = numbers.tensor(shape, &device, DType::F32);
        let field = Tensor::zeros([batch, 2, height, width], &device);
        assert_eq!(values(&warp(x.clone(), field)), values(&x), "{shape:?}");
    }
}

#[test]
fn a_shift_of_whole_pixels_moves_the_picture_and_repeats_its_border() {
    let mut numbers = Numbers::new(2);
    for dtype in BOTH {
        let shape = [2, 3, 4, 8];
        let x = numbers.tensor(shape, &Device::flex(), dtype);
        // To the right and down by reading further left and up.
        let found = warp(x.clone(), shift(shape, [-2.0, -1.0], dtype));
        let right = Tensor::cat(
            vec![
                x.clone().narrow(3, 0, 1).repeat_dim(3, 2),
                x.clone().narrow(3, 0, 6),
            ],
            3,
        );
        let both = Tensor::cat(vec![right.clone().narrow(2, 0, 1), right.narrow(2, 0, 3)], 2);
        assert_close(&found, &both, &format!("{dtype:?}"));
    }
}

#[test]
fn values_agree_with_the_definition_and_with_burn() {
    let mut numbers = Numbers::new(3);
    for dtype in BOTH {
        for shape in [
            [2, 3, 5, 7],
            [1, 1, 9, 1],
            [3, 4, 1, 6],
            [1, 2, 1, 1],
            [2, 3, 70, 90],
        ] {
            let [batch, _, height, width] = shape;
            let device = Device::flex();
            let x = numbers.tensor(shape, &device, dtype);
            let field = numbers.tensor([batch, 2, height, width], &device, dtype) * 0.4;
            let name = format!("{shape:?} {dtype:?}");
            let found = warp(x.clone(), field.clone());
            let expected = defined(&values(&x), &values(&field), shape);
            assert_eq!(found.dims(), shape);
            assert_close_values(&values(&found), &expected, dtype, &name);

            let center = |index: usize, size: usize| (2 * index + 1) as f64 / size as f64 - 1.0;
            let identity: Vec<f64> = (0..batch * height * width)
                .flat_map(|index| {
                    [
                        center(index % width, width),
                        center(index / width % height, height),
                    ]
                })
                .collect();
            let identity = TensorData::new(identity, Shape::from([batch, height, width, 2]));
            let identity = Tensor::<4>::from_data(identity.convert_dtype(dtype), (&device, dtype));
            let options = GridSampleOptions::new(InterpolateMode::Bilinear)
                .with_padding_mode(GridSamplePaddingMode::Border);
            let grid = identity + field.permute([0, 2, 3, 1]) * 2.0;
            assert_close(&found, &x.grid_sample_2d(grid, options), &format!("{name} burn"));
        }
    }
}

/// By PyTorch 2:
///
///     x = torch.arange(12.).reshape(1, 1, 3, 4) ** 2 / 10
///     field = torch.tensor([0.1, -0.3, 0.26, 0.6, -0.6, 0.05, 0.02, 0.3, -0.15, 0.2, -0.7, 0.35,
///                           0.4, 0.1, -0.2, 0.3, -0.5, 0.15, 0.7, -0.9, 0.2, -0.1, -0.4, 0.05]).reshape(1, 2, 3, 4)
///     x.requires_grad_(), field.requires_grad_()
///     theta = torch.tensor([[[1., 0, 0], [0, 1, 0]]])
///     grid = F.affine_grid(theta, (1, 1, 3, 4), align_corners=False) + 2 * field.permute(0, 2, 3, 1)
///     y = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
///     (y * (1 + torch.arange(12.).reshape(1, 1, 3, 4))).sum().backward()
#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let device = Device::flex().autodiff();
    for dtype in BOTH {
        let tensor = |values: &[f64], channels: i32| {
            let data = TensorData::new(values.to_vec(), Shape::from([values.len()])).convert_dtype(dtype);
            Tensor::<1>::from_data(data, (&device, dtype))
                .reshape([1, channels, 3, 4])
                .require_grad()
        };
        let squares: Vec<f64> = (0..12).map(|index| f64::from(index * index) / 10.0).collect();
        let x = tensor(&squares, 1);
        let field = tensor(&FIELD, 2);
        let y = warp(x.clone(), field.clone());
        assert_close_values(&values(&y), &VALUES, DType::F32, &format!("{dtype:?}"));
        let weights: Vec<f64> = (1..=12).map(f64::from).collect();
        let gradients = (y * tensor(&weights, 1).detach()).sum().backward();
        for (name, tensor, expected) in [
            ("image", &x, IMAGE_GRADIENT.as_slice()),
            ("field", &field, FIELD_GRADIENT.as_slice()),
        ] {
            let found = values(&tensor.grad(&gradients).unwrap());
            assert_close_values(&found, expected, DType::F32, &format!("{dtype:?} {name}"));
        }
    }
}

const FIELD: [f64; 24] = [
    0.1, -0.3, 0.26, 0.6, -0.6, 0.05, 0.02, 0.3, -0.15, 0.2, -0.7, 0.35, 0.4, 0.1, -0.2, 0.3, -0.5, 0.15,
    0.7, -0.9, 0.2, -0.1, -0.4, 0.05,
];
const VALUES: [f64; 12] = [
    2.984, 0.48, 0.9, 4.5, 0.0, 5.312, 10.168, 0.9, 6.4, 7.748, 1.28, 12.1,
];
const IMAGE_GRADIENT: [f64; 12] = [
    8.6, 0.0, 0.0, 11.4, 9.88, 3.56, 3.06, 3.6, 9.12, 3.64, 12.58, 12.56,
];
const FIELD_GRADIENT: [f64; 24] = [
    4.24, 0.0, 0.0, 0.0, 0.0, 35.04, 58.8, 0.0, 0.0, 66.4, 0.0, 0.0, 15.36, 9.6, 0.0, 48.0, 0.0, 103.68, 0.0,
    0.0, 0.0, 187.2, 52.8, 0.0,
];

/// Gradients of the image and of the field of `sum(warp(x, field) * slope)`.
fn gradients(x: &Tensor<4>, field: &Tensor<4>, slope: &Tensor<4>, dtype: DType) -> [Tensor<4>; 2] {
    let [x, field] = [x, field].map(|tensor| tensor.clone().cast(dtype).autodiff().require_grad());
    let slope = slope.clone().cast(dtype).autodiff();
    let gradients = (warp(x.clone(), field.clone()) * slope).sum().backward();
    [x, field].map(|tensor| gradient(&tensor, &gradients))
}

#[test]
fn gradients_agree_with_finite_differences() {
    let device = Device::flex();
    let mut numbers = Numbers::new(5);
    let shape = [2, 3, 4, 5];
    let x = numbers.tensor(shape, &device, DType::F64);
    let field = numbers.tensor([2, 2, 4, 5], &device, DType::F64) * 0.4;
    let slope = numbers.tensor(shape, &device, DType::F64);
    let loss = |x: &Tensor<4>, field: &Tensor<4>| -> f64 {
        let products = warp(x.clone(), field.clone()) * slope.clone();
        values(&products).iter().sum()
    };
    let found = gradients(&x, &field, &slope, DType::F64).map(|gradient| values(&gradient));
    let step = 1e-6;
    for (part, found) in found.iter().enumerate() {
        for (index, found) in found.iter().enumerate() {
            let [more, less] = [step, -step].map(|step| {
                let moved = |tensor: &Tensor<4>| {
                    let mut data = values(tensor);
                    data[index] += step;
                    let data = TensorData::new(data, tensor.shape());
                    Tensor::<4>::from_data(data, (&device, DType::F64))
                };
                if part == 0 {
                    loss(&moved(&x), &field)
                } else {
                    loss(&x, &moved(&field))
                }
            });
            let expected = (more - less) / (2.0 * step);
            assert!(
                (found - expected).abs() < 1e-6,
                "{found} in place of {expected} at {index} of {part}"
            );
        }
    }
}

#[test]
fn gradients_in_f32_agree_with_those_in_f64() {
    let mut numbers = Numbers::new(6);
    for (shape, reach) in [
        ([2, 3, 5, 7], 0.5),
        ([1, 3, 61, 37], 0.1),
        ([1, 4, 61, 37], 0.9),
        ([3, 1, 40, 3], 0.3),
        ([1, 2, 1, 1], 0.3),
    ] {
        let [batch, _, height, width] = shape;
        let device = Device::flex();
        // In `f32` first, so that both read the same places.
        let x = numbers.tensor(shape, &device, DType::F32);
        let field = numbers.tensor([batch, 2, height, width], &device, DType::F32) * reach;
        let slope = numbers.tensor(shape, &device, DType::F32);
        let found = gradients(&x, &field, &slope, DType::F32);
        let expected = gradients(&x, &field, &slope, DType::F64);
        for (name, (found, expected)) in ["image", "field"].iter().zip(found.iter().zip(&expected)) {
            assert_close_values(
                &values(found),
                &values(expected),
                DType::F32,
                &format!("{shape:?} {name}"),
            );
        }
    }
}

#[test]
fn beyond_the_border_the_border_is_read_and_the_field_has_no_gradient() {
    for dtype in BOTH {
        let device = Device::flex().autodiff();
        let mut numbers = Numbers::new(7);
        let shape = [1, 3, 4, 6];
        let x = numbers.tensor(shape, &device, dtype);
        let far = Tensor::<4>::full([1, 1, 4, 6], 7.0, (&device, dtype));
        let still = far.clone().zeros_like();
        let field = Tensor::cat(vec![far, still], 1).require_grad();
        let y = warp(x.clone(), field.clone());
        let last = x.narrow(3, 5, 1).expand(shape);
        assert_close(&y, &last, &format!("{dtype:?}"));
        let gradients = (y * numbers.tensor(shape, &device, dtype)).sum().backward();
        let across = field.grad(&gradients).unwrap().narrow(1, 0, 1);
        assert!(values(&across).iter().all(|value| *value == 0.0), "{dtype:?}");
    }
}

#[test]
fn only_the_gradients_that_are_asked_for_are_there() {
    let device = Device::flex().autodiff();
    let mut numbers = Numbers::new(8);
    let x = numbers.tensor([1, 3, 4, 5], &device, DType::F32);
    let field = numbers.tensor([1, 2, 4, 5], &device, DType::F32).require_grad();
    let gradients = warp(x.clone(), field.clone()).sum().backward();
    assert!(x.grad(&gradients).is_none());
    assert!(field.grad(&gradients).is_some());
}

#[test]
fn views_are_read_as_what_they_show() {
    let device = Device::flex();
    let mut numbers = Numbers::new(9);
    let x = numbers
        .tensor([3, 7, 2, 5], &device, DType::F32)
        .permute([0, 2, 3, 1])
        .narrow(0, 1, 2);
    let field = numbers
        .tensor([1, 2, 5, 7], &device, DType::F32)
        .expand([2, 2, 5, 7])
        * 0.3;
    let expected = defined(&values(&x), &values(&field), [2, 2, 5, 7]);
    let found = values(&warp(x.clone(), field.clone()));
    assert_close_values(&found, &expected, DType::F32, "views");
    // The same in other layouts, to the bit.
    let planes = Tensor::from_data(x.to_data(), &device);
    assert_eq!(values(&warp(planes, field.clone())), found);
    let tracked = warp(x.autodiff().require_grad(), field.autodiff());
    assert_eq!(values(&tracked), found);
}

#[test]
fn a_field_that_is_not_finite_harms_its_own_pixel_alone() {
    for dtype in BOTH {
        let mut numbers = Numbers::new(10);
        let device = Device::flex();
        let x = numbers.tensor([1, 3, 4, 6], &device, dtype);
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -1e30];
        let mut places = vec![0.0; 2 * 4 * 6];
        places[..5].copy_from_slice(&odd);
        places[24 + 4..24 + 9].copy_from_slice(&odd);
        let data = TensorData::new(places, Shape::from([1, 2, 4, 6])).convert_dtype(dtype);
        let field = Tensor::<4>::from_data(data, (&device, dtype));
        let y = warp(x.clone(), field.clone());
        let (found, expected) = (values(&y.narrow(2, 2, 2)), values(&x.clone().narrow(2, 2, 2)));
        assert_close_values(&found, &expected, dtype, "the other pixels");
        let [image, motion] = gradients(&x, &field, &x, dtype);
        assert_eq!((image.dims(), motion.dims()), ([1, 3, 4, 6], [1, 2, 4, 6]));
    }
}

#[test]
fn nothing_of_nothing_is_nothing() {
    let device = Device::flex();
    for shape in [[0, 3, 4, 5], [2, 0, 4, 5], [2, 3, 4, 0], [2, 3, 0, 5]] {
        let x = Tensor::<4>::zeros(shape, &device);
        let field = Tensor::zeros([shape[0], 2, shape[2], shape[3]], &device);
        assert_eq!(warp(x.clone(), field.clone()).dims(), shape);
        let [image, motion] = gradients(&x, &field, &x, DType::F32);
        assert_eq!((image.dims(), motion.dims()), (x.dims(), field.dims()));
    }
}

#[test]
#[should_panic(expected = "warp: the field's shape for 2 images of 4 x 5")]
fn a_field_of_another_size_panics() {
    let device = Device::flex();
    let _ = warp(
        Tensor::zeros([2, 3, 4, 5], &device),
        Tensor::zeros([2, 2, 5, 4], &device),
    );
}
