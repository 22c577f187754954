//! The clocks and the stamps by themselves: which accesses are found to race.

use proptest::prelude::*;

use super::clocks::{Clocks, Reach};
use super::global::{self, Order, Run, Warp};
use super::numbers::Number;
use super::published::Publications;
use super::shared::Shadow;
use super::{Does, Earlier};

const STRONG_WRITE: Does = Does { writes: true, strong: true };
const STRONG_READ: Does = Does { writes: false, strong: true };

#[allow(clippy::unnecessary_wraps, reason = "as the checks answer")]
fn by(thread: u32, op: u32, writes: bool) -> Option<Earlier> {
    Some(Earlier { block: 0, thread, op, writes })
}

#[test]
fn threads_of_two_warps_race_without_a_barrier() {
    let (mut clocks, mut shadow) = (Clocks::new(2), Shadow::new(64));
    assert_eq!(shadow.lane(&clocks, Does::WRITE, 3, 4, 4, 10), None);
    assert_eq!(shadow.lane(&clocks, Does::READ, 3, 4, 4, 11), None, "its own");
    assert_eq!(shadow.would_race(&clocks, Does::READ, 40, 4, 4), by(3, 10, true));
    assert_eq!(shadow.would_race(&clocks, Does::READ, 40, 8, 4), None, "the next word");
    assert_eq!(shadow.would_race(&clocks, Does::WRITE, 40, 4, 4), by(3, 10, true));
    clocks.barrier();
    assert_eq!(shadow.lane(&clocks, Does::READ, 40, 4, 4, 12), None);
    assert_eq!(shadow.lane(&clocks, Does::WRITE, 3, 4, 4, 13), by(40, 12, false), "a write after a read");
}

#[test]
fn two_readers_are_known() {
    let (clocks, mut shadow) = (Clocks::new(2), Shadow::new(64));
    for (thread, op) in [(0, 1), (1, 2), (2, 3)] {
        assert_eq!(shadow.lane(&clocks, Does::READ, thread, 0, 4, op), None);
    }
    assert_eq!(shadow.would_race(&clocks, Does::WRITE, 0, 0, 4), by(2, 3, false));
    assert_eq!(shadow.would_race(&clocks, Does::WRITE, 2, 0, 4), by(0, 1, false));
    assert_eq!(shadow.would_race(&clocks, Does::WRITE, 1, 0, 4), by(0, 1, false));
}

#[test]
fn lanes_of_a_warp_meet_by_mask() {
    let (mut clocks, mut shadow) = (Clocks::new(2), Shadow::new(64));
    assert_eq!(shadow.lane(&clocks, Does::WRITE, 0, 0, 4, 1), None);
    clocks.meet(0, 0x0f, u32::MAX);
    assert_eq!(shadow.would_race(&clocks, Does::READ, 3, 0, 4), None);
    assert_eq!(shadow.would_race(&clocks, Does::READ, 4, 0, 4), by(0, 1, true), "not of the mask");
    clocks.meet(0, 0x18, u32::MAX);
    assert_eq!(shadow.would_race(&clocks, Does::READ, 4, 0, 4), None, "by way of lane 3");
    assert_eq!(shadow.would_race(&clocks, Does::READ, 5, 0, 4), by(0, 1, true));
    clocks.meet(0, u32::MAX, 0xff);
    assert_eq!(shadow.would_race(&clocks, Does::READ, 5, 0, 4), None, "all that are left");
    assert_eq!(shadow.would_race(&clocks, Does::READ, 32, 0, 4), by(0, 1, true), "another warp");
}

#[test]
fn bytes_of_a_word_are_told_apart() {
    let (clocks, mut shadow) = (Clocks::new(1), Shadow::new(64));
    assert_eq!(shadow.lane(&clocks, Does::WRITE, 0, 0, 2, 1), None);
    assert_eq!(shadow.lane(&clocks, Does::WRITE, 1, 2, 2, 1), None);
    assert_eq!(shadow.would_race(&clocks, Does::READ, 5, 0, 2), by(0, 1, true));
    assert_eq!(shadow.would_race(&clocks, Does::READ, 5, 2, 2), by(1, 1, true));
    assert_eq!(shadow.would_race(&clocks, Does::READ, 0, 0, 2), None);
    assert_eq!(shadow.lane(&clocks, Does::WRITE, 7, 9, 1, 2), None);
    assert_eq!(shadow.would_race(&clocks, Does::READ, 5, 10, 2), None);
}

#[test]
fn strong_accesses_do_not_race_with_each_other() {
    let (clocks, mut shadow) = (Clocks::new(2), Shadow::new(64));
    assert_eq!(shadow.lane(&clocks, STRONG_WRITE, 0, 0, 4, 1), None);
    assert_eq!(shadow.lane(&clocks, STRONG_WRITE, 40, 0, 4, 2), None);
    assert_eq!(shadow.lane(&clocks, STRONG_READ, 3, 0, 4, 3), None);
    assert_eq!(shadow.lane(&clocks, Does::READ, 3, 0, 4, 4), by(40, 2, true));
}

#[test]
fn a_line_is_looked_at_whole() {
    for width in [2, 4, 8, 16] {
        let (mut clocks, mut shadow) = (Clocks::new(2), Shadow::new(1024));
        assert!(shadow.line(&clocks, true, 0, 0, width, 1));
        assert!(shadow.line(&clocks, false, 0, 0, width, 2), "each lane its own");
        assert!(!shadow.line(&clocks, false, 1, 0, width, 3), "another warp");
        let offset = 7 * width as usize;
        assert_eq!(shadow.would_race(&clocks, Does::READ, 6, offset, width as usize), by(7, 1, true));
        clocks.meet(0, u32::MAX, u32::MAX);
        assert_eq!(shadow.would_race(&clocks, Does::READ, 6, offset, width as usize), None);
        clocks.barrier();
        assert!(shadow.line(&clocks, false, 1, 0, width, 4));
        assert!(shadow.line(&clocks, false, 0, 0, width, 5), "reads do not race");
        assert!(!shadow.line(&clocks, true, 0, 0, width, 6), "but with a write");
        assert!(!shadow.line(&clocks, true, 1, 0, width, 7));
    }
}

#[test]
fn stamps_of_earlier_blocks_count_for_nothing() {
    let (mut clocks, mut shadow) = (Clocks::new(2), Shadow::new(64));
    for _ in 0..200_000 {
        assert_eq!(shadow.lane(&clocks, Does::WRITE, 40, 0, 4, 1), None);
        clocks.start();
        shadow.start();
        assert_eq!(shadow.lane(&clocks, Does::WRITE, 0, 0, 4, 1), None);
        assert_eq!(shadow.would_race(&clocks, Does::READ, 40, 0, 4), by(0, 1, true));
        clocks.start();
        shadow.start();
    }
}

#[test]
fn named_barriers_order_those_who_come() {
    let (mut clocks, mut shadow) = (Clocks::new(3), Shadow::new(64));
    assert_eq!(shadow.lane(&clocks, Does::WRITE, 0, 0, 4, 1), None);
    clocks.arrive(1, 0); // bar.arrive: goes on
    assert_eq!(shadow.lane(&clocks, Does::WRITE, 0, 4, 4, 2), None);
    clocks.arrive(1, 1);
    clocks.leave(1, [1].into_iter());
    assert_eq!(shadow.would_race(&clocks, Does::READ, 32, 0, 4), None);
    assert_eq!(shadow.would_race(&clocks, Does::READ, 32, 4, 4), by(0, 2, true), "after it had arrived");
    assert_eq!(shadow.would_race(&clocks, Does::READ, 64, 0, 4), by(0, 1, true), "was not there");
    clocks.arrive(2, 1);
    clocks.arrive(2, 2);
    clocks.leave(2, [1, 2].into_iter());
    assert_eq!(shadow.would_race(&clocks, Does::READ, 64, 0, 4), None, "by way of warp 1");
}

/// Blocks of one warp that access an allocation.
struct Grid {
    clocks: Vec<Clocks>,
    shadow: global::Shadow,
    publications: Publications,
    number: u64,
}

struct Of<'a>(&'a Grid, usize);

impl Order for Of<'_> {
    fn follows(&self, block: u32, warp: u32, time: u32) -> bool {
        let clocks = &self.0.clocks[self.1];
        if block as usize == self.1 {
            clocks.follows_warp(0, warp, time)
        } else {
            clocks.follows_block(0, (block, warp, time), &self.0.publications)
        }
    }
}

impl Grid {
    fn new(blocks: usize) -> Self {
        let clocks = std::iter::repeat_with(|| Clocks::new(1)).take(blocks).collect();
        Self { clocks, shadow: global::Shadow::new(1 << 12), publications: Publications::default(), number: 1 }
    }

    fn begin(&mut self, number: &Number) {
        self.number = number.get();
        self.shadow.begin(self.number);
    }

    /// The block and the offset of the race of an access.
    fn access(&self, block: usize, does: Does, offset: usize, bytes: usize) -> Option<(u64, usize)> {
        let clocks = &self.clocks[block];
        let time = if does.strong && does.writes { clocks.strong_time(0, Reach::Device) } else { clocks.now };
        let warp = Warp::new(self.number, block as u64, 0, time, clocks, block as u32);
        let run = Run { offset, bytes, lane: 0, width: 4 };
        let found = self.shadow.access(&warp, does, &run, &Of(self, block));
        found.map(|conflict| (conflict.earlier.block, conflict.offset))
    }

    fn publish(&mut self, block: usize, word: u64) {
        let known = self.clocks[block].fenced(0, Reach::Device).cloned();
        if let Some(known) = known {
            self.publications.publish(word, block as u32, Some(&known), None);
        }
    }

    fn acquire(&mut self, block: usize, word: u64) {
        if let Some(published) = self.publications.of(word) {
            self.clocks[block].acquire((0, 1), block as u32, &published, &self.publications);
        }
    }
}

#[test]
fn blocks_race_by_sectors_and_words() {
    let grid = Grid::new(3);
    assert_eq!(grid.access(0, Does::WRITE, 0, 128), None);
    assert_eq!(grid.access(1, Does::WRITE, 128, 128), None);
    assert_eq!(grid.access(2, Does::READ, 64, 32), Some((0, 64)));
    assert_eq!(grid.access(2, Does::READ, 124, 8), Some((0, 124)));
    assert_eq!(grid.access(2, Does::READ, 256, 4), None);
    assert_eq!(grid.access(1, Does::WRITE, 256, 32), Some((2, 256)), "a write after a read");
}

#[test]
fn rows_that_end_within_a_word_do_not_race() {
    let grid = Grid::new(2);
    assert_eq!(grid.access(0, Does::WRITE, 0, 102), None);
    assert_eq!(grid.access(1, Does::WRITE, 102, 102), None);
    assert_eq!(grid.access(0, Does::WRITE, 98, 6), Some((1, 102)));
}

#[test]
fn an_in_place_stencil_races() {
    let grid = Grid::new(2);
    assert_eq!(grid.access(0, Does::READ, 0, 160), None, "its own row and the next one's first sector");
    assert_eq!(grid.access(1, Does::READ, 128, 128), None);
    assert_eq!(grid.access(1, Does::WRITE, 128, 128), Some((0, 128)));
}

#[test]
fn a_flag_behind_a_fence_orders() {
    let mut grid = Grid::new(3);
    assert_eq!(grid.access(0, Does::WRITE, 0, 128), None);
    assert_eq!(grid.access(0, STRONG_WRITE, 512, 4), None);
    grid.publish(0, 512);
    grid.acquire(1, 512);
    assert_eq!(grid.access(1, Does::READ, 0, 4), Some((0, 0)), "there was no fence");
    grid.clocks[0].fence(0, Reach::Device);
    assert_eq!(grid.access(0, Does::WRITE, 128, 4), None, "behind the fence");
    grid.publish(0, 512);
    grid.acquire(1, 512);
    assert_eq!(grid.access(1, Does::READ, 32, 96), None);
    assert_eq!(grid.access(1, Does::WRITE, 512, 4), None, "the flag itself");
    assert_eq!(grid.access(1, Does::READ, 128, 4), Some((0, 128)));
    assert_eq!(grid.access(2, Does::READ, 32, 4), Some((0, 32)), "read no flag");
    grid.clocks[1].fence(0, Reach::Device);
    grid.publish(1, 516);
    grid.acquire(2, 516);
    assert_eq!(grid.access(2, Does::READ, 64, 4), None, "by way of block 1");
}

#[test]
fn a_ticket_is_ordered_after_those_drawn_before_it() {
    let mut grid = Grid::new(3);
    for block in 0..3 {
        assert_eq!(grid.access(block, Does::WRITE, 32 * block, 32), None);
        grid.clocks[block].fence(0, Reach::Device);
        assert_eq!(grid.access(block, STRONG_WRITE, 1024, 4), None);
        grid.publish(block, 1024);
        grid.acquire(block, 1024);
    }
    assert_eq!(grid.access(2, Does::READ, 0, 96), None, "the last block sees all");
    assert_eq!(grid.access(2, Does::WRITE, 1024, 4), None, "and resets the ticket");
    assert_eq!(grid.access(1, Does::READ, 32, 64), Some((2, 64)), "the one before does not");
}

#[test]
fn stamps_of_earlier_launches_count_for_nothing() {
    let mut grid = Grid::new(2);
    for launch in 0..200 {
        let number = Number::take();
        grid.begin(&number);
        let spot = if launch == 0 { 64 } else { 0 };
        assert_eq!(grid.access(launch as usize % 2, Does::WRITE, spot, 32), None, "launch {launch}");
        assert_eq!(grid.access(launch as usize % 2, Does::READ, 256, 4), None);
        assert_eq!(grid.access(launch as usize % 2, Does::WRITE, 4, 4), None);
        assert_eq!(
            grid.access((launch as usize + 1) % 2, Does::WRITE, 8, 4),
            if spot == 0 { Some((launch % 2, 8)) } else { None }
        );
    }
    assert_eq!(grid.access(0, Does::WRITE, 64, 32), None, "written by launch 0, whose number has come round");
}

#[test]
fn stamps_of_a_launch_that_outlives_many_count_for_nothing_after_it() {
    let mut grid = Grid::new(2);
    let long = Number::take();
    grid.begin(&long);
    for _ in 0..100 {
        let short = Number::take();
        assert_ne!(short.get(), long.get(), "it still runs");
        grid.begin(&short);
    }
    grid.number = long.get();
    assert_eq!(grid.access(0, Does::WRITE, 64, 32), None);
    assert_eq!(grid.access(1, Does::WRITE, 64, 32), Some((0, 64)), "the two are of one launch");
    drop(long);
    for launch in 0..200 {
        let number = Number::take();
        grid.begin(&number);
        assert_eq!(grid.access(1, Does::READ, 64, 32), None, "launch {launch} after it");
    }
}

/// What a test does with memory that is looked at in two ways.
#[derive(Clone, Debug)]
enum Step {
    /// By all lanes of a warp, each so many bytes behind the last.
    Line {
        warp: u32,
        at: usize,
        width: usize,
        writes: bool,
    },
    /// By one lane, so many bytes.
    Lane {
        thread: u32,
        at: usize,
        width: usize,
        writes: bool,
    },
    Barrier,
    Meet {
        warp: u32,
    },
}

/// Steps of two warps on 512 bytes.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let width = || (2u32..5).prop_map(|log| 1usize << log);
    // Half of the lines begin where a line of memory does.
    let line =
        (0u32..2, 0usize..32, width(), any::<bool>(), any::<bool>()).prop_map(|(warp, at, width, writes, begins)| {
            let at = if begins { at * 16 / 128 * 128 } else { at * 16 };
            Step::Line { warp, at: at.min(512 - 32 * width), width, writes }
        });
    let lane = (0u32..64, 0usize..128, width(), any::<bool>()).prop_map(|(thread, at, width, writes)| Step::Lane {
        thread,
        at: at * 4 / width * width,
        width,
        writes,
    });
    let step = prop_oneof![4 => line, 3 => lane, 2 => Just(Step::Barrier), 1 => (0u32..2).prop_map(|warp| Step::Meet { warp })];
    prop::collection::vec(step, 1..40)
}

const fn does(writes: bool) -> Does {
    if writes { Does::WRITE } else { Does::READ }
}

proptest! {
    /// What is known of lines finds the races that what is known of words does.
    #[test]
    fn lines_of_shared_memory_say_what_their_words_would(steps in steps()) {
        let (mut clocks, mut lines, mut words) = (Clocks::new(2), Shadow::new(512), Shadow::new(512));
        for (op, step) in steps.into_iter().enumerate() {
            let op = op as u32;
            let (whole, by_word) = match step {
                Step::Barrier => {
                    clocks.barrier();
                    continue;
                }
                Step::Meet { warp } => {
                    clocks.meet(warp, u32::MAX, u32::MAX);
                    continue;
                }
                Step::Lane { thread, at, width, writes } => (
                    lines.lane(&clocks, does(writes), thread, at, width, op),
                    words.lane(&clocks, does(writes), thread, at, width, op),
                ),
                Step::Line { warp, at, width, writes } => {
                    let by_lane = |shadow: &mut Shadow| {
                        let one = |lane| {
                            let at = at + lane as usize * width;
                            shadow.lane(&clocks, does(writes), warp * 32 + lane, at, width, op)
                        };
                        (0..32).filter_map(one).collect::<Vec<_>>().into_iter().next()
                    };
                    let in_order = lines.line(&clocks, writes, warp, at, width as u64, op);
                    (if in_order { None } else { by_lane(&mut lines) }, by_lane(&mut words))
                }
            };
            prop_assert_eq!(whole, by_word);
            if whole.is_some() {
                break;
            }
        }
    }

    /// The same for global memory, by blocks of one warp.
    #[test]
    fn lines_of_global_memory_say_what_their_words_would(steps in steps(), launches in 1u64..3) {
        let (mut lines, mut words) = (Grid::new(2), Grid::new(2));
        for launch in 1..=launches {
            lines.number = launch;
            words.number = launch;
            for step in &steps {
                let (block, at, bytes, writes) = match *step {
                    Step::Line { warp, at, width, writes } => (warp, at, 32 * width, writes),
                    Step::Lane { thread, at, width, writes } => (thread / 32, at, width, writes),
                    // What a block does by itself orders nothing between two.
                    Step::Barrier | Step::Meet { .. } => continue,
                };
                let block = block as usize;
                let whole = lines.access(block, does(writes), at, bytes);
                let one = |word| words.access(block, does(writes), word, 4);
                let by_word = (at..at + bytes).step_by(4).filter_map(one).collect::<Vec<_>>();
                prop_assert_eq!(whole, by_word.first().copied());
                if whole.is_some() {
                    break;
                }
            }
        }
    }
}
