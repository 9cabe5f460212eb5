//! Adam over a whole network.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use ganimation_kernels::{AdamStep, Moments, adam_step};
use ganimation_model::{map_parameters, take_gradients};

use crate::config::AdamConfig;

/// Adam with its moments, by parameter name.
#[derive(Clone, Debug)]
pub struct Adam {
    config: AdamConfig,
    count: u32,
    moments: BTreeMap<String, Moments>,
}

impl Adam {
    /// An optimiser that has taken no step yet.
    pub fn new(config: AdamConfig) -> Self {
        Self {
            config,
            count: 0,
            moments: BTreeMap::new(),
        }
    }

    /// Takes one step down `loss` (shape `[1]`) at `rate`; parameters without a gradient stay.
    pub fn step<M: Module>(&mut self, module: M, loss: &Tensor<1>, rate: f64) -> M {
        let mut gradients = take_gradients(&module, &mut loss.backward());
        self.count += 1;
        let AdamConfig {
            beta_1,
            beta_2,
            epsilon,
            ..
        } = self.config;
        let step = AdamStep {
            rate,
            beta_1,
            beta_2,
            epsilon,
            count: self.count,
        };
        map_parameters(module, |name, values| {
            let Some(gradient) = gradients.remove(name) else {
                return values;
            };
            let moments = self.moments.remove(name).unwrap_or_else(|| Moments {
                first: gradient.zeros_like(),
                second: gradient.zeros_like(),
            });
            let (values, moments) = adam_step(values, gradient, moments, step);
            self.moments.insert(name.to_owned(), moments);
            values
        })
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

    /// The optimiser that had taken `count` steps and had this [`state`](Self::state); the names of tensors that
    /// belong to no pair are the error.
    pub(crate) fn from_state(
        config: AdamConfig,
        count: u32,
        state: Vec<(String, TensorData)>,
        device: &Device,
    ) -> Result<Self, Vec<String>> {
        let mut halves: BTreeMap<String, TensorData> = state.into_iter().collect();
        let names: Vec<String> = halves
            .keys()
            .filter_map(|key| key.strip_prefix("first/"))
            .map(str::to_owned)
            .collect();
        let mut moments = BTreeMap::new();
        for name in names {
            let mut take = |kind| {
                let data = halves.remove(&format!("{kind}/{name}"))?;
                Some(Tensor::from_data(data, device))
            };
            if let (Some(first), Some(second)) = (take("first"), take("second")) {
                moments.insert(name, Moments { first, second });
            }
        }
        if halves.is_empty() {
            Ok(Self {
                config,
                count,
                moments,
            })
        } else {
            Err(halves.into_keys().collect())
        }
    }
}
