//! Programs for the forms that need more than a lane: what is in memory before, and what must be there after, computed
//! without the device's own code. A case says which instructions it tests; [`table`](super::table) holds the lines of
//! the tables against these, so that a form without a case is noticed.

mod fragments;
mod matrices;
mod products;

use std::fmt::Write as _;
use std::sync::Arc;

use crate::execute::{Launch, Module, Settings, run};
use crate::memory::{Memory, Origin};
use crate::numerics::Modes;
use crate::program::decode_for;
use crate::ptx::parse;

/// A program, and what it must do to its buffer.
pub(super) struct Case {
    /// The instructions whose effect is looked at, as the text has them.
    pub(super) opcodes: Vec<String>,
    /// A module with a kernel `k` of one pointer.
    text: String,
    blocks: u32,
    threads: u32,
    before: Vec<u32>,
    after: Vec<u32>,
}

impl Case {
    /// One warp.
    fn of_warp(opcode: &str, text: String, before: Vec<u32>, after: Vec<u32>) -> Self {
        Self { opcodes: vec![opcode.to_owned()], text, blocks: 1, threads: 32, before, after }
    }

    /// Runs the program, and compares.
    pub(super) fn check(&self, modes: Modes) -> Result<(), String> {
        if let Some(absent) = self.opcodes.iter().find(|opcode| !self.text.contains(opcode.as_str())) {
            return Err(format!("{absent} is not in the program"));
        }
        let found = execute(&self.text, self.blocks, self.threads, &self.before, modes)?;
        let differs = found.iter().zip(&self.after).position(|(found, after)| found != after);
        match differs {
            Some(at) => Err(format!(
                "{}: word {at} is {:#010x}, not {:#010x}, in\n{}",
                self.opcodes.join(", "),
                found[at],
                self.after[at],
                self.text
            )),
            None => Ok(()),
        }
    }
}

/// What a module's kernel `k` leaves of `words`; an error where anything is found on the way.
fn execute(text: &str, blocks: u32, threads: u32, words: &[u32], modes: Modes) -> Result<Vec<u32>, String> {
    let memory = Memory::new(1 << 30);
    let address = memory.allocate(words.len() as u64 * 4, Origin::Allocation).map_err(|error| error.to_string())?;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    memory.write(address, &bytes).map_err(|error| format!("{error:?}"))?;
    let program =
        parse(text).and_then(|module| decode_for(&module, modes)).map_err(|error| format!("{error}\n{text}"))?;
    let function = program.functions.iter().position(|function| &*function.name == "k").ok_or("no kernel k")?;
    let module = Module::load(Arc::new(program), text.into(), &memory).map_err(|error| error.to_string())?;
    let report = run(&Launch {
        module: &module,
        function: function as u32,
        grid: [blocks, 1, 1],
        block: [threads, 1, 1],
        dynamic_shared_bytes: 0,
        params: &address.to_le_bytes(),
        memory: &memory,
        settings: &Settings { workers: 1, ..Settings::default() },
    });
    if let Some(finding) = report.findings.first() {
        return Err(format!("{finding}\n{text}"));
    }
    if let Some(failure) = report.failure {
        return Err(format!("{failure:?}\n{text}"));
    }
    let mut bytes = vec![0; words.len() * 4];
    memory.read(address, &mut bytes).map_err(|error| format!("{error:?}"))?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
}

/// A kernel `k` around `body`: the buffer is at `%rd0`, the thread's number in `%r0`, the thread's own four bytes at
/// `%rd1` and eight at `%rd2`; `tile` is shared memory.
fn kernel(body: &str) -> String {
    format!(
        ".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry k(.param .u64 p)\n{{\n.reg .pred %p<9>;\n\
         .reg .b16 %h<9>;\n.reg .b32 %r<80>;\n.reg .b64 %rd<40>;\n.shared .align 128 .b8 tile[4096];\n\
         ld.param.u64 %rd0, [p];\nmov.u32 %r0, %tid.x;\nmul.wide.u32 %rd1, %r0, 4;\nadd.s64 %rd1, %rd0, %rd1;\n\
         mul.wide.u32 %rd2, %r0, 8;\nadd.s64 %rd2, %rd0, %rd2;\n{body}\nret;\n}}\n"
    )
}

/// `{%r4, %r5}`: so many registers from a first one on.
fn list(prefix: &str, first: usize, count: usize) -> String {
    let names: Vec<String> = (first..first + count).map(|register| format!("{prefix}{register}")).collect();
    format!("{{{}}}", names.join(", "))
}

/// Loads or stores of so many 32-bit registers: register i of lane l is word 32 (at + i) + l of the buffer.
fn transfer(text: &mut String, loads: bool, at: usize, first: usize, count: usize) {
    for i in 0..count {
        let (register, offset) = (first + i, 128 * (at + i));
        let _ = if loads {
            writeln!(text, "ld.global.b32 %r{register}, [%rd1+{offset}];")
        } else {
            writeln!(text, "st.global.b32 [%rd1+{offset}], %r{register};")
        };
    }
}

/// Every case there is.
pub(super) fn all() -> Vec<Case> {
    [products::cases(), fragments::cases(), matrices::cases()].into_iter().flatten().collect()
}

#[test]
fn every_case_leaves_what_the_isa_says() {
    let cases = all();
    let failures: Vec<String> = cases.iter().filter_map(|case| case.check(Modes::default()).err()).collect();
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
