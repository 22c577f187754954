//! Programs built by hand, op by op, so that they test the executor alone.

use std::sync::Arc;

use super::*;
use crate::inspect::Class;
use crate::inspect::finding::FindingKind;
use crate::isa;
use crate::memory::Origin;
use crate::program::{
    Access, Address, Block, Constant, Function, Kind, NONE, Number, Op, Program, Site, Slot,
};
use crate::ptx::ast::{Space, Special};

/// An assembler: ops in their order, blocks where branches lead.
#[derive(Default)]
struct Assembler {
    program: Program,
    constants: Vec<(Slot, Constant)>,
    specials: Vec<(Slot, Special)>,
    next: Slot,
    starts: Vec<u32>,
}

impl Assembler {
    fn slot(&mut self) -> Slot {
        self.next += 1;
        self.next - 1
    }

    fn wide(&mut self) -> Slot {
        self.next += 2;
        self.next - 2
    }

    fn bits(&mut self, value: u32) -> Slot {
        let slot = self.slot();
        self.constants.push((slot, Constant::Bits32(value)));
        slot
    }

    fn special(&mut self, special: Special) -> Slot {
        let slot = self.slot();
        self.specials.push((slot, special));
        slot
    }

    fn push(&mut self, kind: Kind, d: [Slot; 2], s: [Slot; 4], extra: u32) -> u32 {
        unsafe fn none(_: *mut u32, _: &Op, _: u32) {
            unreachable!("not a lane op");
        }
        let op = Op { lanes: none, kind, guard_negated: false, guard: NONE, d, s, extra };
        self.program.ops.push(op);
        self.program.sites.push(Site { ptx_line: self.program.ops.len() as u32, location: None });
        self.program.ops.len() as u32 - 1
    }

    fn row(&mut self, name: &str, d: Slot, sources: &[Slot]) {
        let mut s = [NONE; 4];
        s[..sources.len()].copy_from_slice(sources);
        let at = self.push(Kind::Lanes, [d, NONE], s, 0);
        let row = isa::row(name).unwrap_or_else(|| panic!("{name} is no row"));
        self.program.ops[at as usize].lanes = row.lanes[isa::level()];
    }

    fn guard(&mut self, slot: Slot, negated: bool) {
        let op = self.program.ops.last_mut().expect("an op to guard");
        (op.guard, op.guard_negated) = (slot, negated);
    }

    /// A block begins at the next op.
    fn label(&mut self) -> u32 {
        let at = self.program.ops.len() as u32;
        self.starts.push(at);
        at
    }

    fn access(&mut self, kind: Kind, space: Space, base: Address, bytes: u8, registers: &[Slot]) -> u32 {
        let mut all = [NONE; 8];
        all[..registers.len()].copy_from_slice(registers);
        self.program.accesses.push(Access {
            space,
            base,
            offset: 0,
            source: Address::Constant,
            source_offset: 0,
            element_bytes: bytes,
            elements: registers.len() as u8,
            number: Number::Bits,
            register_bytes: bytes.max(4),
            registers: all,
            operands: [NONE; 2],
            atomic: None,
            strong: false,
            acquire: false,
            release: false,
        });
        self.push(kind, [NONE; 2], [NONE; 4], self.program.accesses.len() as u32 - 1)
    }

    fn finish(mut self) -> Program {
        self.starts.push(0);
        self.starts.sort_unstable();
        self.starts.dedup();
        let end = self.program.ops.len() as u32;
        self.starts.retain(|&start| start < end);
        for (i, &first) in self.starts.iter().enumerate() {
            let last = self.starts.get(i + 1).copied().unwrap_or(end);
            self.program.blocks.push(Block { first, classes: vec![(Class::Integer, last - first)] });
            self.program.block_of.extend((first..last).map(|_| i as u32));
        }
        self.program.functions.push(Function {
            name: "kernel".into(),
            is_entry: true,
            first_op: 0,
            end_op: end,
            slots: u32::from(self.next),
            constants: self.constants,
            specials: self.specials,
            params: Vec::new(),
            param_bytes: 0,
            frame_bytes: 0,
            shared_bytes: 1024,
            max_threads: None,
            required_threads: None,
            min_blocks: None,
        });
        self.program
    }
}

fn launch(program: Program, memory: &Memory, grid: u32, block: u32, params: &[u8]) -> Report {
    let module = Module::load(Arc::new(program), "".into(), memory).unwrap();
    run(&Launch {
        module: &module,
        function: 0,
        grid: [grid, 1, 1],
        block: [block, 1, 1],
        dynamic_shared_bytes: 0,
        params,
        memory,
        settings: &Settings { workers: 1, ..Settings::default() },
    })
}

/// base + 4 tid, as a 64-bit slot.
fn element(asm: &mut Assembler, base: Slot) -> Slot {
    let tid = asm.special(Special::Tid(0));
    let four = asm.bits(4);
    let offset = asm.wide();
    asm.row("mul.wide.u32", offset, &[tid, four]);
    let address = asm.wide();
    asm.row("add.s64", address, &[base, offset]);
    address
}

fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

#[test]
fn speed_of_a_loop() {
    for memory_ops in [false, true] {
        let memory = Memory::new(1 << 20);
        let x = memory.allocate(4096, Origin::Allocation).unwrap();
        memory.fill(x, &[0], 4096).unwrap();
        let mut asm = Assembler::default();
        let base = asm.wide();
        asm.access(Kind::Load, Space::Param, Address::Constant, 8, &[base]);
        let address = element(&mut asm, base);
        let (i, one, n, p, v) = (asm.slot(), asm.bits(1), asm.bits(1_000_000), asm.slot(), asm.slot());
        let zero = asm.bits(0);
        asm.row("add.u32", i, &[zero, zero]);
        let top = asm.label();
        if memory_ops {
            asm.access(Kind::Load, Space::Global, Address::Slot64(address), 4, &[v]);
            asm.row("add.u32", v, &[v, one]);
            asm.access(Kind::Store, Space::Global, Address::Slot64(address), 4, &[v]);
            asm.access(Kind::Load, Space::Global, Address::Slot64(address), 4, &[v]);
            asm.access(Kind::Store, Space::Global, Address::Slot64(address), 4, &[v]);
        } else {
            for _ in 0..4 {
                asm.row("add.u32", v, &[v, i]);
            }
        }
        asm.row("add.u32", i, &[i, one]);
        asm.row("setp.lt.s32", p, &[i, n]);
        asm.push(Kind::Branch, [NONE; 2], [NONE; 4], top);
        asm.guard(p, false);
        asm.label();
        asm.push(Kind::Exit, [NONE; 2], [NONE; 4], 0);
        let start = cpu_seconds();
        let report = launch(asm.finish(), &memory, 1, 32, &x.to_le_bytes());
        let seconds = cpu_seconds() - start;
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        let instructions = report.counters.instructions() as f64;
        println!("memory {memory_ops}: {:.0} M warp instructions/s", instructions / seconds / 1e6);
    }
}
