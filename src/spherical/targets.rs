//! Targets on the host, as the references read them.

use std::slice;

use crate::{Error, Result};

/// Of the entries of one row of `targets`, those that are not dropped: each its place in the row and its class. Empty for
/// an ignored row.
pub(super) fn classes_of_row(
    operation: &'static str,
    targets: &[i64],
    ignore_index: i64,
    classes: usize,
    index: impl Fn(usize) -> Vec<usize>,
) -> Result<Vec<(usize, usize)>> {
    let kept = targets.iter().copied().enumerate().filter(|(_, target)| *target != ignore_index);
    kept.map(|(k, target)| match usize::try_from(target) {
        Ok(class) if class < classes => Ok((k, class)),
        _ => Err(Error::TargetOutOfRange {
            operation,
            tensor: "targets",
            index: index(k),
            came: Some(target),
            ignore_index,
            classes,
        }),
    })
    .collect()
}

/// The class of each row of one target; none for an ignored row.
pub(super) fn class_of_each_row(
    operation: &'static str,
    targets: &[i64],
    ignore_index: i64,
    classes: usize,
) -> Result<Vec<Option<usize>>> {
    let of_row = |(b, target): (usize, &i64)| {
        let kept = classes_of_row(operation, slice::from_ref(target), ignore_index, classes, |_| vec![b])?;
        Ok(kept.first().map(|(_, class)| *class))
    };
    targets.iter().enumerate().map(of_row).collect()
}
