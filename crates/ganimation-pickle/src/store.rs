//! The state of an interpreted pickle: a stack, a memo and a flat arena of objects. Objects refer to each other
//! by index, so that deep nesting causes neither recursion nor a stack overflow.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::input::utf8;
use crate::numpy::{Dtype, Global};
use crate::torch::{Storage, Tensor};
use crate::{Outcome, PickleProblem};

/// Limits. Real files need much less (Python's own writer never has 3,000 values on the stack).
const MAX_STACK: usize = 1 << 18;
const MAX_MARKS: usize = 256;
const MAX_OBJECTS: usize = 1 << 26;

/// A value on the stack. Shared or mutable objects are in the arena.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Global(Global),
    Object(usize),
}

/// An object in the arena. Text and bytes borrow from the file where possible.
#[derive(Debug)]
pub(crate) enum Object<'a> {
    Text(Cow<'a, str>),
    /// Python 3 `bytes` and `bytearray`, Python 2 `str`.
    Bytes(Cow<'a, [u8]>),
    Tuple(Box<[Value]>),
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    Dtype(Dtype),
    /// `None` until the BUILD that follows `_reconstruct`.
    Array(Option<Vec<f64>>),
    Storage(Storage),
    Tensor(Tensor),
    /// An object other than weights.
    Opaque {
        /// The number of its class name.
        class: usize,
        /// Whether it is a PyTorch network with attributes such as `_modules`.
        module: bool,
    },
}

/// Stack, memo and arena.
#[derive(Default)]
pub(crate) struct Store<'a> {
    stack: Vec<Value>,
    /// Height of the stack at each open MARK.
    marks: Vec<usize>,
    memo: HashMap<u64, Value>,
    arena: Vec<Object<'a>>,
    /// Names of skipped globals.
    names: Vec<String>,
}

impl<'a> Store<'a> {
    pub(crate) fn push(&mut self, value: Value) -> Outcome<()> {
        limit(self.stack.len(), MAX_STACK, "values on the stack")?;
        self.stack.push(value);
        Ok(())
    }

    pub(crate) fn top(&self) -> Outcome<Value> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&value) if self.stack.len() > floor => Ok(value),
            _ => Err(PickleProblem::Malformed("pickle: nothing on the stack")),
        }
    }

    pub(crate) fn pop(&mut self) -> Outcome<Value> {
        let value = self.top()?;
        self.stack.pop();
        Ok(value)
    }

    /// Python's POP, which also removes a MARK on top.
    pub(crate) fn discard(&mut self) -> Outcome<()> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    pub(crate) fn mark(&mut self) -> Outcome<()> {
        limit(self.marks.len(), MAX_MARKS, "nested marks")?;
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// Removes the latest MARK and returns all values above it.
    pub(crate) fn above_mark(&mut self) -> Outcome<Vec<Value>> {
        let mark = self
            .marks
            .pop()
            .ok_or(PickleProblem::Malformed("pickle: no mark on the stack"))?;
        Ok(self.stack.split_off(mark))
    }

    pub(crate) fn get(&mut self, slot: u64) -> Outcome<()> {
        let value = self.memo.get(&slot).copied();
        self.push(value.ok_or(PickleProblem::Malformed("pickle: an empty memo slot is read"))?)
    }

    pub(crate) fn put(&mut self, slot: u64) -> Outcome<()> {
        limit(self.memo.len(), MAX_OBJECTS, "memo slots")?;
        let value = self.top()?;
        self.memo.insert(slot, value);
        Ok(())
    }

    pub(crate) fn memoize(&mut self) -> Outcome<()> {
        self.put(self.memo.len() as u64)
    }

    /// Pushes a new object.
    pub(crate) fn create(&mut self, object: Object<'a>) -> Outcome<()> {
        limit(self.arena.len(), MAX_OBJECTS, "objects")?;
        self.arena.push(object);
        self.push(Value::Object(self.arena.len() - 1))
    }

    /// The number of a skipped global.
    pub(crate) fn name(&mut self, module: &str, name: &str) -> usize {
        self.names.push(format!("{module}.{name}"));
        self.names.len() - 1
    }

    /// The name of a skipped global.
    pub(crate) fn name_of(&self, class: usize) -> &str {
        self.names.get(class).map_or("?", String::as_str)
    }

    /// Pushes an object other than weights, made by `maker`.
    pub(crate) fn create_opaque(&mut self, maker: Value) -> Outcome<()> {
        let class = match (maker, self.object(maker)) {
            (Value::Global(Global::Other(class)), _) => class,
            (_, Some(&Object::Opaque { class, .. })) => class,
            _ => usize::MAX,
        };
        let module = false;
        self.create(Object::Opaque { class, module })
    }

    /// Replaces `target` by another object.
    pub(crate) fn replace(&mut self, target: Value, object: Object<'a>) {
        if let Some(place) = self.object_mut(target) {
            *place = object;
        }
    }

    pub(crate) fn create_tuple(&mut self, length: usize) -> Outcome<()> {
        let mut values = vec![Value::None; length];
        for value in values.iter_mut().rev() {
            *value = self.pop()?;
        }
        self.create(Object::Tuple(values.into()))
    }

    /// Appends to the list on top of the stack.
    pub(crate) fn append(&mut self, values: &[Value]) -> Outcome<()> {
        let target = self.top()?;
        match self.object_mut(target) {
            Some(Object::List(list)) => list.extend(values),
            Some(Object::Opaque { .. }) => {}
            _ => return Err(self.unexpected("a list", target)),
        }
        Ok(())
    }

    /// Adds alternating keys and values to the dictionary on top of the stack.
    pub(crate) fn set_items(&mut self, values: &[Value]) -> Outcome<()> {
        let target = self.top()?;
        let (pairs, rest) = values.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(PickleProblem::Malformed("pickle: a key without a value"));
        }
        let pairs = pairs.iter().map(|&[key, value]| (key, value));
        match self.object_mut(target) {
            Some(Object::Dict(items)) => items.extend(pairs),
            // A dictionary class, which can contain weights.
            Some(object @ Object::Opaque { .. }) => *object = Object::Dict(pairs.collect()),
            _ => return Err(self.unexpected("a dictionary", target)),
        }
        Ok(())
    }

    pub(crate) fn object(&self, value: Value) -> Option<&Object<'a>> {
        match value {
            Value::Object(place) => self.arena.get(place),
            _ => None,
        }
    }

    fn object_mut(&mut self, value: Value) -> Option<&mut Object<'a>> {
        match value {
            Value::Object(place) => self.arena.get_mut(place),
            _ => None,
        }
    }

    pub(crate) fn tuple(&self, value: Value) -> Outcome<&[Value]> {
        match self.object(value) {
            Some(Object::Tuple(values)) => Ok(values),
            _ => Err(self.unexpected("a tuple", value)),
        }
    }

    /// Text, or UTF-8 bytes, because Python 2 wrote ids as bytes.
    pub(crate) fn text(&self, value: Value) -> Outcome<&str> {
        match self.object(value) {
            Some(Object::Text(text)) => Ok(text),
            Some(Object::Bytes(bytes)) => utf8(bytes),
            _ => Err(self.unexpected("text", value)),
        }
    }

    pub(crate) fn unexpected(&self, expected: &'static str, found: Value) -> PickleProblem {
        PickleProblem::Unexpected {
            expected,
            found: self.describe(found),
        }
    }

    pub(crate) fn describe(&self, value: Value) -> &'static str {
        match (value, self.object(value)) {
            (Value::None, _) => "None",
            (Value::Bool(_), _) => "a boolean",
            (Value::Int(_), _) => "an integer",
            (Value::Float(_), _) => "a number",
            (Value::Global(_), _) => "a global",
            (Value::Object(_), object) => match object {
                Some(Object::Text(_)) => "text",
                Some(Object::Bytes(_)) => "bytes",
                Some(Object::Tuple(_)) => "a tuple",
                Some(Object::List(_)) => "a list",
                Some(Object::Dict(_)) => "a dictionary",
                Some(Object::Dtype(_)) => "an element type",
                Some(Object::Array(Some(_))) => "an array",
                Some(Object::Storage(_)) => "a storage",
                Some(Object::Tensor(_)) => "a tensor",
                Some(Object::Opaque { .. }) => "an object",
                Some(Object::Array(None)) | None => "an array without data",
            },
        }
    }
}

fn limit(count: usize, limit: usize, what: &'static str) -> Outcome<()> {
    if count < limit {
        Ok(())
    } else {
        Err(PickleProblem::Limit { what, limit })
    }
}
