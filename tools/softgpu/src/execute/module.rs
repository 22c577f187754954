//! A program in a context: its variables have memory, its constants values.

use std::sync::Arc;

use crate::inspect::finding::SourceLine;
use crate::memory::{Memory, Origin, OutOfMemory};
use crate::program::{FUNCTION_BASE, Program, Relocation};

/// A loaded module.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) program: Arc<Program>,
    /// The PTX that the program was decoded from, for messages.
    text: Arc<str>,
    /// One per variable of the program.
    pub(crate) addresses: Vec<u64>,
    /// One per block of the program: the op that follows its last.
    pub(crate) block_ends: Vec<u32>,
}

impl Module {
    /// Gives every variable memory and fills it; `text` is what `program` was decoded from.
    ///
    /// # Errors
    /// [`OutOfMemory`]; nothing stays allocated then.
    pub(crate) fn load(program: Arc<Program>, text: Arc<str>, memory: &Memory) -> Result<Self, OutOfMemory> {
        let mut addresses = Vec::with_capacity(program.variables.len());
        for variable in &program.variables {
            match memory.allocate(variable.bytes, Origin::Variable(Arc::clone(&variable.name))) {
                Ok(address) => addresses.push(address),
                Err(error) => {
                    Self::release(&addresses, memory);
                    return Err(error);
                }
            }
        }
        for (variable, &address) in program.variables.iter().zip(&addresses) {
            let write = |offset: u64, bytes: &[u8]| {
                memory.write(address + offset, bytes).expect("the decoder keeps what a variable starts with inside it");
            };
            for (offset, bytes) in &variable.initial {
                write(*offset, bytes);
            }
            for &(offset, relocation) in &variable.relocations {
                let value = match relocation {
                    Relocation::Variable(id, offset) => addresses[id as usize].wrapping_add_signed(offset),
                    Relocation::Function(id) => function_address(id),
                };
                write(offset, &value.to_le_bytes());
            }
        }
        let ends = program.blocks.iter().skip(1).map(|block| block.first);
        let block_ends = ends.chain([program.ops.len() as u32]).take(program.blocks.len()).collect();
        Ok(Self { program, text, addresses, block_ends })
    }

    fn release(addresses: &[u64], memory: &Memory) {
        for &address in addresses {
            memory.free(address).expect("a module's variables are freed once");
        }
    }

    /// Gives the variables' memory back; the module must not run again.
    pub(crate) fn unload(&self, memory: &Memory) {
        Self::release(&self.addresses, memory);
    }

    /// Address and bytes of a `.global` or `.const` variable.
    pub(crate) fn variable(&self, name: &str) -> Option<(u64, u64)> {
        let index = self.program.variables.iter().position(|variable| &*variable.name == name)?;
        Some((self.addresses[index], self.program.variables[index].bytes))
    }

    /// The line and the text of an instruction: up to its semicolon, on one line, as nvcc breaks calls into several.
    pub(crate) fn instruction(&self, op: u32) -> (u32, String) {
        let line = self.program.sites[op as usize].ptx_line;
        let mut words = Vec::new();
        for line in self.text.lines().skip((line as usize).saturating_sub(1)) {
            let end = line.find(';');
            words.extend(line[..end.map_or(line.len(), |end| end + 1)].split_whitespace());
            if end.is_some() {
                break;
            }
        }
        (line, words.join(" "))
    }

    /// `line 12: bar.sync 0;`
    pub(crate) fn describe(&self, op: u32) -> String {
        let (line, text) = self.instruction(op);
        format!("line {line}: {text}")
    }

    /// The source places of an instruction, the innermost first.
    pub(crate) fn source(&self, op: u32) -> Vec<SourceLine> {
        let sources = &self.program.sources;
        let mut at = self.program.sites[op as usize].location;
        std::iter::from_fn(|| {
            let location = &self.program.locations[at? as usize];
            at = location.inlined_at;
            Some(SourceLine {
                file: sources.file(location.file).to_owned(),
                line: location.line,
                function: location.function.and_then(|start| sources.function(start)).map(str::to_owned),
            })
        })
        .collect()
    }
}

/// The address under which a kernel knows a function.
pub(crate) fn function_address(id: u32) -> u64 {
    FUNCTION_BASE + 16 * u64::from(id)
}
