//! Programs for the forms that need more than a lane: what is in memory before, and what must be there after, computed
//! without the device's own code. A case says which instructions it tests; [`table`](super::table) holds the lines of
//! the tables against these, so that a form without a case is noticed.

mod atomics;
mod control;
mod fragments;
mod matrices;
mod memory;
mod products;
mod sync;
mod warp;

use std::fmt::Write as _;
use std::sync::Arc;

use crate::execute::{Failure, Launch, Module, Settings, run};
use crate::memory::{Memory, Origin};
use crate::numerics::Modes;
use crate::program::decode_for;
use crate::ptx::parse;

/// A program, and what it must do to its buffer.
pub(super) struct Case {
    /// The instructions whose effect is looked at, as the text has them.
    pub(super) opcodes: Vec<String>,
    /// A module with a kernel `k` of one pointer.
    pub(super) text: String,
    blocks: u32,
    threads: u32,
    before: Vec<u32>,
    after: Vec<u32>,
    /// How the launch ends, where it does not end well.
    failure: Option<Failure>,
}

/// Where the buffer lies: the first allocation of a context.
const BUFFER: u64 = 0x7000_0000_0000;

impl Case {
    /// One warp.
    fn of_warp(opcode: &str, text: String, before: Vec<u32>, after: Vec<u32>) -> Self {
        Self { opcodes: vec![opcode.to_owned()], text, blocks: 1, threads: 32, before, after, failure: None }
    }

    /// Runs the program, and compares.
    pub(super) fn check(&self, modes: Modes) -> Result<(), String> {
        if let Some(absent) = self.opcodes.iter().find(|opcode| !self.text.contains(opcode.as_str())) {
            return Err(format!("{absent} is not in the program"));
        }
        let found = self.execute(modes)?;
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

    /// What the kernel leaves of its buffer; an error where anything is found that is not expected.
    fn execute(&self, modes: Modes) -> Result<Vec<u32>, String> {
        let text = &self.text;
        let memory = Memory::new(1 << 30);
        let address = memory.allocate(self.before.len() as u64 * 4, Origin::Allocation).map_err(|e| e.to_string())?;
        assert_eq!(address, BUFFER);
        let bytes: Vec<u8> = self.before.iter().flat_map(|word| word.to_le_bytes()).collect();
        memory.write(address, &bytes).map_err(|error| format!("{error:?}"))?;
        let program = parse(text).and_then(|module| decode_for(module, modes)).map_err(|e| format!("{e}\n{text}"))?;
        let function = program.functions.iter().position(|function| &*function.name == "k").ok_or("no kernel k")?;
        let module = Module::load(Arc::new(program), text.as_str().into(), &memory).map_err(|e| e.to_string())?;
        let report = run(&Launch {
            module: &module,
            function: function as u32,
            grid: [self.blocks, 1, 1],
            block: [self.threads, 1, 1],
            dynamic_shared_bytes: 0,
            params: &address.to_le_bytes(),
            memory: &memory,
            settings: &Settings { workers: 1, ..Settings::default() },
        });
        if report.failure != self.failure || (self.failure.is_none() && !report.findings.is_empty()) {
            let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
            return Err(format!("{:?} {}\n{text}", report.failure, findings.join("\n")));
        }
        let mut bytes = vec![0; self.before.len() * 4];
        memory.read(address, &mut bytes).map_err(|error| format!("{error:?}"))?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }
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
    let chapters = [
        memory::cases(),
        atomics::cases(),
        control::cases(),
        sync::cases(),
        warp::cases(),
        matrices::cases(),
        products::cases(),
        fragments::cases(),
    ];
    chapters.into_iter().flatten().collect()
}

#[test]
fn every_case_leaves_what_the_isa_says() {
    let cases = all();
    let failures: Vec<String> = cases.iter().filter_map(|case| case.check(Modes::default()).err()).collect();
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
