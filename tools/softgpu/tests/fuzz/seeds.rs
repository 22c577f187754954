//! What inputs are made of: small programs that nvcc made of this crate's tests, some by hand, a kernel for each kind of
//! instruction (`forms.ptx`), opcodes that have every modifier (`opcodes.txt`), and a fatbin in each compression.

use crate::mutate::{Material, Text};

macro_rules! seeds {
    ($($name:literal),* $(,)?) => { &[$(include_str!(concat!("seeds/", $name, ".ptx"))),*] };
}

const PROGRAMS: &[&str] = seeds![
    "assertion",
    "barrier_before_ticket",
    "best",
    "calls",
    "compact",
    "conversions",
    "copy_overwrites",
    "crc32",
    "declarations",
    "dense_switch",
    "divergent_loop",
    "function_table",
    "histogram",
    "integer64",
    "large_shared",
    "local_out_of_bounds",
    "look_back",
    "match_aggregate",
    "named_barrier_race",
    "nested_divergence",
    "print",
    "radix_sort",
    "reduce_sum",
    "scan_warp",
    "shuffles",
    "sobol",
    "spin_lock",
    "stack",
    "trap",
    "uninitialised_local",
    "unlocked_early",
    "warp_redux",
];

const FORMS: &str = include_str!("seeds/forms.ptx");
const OPCODES: &str = include_str!("seeds/opcodes.txt");

/// A cubin and PTX, plain, with LZ4 and with zstd.
pub(crate) const FATBINS: [&[u8]; 3] =
    [include_bytes!("seeds/none.fatbin"), include_bytes!("seeds/speed.fatbin"), include_bytes!("seeds/size.fatbin")];

/// Every program, and each kernel of the forms as one of its own.
pub(crate) fn programs() -> Vec<String> {
    let (head, kernels) = FORMS.split_at(FORMS.find(".visible").expect("a kernel"));
    let forms = kernels.split_inclusive("\n}\n").map(|kernel| format!("{head}{kernel}"));
    PROGRAMS.iter().map(ToString::to_string).chain(forms).collect()
}

pub(crate) fn material(programs: &[String]) -> Material<'_> {
    let mut opcodes: Vec<&str> = OPCODES.lines().collect();
    opcodes.sort_unstable();
    Material { texts: programs.iter().map(|program| Text::new(program)).collect(), opcodes }
}
