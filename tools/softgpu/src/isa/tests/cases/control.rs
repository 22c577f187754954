//! Branches, calls and the ends of a thread.

use super::{Case, kernel};
use crate::execute::Failure;

pub(super) fn cases() -> Vec<Case> {
    let lanes: Vec<u32> = (0..32).collect();
    let mut cases = Vec::new();
    for opcode in ["bra", "bra.uni"] {
        // Forwards over a store, and backwards for three turns.
        let body = format!(
            "mov.u32 %r1, 0;\n{opcode} there;\nst.global.b32 [%rd1], 77;\nthere: again: add.u32 %r1, %r1, %r0;\n\
             add.u32 %r2, %r2, 1;\nsetp.lt.u32 %p1, %r2, 3;\n@%p1 {opcode} again;\nst.global.b32 [%rd1], %r1;"
        )
        .replacen("mov.u32 %r1, 0;", "mov.u32 %r1, 0;\nmov.u32 %r2, 0;", 1);
        cases.push(Case::of_warp(opcode, kernel(&body), vec![0; 32], lanes.iter().map(|lane| 3 * lane).collect()));
    }
    for opcode in ["brx.idx", "brx.idx.uni"] {
        // Of three places, by lane or one for all.
        let index = if opcode.ends_with("uni") { "mov.u32 %r1, 2;" } else { "rem.u32 %r1, %r0, 3;" };
        let body = format!(
            "{index}\ntargets: .branchtargets first, second, third;\n{opcode} %r1, targets;\nfirst: mov.u32 %r2, 10;\n\
             bra done;\nsecond: mov.u32 %r2, 20;\nbra done;\nthird: mov.u32 %r2, 30;\ndone: st.global.b32 [%rd1], %r2;"
        );
        let after = lanes.iter().map(|lane| if opcode.ends_with("uni") { 30 } else { 10 + lane % 3 * 10 }).collect();
        cases.push(Case::of_warp(opcode, kernel(&body), vec![0; 32], after));
    }
    calls(&mut cases, &lanes);
    for opcode in ["exit", "ret", "ret.uni"] {
        // Odd lanes leave before they store; all of them where nothing may diverge.
        let guard = if opcode.ends_with("uni") { "" } else { "@%p1 " };
        let body =
            format!("and.b32 %r1, %r0, 1;\nsetp.ne.u32 %p1, %r1, 0;\n{guard}{opcode};\nst.global.b32 [%rd1], %r0;");
        let stays = |lane: &u32| if lane.is_multiple_of(2) && !guard.is_empty() { *lane } else { 99 };
        cases.push(Case::of_warp(opcode, kernel(&body), vec![99; 32], lanes.iter().map(stays).collect()));
    }
    for opcode in ["trap", "brkpt"] {
        let body = format!("st.global.b32 [%rd1], %r0;\n{opcode};\nst.global.b32 [%rd1], 77;");
        let case = Case::of_warp(opcode, kernel(&body), vec![0; 32], lanes.clone());
        cases.push(Case { failure: Some(Failure::LaunchFailed), ..case });
    }
    for (opcode, operand) in [("nanosleep.u32", "%r0"), ("pmevent", "7"), ("pmevent.mask", "3")] {
        let body = format!("{opcode} {operand};\nst.global.b32 [%rd1], %r0;");
        cases.push(Case::of_warp(opcode, kernel(&body), vec![99; 32], lanes.clone()));
    }
    cases
}

/// Direct, through a pointer, and of itself: lane l's factorial of l % 7.
fn calls(cases: &mut Vec<Case>, lanes: &[u32]) {
    let functions = "\
.func (.param .b32 out) factorial(.param .b32 in)\n{\n.reg .b32 %n, %m;\n.reg .pred %small;\nld.param.b32 %n, [in];\n\
mov.b32 %m, 1;\nsetp.lt.u32 %small, %n, 2;\n@%small bra last;\n{\n.param .b32 a;\n.param .b32 b;\nsub.u32 %m, %n, 1;\n\
st.param.b32 [a], %m;\ncall (b), factorial, (a);\nld.param.b32 %m, [b];\n}\nmul.lo.u32 %m, %m, %n;\n\
last: st.param.b32 [out], %m;\nret;\n}\n\
.func (.param .b32 out) negative(.param .b32 in)\n{\n.reg .b32 %n;\nld.param.b32 %n, [in];\nneg.s32 %n, %n;\n\
st.param.b32 [out], %n;\nret;\n}\n\
.global .align 8 .u64 table[2] = {factorial, negative};\n";
    let factorial = |n: u32| (1..=n).product::<u32>();
    for (opcode, pointer) in [("call", false), ("call.uni", false), ("call", true)] {
        let (prepare, call) = if pointer {
            (
                "and.b32 %r2, %r0, 1;\nmul.wide.u32 %rd3, %r2, 8;\nmov.u64 %rd4, table;\nadd.s64 %rd3, %rd3, %rd4;\n\
                 ld.global.u64 %rd5, [%rd3];",
                format!("proto: .callprototype (.param .b32 _) _ (.param .b32 _);\n{opcode} (y), %rd5, (x), proto;"),
            )
        } else {
            ("", format!("{opcode} (y), factorial, (x);"))
        };
        let body = format!(
            "{prepare}\nrem.u32 %r1, %r0, 7;\n{{\n.param .b32 x;\n.param .b32 y;\nst.param.b32 [x], %r1;\n{call}\n\
             ld.param.b32 %r1, [y];\n}}\nst.global.b32 [%rd1], %r1;"
        );
        let text = kernel(&body).replacen(".visible", &format!("{functions}.visible"), 1);
        let result = |lane: &u32| {
            let n = lane % 7;
            if pointer && lane % 2 == 1 { n.wrapping_neg() } else { factorial(n) }
        };
        cases.push(Case::of_warp(opcode, text, vec![0; 32], lanes.iter().map(result).collect()));
    }
}
