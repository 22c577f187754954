//! Every row against the ISA's definition: an oracle works from the row's *name*, by exact arithmetic on big integers,
//! and knows nothing of the row. A row whose name no oracle knows fails, so a form cannot be added without its test.

mod cases;
mod compare;
mod convert;
mod eight_bits;
mod exact;
mod exhaustive;
mod float;
mod functions;
mod halves;
mod integer;
mod moved;
mod moves;
mod sums;
mod table;
mod toolkit;

use super::{MASKED, Row, level};
use crate::inspect::Class;
use crate::program::{NONE, Op};

/// What a form's results must be, from the raw values of its sources.
pub(super) enum Expected {
    /// These bits.
    Bits(Vec<u64>),
    /// Within a bound that the oracle has stated.
    Within(Box<dyn Fn(u64) -> Result<(), String>>),
}

impl From<u64> for Expected {
    fn from(bits: u64) -> Expected {
        Expected::Bits(vec![bits])
    }
}

/// A form's name taken apart: `fma.rn.ftz.f32` is fma, [rn, ftz, f32].
pub(super) struct Form<'a> {
    base: &'a str,
    modifiers: Vec<&'a str>,
}

impl<'a> Form<'a> {
    fn new(name: &'a str) -> Form<'a> {
        let mut parts = name.split('.');
        Form { base: parts.next().unwrap_or_default(), modifiers: parts.collect() }
    }

    fn has(&self, modifier: &str) -> bool {
        self.modifiers.contains(&modifier)
    }

    /// The last modifier but `n`.
    fn kind(&self, n: usize) -> &'a str {
        self.modifiers.iter().rev().nth(n).copied().unwrap_or_default()
    }
}

/// By chapter; the first that knows the form answers.
fn expected(name: &str, sources: &[u64]) -> Option<Expected> {
    let form = Form::new(name);
    moves::expected(name, sources)
        .or_else(|| integer::expected(&form, sources))
        .or_else(|| compare::expected(&form, sources))
        .or_else(|| eight_bits::expected(&form, sources))
        .or_else(|| convert::expected(&form, sources))
        .or_else(|| functions::expected(&form, sources))
        .or_else(|| halves::expected(&form, sources))
        .or_else(|| float::expected(&form, sources))
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

const EDGES_32: &[u32] = &[
    0,
    1,
    2,
    7,
    8,
    31,
    32,
    33,
    63,
    64,
    127,
    128,
    255,
    256,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x00ff_ffff,
    0x0100_0000,
    0x007f_ffff, // the largest subnormal; below are powers, numbers near integers, limits, infinities and NaNs
    0x0080_0000,
    0x0080_0001,
    0x3380_0000,
    0x3f00_0000,
    0x3f7f_ffff,
    0x3f80_0000,
    0x3f80_0001,
    0x3fc0_0000,
    0x4020_0000,
    0x4b00_0001,
    0x4eff_ffff,
    0x4f00_0000,
    0x4f80_0000,
    0x5f00_0000,
    0x477f_efff,
    0x477f_f000,
    0x3300_0000,
    0x3300_0001,
    0x7e80_0001,
    0x7f00_0000,
    0x7f7f_ffff,
    0x7f80_0000,
    0x7f80_0001,
    0x7fc0_0000,
    0x7fff_fffe,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0x807f_ffff,
    0x8080_0000,
    0xbf00_0000,
    0xbf80_0000,
    0xbfc0_0000,
    0xc020_0000,
    0xcf00_0000,
    0xff7f_ffff,
    0xff80_0000,
    0xffc0_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x3c00_3c00,
    0x8001_0001,
    0x7c00_fc00,
    0x7e00_0400,
    0x03ff_83ff,
];

const EDGES_64: &[u64] = &[
    0,
    1,
    2,
    31,
    32,
    63,
    64,
    65,
    0xff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x000f_ffff_ffff_ffff,
    0x0010_0000_0000_0000,
    0x0010_0000_0000_0001,
    0x3690_0000_0000_0000,
    0x36a0_0000_0000_0001,
    0x3810_0000_0000_0000,
    0x3e60_0000_0000_0001,
    0x3f0f_ffff_ffff_ffff,
    0x3fe0_0000_0000_0000,
    0x3fef_ffff_ffff_ffff,
    0x3ff0_0000_0000_0000,
    0x3ff0_0000_0000_0001,
    0x3ff0_0000_1000_0000,
    0x3ff8_0000_0000_0000,
    0x4004_0000_0000_0000,
    0x40ef_fdff_ffff_ffff,
    0x40ef_fe00_0000_0000,
    0x41df_ffff_ffc0_0000,
    0x41e0_0000_0000_0000,
    0x43e0_0000_0000_0000,
    0x4330_0000_0000_0001,
    0x47ef_ffff_e000_0000,
    0x47ef_ffff_f000_0000,
    0x47f0_0000_0000_0000,
    0x7fef_ffff_ffff_ffff,
    0x7ff0_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0x7ff8_0000_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0x8000_0000_0000_0001,
    0x800f_ffff_ffff_ffff,
    0x8010_0000_0000_0000,
    0xbfe0_0000_0000_0000,
    0xbff0_0000_0000_0000,
    0xc004_0000_0000_0000,
    0xc1e0_0000_0000_0000,
    0xffef_ffff_ffff_ffff,
    0xfff0_0000_0000_0000,
    0xfff8_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
];

const EDGES_16: &[u16] = &[
    0, 1, 2, 15, 16, 31, 127, 128, 255, 256, 0x03ff, 0x0400, 0x0401, 0x007f, 0x0080, 0x3800, 0x3bff, 0x3c00, 0x3c01,
    0x3e00, 0x3f80, 0x3f81, 0x3fc0, 0x4100, 0x7800, 0x7bff, 0x7c00, 0x7c01, 0x7f7f, 0x7f80, 0x7fff, 0x8000, 0x8001,
    0x83ff, 0x8400, 0xbc00, 0xbf80, 0xfbff, 0xfc00, 0xfe00, 0xff80, 0xffff,
];

/// Edge values of a register of `bytes`.
fn edges(bytes: u8) -> Vec<u64> {
    match bytes {
        1 => vec![0, u64::from(u32::MAX)],
        2 => EDGES_16.iter().map(|x| u64::from(*x)).collect(),
        4 => EDGES_32.iter().map(|x| u64::from(*x)).collect(),
        _ => EDGES_64.to_vec(),
    }
}

/// Any value, now and then one of few bits: a random 32-bit pattern is nearly never a number of medium size.
fn random(bytes: u8, random: &mut Random, edges: &[u64]) -> u64 {
    let kind = random.next() % 4;
    let x = random.next();
    match (bytes, kind) {
        (1, _) | (_, 0) => edges[x as usize % edges.len()],
        (2, _) => x & 0xffff,
        (4, 1) => u64::from(((x % 2_000_001) as f32 / 1024.0 - 976.0).to_bits()),
        (4, 2) => x >> 40,
        (4, _) => x & 0xffff_ffff,
        (_, 1) => ((x % 2_000_000_001) as f64 / 65536.0 - 15258.0).to_bits(),
        (_, 2) => x >> 24,
        _ => x,
    }
}

/// The tuples of sources that a row is tried with.
fn tuples(row: &Row) -> Vec<Vec<u64>> {
    let edges: Vec<Vec<u64>> = row.sources.iter().map(|bytes| edges(*bytes)).collect();
    let mut rng = Random(row.names[0].len() as u64);
    let mut tuples = Vec::new();
    match row.sources {
        [2] => tuples.extend((0..=0xffff).map(|x| vec![x])),
        [_] => tuples.extend(edges[0].iter().map(|x| vec![*x])),
        [_, _] => {
            for a in &edges[0] {
                tuples.extend(edges[1].iter().map(|b| vec![*a, *b]));
            }
        }
        _ => {
            for _ in 0..1500 {
                tuples.push(edges.iter().map(|edges| edges[rng.next() as usize % edges.len()]).collect());
            }
        }
    }
    for _ in 0..500 {
        tuples.push(row.sources.iter().zip(&edges).map(|(bytes, edges)| random(*bytes, &mut rng, edges)).collect());
    }
    while tuples.len() % 32 != 0 {
        tuples.push(tuples[0].clone());
    }
    tuples
}

/// A register file of 16 slots.
#[derive(Clone)]
#[repr(align(64))]
struct Registers([u32; 16 * 32]);

impl Registers {
    fn get(&self, bytes: u8, slot: u16, lane: usize) -> u64 {
        let first = usize::from(slot) * 32;
        if bytes == 8 {
            u64::from(self.0[first + 2 * lane]) | (u64::from(self.0[first + 2 * lane + 1]) << 32)
        } else {
            u64::from(self.0[first + lane])
        }
    }

    fn set(&mut self, bytes: u8, slot: u16, lane: usize, value: u64) {
        let first = usize::from(slot) * 32;
        if bytes == 8 {
            self.0[first + 2 * lane] = value as u32;
            self.0[first + 2 * lane + 1] = (value >> 32) as u32;
        } else {
            self.0[first + lane] = value as u32;
        }
    }
}

/// Runs one warp of `tuples` through the row at a level; `d` are the slots of the results.
fn run(row: &Row, level: usize, tuples: &[Vec<u64>], d: [u16; 2], mask: u32) -> (Registers, Registers) {
    let mut registers = Registers([0xabad_1dea; 16 * 32]);
    let mut s = [NONE; 4];
    for (i, bytes) in row.sources.iter().enumerate() {
        s[i] = 2 * i as u16;
        for (lane, tuple) in tuples.iter().enumerate() {
            registers.set(*bytes, s[i], lane, tuple[i]);
        }
    }
    let before = registers.clone();
    let op = Op::lanes(row, level, d, s);
    // SAFETY: the file is aligned to 64 bytes and has the slots named; `level` is at most what this processor has.
    unsafe {
        if mask == u32::MAX {
            (op.lanes)(registers.0.as_mut_ptr(), &op);
        } else {
            MASKED[level](registers.0.as_mut_ptr(), &op, mask);
        }
    }
    (before, registers)
}

/// Tries one row in every way.
fn check(row: &Row) -> Result<(), String> {
    let mut tuples = tuples(row);
    if row.names[0] == "lop3.b32" {
        // The table is a constant of the instruction.
        for (warp, tuples) in tuples.chunks_mut(32).enumerate() {
            for tuple in tuples {
                tuple[3] = warp as u64 * 37 % 256;
            }
        }
    }
    for (warp, tuples) in tuples.chunks(32).enumerate() {
        let wanted: Vec<Expected> = tuples
            .iter()
            .map(|tuple| expected(row.names[0], tuple).ok_or_else(|| format!("no test knows {}", row.names[0])))
            .collect::<Result<_, _>>()?;
        // In a place of its own, and over its first source.
        let results: Vec<[u16; 2]> = if warp % 8 == 0 { vec![[8, 10], [0, 2], [12, NONE]] } else { vec![[8, 10]] };
        for d in results {
            let d = if row.results.len() == 1 { [d[0], NONE] } else { d };
            for mask in [u32::MAX, 0, 1, 0x8000_0000, 0x5a3c_c3a5_u32.rotate_left(warp as u32)] {
                if mask != u32::MAX && warp % 8 != 0 {
                    continue;
                }
                let runs: Vec<_> = (0..=level()).map(|level| run(row, level, tuples, d, mask)).collect();
                for (level, (before, after)) in runs.iter().enumerate() {
                    check_warp(row, tuples, &wanted, d, mask, before, after)
                        .map_err(|what| format!("{} at level {level}: {what}", row.names[0]))?;
                    if after.0 != runs[0].1.0 {
                        return Err(format!("{}: levels 0 and {level} differ", row.names[0]));
                    }
                }
            }
        }
    }
    // The other spellings mean the same.
    for name in &row.names[1..] {
        for tuple in tuples.iter().step_by(7) {
            let first = expected(row.names[0], tuple);
            match (first, expected(name, tuple)) {
                (Some(Expected::Bits(a)), Some(Expected::Bits(b))) if a == b => {}
                (Some(Expected::Within(_)), Some(Expected::Within(_))) => {}
                (_, None) => return Err(format!("no test knows {name}")),
                _ => return Err(format!("{name} is not {}: {tuple:x?}", row.names[0])),
            }
        }
    }
    Ok(())
}

fn check_warp(
    row: &Row,
    tuples: &[Vec<u64>],
    wanted: &[Expected],
    d: [u16; 2],
    mask: u32,
    before: &Registers,
    after: &Registers,
) -> Result<(), String> {
    let mut untouched = after.clone();
    for (i, bytes) in row.results.iter().enumerate().filter(|(i, _)| d[*i] != NONE) {
        for (lane, (tuple, wanted)) in tuples.iter().zip(wanted).enumerate() {
            let got = after.get(*bytes, d[i], lane);
            untouched.set(*bytes, d[i], lane, before.get(*bytes, d[i], lane));
            if mask & (1 << lane) == 0 {
                let old = before.get(*bytes, d[i], lane);
                if got != old {
                    return Err(format!("lane {lane} outside mask {mask:#x} became {got:#x}"));
                }
                continue;
            }
            match wanted {
                Expected::Bits(bits) if bits[i] == got => {}
                Expected::Bits(bits) => {
                    return Err(format!("of {tuple:x?} result {i} is {got:#x}, not {:#x}", bits[i]));
                }
                Expected::Within(close) => close(got).map_err(|what| format!("of {tuple:x?}: {what}"))?,
            }
        }
    }
    if untouched.0 == before.0 { Ok(()) } else { Err("a slot that is no result changed".to_owned()) }
}

/// Tries the rows of a part of the instruction set, and reports every one that fails.
fn check_all(rows: impl Iterator<Item = &'static Row>) {
    let mut failures = Vec::new();
    let mut count = 0;
    for row in rows {
        count += 1;
        failures.extend(check(row).err());
    }
    assert!(count > 0, "no rows");
    assert!(failures.is_empty(), "{} of {count} rows fail:\n{}", failures.len(), failures.join("\n"));
}

fn rows_of(tables: &[&'static [Row]]) -> impl Iterator<Item = &'static Row> {
    tables.iter().flat_map(|table| table.iter())
}

#[test]
fn integers_follow_the_isa() {
    check_all(rows_of(super::integer::TABLES));
}

#[test]
fn logic_follows_the_isa() {
    check_all(rows_of(super::logic::TABLES));
}

#[test]
fn floats_follow_the_isa() {
    check_all(rows_of(super::float::TABLES));
}

#[test]
fn halves_follow_the_isa() {
    check_all(rows_of(super::half::TABLES));
}

#[test]
fn comparisons_follow_the_isa() {
    check_all(rows_of(super::compare::TABLES));
}

#[test]
fn conversions_from_integers_follow_the_isa() {
    check_all(rows_of(super::convert::FROM_INTEGER));
}

#[test]
fn conversions_from_floats_follow_the_isa() {
    check_all(rows_of(super::convert::FROM_FLOAT));
}

#[test]
fn conversions_between_floats_follow_the_isa() {
    check_all(rows_of(super::convert::FLOAT));
}

#[test]
fn moves_follow_the_isa() {
    check_all(rows_of(super::moves::TABLES));
}

#[test]
fn states_of_mbarriers_follow_their_layout() {
    check_all(rows_of(super::mbarrier::TABLES));
}

#[test]
fn names_are_unique_and_found() {
    let mut seen = std::collections::HashSet::new();
    for row in super::rows() {
        for name in row.names {
            assert!(seen.insert(*name), "{name} stands in two rows");
            assert_eq!(super::row(name).unwrap().names, row.names);
        }
    }
    assert!(super::row("add.u33").is_none());
    assert_eq!(super::row("fma.rn.f32").unwrap().class, Class::Fp32Fma);
}
