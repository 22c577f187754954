//! The table of forms: what the device runs, by which test each is held against the ISA, and what it refuses. Written to
//! the file that `SOFTGPU_ISA_TABLE` names, where it does; a form that is run and not tested fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{cases, expected, tuples};
use crate::isa::forms::{self, FORMS};
use crate::isa::refused::REFUSED;
use crate::isa::{approximate, rows};

/// The section of the PTX ISA, "Instruction Set", that an opcode is described in.
fn section(form: &str) -> &'static str {
    let (base, rest) = form.split_once(['.', ' ']).unwrap_or((form, ""));
    let kind = rest.rsplit(['.', ' ']).next().unwrap_or("").trim_end_matches([')', ']']);
    let half = matches!(kind, "f16" | "bf16" | "f16x2" | "bf16x2");
    let float = matches!(kind, "f32" | "f64" | "f32x2");
    match base {
        "set" | "setp" | "selp" | "slct" if half => "Half Precision Comparison",
        "set" | "setp" | "selp" | "slct" => "Comparison and Selection",
        "and" | "or" | "xor" | "not" | "cnot" | "lop3" | "shf" | "shl" | "shr" => "Logic and Shift",
        "addc" | "subc" | "madc" => "Extended-Precision Integer Arithmetic",
        "add" | "sub" | "mad" if rest.contains("cc") => "Extended-Precision Integer Arithmetic",
        "tanh" | "ex2" | "add" | "sub" | "mul" | "fma" | "neg" | "abs" | "min" | "max" if half => {
            "Half Precision Floating Point"
        }
        "testp" | "copysign" | "fma" | "rcp" | "sqrt" | "rsqrt" | "sin" | "cos" | "lg2" | "ex2" | "tanh" => {
            "Floating Point"
        }
        "add" | "sub" | "mul" | "mad" | "div" | "abs" | "neg" | "min" | "max" if float => "Floating Point",
        "add" | "sub" | "mul" | "mad" | "div" | "rem" | "abs" | "neg" | "min" | "max" | "sad" | "mul24" | "mad24"
        | "popc" | "clz" | "bfind" | "fns" | "brev" | "bfe" | "bfi" | "szext" | "bmsk" | "dp4a" | "dp2a" => {
            "Integer Arithmetic"
        }
        "mov" | "shfl" | "prmt" | "ld" | "ldu" | "st" | "prefetch" | "prefetchu" | "isspacep" | "cvta" | "cvt"
        | "mapa" | "getctarank" | "cp" | "multimem" | "discard" | "applypriority" | "createpolicy" | "tensormap" => {
            "Data Movement and Conversion"
        }
        "tex" | "tld4" | "txq" | "istypep" => "Texture",
        "suld" | "sust" | "sured" | "suq" => "Surface",
        "bra" | "brx" | "call" | "ret" | "exit" => "Control Flow",
        "bar"
        | "barrier"
        | "membar"
        | "fence"
        | "atom"
        | "red"
        | "vote"
        | "match"
        | "activemask"
        | "redux"
        | "griddepcontrol"
        | "elect"
        | "mbarrier"
        | "clusterlaunchcontrol" => "Parallel Synchronization and Communication",
        "mma" | "wmma" | "ldmatrix" | "stmatrix" | "movmatrix" => "Warp-Level Matrix Multiply-Accumulate",
        "wgmma" => "Asynchronous Warpgroup-Level Matrix Multiply-Accumulate",
        "tcgen05" => "Tensor Core, 5th Generation",
        "stacksave" | "stackrestore" | "alloca" => "Stack Manipulation",
        "brkpt" | "nanosleep" | "pmevent" | "trap" | "setmaxnreg" => "Miscellaneous",
        video if video.starts_with('v') => "Video",
        other => panic!("no section for {other}"),
    }
}

/// Each line of the table of forms, with the instructions that cases test of it.
fn tested() -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut tested: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for opcode in cases::all().iter().flat_map(|case| &case.opcodes) {
        let found = forms::form(opcode).unwrap_or_else(|| panic!("a case tests {opcode}, which no line has"));
        tested.entry(found.form.syntax).or_default().insert(opcode.clone());
    }
    tested
}

/// A form, and what is said of it.
struct Line {
    section: &'static str,
    form: String,
    state: String,
}

fn lines() -> (Vec<Line>, Vec<String>) {
    let (mut lines, mut untested) = (Vec::new(), Vec::new());
    for row in rows() {
        for name in row.names {
            // The same oracle that `check` runs the row against: it knows the form by its name, or does not.
            let by_oracle = expected(name, &tuples(row)[0]).is_some();
            let moved = if approximate::row(name).is_some() { "; moved within its bound" } else { "" };
            if !by_oracle {
                untested.push((*name).to_owned());
            }
            let state = if by_oracle { format!("tested against exact values{moved}") } else { "NOT TESTED".to_owned() };
            lines.push(Line { section: section(name), form: (*name).to_owned(), state });
        }
    }
    let tested = tested();
    for form in FORMS {
        let state = if let Some(opcodes) = tested.get(form.syntax) {
            format!("tested in programs: {} spellings", opcodes.len())
        } else {
            untested.push(form.syntax.to_owned());
            "NOT TESTED".to_owned()
        };
        lines.push(Line { section: section(form.syntax), form: form.syntax.to_owned(), state });
    }
    for refused in REFUSED {
        let state = format!("refused: {}", refused.reason);
        lines.push(Line { section: section(refused.words), form: refused.words.to_owned(), state });
    }
    lines.sort_by(|a, b| (a.section, &a.form).cmp(&(b.section, &b.form)));
    (lines, untested)
}

#[test]
fn no_form_is_without_a_test() {
    let (lines, untested) = lines();
    if let Some(path) = std::env::var_os("SOFTGPU_ISA_TABLE") {
        let mut text = String::new();
        let mut section = "";
        for line in &lines {
            if line.section != section {
                section = line.section;
                let _ = writeln!(text, "\n{section} Instructions");
            }
            let _ = writeln!(text, "  {:<58} {}", line.form, line.state);
        }
        let refused = lines.iter().filter(|line| line.state.starts_with("refused")).count();
        let _ = writeln!(
            text,
            "\n{} forms are run, {} of them not tested; {refused} are refused by name",
            lines.len() - refused,
            untested.len()
        );
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }
    assert!(untested.is_empty(), "run and not tested: {untested:#?}");
}
