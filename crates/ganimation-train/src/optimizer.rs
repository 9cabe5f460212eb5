//! Adam over a whole network.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use ganimation_kernels::{AdamStep, Moments, adam_step};
use ganimation_model::{state_dict, take_gradients, update_parameters};

use crate::config::AdamConfig;

/// Gradients by parameter name, flat.
pub(crate) type Gradients = BTreeMap<String, Tensor<1>>;

/// Adam with its moments, by parameter name.
#[derive(Clone, Debug)]
pub struct Adam {
    config: AdamConfig,
    count: u32,
    moments: BTreeMap<String, Moments>,
}

impl Adam {
    /// A new optimiser, before its first step.
    pub fn new(config: AdamConfig) -> Self {
        Self {
            config,
            count: 0,
            moments: BTreeMap::new(),
        }
    }

    /// Takes one step of `module` to reduce `loss` (shape `[1]`) at learning rate `rate`. The step is in place unless
    /// the module has been cloned.
    ///
    /// A parameter that does not affect the loss has a gradient of zero. It still moves because of its moments, as in
    /// the PyTorch version of the released code.
    pub fn step<M: Module>(&mut self, module: &mut M, loss: &Tensor<1>, rate: f64) {
        let gradients = take_gradients(module, &mut loss.backward());
        self.step_against(module, gradients, rate);
    }

    /// [`Self::step`] with given gradients, flat, by parameter name.
    pub(crate) fn step_against<M: Module>(&mut self, module: &mut M, mut gradients: Gradients, rate: f64) {
        self.count += 1;
        let AdamConfig {
            beta_1,
            beta_2,
            epsilon,
            ..
        } = self.config;
        let step = AdamStep {
            learning_rate: rate,
            beta_1,
            beta_2,
            epsilon,
            count: self.count,
        };
        update_parameters(module, |name, values| {
            let gradient = gradients.remove(name).unwrap_or_else(|| values.zeros_like());
            let moments = self.moments.remove(name).unwrap_or_else(|| Moments {
                first: gradient.zeros_like(),
                second: gradient.zeros_like(),
            });
            let (values, moments) = adam_step(values, gradient, moments, step);
            self.moments.insert(name.to_owned(), moments);
            values
        });
    }

    /// A copy of this optimiser on `device`.
    pub(crate) fn copied(&self, device: &Device) -> Self {
        let moments = self.moments.iter().map(|(name, moments)| {
            let [first, second] =
                [&moments.first, &moments.second].map(|tensor| tensor.clone().to_device(device));
            (name.clone(), Moments { first, second })
        });
        Self {
            moments: moments.collect(),
            ..*self
        }
    }

    /// Steps taken so far.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The moments as named tensors, `first/…` and `second/…`.
    pub(crate) fn state(&self) -> Vec<(String, TensorData)> {
        let entry = |kind, name, tensor: &Tensor<1>| (format!("{kind}/{name}"), tensor.clone().into_data());
        self.moments
            .iter()
            .flat_map(|(name, moments)| {
                [
                    entry("first", name, &moments.first),
                    entry("second", name, &moments.second),
                ]
            })
            .collect()
    }

    /// Restores the optimiser after `count` steps of `module` from its [`state`](Self::state). It returns an error if
    /// the state does not fit the module.
    pub(crate) fn from_state<M: Module>(
        config: AdamConfig,
        count: u32,
        state: Vec<(String, TensorData)>,
        module: &M,
        device: &Device,
    ) -> Result<Self, String> {
        let mut state: BTreeMap<String, TensorData> = state.into_iter().collect();
        let mut moments = BTreeMap::new();
        for (name, values) in state_dict(module) {
            let mut take = |kind: &str| match state.remove(&format!("{kind}/{name}")) {
                Some(data) if data.num_elements() == values.num_elements() => {
                    Ok(Tensor::<1>::from_data(data, device))
                }
                Some(_) => Err(format!(
                    "moment {kind}/{name} has another size than the parameter"
                )),
                None => Err(format!("moment {kind}/{name} is missing")),
            };
            if count > 0 {
                let (first, second) = (take("first")?, take("second")?);
                moments.insert(name, Moments { first, second });
            }
        }
        match state.into_keys().next() {
            Some(name) => Err(format!("moment {name} belongs to no parameter")),
            None => Ok(Self {
                config,
                count,
                moments,
            }),
        }
    }
}
