//! Kernels for Burn's CPU backend, and the functions that call them with tensors.

mod activation;
mod adam;
mod autodiff;
mod border;
mod conv;
mod direct;
mod few;
mod filled;
mod finish;
mod geometry;
mod image;
mod narrow;
mod norm;
mod places;
mod prepared;
mod product;
mod rows;
mod scratch;
mod simd;
mod warp;
mod weights;
mod window;
mod winograd;

use std::sync::{Arc, Mutex, PoisonError};

use burn::{
    backend::{Backend, Dispatch, Flex, backend_extension, flex::FlexTensor, tensor::FloatTensor},
    tensor::{DType, Device, Tensor},
};

pub(crate) use norm::After;
pub(crate) use prepared::Entry;

use geometry::Geometry;
use image::{Images, dims};

use crate::adam::{AdamStep, Moments};

/// Receives a prepared weight.
pub(crate) type Kept = Arc<Mutex<Option<Arc<Entry>>>>;

/// The operations that have kernels in this crate.
///
/// Shapes are those of the public functions that call these operations. These functions have checked the shapes.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait Kernels: Backend {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self>;

    fn convolve_with_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
        padding: usize,
        slope: Option<f64>,
    ) -> FloatTensor<Self>;

    fn convolve_transposed(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self>;

    /// Prepares a weight and returns it. The data to keep is stored in `kept`.
    fn prepare(
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
        transposed: bool,
        kept: Kept,
    ) -> FloatTensor<Self>;

    fn normalize(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        after: After,
    ) -> FloatTensor<Self>;

    fn normalize_and_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;

    fn warp(x: FloatTensor<Self>, field: FloatTensor<Self>) -> FloatTensor<Self>;

    fn add_by_border(x: FloatTensor<Self>, kinds: FloatTensor<Self>) -> FloatTensor<Self>;

    fn leak(x: FloatTensor<Self>, slope: f64) -> FloatTensor<Self>;

    fn scale_by_slope(sign: FloatTensor<Self>, x: FloatTensor<Self>, slope: f64) -> FloatTensor<Self>;

    fn descend(
        param: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

impl Kernels for Flex {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let geometry = of_image(&x, &weight, stride, padding);
        conv::forward(&geometry, &x, &weight, None, None)
    }

    fn convolve_with_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
        padding: usize,
        slope: Option<f64>,
    ) -> FloatTensor<Self> {
        let geometry = of_image(&x, &weight, stride, padding);
        conv::forward(&geometry, &x, &weight, Some(&bias), slope)
    }

    fn convolve_transposed(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        conv::adjoint(&of_grid(&x, &weight, stride, padding), &x, &weight)
    }

    fn prepare(
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
        transposed: bool,
        kept: Kept,
    ) -> FloatTensor<Self> {
        let entry = conv::prepare(&weight, stride, padding, transposed);
        *kept.lock().unwrap_or_else(PoisonError::into_inner) = entry;
        weight
    }

    fn normalize(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        after: After,
    ) -> FloatTensor<Self> {
        norm::forward(&x, &weight, &bias, None, epsilon, after).0
    }

    fn normalize_and_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        norm::forward(&x, &weight, &bias, Some(&skip), epsilon, After::Nothing).0
    }

    fn warp(x: FloatTensor<Self>, field: FloatTensor<Self>) -> FloatTensor<Self> {
        warp::forward(&Images::new(&x), &warp::planes(&field)).into_tensor()
    }

    fn add_by_border(x: FloatTensor<Self>, kinds: FloatTensor<Self>) -> FloatTensor<Self> {
        border::add(x, &kinds)
    }

    fn leak(x: FloatTensor<Self>, slope: f64) -> FloatTensor<Self> {
        activation::forward(x, slope)
    }

    fn scale_by_slope(sign: FloatTensor<Self>, x: FloatTensor<Self>, slope: f64) -> FloatTensor<Self> {
        activation::scale_by_slope(&sign, x, slope)
    }

    fn descend(
        param: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        adam::descend(param, &grad, first, second, step)
    }
}

/// The sizes of a convolution of `x`.
fn of_image(x: &FlexTensor, weight: &FlexTensor, stride: usize, padding: usize) -> Geometry {
    let [_, _, height, width] = dims(x);
    Geometry::of_image([height, width], dims(weight), stride, padding)
}

/// The sizes of a transposed convolution of `x`.
fn of_grid(x: &FlexTensor, weight: &FlexTensor, stride: usize, padding: usize) -> Geometry {
    let [_, _, rows, columns] = dims(x);
    Geometry::of_grid([rows, columns], dims(weight), stride, padding)
}

/// Whether the kernels support `x`: it must be on Flex, with or without autodiff, in `f32`.
pub(crate) fn runs<const D: usize>(x: &Tensor<D>) -> bool {
    x.dtype() == DType::F32 && x.device().inner() == Device::flex()
}

/// [`crate::conv2d`] on Flex, with a leaky ReLU after the bias if there is a `slope`.
pub(crate) fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: usize,
    slope: Option<f64>,
) -> Tensor<4> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::convolve_with_bias(x, weight, bias.into_dispatch(), stride, padding, slope),
        None => Dispatch::convolve(x, weight, stride, padding),
    })
}

/// [`crate::conv_transpose2d`] on Flex.
pub(crate) fn conv_transpose2d(x: Tensor<4>, weight: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::convolve_transposed(
        x.into_dispatch(),
        weight.into_dispatch(),
        stride,
        padding,
    ))
}

/// Prepares the weight of a convolution on Flex, if there is something to prepare.
pub(crate) fn prepare(
    weight: Tensor<4>,
    stride: usize,
    padding: usize,
    transposed: bool,
) -> Option<Arc<Entry>> {
    let kept = Kept::default();
    let _weight = Dispatch::prepare(weight.into_dispatch(), stride, padding, transposed, kept.clone());
    kept.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// [`crate::instance_norm`] on Flex, and the operation after it.
pub(crate) fn instance_norm<const D: usize>(
    x: Tensor<4>,
    [weight, bias]: [Tensor<D>; 2],
    epsilon: f64,
    after: After,
) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::normalize(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon,
        after,
    ))
}

/// [`crate::instance_norm_add`] on Flex.
pub(crate) fn instance_norm_add<const D: usize>(
    x: Tensor<4>,
    [weight, bias]: [Tensor<D>; 2],
    skip: Tensor<4>,
    epsilon: f64,
) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::normalize_and_add(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        skip.into_dispatch(),
        epsilon,
    ))
}

/// [`crate::warp`] on Flex.
pub(crate) fn warp(x: Tensor<4>, field: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::warp(x.into_dispatch(), field.into_dispatch()))
}

/// `[batch, channels, height, width]` plus, at every pixel, the value of its kind in `[batch, channels, kinds, kinds]`:
/// the first and the last kinds are for the rows and columns at the borders, the middle kind is for the rest.
pub(crate) fn add_by_border(x: Tensor<4>, kinds: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::add_by_border(x.into_dispatch(), kinds.into_dispatch()))
}

/// [`crate::leaky_relu`] on Flex, for a slope above 0.
pub(crate) fn leaky_relu<const D: usize>(x: Tensor<D>, slope: f64) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::leak(x.into_dispatch(), slope))
}

/// [`crate::scale_by_slope`] on Flex.
pub(crate) fn scale_by_slope<const D: usize>(sign: Tensor<D>, x: Tensor<D>, slope: f64) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::scale_by_slope(
        sign.into_dispatch(),
        x.into_dispatch(),
        slope,
    ))
}

/// [`crate::adam_step`] on Flex.
pub(crate) fn adam_step(
    param: Tensor<1>,
    grad: Tensor<1>,
    moments: Moments,
    step: AdamStep,
) -> (Tensor<1>, Moments) {
    let (param, first, second) = Dispatch::descend(
        param.into_dispatch(),
        grad.into_dispatch(),
        moments.first.into_dispatch(),
        moments.second.into_dispatch(),
        step,
    );
    let moments = Moments {
        first: Tensor::from_dispatch(first),
        second: Tensor::from_dispatch(second),
    };
    (Tensor::from_dispatch(param), moments)
}
