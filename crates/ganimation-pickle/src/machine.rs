//! The machine that interprets a pickle. Every step consumes input, and all bytes copied from the input
//! are counted against a budget, so that memory is linear in the size of the file.

use std::borrow::Cow;

use crate::input::Input;
use crate::numpy::{Dtype, Global};
use crate::opcodes as op;
use crate::store::{Object, Store, Value};
use crate::torch::Element;
use crate::{Outcome, PickleError, PickleProblem};

/// Memory limit in bytes per byte of the file. The densest form, an i4 array, doubles as f64, and
/// labels are copied once more. The rest is for arrays that several ids refer to.
const EXPANSION: usize = 32;

/// Runs one pickle.
pub(crate) struct Machine<'a> {
    input: Input<'a>,
    pub(crate) store: Store<'a>,
    /// Bytes that can still be copied from the file.
    pub(crate) budget: usize,
    budget_limit: usize,
    storages: bool,
    /// The element types of named storages.
    pub(crate) elements: Vec<(String, Element)>,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let budget = bytes.len().saturating_mul(EXPANSION).saturating_add(1 << 20);
        Self {
            input: Input::new(bytes),
            store: Store::default(),
            budget,
            budget_limit: budget,
            storages: false,
            elements: Vec::new(),
        }
    }

    /// Allows tensors with storages outside the pickle. Otherwise references to storages are refused.
    pub(crate) fn with_storages(mut self) -> Self {
        self.storages = true;
        self
    }

    /// Number of bytes read from the pickle.
    pub(crate) fn position(&self) -> usize {
        self.input.position()
    }

    /// Runs until STOP and extracts the result with `result`.
    pub(crate) fn run<T>(mut self, result: impl FnOnce(&mut Self) -> Outcome<T>) -> Result<T, PickleError> {
        loop {
            let position = self.input.position();
            let placed = |problem| PickleError { position, problem };
            match self.input.byte().map_err(placed)? {
                op::STOP => return result(&mut self).map_err(placed),
                opcode => self.step(opcode).map_err(placed)?,
            }
        }
    }

    fn step(&mut self, opcode: u8) -> Outcome<()> {
        let Self { input, store, .. } = self;
        match opcode {
            op::PROTO => match input.byte()? {
                0..=5 => Ok(()),
                _ => Err(PickleProblem::Unsupported("a pickle protocol above 5")),
            },
            op::FRAME => input.take(8).map(drop),

            op::NONE => store.push(Value::None),
            op::NEWTRUE => store.push(Value::Bool(true)),
            op::NEWFALSE => store.push(Value::Bool(false)),
            op::INT => store.push(int_or_bool(input)?),
            op::BININT => store.push(Value::Int(i32::from_le_bytes(input.array()?).into())),
            op::BININT1 => store.push(Value::Int(input.byte()?.into())),
            op::BININT2 => store.push(Value::Int(u16::from_le_bytes(input.array()?).into())),
            op::LONG => store.push(Value::Int(input.number_line()?)),
            op::LONG1 => store.push(input.long::<1>(self.storages)?),
            op::LONG4 => store.push(input.long::<4>(self.storages)?),
            op::FLOAT => store.push(Value::Float(input.number_line()?)),
            op::BINFLOAT => store.push(Value::Float(f64::from_be_bytes(input.array()?))),

            op::STRING => store.create(Object::Bytes(input.quoted_line()?.into())),
            op::SHORT_BINSTRING | op::SHORT_BINBYTES => {
                store.create(Object::Bytes(input.bytes::<1>()?.into()))
            }
            op::BINSTRING | op::BINBYTES => store.create(Object::Bytes(input.bytes::<4>()?.into())),
            op::BINBYTES8 | op::BYTEARRAY8 => store.create(Object::Bytes(input.bytes::<8>()?.into())),
            op::UNICODE => store.create(Object::Text(input.escaped_line()?.into())),
            op::SHORT_BINUNICODE => store.create(Object::Text(input.text::<1>()?.into())),
            op::BINUNICODE => store.create(Object::Text(input.text::<4>()?.into())),
            op::BINUNICODE8 => store.create(Object::Text(input.text::<8>()?.into())),

            op::EMPTY_TUPLE => store.create_tuple(0),
            op::TUPLE1 => store.create_tuple(1),
            op::TUPLE2 => store.create_tuple(2),
            op::TUPLE3 => store.create_tuple(3),
            op::TUPLE => {
                let values = store.above_mark()?;
                store.create(Object::Tuple(values.into()))
            }
            op::EMPTY_LIST => store.create(Object::List(Vec::new())),
            op::LIST => {
                let values = store.above_mark()?;
                store.create(Object::List(values))
            }
            op::APPEND => {
                let value = store.pop()?;
                store.append(&[value])
            }
            op::APPENDS => {
                let values = store.above_mark()?;
                store.append(&values)
            }
            op::EMPTY_DICT => store.create(Object::Dict(Vec::new())),
            op::DICT => {
                let values = store.above_mark()?;
                store.create(Object::Dict(Vec::new()))?;
                store.set_items(&values)
            }
            op::SETITEM => {
                let (value, key) = (store.pop()?, store.pop()?);
                store.set_items(&[key, value])
            }
            op::SETITEMS => {
                let values = store.above_mark()?;
                store.set_items(&values)
            }

            op::MARK => store.mark(),
            op::POP_MARK => store.above_mark().map(drop),
            op::POP => store.discard(),
            op::DUP => store.top().and_then(|value| store.push(value)),

            op::GET => store.get(input.number_line()?),
            op::BINGET => store.get(input.byte()?.into()),
            op::LONG_BINGET => store.get(u32::from_le_bytes(input.array()?).into()),
            op::PUT => store.put(input.number_line()?),
            op::BINPUT => store.put(input.byte()?.into()),
            op::LONG_BINPUT => store.put(u32::from_le_bytes(input.array()?).into()),
            op::MEMOIZE => store.memoize(),

            op::GLOBAL => {
                let (module, name) = (input.line()?, input.line()?);
                self.global(module, name)
            }
            op::STACK_GLOBAL => {
                let (name, module) = (store.pop()?, store.pop()?);
                let (module, name) = (store.text(module)?.to_owned(), store.text(name)?.to_owned());
                self.charge(module.len() + name.len())?;
                self.global(&module, &name)
            }
            op::BINPERSID if self.storages => self.persistent(),
            // Objects other than weights are skipped.
            op::NEWOBJ if self.storages => {
                let (_arguments, class) = (store.pop()?, store.pop()?);
                store.create_opaque(class)
            }
            op::NEWOBJ_EX if self.storages => {
                let (_named, _arguments, class) = (store.pop()?, store.pop()?, store.pop()?);
                store.create_opaque(class)
            }
            op::INST if self.storages => {
                let (module, name) = (input.line()?, input.line()?);
                store.above_mark()?;
                self.global(module, name)?;
                let class = self.store.pop()?;
                self.store.create_opaque(class)
            }
            op::OBJ if self.storages => {
                let values = store.above_mark()?;
                store.create_opaque(values.first().copied().unwrap_or(Value::None))
            }
            op::EMPTY_SET if self.storages => store.create(Object::List(Vec::new())),
            op::ADDITEMS if self.storages => {
                let values = store.above_mark()?;
                store.append(&values)
            }
            op::FROZENSET if self.storages => {
                let values = store.above_mark()?;
                store.create(Object::Tuple(values.into()))
            }
            op::REDUCE => self.reduce(),
            op::BUILD => self.build(),

            _ => Err(match op::refused(opcode) {
                Some(name) => PickleProblem::RefusedOpcode(name),
                None => PickleProblem::UnknownOpcode(opcode),
            }),
        }
    }

    /// Pushes a global. In files of weights, unknown globals are skipped.
    fn global(&mut self, module: &str, name: &str) -> Outcome<()> {
        let global = if !self.storages {
            Global::find(module, name)?
        } else if let Some(global) = Global::of_weights(module, name) {
            global
        } else if Global::runs_code(module, name) {
            return Err(PickleProblem::RefusedGlobal {
                module: module.to_owned(),
                name: name.to_owned(),
            });
        } else {
            self.charge(size_of::<String>() + module.len() + name.len() + 1)?;
            Global::Other(self.store.name(module, name))
        };
        self.store.push(Value::Global(global))
    }

    /// Calls one of the allowed globals, which make data from data. In files of weights, other calls make skipped
    /// objects.
    fn reduce(&mut self) -> Outcome<()> {
        let (arguments, callee) = (self.store.pop()?, self.store.pop()?);
        if self.storages && self.is_beside_weights(callee, arguments) {
            return self.store.create_opaque(callee);
        }
        let Value::Global(global) = callee else {
            return Err(self.store.unexpected("an allowed global", callee));
        };
        let object = match (global, self.store.tuple(arguments)?) {
            (Global::Reconstruct, &[Value::Global(Global::NdArray), _, _]) => Object::Array(None),
            (Global::Dtype, &[code, ..]) => Object::Dtype(Dtype::parse(self.store.text(code)?)?),
            (Global::FromBuffer, &[buffer, dtype, shape, _order]) => self.array(buffer, dtype, shape)?,
            (Global::Encode, &[text, codec]) => self.encode(text, codec)?,
            (Global::OrderedDict, &[]) => Object::Dict(Vec::new()),
            (Global::OrderedDict, &[items]) => self.ordered(items)?,
            (Global::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                self.tensor(storage, offset, shape, strides)?
            }
            // A parameter is its tensor.
            (Global::RebuildParameter, &[tensor, ..]) => return self.store.push(tensor),
            (Global::Bytes, &[]) => Object::Bytes(Cow::Borrowed(&[])),
            _ => return Err(PickleProblem::Unsupported("a call with unknown arguments")),
        };
        self.store.create(object)
    }

    /// Whether a call makes an object that is not part of weights.
    fn is_beside_weights(&self, callee: Value, arguments: Value) -> bool {
        let Ok(arguments) = self.store.tuple(arguments) else {
            return true;
        };
        match callee {
            Value::Global(Global::RebuildTensor) => {
                let storage = arguments.first().and_then(|&storage| self.store.object(storage));
                matches!(storage, Some(Object::Opaque { .. }))
            }
            Value::Global(Global::OrderedDict) => {
                // The items, or the arguments of a `defaultdict`.
                matches!(arguments, [Value::Global(_) | Value::None, ..])
            }
            Value::Global(Global::Encode | Global::Bytes | Global::RebuildParameter) => false,
            _ => true,
        }
    }

    /// Sets the state of the array or the element type on top of the stack.
    fn build(&mut self) -> Outcome<()> {
        let (state, target) = (self.store.pop()?, self.store.top()?);
        if let Some(Object::Dict(_)) = self.store.object(target) {
            return Ok(()); // attributes of an `OrderedDict`, such as the versions of a network's modules
        }
        if self.storages {
            if let Some(&Object::Opaque { class, .. }) = self.store.object(target) {
                let module = self.is_module_state(state);
                self.store.replace(target, Object::Opaque { class, module });
            }
            return Ok(());
        }
        let state = self.store.tuple(state)?;
        let built = match (self.store.object(target), state) {
            (Some(Object::Array(_)), &[_version, shape, dtype, _fortran, data]) => {
                self.array(data, dtype, shape)?
            }
            (Some(&Object::Dtype(dtype)), &[_version, order, ref fields @ ..]) => {
                if fields.iter().take(3).any(|&part| part != Value::None) {
                    return Err(PickleProblem::RefusedDtype("records".to_owned()));
                }
                Object::Dtype(dtype.with_order(self.store.text(order)?)?)
            }
            _ => return Err(self.store.unexpected("an array or its element type", target)),
        };
        self.store.replace(target, built);
        Ok(())
    }

    /// Whether an object has the attributes of a PyTorch network.
    fn is_module_state(&self, state: Value) -> bool {
        let Some(Object::Dict(attributes)) = self.store.object(state) else {
            return false;
        };
        let is_modules = |key| matches!(self.store.text(key), Ok("_modules"));
        attributes.iter().any(|&(key, _)| is_modules(key))
    }

    /// `_codecs.encode(text, 'latin1')`.
    fn encode(&mut self, text: Value, codec: Value) -> Outcome<Object<'a>> {
        if !matches!(self.store.text(codec)?, "latin1" | "latin-1") {
            return Err(PickleProblem::Unsupported("bytes in a codec other than latin1"));
        }
        let bytes: Result<Vec<u8>, _> = self.store.text(text)?.chars().map(u8::try_from).collect();
        let bytes = bytes.ok().ok_or(PickleProblem::Malformed("latin1 text"))?;
        self.charge(bytes.len())?;
        Ok(Object::Bytes(bytes.into()))
    }

    /// Creates an array from its parts.
    fn array(&mut self, data: Value, dtype: Value, shape: Value) -> Outcome<Object<'a>> {
        let &[length] = self.store.tuple(shape)? else {
            return Err(PickleProblem::Unsupported("an array that is not one-dimensional"));
        };
        let Value::Int(length) = length else {
            return Err(self.store.unexpected("the length of an array", length));
        };
        let length = usize::try_from(length)
            .ok()
            .ok_or(PickleProblem::Malformed("length of an array"))?;
        let Some(Object::Dtype(dtype)) = self.store.object(dtype) else {
            return Err(self.store.unexpected("an element type", dtype));
        };
        let Some(Object::Bytes(bytes)) = self.store.object(data) else {
            return Err(self.store.unexpected("the bytes of an array", data));
        };
        let values = dtype.decode(length, bytes)?;
        self.charge(size_of_val(values.as_slice()))?;
        Ok(Object::Array(Some(values)))
    }

    pub(crate) fn charge(&mut self, bytes: usize) -> Outcome<()> {
        self.budget = self.budget.checked_sub(bytes).ok_or(self.over_budget())?;
        Ok(())
    }

    pub(crate) fn over_budget(&self) -> PickleProblem {
        PickleProblem::Limit {
            what: "bytes of contents in a file of this size",
            limit: self.budget_limit,
        }
    }
}

/// Protocol 0 and 1 write booleans as the integers `00` and `01`.
fn int_or_bool(input: &mut Input<'_>) -> Outcome<Value> {
    match input.line()?.trim() {
        "00" => Ok(Value::Bool(false)),
        "01" => Ok(Value::Bool(true)),
        digits => digits
            .parse()
            .map(Value::Int)
            .ok()
            .ok_or(PickleProblem::Malformed("number")),
    }
}
