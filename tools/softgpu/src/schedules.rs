//! Running a launch under several schedules: a kernel that is right gives the same bits under all.

use std::cell::Cell;

use crate::execute::{self, Launch, Report, Settings};
use crate::inspect::finding::{Finding, FindingKind, Party, ScheduleDependence};
use crate::memory::image::Difference;
use crate::settings::Checks;

thread_local! {
    static COUNT: Cell<u32> = const { Cell::new(1) };
}

/// Runs `body`; each launch that this thread makes within it is run under so many schedules: in turn, then shuffled by
/// the seeds from 1 on, each time with memory as it was before. What differs is a finding,
/// [`FindingKind::ScheduleDependent`], which names the first bits that do and who wrote them; the findings of the other
/// runs are reported too. Memory is left as the launch in turn has it.
///
/// Each schedule runs on one thread of the host, and must have its context for itself: memory that another thread's launches
/// or copies change meanwhile is taken for the launch's own.
pub fn schedules<T>(count: u32, body: impl FnOnce() -> T) -> T {
    struct Restore(u32);
    impl Drop for Restore {
        fn drop(&mut self) {
            COUNT.set(self.0);
        }
    }
    let _restore = Restore(COUNT.replace(count.max(1)));
    body()
}

/// Runs a launch under the schedules that this thread asks for.
pub(crate) fn run(launch: &Launch<'_>) -> Report {
    let count = COUNT.get();
    if count == 1 {
        return execute::run(launch);
    }
    let before = launch.memory.image();
    let under = |seed, checks| {
        let settings = Settings { workers: 1, seed, checks, ..launch.settings.clone() };
        execute::run(&Launch { settings: &settings, ..*launch })
    };
    let checks = launch.settings.checks;
    let mut report = under(None, checks);
    if report.failure.is_some() {
        return report;
    }
    let after = launch.memory.image();
    for seed in 1..u64::from(count) {
        before.restore();
        let shuffled = under(Some(seed), checks);
        for finding in shuffled.findings {
            if !report.findings.iter().any(|known| is_alike(known, &finding)) {
                report.findings.push(finding);
            }
        }
        if shuffled.failure.is_some() {
            report.failure = shuffled.failure;
            return report;
        }
        if let Some(difference) = after.difference() {
            // Once more, looking who writes.
            let writers = [None, Some(seed)].map(|seed| {
                before.restore();
                let again = under(seed, Checks { races: true, ..checks });
                execute::writer(launch, again.number, difference.address)
            });
            report.findings.push(dependence(launch, seed, &difference, writers));
            break;
        }
    }
    after.restore();
    report
}

/// Whether two findings are the same thing at the same instruction.
fn is_alike(a: &Finding, b: &Finding) -> bool {
    a.ptx_line == b.ptx_line && std::mem::discriminant(&a.kind) == std::mem::discriminant(&b.kind)
}

fn dependence(launch: &Launch<'_>, seed: u64, difference: &Difference, writers: [Option<Party>; 2]) -> Finding {
    let [in_turn, shuffled] = writers;
    let at = shuffled.clone().or_else(|| in_turn.clone()).unwrap_or_default();
    Finding {
        kind: FindingKind::ScheduleDependent(ScheduleDependence {
            address: difference.address,
            bytes: difference.bytes as u32,
            near: launch.memory.place(difference.address),
            seed,
            bits: [difference.image, difference.now],
            in_turn,
            shuffled,
        }),
        kernel: launch.module.program.functions[launch.function as usize].name.to_string(),
        ptx_line: at.ptx_line,
        instruction: at.instruction,
        source: at.source,
        block: at.block,
        thread: at.thread,
        repeated: 0,
    }
}
