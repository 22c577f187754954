//! Approximate functions in the modes that move their results: never beyond the bound that the ISA states, and as far as
//! it goes. Each row of [`approximate`](crate::isa::approximate) is held against the host's f64 function.

use std::f64::consts::PI;

use super::exact::{self, Format};
use super::{Registers, level, run, tuples};
use crate::isa::{Row, approximate, rows};
use crate::numerics::approximate::Approximation;

/// A bound, as the ISA words it.
#[derive(Clone, Copy)]
enum Allowed {
    Relative(f64),
    Absolute(f64),
    Ulps(f64),
    /// None is stated.
    Any,
}

/// The function's value and its bound, by the PTX ISA, "Floating Point Instructions" and "Half Precision ...".
fn stated(name: &str, x: f64, y: f64) -> (f64, Allowed) {
    let base = name.split('.').next().unwrap();
    let half = name.ends_with("f16") || name.ends_with("f16x2");
    let brain = name.contains("bf16");
    match base {
        "div" => (
            x / y,
            if name.contains("approx") && !(2_f64.powi(-126)..=2_f64.powi(126)).contains(&y.abs()) {
                Allowed::Any
            } else {
                Allowed::Ulps(2.0)
            },
        ),
        "rcp" => (1.0 / x, Allowed::Ulps(1.0)),
        "sqrt" => (x.sqrt(), Allowed::Relative(2_f64.powi(-23))),
        "rsqrt" => (1.0 / x.sqrt(), Allowed::Relative(2_f64.powf(-22.9))),
        "ex2" if brain => (x.exp2(), Allowed::Relative(2_f64.powi(-7))),
        "ex2" if half => (x.exp2(), Allowed::Relative(2_f64.powf(-9.9))),
        "ex2" => (x.exp2(), Allowed::Ulps(2.0)),
        "lg2" if x > 0.5 && x < 2.0 => (x.log2(), Allowed::Absolute(2_f64.powi(-22))),
        "lg2" => (x.log2(), Allowed::Relative(2_f64.powi(-22))),
        "sin" | "cos" => {
            let y = if base == "sin" { x.sin() } else { x.cos() };
            let bound = if x.abs() <= 2.0 * PI {
                Allowed::Absolute(2_f64.powf(-20.5))
            } else if x.abs() <= 100.0 * PI {
                Allowed::Absolute(2_f64.powf(-14.7))
            } else {
                Allowed::Any
            };
            (y, bound)
        }
        "tanh" if brain => (x.tanh(), Allowed::Absolute(2_f64.powi(-8))),
        "tanh" if half => (x.tanh(), Allowed::Absolute(2_f64.powf(-10.987))),
        "tanh" => (x.tanh(), Allowed::Relative(2_f64.powi(-11))),
        _ => panic!("no bound for {name}"),
    }
}

fn number(format: Format, bits: u64) -> f64 {
    f64::from_bits(exact::F64.round(&format.value(bits), "rn"))
}

/// One result; how far it is from the value, as a part of the bound, where there is one.
fn check(name: &str, format: Format, ftz: bool, sources: &[u64], nearest: u64, got: u64) -> Result<f64, String> {
    let source =
        |i: usize| sources.get(i).map_or(0.0, |bits| number(format, if ftz { format.flush(*bits) } else { *bits }));
    let (value, allowed) = stated(name, source(0), source(1));
    let (near, moved) = (number(format, nearest), number(format, got));
    let special = source(0) == 0.0 || source(0).is_infinite() || near == 0.0 || !near.is_finite();
    // Also where a tiny result is flushed.
    if special || (ftz && moved == 0.0) {
        return if special && got != nearest { Err(format!("{got:#x} in place of {nearest:#x}")) } else { Ok(0.0) };
    }
    let ulp = number(format, (nearest & !format.sign_bit()) + 1) - near.abs();
    let part = match allowed {
        Allowed::Any => return Ok(0.0),
        Allowed::Ulps(ulps) => (moved - near) / (ulps * ulp),
        Allowed::Absolute(bound) => (moved - value) / bound,
        Allowed::Relative(bound) => (moved - value) / (bound * value.abs()),
    };
    // A result that nothing within the bound rounds to is the nearest.
    if part.abs() <= 1.0 + 1e-6 || got == nearest { Ok(part) } else { Err(format!("{part} of its bound at {got:#x}")) }
}

/// The results of a row for 32 tuples, the mode's code last.
fn results(row: &'static Row, tuples: &[Vec<u64>], code: Option<u32>) -> Registers {
    let with: Vec<Vec<u64>> =
        tuples.iter().map(|tuple| tuple.iter().copied().chain(code.map(u64::from)).collect()).collect();
    run(row, level(), &with, [8, crate::program::NONE], u32::MAX).1
}

#[test]
fn moved_results_reach_their_bound_and_keep_to_it() {
    let mut failures = Vec::new();
    let approximations = rows().filter(|row| {
        let name = row.names.last().unwrap();
        row.names.iter().any(|name| name.contains("approx") || name.contains("full")) && !name.ends_with("f64")
    });
    let mut count = 0;
    for row in approximations {
        let name = *row.names.iter().find(|name| name.contains("approx") || name.contains("full")).unwrap();
        let moved = approximate::row(name).unwrap_or_else(|| panic!("{name} has no row that moves its results"));
        count += 1;
        let format = exact::format(name.rsplit('.').next().unwrap()).unwrap();
        let pair = name.ends_with("x2");
        let ftz = name.contains(".ftz");
        let (mut lowest, mut highest, mut between) = (0.0_f64, 0.0_f64, 0);
        for tuples in tuples(row).chunks(32) {
            let nearest = results(row, tuples, None);
            let modes = [Approximation::Low, Approximation::High, Approximation::Seeded(5)];
            for (mode, found) in modes.map(|mode| (mode, results(moved, tuples, Some(mode.code())))) {
                for (lane, tuple) in tuples.iter().enumerate() {
                    for shift in if pair { &[0, 16][..] } else { &[0][..] } {
                        let mask = format.sign_bit() | (format.sign_bit() - 1);
                        let part = |bits: u64| bits >> shift & mask;
                        let sources: Vec<u64> = tuple.iter().map(|bits| part(*bits)).collect();
                        let bytes = row.results[0];
                        let (near, got) = (part(nearest.get(bytes, 8, lane)), part(found.get(bytes, 8, lane)));
                        match check(name, format, ftz, &sources, near, got) {
                            Ok(part) => {
                                lowest = lowest.min(part);
                                highest = highest.max(part);
                                between += usize::from(mode == Approximation::Seeded(5) && got != near);
                            }
                            Err(what) => failures.push(format!("{name} of {sources:x?}, {mode:?}: {what}")),
                        }
                    }
                }
            }
        }
        if lowest > -0.9 || highest < 0.9 || between == 0 {
            failures.push(format!("{name} reaches from {lowest} to {highest} of its bound, {between} seeded"));
        }
    }
    assert!(count >= 20, "{count} approximate forms");
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures[..failures.len().min(40)].join("\n"));
}
