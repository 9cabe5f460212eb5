//! Scratch memory that lives as long as its thread: fresh pages cost as much as the arithmetic on them.

use std::cell::RefCell;

/// Bytes in a cache line; vectors that straddle two are slow.
const LINE: usize = 64;

/// Lends `body` the start of a cache line and `length` floats from there, whose values are whatever was there.
///
/// Loans may nest, also when a thread takes up other work in the middle of its own.
pub(super) fn with_scratch<R>(length: usize, body: impl FnOnce(&mut [f32]) -> R) -> R {
    thread_local! {
        static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
    }
    let mut buffer = FREE.with_borrow_mut(|free| take(free, length));
    let needed = length + LINE / size_of::<f32>();
    if buffer.len() < needed {
        buffer = vec![0.0; needed]; // not grown: what it held is of no use
    }
    let start = buffer.as_ptr().align_offset(LINE);
    let result = body(&mut buffer[start..start + length]);
    FREE.with_borrow_mut(|free| free.push(buffer));
    result
}

/// The smallest buffer that is long enough, or else the longest.
fn take(free: &mut Vec<Vec<f32>>, length: usize) -> Vec<f32> {
    let best = (0..free.len()).min_by_key(|&index| {
        let found = free[index].len();
        let short = found < length;
        (short, if short { usize::MAX - found } else { found })
    });
    best.map(|index| free.swap_remove(index)).unwrap_or_default()
}
