//! What `ptxas -v` reports, as data.

use super::Architecture;

/// What one kernel takes of one architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resources {
    /// The entry point.
    pub kernel: String,
    /// The architecture of its cubin.
    pub architecture: Architecture,
    /// Registers of a thread.
    pub registers: u32,
    /// Bytes of a thread's stack.
    pub stack_bytes: u32,
    /// Bytes that a thread stores because registers ran out.
    pub spill_store_bytes: u32,
    /// Bytes that it loads back.
    pub spill_load_bytes: u32,
    /// Bytes of shared memory of a block, what a launch adds left out.
    pub shared_bytes: u32,
}

/// Reads the report of one cubin; what its functions spill counts for the kernel that they are compiled with.
pub fn resources(report: &str, architecture: Architecture) -> Vec<Resources> {
    let mut kernels: Vec<Resources> = Vec::new();
    for line in report.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            let kernel = rest.split('\'').next().unwrap_or(rest).into();
            kernels.push(Resources {
                kernel,
                architecture,
                registers: 0,
                stack_bytes: 0,
                spill_store_bytes: 0,
                spill_load_bytes: 0,
                shared_bytes: 0,
            });
        } else if let Some(kernel) = kernels.last_mut() {
            kernel.stack_bytes = kernel.stack_bytes.max(before(line, " bytes stack frame"));
            kernel.spill_store_bytes += before(line, " bytes spill stores");
            kernel.spill_load_bytes += before(line, " bytes spill loads");
            kernel.registers = kernel.registers.max(before(line, " registers"));
            kernel.shared_bytes += before(line, " bytes smem");
        }
    }
    kernels
}

/// What ptxas says beside its report: errors and warnings, whole.
pub fn without_report(text: &str) -> String {
    let mut within = false;
    let kept = text.split_inclusive('\n').filter(|line| {
        within =
            line.starts_with("ptxas info") || within && line.starts_with("    ") && line.contains(" bytes stack frame");
        !within
    });
    kept.collect()
}

/// The number that a unit follows in a line; 0 when the line has no such unit.
fn before(line: &str, unit: &str) -> u32 {
    let Some((text, _)) = line.split_once(unit) else { return 0 };
    text.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
