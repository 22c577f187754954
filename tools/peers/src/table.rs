//! Results as text.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use oblate_softgpu::inspect::FloatType;
use oblate_softgpu::inspect::counters::Counters;

use crate::launch::Ran;

fn new(header: Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    let columns = header.len();
    table.set_header(header);
    for column in 1..columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// What each kernel did, a column a kernel.
pub(crate) fn counts(results: &[Ran]) -> Table {
    let header = std::iter::once(String::new()).chain(results.iter().map(|result| result.name.clone()));
    let mut table = new(header.collect());
    let mut row = |name: &str, value: &dyn Fn(&Counters) -> String| {
        let values = results.iter().map(|result| value(&result.counters));
        table.add_row(std::iter::once(name.to_owned()).chain(values));
    };
    row("warp instructions", &|c| grouped(c.instructions()));
    row("active lanes an instruction, mean", &|c| format!("{:.2}", c.mean_active_lanes()));
    row("global sectors of 32 bytes", &|c| grouped(c.global_loads.sectors + c.global_stores.sectors));
    row("bytes moved", &|c| grouped(c.moved_bytes()));
    row("bytes compulsory", &|c| grouped(c.compulsory_bytes()));
    row("shared memory: wavefronts", &|c| grouped(c.shared.wavefronts));
    row("shared memory: bank conflicts", &|c| grouped(c.shared.conflicts));
    row("local memory: bytes", &|c| grouped(c.local_bytes));
    row("tensor operations", &|c| {
        let each = c.tensor.iter().map(|(form, &count)| format!("{} {form}", grouped(count)));
        let each = each.collect::<Vec<_>>();
        if each.is_empty() { "0".into() } else { each.join("\n") }
    });
    row("f32 flops", &|c| grouped(c.flops.get(&FloatType::F32).copied().unwrap_or(0)));
    row("atomics in global memory", &|c| grouped(c.global_atomics.operations));
    row("barriers", &|c| grouped(c.barriers));
    let findings = results.iter().map(|result| result.findings.len().to_string());
    table.add_row(std::iter::once("findings".to_owned()).chain(findings));
    table
}

/// How each output compares.
pub(crate) fn outputs(results: &[Ran]) -> Table {
    let header = ["output", "elements", "wrong", "largest error / bound", "there", "got", "expected"];
    let mut table = new(header.map(str::to_owned).to_vec());
    for result in results {
        for verdict in &result.verdicts {
            table.add_row([
                format!("{}.{}", result.name, verdict.output),
                grouped(verdict.elements as u64),
                grouped(verdict.wrong as u64),
                format!("{:.3}", verdict.share),
                format!("{:?}", verdict.at),
                format!("{:e}", verdict.got),
                format!("{:e}", verdict.expected),
            ]);
        }
    }
    table
}

/// 1,234,567.
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
