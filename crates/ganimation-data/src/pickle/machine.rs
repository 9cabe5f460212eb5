//! The stack machine that runs a pickle. Values are plain data in one flat arena, so that hostile nesting
//! neither recurses nor overflows; every loop consumes input, so that memory is linear in the file.

use std::borrow::Cow;
use std::collections::HashMap;

use super::numpy::{Dtype, Global};
use super::opcodes as op;
use super::{Labels, PickleError, PickleProblem};

/// Bounds; real files stay far below (Python's own writer never holds 3,000 values on the stack).
const MAX_STACK: usize = 1 << 18;
const MAX_MARKS: usize = 256;
const MAX_OBJECTS: usize = 1 << 26;

type Outcome<T> = Result<T, PickleProblem>;

/// A value on the stack; what can be shared or changed lives in the arena.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Global(Global),
    Object(usize),
}

/// What the arena holds. Text and bytes borrow the file where they can.
#[derive(Debug)]
enum Object<'a> {
    Text(Cow<'a, str>),
    /// Python 3 `bytes` and `bytearray`, Python 2 `str`.
    Bytes(Cow<'a, [u8]>),
    Tuple(Box<[Value]>),
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    Dtype(Dtype),
    /// `None` until the BUILD that follows `_reconstruct`.
    Array(Option<Vec<f64>>),
}

/// Runs one pickle.
pub(super) struct Machine<'a> {
    input: &'a [u8],
    /// Next byte to read.
    at: usize,
    stack: Vec<Value>,
    /// Heights of the stack at each open MARK.
    marks: Vec<usize>,
    memo: HashMap<u64, Value>,
    arena: Vec<Object<'a>>,
    /// Bytes that may still be copied out of the file; stops a small file from growing without bound.
    budget: usize,
    budget_limit: usize,
}

impl<'a> Machine<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        let budget = input.len().saturating_mul(32).saturating_add(1 << 20);
        Self {
            input,
            at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            arena: Vec::new(),
            budget,
            budget_limit: budget,
        }
    }

    /// Runs until STOP and returns the labels.
    pub(super) fn run(mut self) -> Result<Labels, PickleError> {
        loop {
            let position = self.at;
            let step = self.byte().and_then(|opcode| match opcode {
                op::STOP => self.labels().map(Some),
                _ => self.step(opcode).map(|()| None),
            });
            match step {
                Ok(Some(labels)) => return Ok(labels),
                Ok(None) => {}
                Err(problem) => return Err(PickleError { position, problem }),
            }
        }
    }

    fn step(&mut self, opcode: u8) -> Outcome<()> {
        match opcode {
            op::PROTO => match self.byte()? {
                0..=5 => Ok(()),
                _ => Err(PickleProblem::Unsupported("a pickle protocol above 5")),
            },
            op::FRAME => self.take(8).map(drop),

            op::NONE => self.push(Value::None),
            op::NEWTRUE => self.push(Value::Bool(true)),
            op::NEWFALSE => self.push(Value::Bool(false)),
            op::INT => self.int_line(),
            op::LONG => self.long_line(),
            op::FLOAT => self.float_line(),
            op::BININT => self
                .array()
                .and_then(|b| self.push(Value::Int(i32::from_le_bytes(b).into()))),
            op::BININT1 => self.byte().and_then(|b| self.push(Value::Int(b.into()))),
            op::BININT2 => self
                .array()
                .and_then(|b| self.push(Value::Int(u16::from_le_bytes(b).into()))),
            op::LONG1 => self.byte().and_then(|length| self.long(length.into())),
            op::LONG4 => self.length::<4>().and_then(|length| self.long(length)),
            op::BINFLOAT => self
                .array()
                .and_then(|b| self.push(Value::Float(f64::from_be_bytes(b)))),

            op::STRING => self.quoted_line(),
            op::BINSTRING => self.length::<4>().and_then(|length| self.bytes(length)),
            op::SHORT_BINSTRING => self.length::<1>().and_then(|length| self.bytes(length)),
            op::SHORT_BINBYTES => self.length::<1>().and_then(|length| self.bytes(length)),
            op::BINBYTES => self.length::<4>().and_then(|length| self.bytes(length)),
            op::BINBYTES8 | op::BYTEARRAY8 => self.length::<8>().and_then(|length| self.bytes(length)),
            op::UNICODE => self.escaped_line(),
            op::SHORT_BINUNICODE => self.length::<1>().and_then(|length| self.text(length)),
            op::BINUNICODE => self.length::<4>().and_then(|length| self.text(length)),
            op::BINUNICODE8 => self.length::<8>().and_then(|length| self.text(length)),

            op::EMPTY_TUPLE => self.create(Object::Tuple(Box::default())),
            op::TUPLE1 => self.tuple_of(1),
            op::TUPLE2 => self.tuple_of(2),
            op::TUPLE3 => self.tuple_of(3),
            op::TUPLE => {
                let values = self.above_mark()?;
                self.create(Object::Tuple(values.into()))
            }
            op::EMPTY_LIST => self.create(Object::List(Vec::new())),
            op::LIST => {
                let values = self.above_mark()?;
                self.create(Object::List(values))
            }
            op::APPEND => {
                let value = self.pop()?;
                self.append(vec![value])
            }
            op::APPENDS => {
                let values = self.above_mark()?;
                self.append(values)
            }
            op::EMPTY_DICT => self.create(Object::Dict(Vec::new())),
            op::DICT => {
                let values = self.above_mark()?;
                self.create(Object::Dict(Vec::new()))?;
                self.set_items(&values)
            }
            op::SETITEM => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])
            }
            op::SETITEMS => {
                let values = self.above_mark()?;
                self.set_items(&values)
            }

            op::MARK => {
                limit(self.marks.len(), MAX_MARKS, "nested marks")?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            op::POP_MARK => self.above_mark().map(drop),
            op::POP => match self.marks.last() {
                // Python's POP also removes a MARK that is on top.
                Some(&mark) if mark == self.stack.len() => {
                    self.marks.pop();
                    Ok(())
                }
                _ => self.pop().map(drop),
            },
            op::DUP => self.top().and_then(|value| self.push(value)),

            op::GET => self.decimal_line().and_then(|slot| self.get(slot)),
            op::BINGET => self.byte().and_then(|slot| self.get(slot.into())),
            op::LONG_BINGET => self.array().and_then(|b| self.get(u32::from_le_bytes(b).into())),
            op::PUT => self.decimal_line().and_then(|slot| self.put(slot)),
            op::BINPUT => self.byte().and_then(|slot| self.put(slot.into())),
            op::LONG_BINPUT => self.array().and_then(|b| self.put(u32::from_le_bytes(b).into())),
            op::MEMOIZE => self.put(self.memo.len() as u64),

            op::GLOBAL => {
                let (module, name) = (self.line_text()?, self.line_text()?);
                self.push(Value::Global(Global::find(module, name)?))
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                let global = Global::find(self.as_text(module)?, self.as_text(name)?)?;
                self.push(Value::Global(global))
            }
            op::REDUCE => self.reduce(),
            op::BUILD => self.build(),

            _ => Err(match op::refused(opcode) {
                Some(name) => PickleProblem::RefusedOpcode(name),
                None => PickleProblem::UnknownOpcode(opcode),
            }),
        }
    }

    /// Calls one of the allowed globals: data from data.
    fn reduce(&mut self) -> Outcome<()> {
        let arguments = self.pop()?;
        let callee = self.pop()?;
        let Value::Global(global) = callee else {
            return Err(self.unexpected("an allowed global", callee));
        };
        let arguments = self.as_tuple(arguments)?;
        let object = match (global, arguments) {
            (Global::Reconstruct, &[Value::Global(Global::NdArray), _, _]) => Object::Array(None),
            (Global::Dtype, &[code, ..]) => Object::Dtype(Dtype::parse(self.as_text(code)?)?),
            (Global::FromBuffer, &[buffer, dtype, shape, _order]) => {
                let array = self.decode(buffer, dtype, shape)?;
                self.charge(array.len() * 8)?;
                Object::Array(Some(array))
            }
            (Global::Encode, &[text, codec]) => {
                let bytes = self.encode(text, codec)?;
                self.charge(bytes.len())?;
                Object::Bytes(bytes.into())
            }
            (Global::Bytes, &[]) => Object::Bytes(Cow::Borrowed(&[])),
            _ => return Err(PickleProblem::Unsupported("a call with unknown arguments")),
        };
        self.create(object)
    }

    /// `_codecs.encode(text, 'latin1')`.
    fn encode(&self, text: Value, codec: Value) -> Outcome<Vec<u8>> {
        if !matches!(self.as_text(codec)?, "latin1" | "latin-1") {
            return Err(PickleProblem::Unsupported("bytes in a codec other than latin1"));
        }
        let bytes: Result<_, _> = self.as_text(text)?.chars().map(u8::try_from).collect();
        bytes.ok().ok_or(PickleProblem::Malformed("latin1 text"))
    }

    /// Gives the array or the dtype below its state.
    fn build(&mut self) -> Outcome<()> {
        let state = self.pop()?;
        let target = self.top()?;
        let state = self.as_tuple(state)?;
        let built = match (self.object(target), state) {
            (Some(Object::Array(_)), &[_version, shape, dtype, _fortran, data]) => {
                let array = self.decode(data, dtype, shape)?;
                self.charge(array.len() * 8)?;
                Object::Array(Some(array))
            }
            (Some(Object::Dtype(dtype)), &[_version, order, ref rest @ ..]) => {
                if rest.iter().take(3).any(|&part| part != Value::None) {
                    return Err(PickleProblem::RefusedDtype("a record".to_owned()));
                }
                let mut dtype = *dtype;
                dtype.set_order(self.as_text(order)?)?;
                Object::Dtype(dtype)
            }
            _ => return Err(self.unexpected("an array or its element type", target)),
        };
        if let Value::Object(slot) = target {
            self.arena[slot] = built;
        }
        Ok(())
    }

    /// The numbers of an array from its parts.
    fn decode(&self, data: Value, dtype: Value, shape: Value) -> Outcome<Vec<f64>> {
        let &[length] = self.as_tuple(shape)? else {
            return Err(PickleProblem::Unsupported("an array that is not one-dimensional"));
        };
        let Value::Int(length) = length else {
            return Err(self.unexpected("an array length", length));
        };
        let length = usize::try_from(length)
            .ok()
            .ok_or(PickleProblem::Malformed("array length"))?;
        let Some(Object::Dtype(dtype)) = self.object(dtype) else {
            return Err(self.unexpected("an element type", dtype));
        };
        let Some(Object::Bytes(bytes)) = self.object(data) else {
            return Err(self.unexpected("the bytes of an array", data));
        };
        dtype.decode(length, bytes)
    }

    /// The dictionary on top of the stack as labels.
    fn labels(&mut self) -> Outcome<Labels> {
        let top = self.pop()?;
        let Some(Object::Dict(pairs)) = self.object(top) else {
            return Err(self.unexpected("a dictionary of labels", top));
        };
        let mut labels = Labels::new();
        let mut budget = self.budget;
        for &(id, label) in pairs {
            let id = self.as_text(id)?;
            let values = self.as_label(id, label)?;
            // One array may stand behind many ids: each copy counts.
            let cost = id.len() + values.len() * 8;
            budget = budget.checked_sub(cost).ok_or(self.over_budget())?;
            labels.insert(id.to_owned(), values.into_owned());
        }
        Ok(labels)
    }

    fn as_label(&self, id: &str, value: Value) -> Outcome<Cow<'_, [f64]>> {
        let not_a_label = |found: &str| PickleProblem::NotALabel {
            id: id.to_owned(),
            found: found.to_owned(),
        };
        let values = match self.object(value) {
            Some(Object::Array(Some(values))) => return Ok(Cow::Borrowed(values)),
            Some(Object::Array(None)) => return Err(not_a_label("an array without data")),
            Some(Object::List(values)) => &values[..],
            Some(Object::Tuple(values)) => values,
            _ => return Err(not_a_label(self.describe(value))),
        };
        let number = |&value: &Value| match value {
            Value::Float(value) => Ok(value),
            Value::Int(value) => Ok(value as f64),
            other => Err(not_a_label(&format!("a sequence with {}", self.describe(other)))),
        };
        values.iter().map(number).collect()
    }
}

/// Stack, memo and arena.
impl<'a> Machine<'a> {
    fn push(&mut self, value: Value) -> Outcome<()> {
        limit(self.stack.len(), MAX_STACK, "values on the stack")?;
        self.stack.push(value);
        Ok(())
    }

    fn create(&mut self, object: Object<'a>) -> Outcome<()> {
        limit(self.arena.len(), MAX_OBJECTS, "objects")?;
        self.arena.push(object);
        self.push(Value::Object(self.arena.len() - 1))
    }

    fn top(&self) -> Outcome<Value> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&value) if self.stack.len() > floor => Ok(value),
            _ => Err(PickleProblem::Malformed("pickle: nothing on the stack")),
        }
    }

    fn pop(&mut self) -> Outcome<Value> {
        let value = self.top()?;
        self.stack.pop();
        Ok(value)
    }

    fn above_mark(&mut self) -> Outcome<Vec<Value>> {
        let mark = self
            .marks
            .pop()
            .ok_or(PickleProblem::Malformed("pickle: no mark on the stack"))?;
        Ok(self.stack.split_off(mark))
    }

    fn tuple_of(&mut self, count: usize) -> Outcome<()> {
        let mut values = vec![Value::None; count];
        for value in values.iter_mut().rev() {
            *value = self.pop()?;
        }
        self.create(Object::Tuple(values.into()))
    }

    fn append(&mut self, values: Vec<Value>) -> Outcome<()> {
        let target = self.top()?;
        match self.object_mut(target) {
            Some(Object::List(list)) => list.extend(values),
            _ => return Err(self.unexpected("a list", target)),
        }
        Ok(())
    }

    fn set_items(&mut self, values: &[Value]) -> Outcome<()> {
        let target = self.top()?;
        let (pairs, rest) = values.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(PickleProblem::Malformed("pickle: a key without a value"));
        }
        match self.object_mut(target) {
            Some(Object::Dict(items)) => items.extend(pairs.iter().map(|&[key, value]| (key, value))),
            _ => return Err(self.unexpected("a dictionary", target)),
        }
        Ok(())
    }

    fn get(&mut self, slot: u64) -> Outcome<()> {
        let value = self.memo.get(&slot).copied();
        self.push(value.ok_or(PickleProblem::Malformed("pickle: an empty memo slot is read"))?)
    }

    fn put(&mut self, slot: u64) -> Outcome<()> {
        limit(self.memo.len(), MAX_OBJECTS, "memo slots")?;
        let value = self.top()?;
        self.memo.insert(slot, value);
        Ok(())
    }

    fn object(&self, value: Value) -> Option<&Object<'a>> {
        match value {
            Value::Object(slot) => self.arena.get(slot),
            _ => None,
        }
    }

    fn object_mut(&mut self, value: Value) -> Option<&mut Object<'a>> {
        match value {
            Value::Object(slot) => self.arena.get_mut(slot),
            _ => None,
        }
    }

    fn as_tuple(&self, value: Value) -> Outcome<&[Value]> {
        match self.object(value) {
            Some(Object::Tuple(values)) => Ok(values),
            _ => Err(self.unexpected("a tuple", value)),
        }
    }

    /// Text, or bytes that are UTF-8: Python 2 wrote its ids as bytes.
    fn as_text(&self, value: Value) -> Outcome<&str> {
        match self.object(value) {
            Some(Object::Text(text)) => Ok(text),
            Some(Object::Bytes(bytes)) => utf8(bytes),
            _ => Err(self.unexpected("text", value)),
        }
    }

    fn charge(&mut self, bytes: usize) -> Outcome<()> {
        self.budget = self.budget.checked_sub(bytes).ok_or(self.over_budget())?;
        Ok(())
    }

    fn over_budget(&self) -> PickleProblem {
        PickleProblem::Limit {
            what: "bytes of contents for a file of this size",
            limit: self.budget_limit,
        }
    }

    fn unexpected(&self, expected: &'static str, found: Value) -> PickleProblem {
        PickleProblem::Unexpected {
            expected,
            found: self.describe(found),
        }
    }

    fn describe(&self, value: Value) -> &'static str {
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
                Some(Object::Array(_)) | None => "an array",
            },
        }
    }
}

/// Input.
impl<'a> Machine<'a> {
    fn byte(&mut self) -> Outcome<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn take(&mut self, count: usize) -> Outcome<&'a [u8]> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let taken = rest.get(..count).ok_or(PickleProblem::Truncated)?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let taken = *rest.first_chunk().ok_or(PickleProblem::Truncated)?;
        self.at += N;
        Ok(taken)
    }

    /// A little-endian length of `N` bytes.
    fn length<const N: usize>(&mut self) -> Outcome<usize> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(&self.array::<N>()?);
        usize::try_from(u64::from_le_bytes(wide))
            .ok()
            .ok_or(PickleProblem::Truncated)
    }

    fn line(&mut self) -> Outcome<&'a [u8]> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let end = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or(PickleProblem::Truncated)?;
        self.at += end + 1;
        Ok(&rest[..end])
    }

    fn line_text(&mut self) -> Outcome<&'a str> {
        utf8(self.line()?)
    }

    fn bytes(&mut self, length: usize) -> Outcome<()> {
        let bytes = self.take(length)?;
        self.create(Object::Bytes(bytes.into()))
    }

    fn text(&mut self, length: usize) -> Outcome<()> {
        let text = utf8(self.take(length)?)?;
        self.create(Object::Text(text.into()))
    }

    /// A two's complement integer of up to eight bytes; labels hold no larger ones.
    fn long(&mut self, length: usize) -> Outcome<()> {
        let bytes = self.take(length)?;
        if bytes.len() > 8 {
            return Err(PickleProblem::Malformed("integer: more than 64 bits"));
        }
        let sign = bytes
            .last()
            .map_or(0, |&high| if high >= 0x80 { 0xff } else { 0 });
        let mut wide = [sign; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    fn decimal_line(&mut self) -> Outcome<u64> {
        self.line_text()?
            .trim()
            .parse()
            .ok()
            .ok_or(PickleProblem::Malformed("memo slot"))
    }

    fn int_line(&mut self) -> Outcome<()> {
        let value = match self.line_text()?.trim() {
            "00" => Value::Bool(false),
            "01" => Value::Bool(true),
            digits => Value::Int(digits.parse().ok().ok_or(PickleProblem::Malformed("integer"))?),
        };
        self.push(value)
    }

    fn long_line(&mut self) -> Outcome<()> {
        let digits = self.line_text()?.trim().trim_end_matches('L');
        let value = digits.parse().ok().ok_or(PickleProblem::Malformed("integer"))?;
        self.push(Value::Int(value))
    }

    fn float_line(&mut self) -> Outcome<()> {
        let value = self
            .line_text()?
            .trim()
            .parse()
            .ok()
            .ok_or(PickleProblem::Malformed("number"))?;
        self.push(Value::Float(value))
    }

    /// Python 2 `str` in protocol 0: a quoted literal with escapes.
    fn quoted_line(&mut self) -> Outcome<()> {
        let bytes = super::text::unquote(self.line()?).ok_or(PickleProblem::Malformed("quoted string"))?;
        self.create(Object::Bytes(bytes.into()))
    }

    /// Text in protocol 0: latin1 with `\u` escapes.
    fn escaped_line(&mut self) -> Outcome<()> {
        let text = super::text::unescape(self.line()?).ok_or(PickleProblem::Malformed("escaped text"))?;
        self.create(Object::Text(text.into()))
    }
}

fn utf8(bytes: &[u8]) -> Outcome<&str> {
    std::str::from_utf8(bytes)
        .ok()
        .ok_or(PickleProblem::Malformed("UTF-8 text"))
}

fn limit(count: usize, limit: usize, what: &'static str) -> Outcome<()> {
    if count < limit {
        Ok(())
    } else {
        Err(PickleProblem::Limit { what, limit })
    }
}
