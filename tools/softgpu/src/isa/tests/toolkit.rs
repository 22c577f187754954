//! The toolkit as a second opinion: ptxas, which knows the ISA by itself, takes every form that the device runs, and the
//! device takes what nvcc makes.

use std::path::Path;
use std::process::Command;

use super::cases;
use crate::fatbin::tests::nvcc;
use crate::isa::{Row, rows};
use crate::program::decode;
use crate::ptx::parse;

const HEAD: &str = ".version 9.0\n.target sm_90\n.address_size 64\n";

/// ptxas's errors of a module, each with the line that it is of.
fn errors(name: &str, module: &str) -> Vec<String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let nvcc = nvcc::find(workspace).unwrap_or_else(|error| panic!("{error}"));
    let ptxas = nvcc.path.with_file_name("ptxas");
    let path = std::env::temp_dir().join(format!("softgpu-{}-{name}.ptx", std::process::id()));
    std::fs::write(&path, module).unwrap();
    let cubin = path.with_extension("cubin");
    let output = Command::new(&ptxas).arg("-arch=sm_90").arg("-o").arg(&cubin).arg(&path).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", ptxas.display()));
    std::fs::remove_file(&path).unwrap();
    let _ = std::fs::remove_file(&cubin); // there is none after an error
    let text = String::from_utf8_lossy(&output.stderr);
    let of_line = |error: &str| {
        // `ptxas file.ptx, line 12; error : ...`
        let number = error.split_once("line ")?.1.split(';').next()?.parse::<usize>().ok()?;
        module.lines().nth(number - 1)
    };
    let errors: Vec<String> = text
        .lines()
        .filter(|line| line.contains("; error"))
        .map(|error| format!("{}: {}", of_line(error).unwrap_or(""), error.rsplit("; ").next().unwrap_or(error)))
        .collect();
    assert_eq!(output.status.success(), errors.is_empty(), "{text}");
    errors
}

#[test]
fn every_case_assembles() {
    // Kernels of one module, each under a name of its own; what declares more than a kernel, apart.
    let mut modules = vec![HEAD.to_owned()];
    for (index, case) in cases::all().iter().enumerate() {
        let kernel = case.text.strip_prefix(HEAD).expect("the head of a case");
        let named = kernel.replacen(".entry k(", &format!(".entry k{index}("), 1);
        if kernel.starts_with(".visible .entry") {
            modules[0].push_str(&named);
        } else {
            modules.push(format!("{HEAD}{named}"));
        }
    }
    let refused: Vec<String> =
        modules.iter().enumerate().flat_map(|(index, module)| errors(&format!("cases{index}"), module)).collect();
    assert!(refused.is_empty(), "{}:\n{}", refused.len(), refused.join("\n"));
}

/// A row's instruction, with registers of the widths that it has.
fn instruction(row: &Row, name: &str) -> String {
    let register = |bytes: u8, number: usize| match bytes {
        1 => format!("%p{number}"),
        2 => format!("%h{number}"),
        4 => format!("%r{number}"),
        _ => format!("%rd{number}"),
    };
    let numbered = |bytes: &[u8], first: usize| -> Vec<String> {
        bytes.iter().enumerate().map(|(at, bytes)| register(*bytes, first + at)).collect()
    };
    let base = name.split('.').next().unwrap_or_default();
    let (mut results, mut sources) = (numbered(row.results, 1), numbered(row.sources, 4));
    // Parts of 8 bits, which other instructions have in registers of 16.
    let in_bytes = |names: &mut Vec<String>| names.iter_mut().for_each(|name| *name = name.replace("%h", "%b"));
    match name {
        "mov.b16.pack2" | "mov.b32.pack4" => in_bytes(&mut sources),
        "mov.b16.unpack2" | "mov.b32.unpack4.low" | "mov.b32.unpack4.high" => in_bytes(&mut results),
        // Of a scalar 16-bit comparison there is one result.
        _ if base == "setp" && matches!(name.rsplit('.').next(), Some("f16" | "bf16")) => results.truncate(1),
        _ => {}
    }
    // Where operands are not plain registers: see the table of `isa`.
    if let Some((opcode, _)) = name.split_once(".pack").filter(|(opcode, _)| opcode.starts_with("mov")) {
        return format!("{opcode} {}, {{{}}};", results[0], sources.join(", "));
    }
    if let Some((opcode, how)) = name.split_once(".unpack") {
        let parts = match how {
            "4.low" => format!("{}, {}, _, _", results[0], results[1]),
            "4.high" => format!("_, _, {}, {}", results[0], results[1]),
            _ => results.join(", "),
        };
        return format!("{opcode} {{{parts}}}, {};", sources[0]);
    }
    match name {
        "lop3.b32" => sources[3] = "0x96".to_owned(),
        "lop3.or.pred" | "lop3.and.pred" => {
            return format!("{}.b32 _|{}, %r7, %r8, %r9, 0x96, {};", &name[..name.len() - 5], results[0], sources[1]);
        }
        _ => {}
    }
    if matches!(base, "addc" | "subc" | "madc") {
        sources.pop(); // the carry
    }
    let result = if name.contains(".cc") || results.len() == 1 { results[0].clone() } else { results.join("|") };
    format!("{name} {result}, {};", sources.join(", "))
}

#[test]
fn every_row_assembles() {
    let mut module = format!(
        "{HEAD}.visible .entry k()\n{{\n.reg .pred %p<9>;\n.reg .b8 %b<9>;\n.reg .b16 %h<9>;\n.reg .b32 %r<12>;\n.reg .b64 %rd<9>;\n"
    );
    for row in rows() {
        for name in row.names {
            module.push_str(&instruction(row, name));
            module.push('\n');
        }
    }
    module.push_str("ret;\n}\n");
    // A conversion is there between every two types, in every rounding; some of these the ISA leaves out.
    let mut refused = errors("rows", &module);
    refused.retain(|error| !error.starts_with("cvt."));
    assert!(refused.is_empty(), "{}:\n{}", refused.len(), refused.join("\n"));
}

/// What nvcc makes of its own headers, wmma, barriers, pipelines, groups, and of the intrinsics of numbers.
#[test]
fn what_nvcc_makes_is_run() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let compiler = nvcc::Compiler {
        nvcc: nvcc::find(crate_folder.ancestors().nth(2)).unwrap_or_else(|error| panic!("{error}")),
        host: None,
        root: crate_folder.into(),
        cache: nvcc::cache_folder(Path::new(env!("OUT_DIR"))),
        warnings_are_errors: true,
        defines: Vec::new(),
        progress: |_| (),
    };
    for source in ["wmma", "synchronisation", "numbers"] {
        for capability in [80, 89] {
            let path = format!("tests/forms/{source}.cu");
            let ptx = compiler.ptx(Path::new(&path), nvcc::Architecture::compute(capability));
            let text = std::fs::read_to_string(ptx.unwrap_or_else(|error| panic!("{error}")).path).unwrap();
            let program = parse(&text).and_then(decode);
            let program = program.unwrap_or_else(|error| panic!("{path} for compute_{capability}: {error}"));
            assert!(program.functions.len() > 2, "{path}");
        }
    }
}
