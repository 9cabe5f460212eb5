//! Checks that all variants of pickled labels from Python and NumPy give the same numbers.

use std::path::Path;

use ganimation_data::pickle::{Labels, read_labels};

fn expected() -> Labels {
    let a = vec![0.0, 0.5, -1.25, 5.0];
    let labels = [
        ("f8", a.clone()),
        ("f4", a.clone()),
        ("i8", vec![0.0, 3.0, -2.0]),
        ("i4", vec![7.0]),
        ("big_f8", a.clone()),
        ("big_i4", vec![1.0, -1.0]),
        ("café \\ \n", a),
        ("empty", vec![]),
    ];
    labels.map(|(id, label)| (id.to_owned(), label)).into()
}

/// `tests/data/README.md` describes how the files were made.
#[test]
fn all_dialects_hold_the_same_labels() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut files = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "pkl") {
            assert_eq!(read_labels(&path).unwrap(), expected(), "{}", path.display());
            files += 1;
        }
    }
    assert_eq!(files, 16);
}

#[test]
fn an_error_names_the_file_and_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("evil.pkl");
    std::fs::write(&path, b"}cos\nsystem\n(S'echo owned'\ntR.").unwrap();
    let message = read_labels(&path).unwrap_err().to_string();
    let expected = "evil.pkl, byte 1: the Python object `os.system` is refused; only plain data, NumPy arrays and PyTorch tensors are read";
    assert!(message.ends_with(expected), "{message}");
}
