use proptest::prelude::*;

use super::parse;
use crate::ptx::ast::{Base, Body, Initial, Module, Operand, Scope, Special, Type};

const HEAD: &str = ".version 9.0\n.target sm_80\n.address_size 64\n";

fn module(text: &str) -> Module {
    parse(&format!("{HEAD}{text}")).unwrap_or_else(|error| panic!("{error}"))
}

fn body(module: &Module, function: usize) -> &Body {
    module.functions[function].body.as_ref().expect("a body")
}

fn message(text: &str) -> String {
    parse(&format!("{HEAD}{text}")).unwrap_err().to_string()
}

/// The operands of the one instruction of a kernel with a register of each kind.
fn operands(instruction: &str) -> Vec<Operand> {
    let declarations = ".reg .pred %p<4>; .reg .b32 %r<4>; .reg .b64 %rd<4>; .shared .b32 s[4];";
    let module = module(&format!(".visible .entry k(.param .u64 a)\n{{ {declarations} {instruction} }}"));
    let body = body(&module, 0);
    body.operands(&body.instructions[0]).to_vec()
}

#[test]
fn the_head_and_a_kernels_bounds() {
    let module = module(
        ".visible .entry k(.param .align 8 .b8 a[24], .param .u64 .ptr .global .align 1 b)\n\
         .maxntid 256, 1, 1\n.reqntid 128\n.minnctapersm 2\n.maxnreg 64\n{ ret; }",
    );
    assert_eq!((module.version, &*module.target), ((9, 0), "sm_80"));
    let kernel = &module.functions[0];
    assert_eq!((kernel.max_threads, kernel.required_threads), (Some([256, 1, 1]), Some([128, 1, 1])));
    assert_eq!((kernel.min_blocks, kernel.max_registers), (Some(2), Some(64)));
    let params: Vec<_> = kernel.params.iter().map(|p| (&*p.name, p.bytes(), p.align)).collect();
    assert_eq!(params, [("a", 24, 8), ("b", 8, 8)]);
}

#[test]
fn operands_of_every_kind() {
    let memory = |base, offset| Operand::Memory { base, offset };
    assert_eq!(
        operands("x [%rd1+-4], [%rd2 + 0 ], [a+8], [s], [64];"),
        [
            memory(Base::Register(0), -4),
            memory(Base::Register(1), 0),
            memory(Base::Variable { scope: Scope::Parameter, id: 0 }, 8),
            memory(Base::Variable { scope: Scope::Function, id: 0 }, 0),
            memory(Base::None, 64),
        ]
    );
    assert_eq!(
        operands("x {0,%r1}, %p1|_, !%p1, _, (s, a);"),
        [
            Operand::Vector(vec![Operand::Integer(0), Operand::Register(0)]),
            Operand::Pair(Box::new(Operand::Register(1)), Box::new(Operand::Sink)),
            Operand::NotRegister(1),
            Operand::Sink,
            Operand::List(vec![
                Operand::Variable { scope: Scope::Function, id: 0, offset: 0 },
                Operand::Variable { scope: Scope::Parameter, id: 0, offset: 0 },
            ]),
        ]
    );
    assert_eq!(
        operands("x -7, 0xffU, 010, 0b101, 18446744073709551615, 0f3F800000, 0d4000000000000000, -1.5e1;"),
        [
            Operand::Integer(-7),
            Operand::Integer(255),
            Operand::Integer(8),
            Operand::Integer(5),
            Operand::Integer(-1),
            Operand::F32(0x3f80_0000),
            Operand::F64(2f64.to_bits()),
            Operand::F64((-15f64).to_bits()),
        ]
    );
    assert_eq!(
        operands("x %tid.x, %nctaid.z, %lanemask_lt, WARP_SZ, %envreg2, s+4;"),
        [
            Operand::Special(Special::Tid(0)),
            Operand::Special(Special::Nctaid(2)),
            Operand::Special(Special::LanemaskLt),
            Operand::Special(Special::WarpSize),
            Operand::Special(Special::EnvReg(2)),
            Operand::Variable { scope: Scope::Function, id: 0, offset: 4 },
        ]
    );
}

#[test]
fn registers_and_labels_are_lexical() {
    let module = module(
        ".entry k() { .reg .b32 %r<2>; bra L; { .reg .b64 %r<2>; L: mov.b64 %r1, 0; bra L; } \
         { .reg .pred p; L: @!p bra L; } L: mov.b32 %r1, 0; }",
    );
    let kernel = body(&module, 0);
    let kinds: Vec<Type> = kernel.registers.iter().map(|register| register.kind).collect();
    assert_eq!(kinds, [Type::B64, Type::Pred, Type::B32]);
    // Each branch goes to the label of its own scope, by the instruction that follows it.
    let targets: Vec<u32> = kernel
        .instructions
        .iter()
        .filter_map(|i| match kernel.operands(i)[..] {
            [Operand::Label(label)] => Some(kernel.labels[label as usize]),
            _ => None,
        })
        .collect();
    assert_eq!(targets, [4, 1, 3]);
    assert_eq!(kernel.instructions[3].guard, Some((1, true)));
}

#[test]
fn initialisers() {
    let module = module(
        ".global .align 8 .u64 t[3] = {f, generic(v)+8, v};\n.global .s16 v[2][3] = {{1, -2}, {3}};\n\
         .const .f32 c = 0f40000000;\n.global .f64 d = 1.5;\n.extern .shared .align 16 .b8 dyn[];",
    );
    let [t, v, c, d, dynamic] = &module.variables[..] else { panic!("five variables") };
    let address = |name: &str, offset| (name.to_owned(), offset);
    let addresses: Vec<_> = t
        .initialiser
        .iter()
        .map(|(_, initial)| match initial {
            Initial::Address { name, offset } => address(name, *offset),
            Initial::Bits(_) => panic!("an address"),
        })
        .collect();
    assert_eq!(addresses, [address("f", 0), address("v", 8), address("v", 0)]);
    let bits = |variable: &crate::ptx::ast::Variable| -> Vec<(u64, u64)> {
        variable
            .initialiser
            .iter()
            .map(|(at, i)| if let Initial::Bits(bits) = i { (*at, *bits) } else { (0, 0) })
            .collect()
    };
    assert_eq!(bits(v), [(0, 1), (1, 2u64.wrapping_neg()), (3, 3)]);
    assert_eq!((v.elements, v.bytes()), (6, 12));
    assert_eq!((bits(c), bits(d)), (vec![(0, 0x4000_0000)], vec![(0, 1.5f64.to_bits())]));
    assert!(dynamic.external && dynamic.elements == 0 && dynamic.align == 16);
}

#[test]
fn lines_keep_the_chain_of_calls_that_were_inlined() {
    let module = module(
        ".entry k() { .loc 1 10 3\n.loc 2 5 1, function_name $L__s0+2, inlined_at 1 10 3\nret;\n.loc 1 0 3\nexit; }\n\
         .file 1 \"a.cu\"\n.file 2 \"b.cuh\"\n.section .debug_str\n{\n$L__s0:\n.b8 95,95,102,0\n}\n\
         .section .debug_abbrev { .b32 $L__s0+4\n{ } }",
    );
    let [call, inlined] = &body(&module, 0).locations[..] else { panic!("two places") };
    assert_eq!((module.sources.file(call.file), call.line, call.inlined_at), ("a.cu", 10, None));
    assert_eq!((module.sources.file(inlined.file), inlined.line, inlined.inlined_at), ("b.cuh", 5, Some(0)));
    assert_eq!(inlined.function.and_then(|start| module.sources.function(start)), Some("f"));
    let at: Vec<_> = body(&module, 0).instructions.iter().map(|i| i.location).collect();
    assert_eq!(at, [Some(1), None]);
}

#[test]
fn functions_prototypes_and_jump_tables() {
    let module = module(
        ".extern .func (.param .b32 r) vprintf (.param .b64 a, .param .b64 b);\n.func f(.param .b32 x);\n\
         .func f(.param .b32 x) { ret; }\n\
         .entry k() { .reg .b32 i; .reg .b64 g; .param .b32 a; t: .branchtargets A, B; A: brx.idx i, t; B:\n\
         call f, (a); p : .callprototype _ (.param .b32 _); call g, (a), p; }",
    );
    let names: Vec<_> = module.functions.iter().map(|f| (&*f.name, f.body.is_some(), f.is_entry)).collect();
    assert_eq!(names, [("vprintf", false, false), ("f", true, false), ("k", true, true)]);
    let kernel = body(&module, 2);
    assert_eq!(kernel.branch_targets, [[0, 1]]);
    assert_eq!(kernel.labels, [0, 1]);
    assert_eq!(kernel.operands(&kernel.instructions[2])[2], Operand::Prototype);
}

#[test]
fn errors_name_line_and_text() {
    for (text, expected) in [
        (".entry k()\n{ mov.u32 %r1, 0; }", "PTX line 5: unknown name %r1 in \"{ mov.u32 %r1, 0; }\""),
        (".entry k() { bra L; }", "PTX line 4: unknown name L in \".entry k() { bra L; }\""),
        (".entry k() { L: L: ret; }", "PTX line 4: L declared twice in one scope in \".entry k() { L: L: ret; }\""),
        (".entry k() { ret }", "PTX line 4: expected an operand, came `}` in \".entry k() { ret }\""),
        (
            ".entry k() { .reg .b32 %r<2>; @%r2 ret; }",
            "PTX line 4: unknown register %r2 in \".entry k() { .reg .b32 %r<2>; @%r2 ret; }\"",
        ),
        (".global .tex t;", "PTX line 4: unknown type .tex of a variable in \".global .tex t;\""),
        (".globl .b32 t;", "PTX line 4: unknown directive .globl in \".globl .b32 t;\""),
        (".global .b32 t = 0x1g;", "PTX line 4: a malformed number 0x1g in \".global .b32 t = 0x1g;\""),
        (
            ".global .b64 t = 0xff(t);",
            "PTX line 4: a mask operator in an initialiser is not supported in \".global .b64 t = 0xff(t);\"",
        ),
        (
            ".global .b32 t[2] = {1,2,3};",
            "PTX line 4: 3 values for the 2 elements of t in \".global .b32 t[2] = {1,2,3};\"",
        ),
        (
            ".global .b64 t[9223372036854775807];",
            "PTX line 4: variable t is larger than 281474976710656 bytes in \".global .b64 t[9223372036854775807];\"",
        ),
        (".loc 1 2", "PTX line 4: expected a column below 2^32 in .loc, came `` in \".loc 1 2\""),
        (".loc 1 2x 3", "PTX line 4: expected a line below 2^32 in .loc, came `2x 3` in \".loc 1 2x 3\""),
        (
            ".loc 1 4294967296 3",
            "PTX line 4: expected a line below 2^32 in .loc, came `4294967296 3` in \".loc 1 4294967296 3\"",
        ),
        (".loc 1 2 3,", "PTX line 4: expected `function_name` or `inlined_at` in .loc in \".loc 1 2 3,\""),
        (".loc 1 2 3, at 4", "PTX line 4: unknown attribute at of .loc in \".loc 1 2 3, at 4\""),
        (".loc 1 2 3, function_name", "PTX line 4: a function_name without a label in \".loc 1 2 3, function_name\""),
        (
            ".loc 1 2 3, function_name s+x",
            "PTX line 4: expected an offset in .loc, came `x` in \".loc 1 2 3, function_name s+x\"",
        ),
        (".loc 1 2 3 ret;", "PTX line 4: `ret;` after .loc in \".loc 1 2 3 ret;\""),
        (".entry k() {", "PTX line 4: expected a statement, came the end of the text in \".entry k() {\""),
        ("#", "PTX line 4: an unexpected character '#' in \"#\""),
        ("/* ", "PTX line 4: a comment without an end in \"/*\""),
        (".file 1 \"a", "PTX line 4: a string without an end in \".file 1 \"a\""),
    ] {
        assert_eq!(message(text), expected);
    }
    assert_eq!(parse("").unwrap_err().what, "no .version, so not PTX,");
}

#[test]
fn of_several_errors_the_first_in_the_text_is_given() {
    let filler = "mov.u32 %r1, %r2;\n".repeat(4000);
    let kernel = |name: usize, body: &str| format!(".entry k{name}() {{ .reg .b32 %r<4>; {filler}{body} }}\n");
    let good = kernel(0, "ret;");
    // Of bodies that are read side by side, and of what stands before, between and behind them.
    let [first, second] = [kernel(1, "mov.u32 %r1, first;"), kernel(2, "mov.u32 %r1, second;")];
    for (text, expected) in [
        (format!("{good}{first}{second}"), "unknown name first"),
        (format!("{second}{good}{first}"), "unknown name second"),
        (format!("{good}{first}.bogus\n{second}"), "unknown name first"),
        (format!("{good}.bogus\n{first}{second}"), "unknown directive .bogus"),
        (format!("{first}{first}"), "unknown name first"),
        (format!("{good}{good}{first}"), "function k0 defined twice"),
        (format!("{good}{first}.entry k3() {{"), "unknown name first"),
        (format!("{good}.entry k3() {{ "), "expected a statement, came the end of the text"),
        (format!("{good}}}"), "expected a directive, came `}`"),
        (format!("{good}.entry k3() {{ p: .callprototype }} ; }}"), "expected `;`, came `}`"),
    ] {
        let message = message(&text);
        assert!(message.contains(expected), "{message}, not {expected}");
    }
}

#[test]
fn a_body_knows_what_was_declared_before_it() {
    let text = ".global .b32 a; .entry k() { .reg .b32 r; ld.global.u32 r, [a]; call k; }";
    module(&format!("{text} .global .b32 b;"));
    let later = [".global .b32 a;", ".extern .func k;"];
    for (name, later) in ["a", "k"].into_iter().zip(later) {
        let message = message(&format!(".entry j() {{ .reg .b64 r; mov.u64 r, {name}; }} {later}"));
        assert!(message.contains(&format!("unknown name {name}")), "{message}");
    }
}

#[test]
fn variables_that_outlive_a_function_follow_those_of_the_module() {
    let module = module(
        ".global .b32 a; .entry j() { .reg .b32 r; .global .b32 s; .const .b32 t; ld.const.u32 r, [t]; }\n\
         .entry k() { .reg .b32 r; .global .b32 s; ld.global.u32 r, [s]; ld.global.u32 r, [a]; } .global .b32 b;",
    );
    let names: Vec<&str> = module.variables.iter().map(|variable| &*variable.name).collect();
    assert_eq!(names, ["a", "b", "s", "t", "s"]);
    let used = |function, at: usize| {
        let body = body(&module, function);
        match &body.operands(&body.instructions[at])[1] {
            Operand::Memory { base: Base::Variable { scope: Scope::Module, id }, .. } => *id,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((used(0, 0), used(1, 0), used(1, 1)), (3, 4, 0));
}

const SAMPLE: &str = ".version 9.0\n.target sm_80\n.address_size 64\n.global .align 4 .b8 t[4] = {1, 2};\n\
    .visible .entry k(.param .align 8 .b8 p[24])\n.maxntid 256, 1, 1\n{ .reg .b32 %r<9>; .reg .pred %p<2>;\n\
    .loc 1 2 3, function_name $L__s, inlined_at 1 1 1\nL: ld.param.v2.u32 {%r1, %r2}, [p+-8];\n@!%p1 bra L;\n\
    { .reg .b64 %q; mov.u64 %q, t+4; } mov.f32 %r3, 0f3F800000; ret; }\n.file 1 \"a.cu\"\n.section .debug_str\n{ $L__s: .b8 97,0 }\n";

proptest! {
    /// Whatever the text, an answer: a module or an error, and decoding what parses likewise.
    #[test]
    fn nothing_panics_on_arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = parse(&text);
        let _ = parse(&format!("{HEAD}.entry k() {{ {text} }}"));
    }

    #[test]
    fn nothing_panics_on_changed_text(
        changes in proptest::collection::vec((0usize..SAMPLE.len(), 0usize..SAMPLE.len(), 0usize..12, any::<u8>()), 1..6),
    ) {
        let mut text = SAMPLE.as_bytes().to_vec();
        for (at, from, length, byte) in changes {
            let at = at.min(text.len().saturating_sub(1));
            match byte % 4 {
                0 => { text.remove(at); }
                1 => text[at] = byte,
                2 => text.insert(at, byte),
                _ => {
                    let piece = SAMPLE.as_bytes()[from..SAMPLE.len().min(from + length)].to_vec();
                    text.splice(at..at, piece);
                }
            }
            if text.is_empty() { break; }
        }
        if let Ok(module) = parse(&String::from_utf8_lossy(&text)) {
            let _ = crate::program::decode(module);
        }
    }
}
