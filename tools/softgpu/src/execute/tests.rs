//! Small PTX programs: what they compute, what is found in them, and what is counted.

use std::sync::Arc;

use super::*;
use crate::inspect::finding::FindingKind;
use crate::memory::Origin;
use crate::program::decode;
use crate::ptx::parse;

/// A kernel `k` of one pointer, which is in `%rd0`; `%tid.x` is in `%r0`, and the address of the thread's own 4 bytes in
/// `%rd1`.
fn kernel(body: &str) -> String {
    format!(
        ".version 9.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 p)\n{{\n.reg .pred %p<9>;\n\
         .reg .b16 %rs<9>;\n.reg .b32 %r<30>;\n.reg .f32 %f<9>;\n.reg .b64 %rd<9>;\n.reg .f64 %fd<9>;\n\
         .shared .align 16 .b8 tile[512];\nld.param.u64 %rd0, [p];\ncvta.to.global.u64 %rd0, %rd0;\n\
         mov.u32 %r0, %tid.x;\nmul.wide.u32 %rd1, %r0, 4;\nadd.s64 %rd1, %rd0, %rd1;\n{body}\nret;\n}}\n"
    )
}

struct Run {
    report: Report,
    /// The first allocation, as words.
    words: Vec<u32>,
}

impl Run {
    fn text(&self) -> String {
        self.report.findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}

/// Runs a module's kernel `k` on `words`, in so many blocks of so many threads.
fn run_module(text: &str, grid: u32, block: u32, words: &[u32], settings: &Settings) -> Run {
    let memory = Memory::new(1 << 30);
    let address = memory.allocate(words.len() as u64 * 4, Origin::Allocation).unwrap();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    memory.write(address, &bytes).unwrap();
    let program = decode(parse(text).unwrap()).unwrap();
    let function = program.functions.iter().position(|function| &*function.name == "k").unwrap() as u32;
    let module = Module::load(Arc::new(program), text.into(), &memory).unwrap();
    let report = run(&Launch {
        module: &module,
        function,
        grid: [grid, 1, 1],
        block: [block, 1, 1],
        dynamic_shared_bytes: 0,
        params: &address.to_le_bytes(),
        memory: &memory,
        settings,
    });
    let mut bytes = vec![0; words.len() * 4];
    memory.read(address, &mut bytes).unwrap();
    let words = bytes.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
    Run { report, words }
}

fn run_kernel(body: &str, threads: u32, words: &[u32]) -> Run {
    run_module(&kernel(body), 1, threads, words, &Settings { workers: 1, ..Settings::default() })
}

fn clean(body: &str, threads: u32, words: &[u32]) -> Vec<u32> {
    let run = run_kernel(body, threads, words);
    assert_eq!((run.text(), run.report.failure), (String::new(), None));
    run.words
}

#[test]
fn a_store_by_each_thread() {
    assert_eq!(clean("st.global.u32 [%rd1], %r0;", 3, &[9; 4]), [0, 1, 2, 9]);
    let all: Vec<u32> = (0..100).collect();
    assert_eq!(clean("st.global.u32 [%rd1], %r0;", 100, &[0; 100]), all);
}

#[test]
fn out_of_bounds() {
    let run = run_kernel("ld.global.u32 %r1, [%rd1+4];", 32, &[0; 32]);
    assert_eq!(run.report.failure, Some(Failure::IllegalAddress));
    assert_eq!(
        run.text(),
        "out-of-bounds load of 4 bytes at 0x700000000080, 0 bytes past the end of allocation 1 (128 bytes)\n  \
         kernel   k, block (0, 0, 0), thread (31, 0, 0)\n  ptx      line 18: ld.global.u32 %r1, [%rd1+4];"
    );
    clean("ld.global.u32 %r1, [%rd1];", 32, &[0; 32]);
    let run = run_kernel("ld.global.v2.u32 {%r1, %r2}, [%rd0+8];", 1, &[0; 3]);
    assert!(run.text().starts_with("out-of-bounds load of 8 bytes at 0x700000000008, across the end of allocation 1"));
    let run = run_kernel("mov.u32 %r1, 512;\nst.shared.u32 [%r1], %r0;", 1, &[0]);
    assert!(
        run.text()
            .starts_with("out-of-bounds store of 4 bytes at 0x200, 0 bytes past the end of shared memory (512 bytes)"),
        "{}",
        run.text()
    );
}

#[test]
fn misaligned() {
    let run = run_kernel("ld.global.u32 %r1, [%rd0+2];", 1, &[0; 2]);
    assert_eq!(run.report.failure, Some(Failure::MisalignedAddress));
    assert!(run.text().starts_with("misaligned load of 4 bytes at 0x700000000002, byte 2 of allocation 1 (8 bytes)"));
    clean("ld.global.u16 %rs1, [%rd0+2];", 1, &[0; 2]);
}

#[test]
fn uninitialised_shared_memory() {
    let read = "shl.b32 %r1, %r0, 2;\nmov.u32 %r2, tile;\nadd.u32 %r1, %r1, %r2;\n";
    let run = run_kernel(&format!("{read}ld.shared.u32 %r3, [%r1];\nst.global.u32 [%rd1], %r3;"), 32, &[0; 32]);
    assert_eq!(run.report.failure, None);
    assert!(
        run.text().starts_with("load of 4 bytes at 0x0 that nothing has written, byte 0 of shared memory (512 bytes)"),
        "{}",
        run.text()
    );
    assert_eq!((run.report.findings.len(), run.report.findings[0].repeated), (1, 31));
    let write = format!("{read}st.shared.u32 [%r1], %r0;\nld.shared.u32 %r3, [%r1];\nst.global.u32 [%rd1], %r3;");
    assert_eq!(clean(&write, 4, &[9; 4]), [0, 1, 2, 3]);
}

#[test]
fn host_pointers_are_found() {
    let local = 0u32;
    let body = format!("mov.u64 %rd2, {};\nld.global.u32 %r1, [%rd2];", &raw const local as u64);
    let run = run_kernel(&body, 1, &[0]);
    assert!(matches!(run.report.findings[0].kind, FindingKind::HostPointer { .. }), "{}", run.text());
}

#[test]
fn lanes_that_diverge_meet_again() {
    // Odd lanes take another way; the ballot behind sees all of them.
    let body = "and.b32 %r1, %r0, 1;\nsetp.eq.u32 %p1, %r1, 0;\nmov.u32 %r2, 5;\n@%p1 bra even;\nmov.u32 %r2, 7;\n\
                even: activemask.b32 %r3;\nadd.u32 %r2, %r2, %r3;\nst.global.u32 [%rd1], %r2;";
    let expected: Vec<u32> = (0..32).map(|lane| if lane % 2 == 0 { 4 } else { 6 }).collect();
    assert_eq!(clean(body, 32, &[0; 32]), expected);
}

#[test]
fn a_loop_that_lanes_leave_one_by_one() {
    let body = "mov.u32 %r1, 0;\nmov.u32 %r2, 0;\ntop: add.u32 %r2, %r2, %r1;\nadd.u32 %r1, %r1, 1;\n\
                setp.le.u32 %p1, %r1, %r0;\n@%p1 bra top;\nactivemask.b32 %r3;\nst.global.u32 [%rd1], %r2;\n\
                setp.ne.u32 %p2, %r3, -1;\n@%p2 st.global.u32 [%rd1], -1;";
    let expected: Vec<u32> = (0..32).map(|n| n * (n + 1) / 2).collect();
    assert_eq!(clean(body, 32, &[9; 32]), expected);
}

#[test]
fn a_naive_lock_between_lanes() {
    // while (atomicCAS(lock, 0, 1) != 0); count += 1; atomicExch(lock, 0);
    let body = "spin: atom.global.cas.b32 %r1, [%rd0], 0, 1;\nsetp.ne.u32 %p1, %r1, 0;\n@%p1 bra spin;\n\
                ld.volatile.global.u32 %r2, [%rd0+4];\nadd.u32 %r2, %r2, 1;\nst.volatile.global.u32 [%rd0+4], %r2;\n\
                membar.gl;\natom.global.exch.b32 %r3, [%rd0], 0;";
    assert_eq!(clean(body, 64, &[0, 0]), [0, 64]);
    let settings = Settings { workers: 2, ..Settings::default() };
    assert_eq!(run_module(&kernel(body), 3, 64, &[0, 0], &settings).words, [0, 192]);
}

#[test]
fn a_lock_with_a_flag() {
    let body = "mov.u32 %r4, 0;\ntop: atom.global.cas.b32 %r1, [%rd0], 0, 1;\nsetp.ne.u32 %p1, %r1, 0;\n\
                @%p1 bra missed;\nld.volatile.global.u32 %r2, [%rd0+4];\nadd.u32 %r2, %r2, 1;\n\
                st.volatile.global.u32 [%rd0+4], %r2;\nmembar.gl;\natom.global.exch.b32 %r3, [%rd0], 0;\n\
                mov.u32 %r4, 1;\nmissed: setp.eq.u32 %p2, %r4, 0;\n@%p2 bra top;";
    assert_eq!(clean(body, 32, &[0, 0]), [0, 32]);
}

/// tile[tid] = tid; barrier; out[tid] = tile[last - tid]
const REVERSE: &str = "mov.u32 %r1, tile;\nshl.b32 %r2, %r0, 2;\nadd.u32 %r3, %r1, %r2;\nst.shared.u32 [%r3], %r0;\n\
                       bar.sync 0;\nmov.u32 %r4, %ntid.x;\nsub.u32 %r4, %r4, %r0;\nsub.u32 %r4, %r4, 1;\n\
                       shl.b32 %r4, %r4, 2;\nadd.u32 %r4, %r4, %r1;\nld.shared.u32 %r5, [%r4];\n\
                       st.global.u32 [%rd1], %r5;";

#[test]
fn a_barrier_between_warps() {
    let expected: Vec<u32> = (0..100).rev().collect();
    assert_eq!(clean(REVERSE, 100, &[0; 100]), expected);
}

#[test]
fn warps_that_left_are_not_waited_for() {
    let body = "setp.lt.u32 %p1, %r0, 32;\n@%p1 bra on;\nret;\non: bar.sync 0;\nst.global.u32 [%rd1], %r0;";
    assert_eq!(clean(body, 96, &[7; 33])[30..], [30, 31, 7]);
}

#[test]
fn a_barrier_that_a_warp_never_reaches() {
    let body = "setp.lt.u32 %p1, %r0, 32;\n@%p1 bra on;\nbar.sync 1, 96;\nret;\non: bar.sync 0;";
    let run = run_kernel(body, 64, &[0]);
    assert_eq!(run.report.failure, Some(Failure::Timeout));
    assert_eq!(
        run.text(),
        "barrier 0 is never complete\n    warp 0: waits at line 22: on: bar.sync 0;\n    \
         warp 1: waits at line 20: bar.sync 1, 96;\n  kernel   k, block (0, 0, 0), thread (0, 0, 0)\n  \
         ptx      line 22: on: bar.sync 0;"
    );
}

#[test]
fn a_barrier_in_two_branches_of_a_warp() {
    let body = "setp.lt.u32 %p1, %r0, 16;\n@%p1 bra on;\nbar.sync 0;\nret;\non: bar.sync 0;";
    let run = run_kernel(body, 32, &[0]);
    assert_eq!(run.report.failure, Some(Failure::LaunchFailed));
    assert_eq!(
        run.text(),
        "parts of a warp are at different instructions that need the whole warp\n    lanes 16-31 at line 20: bar.sync 0;\n    \
         lanes 0-15 at line 22: on: bar.sync 0;\n  kernel   k, block (0, 0, 0), thread (16, 0, 0)\n  \
         ptx      line 20: bar.sync 0;"
    );
}

#[test]
fn shuffles_between_diverged_lanes() {
    // Both halves shuffle by the mask of all, each at its own place: they meet.
    let body = "setp.lt.u32 %p1, %r0, 16;\n@%p1 bra low;\nadd.u32 %r1, %r0, 100;\n\
                shfl.sync.bfly.b32 %r2, %r1, 16, 31, -1;\nbra store;\n\
                low: shfl.sync.bfly.b32 %r2, %r0, 16, 31, -1;\nstore: st.global.u32 [%rd1], %r2;";
    let expected: Vec<u32> = (0..32).map(|lane| if lane < 16 { lane + 116 } else { lane - 16 }).collect();
    assert_eq!(clean(body, 32, &[0; 32]), expected);
}

#[test]
fn a_shuffle_that_others_never_reach() {
    let body = "setp.lt.u32 %p1, %r0, 8;\n@%p1 bra low;\nbar.warp.sync -1;\nret;\n\
                low: shfl.sync.bfly.b32 %r2, %r0, 1, 31, -1;";
    let run = run_kernel(body, 32, &[0]);
    assert_eq!(run.report.failure, Some(Failure::Timeout));
    assert!(
        run.text().starts_with(
            "lanes 0-7 of the mask 0xffffffff never reach the instruction\n    lanes 8-31 at line 20: bar.warp.sync -1;\n    \
             lanes 0-7 at line 22: low: shfl.sync.bfly.b32 %r2, %r0, 1, 31, -1;\n"
        ),
        "{}",
        run.text()
    );
    let run = run_kernel("bar.warp.sync 1;", 2, &[0]);
    assert!(run.text().starts_with("lane 1 is not in its own mask 0x00000001"));
}

#[test]
fn blocks_that_wait_for_each_other() {
    // Block 0 waits for what block 5 sets: more blocks than workers.
    let body = "mov.u32 %r1, %ctaid.x;\nsetp.eq.u32 %p1, %r1, 5;\n@%p1 bra set;\n\
                wait: ld.volatile.global.u32 %r2, [%rd0];\nsetp.eq.u32 %p2, %r2, 0;\n@%p2 bra wait;\nret;\n\
                set: st.volatile.global.u32 [%rd0], 1;";
    let settings = Settings { workers: 1, ..Settings::default() };
    let run = run_module(&kernel(body), 6, 32, &[0], &settings);
    assert_eq!((run.text(), run.words), (String::new(), vec![1]));
    let run = run_module(&kernel(body), 5, 32, &[0], &settings);
    assert_eq!(run.report.failure, Some(Failure::Timeout));
    assert!(matches!(run.report.findings[0].kind, FindingKind::Deadlock { .. }), "{}", run.text());
    assert!(
        run.text().starts_with("every block that can be resident waits for another\n    block (0, 0, 0): at line 21: ")
    );
}

#[test]
fn lines_that_run() {
    let body =
        "setp.ne.u32 %p1, %r0, 0;\n@%p1 bra other;\nst.global.u32 [%rd1], 5;\nret;\nother: st.global.u32 [%rd1], 6;";
    let lines = |threads| {
        let settings = Settings { workers: 1, lines: true, ..Settings::default() };
        let mut lines = run_module(&kernel(body), 1, threads, &[0; 2], &settings).report.lines;
        lines.retain(|line| (18..=22).contains(line));
        lines
    };
    assert_eq!(lines(1), [18, 19, 20, 21]);
    assert_eq!(lines(2), [18, 19, 20, 21, 22]);
    assert!(run_kernel(body, 2, &[0; 2]).report.lines.is_empty(), "not asked for");
}

#[test]
fn a_loop_that_does_not_end() {
    let settings = Settings { workers: 1, watchdog: 100_000, ..Settings::default() };
    let run = run_module(&kernel("top: add.u32 %r1, %r1, 1;\nbra top;"), 1, 32, &[0], &settings);
    assert_eq!(run.report.failure, Some(Failure::Timeout));
    assert!(matches!(run.report.findings[0].kind, FindingKind::Watchdog { executed: 100_000.. }));
}

#[test]
fn the_first_failure_by_block_is_reported() {
    // Blocks 3 and later trap, after more work the earlier they are.
    let body = "mov.u32 %r1, %ctaid.x;\nsetp.lt.u32 %p1, %r1, 3;\n@%p1 bra fine;\nsub.u32 %r2, 64, %r1;\n\
                mul.lo.u32 %r2, %r2, 100;\ntop: sub.u32 %r2, %r2, 1;\nsetp.ne.u32 %p2, %r2, 0;\n@%p2 bra top;\ntrap;\nfine:";
    for workers in [1, 2, 4] {
        let settings = Settings { workers, ..Settings::default() };
        let run = run_module(&kernel(body), 64, 32, &[0], &settings);
        assert_eq!(run.report.failure, Some(Failure::LaunchFailed));
        assert_eq!(run.report.findings.len(), 1, "{}", run.text());
        assert_eq!(run.report.findings[0].block, [3, 0, 0]);
    }
}

#[test]
fn traffic_is_counted() {
    let counters = |body: &str, threads| {
        let run = run_kernel(body, threads, &[0; 4096]);
        assert_eq!(run.text(), "");
        run.report.counters
    };
    // Contiguous words: 4 sectors a request.
    let c = counters("ld.global.u32 %r1, [%rd1];", 64);
    let loads = &c.global_loads;
    assert_eq!((loads.requests, loads.sectors, loads.distinct_sectors, loads.requested_bytes), (2, 8, 8, 256));
    assert_eq!(loads.by_width, [0, 0, 2, 0, 0, 0]);
    // From the second word on: one sector more, met twice by the two warps.
    let loads = counters("ld.global.u32 %r1, [%rd1+4];", 64).global_loads;
    assert_eq!((loads.sectors, loads.distinct_sectors), (10, 9));
    // 16 bytes a lane from the third 8 bytes on would be misaligned; from 16 bytes on it is 17 sectors for 512 bytes.
    let wide = "shl.b64 %rd2, %rd1, 2;\nmul.wide.u32 %rd2, %r0, 16;\nadd.s64 %rd2, %rd2, %rd0;\n";
    let loads = counters(&format!("{wide}ld.global.v4.u32 {{%r1, %r2, %r3, %r4}}, [%rd2+16];"), 32).global_loads;
    assert_eq!((loads.requests, loads.sectors, loads.moved_bytes()), (1, 17, 17 * 32));
    assert_eq!(loads.by_width, [0, 0, 0, 0, 1, 0]);
    // A stride of 128 bytes: a sector for each lane, stores apart from loads.
    let strided = "mul.wide.u32 %rd2, %r0, 128;\nadd.s64 %rd2, %rd2, %rd0;\n";
    let c = counters(&format!("{strided}st.global.u32 [%rd2], %r0;"), 32);
    assert_eq!((c.global_stores.sectors, c.global_stores.distinct_sectors, c.global_loads.requests), (32, 32, 0));
    // One address for all.
    let loads = counters("ld.global.u32 %r1, [%rd0];", 32).global_loads;
    assert_eq!((loads.sectors, loads.distinct_sectors), (1, 1));
    // 5 lanes of a last warp.
    let loads = counters("ld.global.u32 %r1, [%rd1];", 5).global_loads;
    assert_eq!((loads.sectors, loads.requested_bytes), (1, 20));
}

#[test]
fn counters_do_not_depend_on_the_workers() {
    let reports: Vec<_> = [1, 2, 3]
        .map(|workers| {
            let settings = Settings { workers, ..Settings::default() };
            let run = run_module(&kernel(REVERSE), 50, 128, &[0; 128], &settings);
            assert_eq!(run.text(), "");
            run.report.counters
        })
        .into();
    assert_eq!(reports[0], reports[1]);
    assert_eq!(reports[0], reports[2]);
    assert_eq!((reports[0].barriers, reports[0].shared.requests), (50, 50 * 4 * 2));
    assert!((reports[0].mean_active_lanes() - 32.0).abs() < 1e-9);
}

#[test]
fn atomics_of_many_blocks() {
    let body = "atom.global.add.u32 %r1, [%rd0], 1;\nred.global.max.u32 [%rd0+4], %r0;";
    let settings = Settings { workers: 2, ..Settings::default() };
    let run = run_module(&kernel(body), 20, 64, &[0, 0], &settings);
    assert_eq!((run.text(), run.words), (String::new(), vec![20 * 64, 63]));
    let counters = &run.report.counters;
    assert_eq!((counters.global_atomics.operations, counters.shared_atomics), (2 * 20 * 64, 0));
}

#[test]
fn asynchronous_copies() {
    let copy = "mov.u32 %r1, tile;\nshl.b32 %r2, %r0, 2;\nadd.u32 %r1, %r1, %r2;\n\
                cp.async.ca.shared.global [%r1], [%rd1], 4;\ncp.async.commit_group;\n";
    let read = "ld.shared.u32 %r3, [%r1];\nadd.u32 %r3, %r3, 1;\nst.global.u32 [%rd1], %r3;\n";
    assert_eq!(clean(&format!("{copy}cp.async.wait_group 0;\n{read}"), 4, &[5, 6, 7, 8]), [6, 7, 8, 9]);
    let run = run_kernel(&format!("{copy}{read}cp.async.wait_all;"), 4, &[5, 6, 7, 8]);
    assert!(run.text().contains("in flight"), "{}", run.text());
    let run = run_kernel(copy, 4, &[5, 6, 7, 8]);
    assert!(run.text().starts_with("a thread leaves the kernel with asynchronous copies in flight"), "{}", run.text());
}

/// Chunks of 16 bytes are looked at by the warp: what is wrong with one of them is found as of its lane.
#[test]
fn chunks_of_a_warp() {
    let places = "mul.wide.u32 %rd2, %r0, 16;\nadd.s64 %rd2, %rd0, %rd2;\nmov.u32 %r1, tile;\n\
                  shl.b32 %r2, %r0, 4;\nadd.u32 %r1, %r1, %r2;\nsetp.eq.u32 %p1, %r0, 17;\n";
    let copy = "cp.async.cg.shared.global [%r1], [%rd2], 16;\ncp.async.commit_group;\n";
    let wait = "cp.async.wait_group 0;\n";
    let load = "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r3, %r4, %r5, %r6}, [%r1];\n";
    let stores = [0, 1, 2, 3].map(|i| format!("st.global.u32 [%rd1+{}], %r{};\n", 128 * i, 3 + i)).concat();
    let words: Vec<u32> = (0..128).map(|i| i * 0x01_0203).collect();
    let run_of = |body: &str, words: &[u32]| run_kernel(&format!("{places}{body}"), 32, words);

    let run = run_of(&format!("xor.b32 %r1, %r1, 16;\n{copy}{wait}{load}{stores}"), &words);
    assert_eq!(run.text(), "");
    // Each lane has read what it has copied: of each matrix a row goes to four lanes.
    assert_eq!(run.words, words);
    let counters = &run.report.counters;
    assert_eq!((counters.shared.requests, counters.shared.wavefronts, counters.shared.conflicts), (2, 4 + 4, 0));
    assert_eq!(
        (counters.global_loads.sectors, counters.global_loads.distinct_sectors, counters.global_loads.requested_bytes),
        (16, 16, 512)
    );

    for (body, count, expected, thread) in [
        (
            format!("{copy}{load}{wait}"),
            128,
            "load of 16 bytes of shared memory at byte 0 while an asynchronous copy",
            0,
        ),
        (format!("@!%p1 {copy}{wait}{load}"), 128, "load of 16 bytes at 0x110 that nothing has written", 17),
        (format!("{copy}{wait}@%p1 add.u32 %r1, %r1, 8;\n{load}"), 128, "misaligned load of 16 bytes at 0x118", 17),
        (
            format!("{copy}{wait}@%p1 add.u32 %r1, %r1, 512;\n{load}"),
            128,
            "out-of-bounds load of 16 bytes at 0x310",
            17,
        ),
        (format!("@%p1 add.s64 %rd2, %rd2, 8;\n{copy}{wait}"), 128, "misaligned copy of 16 bytes", 17),
        (format!("@%p1 add.u32 %r1, %r1, 4;\n{copy}{wait}"), 128, "misaligned copy of 16 bytes", 17),
        (format!("{copy}{wait}"), 124, "out-of-bounds copy", 31),
        (copy.to_owned(), 128, "a thread leaves the kernel with asynchronous copies in flight", 0),
    ] {
        let run = run_of(&body, &words[..count]);
        assert!(run.text().starts_with(expected), "{body}: {}", run.text());
        assert_eq!(run.report.findings[0].thread, [thread, 0, 0], "{body}: {}", run.text());
    }
}

#[test]
fn recursion() {
    // f(n) = n == 0 ? 0 : n + f(n - 1), each lane to its own depth.
    let text = ".version 9.0\n.target sm_80\n.address_size 64\n\
        .func (.param .b32 r) f(.param .b32 n)\n{\n.reg .pred %p<3>;\n.reg .b32 %r<6>;\nld.param.u32 %r1, [n];\n\
        setp.eq.u32 %p1, %r1, 0;\nmov.u32 %r3, 0;\n@%p1 bra done;\nsub.u32 %r2, %r1, 1;\n{\n.param .b32 a;\n.param .b32 b;\n\
        st.param.b32 [a], %r2;\ncall.uni (b), f, (a);\nld.param.b32 %r3, [b];\n}\nadd.u32 %r3, %r3, %r1;\n\
        done: st.param.b32 [r], %r3;\nret;\n}\n\
        .visible .entry k(.param .u64 p)\n{\n.reg .b32 %r<6>;\n.reg .b64 %rd<4>;\nld.param.u64 %rd1, [p];\n\
        mov.u32 %r1, %tid.x;\n{\n.param .b32 a;\n.param .b32 b;\nst.param.b32 [a], %r1;\ncall.uni (b), f, (a);\n\
        ld.param.b32 %r2, [b];\n}\nmul.wide.u32 %rd2, %r1, 4;\nadd.s64 %rd1, %rd1, %rd2;\nst.global.u32 [%rd1], %r2;\nret;\n}\n";
    let run = run_module(text, 1, 32, &[9; 32], &Settings { workers: 1, ..Settings::default() });
    assert_eq!(run.text(), "");
    assert_eq!(run.words, (0..32).map(|n| n * (n + 1) / 2).collect::<Vec<u32>>());
}

#[cfg(target_os = "linux")]
fn processor_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call fills the struct that it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Prints how fast the loop is: `cargo test --release -p oblate-softgpu --lib speed -- --ignored --nocapture`.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "a measurement"]
fn speed() {
    let tail = "add.u32 %r9, %r9, 1;\nsetp.lt.u32 %p1, %r9, 1000000;\n@%p1 bra top;";
    let arithmetic = "add.u32 %r1, %r1, %r9;\nxor.b32 %r2, %r1, %r9;\nadd.u32 %r3, %r2, %r1;\nshl.b32 %r1, %r3, 1;\n";
    let memory = "ld.global.u32 %r1, [%rd1];\nst.global.u32 [%rd1+4096], %r1;\n".repeat(2);
    let vectors =
        "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd2];\nst.global.v4.u32 [%rd2+4096], {%r1, %r2, %r3, %r4};\n";
    for (name, body) in [("arithmetic", arithmetic), ("4-byte loads and stores", &memory), ("16-byte", vectors)] {
        let body = format!(
            "mul.wide.u32 %rd2, %r0, 16;\nadd.s64 %rd2, %rd2, %rd0;\nmov.u32 %r9, 0;\nmov.u32 %r1, 0;\ntop:\n{body}{tail}"
        );
        let start = processor_seconds();
        let run = run_kernel(&body, 32, &[0; 4096]);
        let seconds = processor_seconds() - start;
        assert_eq!(run.text(), "");
        println!("{name}: {:.0} M warp instructions/s", run.report.counters.instructions() as f64 / seconds / 1e6);
    }
}
