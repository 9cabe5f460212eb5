//! The Python globals in pickled arrays and tensors, as plain data; NumPy's element types.

use crate::torch::Element;
use crate::{Outcome, PickleProblem};

/// An allowed global of a pickle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Global {
    /// `numpy.core.multiarray._reconstruct`: an empty array, filled by the BUILD that follows.
    Reconstruct,
    /// `numpy.core.numeric._frombuffer`: a complete array (protocol 5).
    FromBuffer,
    /// `numpy.ndarray`, the class given to `_reconstruct`.
    NdArray,
    /// `numpy.dtype`.
    Dtype,
    /// `_codecs.encode`: how Python 3 writes bytes in protocols 0 to 2.
    Encode,
    /// `bytes`: how Python 3 writes empty bytes in protocols 0 to 2.
    Bytes,
    /// `collections.OrderedDict`, treated as a dictionary.
    OrderedDict,
    /// `torch._utils._rebuild_tensor` and its second version: a view of a storage.
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`.
    RebuildParameter,
    /// `torch.FloatStorage` and similar classes.
    Storage(Element),
    /// Any other global in a file of weights, identified by the number of its name. Its objects are skipped.
    Other(usize),
}

impl Global {
    /// Looks up a global that weights can contain.
    pub(crate) fn of_weights(module: &str, name: &str) -> Option<Self> {
        if (module, name) == ("collections", "defaultdict") {
            return Some(Self::OrderedDict);
        }
        let known = Self::find(module, name).ok()?;
        let needed = matches!(
            known,
            Self::Encode
                | Self::Bytes
                | Self::OrderedDict
                | Self::RebuildTensor
                | Self::RebuildParameter
                | Self::Storage(_)
        );
        needed.then_some(known)
    }

    /// Whether a global runs programs or code. None is run here, but a file with such a global is not trustworthy.
    pub(crate) fn runs_code(module: &str, name: &str) -> bool {
        const MODULES: [&str; 14] = [
            "os",
            "posix",
            "nt",
            "subprocess",
            "_posixsubprocess",
            "commands",
            "sys",
            "shutil",
            "socket",
            "importlib",
            "runpy",
            "pty",
            "ctypes",
            "webbrowser",
        ];
        const BUILTINS: [&str; 8] = [
            "eval",
            "exec",
            "execfile",
            "compile",
            "open",
            "__import__",
            "input",
            "breakpoint",
        ];
        let package = module.split('.').next().unwrap_or_default();
        MODULES.contains(&package)
            || (matches!(module, "__builtin__" | "builtins") && BUILTINS.contains(&name))
    }

    /// Looks up a global in the allow-list.
    pub(crate) fn find(module: &str, name: &str) -> Outcome<Self> {
        if let ("torch" | "torch.cuda", Some(element)) = (module, Element::of_storage(name)) {
            return Ok(Self::Storage(element));
        }
        Ok(match (module, name) {
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Self::Reconstruct,
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Self::FromBuffer,
            ("numpy", "ndarray") => Self::NdArray,
            ("numpy", "dtype") => Self::Dtype,
            ("_codecs", "encode") => Self::Encode,
            ("__builtin__" | "builtins", "bytes") => Self::Bytes,
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => {
                return Err(PickleProblem::Unsupported(
                    "a NumPy scalar is refused; labels are arrays, and ids are plain text (write `str(id)`)",
                ));
            }
            _ => {
                return Err(PickleProblem::RefusedGlobal {
                    module: module.to_owned(),
                    name: name.to_owned(),
                });
            }
        })
    }
}

/// The element type of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dtype {
    kind: Kind,
    big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    F4,
    F8,
    I4,
    I8,
}

impl Dtype {
    /// Parses a code such as `f8`, `<f4` or `>i8`.
    pub(crate) fn parse(code: &str) -> Outcome<Self> {
        let bare = code.trim_start_matches(['<', '>', '=']);
        let kind = match bare {
            "f4" => Kind::F4,
            "f8" => Kind::F8,
            "i4" => Kind::I4,
            "i8" => Kind::I8,
            _ => return Err(PickleProblem::RefusedDtype(code.chars().take(32).collect())),
        };
        Ok(Self {
            kind,
            big_endian: code.starts_with('>'),
        })
    }

    /// The same type with the byte order of a dtype's state.
    pub(crate) fn with_order(self, order: &str) -> Outcome<Self> {
        let big_endian = match order {
            "<" | "=" | "|" => false,
            ">" => true,
            _ => return Err(PickleProblem::Malformed("byte order of an element type")),
        };
        Ok(Self { big_endian, ..self })
    }

    /// Bytes of one element.
    fn size(self) -> usize {
        match self.kind {
            Kind::F4 | Kind::I4 => 4,
            Kind::F8 | Kind::I8 => 8,
        }
    }

    /// Decodes the bytes of a one-dimensional array.
    pub(crate) fn decode(self, length: usize, bytes: &[u8]) -> Outcome<Vec<f64>> {
        let expected = length.saturating_mul(self.size());
        if bytes.len() != expected {
            return Err(PickleProblem::ArraySize {
                length,
                expected,
                found: bytes.len(),
            });
        }
        Ok(match self.kind {
            Kind::F4 => self
                .elements(bytes)
                .map(|b| f64::from(f32::from_le_bytes(b)))
                .collect(),
            Kind::I4 => self
                .elements(bytes)
                .map(|b| f64::from(i32::from_le_bytes(b)))
                .collect(),
            Kind::F8 => self.elements(bytes).map(f64::from_le_bytes).collect(),
            Kind::I8 => self
                .elements(bytes)
                .map(|b| i64::from_le_bytes(b) as f64)
                .collect(),
        })
    }

    /// The elements in little-endian order.
    fn elements<const N: usize>(self, bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
        bytes.as_chunks::<N>().0.iter().map(move |chunk| {
            let mut element = *chunk;
            if self.big_endian {
                element.reverse();
            }
            element
        })
    }
}
