//! `shfl`, `vote`, `match`, `redux`, `activemask` and `elect`, for the whole warp and for a part of it.

use std::fmt::Write as _;

use super::super::Random;
use super::{Case, kernel};

/// Each lane's word in, and its words out; lanes outside `members` keep what is there.
fn case(opcode: &str, members: u32, body: &str, words: &[u32; 32], outs: &[[u32; 32]]) -> Case {
    let mut before = words.to_vec();
    before.resize(32 * (1 + outs.len()), 0xabad_cafe);
    let mut after = before.clone();
    for (i, out) in outs.iter().enumerate() {
        for lane in (0..32).filter(|lane| members & (1 << lane) != 0) {
            after[32 * (1 + i) + lane] = out[lane];
        }
    }
    let mut text = format!(
        "ld.global.b32 %r1, [%rd1];\nmov.b32 %r9, {members:#x};\nshl.b32 %r2, 1, %r0;\nand.b32 %r2, %r2, %r9;\n\
         setp.ne.u32 %p0, %r2, 0;\n@!%p0 bra done;\n{body}\n"
    );
    for i in 0..outs.len() {
        let _ = writeln!(text, "st.global.b32 [%rd1+{}], %r{};", 128 * (1 + i), 10 + i);
    }
    text.push_str("done:");
    Case::of_warp(opcode, kernel(&text), before, after)
}

/// What `redux` does to two lanes' values.
type Reduction = fn(u32, u32) -> u32;

const PREDICATE_OUT: &str = "selp.b32 %r11, 1, 0, %p2;";

pub(super) fn cases() -> Vec<Case> {
    let mut random = Random(17);
    let mut cases = Vec::new();
    for members in [u32::MAX, 0x0ff0_3c5a] {
        let is_member = |lane: usize| members & (1 << lane) != 0;
        let words: [u32; 32] = std::array::from_fn(|_| random.next() as u32);
        let few: [u32; 32] = std::array::from_fn(|_| (random.next() % 3) as u32);
        let lanes = || (0..32_usize).filter(|lane| is_member(*lane));
        shuffles(&mut cases, members, &words);
        votes(&mut cases, members, &few);
        // match: the members with the same value.
        let same =
            |lane: usize| lanes().filter(|other| few[*other] == few[lane]).fold(0_u32, |mask, other| mask | 1 << other);
        for (bits, widen, register) in [("b32", "", "%r1"), ("b64", "mov.b64 %rd5, {%r1, %r1};\n", "%rd5")] {
            let opcode = format!("match.any.sync.{bits}");
            let body = format!("{widen}{opcode} %r10, {register}, %r9;");
            cases.push(case(&opcode, members, &body, &few, &[std::array::from_fn(same)]));
            for equal in [false, true] {
                let values = if equal { [5; 32] } else { few };
                let opcode = format!("match.all.sync.{bits}");
                let body = format!("{widen}{opcode} %r10|%p2, {register}, %r9;\n{PREDICATE_OUT}");
                let outs = [[if equal { members } else { 0 }; 32], [u32::from(equal); 32]];
                cases.push(case(&opcode, members, &body, &values, &outs));
            }
        }
        let reductions: [(&str, Reduction); 9] = [
            ("add.u32", u32::wrapping_add),
            ("add.s32", u32::wrapping_add),
            ("min.u32", u32::min),
            ("max.u32", u32::max),
            ("min.s32", |a, b| (a as i32).min(b as i32) as u32),
            ("max.s32", |a, b| (a as i32).max(b as i32) as u32),
            ("and.b32", |a, b| a & b),
            ("or.b32", |a, b| a | b),
            ("xor.b32", |a, b| a ^ b),
        ];
        for (name, apply) in reductions {
            let opcode = format!("redux.sync.{name}");
            let value = lanes().map(|lane| words[lane]).reduce(apply).unwrap();
            let body = format!("{opcode} %r10, %r1, %r9;");
            cases.push(case(&opcode, members, &body, &words, &[[value; 32]]));
        }
        let body = "activemask.b32 %r10;";
        cases.push(case("activemask.b32", members, body, &words, &[[members; 32]]));
        let body = format!("elect.sync %r10|%p2, %r9;\n{PREDICATE_OUT}");
        let leader = members.trailing_zeros();
        let elected = std::array::from_fn(|lane| u32::from(lane as u32 == leader));
        cases.push(case("elect.sync", members, &body, &words, &[[leader; 32], elected]));
    }
    cases
}

/// Within segments of eight lanes, of the members alone: a lane outside gives nothing that could be told.
fn shuffles(cases: &mut Vec<Case>, members: u32, words: &[u32; 32]) {
    let segment = (32 - 8) << 8;
    for (mode, clamp) in [("up", 0), ("down", 31), ("bfly", 31), ("idx", 31)] {
        for by in [0, 1, 3, 6] {
            let source = |lane: usize| {
                let (first, place) = (lane / 8 * 8, lane % 8);
                match mode {
                    "up" => place.checked_sub(by).map(|place| first + place),
                    "down" => Some(lane + by).filter(|_| place + by < 8),
                    "bfly" => Some(lane ^ by),
                    _ => Some(first + by),
                }
            };
            // Only where all that is read are members.
            let whole = (0..32).filter(|lane| members & (1 << lane) != 0);
            if whole.into_iter().any(|lane| source(lane).is_some_and(|from| members & (1 << from) == 0)) {
                continue;
            }
            let opcode = format!("shfl.sync.{mode}.b32");
            let body = format!("{opcode} %r10|%p2, %r1, {by}, {}, %r9;\n{PREDICATE_OUT}", segment | clamp);
            let value = std::array::from_fn(|lane| words[source(lane).unwrap_or(lane)]);
            let inside = std::array::from_fn(|lane| u32::from(source(lane).is_some()));
            cases.push(case(&opcode, members, &body, words, &[value, inside]));
        }
    }
}

fn votes(cases: &mut Vec<Case>, members: u32, few: &[u32; 32]) {
    for threshold in [0, 1, 3] {
        let holds = |lane: usize| few[lane] >= threshold;
        let lanes = || (0..32_usize).filter(|lane| members & (1 << lane) != 0);
        let ballot = lanes().filter(|lane| holds(*lane)).fold(0_u32, |mask, lane| mask | 1 << lane);
        let (all, any) = (lanes().all(holds), lanes().any(holds));
        for (name, value) in [("all", all), ("any", any), ("uni", all || !any)] {
            let opcode = format!("vote.sync.{name}.pred");
            let body =
                format!("setp.ge.u32 %p1, %r1, {threshold};\n{opcode} %p2, %p1, %r9;\nselp.b32 %r10, 1, 0, %p2;");
            cases.push(case(&opcode, members, &body, few, &[[u32::from(value); 32]]));
        }
        let opcode = "vote.sync.ballot.b32";
        let body = format!("setp.lt.u32 %p1, %r1, {threshold};\n{opcode} %r10, !%p1, %r9;");
        cases.push(case(opcode, members, &body, few, &[[ballot; 32]]));
    }
}
