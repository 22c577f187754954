//! Who is told of a launch: the recorder of the thread that launched it, else standard output and error.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use crate::driver::CUresult;
use crate::inspect::counters::Counters;
use crate::inspect::finding::Finding;

/// What the launches of a thread were, in their order.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Record {
    /// What is wrong, by launch and then by block.
    pub findings: Vec<Finding>,
    /// One for each launch that the driver accepted.
    pub launches: Vec<LaunchRecord>,
}

/// One launch of a kernel.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LaunchRecord {
    /// The kernel's entry point.
    pub kernel: String,
    /// Blocks, x y z.
    pub grid: [u32; 3],
    /// Threads of a block, x y z.
    pub block: [u32; 3],
    /// Bytes of shared memory that the launch added to the kernel's own.
    pub dynamic_shared_bytes: u32,
    /// What it did.
    pub counters: Counters,
    /// What `printf` and `assert` wrote.
    pub printed: String,
    /// The result that the context's later calls have of it, when it failed.
    pub failure: Option<CUresult>,
}

thread_local! {
    /// The innermost recorder is the last.
    static RECORDERS: RefCell<Vec<Record>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body` and gives what the launches of this thread within it were. A recorder within another takes its launches
/// for itself.
pub fn record<T>(body: impl FnOnce() -> T) -> (T, Record) {
    /// Takes the recorder away, after a panic too.
    struct Recorder;
    impl Drop for Recorder {
        fn drop(&mut self) {
            RECORDERS.with_borrow_mut(Vec::pop);
        }
    }
    RECORDERS.with_borrow_mut(|recorders| recorders.push(Record::default()));
    let recorder = Recorder;
    let value = body();
    let record = RECORDERS.with_borrow_mut(|recorders| recorders.last_mut().map(std::mem::take)).unwrap_or_default();
    drop(recorder);
    (value, record)
}

/// Tells of a launch that has ended.
pub(crate) fn launched(launch: LaunchRecord, findings: Vec<Finding>) {
    RECORDERS.with_borrow_mut(|recorders| {
        if let Some(record) = recorders.last_mut() {
            record.findings.extend(findings);
            record.launches.push(launch);
        } else {
            print(&launch.printed);
            findings.iter().for_each(say);
        }
    });
}

/// Tells of what no launch is to blame for.
pub(crate) fn found(findings: impl IntoIterator<Item = Finding>) {
    RECORDERS.with_borrow_mut(|recorders| match recorders.last_mut() {
        Some(record) => record.findings.extend(findings),
        None => findings.into_iter().for_each(|finding| say(&finding)),
    });
}

/// Where a card's printf goes.
fn print(printed: &str) {
    // A closed standard output is no reason to fail a launch.
    let _ = std::io::stdout().write_all(printed.as_bytes());
}

/// Says a finding on standard error, the same one once.
fn say(finding: &Finding) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let text = finding.to_string();
    if SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone()) {
        eprintln!("softgpu: {text}");
    }
}
