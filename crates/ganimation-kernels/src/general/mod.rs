//! Compositions of a backend's operations, with this crate's gradients, for GPUs and for `f64` on the CPU.
//!
//! - Convolutions: Burn's forward pass, and this crate's weight gradients. Burn's general weight gradient is a
//!   convolution whose kernel is the whole gradient of the output. It is slow, and software drivers stop such long
//!   loops early; see [`correlate`]. The gradient of a strided convolution with respect to the image consists of dense
//!   convolutions, each with a part of the kernel; see [`phases`].
//! - Instance norms: channels stay last, as in Burn's convolutions; see [`norm`].

mod autodiff;
mod correlate;
#[cfg(all(test, feature = "flex"))]
mod fixture;
mod norm;
mod phases;

use burn::{
    backend::{Backend, Dispatch, DispatchDevice, backend_extension, tensor::FloatTensor},
    tensor::{
        Tensor,
        ops::{ConvOptions, ConvTransposeOptions},
    },
};

#[cfg(feature = "gpu")]
use burn::backend::Cube;
#[cfg(feature = "flex")]
use burn::backend::Flex;

/// Operations with this crate's gradients.
///
/// Shapes are those of the public functions that call these operations. These functions have checked the shapes.
#[backend_extension(Flex: cfg(feature = "flex"), Cube: cfg(feature = "gpu"), Autodiff)]
pub(crate) trait Operations: Backend {
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        Self::conv2d(x, weight, None, options(stride, padding))
    }

    fn convolution_with_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        Self::conv2d(x, weight, Some(bias), options(stride, padding))
    }

    fn transposed_convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        Self::conv_transpose2d(x, weight, None, transposed_options(stride, padding))
    }

    fn normalization(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> FloatTensor<Self> {
        let (out, _) = norm::forward::<Self>(norm::channels_last::<Self>(x), weight, bias, epsilon);
        let out = if relu { Self::relu(out) } else { out };
        norm::channels_first::<Self>(out)
    }

    fn normalization_and_sum(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let (out, _) = norm::forward::<Self>(norm::channels_last::<Self>(x), weight, bias, epsilon);
        norm::channels_first::<Self>(Self::float_add(out, norm::channels_last::<Self>(skip)))
    }
}

#[cfg(feature = "flex")]
impl Operations for Flex {}

#[cfg(feature = "gpu")]
impl Operations for Cube {}

fn options(stride: usize, padding: usize) -> ConvOptions<2> {
    ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1)
}

fn transposed_options(stride: usize, padding: usize) -> ConvTransposeOptions<2> {
    ConvTransposeOptions::new([stride; 2], [padding; 2], [0, 0], [1, 1], 1)
}

/// Whether `x` is on a backend that these operations run on.
#[allow(unreachable_patterns, reason = "reachable in builds with more backends")]
pub(crate) fn runs<const D: usize>(x: &Tensor<D>) -> bool {
    match x.device().inner().as_dispatch() {
        #[cfg(feature = "gpu")]
        DispatchDevice::Cube(_) => true,
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(_) => true,
        _ => false,
    }
}

/// Whether convolutions of `x` use this crate's weight gradients.
///
/// On CUDA, Burn's tensor-core kernels compute them, without long loops.
pub(crate) fn convolves<const D: usize>(x: &Tensor<D>) -> bool {
    runs(x) && !crate::device::is_cuda(&x.device().inner())
}

/// [`crate::conv2d`] with gradients of this crate.
pub(crate) fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::convolution_with_bias(x, weight, bias.into_dispatch(), stride, padding),
        None => Dispatch::convolution(x, weight, stride, padding),
    })
}

/// [`crate::conv_transpose2d`] with gradients of this crate.
pub(crate) fn conv_transpose2d(x: Tensor<4>, weight: Tensor<4>, stride: usize, padding: usize) -> Tensor<4> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(Dispatch::transposed_convolution(x, weight, stride, padding))
}

/// [`crate::instance_norm`], and a ReLU if requested.
pub(crate) fn instance_norm<const D: usize>(
    x: Tensor<4>,
    [weight, bias]: [Tensor<D>; 2],
    epsilon: f64,
    relu: bool,
) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::normalization(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon,
        relu,
    ))
}

/// [`crate::instance_norm_add`].
pub(crate) fn instance_norm_add<const D: usize>(
    x: Tensor<4>,
    [weight, bias]: [Tensor<D>; 2],
    skip: Tensor<4>,
    epsilon: f64,
) -> Tensor<4> {
    Tensor::from_dispatch(Dispatch::normalization_and_sum(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        skip.into_dispatch(),
        epsilon,
    ))
}
