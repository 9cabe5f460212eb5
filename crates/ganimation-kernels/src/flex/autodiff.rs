//! The kernels' backward passes. Gradients that no parent asks for are not computed.

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
    Kernels, activation, adam, conv,
    geometry::Geometry,
    norm::{self, Statistics},
    real::dims,
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
}

impl<const N: usize> Backward<Flex, N> for Convolution {
    type State = ConvolutionState;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let ConvolutionState { geometry, x, weight } = ops.state;
        let mut parents = ops.parents.into_iter();
        if let Some(node) = parents.next().flatten() {
            grads.register::<Flex>(node.id, conv::image_gradient(&geometry, &grad, &weight));
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
    type State = ConvolutionState;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let ConvolutionState { geometry, x, weight } = ops.state;
        let [x_node, weight_node] = ops.parents;
        if let Some(node) = x_node {
            let [stride, padding] = [geometry.stride, geometry.padding[0]];
            grads.register::<Flex>(node.id, conv::forward(&grad, &weight, None, stride, padding));
        }
        if let Some(node) = weight_node {
            grads.register::<Flex>(node.id, conv::weight_gradient(&geometry, &grad, &x));
        }
    }
}

/// Instance normalisation; its parents are the image, the scale and the shift.
#[derive(Debug)]
struct Normalization;

#[derive(Debug, Clone)]
struct NormalizationState {
    x: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    statistics: Statistics,
    rectify: bool,
}

impl Backward<Flex, 3> for Normalization {
    type State = NormalizationState;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let NormalizationState {
            x,
            weight,
            bias,
            statistics,
            rectify,
        } = ops.state;
        let gradients = norm::backward(&x, &weight, &bias, &statistics, rectify, grad);
        let gradients = [gradients.x, gradients.weight, gradients.bias];
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, gradient);
            }
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
            grads.register::<Flex>(node.id, activation::leak_backward(&output, grad, slope));
        }
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
        let out = conv::forward(&x, &weight, None, stride, padding);
        match Convolution.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(of_image(x, weight, stride, padding), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn convolve_with_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: usize,
        padding: usize,
    ) -> FloatTensor<Self> {
        let parents = [x.node(), weight.node(), bias.node()];
        let (x, weight) = (x.into_primitive(), weight.into_primitive());
        let out = conv::forward(&x, &weight, Some(bias.primitive()), stride, padding);
        match Convolution.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(of_image(x, weight, stride, padding), out),
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
        let out = conv::transposed(&x, &weight, stride, padding);
        match TransposedConvolution
            .prepare::<C>(parents)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => {
                let [_, _, rows, columns] = dims(&x);
                let geometry = Geometry::of_grid([rows, columns], dims(&weight), stride, padding);
                prep.finish(ConvolutionState { geometry, x, weight }, out)
            }
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn normalize(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        rectify: bool,
    ) -> FloatTensor<Self> {
        let parents = [x.node(), weight.node(), bias.node()];
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive());
        let (out, statistics) = norm::forward(&x, &weight, &bias, epsilon, rectify);
        match Normalization.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let state = NormalizationState {
                    x,
                    weight,
                    bias,
                    statistics,
                    rectify,
                };
                prep.finish(state, out)
            }
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn leak(x: FloatTensor<Self>, slope: f64) -> FloatTensor<Self> {
        let parents = [x.node()];
        let out = activation::leak(x.into_primitive(), slope);
        match Leak.prepare::<C>(parents).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((out.clone(), slope), out),
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

fn of_image(x: FlexTensor, weight: FlexTensor, stride: usize, padding: usize) -> ConvolutionState {
    let [_, _, height, width] = dims(&x);
    let geometry = Geometry::of_image([height, width], dims(&weight), stride, padding);
    ConvolutionState { geometry, x, weight }
}
