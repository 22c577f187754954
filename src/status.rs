//! What a kernel's status says, as an error.

use crate::bindings::{self, STATUS_CLEAR};
use crate::{Error, Result};

/// Bytes of a status.
pub(crate) const BYTES: usize = size_of::<bindings::Status>();

/// What an operation expects of the data that only the device sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expectation {
    /// `targets` are `ignore_index` or a class.
    Targets {
        operation: &'static str,
        /// Entries of a row, where `targets` has two dimensions.
        per_row: Option<usize>,
        ignore_index: i64,
        classes: usize,
    },
}

impl Expectation {
    pub(crate) fn operation(self) -> &'static str {
        let Self::Targets { operation, .. } = self;
        operation
    }

    /// Whether the data are as expected, by the status that the kernels left.
    pub(crate) fn meets(self, status: [u8; BYTES]) -> Result<()> {
        let [c0, c1, c2, c3, _, _, _, _, index @ ..] = status;
        let (code, index) = (u32::from_ne_bytes([c0, c1, c2, c3]), u64::from_ne_bytes(index));
        if code == STATUS_CLEAR {
            return Ok(());
        }
        // There is one code so far, STATUS_TARGET_OUT_OF_RANGE.
        let Self::Targets { operation, per_row, ignore_index, classes } = self;
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let index = per_row.map_or_else(|| vec![index], |per_row| vec![index / per_row, index % per_row]);
        Err(Error::TargetOutOfRange { operation, tensor: "targets", index, came: None, ignore_index, classes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_names_the_entry() {
        let expectation = Expectation::Targets { operation: "op", per_row: None, ignore_index: -100, classes: 30_522 };
        assert_eq!(expectation.meets([0xff; 16]), Ok(()));
        let mut status = [0; 16];
        status[0] = 1;
        status[8] = 7;
        let message = |expectation: Expectation| expectation.meets(status).expect_err("a finding").to_string();
        assert_eq!(message(expectation), "op: targets[7] is out of range, expected -100 (ignore_index) or 0 to 30521");
        let two = Expectation::Targets { operation: "op", per_row: Some(3), ignore_index: -1, classes: 2 };
        assert_eq!(message(two), "op: targets[2, 1] is out of range, expected -1 (ignore_index) or 0 to 1");
    }
}
