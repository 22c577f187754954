//! Copies to the host that are there only when they are waited for, and streams that take their time: on request, see
//! [`crate::Faults`]. What a wait covers is kept as the driver has it: a stream's own work, what the stream has waited
//! for, and, between the legacy stream and those that wait for it, everything before.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::context::Context;
use super::copy::{Copy, End, Side};
use super::error::{Answer, CUDA_ERROR_NOT_READY};
use super::host_memory;
use super::stream::Stream;
use super::work::Work;
use crate::faults::Late;

/// A bit pattern that no copy leaves by chance.
const POISON: u8 = 0xA5;

/// What a stream, or an event recorded in it, is behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behind {
    /// The number of the last piece of work of each stream, by what tells streams apart.
    work: BTreeMap<usize, u64>,
    /// When all of it is over.
    pub(crate) over: Option<Instant>,
}

impl Behind {
    pub(crate) fn merge(&mut self, other: &Self) {
        for (&stream, &number) in &other.work {
            let known = self.work.entry(stream).or_default();
            *known = number.max(*known);
        }
        self.over = self.over.max(other.over);
    }

    /// Whether all of it is over.
    pub(crate) fn check(&self) -> Answer {
        if self.over.is_some_and(|over| over > Instant::now()) { Err(CUDA_ERROR_NOT_READY) } else { Ok(()) }
    }

    fn wait(&self) {
        if let Some(left) = self.over.and_then(|over| over.checked_duration_since(Instant::now())) {
            std::thread::sleep(left);
        }
    }
}

/// A copy that has been made, to where nobody sees it.
#[derive(Debug)]
struct LateCopy {
    stream: usize,
    number: u64,
    to: Side,
    extent: [usize; 3],
    bytes: Vec<u8>,
}

impl LateCopy {
    /// Puts the bytes where they belong.
    fn arrive(&self) -> Answer {
        let [width, height, _] = self.extent;
        let from = Side { end: End::Host(self.bytes.as_ptr().expose_provenance()), pitch: width, rows: height };
        Copy { to: self.to, from, extent: self.extent }.run()
    }

    fn overlaps(&self, first: usize, bytes: usize) -> bool {
        let End::Host(to) = self.to.end else { return false };
        let span = self.to.span(self.extent).unwrap_or(usize::MAX);
        first < to.saturating_add(span) && to < first.saturating_add(bytes)
    }
}

/// What is late in a context.
#[derive(Debug, Default)]
pub(crate) struct LateCopies {
    all: Mutex<Vec<LateCopy>>,
    given: AtomicU64,
}

impl LateCopies {
    fn all(&self) -> MutexGuard<'_, Vec<LateCopy>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has those that the predicate names arrive, the oldest first.
    fn arrive(&self, which: impl Fn(&LateCopy) -> bool) {
        let mut all = self.all();
        let (arrived, late) = std::mem::take(&mut *all).into_iter().partition(which);
        *all = late;
        drop(all);
        let arrived: Vec<LateCopy> = arrived;
        for copy in arrived {
            // The caller of the copy has vouched for its memory until the wait.
            let _ = copy.arrive();
        }
    }

    /// All of them, as their context is waited for or ends.
    pub(crate) fn arrive_all(&self) {
        self.arrive(|_| true);
    }
}

impl Stream {
    fn key(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn behind(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an event recorded now is behind.
    pub(crate) fn recorded(&self) -> Behind {
        self.behind().clone()
    }

    /// Whether the stream's work is over.
    pub(crate) fn check_over(&self) -> Answer {
        self.behind().check()
    }

    /// What is given from now on is behind the event.
    pub(crate) fn is_behind(&self, event: &Behind) {
        self.behind().merge(event);
    }

    /// Does a piece of work, as slowly and as late as the context's faults have it.
    pub(crate) fn perform(&self, context: &Context, work: &Work) -> Answer {
        if let Work::Record(event) = work {
            event.happens(self.recorded());
            return Ok(());
        }
        if !is_asked_for(context) {
            return work.run();
        }
        let faults = &context.settings.faults;
        self.keep_legacy_order(context);
        let number = 1 + context.late.given.fetch_add(1, Ordering::Relaxed);
        self.see_to_what_is_read(context, work);
        match work {
            Work::Copy(copy) if is_late(faults.late, copy) => {
                let late = make(copy, self.key(), number)?;
                context.late.all().push(late);
            }
            work => work.run()?,
        }
        let mut behind = self.behind();
        behind.work.insert(self.key(), number);
        if let Some(slow) = faults.slow {
            behind.over = Some(behind.over.map_or_else(Instant::now, |over| over.max(Instant::now())) + slow);
        }
        Ok(())
    }

    /// What the work reads at the host is there, if it was put there by work before it.
    fn see_to_what_is_read(&self, context: &Context, work: &Work) {
        let behind = self.behind().clone();
        let before = |copy: &LateCopy| behind.work.get(&copy.stream).is_some_and(|&number| copy.number <= number);
        match work {
            Work::Host(_) => context.late.arrive(before),
            Work::Copy(Copy { from: side @ Side { end: End::Host(from), .. }, extent, .. }) => {
                let span = side.span(*extent).unwrap_or(usize::MAX);
                context.late.arrive(|copy| before(copy) && copy.overlaps(*from, span));
            }
            Work::Kernel(launch) => {
                let named = launch.host_ranges();
                let reads = |copy: &LateCopy| named.iter().any(|&(first, bytes)| copy.overlaps(first, bytes));
                context.late.arrive(|copy| before(copy) && reads(copy));
            }
            _ => {}
        }
    }

    /// The legacy stream is behind every stream that waits for it, and they behind it.
    fn keep_legacy_order(&self, context: &Context) {
        if self.is_non_blocking() {
            return;
        }
        if self.is_legacy() {
            for other in context.blocking_streams() {
                let other = other.recorded();
                self.is_behind(&other);
            }
        } else {
            let legacy = context.default_streams.legacy().recorded();
            self.is_behind(&legacy);
        }
    }

    /// Waits for the stream's work: what was late arrives.
    pub(crate) fn wait_over(&self, context: &Context) {
        if !is_asked_for(context) {
            return;
        }
        self.keep_legacy_order(context);
        let behind = self.recorded();
        wait(context, &behind);
    }
}

/// Whether anything is ever late, or slow.
fn is_asked_for(context: &Context) -> bool {
    let faults = &context.settings.faults;
    faults.slow.is_some() || faults.late != Late::None
}

/// Waits for what an event was recorded behind.
pub(crate) fn wait(context: &Context, behind: &Behind) {
    behind.wait();
    context.late.arrive(|copy| behind.work.get(&copy.stream).is_some_and(|&number| copy.number <= number));
}

/// Waits for all streams of a context.
pub(crate) fn wait_for_all(context: &Context) {
    if !is_asked_for(context) {
        return;
    }
    for stream in context.streams() {
        stream.recorded().wait();
    }
    context.late.arrive_all();
}

fn is_late(late: Late, copy: &Copy) -> bool {
    let End::Host(to) = copy.to.end else { return false };
    let pinned = || host_memory::range(to as u64).is_some();
    copy.from.end.is_device()
        && match late {
            Late::None => false,
            Late::Pinned => pinned(),
            Late::Pageable => true,
        }
}

/// Makes a copy to nobody's sight, and leaves poison where it belongs.
fn make(copy: &Copy, stream: usize, number: u64) -> Answer<LateCopy> {
    copy.check()?;
    let [width, height, depth] = copy.extent;
    let linear = |bytes: &mut [u8]| {
        let end = End::Host(bytes.as_mut_ptr().expose_provenance());
        Side { end, pitch: width, rows: height }
    };
    let mut bytes = vec![0; width * height * depth];
    Copy { to: linear(&mut bytes), ..*copy }.run()?;
    let mut poison = vec![POISON; bytes.len()];
    Copy { from: linear(&mut poison), ..*copy }.run()?;
    Ok(LateCopy { stream, number, to: copy.to, extent: copy.extent, bytes })
}
