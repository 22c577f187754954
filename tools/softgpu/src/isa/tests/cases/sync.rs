//! Barriers of all forms, fences, and mbarriers, in blocks of several warps.

use super::{Case, kernel};

/// Threads of a block here.
const THREADS: u32 = 96;

/// Each thread stores its number, the block meets, and each reads its neighbour's, 32 on.
fn exchange(opcode: &str, wait: &str) -> Case {
    let body = format!(
        "mov.u32 %r1, tile;\nshl.b32 %r2, %r0, 2;\nadd.u32 %r2, %r1, %r2;\nst.shared.b32 [%r2], %r0;\n{wait}\n\
         add.u32 %r3, %r0, 32;\nrem.u32 %r3, %r3, {THREADS};\nshl.b32 %r3, %r3, 2;\nadd.u32 %r3, %r1, %r3;\n\
         ld.shared.b32 %r4, [%r3];\nst.global.b32 [%rd1], %r4;"
    );
    let after = (0..THREADS).map(|thread| (thread + 32) % THREADS).collect();
    Case { threads: THREADS, ..Case::of_warp(opcode, kernel(&body), vec![0; THREADS as usize], after) }
}

fn barriers(cases: &mut Vec<Case>) {
    for (prefix, suffix) in [("bar", ""), ("bar.cta", ""), ("barrier", ".aligned"), ("barrier.cta", "")] {
        let sync = format!("{prefix}.sync{suffix}");
        cases.push(exchange(&sync, &format!("{sync} 0;")));
        cases.push(exchange(&sync, &format!("{sync} 5, {THREADS};")));
        // The last warp waits for the others, which do not wait for it.
        let arrive = format!("{prefix}.arrive{suffix}");
        let body = format!(
            "setp.ge.u32 %p1, %r0, 64;\n@%p1 bra waits;\nshl.b32 %r2, %r0, 2;\nmov.u32 %r1, tile;\n\
             add.u32 %r2, %r1, %r2;\nst.shared.b32 [%r2], %r0;\n{arrive} 3, {THREADS};\nst.global.b32 [%rd1], %r0;\n\
             bra done;\nwaits: {sync} 3, {THREADS};\nsub.u32 %r3, %r0, 64;\nshl.b32 %r3, %r3, 2;\nmov.u32 %r1, tile;\n\
             add.u32 %r3, %r1, %r3;\nld.shared.b32 %r4, [%r3];\nst.global.b32 [%rd1], %r4;\ndone:"
        );
        let after = (0..64).chain(0..32).collect();
        let case = Case::of_warp(&arrive, kernel(&body), vec![0; THREADS as usize], after);
        cases.push(Case { threads: THREADS, ..case });
        // Reductions of a predicate that some threads have, none, or all.
        for (operation, kind) in [("popc", "u32"), ("and", "pred"), ("or", "pred")] {
            let opcode = format!("{prefix}.red.{operation}{suffix}.{kind}");
            for least in [0, 40, 200] {
                let count = THREADS.saturating_sub(least);
                let value = match operation {
                    "popc" => count,
                    "and" => u32::from(count == THREADS),
                    _ => u32::from(count > 0),
                };
                let (d, widen) = if operation == "popc" { ("%r4", "") } else { ("%p2", "selp.b32 %r4, 1, 0, %p2;\n") };
                let body =
                    format!("setp.ge.u32 %p1, %r0, {least};\n{opcode} {d}, 0, %p1;\n{widen}st.global.b32 [%rd1], %r4;");
                let before = vec![9; THREADS as usize];
                let case = Case::of_warp(&opcode, kernel(&body), before, vec![value; THREADS as usize]);
                cases.push(Case { threads: THREADS, ..case });
            }
        }
    }
    // Within a warp: the lanes of a mask.
    let body = "shl.b32 %r2, %r0, 2;\nmov.u32 %r1, tile;\nadd.u32 %r3, %r1, %r2;\nst.shared.b32 [%r3], %r0;\n\
                bar.warp.sync 0xffffffff;\nxor.b32 %r2, %r2, 124;\nadd.u32 %r3, %r1, %r2;\nld.shared.b32 %r4, [%r3];\n\
                st.global.b32 [%rd1], %r4;";
    cases.push(Case::of_warp("bar.warp.sync", kernel(body), vec![0; 32], (0..32).rev().collect()));
}

/// A fence between a write and a flag: what the other block reads once it has seen the flag.
fn fences(cases: &mut Vec<Case>) {
    let mut opcodes: Vec<String> = ["cta", "gl", "sys"].map(|level| format!("membar.{level}")).into();
    for semantics in ["", ".sc", ".acq_rel", ".acquire", ".release"] {
        opcodes.extend(["cta", "cluster", "gpu", "sys"].map(|scope| format!("fence{semantics}.{scope}")));
    }
    opcodes.extend(["fence.proxy.alias", "fence.proxy.async.shared::cta", "membar.proxy.alias"].map(str::to_owned));
    opcodes.push("fence.mbarrier_init.release.cluster".to_owned());
    for opcode in opcodes {
        // A fence of the block or of a proxy orders nothing between blocks: beside it stands one that does.
        let beside = if opcode.ends_with("gl") || opcode.ends_with("sys") || opcode.ends_with("gpu") {
            ""
        } else {
            "membar.gl;\n"
        };
        let body = format!(
            "mov.u32 %r1, %ctaid.x;\nsetp.ne.u32 %p1, %r1, 0;\n@%p1 bra reads;\nst.global.b32 [%rd0], 7;\n{opcode};\n{beside}\
             st.volatile.global.b32 [%rd0+4], 1;\nbra done;\nreads: ld.volatile.global.b32 %r2, [%rd0+4];\n\
             setp.eq.u32 %p1, %r2, 0;\n@%p1 bra reads;\n{opcode};\n{beside}ld.global.b32 %r3, [%rd0];\n\
             st.global.b32 [%rd0+8], %r3;\ndone:"
        );
        let case = Case::of_warp(&opcode, kernel(&body), vec![0; 3], vec![7, 1, 7]);
        cases.push(Case { threads: 1, blocks: 2, ..case });
    }
}

fn mbarriers(cases: &mut Vec<Case>) {
    // Two phases in which all threads arrive and wait: by state, and by parity.
    for (space, arrive, wait) in [
        (".shared", "mbarrier.arrive.shared.b64", "mbarrier.test_wait.shared.b64"),
        (".shared::cta", "mbarrier.arrive.release.cta.shared::cta.b64", "mbarrier.try_wait.shared::cta.b64"),
        (".shared", "mbarrier.arrive.shared.b64", "mbarrier.test_wait.parity.shared.b64"),
        (".shared", "mbarrier.arrive.shared.b64", "mbarrier.try_wait.parity.acquire.cta.shared.b64"),
    ] {
        let init = format!("mbarrier.init{space}.b64");
        let inval = format!("mbarrier.inval{space}.b64");
        let parity = wait.contains("parity");
        let phase = |number: u32| {
            let state = if parity { number.to_string() } else { "%rd5".to_owned() };
            format!("{arrive} %rd5, [%r1];\nwait{number}: {wait} %p2, [%r1], {state};\n@!%p2 bra wait{number};\n")
        };
        let body = format!(
            "mov.u32 %r1, tile;\nsetp.ne.u32 %p1, %r0, 0;\n@!%p1 {init} [%r1], {THREADS};\nbar.sync 0;\n\
             shl.b32 %r2, %r0, 2;\nadd.u32 %r3, %r1, %r2;\nst.shared.b32 [%r3+64], %r0;\n{}add.u32 %r4, %r0, 32;\n\
             rem.u32 %r4, %r4, {THREADS};\nshl.b32 %r4, %r4, 2;\nadd.u32 %r4, %r1, %r4;\nld.shared.b32 %r5, [%r4+64];\n\
             {}st.shared.b32 [%r4+64], %r5;\nst.global.b32 [%rd1], %r5;\nbar.sync 0;\n@!%p1 {inval} [%r1];",
            phase(0),
            phase(1)
        );
        let after = (0..THREADS).map(|thread| (thread + 32) % THREADS).collect();
        let case = Case::of_warp(&init, kernel(&body), vec![0; THREADS as usize], after);
        let opcodes = vec![init, inval, arrive.to_owned(), wait.to_owned()];
        cases.push(Case { threads: THREADS, opcodes, ..case });
    }
    // One thread, step by step: what is pending, and when a phase is complete.
    let no_complete = "mbarrier.arrive.noComplete.shared.b64";
    let drop = "mbarrier.arrive_drop.shared.b64";
    let drop_no_complete = "mbarrier.arrive_drop.noComplete.shared.b64";
    let pending = "mbarrier.pending_count.b64";
    let body = format!(
        "mov.u32 %r1, tile;\nmbarrier.init.shared.b64 [%r1], 6;\n{no_complete} %rd5, [%r1], 2;\n\
         {pending} %r2, %rd5;\n{drop_no_complete} %rd6, [%r1], 1;\n{pending} %r3, %rd6;\n{drop} %rd7, [%r1];\n\
         {pending} %r4, %rd7;\nmbarrier.test_wait.shared.b64 %p1, [%r1], %rd7;\nselp.b32 %r5, 1, 0, %p1;\n\
         mbarrier.arrive.shared.b64 %rd8, [%r1], 2;\nmbarrier.test_wait.shared.b64 %p1, [%r1], %rd7;\n\
         selp.b32 %r6, 1, 0, %p1;\nmbarrier.arrive.shared.b64 %rd9, [%r1];\n{pending} %r7, %rd9;\n\
         st.global.b32 [%rd0], %r2;\nst.global.b32 [%rd0+4], %r3;\nst.global.b32 [%rd0+8], %r4;\n\
         st.global.b32 [%rd0+12], %r5;\nst.global.b32 [%rd0+16], %r6;\nst.global.b32 [%rd0+20], %r7;"
    );
    // Two of the six drop out, so that the next phase waits for four.
    let case = Case::of_warp("", kernel(&body), vec![9; 6], vec![6, 4, 3, 0, 1, 4]);
    let opcodes = [no_complete, drop, drop_no_complete].map(str::to_owned).into();
    cases.push(Case { threads: 1, opcodes, ..case });
    // Copies that arrive when they have landed.
    for (opcode, expected) in
        [("cp.async.mbarrier.arrive.shared.b64", 1), ("cp.async.mbarrier.arrive.noinc.shared.b64", 2)]
    {
        let body = format!(
            "mov.u32 %r1, tile;\nmbarrier.init.shared.b64 [%r1], {expected};\n\
             cp.async.ca.shared.global [tile+64], [%rd0], 4;\n{opcode} [%r1];\nmbarrier.arrive.shared.b64 %rd5, [%r1];\n\
             wait: mbarrier.test_wait.shared.b64 %p1, [%r1], %rd5;\n@!%p1 bra wait;\nld.shared.b32 %r2, [tile+64];\n\
             st.global.b32 [%rd0+4], %r2;\ncp.async.wait_all;"
        );
        cases.push(Case { threads: 1, ..Case::of_warp(opcode, kernel(&body), vec![77, 0], vec![77, 77]) });
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    barriers(&mut cases);
    fences(&mut cases);
    mbarriers(&mut cases);
    cases
}
