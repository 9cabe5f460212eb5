//! Instance normalisation with PyTorch's parameter names. Orders can set its scale and shift.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::convolution::drawn;

/// Added to the variance, as in PyTorch.
const EPSILON: f64 = 1e-5;

/// Standard deviation of the initial weights of an [`OrderMap`].
const ORDER_STD: f64 = 0.02;

/// Factor of the orders before the map. Orders are in [-1, 1] and usually small.
const ORDER_GAIN: f64 = 2.0;

/// Normalises each channel of each image to mean 0 and variance 1, then scales and shifts it.
///
/// With orders, scale and shift depend on the orders `d`: `y = norm(x) (1 + γ) + β` with `[γ, β] = orders(2 d)`. In the
/// paper's network, constant planes add a constant to the first layer's output. The next norm removes it, except near
/// the image's border.
///
/// Burn's own layer names its parameters `gamma` and `beta`. The published files use `weight` and `bias`.
#[derive(Module, Debug)]
pub(crate) struct InstanceNorm {
    /// `[channels]`, initially 1.
    pub(crate) weight: Param<Tensor<1>>,
    /// `[channels]`, initially 0.
    pub(crate) bias: Param<Tensor<1>>,
    /// `None` if orders do not affect this norm.
    orders: Option<OrderMap>,
}

/// A linear map from orders to a norm's scales and shifts.
#[derive(Module, Debug)]
struct OrderMap {
    /// `[2 * channels, aus]`: the rows of the scales, then those of the shifts.
    weight: Param<Tensor<2>>,
}

impl InstanceNorm {
    pub(crate) fn new(channels: usize, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::ones([channels], device)),
            bias: Param::from_tensor(Tensor::zeros([channels], device)),
            orders: None,
        }
    }

    /// Makes scale and shift depend on orders of `aus` action units. The initial weights are drawn from N(0, 0.02).
    pub(crate) fn with_orders(mut self, aus: usize, device: &Device) -> Self {
        let [channels] = self.weight.dims();
        self.orders = Some(OrderMap {
            weight: drawn([2 * channels, aus], ORDER_STD, device),
        });
        self
    }

    /// `[batch, channels, h, w]` -> the same shape; `orders`: `[batch, aus]`, in [-1, 1].
    pub(crate) fn forward(&self, x: Tensor<4>, orders: Option<&Tensor<2>>) -> Tensor<4> {
        match self.ordered(orders) {
            Some([weight, bias]) => ganimation_kernels::instance_norm(x, weight, bias, EPSILON),
            None => ganimation_kernels::instance_norm(x, self.weight.val(), self.bias.val(), EPSILON),
        }
    }

    /// [`Self::forward`], then ReLU.
    pub(crate) fn forward_relu(&self, x: Tensor<4>, orders: Option<&Tensor<2>>) -> Tensor<4> {
        match self.ordered(orders) {
            Some([weight, bias]) => ganimation_kernels::instance_norm_relu(x, weight, bias, EPSILON),
            None => ganimation_kernels::instance_norm_relu(x, self.weight.val(), self.bias.val(), EPSILON),
        }
    }

    /// [`Self::forward`], then the sum with `skip`.
    pub(crate) fn forward_add(&self, x: Tensor<4>, orders: Option<&Tensor<2>>, skip: Tensor<4>) -> Tensor<4> {
        match self.ordered(orders) {
            Some([weight, bias]) => ganimation_kernels::instance_norm_add(x, weight, bias, skip, EPSILON),
            None => {
                let (weight, bias) = (self.weight.val(), self.bias.val());
                ganimation_kernels::instance_norm_add(x, weight, bias, skip, EPSILON)
            }
        }
    }

    /// Scale and shift of each image, `[batch, channels]` each, if orders set them.
    fn ordered(&self, orders: Option<&Tensor<2>>) -> Option<[Tensor<2>; 2]> {
        let (map, orders) = (self.orders.as_ref()?, orders?);
        let [channels] = self.weight.dims();
        let changes = (orders.clone() * ORDER_GAIN).matmul(map.weight.val().transpose());
        let scale = changes.clone().narrow(1, 0, channels) + 1.0;
        let shift = changes.narrow(1, channels, channels);
        let weight = self.weight.val().unsqueeze::<2>() * scale.clone();
        Some([weight, self.bias.val().unsqueeze::<2>() * scale + shift])
    }
}
