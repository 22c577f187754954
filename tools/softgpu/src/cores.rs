//! The cores of the host, and work that is spread over them.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};

/// How many there are for this process. Asked once: the answer takes several files of the control group's to read, and a
/// small launch takes less time than they do.
pub(crate) fn count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// What `work` makes of each item, in the order of the items, on this thread and up to `threads - 1` more. `state` makes
/// what a thread keeps from item to item.
///
/// # Errors
/// That of the first item which has one. No item is begun once another has failed.
pub(crate) fn map<T: Send, S, R: Send, E: Send>(
    threads: usize,
    items: Vec<T>,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let threads = threads.min(items.len());
    if threads <= 1 {
        let mut state = state();
        return items.into_iter().map(|item| work(&mut state, item)).collect();
    }
    let mut results: Vec<Option<Result<R, E>>> = items.iter().map(|_| None).collect();
    // Items are begun in their order, so that those before one that fails have all been begun.
    let (queue, failed) = (Mutex::new(items.into_iter().enumerate()), AtomicBool::new(false));
    let run = || {
        let mut state = state();
        let mut done = Vec::new();
        while !failed.load(Relaxed) {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((at, item)) = next else { break };
            let result = work(&mut state, item);
            failed.fetch_or(result.is_err(), Relaxed);
            done.push((at, result));
        }
        done
    };
    std::thread::scope(|scope| {
        // Where the system has no thread to give, the others do its part.
        let others: Vec<_> =
            (1..threads).filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, run).ok()).collect();
        let mut take = |done: Vec<_>| done.into_iter().for_each(|(at, result): (usize, _)| results[at] = Some(result));
        take(run());
        for other in others {
            match other.join() {
                Ok(done) => take(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for threads in [0, 1, 2, 5] {
            for count in [0, 1, 2, 100] {
                let doubled = map(threads, (0..count).collect(), || (), |(), item: u32| Ok::<_, ()>(2 * item));
                assert_eq!(doubled, Ok((0..count).map(|item| 2 * item).collect()));
            }
        }
    }

    #[test]
    fn the_first_error_is_given_and_ends_the_work() {
        for threads in [1, 2, 5] {
            let begun = Mutex::new(0);
            let failed = map(
                threads,
                (0..1000).collect(),
                || (),
                |(), item: u32| {
                    *begun.lock().unwrap() += 1;
                    if item < 10 { Ok(()) } else { Err(item) }
                },
            );
            assert_eq!(failed, Err(10));
            assert!(*begun.lock().unwrap() < 1000);
        }
    }

    #[test]
    fn a_panic_of_any_thread_is_passed_on() {
        let panics =
            || map(3, vec![0, 1, 2], || (), |(), item| if item == 1 { panic!("an item") } else { Ok::<_, ()>(()) });
        assert!(std::panic::catch_unwind(panics).is_err());
    }
}
