//! What can be set, and the environment that it is set by.

use std::cell::RefCell;
use std::sync::OnceLock;

use crate::driver::cards::{self, Card};
use crate::faults::{FAULTS, Faults};
use crate::numerics::Modes;
use crate::numerics::approximate::Approximation;
use crate::numerics::sums::MatrixSums;

/// How a context runs its kernels.
///
/// A context takes those of the thread that makes it, see [`Settings::with`]; else those of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Threads that run the blocks of a launch; 0 for one per core. `SOFTGPU_WORKERS`.
    pub workers: usize,
    /// Device memory, in bytes. `SOFTGPU_MEMORY`, which may end in K, M or G.
    pub memory_bytes: u64,
    /// Warp instructions after which a block is taken not to end. `SOFTGPU_WATCHDOG`.
    pub watchdog: u64,
    /// What approximate functions give of the results that the ISA allows. `SOFTGPU_APPROX`: `nearest`, `low`, `high`, or
    /// `seeded`, also with a seed as in `seeded:7`.
    pub approximation: Approximation,
    /// Whether a multiplication and the addition that alone uses its product become one multiply-add wherever neither
    /// names a rounding, as ptxas may have it. `SOFTGPU_CONTRACT`: 0 or 1.
    pub contract: bool,
    /// How the tensor cores sum. `SOFTGPU_MMA`: `fma`, `exact` or `card`.
    pub matrix_sums: MatrixSums,
    /// What goes wrong. `SOFTGPU_FAULTS`.
    pub faults: Faults,
    /// What is looked for beside wrong accesses and barriers; races by default. `SOFTGPU_CHECKS`.
    pub checks: Checks,
    /// Shuffles blocks, warps and lanes: a launch then runs on one thread, in an order that the seed decides. Without, they
    /// run in turn. `SOFTGPU_SEED`.
    pub seed: Option<u64>,
}

/// Checks that cost time, and can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checks {
    /// Races on shared and on global memory: `races`.
    pub races: bool,
    /// Of these, those of two stores of the same bits: `equal-writes`.
    pub equal_writes: bool,
}

impl Default for Checks {
    fn default() -> Self {
        Self { races: true, ..Self::NONE }
    }
}

impl Checks {
    /// Nothing beside wrong accesses and barriers.
    pub const NONE: Self = Self { races: false, equal_writes: false };

    /// From a list with commas: `all`, `none`, or the names of those to have.
    fn parse(list: &str) -> Option<Self> {
        list.split(',').map(str::trim).try_fold(Self::NONE, |checks, name| match name {
            "none" => Some(checks),
            "races" => Some(Self { races: true, ..checks }),
            "all" | "equal-writes" => Some(Self { races: true, equal_writes: true }),
            _ => None,
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 0,
            memory_bytes: 16 << 30,
            watchdog: 2_000_000_000,
            approximation: Approximation::default(),
            contract: false,
            matrix_sums: MatrixSums::default(),
            faults: Faults::default(),
            checks: Checks::default(),
            seed: None,
        }
    }
}

/// An environment variable that does not make sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value:?}, expected {expected}")]
pub struct SettingsError {
    /// The variable.
    pub name: &'static str,
    /// What it holds.
    pub value: String,
    /// What it may hold.
    pub expected: &'static str,
}

pub(crate) const MOST_DEVICES: usize = 16;

/// What the process has, whatever its contexts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) capability: Capability,
    /// The card whose limits hold, where one is named.
    pub(crate) card: Option<&'static Card>,
    pub(crate) devices: u32,
    /// The most that is made of the processor's vector units: a [`level`](crate::isa::level).
    pub(crate) vectors: usize,
}

/// Of the device, which all contexts share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capability {
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

thread_local! {
    static OF_THREAD: RefCell<Option<Settings>> = const { RefCell::new(None) };
}

impl Settings {
    /// Runs `body`; contexts that this thread creates within it have these settings. The primary context keeps those with
    /// which it was first retained.
    pub fn with<T>(self, body: impl FnOnce() -> T) -> T {
        struct Restore(Option<Settings>);
        impl Drop for Restore {
            fn drop(&mut self) {
                OF_THREAD.set(self.0.take());
            }
        }
        let _restore = Restore(OF_THREAD.replace(Some(self)));
        body()
    }

    /// The environment's, read once.
    ///
    /// # Errors
    /// The first variable that does not make sense.
    pub fn environment() -> Result<&'static Self, &'static SettingsError> {
        environment().as_ref().map(|(settings, _)| settings)
    }

    /// How modules compute where the ISA leaves it open.
    pub(crate) fn modes(&self) -> Modes {
        Modes {
            approximation: self.approximation,
            contract: self.contract,
            matrix_sums: self.matrix_sums,
            major: capability().major,
        }
    }

    /// Those for a context that this thread makes.
    pub(crate) fn for_context() -> Self {
        OF_THREAD.with_borrow(Clone::clone).unwrap_or_else(|| Self::environment().cloned().unwrap_or_default())
    }
}

/// The compute capability, 8.0 unless `SOFTGPU_CC` says another.
pub(crate) fn capability() -> Capability {
    machine().capability
}

/// One device of the default capability, run by the best vector units, unless `SOFTGPU_CC`, `SOFTGPU_CARD`,
/// `SOFTGPU_DEVICES` or `SOFTGPU_VECTORS` says otherwise.
pub(crate) fn machine() -> Machine {
    let default = Machine { capability: DEFAULT_CAPABILITY, card: None, devices: 1, vectors: 2 };
    environment().as_ref().map_or(default, |(_, machine)| *machine)
}

const DEFAULT_CAPABILITY: Capability = Capability { major: 8, minor: 0 };

fn environment() -> &'static Result<(Settings, Machine), SettingsError> {
    static ENVIRONMENT: OnceLock<Result<(Settings, Machine), SettingsError>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| read(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())))
}

fn read(variable: impl Fn(&'static str) -> Option<String>) -> Result<(Settings, Machine), SettingsError> {
    fn parsed<T>(
        variable: impl Fn(&'static str) -> Option<String>,
        name: &'static str,
        expected: &'static str,
        otherwise: T,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, SettingsError> {
        match variable(name) {
            None => Ok(otherwise),
            Some(value) => parse(value.trim()).ok_or(SettingsError { name, value, expected }),
        }
    }
    let default = Settings::default();
    let settings = Settings {
        workers: parsed(
            &variable,
            "SOFTGPU_WORKERS",
            "a number of threads, 0 for one per core",
            default.workers,
            |v| v.parse().ok(),
        )?,
        memory_bytes: parsed(
            &variable,
            "SOFTGPU_MEMORY",
            "a number of bytes, which may end in K, M or G",
            default.memory_bytes,
            bytes,
        )?,
        watchdog: parsed(
            &variable,
            "SOFTGPU_WATCHDOG",
            "a number of warp instructions from 1",
            default.watchdog,
            |v| v.parse().ok().filter(|&count| count > 0),
        )?,
        approximation: parsed(
            &variable,
            "SOFTGPU_APPROX",
            "nearest, low, high, seeded or seeded:N",
            default.approximation,
            approximation,
        )?,
        contract: parsed(&variable, "SOFTGPU_CONTRACT", "0 or 1", default.contract, |value| match value {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        })?,
        matrix_sums: parsed(
            &variable,
            "SOFTGPU_MMA",
            "fma, exact or card",
            default.matrix_sums,
            |value| match value {
                "fma" => Some(MatrixSums::Fma),
                "exact" => Some(MatrixSums::Exact),
                "card" => Some(MatrixSums::Card),
                _ => None,
            },
        )?,
        faults: parsed(&variable, "SOFTGPU_FAULTS", FAULTS, default.faults, |v| v.parse().ok())?,
        checks: parsed(
            &variable,
            "SOFTGPU_CHECKS",
            "all, none, or a list of races and equal-writes",
            default.checks,
            Checks::parse,
        )?,
        seed: parsed(&variable, "SOFTGPU_SEED", "a number", default.seed, |v| v.parse().ok().map(Some))?,
    };
    let card = parsed(&variable, "SOFTGPU_CARD", cards::NAMES, None, |name| cards::named(name).map(Some))?;
    let devices = parsed(&variable, "SOFTGPU_DEVICES", "a number of devices from 1 to 16", 1, |v| {
        v.parse().ok().filter(|&count| count > 0 && count as usize <= MOST_DEVICES)
    })?;
    let vectors = parsed(&variable, "SOFTGPU_VECTORS", "baseline, avx2 or avx512", 2, |value| match value {
        "baseline" => Some(0),
        "avx2" => Some(1),
        "avx512" => Some(2),
        _ => None,
    })?;
    let default_capability = card.map_or(DEFAULT_CAPABILITY, |card: &Card| card.capability);
    let capability =
        parsed(&variable, "SOFTGPU_CC", "8.0, 8.6, 8.9 or 9.0", default_capability, |value| match value {
            "8.0" => Some(DEFAULT_CAPABILITY),
            "8.6" => Some(Capability { major: 8, minor: 6 }),
            "8.9" => Some(Capability { major: 8, minor: 9 }),
            "9.0" => Some(Capability { major: 9, minor: 0 }),
            _ => None,
        })?;
    if capability != default_capability
        && let Some(card) = card
    {
        let value = variable("SOFTGPU_CC").unwrap_or_default();
        return Err(SettingsError { name: "SOFTGPU_CC", value, expected: card.expects });
    }
    Ok((settings, Machine { capability, card, devices, vectors }))
}

fn approximation(value: &str) -> Option<Approximation> {
    match value {
        "nearest" => Some(Approximation::Nearest),
        "low" => Some(Approximation::Low),
        "high" => Some(Approximation::High),
        "seeded" => Some(Approximation::Seeded(0)),
        _ => value.strip_prefix("seeded:")?.parse().ok().map(Approximation::Seeded),
    }
}

pub(crate) fn bytes(value: &str) -> Option<u64> {
    let (digits, shift) = match value.as_bytes().last()? {
        b'K' => (&value[..value.len() - 1], 10),
        b'M' => (&value[..value.len() - 1], 20),
        b'G' => (&value[..value.len() - 1], 30),
        _ => (value, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &'static str, value: &str) -> Result<(Settings, Machine), SettingsError> {
        read(|asked| (asked == name).then(|| value.to_owned()))
    }

    #[test]
    fn the_environment_is_read() {
        let machine = Machine { capability: DEFAULT_CAPABILITY, card: None, devices: 1, vectors: 2 };
        assert_eq!(of("", "").unwrap(), (Settings::default(), machine));
        assert_eq!(of("SOFTGPU_DEVICES", "2").unwrap().1.devices, 2);
        assert_eq!(of("SOFTGPU_VECTORS", "avx2").unwrap().1.vectors, 1);
        assert_eq!(of("SOFTGPU_CARD", "h100").unwrap().1.capability, Capability { major: 9, minor: 0 });
        assert_eq!(of("SOFTGPU_FAULTS", "launch=2").unwrap().0.faults.launch, Some(2));
        assert_eq!(of("SOFTGPU_WORKERS", "3").unwrap().0.workers, 3);
        assert_eq!(of("SOFTGPU_MEMORY", "12").unwrap().0.memory_bytes, 12);
        assert_eq!(of("SOFTGPU_MEMORY", "3M").unwrap().0.memory_bytes, 3 << 20);
        assert_eq!(of("SOFTGPU_MMA", "exact").unwrap().0.matrix_sums, MatrixSums::Exact);
        assert_eq!(of("SOFTGPU_APPROX", "seeded:7").unwrap().0.approximation, Approximation::Seeded(7));
        assert_eq!(of("SOFTGPU_APPROX", "low").unwrap().0.approximation, Approximation::Low);
        assert_eq!(of("SOFTGPU_CHECKS", "none").unwrap().0.checks, Checks::NONE);
        assert!(of("SOFTGPU_CHECKS", "all").unwrap().0.checks.equal_writes);
        assert_eq!(of("SOFTGPU_SEED", "7").unwrap().0.seed, Some(7));
        assert_eq!(of("SOFTGPU_CHECKS", "races").unwrap().0.checks, Checks::default());
        assert_eq!(of("SOFTGPU_CC", "9.0").unwrap().1.capability, Capability { major: 9, minor: 0 });
    }

    #[test]
    fn what_does_not_make_sense_is_said() {
        let error = of("SOFTGPU_CC", "7.5").unwrap_err();
        assert_eq!(error.to_string(), r#"SOFTGPU_CC is "7.5", expected 8.0, 8.6, 8.9 or 9.0"#);
        let both = |asked| match asked {
            "SOFTGPU_CARD" => Some("a100".to_owned()),
            "SOFTGPU_CC" => Some("9.0".to_owned()),
            _ => None,
        };
        let error = read(both).unwrap_err().to_string();
        assert_eq!(error, r#"SOFTGPU_CC is "9.0", expected 8.0, as of the card"#);
        for (name, value) in [
            ("SOFTGPU_WORKERS", "-1"),
            ("SOFTGPU_WORKERS", ""),
            ("SOFTGPU_MEMORY", "G"),
            ("SOFTGPU_MEMORY", "99999999999G"),
            ("SOFTGPU_WATCHDOG", "0"),
            ("SOFTGPU_VECTORS", "sse"),
            ("SOFTGPU_DEVICES", "0"),
            ("SOFTGPU_DEVICES", "17"),
            ("SOFTGPU_CARD", "v100"),
            ("SOFTGPU_FAULTS", "later"),
            ("SOFTGPU_CONTRACT", "yes"),
            ("SOFTGPU_MMA", "fast"),
            ("SOFTGPU_APPROX", "seeded:"),
            ("SOFTGPU_CHECKS", "race"),
            ("SOFTGPU_SEED", "0x7"),
        ] {
            assert_eq!(of(name, value).unwrap_err().name, name, "{value:?}");
        }
    }

    #[test]
    fn settings_hold_within_a_closure() {
        let small = Settings { memory_bytes: 4096, ..Settings::default() };
        let within = small.clone().with(Settings::for_context);
        assert_eq!(within, small);
        assert_ne!(Settings::for_context(), small);
    }
}
