//! Backward passes. Gradients that no parent needs are not computed.

use burn::backend::{
    Autodiff, Backend, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};

use super::{
    Operations,
    correlate::{channel_sums, correlate},
    norm::{self, Statistics, channels_first, channels_last},
    options,
    phases::image_gradient,
};

/// The data of a convolution from image to grid for its backward pass.
#[derive(Debug, Clone)]
struct State<B: Backend> {
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    stride: usize,
    padding: usize,
}

impl<B: Backend> State<B> {
    fn kernel(&self) -> [usize; 2] {
        let [_, _, height, width] = self.weight.shape().dims();
        [height, width]
    }
}

/// A convolution; its parents are the image, the weight and, if there are three, the bias.
#[derive(Debug)]
struct Convolution;

impl<B: Operations, const N: usize> Backward<B, N> for Convolution {
    type State = State<B>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let state = ops.state;
        let (stride, padding) = (state.stride, state.padding);
        let mut parents = ops.parents.into_iter();
        if let Some(node) = parents.next().flatten() {
            let (x, weight) = (state.x.clone(), state.weight.clone());
            let [_, _, height, width] = x.shape().dims();
            let of_x = image_gradient::<B>(&grad, &weight, [height, width], stride, padding)
                .unwrap_or_else(|| B::conv2d_x_backward(x, weight, grad.clone(), options(stride, padding)));
            grads.register::<B>(node.id, of_x);
        }
        if let Some(node) = parents.next().flatten() {
            let kernel = state.kernel();
            let of_weight = correlate::<B>(state.x, grad.clone(), kernel, stride, padding);
            grads.register::<B>(node.id, of_weight);
        }
        if let Some(node) = parents.next().flatten() {
            grads.register::<B>(node.id, channel_sums::<B>(grad));
        }
    }
}

/// A transposed convolution: the roles of image and grid are exchanged.
#[derive(Debug)]
struct TransposedConvolution;

impl<B: Operations> Backward<B, 2> for TransposedConvolution {
    type State = State<B>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let state = ops.state;
        let (stride, padding) = (state.stride, state.padding);
        let [x_node, weight_node] = ops.parents;
        if let Some(node) = x_node {
            let of_x = B::convolution(grad.clone(), state.weight.clone(), stride, padding);
            grads.register::<B>(node.id, of_x);
        }
        if let Some(node) = weight_node {
            let kernel = state.kernel();
            grads.register::<B>(node.id, correlate::<B>(grad, state.x, kernel, stride, padding));
        }
    }
}

/// An instance normalisation; its parents are the image, the scale, the shift and, if there are four, the skip.
#[derive(Debug)]
struct Normalization;

#[derive(Debug, Clone)]
struct NormalizationState<B: Backend> {
    /// Channels last, like the output.
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    statistics: Statistics<B>,
    /// The output, if it comes from a ReLU.
    relu: Option<FloatTensor<B>>,
}

impl<B: Operations, const N: usize> Backward<B, N> for Normalization {
    type State = NormalizationState<B>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let state = ops.state;
        if let Some(skip) = ops.parents.get(3).and_then(Option::as_ref) {
            grads.register::<B>(skip.id, grad.clone());
        }
        let grad = channels_last::<B>(grad);
        let grad = match state.relu {
            Some(output) => B::relu_backward(output, grad),
            None => grad,
        };
        let found = norm::backward::<B>(state.x, state.weight, &state.statistics, grad);
        let found = [channels_first::<B>(found.x), found.weight, found.bias];
        for (node, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: Operations, C: CheckpointStrategy> Operations for Autodiff<B, C> {
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let parents = [x.node(), weight.node()];
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let out = B::convolution(x.clone(), weight.clone(), stride, padding);
        match Convolution.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = State {
                    x,
                    weight,
                    stride,
                    padding,
                };
                prep.finish(state, out)
            }
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn convolution_with_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let parents = [x.node(), weight.node(), bias.node()];
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
        let out = B::convolution_with_bias(x.clone(), weight.clone(), bias, stride, padding);
        match Convolution.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = State {
                    x,
                    weight,
                    stride,
                    padding,
                };
                prep.finish(state, out)
            }
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn transposed_convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let parents = [x.node(), weight.node()];
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let out = B::transposed_convolution(x.clone(), weight.clone(), stride, padding);
        match TransposedConvolution
            .prepare::<C>(parents)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => {
                let state = State {
                    x,
                    weight,
                    stride,
                    padding,
                };
                prep.finish(state, out)
            }
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn normalization(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        relu: bool,
    ) -> FloatTensor<Self> {
        let parents = [x.node(), weight.node(), bias.node()];
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
        let x = channels_last::<B>(x);
        let (out, statistics) = norm::forward::<B>(x.clone(), weight.clone(), bias, epsilon);
        let out = if relu { B::relu(out) } else { out };
        let first = channels_first::<B>(out.clone());
        match Normalization.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = NormalizationState {
                    x,
                    weight,
                    statistics,
                    relu: relu.then_some(out),
                };
                prep.finish(state, first)
            }
            OpsKind::UnTracked(prep) => prep.finish(first),
        }
    }

    fn normalization_and_sum(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let parents = [x.node(), weight.node(), bias.node(), skip.node()];
        let [x, weight, bias, skip] = [x, weight, bias, skip].map(|tensor| tensor.into_primitive());
        let x = channels_last::<B>(x);
        let (out, statistics) = norm::forward::<B>(x.clone(), weight.clone(), bias, epsilon);
        let out = channels_first::<B>(B::float_add(out, channels_last::<B>(skip)));
        match Normalization.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = NormalizationState {
                    x,
                    weight,
                    statistics,
                    relu: None,
                };
                prep.finish(state, out)
            }
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }
}
