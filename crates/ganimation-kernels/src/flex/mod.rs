//! Kernels for Burn's CPU backend, and the way to them from a tensor.

mod activation;
mod adam;
mod autodiff;
mod columns;
mod conv;
mod gemm;
mod geometry;
mod norm;
mod plan;
mod products;
mod real;

use burn::{
    backend::{Backend, Dispatch, Flex, backend_extension, tensor::FloatTensor},
    tensor::{DType, Device, Tensor},
};

use crate::adam::{AdamStep, Moments};

/// The operations with kernels of their own.
///
/// Shapes are those of the public functions that lead here, which have checked them.
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
    ) -> FloatTensor<Self>;

    fn convolve_transposed(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self>;

    fn normalize(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        rectify: bool,
    ) -> FloatTensor<Self>;

    fn leak(x: FloatTensor<Self>, slope: f64) -> FloatTensor<Self>;

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
        conv::forward(&x, &weight, None, stride, padding)
    }

    fn convolve_with_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        conv::forward(&x, &weight, Some(&bias), stride, padding)
    }

    fn convolve_transposed(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        conv::transposed(&x, &weight, stride, padding)
    }

    fn normalize(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        rectify: bool,
    ) -> FloatTensor<Self> {
        norm::forward(&x, &weight, &bias, epsilon, rectify).0
    }

    fn leak(x: FloatTensor<Self>, slope: f64) -> FloatTensor<Self> {
        activation::leak(x, slope)
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

/// Whether the kernels can take `x`: it lives on Flex, with or without autodiff, in `f32` or `f64`.
pub(crate) fn runs<const D: usize>(x: &Tensor<D>) -> bool {
    matches!(x.dtype(), DType::F32 | DType::F64) && x.device().inner() == Device::flex()
}

/// [`crate::conv2d`] on Flex.
pub(crate) fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::convolve_with_bias(x, weight, bias.into_dispatch(), stride, padding),
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

/// [`crate::instance_norm`] on Flex, with the ReLU after it if `rectify`.
pub(crate) fn instance_norm(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
    rectify: bool,
) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::normalize(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon,
        rectify,
    ))
}

/// [`crate::leaky_relu`] on Flex, for a slope above 0.
pub(crate) fn leaky_relu<const D: usize>(x: Tensor<D>, slope: f64) -> Tensor<D> {
    Tensor::from_dispatch(Dispatch::leak(x.into_dispatch(), slope))
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
