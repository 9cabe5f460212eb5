//! Writes labels that both Python 2 and Python 3 can read with `pickle.load` and NumPy.

use crate::labels::Labels;
use crate::opcodes as op;

/// Memo slots of objects shared by all arrays.
const RECONSTRUCT: u8 = 0;
const NDARRAY: u8 = 1;
const EMPTY_SHAPE: u8 = 2;
const CODE_B: u8 = 3;
const DTYPE: u8 = 4;
const ENCODE: u8 = 5;
const LATIN1: u8 = 6;

/// Pickles labels: protocol 2, `dict` of text to float64 arrays.
///
/// Array bytes are written as `_codecs.encode(text, 'latin1')`, the only form that gives the same bytes in
/// Python 2 and Python 3. Module names are those of NumPy 1, which NumPy 2 also supports.
///
/// # Panics
/// Panics if an id or a label takes 4 GiB or more.
pub fn labels_to_bytes(labels: &Labels) -> Vec<u8> {
    let mut out = vec![op::PROTO, 2];
    // Shared objects are memoised once, on a stack that is then discarded.
    out.push(op::MARK);
    global(&mut out, "numpy.core.multiarray", "_reconstruct", RECONSTRUCT);
    global(&mut out, "numpy", "ndarray", NDARRAY);
    out.extend([op::BININT1, 0, op::TUPLE1, op::BINPUT, EMPTY_SHAPE]);
    global(&mut out, "_codecs", "encode", ENCODE);
    text(&mut out, "latin1");
    out.extend([op::BINPUT, LATIN1]);
    out.extend([op::BINGET, ENCODE]);
    text(&mut out, "b");
    out.extend([op::BINGET, LATIN1, op::TUPLE2, op::REDUCE, op::BINPUT, CODE_B]);
    dtype(&mut out);
    out.push(op::POP_MARK);

    out.push(op::EMPTY_DICT);
    for (id, label) in labels {
        text(&mut out, id);
        array(&mut out, label);
        out.push(op::SETITEM);
    }
    out.push(op::STOP);
    out
}

fn dtype(out: &mut Vec<u8>) {
    out.extend_from_slice(b"cnumpy\ndtype\n");
    text(out, "f8");
    out.extend([
        op::NEWFALSE,
        op::NEWTRUE,
        op::TUPLE3,
        op::REDUCE,
        op::BINPUT,
        DTYPE,
    ]);
    out.extend([op::MARK, op::BININT1, 3]);
    text(out, "<");
    out.extend([op::NONE, op::NONE, op::NONE]);
    for value in [-1_i32, -1] {
        out.push(op::BININT);
        out.extend(value.to_le_bytes());
    }
    out.extend([op::BININT1, 0, op::TUPLE, op::BUILD]);
}

fn array(out: &mut Vec<u8>, label: &[f64]) {
    out.extend([
        op::BINGET,
        RECONSTRUCT,
        op::BINGET,
        NDARRAY,
        op::BINGET,
        EMPTY_SHAPE,
        op::BINGET,
        CODE_B,
        op::TUPLE3,
        op::REDUCE,
    ]);
    out.extend([op::MARK, op::BININT1, 1, op::LONG1, 8]);
    out.extend((label.len() as u64).to_le_bytes());
    out.extend([op::TUPLE1, op::BINGET, DTYPE, op::NEWFALSE, op::BINGET, ENCODE]);
    let latin1: String = label
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .map(char::from)
        .collect();
    text(out, &latin1);
    out.extend([op::BINGET, LATIN1, op::TUPLE2, op::REDUCE, op::TUPLE, op::BUILD]);
}

fn global(out: &mut Vec<u8>, module: &str, name: &str, slot: u8) {
    out.push(op::GLOBAL);
    out.extend_from_slice(format!("{module}\n{name}\n").as_bytes());
    out.extend([op::BINPUT, slot]);
}

fn text(out: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len());
    assert!(
        length.is_ok(),
        "text of {} bytes does not fit a pickle of protocol 2",
        text.len()
    );
    out.push(op::BINUNICODE);
    out.extend(length.unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}
