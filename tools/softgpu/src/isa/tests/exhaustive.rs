//! The 16-bit formats over every value, against the crate `half`.

use half::{bf16, f16};

use super::{Registers, level};
use crate::program::{NONE, Op};

/// What the row gives for 32 sources, at this processor's level.
struct Conversion {
    op: Op,
    registers: Registers,
}

impl Conversion {
    fn new(name: &str) -> Conversion {
        let row = crate::isa::row(name).unwrap();
        let op = Op::lanes(row, level(), [1, NONE], [0, NONE, NONE, NONE]);
        Conversion { op, registers: Registers([0; 16 * 32]) }
    }

    fn of(&mut self, sources: impl Fn(u32) -> u32) -> &[u32] {
        for lane in 0..32 {
            self.registers.0[lane as usize] = sources(lane);
        }
        // SAFETY: slots 0 and 1 are there, aligned to 64 bytes, and the level is this processor's.
        unsafe { (self.op.lanes)(self.registers.0.as_mut_ptr(), &self.op) };
        &self.registers.0[32..64]
    }
}

const NAN: u32 = 0x7fff_ffff;

#[test]
fn every_half_widens_as_in_half() {
    let (mut from_f16, mut from_bf16) = (Conversion::new("cvt.f32.f16"), Conversion::new("cvt.f32.bf16"));
    let canonical = |x: f32| if x.is_nan() { NAN } else { x.to_bits() };
    for first in (0..=0xffff).step_by(32) {
        for (lane, got) in (0..).zip(from_f16.of(|lane| first + lane)) {
            let bits = (first + lane) as u16;
            assert_eq!(*got, canonical(f16::from_bits(bits).to_f32()), "f16 {bits:#06x}");
        }
        for (lane, got) in (0..).zip(from_bf16.of(|lane| first + lane)) {
            let bits = (first + lane) as u16;
            assert_eq!(*got, canonical(bf16::from_bits(bits).to_f32()), "bf16 {bits:#06x}");
        }
    }
}

#[test]
fn every_half_comes_back_from_f32() {
    let (mut to_f16, mut to_bf16) = (Conversion::new("cvt.rn.f16.f32"), Conversion::new("cvt.rn.bf16.f32"));
    for first in (0..=0xffff).step_by(32) {
        for (lane, got) in (0..).zip(to_f16.of(|lane| f16::from_bits((first + lane) as u16).to_f32().to_bits())) {
            let half = f16::from_bits((first + lane) as u16);
            assert_eq!(*got, if half.is_nan() { 0x7fff } else { first + lane }, "f16");
        }
        for (lane, got) in (0..).zip(to_bf16.of(|lane| (first + lane) << 16)) {
            let half = bf16::from_bits((first + lane) as u16);
            assert_eq!(*got, if half.is_nan() { 0x7fff } else { first + lane }, "bf16");
        }
    }
}

/// Rounds the f32 numbers of some leading 16 bits, and counts those tried.
fn round_block(leading: u32) -> u64 {
    let mut to_f16 = Conversion::new("cvt.rn.f16.f32");
    let mut to_bf16 = Conversion::new("cvt.rn.bf16.f32");
    let mut truncate = Conversion::new("cvt.rz.bf16.f32");
    let canonical = |nan: bool, bits: u16| if nan { 0x7fff } else { u32::from(bits) };
    let mut count = 0;
    for low in (0..=0xffff).step_by(32) {
        let first = leading << 16 | low;
        let f16s = to_f16.of(|lane| first + lane);
        let bf16s = to_bf16.of(|lane| first + lane);
        let truncated = truncate.of(|lane| first + lane);
        for lane in 0..32 {
            let bits = first + lane;
            let (x, i) = (f32::from_bits(bits), lane as usize);
            assert_eq!(f16s[i], canonical(x.is_nan(), f16::from_f32(x).to_bits()), "f16 of {bits:#010x}");
            assert_eq!(bf16s[i], canonical(x.is_nan(), bf16::from_f32(x).to_bits()), "bf16 of {bits:#010x}");
            assert_eq!(truncated[i], canonical(x.is_nan(), (bits >> 16) as u16), "bf16, truncated, of {bits:#010x}");
            count += 1;
        }
    }
    count
}

#[test]
fn f32_rounds_as_in_half_where_formats_end() {
    // Zeros and subnormals, the two formats' least numbers, one, f16's greatest, infinities and NaNs.
    for leading in [0, 0x0080, 0x3300, 0x3380, 0x3800, 0x387f, 0x3880, 0x3f80, 0x477f, 0x4780, 0x7f7f, 0x7f80, 0x7fff] {
        assert_eq!(round_block(leading) + round_block(leading | 0x8000), 1 << 17);
    }
}

#[test]
#[ignore = "all 2^32 numbers: half a minute on two cores"]
fn every_f32_rounds_as_in_half() {
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    let count: u64 = std::thread::scope(|scope| {
        let block = |worker| move || (worker..1 << 16).step_by(workers as usize).map(round_block).sum::<u64>();
        let threads: Vec<_> = (0..workers).map(|worker| scope.spawn(block(worker))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(count, 1 << 32);
}
