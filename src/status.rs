//! What a kernel's status says, as an error.

use crate::bindings::{
    self, STATUS_CLEAR, STATUS_INDEX_BITS, STATUS_OFFSETS_OUT_OF_ORDER, STATUS_SEGMENTS_OUT_OF_ORDER,
    STATUS_SINGULAR_STEP,
};
use crate::{Error, Result};

/// Bytes of a status.
pub(crate) const BYTES: usize = size_of::<bindings::Status>();

/// What an operation expects of the data that only the device sees: `targets` are `ignore_index` or a class; `segments`,
/// where it has them, do not descend and are at most `rows`; `cluster_offsets` ascend from 0 to `classes`; and where it has
/// steps, none makes the layer singular.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Expectation {
    pub(crate) operation: &'static str,
    /// Entries of a row, where `targets` has two dimensions.
    pub(crate) per_row: Option<usize>,
    pub(crate) ignore_index: i64,
    pub(crate) classes: usize,
    pub(crate) rows: usize,
    /// Of an operation in steps of `rows`, which are the first axis of `targets`.
    pub(crate) learning_rate: Option<f64>,
}

impl Expectation {
    /// Whether the data are as expected, by the status that the kernels left.
    pub(crate) fn meets(self, status: [u8; BYTES]) -> Result<()> {
        let Self { operation, per_row, ignore_index, classes, rows, learning_rate } = self;
        let [c0, c1, c2, c3, _, _, _, _, index @ ..] = status;
        let (code, index) = (u32::from_ne_bytes([c0, c1, c2, c3]), u64::from_ne_bytes(index));
        if code == STATUS_CLEAR {
            return Ok(());
        }
        // The bits above say which tensor is told first.
        let index = usize::try_from(index & ((1 << STATUS_INDEX_BITS) - 1)).unwrap_or(usize::MAX);
        if code == STATUS_SEGMENTS_OUT_OF_ORDER {
            return Err(Error::SegmentsOutOfOrder { operation, index, came: None, rows });
        }
        if code == STATUS_OFFSETS_OUT_OF_ORDER {
            return Err(Error::OffsetsOutOfOrder { operation, index, came: None, classes });
        }
        if code == STATUS_SINGULAR_STEP {
            let learning_rate = learning_rate.unwrap_or(f64::NAN);
            return Err(Error::SingularStep { operation, step: index, learning_rate });
        }
        let mut index = per_row.map_or_else(|| vec![index], |per_row| vec![index / per_row, index % per_row]);
        if learning_rate.is_some() {
            let row = index[0];
            index.splice(..1, [row / rows.max(1), row % rows.max(1)]);
        }
        Err(Error::TargetOutOfRange { operation, tensor: "targets", index, came: None, ignore_index, classes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::STATUS_TARGET_OUT_OF_RANGE;

    /// The status of a finding, as a kernel leaves it.
    fn status(code: u32, tensor: u32, index: u64) -> [u8; BYTES] {
        let index = u64::from(tensor) << STATUS_INDEX_BITS | index;
        let mut bytes = [0; BYTES];
        bytes[..4].copy_from_slice(&code.to_ne_bytes());
        bytes[4..8].copy_from_slice(&tensor.to_ne_bytes());
        bytes[8..].copy_from_slice(&index.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_status_names_the_entry() {
        let expectation = Expectation {
            operation: "op",
            per_row: None,
            ignore_index: -100,
            classes: 30_522,
            rows: 9,
            learning_rate: None,
        };
        assert_eq!(expectation.meets([0xff; 16]), Ok(()));
        let message = |expectation: Expectation, code, index| {
            expectation.meets(status(code, code, index)).expect_err("a finding").to_string()
        };
        let target = STATUS_TARGET_OUT_OF_RANGE;
        assert_eq!(
            message(expectation, target, 7),
            "op: targets[7] is out of range, expected -100 (ignore_index) or 0 to 30521"
        );
        let two = Expectation { per_row: Some(3), ignore_index: -1, classes: 2, ..expectation };
        assert_eq!(message(two, target, 7), "op: targets[2, 1] is out of range, expected -1 (ignore_index) or 0 to 1");
        let segments = STATUS_SEGMENTS_OUT_OF_ORDER;
        assert_eq!(
            message(expectation, segments, 3),
            "op: segments[3] is out of order, expected at least segments[2] and at most 9 (rows)"
        );
        assert_eq!(message(expectation, segments, 0), "op: segments[0] is out of order, expected at most 9 (rows)");
        assert_eq!(
            message(expectation, STATUS_OFFSETS_OUT_OF_ORDER, 5),
            "op: cluster_offsets[5] is out of order, expected them to ascend from 0 to 30522 (classes)"
        );
        let steps = Expectation { learning_rate: Some(0.5), ..two };
        assert_eq!(
            message(steps, target, 3 * (9 * 2 + 4) + 1),
            "op: targets[2, 4, 1] is out of range, expected -1 (ignore_index) or 0 to 1"
        );
        let singular = "op: step 7 is singular at learning_rate 0.5, expected another learning_rate";
        assert_eq!(message(steps, STATUS_SINGULAR_STEP, 7), singular);
    }
}
