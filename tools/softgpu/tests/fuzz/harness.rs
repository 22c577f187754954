//! Runs a campaign: inputs by their numbers, a watch over each, and what is said of one that fails.
//!
//! Input `i` of a campaign follows from the campaign's seed and `i` alone, so that a failure is had again by
//! `SOFTGPU_FUZZ_SEED=seed SOFTGPU_FUZZ_ONLY=i`, which also writes the input to a file before it is tried.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::{Arguments, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::cap;

/// How long one input may take: far beyond what the watchdog of a launch allows, on a machine that does other work.
const LONGEST: Duration = Duration::from_secs(20);

/// What is tried, and how.
pub(crate) trait Campaign {
    const NAME: &'static str;
    /// Inputs without which a run says nothing, however slow the machine is.
    const LEAST: u64;
    /// What must come of at least so many in a thousand inputs, so that they reach beyond the first check.
    const SHARES: &'static [(&'static str, u64)];

    /// An input, and what else follows from its number.
    fn input(&mut self, rng: &mut SmallRng) -> Vec<u8>;
    /// Tries it: what came of it, in a word, or what is wrong.
    fn run(&mut self, input: &[u8], rng: &mut SmallRng) -> Result<&'static str, String>;
}

/// From the environment, else for CI.
struct Plan {
    seed: u64,
    /// Exactly so many inputs, instead of the time.
    inputs: Option<u64>,
    /// This one alone.
    only: Option<u64>,
    time: Duration,
}

impl Plan {
    fn new() -> Self {
        let number = |name: &str| {
            std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is {value:?}")))
        };
        Self {
            seed: number("SOFTGPU_FUZZ_SEED").unwrap_or(0),
            inputs: number("SOFTGPU_FUZZ_INPUTS"),
            only: number("SOFTGPU_FUZZ_ONLY"),
            time: Duration::from_secs(number("SOFTGPU_FUZZ_SECONDS").unwrap_or(50)),
        }
    }
}

thread_local! {
    /// The input that this thread is at: campaign, seed, number.
    static NOW: Cell<(&'static str, u64, u64)> = const { Cell::new(("", 0, 0)) };
}

/// Says on standard error which input this thread is at, and why that is the last: without an allocation, as there may be
/// no more memory.
pub(crate) fn last_words(why: &str) {
    let (name, seed, number) = NOW.get();
    say(format_args!("\nfuzz: {why}: {}\n", Again { name, seed, number }));
}

fn say(words: Arguments<'_>) {
    /// As much as fits.
    struct Line([u8; 512], usize);
    impl Write for Line {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            let room = &mut self.0[self.1..];
            let bytes = text.len().min(room.len());
            room[..bytes].copy_from_slice(&text.as_bytes()[..bytes]);
            self.1 += bytes;
            Ok(())
        }
    }
    let mut line = Line([0; 512], 0);
    let _ = line.write_fmt(words);
    // SAFETY: the bytes of the line.
    unsafe { libc::write(2, line.0.as_ptr().cast(), line.1) };
}

/// How an input is had again.
struct Again {
    name: &'static str,
    seed: u64,
    number: u64,
}

impl std::fmt::Display for Again {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, seed, number } = self;
        write!(
            f,
            "input {number} of {name}; again: SOFTGPU_FUZZ_SEED={seed} SOFTGPU_FUZZ_ONLY={number} \
             cargo test --release -p oblate-softgpu --test fuzz {name}"
        )
    }
}

/// A crash says which input it was of, and is a crash all the same.
fn watch_for_crashes() {
    extern "C" fn crashed(signal: libc::c_int) {
        last_words(match signal {
            libc::SIGSEGV => "the process touched memory that is not its own",
            libc::SIGABRT => "the process gave up",
            _ => "the process crashed",
        });
        // SAFETY: the handler is taken away, so that the signal has its ordinary effect.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT] {
        // SAFETY: a zeroed action is one without flags; the handler has the signature that it asks for.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = crashed as extern "C" fn(libc::c_int) as usize;
            // On the stack that Rust gives each thread for this: the ordinary one may be what has ended.
            action.sa_flags = libc::SA_ONSTACK;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

/// Ends the process when the number of the input stays the same for too long.
fn watch_for_hangs(name: &'static str, seed: u64, now: Arc<AtomicU64>) {
    std::thread::spawn(move || {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            std::thread::sleep(LONGEST / 40);
            match now.load(Relaxed) {
                u64::MAX => return,
                number if number != last => (last, since) = (number, Instant::now()),
                number if since.elapsed() > LONGEST => {
                    say(format_args!("\nfuzz: no end in {LONGEST:?}: {}\n", Again { name, seed, number }));
                    // SAFETY: nothing is to be run any more.
                    unsafe { libc::_exit(1) };
                }
                _ => {}
            }
        }
    });
}

/// Where inputs that failed are written.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    std::fs::create_dir_all(&folder).expect("a folder for inputs");
    folder
}

/// Runs a campaign to its end, and says what came of it.
pub(crate) fn run<C: Campaign>(mut campaign: C) {
    let plan = Plan::new();
    watch_for_crashes();
    let now = Arc::new(AtomicU64::new(0));
    watch_for_hangs(C::NAME, plan.seed, Arc::clone(&now));
    let start = Instant::now();
    let mut outcomes: BTreeMap<&'static str, u64> = BTreeMap::new();
    let (mut slowest, mut tried) = ((Duration::ZERO, 0), 0);
    let numbers = plan.only.map_or(0..u64::MAX, |only| only..only + 1);
    for number in numbers {
        let over = match plan.inputs {
            Some(inputs) => number >= inputs,
            None => number >= C::LEAST && start.elapsed() >= plan.time,
        };
        if over && plan.only.is_none() {
            break;
        }
        now.store(number, Relaxed);
        NOW.set((C::NAME, plan.seed, number));
        let mut rng = SmallRng::seed_from_u64(plan.seed.rotate_left(32) ^ number);
        let input = campaign.input(&mut rng);
        let path = folder().join(format!("{}-{}-{number}", C::NAME, plan.seed));
        if plan.only.is_some() {
            std::fs::write(&path, &input).expect("the input is written");
        }
        let began = Instant::now();
        match campaign.run(&input, &mut rng) {
            Ok(outcome) => *outcomes.entry(outcome).or_default() += 1,
            Err(wrong) => {
                std::fs::write(&path, &input).expect("the input is written");
                let again = Again { name: C::NAME, seed: plan.seed, number };
                now.store(u64::MAX, Relaxed);
                panic!("{wrong}: {again}\nthe input is {}", path.display());
            }
        }
        slowest = slowest.max((began.elapsed(), number));
        tried += 1;
    }
    now.store(u64::MAX, Relaxed);
    println!(
        "{}: {tried} inputs of seed {} in {:.0?}: {outcomes:?}; the slowest, {}, took {:.0?}; at most {} MiB of the process",
        C::NAME,
        plan.seed,
        start.elapsed(),
        slowest.1,
        slowest.0,
        cap::peak() >> 20
    );
    if plan.only.is_none() && tried >= C::LEAST {
        for (outcome, least) in C::SHARES {
            let came = outcomes.get(outcome).copied().unwrap_or(0);
            assert!(came * 1000 >= tried * least, "{}: {outcome} came of {came} in {tried} inputs", C::NAME);
        }
    }
}
