//! Programs about numbers: wide integers, f64, halves, conversions, bits, counter-based random words.

use half::{bf16, f16};

use crate::support::{Program, random, unit};

#[test]
fn integer64() {
    let program = Program::load("numbers/integer64");
    let mut a = random(1, 60, |w| (w as i64) >> (w % 50));
    let mut b = random(2, 60, |w| ((w as i64) >> (w % 60)) | 1);
    a.extend([0, 1, -1, i64::MAX, i64::MIN, i64::MIN + 1, 7]);
    b.extend([5, i64::MAX, i64::MIN, -1, 1, -1, -3]);
    let n = a.len();
    let device_a = program.stream.clone_htod(&a).unwrap();
    let device_b = program.stream.clone_htod(&b).unwrap();
    let mut out = program.stream.alloc_zeros::<i64>(12 * n).unwrap();
    launch!(program, "integer64", 1, 96; &device_a, &device_b, &mut out, &(n as i32));
    let out = program.stream.clone_dtoh(&out).unwrap();
    for (i, (&a, &b)) in a.iter().zip(&b).enumerate() {
        let (ua, ub) = (a as u64, b as u64);
        let expected = [
            a.wrapping_mul(b),
            ((i128::from(a) * i128::from(b)) >> 64) as i64,
            ((u128::from(ua) * u128::from(ub)) >> 64) as i64,
            a.wrapping_div(b),
            a.wrapping_rem(b),
            (ua / ub) as i64,
            (ua % ub) as i64,
            a >> (ub % 64),
            (ua >> (ub % 64)) as i64,
            a << (ub % 64),
            i64::from(a < b) + 2 * i64::from(ua < ub),
            i64::from(a.leading_zeros() * 100 + a.count_ones()),
        ];
        for (k, expected) in expected.into_iter().enumerate() {
            assert_eq!(out[k * n + i], expected, "operation {k} of {a} and {b}");
        }
    }
}

#[test]
fn float64() {
    let program = Program::load("numbers/float64");
    let x = random(3, 40, |w| f64::from(unit(w)) * 3.0);
    let n = x.len();
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut out = program.stream.alloc_zeros::<f64>(6 * n).unwrap();
    launch!(program, "float64", 1, 64; &device_x, &mut out, &(n as i32));
    let out = program.stream.clone_dtoh(&out).unwrap();
    let near = |got: f64, expected: f64, ulps: f64| (got - expected).abs() <= ulps * f64::EPSILON * expected.abs();
    for (i, &x) in x.iter().enumerate() {
        let square = x.mul_add(x, 2.0); // contracted, as nvcc does by default
        let (mut term, mut sum) = (1.0, 1.0);
        for k in 1..30 {
            term = term * x / f64::from(k);
            sum += term;
        }
        assert_eq!(out[i], sum);
        assert!(near(out[n + i], square.sqrt(), 1.0));
        assert_eq!(out[2 * n + i], square.sqrt());
        assert_eq!(out[3 * n + i], x.mul_add(x, -square));
        assert!(near(out[4 * n + i], x.exp(), 1.0));
        assert!(near(out[5 * n + i], square.ln(), 1.0));
    }
}

#[test]
fn halves() {
    let program = Program::load("numbers/halves");
    let x = random(4, 128, |w| f16::from_bits((w % 0x7c00) as u16 | ((w >> 40) as u16 & 0x8000)));
    let y = random(5, 128, |w| f16::from_f32(unit(w) * 4.0));
    let mut f = random(6, 60, |w| f32::from_bits(w as u32));
    f.extend([0.0, 65_519.9, 65_520.0, 1e-8]);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let device_y = program.stream.clone_htod(&y).unwrap();
    let device_f = program.stream.clone_htod(&f).unwrap();
    let mut fma = program.stream.alloc_zeros::<f16>(128).unwrap();
    let mut sum = program.stream.alloc_zeros::<f16>(128).unwrap();
    let mut bf = program.stream.alloc_zeros::<bf16>(64).unwrap();
    let mut h = program.stream.alloc_zeros::<f16>(64).unwrap();
    let mut back = program.stream.alloc_zeros::<f32>(64).unwrap();
    launch!(program, "halves", 1, 64; &device_x, &device_y, &mut fma, &mut sum, &device_f, &mut bf, &mut h, &mut back);
    let fma = program.stream.clone_dtoh(&fma).unwrap();
    let sum = program.stream.clone_dtoh(&sum).unwrap();
    for i in 0..128 {
        // Products of two f16 and a third one are exact in f64 to far below half an ulp of f16.
        let (x, y) = (x[i].to_f64(), y[i].to_f64());
        assert_eq!(fma[i].to_bits(), f16::from_f64(x.mul_add(y, x)).to_bits(), "{x} {y}");
        assert_eq!(sum[i].to_bits(), f16::from_f64(x - y).to_bits(), "{x} {y}");
    }
    let bf = program.stream.clone_dtoh(&bf).unwrap();
    let h = program.stream.clone_dtoh(&h).unwrap();
    let back = program.stream.clone_dtoh(&back).unwrap();
    for (i, &f) in f.iter().enumerate() {
        if f.is_nan() {
            assert!(bf[i].is_nan() && h[i].is_nan() && back[i].is_nan());
        } else {
            assert_eq!(bf[i].to_bits(), bf16::from_f32(f).to_bits(), "{f}");
            assert_eq!(h[i].to_bits(), f16::from_f32(f).to_bits(), "{f}");
            let expected = bf[i].to_f32() + h[i].to_f32();
            assert!(back[i] == expected || (back[i].is_nan() && expected.is_nan()), "{f}");
        }
    }
}

#[test]
fn bits() {
    let program = Program::load("numbers/bits");
    let mut a = random(7, 60, |w| (w as u32) >> (w % 31));
    let mut b = random(8, 60, |w| w as u32);
    a.extend([0, 1, !0, 0x8000_0000]);
    b.extend([0, 31, 32, 63]);
    let n = a.len();
    let device_a = program.stream.clone_htod(&a).unwrap();
    let device_b = program.stream.clone_htod(&b).unwrap();
    let mut out = program.stream.alloc_zeros::<u32>(12 * n).unwrap();
    launch!(program, "bits", 1, n as u32; &device_a, &device_b, &mut out, &(n as u32));
    let out = program.stream.clone_dtoh(&out).unwrap();
    let permuted = |a: u32, b: u32, selector: u32| {
        let bytes = (u64::from(b) << 32 | u64::from(a)).to_le_bytes();
        (0..4).fold(0, |r, i| {
            let nibble = (selector >> (4 * i)) as usize & 15;
            let byte = bytes[nibble & 7];
            let byte = if nibble & 8 == 0 { byte } else { ((byte as i8) >> 7) as u8 };
            r | u32::from(byte) << (8 * i)
        })
    };
    for (i, (&a, &b)) in a.iter().zip(&b).enumerate() {
        let both = u64::from(b) << 32 | u64::from(a);
        let expected = [
            a.count_ones(),
            a.leading_zeros(),
            a.reverse_bits(),
            if a == 0 { 0 } else { a.trailing_zeros() + 1 },
            permuted(a, b, 0x7250),
            permuted(a, b, b & 0x7777), // __byte_perm leaves prmt's sign replication out
            ((both << (b & 31)) >> 32) as u32,
            (both >> (b & 63).min(32)) as u32,
            (a & b) | (!a & 0x0f0f_0f0f),
            ((u64::from(a) * u64::from(b)) >> 32) as u32,
            a.abs_diff(b) + 3,
            a.min(b) ^ (a as i32).max(b as i32) as u32,
        ];
        for (k, expected) in expected.into_iter().enumerate() {
            assert_eq!(out[k * n + i], expected, "operation {k} of {a:#x} and {b:#x}");
        }
    }
}

#[test]
fn philox() {
    let program = Program::load("numbers/philox");
    let (key0, key1) = (0xa409_3822u32, 0x299f_31d0u32);
    let mut out = program.stream.alloc_zeros::<u32>(4 * 96).unwrap();
    launch!(program, "philox", 3, 32; &mut out, &key0, &key1);
    let out = program.stream.clone_dtoh(&out).unwrap();
    for (i, got) in out.chunks(4).enumerate() {
        let mut c = [i as u32, 0, 0, 0];
        let (mut k0, mut k1) = (key0, key1);
        for _ in 0..10 {
            let p = 0xd251_1f53 * u64::from(c[0]);
            let q = 0xcd9e_8d57 * u64::from(c[2]);
            c = [(q >> 32) as u32 ^ c[1] ^ k0, q as u32, (p >> 32) as u32 ^ c[3] ^ k1, p as u32];
            k0 = k0.wrapping_add(0x9e37_79b9);
            k1 = k1.wrapping_add(0xbb67_ae85);
        }
        assert_eq!(got, c, "counter {i}");
    }
}

#[test]
fn conversions() {
    let program = Program::load("numbers/conversions");
    let mut x = random(9, 50, |w| unit(w) * 2f32.powi((w % 40) as i32));
    x.extend([0.5, 1.5, 2.5, -0.5, -1.5, 3e9, -3e9, 5e9, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0]);
    let mut d = random(10, 50, |w| f64::from(unit(w)) * 2f64.powi((w % 70) as i32));
    d.extend([0.5, 1.5, -0.5, 1e30, -1e30, f64::NAN, 1e-50, 1.0 + 1e-12, -1.0 - 1e-12, 1e39, 0.1, 3.0]);
    let n = x.len();
    let device_x = program.stream.clone_htod(&x).unwrap();
    let device_d = program.stream.clone_htod(&d).unwrap();
    let mut out = program.stream.alloc_zeros::<i32>(6 * n).unwrap();
    let mut wide = program.stream.alloc_zeros::<i64>(2 * n).unwrap();
    let mut narrow = program.stream.alloc_zeros::<f32>(5 * n).unwrap();
    launch!(program, "conversions", 1, 64; &device_x, &device_d, &mut out, &mut wide, &mut narrow, &(n as i32));
    let out = program.stream.clone_dtoh(&out).unwrap();
    let wide = program.stream.clone_dtoh(&wide).unwrap();
    let narrow = program.stream.clone_dtoh(&narrow).unwrap();
    for (i, (&x, &d)) in x.iter().zip(&d).enumerate() {
        // Rust's casts saturate and take NaN to 0, as PTX has it.
        let truncated = x as i32;
        let expected = [
            truncated,
            x.round_ties_even() as i32,
            x.floor() as i32,
            x.ceil() as i32,
            x as u32 as i32,
            i32::from(truncated as i8),
        ];
        for (k, expected) in expected.into_iter().enumerate() {
            assert_eq!(out[k * n + i], expected, "conversion {k} of {x}");
        }
        // To 64 bits, NaN is the one exception: 0x8000000000000000.
        let nan = i64::MIN;
        assert_eq!(wide[i], if d.is_nan() { nan } else { d as i64 }, "{d}");
        assert_eq!(wide[n + i], if d.is_nan() { nan } else { d.round_ties_even() as u64 as i64 }, "{d}");
        let nearest = d as f32;
        let toward_zero = if f64::from(nearest).abs() > d.abs() { step_toward_zero(nearest) } else { nearest };
        let up = if f64::from(nearest) < d { nearest.next_up() } else { nearest };
        let whole = if d.is_nan() { nan } else { d as i64 };
        let mixed = x.round_ties_even() + x.floor() - x.ceil() + x.trunc();
        for (k, expected) in [nearest, toward_zero, up, whole as f32, mixed].into_iter().enumerate() {
            let got = narrow[k * n + i];
            assert!(
                got == expected || (got.is_nan() && expected.is_nan()),
                "conversion {k} of {d}, {x}: {got} {expected}"
            );
        }
    }
}

/// The neighbour of `x` that is nearer to zero.
fn step_toward_zero(x: f32) -> f32 {
    f32::from_bits(x.to_bits() - 1)
}

/// The first 32 bits of the fraction of the cube root of a prime, exactly.
fn root_bits(prime: u64) -> u32 {
    let target = u128::from(prime) << 96;
    let (mut low, mut high) = (0u128, 1 << 36); // low^3 <= p 2^96 < high^3
    while high - low > 1 {
        let middle = u128::midpoint(low, high);
        if middle * middle * middle <= target { low = middle } else { high = middle }
    }
    low as u32
}

fn sha256_of(message: &[u8; 64], constants: &[u32]) -> [u32; 8] {
    let mut w: Vec<u32> = message.chunks(4).map(|c| u32::from_be_bytes(c.try_into().unwrap())).collect();
    for i in 16..64 {
        let a = w[i - 15].rotate_right(7) ^ w[i - 15].rotate_right(18) ^ (w[i - 15] >> 3);
        let b = w[i - 2].rotate_right(17) ^ w[i - 2].rotate_right(19) ^ (w[i - 2] >> 10);
        w.push(w[i - 16].wrapping_add(a).wrapping_add(w[i - 7]).wrapping_add(b));
    }
    let start = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19u32];
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = start;
    for (&k, &w) in constants.iter().zip(&w) {
        let one = [e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25), (e & f) ^ (!e & g), k, w];
        let one = one.into_iter().fold(h, u32::wrapping_add);
        let two = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let two = two.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(one), c, b, a, one.wrapping_add(two));
    }
    let end = [a, b, c, d, e, f, g, h];
    std::array::from_fn(|i| start[i].wrapping_add(end[i]))
}

#[test]
fn sha256() {
    let program = Program::load("numbers/sha256");
    let primes = (2u64..).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0)).take(64);
    let constants: Vec<u32> = primes.map(root_bits).collect();
    let bytes: Vec<u8> = constants.iter().flat_map(|c| c.to_le_bytes()).collect();
    let mut symbol = program.module.get_global("constants", &program.stream).unwrap();
    program.stream.memcpy_htod(&bytes, &mut symbol).unwrap();
    let padded = |text: &[u8]| -> [u8; 64] {
        let mut block = [0; 64];
        block[..text.len()].copy_from_slice(text);
        block[text.len()] = 0x80;
        block[56..].copy_from_slice(&(8 * text.len() as u64).to_be_bytes());
        block
    };
    let messages: Vec<[u8; 64]> =
        (0..50u8).map(|i| if i == 0 { padded(b"abc") } else { padded(&vec![i; usize::from(i)]) }).collect();
    let blocks: Vec<u32> = messages
        .iter()
        .flatten()
        .copied()
        .collect::<Vec<u8>>()
        .as_chunks()
        .0
        .iter()
        .map(|&c| u32::from_le_bytes(c))
        .collect();
    let device_blocks = program.stream.clone_htod(&blocks).unwrap();
    let mut digests = program.stream.alloc_zeros::<u32>(8 * messages.len()).unwrap();
    launch!(program, "sha256", 2, 32; &device_blocks, &mut digests, &(messages.len() as i32));
    let digests = program.stream.clone_dtoh(&digests).unwrap();
    for (i, (message, got)) in messages.iter().zip(digests.chunks(8)).enumerate() {
        assert_eq!(got, sha256_of(message, &constants), "message {i}");
    }
    assert_eq!(digests[..2], [0xba7816bf, 0x8f01cfea]); // the standard's digest of "abc"
}

#[test]
fn monte_carlo() {
    let program = Program::load("numbers/monte_carlo");
    let (paths, steps) = (128usize, 20);
    let [spot, strike, rate, volatility] = [100.0f64, 105.0, 0.03, 0.25];
    let mut payoffs = program.stream.alloc_zeros::<f64>(paths).unwrap();
    let mut total = program.stream.alloc_zeros::<f64>(1).unwrap();
    launch!(
        program, "monte_carlo", 2, 64;
        &mut payoffs, &mut total, &steps, &spot, &strike, &rate, &volatility
    );
    let payoffs = program.stream.clone_dtoh(&payoffs).unwrap();
    for (t, &got) in payoffs.iter().enumerate() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(t as u64 + 1);
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64
        };
        let (mut logarithm, dt) = (spot.ln(), 1.0 / f64::from(steps));
        for _ in 0..steps {
            let u = (next() + 0.5) * 2f64.powi(-53);
            let turn = 2.0 * next() * 2f64.powi(-53);
            let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::PI * turn).cos();
            logarithm += (rate - 0.5 * volatility * volatility) * dt + volatility * dt.sqrt() * normal;
        }
        let value = (-rate).exp() * logarithm.exp();
        let expected = (value - (-rate).exp() * strike).max(0.0);
        // A step's terms are below 1 and round a dozen times, the logarithm itself is below 8; the price takes it whole.
        let bound = f64::from(steps) * 20.0 * f64::EPSILON * 8.0 * value;
        assert!((got - expected).abs() <= bound, "path {t}: {got} {expected}");
    }
    let sum: f64 = payoffs.iter().sum();
    let total = program.stream.clone_dtoh(&total).unwrap()[0];
    assert!((total - sum).abs() <= paths as f64 * f64::EPSILON * sum, "{total} {sum}"); // in another order
}
