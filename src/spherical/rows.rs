//! The kernels that work through rows of logits: which variant a shape takes, the workspace it needs, and its launches. The
//! head of `cuda/spherical/spherical.h` is the contract.

use crate::bindings::{
    BLOCK_WARPS, CHUNK_BYTES, MAX_WARPS, PACKED_BYTES, PACKED_MOST_ROWS, ROW_WARPS, SEGMENT_CHUNKS, SLOT_BYTES,
    STREAM_ROWS, STREAM_STAGES, TARGETS_BYTES,
};
use crate::device::{Kernel, Stream};
use crate::{Device, Dtype, Result, check};

const WARP_THREADS: u32 = 32;

/// Dynamic shared memory of a block that leaves room for a second on its SM, by class of architecture.
fn shared_bytes_of_two(capability: (u32, u32)) -> u32 {
    match capability {
        (8, 0 | 7) => 76 << 10,
        (9..=11, _) => 108 << 10,
        _ => 44 << 10,
    }
}

/// 32, 16, ..., 2: the most rows that fit a chunk; of rows that fit half of one.
fn rows_per_warp(row_bytes: usize) -> u32 {
    let fits = |rows: &u32| *rows as usize * row_bytes <= CHUNK_BYTES as usize;
    std::iter::successors(Some(PACKED_MOST_ROWS), |rows| Some(rows / 2)).find(fits).unwrap_or(1)
}

/// Bytes of several targets of one row while they are worked with; 0 for a row's only target.
fn entry_bytes(targets_per_row: usize) -> usize {
    if targets_per_row == 1 { 0 } else { 4 * ((3 * targets_per_row) | 1) }
}

/// Shared memory for several targets a row: of a block, and of a row; and the warps of a block whose warps have rows of
/// their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SharedTargets {
    warps: u32,
    bytes: u32,
    of_a_row: u32,
}

impl SharedTargets {
    const NONE: Self = Self { warps: ROW_WARPS, bytes: 0, of_a_row: 0 };
}

/// How a shape is worked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    /// A warp for so many rows, two or more, which fit a chunk together.
    Packed { rows_per_warp: u32 },
    /// A warp a row.
    Warp,
    /// A block a row, the row in shared memory.
    Block { chunks: u32 },
    /// Several blocks a row, since rows are few and long.
    Split { segments: u32 },
    /// A block a row, the row read twice.
    Stream,
}

impl Variant {
    /// `row_bytes` are those of one row, `chunks` its chunks, `entry_bytes` those of its targets.
    fn of(capability: (u32, u32), rows: u32, row: (usize, u32, usize), need_grad: bool) -> Self {
        let (row_bytes, chunks, entry_bytes) = row;
        // Without a gradient nothing is kept of a row, but one shorter than a segment leaves warps of a stream idle.
        let kept = if need_grad { shared_bytes_of_two(capability) / SLOT_BYTES } else { 0 };
        let packed = Self::Packed { rows_per_warp: rows_per_warp(row_bytes) };
        if row_bytes <= CHUNK_BYTES as usize / 2 && packed.shared_targets(capability, entry_bytes).is_some() {
            packed
        } else if chunks == 1 {
            Self::Warp
        } else if chunks <= kept.max(SEGMENT_CHUNKS) {
            Self::Block { chunks }
        } else if rows < STREAM_ROWS {
            Self::Split { segments: chunks.div_ceil(SEGMENT_CHUNKS) }
        } else {
            Self::Stream
        }
    }

    /// Shared memory for the targets of the rows that a block has at a time, so many bytes a row; none where they do not
    /// fit.
    fn shared_targets(self, capability: (u32, u32), entry_bytes: usize) -> Option<SharedTargets> {
        let of_a_row = u32::try_from(entry_bytes).ok()?;
        let fit = |rows: u32, room: u32, warps: u32| {
            let bytes = of_a_row.checked_mul(rows)?;
            (bytes <= room).then_some(SharedTargets { warps, bytes, of_a_row })
        };
        let of_warps =
            |rows_per_warp| [8, 4, 2, 1].into_iter().find_map(|warps| fit(warps * rows_per_warp, TARGETS_BYTES, warps));
        match self {
            Self::Packed { rows_per_warp } => of_warps(rows_per_warp),
            Self::Warp | Self::Split { .. } => of_warps(1),
            Self::Block { chunks } => {
                fit(1, shared_bytes_of_two(capability).saturating_sub(chunks * SLOT_BYTES), ROW_WARPS)
            }
            Self::Stream => fit(1, 8 << 10, ROW_WARPS),
        }
    }

    /// Name, grid, threads and shared memory of each launch, in order.
    fn launches(self, rows: u32, need_grad: bool, targets: SharedTargets) -> Vec<(&'static str, u32, u32, u32)> {
        match self {
            Self::Packed { rows_per_warp } => {
                let blocks = rows.div_ceil(rows_per_warp * targets.warps);
                vec![("packed", blocks, targets.warps * WARP_THREADS, PACKED_BYTES + targets.bytes)]
            }
            Self::Warp => {
                let (warps, blocks) = (targets.warps, rows.div_ceil(targets.warps));
                vec![("warp", blocks, warps * WARP_THREADS, warps * SLOT_BYTES + targets.bytes)]
            }
            Self::Block { chunks } => {
                // As many rounds as the most warps need, and then as few warps as do in so many rounds.
                let warps = chunks.div_ceil(chunks.div_ceil(BLOCK_WARPS));
                vec![("block", rows, warps * WARP_THREADS, chunks * SLOT_BYTES + targets.bytes)]
            }
            Self::Split { segments } => {
                let (threads, shared_bytes) = (MAX_WARPS * WARP_THREADS, MAX_WARPS * SLOT_BYTES);
                let blocks = rows * segments; // below STREAM_ROWS * 2^18
                let mut launches = vec![
                    ("partials", blocks, threads, shared_bytes),
                    ("finish", rows.div_ceil(targets.warps), targets.warps * WARP_THREADS, targets.bytes),
                    ("gradient", blocks, threads, shared_bytes + targets.of_a_row),
                ];
                launches.truncate(if need_grad { 3 } else { 2 });
                launches
            }
            Self::Stream => {
                let shared_bytes = MAX_WARPS * STREAM_STAGES * SLOT_BYTES + targets.bytes;
                vec![("stream", rows, MAX_WARPS * WARP_THREADS, shared_bytes)]
            }
        }
    }
}

/// The row kernels of one operation for one shape.
#[derive(Debug)]
pub(super) struct RowKernels {
    operation: &'static str,
    launches: Vec<Launch>,
    /// Of `partials` in the workspace.
    pub(super) partials_bytes: usize,
    /// Of `coefficients` in the workspace.
    pub(super) coefficients_bytes: usize,
    /// Of `target_entries` in the workspace.
    pub(super) target_entries_bytes: usize,
    /// Several targets a row are kept in shared memory.
    pub(super) targets_are_shared: bool,
}

#[derive(Debug)]
struct Launch {
    kernel: Kernel,
    grid: u32,
    threads: u32,
}

impl RowKernels {
    /// `stem` begins the names of the entry points: `dense`.
    pub(super) fn new(
        device: &Device,
        operation: &'static str,
        (image, stem): (&'static [u8], &str),
        dtype: Dtype,
        [rows, classes, targets_per_row]: [usize; 3],
        need_grad: bool,
    ) -> Result<Self> {
        let chunk = CHUNK_BYTES as usize / dtype.size();
        let chunks = check::to_u32(operation, "classes", classes.div_ceil(chunk))?;
        let row_count = check::to_u32(operation, "rows", rows)?;
        let entry_bytes = entry_bytes(targets_per_row);
        let row = (classes * dtype.size(), chunks, entry_bytes);
        let variant = Variant::of(device.capability(), row_count, row, need_grad);
        let launch = |(name, grid, threads, shared_bytes)| {
            let kernel = device.kernel(operation, image, &format!("{stem}_{dtype}_{name}"), shared_bytes)?;
            Ok(Launch { kernel, grid, threads })
        };
        let shared = variant.shared_targets(device.capability(), entry_bytes);
        let launches = variant.launches(row_count, need_grad, shared.unwrap_or(SharedTargets::NONE));
        let launches = launches.into_iter().map(launch).collect::<Result<_>>()?;
        let (partials_bytes, coefficients_bytes) = match variant {
            Variant::Split { segments } => (16 * rows * segments as usize, 32 * rows),
            _ => (0, 0),
        };
        let between_launches = coefficients_bytes > 0 && need_grad;
        let target_entries_bytes = if shared.is_none() || between_launches { rows * entry_bytes } else { 0 };
        let targets_are_shared = shared.is_some();
        Ok(Self { operation, launches, partials_bytes, coefficients_bytes, target_entries_bytes, targets_are_shared })
    }

    /// # Safety
    /// `params` is the operation's struct, and points to what its header says.
    pub(super) unsafe fn launch<P>(&self, stream: Stream, params: &P) -> Result<()> {
        for Launch { kernel, grid, threads } in &self.launches {
            // SAFETY: every entry point of an operation takes the same struct; the caller vouches for it.
            unsafe { kernel.launch(self.operation, stream, [*grid, 1, 1], *threads, params) }?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A100: (u32, u32) = (8, 0);

    #[test]
    fn a_shape_takes_the_variant_of_the_contract() {
        // 2 KiB a chunk; 76 KiB of slots of 2080 bytes are 37 chunks, 44 KiB 21.
        for (capability, rows, chunks, need_grad, expected) in [
            (A100, 5, 2, true, Variant::Block { chunks: 2 }),
            (A100, 5, 37, true, Variant::Block { chunks: 37 }),
            (A100, 5, 38, true, Variant::Split { segments: 3 }),
            ((8, 9), 5, 22, true, Variant::Split { segments: 2 }),
            ((9, 0), 5, 53, true, Variant::Block { chunks: 53 }),
            (A100, 5, 2, false, Variant::Block { chunks: 2 }),
            (A100, 5, 17, false, Variant::Split { segments: 2 }),
            (A100, 216, 38, true, Variant::Stream),
            (A100, 216, 17, false, Variant::Stream),
        ] {
            let row = (chunks as usize * CHUNK_BYTES as usize, chunks, 0);
            assert_eq!(Variant::of(capability, rows, row, need_grad), expected, "{capability:?} {rows} {chunks}");
        }
    }

    #[test]
    fn short_rows_share_a_warp() {
        for (row_bytes, rows_per_warp) in
            [(2, 32), (40, 32), (64, 32), (66, 16), (128, 16), (130, 8), (514, 2), (1000, 2), (1024, 2)]
        {
            for need_grad in [true, false] {
                let variant = Variant::of(A100, 300, (row_bytes, 1, 0), need_grad);
                assert_eq!(variant, Variant::Packed { rows_per_warp }, "{row_bytes}");
                let blocks = 300_u32.div_ceil(8 * rows_per_warp);
                assert_eq!(
                    variant.launches(300, need_grad, SharedTargets::NONE),
                    [("packed", blocks, 256, PACKED_BYTES)]
                );
            }
        }
    }

    #[test]
    fn short_rows_of_more_targets_than_fit_have_a_warp_each() {
        for (targets_per_row, expected) in [(66, Variant::Packed { rows_per_warp: 32 }), (67, Variant::Warp)] {
            let row = (40, 1, entry_bytes(targets_per_row));
            assert_eq!(Variant::of(A100, 300, row, true), expected, "{targets_per_row}");
        }
        let targets = Variant::Warp.shared_targets(A100, entry_bytes(300)).unwrap();
        assert_eq!(Variant::Warp.launches(300, true, targets), [("warp", 75, 128, 4 * (SLOT_BYTES + 3604))]);
    }

    #[test]
    fn a_row_of_one_chunk_has_a_warp() {
        for (row_bytes, need_grad) in [(1026, true), (2048, true), (2000, false)] {
            let variant = Variant::of(A100, 300, (row_bytes, 1, 0), need_grad);
            assert_eq!(variant, Variant::Warp, "{row_bytes}");
            assert_eq!(variant.launches(300, need_grad, SharedTargets::NONE), [("warp", 38, 256, 8 * SLOT_BYTES)]);
        }
    }

    #[test]
    fn targets_are_in_shared_memory_where_they_fit() {
        let (packed, row) = (|rows_per_warp| Variant::Packed { rows_per_warp }, |chunks| Variant::Block { chunks });
        for (variant, targets_per_row, expected) in [
            (packed(32), 1, Some((8, 0))),
            (packed(32), 2, Some((8, 256 * 28))),
            (packed(32), 8, Some((8, 256 * 100))),
            (packed(32), 9, Some((4, 128 * 108))),
            (packed(32), 66, Some((1, 32 * 796))),
            (packed(32), 67, None),
            (packed(2), 1000, Some((1, 2 * 12004))),
            (Variant::Warp, 100, Some((8, 8 * 1204))),
            (Variant::Warp, 300, Some((4, 4 * 3604))),
            (Variant::Warp, 2133, Some((1, 25_596))),
            (Variant::Warp, 2134, None),
            (row(30), 1000, Some((8, 12004))),
            (row(37), 100, None),
            (Variant::Split { segments: 4 }, 8, Some((8, 800))),
            (Variant::Stream, 682, Some((8, 8188))),
            (Variant::Stream, 683, None),
            (Variant::Warp, usize::MAX / 24, None),
        ] {
            let shared = variant.shared_targets(A100, entry_bytes(targets_per_row));
            assert_eq!(shared.map(|shared| (shared.warps, shared.bytes)), expected, "{variant:?} {targets_per_row}");
        }
    }

    #[test]
    fn a_block_has_as_many_warps_as_its_rounds_need() {
        for (chunks, warps) in [(2, 2), (12, 12), (13, 7), (24, 12), (25, 9), (37, 10)] {
            let launches = Variant::Block { chunks }.launches(3, true, SharedTargets::NONE);
            assert_eq!(launches, [("block", 3, warps * 32, chunks * SLOT_BYTES)]);
        }
    }

    #[test]
    fn nothing_is_launched_for_no_rows() {
        for variant in [
            Variant::Packed { rows_per_warp: 32 },
            Variant::Warp,
            Variant::Block { chunks: 3 },
            Variant::Split { segments: 2 },
            Variant::Stream,
        ] {
            assert!(
                variant.launches(0, true, SharedTargets::NONE).iter().all(|(_, grid, _, _)| *grid == 0),
                "{variant:?}"
            );
        }
    }

    /// The largest grid of several blocks a row has room in the grid's 2^31 - 1.
    #[test]
    fn the_longest_rows_fit_a_grid() {
        let chunks = (i32::MAX as u64 * 4).div_ceil(u64::from(CHUNK_BYTES));
        let blocks = u64::from(STREAM_ROWS - 1) * chunks.div_ceil(u64::from(SEGMENT_CHUNKS));
        assert!(blocks < i32::MAX as u64, "{blocks}");
    }
}
