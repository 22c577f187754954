//! The numbers by which stamps tell launches apart. There are few, so they come round; no two launches that run at the
//! same time have the same.

use std::sync::{Condvar, Mutex, PoisonError};

/// How many there are, from 1 on.
const COUNT: u32 = 62;
const ALL: u64 = ((1 << COUNT) - 1) << 1;

#[derive(Debug)]
struct State {
    /// The number that was given last.
    last: u32,
    /// By bit: those that running launches have.
    running: u64,
}

static STATE: Mutex<State> = Mutex::new(State { last: 0, running: 0 });
static ENDED: Condvar = Condvar::new();

/// The number of a launch, its own until it ends.
#[derive(Debug)]
pub(crate) struct Number(u32);

impl Number {
    /// The next one that is free, of all contexts, since they may share memory; waits where every one is taken.
    pub(crate) fn take() -> Self {
        let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        while state.running == ALL {
            state = ENDED.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        loop {
            state.last = state.last % COUNT + 1;
            if state.running & 1 << state.last == 0 {
                state.running |= 1 << state.last;
                return Self(state.last);
            }
        }
    }

    pub(crate) fn get(&self) -> u64 {
        u64::from(self.0)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        STATE.lock().unwrap_or_else(PoisonError::into_inner).running &= !(1 << self.0);
        ENDED.notify_one();
    }
}

/// Whose stamps a shadow may hold, by bit: at first anyone's, since a launch that began before the shadow was there may
/// stamp it as well.
#[derive(Debug)]
pub(crate) struct Seen(Mutex<u64>);

impl Seen {
    pub(crate) fn anyone() -> Self {
        Self(Mutex::new(ALL))
    }

    /// A launch begins. Where an earlier one of its number may have left stamps, they are cleared: what remains are those
    /// of the launches that run, which go on stamping.
    pub(crate) fn begin(&self, number: u64, clear: impl FnOnce()) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen & 1 << number != 0 {
            clear();
            *seen = STATE.lock().unwrap_or_else(PoisonError::into_inner).running;
        }
        *seen |= 1 << number;
    }
}
