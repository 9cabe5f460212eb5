//! Tests of reading and writing labels.

use super::*;
use proptest::prelude::*;

#[test]
fn written_labels_are_read_back() {
    let labels: Labels = [
        ("a".to_owned(), vec![0.0, -1.5, f64::MAX, f64::INFINITY]),
        ("ü \n".to_owned(), vec![]),
    ]
    .into();
    assert_eq!(labels_from_bytes(&labels_to_bytes(&labels)).unwrap(), labels);
}

proptest! {
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
    fn damaged_labels_never_panic(at in any::<prop::sample::Index>(), byte: u8, cut: bool) {
        let labels: Labels = [("a".to_owned(), vec![1.0; 17]), ("b".to_owned(), vec![2.0; 17])].into();
        let mut bytes = labels_to_bytes(&labels);
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let _ = labels_from_bytes(&bytes);
    }
}
