//! Another text in the place of a module's own, for tools that change a kernel to see whether its tests notice.

use std::cell::RefCell;
use std::rc::Rc;

type Rewrite = Rc<dyn Fn(&str) -> Option<String>>;

thread_local! {
    /// The innermost is the last.
    static REWRITES: RefCell<Vec<Rewrite>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body`. Of each module that this thread loads within it, `rewrite` is shown the PTX and says what is loaded in its
/// place; `None` leaves it as it is. The program that loads the module knows nothing of this.
pub fn rewrite_ptx<T>(rewrite: impl Fn(&str) -> Option<String> + 'static, body: impl FnOnce() -> T) -> T {
    /// Takes the function away, after a panic too.
    struct Within;
    impl Drop for Within {
        fn drop(&mut self) {
            REWRITES.with_borrow_mut(Vec::pop);
        }
    }
    REWRITES.with_borrow_mut(|rewrites| rewrites.push(Rc::new(rewrite)));
    let _within = Within;
    body()
}

/// What is loaded for a module of this text.
pub(crate) fn rewritten(text: String) -> String {
    // Out of the cell before it is called: it may load a module itself.
    let rewrite = REWRITES.with_borrow(|rewrites| rewrites.last().cloned());
    rewrite.and_then(|rewrite| rewrite(&text)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_rewritten_within_the_closure_alone() {
        let loaded = |text: &str| rewritten(text.to_owned());
        let within = rewrite_ptx(|text| (text == "a").then(|| "b".to_owned()), || [loaded("a"), loaded("c")]);
        assert_eq!(within, ["b", "c"]);
        assert_eq!(loaded("a"), "a");
    }
}
