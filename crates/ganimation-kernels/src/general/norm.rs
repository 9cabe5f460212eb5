//! Instance normalisation with channels last, like the inputs and outputs of convolutions on GPUs.
//!
//! All tensors here have the shape `[batch, height, width, channels]`, so that results are contiguous in this order.
//! Burn's batch normalisation computes the same, but copies images to channels first, and each convolution copies them
//! back.

use burn::{
    backend::{Backend, TensorMetadata, tensor::FloatTensor},
    tensor::Shape,
};

use super::correlate::groups;

/// Longest sum in one thread of a GPU. Sums over images are divided, because there are few channels.
const LONGEST_SUM: usize = 256;

/// The mean and the inverse deviation of every plane, `[batch, 1, 1, channels]`.
#[derive(Debug, Clone)]
pub(super) struct Statistics<B: Backend> {
    mean: FloatTensor<B>,
    inverse: FloatTensor<B>,
}

/// The gradients of a normalisation.
pub(super) struct Gradients<B: Backend> {
    pub(super) x: FloatTensor<B>,
    pub(super) weight: FloatTensor<B>,
    pub(super) bias: FloatTensor<B>,
}

/// `[batch, channels, height, width]` as `[batch, height, width, channels]`, without a copy.
pub(super) fn channels_last<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_permute(x, &[0, 2, 3, 1])
}

/// The inverse of [`channels_last`].
pub(super) fn channels_first<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_permute(x, &[0, 3, 1, 2])
}

/// `(x - mean) / sqrt(variance + epsilon) * weight + bias`, for `weight` and `bias` of `[channels]` or
/// `[batch, channels]`.
pub(super) fn forward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    epsilon: f64,
) -> (FloatTensor<B>, Statistics<B>) {
    let count = positions::<B>(&x);
    let mean = B::float_div_scalar(plane_sums::<B>(x.clone()), count.into());
    let centered = B::float_sub(x.clone(), mean.clone());
    let squares = plane_sums::<B>(B::float_mul(centered.clone(), centered));
    let variance = B::float_div_scalar(squares, count.into());
    let inverse = B::float_recip(B::float_sqrt(B::float_add_scalar(variance, epsilon.into())));
    let statistics = Statistics { mean, inverse };
    let normalized = normalized::<B>(x, &statistics);
    let out = B::float_add(
        B::float_mul(normalized, of_planes::<B>(weight)),
        of_planes::<B>(bias),
    );
    (out, statistics)
}

/// The gradients, computed from the gradient of the output.
pub(super) fn backward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    statistics: &Statistics<B>,
    grad: FloatTensor<B>,
) -> Gradients<B> {
    let count = positions::<B>(&x);
    let shape = weight.shape();
    let normalized = normalized::<B>(x, statistics);
    let of_bias = plane_sums::<B>(grad.clone());
    let of_weight = plane_sums::<B>(B::float_mul(grad.clone(), normalized.clone()));
    let mean = |sums: &FloatTensor<B>| B::float_div_scalar(sums.clone(), count.into());
    let centered = B::float_sub(grad, mean(&of_bias));
    let projected = B::float_mul(normalized, mean(&of_weight));
    let scale = B::float_mul(of_planes::<B>(weight), statistics.inverse.clone());
    let of_parameter = |sums: FloatTensor<B>| match shape.num_dims() {
        1 => B::float_reshape(B::float_sum_dim(sums, 0), shape.clone()),
        _ => B::float_reshape(sums, shape.clone()),
    };
    Gradients {
        x: B::float_mul(B::float_sub(centered, projected), scale),
        weight: of_parameter(of_weight),
        bias: of_parameter(of_bias),
    }
}

fn normalized<B: Backend>(x: FloatTensor<B>, statistics: &Statistics<B>) -> FloatTensor<B> {
    let centered = B::float_sub(x, statistics.mean.clone());
    B::float_mul(centered, statistics.inverse.clone())
}

/// `[channels]` or `[batch, channels]` as `[1 or batch, 1, 1, channels]`.
fn of_planes<B: Backend>(parameter: FloatTensor<B>) -> FloatTensor<B> {
    let shape = parameter.shape();
    let [batch, channels] = match shape.as_slice() {
        [channels] => [1, *channels],
        [batch, channels] => [*batch, *channels],
        other => panic!("instance norm: parameters of {} axes", other.len()),
    };
    B::float_reshape(parameter, Shape::new([batch, 1, 1, channels]))
}

/// Height times width.
fn positions<B: Backend>(x: &FloatTensor<B>) -> f64 {
    let [_, height, width, _] = x.shape().dims();
    (height * width) as f64
}

/// Sums over height and width, `[batch, 1, 1, channels]`.
fn plane_sums<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let [batch, height, width, channels] = x.shape().dims();
    let [groups, of_group] = groups(height * width, 1, LONGEST_SUM);
    let x = B::float_reshape(x, Shape::new([batch, groups, of_group, channels]));
    let sums = B::float_sum_dim(x, 2);
    match groups {
        1 => sums,
        _ => B::float_sum_dim(sums, 1),
    }
}
