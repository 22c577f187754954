//! The kernels that work through rows of logits: which variant a shape takes, the workspace it needs, and its launches. The
//! head of `cuda/spherical/spherical.h` is the contract.

use crate::bindings::{
    BLOCK_WARPS, CHUNK_BYTES, MAX_WARPS, PACKED_BYTES, PACKED_MOST_ROWS, ROW_WARPS, SEGMENT_CHUNKS, SLOT_BYTES,
    STREAM_ROWS, STREAM_STAGES,
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
    /// `row_bytes` are those of one row, `chunks` its chunks.
    fn of(capability: (u32, u32), rows: u32, (row_bytes, chunks): (usize, u32), need_grad: bool) -> Self {
        // Without a gradient nothing is kept of a row, but one shorter than a segment leaves warps of a stream idle.
        let kept = if need_grad { shared_bytes_of_two(capability) / SLOT_BYTES } else { 0 };
        if row_bytes <= CHUNK_BYTES as usize / 2 {
            Self::Packed { rows_per_warp: rows_per_warp(row_bytes) }
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

    /// Name, grid, threads and shared memory of each launch, in order.
    fn launches(self, rows: u32, need_grad: bool) -> Vec<(&'static str, u32, u32, u32)> {
        match self {
            Self::Packed { rows_per_warp } => {
                let blocks = rows.div_ceil(rows_per_warp * ROW_WARPS);
                vec![("packed", blocks, ROW_WARPS * WARP_THREADS, PACKED_BYTES)]
            }
            Self::Warp => {
                let blocks = rows.div_ceil(ROW_WARPS);
                vec![("warp", blocks, ROW_WARPS * WARP_THREADS, ROW_WARPS * SLOT_BYTES)]
            }
            Self::Block { chunks } => {
                // As many rounds as the most warps need, and then as few warps as do in so many rounds.
                let warps = chunks.div_ceil(chunks.div_ceil(BLOCK_WARPS));
                vec![("block", rows, warps * WARP_THREADS, chunks * SLOT_BYTES)]
            }
            Self::Split { segments } => {
                let (threads, shared_bytes) = (MAX_WARPS * WARP_THREADS, MAX_WARPS * SLOT_BYTES);
                let blocks = rows * segments; // below STREAM_ROWS * 2^18
                let mut launches = vec![
                    ("partials", blocks, threads, shared_bytes),
                    ("finish", rows.div_ceil(ROW_WARPS), ROW_WARPS * WARP_THREADS, 0),
                    ("gradient", blocks, threads, shared_bytes),
                ];
                launches.truncate(if need_grad { 3 } else { 2 });
                launches
            }
            Self::Stream => {
                vec![("stream", rows, MAX_WARPS * WARP_THREADS, MAX_WARPS * STREAM_STAGES * SLOT_BYTES)]
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
        [rows, classes]: [usize; 2],
        need_grad: bool,
    ) -> Result<Self> {
        let chunk = CHUNK_BYTES as usize / dtype.size();
        let chunks = check::to_u32(operation, "classes", classes.div_ceil(chunk))?;
        let row_count = check::to_u32(operation, "rows", rows)?;
        let row = (classes * dtype.size(), chunks);
        let variant = Variant::of(device.capability(), row_count, row, need_grad);
        let launch = |(name, grid, threads, shared_bytes)| {
            let kernel = device.kernel(operation, image, &format!("{stem}_{dtype}_{name}"), shared_bytes)?;
            Ok(Launch { kernel, grid, threads })
        };
        let launches = variant.launches(row_count, need_grad).into_iter().map(launch).collect::<Result<_>>()?;
        let (partials_bytes, coefficients_bytes) = match variant {
            Variant::Split { segments } => (16 * rows * segments as usize, 32 * rows),
            _ => (0, 0),
        };
        Ok(Self { operation, launches, partials_bytes, coefficients_bytes })
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
            let row = (chunks as usize * CHUNK_BYTES as usize, chunks);
            assert_eq!(Variant::of(capability, rows, row, need_grad), expected, "{capability:?} {rows} {chunks}");
        }
    }

    #[test]
    fn short_rows_share_a_warp() {
        for (row_bytes, rows_per_warp) in
            [(2, 32), (40, 32), (64, 32), (66, 16), (128, 16), (130, 8), (514, 2), (1000, 2), (1024, 2)]
        {
            for need_grad in [true, false] {
                let variant = Variant::of(A100, 300, (row_bytes, 1), need_grad);
                assert_eq!(variant, Variant::Packed { rows_per_warp }, "{row_bytes}");
                let blocks = 300_u32.div_ceil(8 * rows_per_warp);
                assert_eq!(variant.launches(300, need_grad), [("packed", blocks, 256, PACKED_BYTES)]);
            }
        }
    }

    #[test]
    fn a_row_of_one_chunk_has_a_warp() {
        for (row_bytes, need_grad) in [(1026, true), (2048, true), (2000, false)] {
            let variant = Variant::of(A100, 300, (row_bytes, 1), need_grad);
            assert_eq!(variant, Variant::Warp, "{row_bytes}");
            assert_eq!(variant.launches(300, need_grad), [("warp", 38, 256, 8 * SLOT_BYTES)]);
        }
    }

    #[test]
    fn a_block_has_as_many_warps_as_its_rounds_need() {
        for (chunks, warps) in [(2, 2), (12, 12), (13, 7), (24, 12), (25, 9), (37, 10)] {
            let launches = Variant::Block { chunks }.launches(3, true);
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
            assert!(variant.launches(0, true).iter().all(|(_, grid, _, _)| *grid == 0), "{variant:?}");
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
