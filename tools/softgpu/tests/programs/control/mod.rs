//! Programs that branch, loop, call, print and assert.

use crate::support::{Program, random, unit};

#[test]
fn divergent_loop() {
    let program = Program::load("control/divergent_loop");
    let n = 1000;
    for limit in [50u32, 100_000] {
        let mut length = program.stream.alloc_zeros::<u32>(n).unwrap();
        launch!(program, "divergent_loop", 10, 100; &mut length, &limit);
        let expected: Vec<u32> = (1..=n as u64)
            .map(|mut x| {
                let mut steps = 0;
                while x % 7 != 0 || steps > 0 {
                    if x == 1 {
                        break;
                    }
                    steps += 1;
                    if steps == limit {
                        break;
                    }
                    x = if x.is_multiple_of(2) { x / 2 } else { 3 * x + 1 };
                }
                steps
            })
            .collect();
        assert_eq!(program.stream.clone_dtoh(&length).unwrap(), expected, "limit {limit}");
    }
}

#[test]
fn nested_divergence() {
    let program = Program::load("control/nested_divergence");
    let x = random(1, 96, |w| (w % 1024) as i32);
    let rounds = 9;
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<i32>(96).unwrap();
    launch!(program, "nested_divergence", 1, 96; &device_x, &mut y, &rounds);
    let mut values = x;
    for _ in 0..rounds {
        values = (0..96usize)
            .map(|t| {
                let (left, right) = (values[(t + 95) % 96], values[(t + 1) % 96]);
                let next = if t % 3 == 0 {
                    match left.cmp(&right) {
                        std::cmp::Ordering::Greater => left - right,
                        std::cmp::Ordering::Equal => 1,
                        std::cmp::Ordering::Less => (0..(t % 5) as i32).fold(right - left, |next, i| next ^ i),
                    }
                } else if t < 40 {
                    left + right
                } else {
                    left
                };
                next & 1023
            })
            .collect();
    }
    assert_eq!(program.stream.clone_dtoh(&y).unwrap(), values);
}

#[test]
fn local_array() {
    let program = Program::load("control/local_array");
    let x = random(2, 80 * 16, |w| w as i32);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<i32>(x.len()).unwrap();
    launch!(program, "local_array", 2, 40; &device_x, &mut y);
    let mut expected = x;
    expected.chunks_mut(16).for_each(<[i32]>::sort_unstable);
    assert_eq!(program.stream.clone_dtoh(&y).unwrap(), expected);
}

#[test]
fn calls() {
    fn ackermann(m: u32, n: u32) -> u32 {
        match (m, n) {
            (0, n) => n + 1,
            (m, 0) => ackermann(m - 1, 1),
            (m, n) => ackermann(m - 1, ackermann(m, n - 1)),
        }
    }
    let program = Program::load("control/calls");
    let mut combined = program.stream.alloc_zeros::<i32>(64).unwrap();
    let mut sums = program.stream.alloc_zeros::<f64>(64).unwrap();
    let mut depth = program.stream.alloc_zeros::<u32>(64).unwrap();
    let mut chosen = program.stream.alloc_zeros::<i32>(64).unwrap();
    launch!(program, "calls", 1, 60; &mut combined, &mut sums, &mut depth, &mut chosen);
    let combined = program.stream.clone_dtoh(&combined).unwrap();
    let sums = program.stream.clone_dtoh(&sums).unwrap();
    let depth = program.stream.clone_dtoh(&depth).unwrap();
    let chosen = program.stream.clone_dtoh(&chosen).unwrap();
    for t in 0..60i32 {
        let i = t as usize;
        assert_eq!(combined[i], t + i32::from(-t as i8), "thread {t}");
        assert_eq!(sums[i], (f64::from(t) + 0.5) * f64::from((3 * t) as i16) + (1i64 << t) as f64, "thread {t}");
        assert_eq!(depth[i], ackermann(t as u32 % 3, t as u32 % 5), "thread {t}");
        assert_eq!(chosen[i], [t + 11, 2 * (t + 10), -(t + 10)][i % 3], "thread {t}");
    }
}

#[test]
fn dense_switch() {
    let program = Program::load("control/dense_switch");
    let x = random(3, 256, |w| (w % 14) as i32 - 1);
    let device_x = program.stream.clone_htod(&x).unwrap();
    let mut y = program.stream.alloc_zeros::<i32>(256).unwrap();
    let mut sink = program.stream.alloc_zeros::<i32>(5).unwrap();
    launch!(program, "dense_switch", 1, 256; &device_x, &mut y, &mut sink);
    let expected: Vec<i32> = (0..256i32)
        .zip(&x)
        .map(|(t, &v)| match v {
            0 => t,
            1 => t * t,
            2 => t ^ 0x55,
            3 => t.count_ones() as i32 + 7,
            4 => -t,
            5 => t << 3,
            6 => t / 3,
            7 => t % 5,
            8 => 1000 - t,
            9 => t * 13 + 3,
            10 => 12,
            11 => t.leading_zeros() as i32,
            _ => -1,
        })
        .collect();
    assert_eq!(program.stream.clone_dtoh(&y).unwrap(), expected);
    assert_eq!(program.stream.clone_dtoh(&sink).unwrap(), [1; 5]);
}

#[test]
fn mandelbrot() {
    let program = Program::load("control/mandelbrot");
    let (width, height) = (90usize, 50usize);
    let mut steps = program.stream.alloc_zeros::<u32>(width * height).unwrap();
    let grid = (width.div_ceil(16) as u32, height.div_ceil(8) as u32);
    launch!(program, "mandelbrot", grid, (16, 8); &mut steps, &(width as i32), &(height as i32));
    let steps = program.stream.clone_dtoh(&steps).unwrap();
    for y in 0..height {
        for x in 0..width {
            let (cr, ci) = (3.0 * x as f32 / width as f32 - 2.0, 2.0 * y as f32 / height as f32 - 1.0);
            let (mut zr, mut zi, mut n) = (0f32, 0f32, 0);
            while n < 200 && zr * zr + zi * zi <= 4.0 {
                (zr, zi) = ((zr * zr - zi * zi) + cr, (2.0 * zr) * zi + ci);
                n += 1;
            }
            assert_eq!(steps[y * width + x], n, "at {x}, {y}");
        }
    }
}

#[test]
fn print() {
    use cudarc::driver::PushKernelArg;
    let program = Program::load("control/print");
    let function = program.function("print");
    let ((), record) = oblate_softgpu::record(|| {
        let mut launch = program.stream.launch_builder(&function);
        launch.arg(&0u64).arg(&3i32);
        // SAFETY: the kernel does not follow its pointer.
        unsafe { launch.launch(crate::support::config(1, 8, 0)) }.expect("the launch");
        program.stream.synchronize().expect("the kernel");
    });
    let line = |t: i32| format!("t={} u=7 x=00ab f=1.500 e=1.234568e+04 g=0.0001 s=text c=z ll=1099511627776 %\n", -t);
    assert_eq!(record.launches[0].printed, (0..3).map(line).collect::<String>());
    assert!(record.findings.is_empty());
}

#[test]
fn assertion() {
    let program = Program::load("control/assertion");
    let x = program.stream.clone_htod(&[0i32, 1, 2, 3]).unwrap();
    let mut y = program.stream.alloc_zeros::<i32>(4).unwrap();
    launch!(program, "assertion", 1, 4; &x, &mut y);
    assert_eq!(program.stream.clone_dtoh(&y).unwrap(), [1, 2, 3, 4]);
}

#[test]
fn function_table() {
    let program = Program::load("control/function_table");
    let n = 192;
    let which = random(8, n, |w| (w % 4) as i32);
    let (a, b) = (random(9, n, unit), random(10, n, unit));
    let device_which = program.stream.clone_htod(&which).unwrap();
    let (device_a, device_b) = (program.stream.clone_htod(&a).unwrap(), program.stream.clone_htod(&b).unwrap());
    let mut y = program.stream.alloc_zeros::<f32>(n).unwrap();
    let mut z = program.stream.alloc_zeros::<f32>(n).unwrap();
    launch!(program, "function_table", 3, 64; &device_which, &device_a, &device_b, &mut y, &mut z);
    let table: [fn(f32, f32) -> f32; 4] = [|a, b| a + b, |a, b| a - b, |a, b| a * b, f32::max];
    let of = |i: usize, next: usize| table[(which[i] as usize + next) % 4];
    let expected: Vec<f32> = (0..n).map(|i| of(i, 0)(a[i], b[i])).collect();
    assert_eq!(program.stream.clone_dtoh(&y).unwrap(), expected);
    let expected: Vec<f32> = (0..n).map(|i| of(i, 1)(of(i, 1)(a[i], b[i]), b[i])).collect();
    assert_eq!(program.stream.clone_dtoh(&z).unwrap(), expected);
}

#[test]
fn formats() {
    let program = Program::load("control/formats");
    let record = launch!(program, "formats", 1, 1; &0u64);
    let expected = "1 -2     3|4    |-0005|+6| 7|008
4000000000 10 ff FF 0xff 010
4464 -5000000000 -6000000000 18446744073709551615
1.500000 2.35     -3.250|4.8       |+6
1.234568e+04 1.2E-04 0.0001 1E-10 1e+20 100000 0x1p+0
inf -inf 0 -0.000000e+00
aB text|   right|left    |cu %
    42|42    |
no argument
";
    assert_eq!(record.launches[0].printed, expected);
}
