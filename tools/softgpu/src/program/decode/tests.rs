use crate::program::Kind::{self, Branch, Lanes, Return};
use crate::program::decode;
use crate::ptx::parse;

/// A kernel around `body`, which may use `%r`, `%rd`, `%f`, `%fd`, `%rs` and `%p`, eight of each.
fn kernel(body: &str) -> String {
    format!(
        ".version 9.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 p)\n{{\n.reg .pred %p<8>;\n\
         .reg .b16 %rs<8>;\n.reg .b32 %r<8>;\n.reg .f32 %f<8>;\n.reg .b64 %rd<8>;\n.reg .f64 %fd<8>;\n{body}\n}}\n"
    )
}

#[test]
fn a_loop_is_laid_out_before_its_exit() {
    let text = kernel(
        "mov.u32 %r1, 0;\nbra.uni test;\ndone: ret;\nbody: add.u32 %r1, %r1, 1;\n\
         test: setp.lt.u32 %p1, %r1, 9;\n@%p1 bra body;\nbra done;",
    );
    let program = decode(&parse(&text).unwrap()).unwrap();
    let kinds: Vec<Kind> = program.ops.iter().map(|op| op.kind).collect();
    // The header, then the body, then the exit; what fell through in the text and no longer does is given a branch.
    assert_eq!(kinds, [Lanes, Branch, Lanes, Branch, Branch, Lanes, Branch, Branch, Return]);
    let targets: Vec<u32> = program.ops.iter().filter(|op| op.kind == Branch).map(|op| op.extra).collect();
    assert_eq!(targets, [2, 5, 7, 2, 8]);
}
