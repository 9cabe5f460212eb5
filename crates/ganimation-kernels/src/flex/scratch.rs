//! Scratch memory that each thread keeps, because new pages cost as much time as the arithmetic on them.

use std::cell::RefCell;

/// Bytes in a cache line; vectors that straddle two are slow.
const LINE: usize = 64;

/// Gives `body` a buffer of `length` floats with arbitrary values, aligned to a cache line.
///
/// Calls can be nested, even if a thread starts other work during its own.
pub(super) fn with_scratch<R>(length: usize, body: impl FnOnce(&mut [f32]) -> R) -> R {
    thread_local! {
        static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
    }
    let mut buffer = FREE.with_borrow_mut(|free| take(free, length));
    let needed = length + LINE / size_of::<f32>();
    if buffer.len() < needed {
        buffer = vec![0.0; needed]; // not resized, because the old contents are not needed
    }
    let start = buffer.as_ptr().align_offset(LINE);
    let result = body(&mut buffer[start..start + length]);
    FREE.with_borrow_mut(|free| free.push(buffer));
    result
}

/// The smallest buffer that is long enough, otherwise the longest.
fn take(free: &mut Vec<Vec<f32>>, length: usize) -> Vec<f32> {
    let best = (0..free.len()).min_by_key(|&index| {
        let found = free[index].len();
        let short = found < length;
        (short, if short { usize::MAX - found } else { found })
    });
    best.map(|index| free.swap_remove(index)).unwrap_or_default()
}
