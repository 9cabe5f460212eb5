//! The kernels' backward passes. Gradients that no parent needs are not computed.

use burn::backend::{
    Autodiff, Flex,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    flex::FlexTensor,
    tensor::FloatTensor,
};

use super::{
    Kept, Kernels, activation, adam, border, conv,
    geometry::Geometry,
    image::{Images, dims},
    norm::{self, After, Statistics},
    of_grid, of_image, warp,
};
use crate::adam::AdamStep;

/// A convolution; its parents are the image, the weight and, if there are three, the bias.
#[derive(Debug)]
struct Convolution;

#[derive(Debug, Clone)]
struct ConvolutionState {
    geometry: Geometry,
    x: FlexTensor,
    weight: FlexTensor,
    /// The output and the slope below 0 of the leaky ReLU at its end.
    leak: Option<(FlexTensor, f64)>,
}

impl<const N: usize> Backward<Flex, N> for Convolution {
    type State = ConvolutionState;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut grad = grads.consume::<Flex>(&ops.node);
        let ConvolutionState {
            geometry,
            x,
            weight,
            leak,
        } = ops.state;
        if let Some((output, slope)) = leak {
            grad = activation::scale_by_slope(&output, grad, slope);
        }
        let mut parents = ops.parents.into_iter();
        if let Some(node) = parents.next().flatten() {
            grads.register::<Flex>(node.id, conv::adjoint(&geometry, &grad, &weight));
        }
        if let Some(node) = parents.next().flatten() {
            grads.register::<Flex>(node.id, conv::weight_gradient(&geometry, &x, &grad));
        }
        if let Some(node) = parents.next().flatten() {
            grads.register::<Flex>(node.id, conv::bias_gradient(&grad));
        }
    }
}

/// A transposed convolution: the roles of image and grid are exchanged.
#[derive(Debug)]
struct TransposedConvolution;

impl Backward<Flex, 2> for TransposedConvolution {
    type State = (Geometry, FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let (geometry, x, weight) = ops.state;
        let [x_node, weight_node] = ops.parents;
        if let Some(node) = x_node {
            grads.register::<Flex>(node.id, conv::forward(&geometry, &grad, &weight, None, None));
        }
        if let Some(node) = weight_node {
            grads.register::<Flex>(node.id, conv::weight_gradient(&geometry, &grad, &x));
        }
    }
}

/// Instance normalisation; its parents are the image, the scale, the shift and, if there are four, the skip.
#[derive(Debug)]
struct Normalization;

#[derive(Debug, Clone)]
struct NormalizationState {
    x: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    statistics: Statistics,
    after: After,
}

impl<const N: usize> Backward<Flex, N> for Normalization {
    type State = NormalizationState;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let NormalizationState {
            x,
            weight,
            bias,
            statistics,
            after,
        } = ops.state;
        if let Some(skip) = ops.parents.get(3).and_then(Option::as_ref) {
            grads.register::<Flex>(skip.id, grad.clone());
        }
        let gradients = norm::backward(&x, &weight, &bias, &statistics, after, grad);
        let gradients = [gradients.x, gradients.weight, gradients.bias];
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

/// A warp; its parents are the image and the field.
#[derive(Debug)]
struct Warp;

impl Backward<Flex, 2> for Warp {
    type State = (Images, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = Images::new(&grads.consume::<Flex>(&ops.node));
        let (x, field) = ops.state;
        let [x_node, field_node] = ops.parents;
        if let Some(node) = x_node {
            grads.register::<Flex>(node.id, warp::image_gradient(&field, &grad).into_tensor());
        }
        if let Some(node) = field_node {
            grads.register::<Flex>(node.id, warp::field_gradient(&x, &field, &grad).into_tensor());
        }
    }
}

/// An addition of values that depend on the distance to the border; its parents are the image and the values.
#[derive(Debug)]
struct BorderSum;

impl Backward<Flex, 2> for BorderSum {
    /// The number of kinds.
    type State = usize;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let [x_node, kinds_node] = ops.parents;
        if let Some(node) = kinds_node {
            grads.register::<Flex>(node.id, border::sum(&grad, ops.state));
        }
        if let Some(node) = x_node {
            grads.register::<Flex>(node.id, grad);
        }
    }
}

/// A leaky ReLU.
#[derive(Debug)]
struct Leak;

impl Backward<Flex, 1> for Leak {
    type State = (FlexTensor, f64);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let (output, slope) = ops.state;
        let [node] = ops.parents;
        if let Some(node) = node {
            grads.register::<Flex>(node.id, activation::scale_by_slope(&output, grad, slope));
        }
    }
}

/// Multiplication by a leaky ReLU's slope, a constant.
#[derive(Debug)]
struct SlopeScaling;

impl Backward<Flex, 1> for SlopeScaling {
    type State = (FlexTensor, f64);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        Leak.backward(ops, grads, checkpointer);
    }
}

impl<C: CheckpointStrategy> Kernels for Autodiff<Flex, C> {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let parents = [x.node(), weight.node()];
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let geometry = of_image(&x, &weight, stride, padding);
        let out = conv::forward(&geometry, &x, &weight, None, None);
        match Convolution.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = ConvolutionState {
                    geometry,
                    x,
                    weight,
                    leak: None,
                };
                prep.finish(state, out)
            }
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn convolve_with_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
        padding: usize,
        slope: Option<f64>,
    ) -> FloatTensor<Self> {
        let parents = [x.node(), weight.node(), bias.node()];
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let geometry = of_image(&x, &weight, stride, padding);
        let out = conv::forward(&geometry, &x, &weight, Some(bias.primitive()), slope);
        match Convolution.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = ConvolutionState {
                    geometry,
                    x,
                    weight,
                    leak: slope.map(|slope| (out.clone(), slope)),
                };
                prep.finish(state, out)
            }
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn convolve_transposed(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let parents = [x.node(), weight.node()];
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let geometry = of_grid(&x, &weight, stride, padding);
        let out = conv::adjoint(&geometry, &x, &weight);
        match TransposedConvolution
            .prepare::<C>(parents)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish((geometry, x, weight), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn prepare(
        weight: FloatTensor<Self>,
        stride: usize,
        padding: usize,
        transposed: bool,
        kept: Kept,
    ) -> FloatTensor<Self> {
        Flex::prepare(weight.primitive().clone(), stride, padding, transposed, kept);
        weight
    }

    fn normalize(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        after: After,
    ) -> FloatTensor<Self> {
        let parents = [x.node(), weight.node(), bias.node()];
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
        let (out, statistics) = norm::forward(&x, &weight, &bias, None, epsilon, after);
        match Normalization.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = NormalizationState {
                    x,
                    weight,
                    bias,
                    statistics,
                    after,
                };
                prep.finish(state, out)
            }
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn normalize_and_add(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let parents = [x.node(), weight.node(), bias.node(), skip.node()];
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
        let after = After::Nothing;
        let (out, statistics) = norm::forward(&x, &weight, &bias, Some(skip.primitive()), epsilon, after);
        match Normalization.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = NormalizationState {
                    x,
                    weight,
                    bias,
                    statistics,
                    after,
                };
                prep.finish(state, out)
            }
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn warp(x: FloatTensor<Self>, field: FloatTensor<Self>) -> FloatTensor<Self> {
        let parents = [x.node(), field.node()];
        let x = Images::new(x.primitive());
        let field = warp::planes(field.primitive());
        let out = warp::forward(&x, &field).into_tensor();
        match Warp.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x, field), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn add_by_border(x: FloatTensor<Self>, kinds: FloatTensor<Self>) -> FloatTensor<Self> {
        let parents = [x.node(), kinds.node()];
        let kinds = kinds.into_primitive();
        let [_, _, count, _] = dims(&kinds);
        let out = border::add(x.into_primitive(), &kinds);
        match BorderSum.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(count, out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn leak(x: FloatTensor<Self>, slope: f64) -> FloatTensor<Self> {
        let parents = [x.node()];
        let out = activation::forward(x.into_primitive(), slope);
        match Leak.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((out.clone(), slope), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn scale_by_slope(sign: FloatTensor<Self>, x: FloatTensor<Self>, slope: f64) -> FloatTensor<Self> {
        let parents = [x.node()];
        let sign = sign.into_primitive();
        let out = activation::scale_by_slope(&sign, x.into_primitive(), slope);
        match SlopeScaling.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((sign, slope), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    /// Not differentiable: the results are constants.
    fn descend(
        param: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        step: AdamStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [param, grad, first, second] = [param, grad, first, second].map(|tensor| tensor.into_primitive());
        let (param, first, second) = adam::descend(param, &grad, first, second, step);
        (constant::<C>(param), constant::<C>(first), constant::<C>(second))
    }
}

fn constant<C: CheckpointStrategy>(tensor: FlexTensor) -> FloatTensor<Autodiff<Flex, C>> {
    <Autodiff<Flex, C> as burn::backend::AutodiffBackend>::from_inner(tensor)
}
