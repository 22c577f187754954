use std::path::Path;
use std::process::Command;

use crate::inspect::Class;
use crate::program::Kind::{self, Branch, Lanes, Return};
use crate::program::{
    Access, Address, Builtin, CallTarget, Constant, Function, NONE, Number, Op, Program, Relocation, Slot, decode,
};
use crate::ptx::ast::{Space, Special};
use crate::ptx::parse;

const HEAD: &str = ".version 9.0\n.target sm_80\n.address_size 64\n";

/// A kernel around `body`, which may use `%r`, `%rd`, `%f`, `%fd`, `%rs` and `%p`, eight of each.
fn kernel(body: &str) -> String {
    format!(
        "{HEAD}.visible .entry k(.param .u64 p)\n{{\n.reg .pred %p<8>; .reg .b16 %rs<8>; .reg .b32 %r<8>; \
         .reg .f32 %f<8>; .reg .b64 %rd<8>; .reg .f64 %fd<8>;\n{body}\n}}\n"
    )
}

fn program(text: &str) -> Program {
    decode(parse(text).unwrap_or_else(|error| panic!("{error}"))).unwrap_or_else(|error| panic!("{error}"))
}

fn kinds(program: &Program) -> Vec<Kind> {
    program.ops.iter().map(|op| op.kind).collect()
}

/// What a constant's slot is filled with.
fn constant(function: &Function, slot: Slot) -> Constant {
    function.constants.iter().find(|(at, _)| *at == slot).expect("the slot of a constant").1
}

fn access<'p>(program: &'p Program, op: &Op) -> &'p Access {
    &program.accesses[op.extra as usize]
}

#[test]
fn a_loop_is_laid_out_before_its_exit() {
    let program = program(&kernel(
        "mov.u32 %r1, 0;\nbra.uni test;\ndone: ret;\nbody: add.u32 %r1, %r1, 1;\n\
         test: setp.lt.u32 %p1, %r1, 9;\n@%p1 bra body;\nbra done;",
    ));
    // The header, then the body, then the exit; what fell through in the text and no longer does is given a branch.
    assert_eq!(kinds(&program), [Lanes, Branch, Lanes, Branch, Branch, Lanes, Branch, Branch, Return]);
    let targets: Vec<u32> = program.ops.iter().filter(|op| op.kind == Branch).map(|op| op.extra).collect();
    assert_eq!(targets, [2, 5, 7, 2, 8]);
    // The text has three branches, and three are counted.
    let counted = program.blocks.iter().flat_map(|block| &block.classes);
    assert_eq!(counted.filter(|(class, _)| *class == Class::Control).map(|(_, count)| count).sum::<u32>(), 4);
}

#[test]
fn what_cannot_be_reached_is_left_out_but_looked_at() {
    assert_eq!(kinds(&program(&kernel("ret; mov.u32 %r1, 0; ret;"))), [Return]);
    let error = decode(parse(&kernel("ret;\nfrob.u32 %r1, 0;")).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "PTX line 8: unknown opcode frob.u32 in \"frob.u32 %r1, 0;\"");
    // A text that ends without a return returns.
    assert_eq!(kinds(&program(&kernel(""))), [Kind::Exit]);
}

#[test]
fn immediates_are_constants_of_their_operands_width_and_shared() {
    let program = program(&kernel(
        "add.s16 %rs1, %rs2, -1; add.s32 %r1, %r2, -1; add.s32 %r3, %r1, -1; add.s64 %rd1, %rd2, -1;\n\
         mul.f32 %f1, %f2, 0f40000000; mul.f32 %f3, %f1, 2.0; mov.pred %p1, 1; ret;",
    ));
    let k = &program.functions[0];
    let fills: Vec<Constant> = program.ops[..6].iter().map(|op| constant(k, op.s[1])).collect();
    let two = Constant::Bits32(0x4000_0000);
    let minus = Constant::Bits32(u32::MAX);
    assert_eq!(fills, [Constant::Bits32(0xffff), minus, minus, Constant::Bits64(u64::MAX), two, two]);
    assert_eq!(program.ops[6].s[0], program.ops[1].s[1], "a true predicate has the bits of -1");
    assert_eq!(k.constants.len(), 4);
}

#[test]
fn special_registers_are_filled_once_or_read_when_they_change() {
    let program = program(&kernel("mov.u32 %r1, %tid.x; add.u32 %r2, %r1, %tid.x; mov.u64 %rd1, %clock64; ret;"));
    assert_eq!(program.functions[0].specials, [(program.ops[0].s[0], Special::Tid(0))]);
    assert_eq!(program.ops[1].s[1], program.ops[0].s[0]);
    assert_eq!(kinds(&program)[2..4], [Kind::ReadSpecial, Lanes]);
    assert_eq!(program.dynamic_specials, [Special::Clock64]);
}

#[test]
fn accesses_say_where_and_how_wide() {
    let program = program(
        &format!(
            "{HEAD}.const .b32 c[4];\n.extern .shared .align 16 .b8 dyn[];\n\
         .entry k(.param .u32 a, .param .align 8 .b8 p[24]) {{ .reg .b16 %h; .reg .b32 %r<4>; .reg .b64 %d<3>;\n\
         .shared .b8 s[20]; .local .align 8 .b8 l[16];\n\
         ld.param.u64 %d1, [p+16]; @%g ld.global.nc.v2.s8 {{%h, _}}, [%d1+-4]; ld.const.s32 %d2, [c+8];\n\
         st.shared.v2.b32 [s+8], {{%r1, 7}}; st.volatile.shared.u32 [dyn], %r1; st.local.b64 [l+8], %d1;\n\
         ld.acquire.gpu.u32 %r1, [%r2]; ret; }}"
        )
        .replace(".reg .b16 %h;", ".reg .b16 %h; .reg .pred %g;"),
    );
    let k = &program.functions[0];
    let at: Vec<&Access> = program.ops[..7].iter().map(|op| access(&program, op)).collect();
    assert_eq!((at[0].space, at[0].base, at[0].offset, at[0].element_bytes), (Space::Param, Address::Constant, 24, 8));
    assert_eq!((at[1].space, at[1].offset, at[1].elements, at[1].register_bytes), (Space::Global, -4, 2, 2));
    assert_eq!((at[1].number, at[1].registers[1], at[1].strong), (Number::Signed, NONE, false));
    assert!(matches!(at[1].base, Address::Slot64(_)) && program.ops[1].guard != NONE);
    assert_eq!((at[2].base, at[2].offset, at[2].element_bytes, at[2].register_bytes), (Address::Variable(0), 8, 4, 8));
    assert_eq!((at[3].space, at[3].offset, constant(k, at[3].registers[1])), (Space::Shared, 8, Constant::Bits32(7)));
    assert_eq!((at[4].offset, at[4].strong), (32, true));
    assert_eq!((at[5].space, at[5].offset, k.frame_bytes, k.shared_bytes), (Space::Local, 8, 16, 20));
    assert!(at[6].strong && at[6].space == Space::Generic && matches!(at[6].base, Address::Slot32(_)));
    assert_eq!((k.params[1].offset, k.params[1].bytes, k.param_bytes), (8, 24, 32));
}

#[test]
fn shared_memory_is_a_kernels_own_and_what_it_reaches() {
    let program = program(&format!(
        "{HEAD}.shared .b8 m[8];\n.func f() {{ .reg .b32 %r; .shared .b32 own; ld.shared.u32 %r, [own]; ret; }}\n\
         .entry a() {{ .shared .b8 s[100]; .reg .b32 %r; mov.u32 %r, s; ret; }}\n\
         .entry b() {{ .shared .b8 s[100]; .reg .b32 %r; mov.u32 %r, s; call f; ret; }}"
    ));
    let [f, a, b] = &program.functions[..] else { panic!("three functions") };
    assert_eq!((a.shared_bytes, b.shared_bytes), (100, 112));
    assert_eq!(access(&program, &program.ops[f.first_op as usize]).offset, 8);
    let address = |function: &Function| constant(function, program.ops[function.first_op as usize].s[0]);
    assert_eq!((address(a), address(b)), (Constant::Bits32(0), Constant::Bits32(12)));
}

#[test]
fn calls_copy_between_frames() {
    let program = program(&format!(
        "{HEAD}.extern .func (.param .b32 r) vprintf (.param .b64 a, .param .b64 b);\n\
         .func (.param .b32 r) f(.param .b32 x, .param .b64 y) {{ ret; }}\n.global .u64 t[2] = {{f, t+8}};\n\
         .entry k() {{ .reg .b64 %d<2>; .param .b64 a; .param .b32 x; .param .b32 r;\n\
         call (r), f, (x, a); call (r), vprintf, (a, a);\n\
         q: .callprototype (.param .b32 _) _ (.param .b32 _, .param .b64 _); call (r), %d1, (x, a), q; ret; }}"
    ));
    let [direct, print, indirect] = &program.calls[..] else { panic!("three calls") };
    assert_eq!((&direct.target, &print.target), (&CallTarget::Function(0), &CallTarget::Builtin(Builtin::Vprintf)));
    // f's frame: r at 0, x at 4, y at 8; the kernel's: a at 0, x at 8, r at 12.
    assert_eq!((&direct.arguments[..], &direct.results[..]), (&[(8, 4, 4), (0, 8, 8)][..], &[(0, 12, 4)][..]));
    assert_eq!(print.arguments, [(0, 0, 8), (0, 8, 8)]);
    assert!(matches!(indirect.target, CallTarget::Indirect(_)));
    assert_eq!((&indirect.arguments, &indirect.results), (&direct.arguments, &direct.results));
    assert_eq!(program.variables[0].relocations, [(0, Relocation::Function(0)), (8, Relocation::Variable(0, 8))]);
    // Groups of lanes meet where a call returns to: a block begins there.
    let blocks = &program.block_of[program.functions[1].first_op as usize..];
    assert_eq!(blocks.len(), 4);
    assert!(blocks.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn a_function_refers_to_its_own_part_of_every_table() {
    let kernel = |name: &str| {
        format!(
            ".entry {name}() {{ .reg .b32 %r<9>; .reg .b64 %d<3>; .reg .pred %p; .shared .b64 m; .param .b32 x;\n\
             t: .branchtargets A, B;\n.loc 1 1 1\nA: .loc 1 2 1, function_name s, inlined_at 1 1 1\n\
             ld.shared.u32 %r1, [m]; st.shared.u32 [m+4], %r1; atom.shared.add.u32 %r1, [m], 1;\n\
             cp.async.ca.shared.global [m], [%d1], 4; cp.async.wait_group 1; mov.u64 %d1, %clock64;\n\
             isspacep.shared %p, %d1; bar.sync 0; mbarrier.init.shared.b64 [m], 1; brx.idx %r2, t;\n\
             B: movmatrix.sync.aligned.m8n8.trans.b16 %r1, %r2; call f, (x); @%p bra A; ret; }}\n"
        )
    };
    let text = format!("{HEAD}.func f(.param .b32 x) {{ ret; }}\n{}{}", kernel("j"), kernel("k"));
    let program = program(&text);
    let [_, j, k] = &program.functions[..] else { panic!("three functions") };
    let refers = |function: &Function, at: u32| {
        let op = &program.ops[at as usize];
        let extra = op.extra as usize;
        let to = match op.kind {
            Kind::Load | Kind::Store | Kind::Atomic | Kind::CopyAsync => format!("{:?}", program.accesses[extra]),
            Kind::Tensor => format!("{:?}", program.tensor_ops[extra]),
            Kind::Branch => format!("{}", op.extra - function.first_op),
            Kind::BranchIndexed => {
                let targets = program.branch_tables[extra].iter().map(|target| target - function.first_op);
                format!("{:?}", targets.collect::<Vec<_>>())
            }
            Kind::Call => format!("{:?}", program.calls[extra]),
            Kind::Barrier => format!("{:?}", program.barriers[extra]),
            Kind::Mbarrier => format!("{:?}", program.mbarriers[extra]),
            Kind::IsSpace => format!("{:?}", program.spaces[extra]),
            Kind::ReadSpecial => format!("{:?}", program.dynamic_specials[extra]),
            _ => format!("{extra}"),
        };
        let chain =
            std::iter::successors(program.sites[at as usize].location, |&at| program.locations[at as usize].inlined_at);
        let lines: Vec<u32> = chain.map(|at| program.locations[at as usize].line).collect();
        (op.kind, to, lines, program.block_of[at as usize] - program.block_of[function.first_op as usize])
    };
    let end = u32::try_from(program.ops.len()).unwrap();
    let of_j: Vec<_> = (j.first_op..k.first_op).map(|at| refers(j, at)).collect();
    let of_k: Vec<_> = (k.first_op..end).map(|at| refers(k, at)).collect();
    assert_eq!(of_j, of_k);
    assert!(of_j.iter().all(|(_, _, lines, _)| lines[..] == [2, 1]), "{of_j:?}");
    let tables = [
        program.accesses.len() / 4,
        program.tensor_ops.len(),
        program.branch_tables.len(),
        program.calls.len(),
        program.barriers.len(),
        program.mbarriers.len(),
        program.spaces.len(),
        program.dynamic_specials.len(),
        program.locations.len() / 2,
    ];
    assert_eq!(tables, [2; 9]);
}

#[test]
fn widths_that_cvt_bridges() {
    // A 64-bit source is cut first; a signed result in a wider register is extended after.
    let ops = |body: &str| kinds(&program(&kernel(&format!("{body} ret;")))).len() - 1;
    assert_eq!(ops("cvt.u32.u8 %r1, %r2;"), 1);
    assert_eq!(ops("cvt.u32.u16 %r1, %rd1;"), 2);
    assert_eq!(ops("cvt.s8.s32 %rs1, %r1;"), 2);
    assert_eq!(ops("cvt.s16.s32 %r1, %r2;"), 2);
    assert_eq!(ops("mov.b64 {%rs1, %rs2, %rs3, %rs4}, %rd1;"), 2);
    assert_eq!(ops("mov.b32 %r1, {0, %rs1};"), 1);
    assert_eq!(ops("setp.lt.s32 %p1|%p2, %r1, %r2;"), 1);
    assert_eq!(ops("lop3.or.b32 %r1|%p1, %r1, %r2, %r3, 0x80, !%p2;"), 3);
    assert_eq!(ops("add.cc.u32 %r1, %r2, %r3; addc.u32 %r4, %r5, %r6;"), 2);
}

#[test]
fn errors_name_line_and_text() {
    for (instruction, what) in [
        ("frob.u32 %r1, 0;", "unknown opcode frob.u32"),
        ("ld.global.v3.u32 %r1, [%rd1];", "unknown form ld.global.v3.u32 of ld"),
        ("add.q32 %r1, %r2, %r3;", "unknown form add.q32 of add"),
        ("add.u32 %rd1, %r2, %r3;", "%rd1 has 64 bits, expected 32 bits"),
        ("add.u32 %r1, %r2, %p1;", "%p1 has a predicate, expected 32 bits"),
        ("add.u32 %r1, %r2;", "2 operands, expected 3,"),
        ("add.u32 %r1, %r2, [%rd1];", "an address in brackets where a value is expected"),
        ("add.f64 %fd1, %fd2, 0f40000000;", "a float where 64 bits are expected"),
        ("ld.global.u32 %r1, %rd1;", "a register where an address in brackets is expected"),
        ("ld.global.u32 %rs1, [%rd1];", "%rs1 has 16 bits, expected at least 32"),
        ("ld.global.v2.u32 %r1, [%rd1];", "1 elements, expected 2,"),
        ("ld.global.u32 %r1, [p];", "variable p lies in another state space"),
        ("st.param.u64 [p], %rd1;", "a kernel's parameters are not written to"),
        ("cp.async.cg.shared.global [%r1], [%rd1], 8;", "a size of copy that is not 4, 8 or 16 (with .cg: 16),"),
        ("bra %r1;", "a register where a label is expected"),
        ("atom.local.add.u32 %r1, [%r2], 1;", "an atomic outside global and shared memory"),
    ] {
        let error = decode(parse(&kernel(instruction)).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), format!("PTX line 7: {what} in \"{instruction}\""));
    }
}

/// nvcc's own text: loops, a shared array, local memory, a call that survives, printf.
#[test]
fn what_nvcc_makes() {
    const SOURCE: &str = r#"
#include <cstdio>
__device__ __noinline__ float scaled(float x, int n) { return n == 0 ? x : 2.f * scaled(x + 1.f, n - 1); }
extern "C" __global__ void __launch_bounds__(128) k(const float* a, float* out, int n) {
  __shared__ float s[128];
  float local[8];
  for (int i = 0; i < 8; ++i) local[i] = a[i * n];
  float sum = 0.f;
  for (int i = threadIdx.x; i < n; i += 128) {
    for (int j = 0; j < i; ++j) {
      if (a[j] < 0.f) break;
      sum += a[j] * local[(i + j) & 7];
    }
  }
  s[threadIdx.x] = scaled(sum, n);
  __syncthreads();
  if (n < 0) printf("%d\n", n);
  out[threadIdx.x] = s[127 - threadIdx.x];
}
"#;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let nvcc = crate::fatbin::tests::nvcc::find(Some(workspace)).unwrap_or_else(|error| panic!("{error}"));
    let folder = std::env::temp_dir().join(format!("softgpu-decode-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (source, image) = (folder.join("k.cu"), folder.join("k.ptx"));
    std::fs::write(&source, SOURCE).unwrap();
    let run = Command::new(nvcc.path)
        .args(["-ptx", "-arch=compute_80", "-lineinfo", "-o"])
        .args([&image, &source])
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = std::fs::read_to_string(&image).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let program = program(&text);
    let k = program.functions.iter().find(|function| &*function.name == "k").unwrap();
    assert_eq!((k.shared_bytes, k.max_threads, k.param_bytes), (512, Some([128, 1, 1]), 20));
    // Its ops end where the next function's begin.
    let next = program.functions.iter().map(|function| function.first_op).filter(|&first| first > k.first_op).min();
    let end = next.unwrap_or(u32::try_from(program.ops.len()).unwrap());
    let own = &program.ops[k.first_op as usize..end as usize];
    // Far fewer slots than registers, and every op within the window, in a block that begins no later than it.
    assert!(k.slots < 120, "{} slots", k.slots);
    for (op, at) in own.iter().zip(k.first_op..) {
        let named = op.d.iter().chain(&op.s).chain([&op.guard]).filter(|slot| **slot != NONE);
        assert!(named.into_iter().all(|slot| u32::from(*slot) < k.slots));
        assert!(program.blocks[program.block_of[at as usize] as usize].first <= at);
        if op.kind == Branch {
            assert!((k.first_op..end).contains(&op.extra));
            // A branch leads to the start of a block.
            assert_eq!(program.blocks[program.block_of[op.extra as usize] as usize].first, op.extra);
        }
    }
    assert_eq!(own.iter().filter(|op| op.kind == Kind::Barrier).count(), 1);
    // Lines of the source, by nvcc's file table.
    let located = own.iter().zip(&program.sites[k.first_op as usize..]).filter(|(op, _)| op.kind == Kind::Barrier);
    let place = located.map(|(_, site)| &program.locations[site.location.unwrap() as usize]).next().unwrap();
    assert!(program.sources.file(place.file).ends_with("k.cu") && place.line == 16, "{place:?}");
}
