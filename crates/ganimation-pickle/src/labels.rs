//! Labels: a dictionary from ids to one-dimensional arrays of numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::machine::Machine;
use crate::store::{Object, Value};
use crate::{Outcome, PickleError, PickleProblem};

/// Labels by id, in OpenFace units; the length of a label is not checked here.
pub type Labels = BTreeMap<String, Vec<f64>>;

/// Reads labels from the bytes of a pickle.
///
/// # Errors
/// [`PickleError`] with the byte position if the bytes are not a pickled dictionary from text to
/// one-dimensional arrays of numbers.
pub fn labels_from_bytes(bytes: &[u8]) -> Result<Labels, PickleError> {
    Machine::new(bytes).run(Machine::labels)
}

impl Machine<'_> {
    /// The dictionary on top of the stack as labels.
    fn labels(&mut self) -> Outcome<Labels> {
        let top = self.store.pop()?;
        let Some(Object::Dict(pairs)) = self.store.object(top) else {
            return Err(self.store.unexpected("a dictionary of labels", top));
        };
        let mut labels = Labels::new();
        let mut budget = self.budget;
        for &(id, label) in pairs {
            let id = self.store.text(id)?;
            let values = self.label(id, label)?;
            // Many ids can refer to one array. Each copy counts.
            let cost = id.len() + size_of_val(&*values);
            budget = budget.checked_sub(cost).ok_or(self.over_budget())?;
            labels.insert(id.to_owned(), values.into_owned());
        }
        Ok(labels)
    }

    fn label(&self, id: &str, value: Value) -> Outcome<Cow<'_, [f64]>> {
        let not_a_label = |found: &str| PickleProblem::NotALabel {
            id: id.to_owned(),
            found: found.to_owned(),
        };
        let values = match self.store.object(value) {
            Some(Object::Array(Some(values))) => return Ok(Cow::Borrowed(values)),
            Some(Object::List(values)) => values.as_slice(),
            Some(Object::Tuple(values)) => values,
            _ => return Err(not_a_label(self.store.describe(value))),
        };
        let number = |&value: &Value| match value {
            Value::Float(value) => Ok(value),
            Value::Int(value) => Ok(value as f64),
            other => Err(not_a_label(&format!(
                "a sequence with {}",
                self.store.describe(other)
            ))),
        };
        values.iter().map(number).collect()
    }
}
