//! One step of Adam on a flat parameter.

use burn::tensor::Tensor;

/// Adam's running averages of a parameter's gradient, zero before the first step.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Average of the gradient, `[elements]`.
    pub first: Tensor<1>,
    /// Average of the squared gradient, `[elements]`, at least 0.
    pub second: Tensor<1>,
}

/// The scalars of an Adam step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Learning rate, above 0.
    pub learning_rate: f64,
    /// Decay of the first moment, in `[0, 1)`.
    pub beta_1: f64,
    /// Decay of the second moment, in `[0, 1)`.
    pub beta_2: f64,
    /// Added to the denominator, above 0.
    pub epsilon: f64,
    /// Number of this step, counted from 1, for the bias correction of the moments.
    pub count: u32,
}

impl AdamStep {
    /// `1 - beta^count` for both moments.
    fn corrections(&self) -> [f64; 2] {
        // Above this power, both corrections are 1 in f64 for any usual beta.
        let count = i32::try_from(self.count).unwrap_or(i32::MAX);
        [self.beta_1, self.beta_2].map(|beta| 1.0 - beta.powi(count))
    }

    /// `rate / (1 - beta_1^count)`.
    pub(crate) fn step_size(&self) -> f64 {
        self.learning_rate / self.corrections()[0]
    }

    /// `1 / sqrt(1 - beta_2^count)`.
    pub(crate) fn deviation_scale(&self) -> f64 {
        self.corrections()[1].sqrt().recip()
    }
}

/// Takes one Adam step of `param` with the gradient `grad`, exactly like `torch.optim.Adam` without weight decay.
///
/// ```text
/// first  = beta_1 first  + (1 - beta_1) grad
/// second = beta_2 second + (1 - beta_2) grad^2
/// param  = param - rate / (1 - beta_1^count) * first / (sqrt(second) / sqrt(1 - beta_2^count) + epsilon)
/// ```
///
/// The tensors must be without autodiff. If the arguments are the only handles to `param` and `moments`, the kernels
/// work in place.
///
/// # Shapes
/// All `[elements]`.
///
/// # Panics
/// If the four tensors' sizes differ or `step.count` is 0.
pub fn adam_step(
    param: Tensor<1>,
    grad: Tensor<1>,
    moments: Moments,
    step: AdamStep,
) -> (Tensor<1>, Moments) {
    let [elements] = param.dims();
    for (name, tensor) in [
        ("gradient", &grad),
        ("first moment", &moments.first),
        ("second moment", &moments.second),
    ] {
        let [other] = tensor.dims();
        assert_eq!(
            other, elements,
            "adam: a {name} of {other} elements for {elements} parameters"
        );
    }
    assert!(
        step.count > 0,
        "adam: the step count is {}, the first is 1",
        step.count
    );
    #[cfg(feature = "flex")]
    if crate::flex::runs(&param) {
        return crate::flex::adam_step(param, grad, moments, step);
    }
    composite(param, grad, moments, step)
}

fn composite(param: Tensor<1>, grad: Tensor<1>, moments: Moments, step: AdamStep) -> (Tensor<1>, Moments) {
    let squared = grad.clone() * grad.clone();
    let first = moments.first * step.beta_1 + grad * (1.0 - step.beta_1);
    let second = moments.second * step.beta_2 + squared * (1.0 - step.beta_2);
    let denominator = second.clone().sqrt() * step.deviation_scale() + step.epsilon;
    let param = param - first.clone() * step.step_size() / denominator;
    (param, Moments { first, second })
}
