//! The GPU architectures that kernels are compiled for, as OBLATE_CUDA_ARCHS names them.

use super::{Error, Nvcc};
use std::fmt;

/// What a user's build compiles: cubins for the data centre and consumer cards of each generation from Ampere on, and PTX
/// that the driver of any later card compiles by itself.
pub const DEFAULT_ARCHITECTURES: &str = "sm_80,sm_86,sm_89,sm_90a,sm_100,sm_120,compute_80";

/// One architecture: `sm_90a` is real (a cubin), `compute_80` virtual (PTX).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Architecture {
    number: u32,
    /// `a` for what one architecture alone has, `f` for what its family has.
    suffix: Option<char>,
    real: bool,
}

impl Architecture {
    /// The virtual architecture of a compute capability: `compute_80` of 80.
    pub fn compute(number: u32) -> Self {
        Self { number, suffix: None, real: false }
    }

    fn parse(name: &str) -> Option<Self> {
        let (real, name) = match name.strip_prefix("sm_") {
            Some(rest) => (true, rest),
            None => (false, name.strip_prefix("compute_")?),
        };
        let suffix = name.chars().last().filter(|c| matches!(c, 'a' | 'f'));
        let digits = name.strip_suffix(['a', 'f']).unwrap_or(name);
        let plain = (2..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self { number: plain.then(|| digits.parse().ok())??, suffix, real })
    }

    /// What its PTX is compiled for.
    pub fn virtual_of(self) -> Self {
        Self { real: false, ..self }
    }

    /// The number and its suffix, `90a`.
    pub fn name(self) -> String {
        self.suffix.map_or_else(|| self.number.to_string(), |suffix| format!("{}{suffix}", self.number))
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.real { "sm_" } else { "compute_" }, self.name())
    }
}

/// A set of architectures, at least one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Architectures(Vec<Architecture>);

impl Architectures {
    /// Reads a list such as `sm_80,sm_90a,compute_80`; the default one when nothing is given.
    ///
    /// # Errors
    /// `MalformedArchitectures` with the first entry that is none.
    pub fn parse(list: Option<&str>) -> Result<Self, Error> {
        let list = list.unwrap_or(DEFAULT_ARCHITECTURES);
        let entry = |entry: &str| {
            let malformed = || Error::MalformedArchitectures { list: list.into(), entry: entry.trim().into() };
            Architecture::parse(entry.trim()).ok_or_else(malformed)
        };
        let mut architectures = list.split(',').map(entry).collect::<Result<Vec<_>, _>>()?;
        architectures.sort();
        architectures.dedup();
        Ok(Self(architectures))
    }

    /// # Errors
    /// `UnknownArchitecture` with the first one that this nvcc does not know.
    pub fn check(&self, nvcc: &Nvcc) -> Result<(), Error> {
        let known = nvcc.known()?;
        match self.0.iter().find(|architecture| !known.contains(&architecture.number)) {
            Some(unknown) => Err(Error::UnknownArchitecture { unknown: *unknown, nvcc: nvcc.clone(), known }),
            None => Ok(()),
        }
    }

    /// The virtual architectures that the images stand on, ascending.
    pub fn virtuals(&self) -> Vec<Architecture> {
        let mut virtuals: Vec<_> = self.0.iter().map(|architecture| architecture.virtual_of()).collect();
        virtuals.sort();
        virtuals.dedup();
        virtuals
    }

    /// Those that a cubin is made for.
    pub fn reals(&self) -> impl Iterator<Item = Architecture> {
        self.0.iter().copied().filter(|architecture| architecture.real)
    }

    /// Whether the set has it.
    pub fn contains(&self, architecture: Architecture) -> bool {
        self.0.contains(&architecture)
    }
}
