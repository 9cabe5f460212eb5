//! Processes many items on several threads. The results arrive on the calling thread.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use crate::error::{Error, Result};

/// Number of threads that the machine runs in parallel.
pub fn available_workers() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Calls `work` for every item, on several threads. On the calling thread, calls `done` with the index and the result
/// of each item when it is ready. After `stop` is set, only items in progress are completed.
///
/// # Errors
/// The first error of `done`, which ends the work; [`Error::LoaderThread`] if the system cannot create a thread.
pub(crate) fn for_each<T: Sync, R: Send>(
    items: &[T],
    workers: usize,
    stop: &AtomicBool,
    work: impl Fn(&T) -> R + Sync,
    mut done: impl FnMut(usize, R) -> Result<()>,
) -> Result<()> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let stopped = || stop.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed);
    thread::scope(|scope| {
        let (sender, results) = sync_channel(2 * workers);
        for _ in 0..workers.clamp(1, items.len().max(1)) {
            let sender = sender.clone();
            let (work, next, stopped) = (&work, &next, &stopped);
            let spawned = thread::Builder::new().spawn_scoped(scope, move || {
                while !stopped() {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { return };
                    if sender.send((at, work(item))).is_err() {
                        return; // the receiver is dropped after an error
                    }
                }
            });
            if let Err(source) = spawned {
                failed.store(true, Ordering::Relaxed);
                return Err(Error::LoaderThread { source });
            }
        }
        drop(sender);
        let outcome = results.iter().try_for_each(|(at, result)| done(at, result));
        failed.store(outcome.is_err(), Ordering::Relaxed);
        outcome
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once_whatever_the_number_of_threads() {
        let items: Vec<usize> = (0..100).collect();
        for workers in [1, 3, 200] {
            let mut results = vec![0; items.len()];
            let stop = AtomicBool::new(false);
            for_each(
                &items,
                workers,
                &stop,
                |item| item * item,
                |at, result| {
                    results[at] += result;
                    Ok(())
                },
            )
            .unwrap();
            assert!(results.iter().enumerate().all(|(at, &result)| result == at * at));
        }
    }

    #[test]
    fn an_error_or_a_stop_ends_the_work() {
        let (items, stop) = ([(); 1_000], AtomicBool::new(false));
        let mut seen = 0;
        let outcome = for_each(
            &items,
            2,
            &stop,
            |()| (),
            |_, ()| {
                seen += 1;
                if seen == 10 {
                    Err(Error::LoaderStopped)
                } else {
                    Ok(())
                }
            },
        );
        assert!(matches!(outcome, Err(Error::LoaderStopped)) && seen == 10);
        let mut seen = 0;
        for_each(
            &items,
            2,
            &stop,
            |()| (),
            |_, ()| {
                seen += 1;
                stop.store(seen >= 10, Ordering::Relaxed);
                Ok(())
            },
        )
        .unwrap();
        assert!((10..30).contains(&seen), "{seen}");
    }
}
