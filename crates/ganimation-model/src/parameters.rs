//! A network's parameters by their published names.

use std::collections::BTreeMap;
use std::mem;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};

use crate::{Error, Result};

/// Every parameter with its published name (`main.9.main.0.weight`), in the order of the network.
pub fn state_dict<M: Module>(module: &M) -> Vec<(String, TensorData)> {
    struct Collect {
        path: Path,
        entries: Vec<(String, TensorData)>,
    }
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.entries.push((self.path.name(), param.val().into_data()));
        }
    }
    let mut collect = Collect {
        path: Path::default(),
        entries: Vec::new(),
    };
    module.visit(&mut collect);
    collect.entries
}

/// `module` with every parameter replaced by the tensor of the same name, cast to the parameter's element type.
///
/// Parameters that have no values yet (Burn draws them at their first use) draw none: loading does not change the state
/// of Burn's global random generator.
///
/// # Errors
/// [`Error::MissingTensor`], [`Error::Shape`] or [`Error::ExtraTensors`]. A partly loaded module is never returned.
pub fn load_state_dict<M: Module>(module: M, mut tensors: BTreeMap<String, TensorData>) -> Result<M> {
    struct Load<'a> {
        path: Path,
        tensors: &'a mut BTreeMap<String, TensorData>,
        error: Option<Error>,
    }
    impl Load<'_> {
        fn take(&mut self, expected: Vec<usize>) -> Option<TensorData> {
            let name = self.path.name();
            let Some(data) = self.tensors.remove(&name) else {
                self.error.get_or_insert(Error::MissingTensor { name });
                return None;
            };
            let found = data.shape().to_vec();
            if found != expected {
                self.error.get_or_insert(Error::Shape {
                    name,
                    found,
                    expected,
                });
                return None;
            }
            Some(data)
        }
    }
    impl ModuleMapper for Load<'_> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let Some(data) = self.take(param.lazy_shape().to_vec()) else {
                return param;
            };
            let device = param.lazy_device();
            let dtype = if param.is_initialized() {
                param.val().dtype()
            } else {
                Tensor::<1>::empty([1], &device).dtype()
            };
            let id = param.id;
            param.transform_for_load(Tensor::from_data(data, (&device, dtype)), id)
        }
    }
    let mut load = Load {
        path: Path::default(),
        tensors: &mut tensors,
        error: None,
    };
    let module = module.map(&mut load);
    match load.error {
        Some(error) => Err(error),
        None if !tensors.is_empty() => Err(Error::ExtraTensors {
            names: tensors.into_keys().collect(),
        }),
        None => Ok(module),
    }
}

/// Draws the values of all parameters that have none yet, in the order of the fields. Burn draws each at its first use.
pub(crate) fn draw_parameters<M: Module>(module: &M) {
    struct Draw;
    impl ModuleVisitor for Draw {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            param.val();
        }
    }
    module.visit(&mut Draw);
}

/// `module` with every parameter replaced by `update(name, values)`.
///
/// `values` are flat, `[elements]`, and without autodiff. The result must have the same length. Whether a parameter
/// requires gradients does not change.
pub fn map_parameters<M, F>(module: M, update: F) -> M
where
    M: Module,
    F: FnMut(&str, Tensor<1>) -> Tensor<1>,
{
    struct Update<F> {
        path: Path,
        update: F,
    }
    impl<F: FnMut(&str, Tensor<1>) -> Tensor<1>> ModuleMapper for Update<F> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, old, mapper) = param.consume();
            let (shape, records, autodiff) = (old.shape(), old.is_require_grad(), old.is_autodiff());
            let values = old.without_autodiff().flatten(0, D - 1);
            let new = (self.update)(&self.path.name(), values).reshape(shape);
            let new = if autodiff {
                Tensor::from_inner(new).set_require_grad(records)
            } else {
                new
            };
            Param::from_mapped_value(id, new, mapper)
        }
    }
    module.map(&mut Update {
        path: Path::default(),
        update,
    })
}

/// [`map_parameters`] in place.
///
/// Unless the module has been cloned, `update` gets the only handle to the values, so operations can work in place.
pub fn update_parameters<M, F>(module: &mut M, update: F)
where
    M: Module,
    F: FnMut(&str, Tensor<1>) -> Tensor<1>,
{
    /// Empties a clone, so that it can temporarily replace the module without keeping its values.
    struct Empty;
    impl ModuleMapper for Empty {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, old, mapper) = param.consume();
            Param::from_mapped_value(id, Tensor::empty([1; D], &old.device()), mapper)
        }
    }
    let stand_in = module.clone().map(&mut Empty);
    *module = map_parameters(mem::replace(module, stand_in), update);
}

/// Removes the parameters' gradients from `gradients`. Returns them by name, each as `[elements]`.
pub fn take_gradients<M: Module>(module: &M, gradients: &mut Gradients) -> BTreeMap<String, Tensor<1>> {
    struct Take<'a> {
        path: Path,
        gradients: &'a mut Gradients,
        taken: BTreeMap<String, Tensor<1>>,
    }
    impl ModuleVisitor for Take<'_> {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = param.val().grad_remove(self.gradients) {
                self.taken.insert(self.path.name(), gradient.flatten(0, D - 1));
            }
        }
    }
    let mut take = Take {
        path: Path::default(),
        gradients,
        taken: BTreeMap::new(),
    };
    module.visit(&mut take);
    take.taken
}

/// The position of a traversal. An enum's variant is a step of the traversal, but not a part of the name.
#[derive(Default)]
struct Path(Vec<Option<String>>);

impl Path {
    fn enter(&mut self, name: &str, container: &str) {
        let visible = !container.starts_with("Enum:");
        self.0.push(visible.then(|| name.to_owned()));
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    fn name(&self) -> String {
        let visible: Vec<&str> = self.0.iter().flatten().map(String::as_str).collect();
        visible.join(".")
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::{DiscriminatorConfig, Generator, GeneratorConfig};

    fn generator() -> Generator {
        GeneratorConfig::new()
            .with_channels(2)
            .with_blocks(2)
            .init(&Device::flex())
    }

    #[test]
    fn generator_parameters_carry_the_published_names() {
        let names: Vec<String> = state_dict(&generator())
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let expected = [
            "main.0.weight",
            "main.1.weight",
            "main.1.bias",
            "main.3.weight",
            "main.4.weight",
            "main.4.bias",
            "main.6.weight",
            "main.7.weight",
            "main.7.bias",
            "main.9.main.0.weight",
            "main.9.main.1.weight",
            "main.9.main.1.bias",
            "main.9.main.3.weight",
            "main.9.main.4.weight",
            "main.9.main.4.bias",
            "main.10.main.0.weight",
            "main.10.main.1.weight",
            "main.10.main.1.bias",
            "main.10.main.3.weight",
            "main.10.main.4.weight",
            "main.10.main.4.bias",
            "main.11.weight",
            "main.12.weight",
            "main.12.bias",
            "main.14.weight",
            "main.15.weight",
            "main.15.bias",
            "img_reg.0.weight",
            "attetion_reg.0.weight",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn with_six_blocks_the_upward_path_starts_at_15() {
        let generator = GeneratorConfig::new().with_channels(2).init(&Device::flex());
        let names: Vec<String> = state_dict(&generator).into_iter().map(|(name, _)| name).collect();
        for name in [
            "main.14.main.4.bias",
            "main.15.weight",
            "main.16.weight",
            "main.18.weight",
            "main.19.bias",
        ] {
            assert!(
                names.iter().any(|found| found == name),
                "{name} is not among {names:?}"
            );
        }
    }

    #[test]
    fn discriminator_parameters_carry_the_published_names() {
        let discriminator = DiscriminatorConfig::new(64)
            .with_channels(1)
            .init(&Device::flex());
        let names: Vec<String> = state_dict(&discriminator)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let mut expected: Vec<String> = (0..6)
            .flat_map(|layer| ["weight", "bias"].map(|kind| format!("main.{}.{kind}", 2 * layer)))
            .collect();
        expected.extend(["conv1.weight".to_owned(), "conv2.weight".to_owned()]);
        assert_eq!(names, expected);
    }

    #[test]
    fn loading_a_state_dict_restores_every_value() {
        let saved = state_dict(&generator());
        let loaded = load_state_dict(generator(), saved.iter().cloned().collect()).unwrap();
        for ((name, expected), (_, found)) in saved.iter().zip(state_dict(&loaded)) {
            assert_eq!(expected, &found, "{name}");
        }
    }

    #[test]
    fn a_missing_an_extra_and_a_misshapen_tensor_are_named() {
        let saved: BTreeMap<_, _> = state_dict(&generator()).into_iter().collect();

        let mut missing = saved.clone();
        missing.remove("main.4.bias");
        let error = load_state_dict(generator(), missing).unwrap_err();
        assert_eq!(error.to_string(), "the weights lack tensor main.4.bias");

        let mut extra = saved.clone();
        extra.insert("main.99.weight".to_owned(), saved["main.1.bias"].clone());
        let error = load_state_dict(generator(), extra).unwrap_err();
        assert!(
            error.to_string().ends_with("does not have: main.99.weight"),
            "{error}"
        );

        let mut misshapen = saved.clone();
        misshapen.insert("main.1.bias".to_owned(), saved["main.4.bias"].clone());
        let error = load_state_dict(generator(), misshapen).unwrap_err();
        assert_eq!(
            error.to_string(),
            "tensor main.1.bias has shape [4]; the network expects [2]"
        );
    }

    #[test]
    fn updating_in_place_is_mapping() {
        for device in [Device::flex(), Device::flex().autodiff()] {
            let generator = GeneratorConfig::new()
                .with_channels(2)
                .with_blocks(1)
                .init(&device);
            let mut updated = generator.clone();
            update_parameters(&mut updated, |_, values| values * 3.0);
            let mapped = map_parameters(generator, |_, values| values * 3.0);
            assert_eq!(state_dict(&updated), state_dict(&mapped));
        }
    }

    #[test]
    fn mapping_parameters_keeps_shapes_and_recording() {
        let device = Device::flex().autodiff();
        let generator = GeneratorConfig::new()
            .with_channels(2)
            .with_blocks(1)
            .init(&device);
        let doubled = map_parameters(generator.clone(), |_, values| values * 2.0);
        for ((name, before), (_, after)) in state_dict(&generator).iter().zip(state_dict(&doubled)) {
            assert_eq!(before.shape(), after.shape(), "{name}");
            let twice: Vec<f32> = before.iter::<f32>().map(|value| 2.0 * value).collect();
            assert_eq!(twice, after.try_to_vec::<f32>().unwrap(), "{name}");
        }
        let loss = doubled
            .edit(
                Tensor::ones([1, 3, 8, 8], &device),
                Tensor::ones([1, crate::AU_COUNT], &device),
            )
            .color
            .sum();
        let taken = take_gradients(&doubled, &mut loss.backward());
        assert!(taken.contains_key("main.0.weight") && !taken.contains_key("main.99.weight"));
    }
}
