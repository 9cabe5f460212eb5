//! Weights: dictionaries of tensors. The tensors' elements are elsewhere in a PyTorch file.
//!
//! `torch.save` pickles a tensor as a call of `_rebuild_tensor` with a reference to its storage. This module reads
//! these references, names and shapes. The caller must find the storages' bytes.

use std::borrow::Cow;

use crate::machine::Machine;
use crate::numpy::Global;
use crate::store::{Object, Value};
use crate::{Outcome, PickleError, PickleProblem};

/// Limits. A checkpoint of two networks and their optimisers has a few hundred tensors in three levels of dictionaries.
const MAX_DEPTH: usize = 16;
const MAX_TENSORS: usize = 1 << 16;

/// The element type of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 64-bit floats.
    F64,
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// 16-bit floats with the range of 32-bit floats.
    Bf16,
    /// Integers or booleans with this number of bytes.
    Integer(usize),
}

impl Element {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Integer(size) => size,
        }
    }

    /// The element type of the storage class with this name.
    pub(crate) fn of_storage(class: &str) -> Option<Self> {
        Some(match class {
            "DoubleStorage" => Self::F64,
            "FloatStorage" => Self::F32,
            "HalfStorage" => Self::F16,
            "BFloat16Storage" => Self::Bf16,
            "LongStorage" => Self::Integer(8),
            "IntStorage" => Self::Integer(4),
            "ShortStorage" => Self::Integer(2),
            "CharStorage" | "ByteStorage" | "BoolStorage" => Self::Integer(1),
            _ => return None,
        })
    }

    /// A stand-in for the element type of a storage class that weights do not use, by its full name. Only its size is
    /// correct.
    fn of_other_storage(class: &str) -> Option<Self> {
        Some(Self::Integer(match class.strip_prefix("torch.")? {
            "ComplexDoubleStorage" => 16,
            "ComplexFloatStorage" => 8,
            "QInt32Storage" => 4,
            "QInt8Storage" | "QUInt8Storage" => 1,
            _ => return None,
        }))
    }
}

/// A storage elsewhere in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Its name in the file.
    pub key: String,
    /// Its element type.
    pub element: Element,
    /// Number of elements, according to the pickle.
    pub length: usize,
}

/// A view of a storage. It is not yet checked that the view is within the storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// The storage of its elements.
    pub storage: Storage,
    /// Index of its first element.
    pub offset: usize,
    /// Shape, outermost axis first.
    pub shape: Vec<usize>,
    /// Stride of each axis, in elements.
    pub strides: Vec<usize>,
}

/// The contents of a pickle of weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Tensors by their path through the dictionaries, joined with dots, in the file's order.
    pub tensors: Vec<(String, Tensor)>,
    /// Pickled networks (Python objects, not dictionaries), by path and class name.
    pub modules: Vec<(String, String)>,
    /// The element type of each named storage, also if none of its tensors was kept.
    pub elements: Vec<(String, Element)>,
    /// Length of the pickle, in bytes.
    pub end: usize,
}

/// Reads the tensors of a state dict, or of a checkpoint with state dicts.
///
/// # Errors
/// [`PickleError`] with the byte position if the bytes are not plain data with tensors.
pub fn weights_from_bytes(bytes: &[u8]) -> Result<Weights, PickleError> {
    Machine::new(bytes).with_storages().run(Machine::weights)
}

/// Reads the list of storages that follows the pickle in PyTorch's older streams, and its length in bytes.
///
/// # Errors
/// [`PickleError`] if the bytes are not a pickled list of text.
pub fn storage_keys(bytes: &[u8]) -> Result<(Vec<String>, usize), PickleError> {
    Machine::new(bytes).run(|machine| {
        let top = machine.store.pop()?;
        let Some(Object::List(keys)) = machine.store.object(top) else {
            return Err(machine.store.unexpected("a list of storages", top));
        };
        let keys = keys.clone();
        let mut names = Vec::new();
        for key in keys {
            let name = machine.store.text(key)?.to_owned();
            machine.charge(name.len())?;
            names.push(name);
        }
        Ok((names, machine.position()))
    })
}

/// Reads from an older stream whether the writing machine was little-endian, and the pickle's length.
///
/// # Errors
/// [`PickleError`] if the bytes are not a pickled dictionary.
pub fn is_little_endian(bytes: &[u8]) -> Result<(bool, usize), PickleError> {
    Machine::new(bytes).run(|machine| {
        let top = machine.store.pop()?;
        let Some(Object::Dict(pairs)) = machine.store.object(top) else {
            return Err(machine.store.unexpected("a dictionary about the system", top));
        };
        let little = pairs.iter().any(|&(key, value)| {
            matches!(machine.store.text(key), Ok("little_endian")) && value == Value::Bool(true)
        });
        Ok((little, machine.position()))
    })
}

impl Machine<'_> {
    /// Pushes the object of a persistent id: `('storage', class, key, location, length)`, or in older streams
    /// `('module', class, file, source)`.
    pub(crate) fn persistent(&mut self) -> Outcome<()> {
        let id = self.store.pop()?;
        if let &[tag, class, ..] = self.store.tuple(id)? {
            match (self.store.text(tag), class) {
                (Ok("module"), class) => return self.store.push(class),
                // An element type that weights do not have. Its size gives the position of the next storage.
                (Ok("storage"), Value::Global(Global::Other(name))) => {
                    let key = self.store.tuple(id)?.get(2);
                    let key = key.and_then(|&key| self.store.text(key).ok()).map(str::to_owned);
                    let element = Element::of_other_storage(self.store.name_of(name));
                    if let (Some(key), Some(element)) = (key, element) {
                        self.charge(key.len() + size_of::<(String, Element)>())?;
                        self.elements.push((key, element));
                    }
                    return self.store.create_opaque(class);
                }
                _ => {}
            }
        }
        let &[tag, class, key, _location, length, ref view @ ..] = self.store.tuple(id)? else {
            return Err(PickleProblem::Malformed("reference to a storage"));
        };
        if self.store.text(tag)? != "storage" || view.iter().any(|&part| part != Value::None) {
            return Err(PickleProblem::Unsupported(
                "a storage that is part of another is refused",
            ));
        }
        let Value::Global(Global::Storage(element)) = class else {
            return Err(self.store.unexpected("a storage class", class));
        };
        let storage = Storage {
            key: self.store.text(key)?.to_owned(),
            element,
            length: self.count(length)?,
        };
        self.charge(2 * storage.key.len() + size_of::<(String, Element)>())?;
        self.elements.push((storage.key.clone(), element));
        self.store.create(Object::Storage(storage))
    }

    /// `_rebuild_tensor(storage, offset, shape, strides)`.
    pub(crate) fn tensor(
        &mut self,
        storage: Value,
        offset: Value,
        shape: Value,
        strides: Value,
    ) -> Outcome<Object<'static>> {
        let Some(Object::Storage(storage)) = self.store.object(storage) else {
            return Err(self.store.unexpected("a storage", storage));
        };
        let counts = |values| -> Outcome<Vec<usize>> {
            let values = self.store.tuple(values)?;
            values.iter().map(|&value| self.count(value)).collect()
        };
        let tensor = Tensor {
            storage: storage.clone(),
            offset: self.count(offset)?,
            shape: counts(shape)?,
            strides: counts(strides)?,
        };
        if tensor.shape.len() != tensor.strides.len() {
            return Err(PickleProblem::Malformed(
                "tensor: as many strides as axes are needed",
            ));
        }
        self.charge(tensor.storage.key.len() + size_of::<[usize; 2]>() * tensor.shape.len())?;
        Ok(Object::Tensor(tensor))
    }

    /// `OrderedDict([[key, value], …])`, as Python 2 writes it.
    pub(crate) fn ordered(&mut self, items: Value) -> Outcome<Object<'static>> {
        let items = self.sequence(items)?;
        let pair = |&item| match self.sequence(item)? {
            &[key, value] => Ok((key, value)),
            _ => Err(PickleProblem::Malformed(
                "dictionary: keys and values in pairs are needed",
            )),
        };
        let pairs = items.iter().map(pair).collect::<Outcome<Vec<_>>>()?;
        self.charge(size_of::<[Value; 2]>() * pairs.len())?;
        Ok(Object::Dict(pairs))
    }

    fn sequence(&self, value: Value) -> Outcome<&[Value]> {
        match self.store.object(value) {
            Some(Object::List(values)) => Ok(values),
            Some(Object::Tuple(values)) => Ok(values),
            _ => Err(self.store.unexpected("a list", value)),
        }
    }

    fn count(&self, value: Value) -> Outcome<usize> {
        let Value::Int(count) = value else {
            return Err(self.store.unexpected("a count", value));
        };
        usize::try_from(count)
            .ok()
            .ok_or(PickleProblem::Malformed("count: it is negative"))
    }

    /// Every tensor below the top of the stack. Other objects are skipped.
    fn weights(&mut self) -> Outcome<Weights> {
        let top = self.store.pop()?;
        let (mut tensors, mut modules) = (Vec::new(), Vec::new());
        let mut open = vec![(top, String::new(), 0)];
        let (mut visited, mut budget) = (0, self.budget);
        // A name can occur in many places. Each copy counts, before it is made.
        let mut charge = |bytes: usize| {
            budget = budget.checked_sub(bytes).ok_or(self.over_budget())?;
            Ok(())
        };
        while let Some((value, path, depth)) = open.pop() {
            let below: Below<'_> = match self.store.object(value) {
                Some(Object::Tensor(tensor)) => {
                    charge(tensor.storage.key.len() + size_of::<[usize; 2]>() * tensor.shape.len())?;
                    tensors.push((path, tensor.clone()));
                    continue;
                }
                Some(&Object::Opaque { class, module: true }) => {
                    let class = self.store.name_of(class);
                    charge(class.len())?;
                    modules.push((path, class.to_owned()));
                    continue;
                }
                Some(Object::Dict(pairs)) => Box::new(pairs.iter().rev().map(|&pair| self.named(pair))),
                Some(Object::List(values)) => numbered(values),
                Some(Object::Tuple(values)) => numbered(values),
                _ => continue,
            };
            for (key, value) in below {
                // A dictionary can also occur in many places.
                visited += 1;
                if visited > MAX_TENSORS || depth == MAX_DEPTH {
                    let what = "tensors, or dictionaries too deep within one another";
                    return Err(PickleProblem::Limit {
                        what,
                        limit: MAX_TENSORS,
                    });
                }
                charge(path.len() + key.len() + 1)?;
                let path = if path.is_empty() {
                    key.into_owned()
                } else {
                    format!("{path}.{key}")
                };
                open.push((value, path, depth + 1));
            }
        }
        // For equal names the last one is used, as in Python's dictionaries.
        Ok(Weights {
            tensors,
            modules,
            elements: std::mem::take(&mut self.elements),
            end: self.position(),
        })
    }

    /// A dictionary's key as part of a name, and its value.
    fn named(&self, (key, value): (Value, Value)) -> (Cow<'_, str>, Value) {
        let name = match key {
            Value::Int(number) => number.to_string().into(),
            other => self.store.text(other).unwrap_or("?").into(),
        };
        (name, value)
    }
}

/// The contents of a container by name, from last to first.
type Below<'a> = Box<dyn Iterator<Item = (Cow<'a, str>, Value)> + 'a>;

fn numbered(values: &[Value]) -> Below<'_> {
    let numbered = values.iter().enumerate().rev();
    Box::new(numbered.map(|(index, &value)| (index.to_string().into(), value)))
}
