//! The cores of the host.

use std::sync::OnceLock;

/// How many there are for this process. Asked once: the answer takes several files of the control group's to read, and a
/// small launch takes less time than they do.
pub(crate) fn count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}
