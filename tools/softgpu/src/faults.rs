//! Faults on request: what a driver answers when something fails, so that a program's way with it can be tested.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::settings::bytes;

/// What goes wrong in a context, and when; nothing by default.
///
/// From text, as of `SOFTGPU_FAULTS`: with commas between them, any of
///
/// | fault | |
/// | --- | --- |
/// | `allocation=N` | the N-th allocation fails with `CUDA_ERROR_OUT_OF_MEMORY` |
/// | `memory=BYTES` | allocations beyond this total fail so, whatever cuMemGetInfo says; BYTES may end in K, M or G |
/// | `launch=N` | the N-th launch of a kernel is refused with `CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES` |
/// | `sticky=N` | the N-th call finds that a kernel has failed (`CUDA_ERROR_LAUNCH_FAILED`), and so do all that follow |
/// | `slow=MS` | each piece of work in a stream is over MS milliseconds later: queries say `CUDA_ERROR_NOT_READY` until then |
/// | `late` | a copy to pinned host memory in a stream is there when the stream is waited for; until then, bytes of 0xA5 are |
/// | `late=pageable` | the same for all host memory, which is stricter than a card: it must outlive the wait |
///
/// Calls, allocations and launches count from 1 in each context; a call counts if a failed launch would have it fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Faults {
    /// Which allocation fails.
    pub allocation: Option<u64>,
    /// Bytes beyond which allocations fail.
    pub memory_bytes: Option<u64>,
    /// Which launch is refused.
    pub launch: Option<u64>,
    /// Which call finds that a kernel has failed.
    pub sticky: Option<u64>,
    /// How long a piece of work takes.
    pub slow: Option<Duration>,
    /// Which copies are late.
    pub late: Late,
}

/// Which copies to the host are there only when they are waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Late {
    /// None: a copy is done when the call returns.
    #[default]
    None,
    /// Those to pinned and registered memory, as on a card.
    Pinned,
    /// All.
    Pageable,
}

/// A fault that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault:?} is no fault: expected {}", FAULTS)]
pub struct FaultsError {
    /// The text of the fault.
    pub fault: String,
}

/// The grammar in a line.
pub(crate) const FAULTS: &str =
    "allocation=N, memory=BYTES, launch=N, sticky=N, slow=MS, late or late=pageable, with commas between them";

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let mut faults = Self::default();
        for fault in text.split(',').map(str::trim).filter(|fault| !fault.is_empty()) {
            let (name, value) = fault.split_once('=').map_or((fault, None), |(name, value)| (name, Some(value)));
            let count = || value.and_then(|value| value.parse().ok()).filter(|&count: &u64| count > 0);
            let given = match name {
                "allocation" => set(&mut faults.allocation, count()),
                "memory" => set(&mut faults.memory_bytes, value.and_then(bytes)),
                "launch" => set(&mut faults.launch, count()),
                "sticky" => set(&mut faults.sticky, count()),
                "slow" => set(&mut faults.slow, count().map(Duration::from_millis)),
                "late" if value.is_none_or(|value| value == "pageable") => {
                    faults.late = if value.is_some() { Late::Pageable } else { Late::Pinned };
                    true
                }
                _ => false,
            };
            if !given {
                return Err(FaultsError { fault: fault.to_owned() });
            }
        }
        Ok(faults)
    }
}

/// Whether there was a value.
fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    *place = value;
    place.is_some()
}

/// As it is read.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |name: &str, value: Option<u64>| value.map(|value| format!("{name}={value}"));
        let late = match self.late {
            Late::None => None,
            Late::Pinned => Some("late".to_owned()),
            Late::Pageable => Some("late=pageable".to_owned()),
        };
        let slow = self.slow.map(|slow| u64::try_from(slow.as_millis()).unwrap_or(u64::MAX));
        let all = [
            value("allocation", self.allocation),
            value("memory", self.memory_bytes),
            value("launch", self.launch),
            value("sticky", self.sticky),
            value("slow", slow),
            late,
        ];
        f.write_str(&all.into_iter().flatten().collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read() {
        let text = "allocation=3,memory=1048576,launch=2,sticky=10,slow=5,late";
        let faults: Faults = text.parse().unwrap();
        assert_eq!(faults.to_string(), text);
        assert_eq!((faults.allocation, faults.slow), (Some(3), Some(Duration::from_millis(5))));
        assert_eq!(" late=pageable , memory=1M".parse::<Faults>().unwrap().to_string(), "memory=1048576,late=pageable");
        assert_eq!("".parse(), Ok(Faults::default()));
    }

    #[test]
    fn what_is_no_fault_is_named() {
        for fault in ["allocation", "allocation=0", "launch=x", "memory=", "slow=-1", "late=5", "later", "sticky=1.5"] {
            let error = format!("launch=1, {fault}").parse::<Faults>().unwrap_err();
            assert_eq!(error.fault, fault);
        }
        let error = "late=5".parse::<Faults>().unwrap_err().to_string();
        assert!(error.starts_with("\"late=5\" is no fault: expected allocation=N, "), "{error}");
    }
}
