//! A report as text.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use oblate_softgpu::inspect::counters::Traffic;

use super::Report;

/// The counts of a report, its launches, and what ptxas made of its kernels.
pub fn table(report: &Report) -> String {
    let set: Vec<String> = report.set.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let compiled = if report.compiled().is_empty() { String::new() } else { format!("{}\n", compiled(report)) };
    format!(
        "{} {}\ncounted on the PTX by the software device, not timed; ptxas may merge or drop instructions\n{}\n{}\n{compiled}",
        report.operation,
        set.join(" "),
        counts(report),
        launches(report),
    )
}

fn new(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    if !header.is_empty() {
        table.set_header(header);
    }
    table
}

fn counts(report: &Report) -> Table {
    let total = report.total();
    let mut table = new(&[]);
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    row("bytes moved", grouped(report.moved_bytes));
    row("bytes compulsory (inputs and outputs, once)", grouped(report.compulsory_bytes));
    row("moved / compulsory", ratio(report.moved_bytes, report.compulsory_bytes));
    for (name, traffic) in [("loads", &total.global_loads), ("stores", &total.global_stores)] {
        row(&format!("global {name}: bytes moved"), grouped(traffic.moved_bytes()));
        row(&format!("global {name}: sectors of 32 bytes / request"), ratio(traffic.sectors, traffic.requests));
        row(&format!("global {name}: requests by bytes a lane"), widths(traffic));
    }
    row("shared memory: requests", grouped(total.shared.requests));
    row("shared memory: wavefronts", grouped(total.shared.wavefronts));
    row("shared memory: bank conflicts", grouped(total.shared.conflicts));
    row("local memory: bytes", grouped(total.local_bytes));
    row("global atomics: operations", grouped(total.global_atomics.operations));
    row("shared atomics: operations", grouped(total.shared_atomics));
    row("warp instructions", grouped(total.instructions()));
    for (class, count) in &total.warp_instructions {
        row(&format!("  {class:?}").to_lowercase(), grouped(*count));
    }
    row("active lanes an instruction, mean", format!("{:.2}", total.mean_active_lanes()));
    row("divergent branches", grouped(total.divergent_branches));
    for (of, flops) in &total.flops {
        row(&format!("{of:?} flops").to_lowercase(), grouped(*flops));
    }
    for (name, count) in &total.tensor {
        row(&format!("tensor cores: {name}"), grouped(*count));
    }
    for (of, flops) in total.tensor_flops() {
        row(&format!("tensor cores: {of} operations"), grouped(flops));
    }
    row("barriers of blocks", grouped(total.barriers));
    row("barriers on the longest path", grouped(total.barrier_chain));
    row("launches", grouped(total.launches));
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn launches(report: &Report) -> Table {
    let mut table = new(&["launch", "grid", "block", "bytes moved", "warp instructions"]);
    for launch in &report.launches {
        let extent = |[x, y, z]: [u32; 3]| if (y, z) == (1, 1) { x.to_string() } else { format!("{x} x {y} x {z}") };
        table.add_row([
            launch.kernel.clone(),
            extent(launch.grid),
            extent(launch.block),
            grouped(launch.counters.moved_bytes()),
            grouped(launch.counters.instructions()),
        ]);
    }
    table
}

fn compiled(report: &Report) -> Table {
    let mut table = new(&["kernel, by ptxas", "architecture", "registers", "spilled bytes"]);
    for compiled in report.compiled() {
        table.add_row([
            compiled.kernel.to_owned(),
            compiled.architecture.to_owned(),
            compiled.registers.to_string(),
            compiled.spill_bytes.to_string(),
        ]);
    }
    table
}

/// `16: 1,024, 2: 12`: the widths that there are.
fn widths(traffic: &Traffic) -> String {
    let counted = (0..).map(|i| 1u32 << i).zip(traffic.by_width).filter(|(_, count)| *count > 0);
    counted.map(|(bytes, count)| format!("{bytes}: {}", grouped(count))).collect::<Vec<_>>().join(", ")
}

fn ratio(a: u64, b: u64) -> String {
    if b == 0 { "none".to_owned() } else { format!("{:.3}", a as f64 / b as f64) }
}

/// `1,234,567`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_in_threes() {
        let numbers = [0, 999, 1000, 123_456, 1_234_567];
        assert_eq!(numbers.map(grouped), ["0", "999", "1,000", "123,456", "1,234,567"]);
    }
}
