//! A grid: blocks handed to workers, one per core.
//!
//! A worker stays with a block until it is done, but puts it aside after a budget, or when it only polls memory: then the
//! next block is admitted, up to what the card would hold at once, and the resident ones are taken up in turn. So blocks
//! that wait for others make progress without a thread of the host for each.

use std::collections::VecDeque;
use std::fmt::Write;
use std::mem::discriminant;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

use super::block::{Block, Resident, Slice};
use super::findings::{Findings, Place};
use super::printed::Printed;
use super::schedule::{Admission, Shuffle};
use super::tally::Tally;
use super::{Failure, Launch, Report};
use crate::cores;
use crate::inspect::finding::FindingKind;
use crate::memory::store::Store;
use crate::memory::view::View;
use crate::program::{Function, Program};
use crate::races::global::MOST_BLOCKS;
use crate::races::published::Publications;

/// Warp instructions after which another resident block gets its turn.
const BUDGET: u64 = 1_000_000;
/// Shared memory and threads of a multiprocessor, and the blocks that it holds (compute capability 8.0).
const SHARED_OF_MULTIPROCESSOR: usize = 164 << 10;
const THREADS_OF_MULTIPROCESSOR: u32 = 2048;
const BLOCKS_OF_MULTIPROCESSOR: u32 = 32;
/// What each block takes of shared memory beyond its own.
const SHARED_OVERHEAD: usize = 1 << 10;
/// Rounds over all resident blocks in which nothing happens before they are taken to wait for ever.
const IDLE_ROUNDS: u64 = 3;
/// Blocks that a shuffled worker holds at once without need, and warp instructions of one's turn.
const SHUFFLED: usize = 4;
const SHUFFLED_BUDGET: u64 = 2048;

/// What all workers of a launch share.
pub(crate) struct Grid<'a> {
    pub(crate) launch: &'a Launch<'a>,
    pub(crate) program: &'a Program,
    pub(crate) function: &'a Function,
    pub(crate) params: Store,
    pub(crate) view: View<'a>,
    /// Whether accesses are looked at for races.
    pub(crate) races: bool,
    pub(crate) publications: Publications,
    /// Of a block.
    pub(crate) threads: u32,
    /// Static and dynamic.
    pub(crate) shared_bytes: usize,
    admission: Admission,
    blocks: u64,
    next: AtomicU64,
    /// The first block that failed: later ones need not run.
    stop: AtomicU64,
    /// Counts whatever happened to memory or to blocks, while any worker looks.
    progress: AtomicU64,
    /// Per worker: the progress at which it found all its blocks waiting, plus 1; 0 while one of them runs.
    idle: Vec<AtomicU64>,
}

/// What one worker has of its own.
pub(crate) struct Worker<'g> {
    pub(crate) grid: &'g Grid<'g>,
    /// The regions of the last accesses to global memory, the latest first.
    pub(crate) regions: [usize; 2],
    pub(crate) tally: Tally,
    findings: Findings,
    printed: Printed,
    /// By a seed; in turn without.
    pub(crate) shuffle: Option<Shuffle>,
    /// Bytes of memory that changed, blocks and warps that went on: anything that another may wait for.
    pub(crate) changes: u64,
}

impl Worker<'_> {
    pub(crate) fn find(&mut self, block: &Block, op: u32, thread: u32, kind: FindingKind) {
        self.findings.add(Place { block: block.index, op, thread }, kind);
    }

    /// Whether a finding of the same kind as `like` would add nothing but a count; it is counted then.
    pub(crate) fn repeats(&mut self, block: &Block, op: u32, thread: u32, like: &FindingKind) -> bool {
        self.findings.repeats(Place { block: block.index, op, thread }, discriminant(like))
    }

    /// Ends the launch at this block; those before it still run to their end, so that the first failure is reported.
    pub(crate) fn fail(&mut self, block: &Block, failure: Failure) {
        self.findings.fail(block.index, failure);
        self.grid.stop.fetch_min(block.index, SeqCst);
    }

    pub(crate) fn print(&mut self, block: &Block, text: &str) {
        self.printed.push(block.index, text);
    }
}

/// Runs a launch to its end.
pub(super) fn run(launch: &Launch<'_>) -> Report {
    let program = &*launch.module.program;
    let function = &program.functions[launch.function as usize];
    let blocks: u64 = launch.grid.iter().map(|&n| u64::from(n)).product();
    let threads = launch.block.iter().product();
    let params = Store::new(launch.params.len());
    params.write(0, launch.params);
    let mut shuffle = launch.settings.seed.map(Shuffle::new);
    let workers = match launch.settings.workers {
        _ if shuffle.is_some() => 1,
        0 => cores::count(),
        workers => workers,
    };
    let workers = workers.min(usize::try_from(blocks).unwrap_or(usize::MAX)).max(1);
    // Dynamic shared memory begins at a multiple of 16.
    let static_bytes = function.shared_bytes as usize;
    let dynamic_bytes = launch.dynamic_shared_bytes as usize;
    let shared_bytes =
        if dynamic_bytes == 0 { static_bytes } else { static_bytes.next_multiple_of(16) + dynamic_bytes };
    let grid = Grid {
        launch,
        program,
        function,
        params,
        view: View::new(launch.memory),
        races: launch.settings.checks.races && blocks <= MOST_BLOCKS,
        publications: Publications::default(),
        threads,
        shared_bytes,
        admission: Admission::new(blocks, shuffle.as_mut()),
        blocks,
        next: AtomicU64::new(0),
        stop: AtomicU64::new(u64::MAX),
        progress: AtomicU64::new(0),
        idle: std::iter::repeat_with(|| AtomicU64::new(0)).take(workers).collect(),
    };
    let finished = Mutex::new(Vec::new());
    let work = |number| {
        let worker = grid.work(number, workers, shuffle.clone());
        finished.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
    };
    std::thread::scope(|scope| {
        for number in 1..workers {
            scope.spawn(move || work(number));
        }
        work(0);
    });
    let mut report = Report::default();
    let mut findings = Findings::default();
    let mut printed = Printed::new(launch.settings.printf_bytes);
    let mut barrier_chain = 0;
    let last = grid.stop.load(SeqCst);
    for worker in finished.into_inner().unwrap_or_else(PoisonError::into_inner) {
        barrier_chain = worker.tally.barrier_chain.max(barrier_chain);
        if launch.settings.lines {
            report.lines.extend(worker.tally.lines(program));
        }
        report.counters += &worker.tally.counters(program);
        findings.merge(worker.findings);
        printed.merge(&worker.printed, last);
    }
    let (loaded, stored) = grid.view.distinct_sectors();
    report.number = grid.view.number.get();
    report.counters.launches = 1;
    report.counters.barrier_chain = barrier_chain;
    report.counters.global_loads.distinct_sectors = loaded;
    report.counters.global_stores.distinct_sectors = stored;
    (report.findings, report.failure) = findings.report(launch);
    report.printed = printed.into_text();
    report
}

impl<'g> Grid<'g> {
    /// Blocks that one worker may hold at once.
    fn residents(&self, workers: usize) -> usize {
        let of_threads = THREADS_OF_MULTIPROCESSOR / self.threads.next_multiple_of(32).max(1);
        let of_shared = SHARED_OF_MULTIPROCESSOR / (self.shared_bytes + SHARED_OVERHEAD);
        let occupancy = of_shared.min(of_threads.min(BLOCKS_OF_MULTIPROCESSOR) as usize).max(1);
        (occupancy * self.launch.settings.multiprocessors as usize / workers).max(1)
    }

    /// The next block that has not begun.
    fn admit(&self) -> Option<u64> {
        if self.next.load(Relaxed) >= self.blocks {
            return None;
        }
        loop {
            let turn = self.next.fetch_add(1, Relaxed);
            if turn >= self.blocks {
                return None;
            }
            let index = self.admission.block(turn);
            if index < self.stop.load(SeqCst) {
                return Some(index);
            }
        }
    }

    fn work(&'g self, number: usize, workers: usize, shuffle: Option<Shuffle>) -> Worker<'g> {
        let mut worker = Worker {
            grid: self,
            regions: [0; 2],
            tally: Tally::new(self.program),
            findings: Findings::default(),
            printed: Printed::new(self.launch.settings.printf_bytes),
            shuffle,
            changes: 0,
        };
        let limit = self.residents(workers);
        let mut ring: VecDeque<Resident> = VecDeque::new();
        let mut spare: Vec<Resident> = Vec::new();
        // Turns since anything happened, and the progress of all workers then.
        let (mut idle, mut seen) = (0, self.progress.load(SeqCst));
        let mut more = true;
        loop {
            let several = ring.len() < SHUFFLED.min(limit) && worker.shuffle.as_mut().is_some_and(|s| s.one_in(2));
            if more && (ring.is_empty() || several || (idle > 0 && ring.len() < limit)) {
                match self.admit() {
                    Some(index) => {
                        let mut resident = spare.pop().unwrap_or_else(|| Resident::new(self));
                        resident.start(&worker, index);
                        ring.push_front(resident);
                        idle = 0;
                    }
                    None => more = false,
                }
            }
            let Some(mut resident) = ring.pop_front() else { break };
            if resident.block.index > self.stop.load(SeqCst) {
                continue;
            }
            let changes = worker.changes;
            let budget = worker.shuffle.as_mut().map_or(BUDGET, |shuffle| 1 + shuffle.below(SHUFFLED_BUDGET));
            let slice = resident.run(&mut worker, budget);
            match slice {
                Slice::Done | Slice::Failed => spare.push(resident),
                Slice::Budget | Slice::Spin => {
                    let ahead = worker.shuffle.as_mut().map_or(0, |s| s.below(1 + ring.len() as u64 / 2));
                    ring.insert(ring.len() - ahead as usize, resident);
                }
            }
            if slice != Slice::Spin || worker.changes != changes {
                self.progress.fetch_add(1, SeqCst);
                self.idle[number].store(0, SeqCst);
                idle = u64::from(slice == Slice::Budget);
                continue;
            }
            let now = self.progress.load(SeqCst);
            idle = if now == seen { idle + 1 } else { 1 };
            seen = now;
            // Shuffled, some come to their turn more often than others.
            let rounds = if worker.shuffle.is_some() { 16 * IDLE_ROUNDS } else { IDLE_ROUNDS };
            if idle > rounds * ring.len() as u64 && (!more || ring.len() >= limit) {
                self.idle[number].store(now + 1, SeqCst);
                if self.idle.iter().all(|idle| matches!(idle.load(SeqCst), at if at == now + 1 || at == u64::MAX))
                    && self.progress.load(SeqCst) == now
                {
                    self.report_deadlock(&mut worker, &ring);
                    break;
                }
                std::thread::yield_now();
            }
        }
        self.idle[number].store(u64::MAX, SeqCst);
        worker
    }

    /// The finding for blocks that wait for each other, unless one has failed: then they may wait for what it left undone.
    fn report_deadlock(&self, worker: &mut Worker<'_>, ring: &VecDeque<Resident>) {
        if self.stop.load(SeqCst) != u64::MAX {
            return;
        }
        let mut resident: Vec<_> = ring.iter().collect();
        resident.sort_by_key(|resident| resident.block.index);
        let mut detail = "every block that can be resident waits for another".to_owned();
        for resident in resident.iter().take(4) {
            let [x, y, z] = resident.block.place;
            let place = self.launch.module.describe(resident.place());
            let _ = write!(detail, "\n    block ({x}, {y}, {z}): at {place}");
        }
        if resident.len() > 4 {
            let _ = write!(detail, "\n    and {} more", resident.len() - 4);
        }
        let Some(first) = resident.first() else { return };
        worker.find(&first.block, first.place(), 0, FindingKind::Deadlock { detail });
        worker.fail(&first.block, Failure::Timeout);
    }
}
