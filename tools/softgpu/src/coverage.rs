//! Which lines of PTX run, for tools that ask which cases execute an instruction.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// By kernel, lines of its module's text, the first being 1.
type Lines = BTreeMap<String, BTreeSet<u32>>;

thread_local! {
    /// The innermost is the last.
    static COVERAGES: RefCell<Vec<Lines>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body` and gives, by kernel, the lines of PTX that some warp came to in the launches of this thread within it, the
/// first line being 1; those of the functions that it calls too. A straight run of instructions counts as a whole. Those
/// that become no operation of their own, as the copy of one register to another, are left out.
pub fn coverage<T>(body: impl FnOnce() -> T) -> (T, BTreeMap<String, BTreeSet<u32>>) {
    /// Takes the collection away, after a panic too.
    struct Within;
    impl Drop for Within {
        fn drop(&mut self) {
            COVERAGES.with_borrow_mut(Vec::pop);
        }
    }
    COVERAGES.with_borrow_mut(|coverages| coverages.push(Lines::new()));
    let within = Within;
    let value = body();
    let lines = COVERAGES.with_borrow_mut(|coverages| coverages.last_mut().map(std::mem::take)).unwrap_or_default();
    drop(within);
    (value, lines)
}

/// Whether this thread asks for lines.
pub(crate) fn is_wanted() -> bool {
    COVERAGES.with_borrow(|coverages| !coverages.is_empty())
}

/// Notes what a launch ran.
pub(crate) fn ran(kernel: &str, lines: Vec<u32>) {
    COVERAGES.with_borrow_mut(|coverages| {
        if let Some(coverage) = coverages.last_mut() {
            coverage.entry(kernel.to_owned()).or_default().extend(lines);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_collection_has_what_ran_within_it() {
        assert!(!is_wanted());
        ran("nobody asked", vec![1]);
        let (inner, outer) = coverage(|| {
            ran("k", vec![3, 1]);
            let ((), inner) = coverage(|| ran("k", vec![2]));
            ran("k", vec![3, 4]);
            inner
        });
        assert_eq!(inner, Lines::from([("k".to_owned(), BTreeSet::from([2]))]));
        assert_eq!(outer, Lines::from([("k".to_owned(), BTreeSet::from([1, 3, 4]))]));
    }
}
