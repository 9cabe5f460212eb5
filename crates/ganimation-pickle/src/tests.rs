//! Tests of reading and writing labels. `tests/pickles.rs` reads files of other writers.

use std::collections::BTreeMap;

use super::*;
use proptest::prelude::*;
use serde_pickle::{DeOptions, HashableValue, SerOptions, Value};

fn labels<const N: usize>(labels: [(&str, &[f64]); N]) -> Labels {
    labels.map(|(id, label)| (id.to_owned(), label.to_vec())).into()
}

fn problem(bytes: &[u8]) -> String {
    labels_from_bytes(bytes).unwrap_err().to_string()
}

#[test]
fn written_labels_are_read_back() {
    let labels = labels([("a", &[0.0, -1.5, f64::MAX, f64::INFINITY]), ("ü \n", &[])]);
    assert_eq!(labels_from_bytes(&labels_to_bytes(&labels)).unwrap(), labels);
}

#[test]
fn plain_lists_of_numbers_are_labels_too() {
    // python3 -c "import pickle; print(pickle.dumps({'a': [1, 2.5], 'b': (0,)}, 4))"
    let bytes = b"\x80\x04\x95\x1b\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94]\x94(K\x01G@\x04\0\0\0\0\0\0e\x8c\x01b\x94K\0\x85\x94u.";
    assert_eq!(
        labels_from_bytes(bytes).unwrap(),
        labels([("a", &[1.0, 2.5]), ("b", &[0.0])])
    );
}

#[test]
fn the_last_of_equal_ids_counts() {
    assert_eq!(
        labels_from_bytes(b"}(S'a'\n(lS'a'\n(I1\nlu.").unwrap(),
        labels([("a", &[1.0])])
    );
}

#[test]
fn code_is_refused_by_name() {
    assert_eq!(
        problem(b"cos\nsystem\n(S'x'\ntR."),
        "byte 0: the Python object `os.system` is refused; only plain data, NumPy arrays and PyTorch tensors are read"
    );
    // STACK_GLOBAL, classes, persistent ids and extensions cannot bypass the list.
    assert!(problem(b"\x8c\x08builtins\x8c\x04eval\x93.").contains("`builtins.eval` is refused"));
    assert!(problem(b"(I1\nios\nsystem\n.").starts_with("byte 4: INST (an instance of a class) is refused"));
    assert!(problem(b"}}\x81.").starts_with("byte 2: NEWOBJ (an instance of a class) is refused"));
    assert!(problem(b"Pid\n.").starts_with("byte 0: PERSID (an object outside the file) is refused"));
    assert!(problem(b"\x82\x01.").starts_with("byte 0: EXT (a registered class) is refused"));
    assert!(problem(b"\x80\x05\x97.").starts_with("byte 2: NEXT_BUFFER (data outside the file) is refused"));
}

#[test]
fn what_is_no_label_is_named() {
    assert_eq!(
        problem(b"(l."),
        "byte 2: expected a dictionary of labels, found a list"
    );
    assert_eq!(
        problem(b"}S'a'\nS'b'\ns."),
        "byte 12: the label of `a` is bytes, expected a one-dimensional array of numbers"
    );
    assert!(problem(b"}S'a'\n(lNas.").contains("the label of `a` is a sequence with None"));
    assert!(problem(b"}K\x01]s.").contains("expected text, found an integer"));
    assert!(problem(b"cnumpy.core.multiarray\nscalar\n.").contains("a NumPy scalar is refused"));
}

#[test]
fn arrays_that_do_not_fit_are_refused_with_the_reason() {
    let array = |dtype: &str, shape: &str, data: &str| {
        let mut bytes =
            b"}S'a'\ncnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n".to_vec();
        bytes.extend_from_slice(
            format!("{shape}cnumpy\ndtype\n(S'{dtype}'\nI0\nI1\ntRI00\n{data}tbs.").as_bytes(),
        );
        bytes
    };
    let zero = r"S'\x00\x00\x00\x00\x00\x00\x00\x00'".to_owned() + "\n";
    assert_eq!(
        labels_from_bytes(&array("f8", "(I1\nt", &zero)).unwrap(),
        labels([("a", &[0.0])])
    );
    assert!(
        problem(&array("f8", "(I2\nt", &zero)).contains("an array of shape (2,) needs 16 bytes, found 8")
    );
    assert!(problem(&array("f8", "(I1\nI1\nt", &zero)).contains("an array that is not one-dimensional"));
    assert!(problem(&array("f8", "(I-1\nt", &zero)).contains("malformed length of an array"));
    assert!(problem(&array("f8", "(I4611686018427387904\nt", &zero)).contains("found 8"));
    assert!(problem(&array("O8", "(I1\nt", "(lI1\na")).contains("arrays of `O8` are refused"));
    assert!(problem(&array("c16", "(I1\nt", &zero)).contains("arrays of `c16` are refused"));
    assert!(
        problem(&array("f8", "(I1\nt", "(lI1\na")).contains("expected the bytes of an array, found a list")
    );
}

#[test]
fn damage_is_placed() {
    let bytes = labels_to_bytes(&labels([("a", &[1.0])]));
    let cut = labels_from_bytes(&bytes[..bytes.len() - 1]).unwrap_err();
    assert_eq!(
        (cut.position, cut.problem),
        (bytes.len() - 1, PickleProblem::Truncated)
    );
    assert_eq!(problem(b""), "byte 0: the file ends too early");
    assert_eq!(
        problem(b"PK\x03\x04"),
        "byte 0: PERSID (an object outside the file) is refused: only dictionaries, \
        lists, text, numbers and arrays are read"
    );
    assert!(problem(b"\x89PNG").starts_with("byte 1"));
    assert_eq!(
        problem(b"file,AU01\n"),
        "byte 0: 0x66 is not a pickle opcode; is this a pickle?"
    );
}

#[test]
fn nesting_and_copying_are_bounded() {
    let nested = [b"]".repeat(300_000), b".".to_vec()].concat();
    assert!(problem(&nested).contains("more than 262144 values on the stack"));
    assert!(problem(&b"(".repeat(300)).contains("more than 256 nested marks"));
    // A chain of a million nested tuples is refused or dropped without recursion.
    let chain = [b"N".to_vec(), b"\x85".repeat(1_000_000), b".".to_vec()].concat();
    assert!(problem(&chain).contains("expected a dictionary of labels, found a tuple"));
    // Ten thousand ids that refer to one megabyte would need ten gigabytes.
    let mut bomb = labels_to_bytes(&labels([("a", &[0.5; 131_072])]));
    bomb.truncate(bomb.len() - 2);
    bomb.extend_from_slice(b"q\xffs");
    for id in 0..10_000_u32 {
        bomb.extend_from_slice(format!("V{id}\nh").as_bytes());
        bomb.extend_from_slice(b"\xffs");
    }
    bomb.push(b'.');
    assert!(problem(&bomb).contains("bytes of contents in a file of this size"));
}

/// A tensor of two numbers at the start of storage `7`, as PyTorch 0.3 wrote it.
const TENSOR: &str = "ctorch._utils\n_rebuild_tensor\n((S'storage'\nctorch\nFloatStorage\nS'7'\nS'cpu'\nI2\ntQI0\n(I2\nt(I1\nttR";

#[test]
fn tensors_carry_their_path_through_dictionaries() {
    let dictionary = format!("}}S'a'\n}}S'w'\n{TENSOR}ssS'step'\nI3\nsI5\n(l{TENSOR}as.more");
    let weights = weights_from_bytes(dictionary.as_bytes()).unwrap();
    let names: Vec<&str> = weights.tensors.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a.w", "5.0"]);
    assert_eq!(weights.end, dictionary.len() - "more".len());
    let storage = Storage {
        key: "7".to_owned(),
        element: Element::F32,
        length: 2,
    };
    let expected = Tensor {
        storage,
        offset: 0,
        shape: vec![2],
        strides: vec![1],
    };
    assert_eq!(weights.tensors[0].1, expected);
}

#[test]
fn an_ordered_dictionary_of_python_2_is_a_dictionary() {
    let ordered = format!("ccollections\nOrderedDict\n((l(lS'w'\na{TENSOR}aatR}}S'_metadata'\nNsb.");
    let weights = weights_from_bytes(ordered.as_bytes()).unwrap();
    assert_eq!(weights.tensors[0].0, "w");
}

#[test]
fn what_stands_beside_weights_is_read_past() {
    for beside in [
        "cargparse\nNamespace\n)\u{81}}S'lr'\nI1\nsb",
        "cnumpy._core.multiarray\nscalar\n(cnumpy\ndtype\n(S'i8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbS'12345678'\ntR",
        "cnumpy\nndarray\n(I0\ntR",
        "ctorch\nSize\n((I1\nttR",
        "cpathlib\nPurePosixPath\n(S'x'\ntR",
        "ccollections\ndefaultdict\n(c__builtin__\nlist\ntRS'a'\nI1\ns",
        "c__builtin__\nset\n((lI1\natR",
        "(imy\nThing\n",
        "(cmy\nThing\nI1\no",
        "cmy\nthing\n(I1\ntR(I1\ntR",
        "cmy\nList\n)\u{81}(I1\ne",
        "ctorch._utils\n_rebuild_tensor_v2\n((S'storage'\ntorch\nComplexFloatStorage\nS'9'\nS'cpu'\nI2\ntQI0\n(t(ttR",
        "\u{8a}\u{a}0123456789",
        "\u{8f}(I1\n\u{90}",
        "(I1\n\u{91}",
    ] {
        let pickle = format!("}}S'x'\n{beside}sS'w'\n{TENSOR}s.").replace("\ntorch\n", "\nctorch\n");
        // Opcodes above 0x7f are one byte.
        let bytes: Vec<u8> = pickle.chars().map(|c| u8::try_from(c).unwrap()).collect();
        let weights = weights_from_bytes(&bytes).unwrap_or_else(|error| panic!("{beside}: {error}"));
        let names: Vec<&str> = weights.tensors.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["w"], "{beside}");
        assert_eq!(weights.modules, []);
    }
    // Labels have the same strict rules as before.
    assert!(problem(b"cargparse\nNamespace\n.").contains("`argparse.Namespace` is refused"));
}

#[test]
fn weights_within_a_class_of_dictionaries_are_found() {
    let pickle = format!("ceasydict\nEasyDict\n)\u{81}(S'w'\n{TENSOR}u.");
    let bytes: Vec<u8> = pickle.chars().map(|c| u8::try_from(c).unwrap()).collect();
    assert_eq!(weights_from_bytes(&bytes).unwrap().tensors[0].0, "w");
}

#[test]
fn what_would_run_programs_is_refused_beside_weights_too() {
    for global in [
        "os\nsystem",
        "posix\nsystem",
        "subprocess\nPopen",
        "builtins\neval",
        "os.path\njoin",
    ] {
        let pickle = format!("}}S'x'\nc{global}\n(S'ls'\ntRsS'w'\n{TENSOR}s.");
        let message = weights_from_bytes(pickle.as_bytes()).unwrap_err().to_string();
        assert!(message.contains("is refused"), "{message}");
    }
}

#[test]
fn a_pickled_network_is_named_by_its_class() {
    let module = format!(
        "cnetworks.generator\nGenerator\n)\u{81}}}(S'training'\nI01\nS'_modules'\n}}S'w'\n{TENSOR}sub"
    );
    for (pickle, path) in [(format!("{module}."), ""), (format!("}}S'G'\n{module}s."), "G")] {
        let bytes: Vec<u8> = pickle.chars().map(|c| u8::try_from(c).unwrap()).collect();
        let weights = weights_from_bytes(&bytes).unwrap();
        assert!(weights.tensors.is_empty());
        let expected = (path.to_owned(), "networks.generator.Generator".to_owned());
        assert_eq!(weights.modules, [expected]);
    }
}

#[test]
fn tensors_are_no_labels_and_refer_to_nothing_elsewhere() {
    let label = format!("}}S'a'\n{TENSOR}s.");
    assert!(problem(label.as_bytes()).contains("PERSID (an object outside the file) is refused"));
    let refused = |bytes: &str| weights_from_bytes(bytes.as_bytes()).unwrap_err().to_string();
    let negative = TENSOR.replace("I0\n(I2", "I-1\n(I2");
    assert!(refused(&format!("{negative}.")).contains("malformed count: it is negative"));
    let lopsided = TENSOR.replace("(I1\n", "(");
    assert!(refused(&format!("{lopsided}.")).contains("as many strides as axes"));
    let part = TENSOR.replace("I2\ntQ", "I2\nI0\ntQ");
    assert!(refused(&format!("{part}.")).contains("a storage that is part of another"));
}

#[test]
fn dictionaries_within_themselves_are_bounded() {
    // Each dictionary contains the next one twice, so there are 2^40 paths to the innermost.
    let mut laughs = b"}p0\n".to_vec();
    for level in 1..=40 {
        laughs.extend_from_slice(format!("}}p{level}\nI1\ng{0}\nsI2\ng{0}\ns", level - 1).as_bytes());
    }
    laughs.push(b'.');
    let message = weights_from_bytes(&laughs).unwrap_err().to_string();
    assert!(
        message.contains("dictionaries too deep within one another"),
        "{message}"
    );
    let itself = weights_from_bytes(b"}p0\nI1\ng0\ns.").unwrap_err().to_string();
    assert!(
        itself.contains("dictionaries too deep within one another"),
        "{itself}"
    );
}

fn text_of(id: HashableValue) -> String {
    match id {
        HashableValue::String(id) => id,
        other => panic!("expected text, found {other:?}"),
    }
}

/// The numbers of an array. `serde-pickle` has no arrays, and returns their state: version, shape, element type (a global,
/// so `None`), order and bytes.
fn array_of(state: Value) -> Vec<f64> {
    let Value::Tuple(state) = state else {
        panic!("expected the state of an array, found {state:?}")
    };
    let [
        Value::I64(1),
        Value::Tuple(shape),
        Value::None,
        Value::Bool(false),
        Value::Bytes(bytes),
    ] = &state[..]
    else {
        panic!("not the state of an array: {state:?}")
    };
    let numbers: Vec<f64> = bytes
        .chunks_exact(8)
        .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    assert_eq!(shape[..], [Value::I64(i64::try_from(numbers.len()).unwrap())]);
    numbers
}

proptest! {
    #[test]
    fn random_weights_never_panic(
        opcodes in prop::collection::vec(prop::sample::select(&b"(.012NRQabdegijlostu])}\x81\x8f\x90\x91\x92\x85\x86\x87\x88\x94KhqU\x01\x00"[..]), 0..300)
    ) {
        let _ = weights_from_bytes(&opcodes);
        let _ = storage_keys(&opcodes);
        let _ = is_little_endian(&opcodes);
    }

    #[test]
    fn any_labels_survive_writing_and_reading(
        labels in prop::collection::btree_map(".{0,20}", prop::collection::vec(-10.0..10.0, 0..20), 0..20)
    ) {
        prop_assert_eq!(labels_from_bytes(&labels_to_bytes(&labels)), Ok(labels));
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = labels_from_bytes(&bytes);
    }

    #[test]
    fn random_opcodes_never_panic(
        opcodes in prop::collection::vec(prop::sample::select(&b"(.012NRabdegjlstu])}\x85\x86\x87\x88\x94KhqU\x01\x00"[..]), 0..300)
    ) {
        let _ = labels_from_bytes(&opcodes);
    }

    #[test]
    fn damaged_labels_never_panic(at in any::<prop::sample::Index>(), byte: u8, cut: bool) {
        let mut bytes = labels_to_bytes(&labels([("a", &[1.0; 17]), ("b", &[2.0; 17])]));
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let _ = labels_from_bytes(&bytes);
    }

    /// This crate reads what another implementation writes.
    #[test]
    fn labels_written_by_serde_pickle_are_read(
        labels in prop::collection::btree_map(".{0,20}", prop::collection::vec(-10.0..10.0, 0..20), 0..20),
        python_2: bool,
    ) {
        let options = if python_2 { SerOptions::new().proto_v2() } else { SerOptions::new() };
        let bytes = serde_pickle::to_vec(&labels, options).unwrap();
        prop_assert_eq!(labels_from_bytes(&bytes), Ok(labels));
    }

    /// Another implementation reads what this crate writes.
    #[test]
    fn written_labels_are_read_by_serde_pickle(
        labels in prop::collection::btree_map(".{0,20}", prop::collection::vec(-10.0..10.0, 0..20), 0..20)
    ) {
        let options = DeOptions::new().replace_unresolved_globals();
        let read = serde_pickle::value_from_slice(&labels_to_bytes(&labels), options).unwrap();
        let Value::Dict(read) = read else {
            panic!("expected a dictionary, found {read:?}")
        };
        let read: Labels = read.into_iter().map(|(id, state)| (text_of(id), array_of(state))).collect();
        prop_assert_eq!(read, labels);
    }

    /// If both implementations can read a damaged file, they read the same labels.
    #[test]
    fn damaged_labels_are_not_read_differently_by_serde_pickle(
        labels in prop::collection::btree_map("[a-z]{1,3}", prop::collection::vec(-10.0..10.0, 0..4), 0..4),
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let mut bytes = serde_pickle::to_vec(&labels, SerOptions::new()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let theirs: Result<BTreeMap<String, Vec<f64>>, _> = serde_pickle::from_slice(&bytes, DeOptions::new());
        if let (Ok(ours), Ok(theirs)) = (labels_from_bytes(&bytes), theirs) {
            prop_assert_eq!(format!("{ours:?}"), format!("{theirs:?}")); // NaN equals NaN as text
        }
    }
}
