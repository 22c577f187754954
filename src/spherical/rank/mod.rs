//! `spherical.rank`: where the target's logit stands in its row, for mean rank and hits among the first k.
//!
//! In `logits` f \[B, D\], or `hidden` f \[B, d\] and `weight` f \[D, d\] whose product they are; `targets` i64 or u32 \[B\].
//! Out `rank` u32 \[B\], 1 + the number of classes with a greater logit; `hits` u8 \[B\], 1 where the rank is k or less, else
//! 0. Of an ignored row both are 0.
//!
//! Ties are not greater, and equal rows of `weight` tie to the bit. Comparisons are those of IEEE arithmetic: no logit is
//! greater than NaN, so that a row whose target's logit is NaN has rank 1; look at the loss for it.
//!
//! Nothing is sorted, and the logits of a head are never in global memory: 12 bytes a row beyond inputs and outputs.

mod config;
mod reference;

pub use config::RankConfig;
pub use reference::{ReferenceInputs, ReferenceRank, reference};

use super::head::{
    BUSY_BLOCKS, Copies, SMALL_THREADS, SMALL_TILE, TILE, are_aligned, blocks_of, small_stage_bytes, stage_bytes,
    threads,
};
use super::{TARGETS_TENSOR, index_dtype};
use crate::bindings::{RANK_BUSY_BLOCKS, RANK_LANES_BYTES, RANK_PART_BYTES, RANK_THREADS, RankParams};
use crate::check::Span;
use crate::device::{CudaStream, Kernel, handle_number};
use crate::fatbin::fatbin;
use crate::layout::{Layout, Part};
use crate::operations::{self, Operation};
use crate::status::Expectation;
use crate::view::Expected;
use crate::{Device, DevicePtr, Dtype, Result, Stream, View, ViewMut, Workspace, check};

const CARD: &Operation = &operations::RANK;
const OP: &str = CARD.name;

/// The ranks of the targets of B rows among D classes. Made once for its shape, run on any stream of its context; a run
/// neither allocates device memory nor waits.
#[derive(Debug)]
pub struct Rank {
    device: Device,
    config: RankConfig,
    way: Way,
    counts: Part,
    target_logits: Part,
    workspace_bytes: usize,
    number: u64,
}

/// How a shape is worked through: `cuda/spherical/rank.h` is the contract.
#[derive(Debug)]
enum Way {
    /// So many lanes of a warp a row.
    Lanes { lanes: u32, kernel: Kernel },
    /// So many blocks a row.
    Parts { parts: u32, clear: Kernel, kernel: Kernel },
    /// Tiles of the logits of a head.
    Tiles { run_tiles: u32, targets: Copies, tiles: Copies },
}

/// The tensors that a run reads.
#[derive(Debug)]
pub struct RankTensors<'a> {
    /// f \[B, D\], without `width`.
    pub logits: Option<View<'a>>,
    /// f \[B, d\], with `width`.
    pub hidden: Option<View<'a>>,
    /// f \[D, d\], with `width`.
    pub weight: Option<View<'a>>,
    /// i64 or u32 \[B\].
    pub targets: View<'a>,
}

impl<'a> RankTensors<'a> {
    /// Given logits.
    pub fn of_logits(logits: View<'a>, targets: View<'a>) -> Self {
        Self { logits: Some(logits), hidden: None, weight: None, targets }
    }

    /// The logits of a head.
    pub fn of_head(hidden: View<'a>, weight: View<'a>, targets: View<'a>) -> Self {
        Self { logits: None, hidden: Some(hidden), weight: Some(weight), targets }
    }
}

/// The tensors that a run writes.
#[derive(Debug)]
pub struct RankOutputs<'a> {
    /// u32 \[B\].
    pub rank: ViewMut<'a>,
    /// u8 \[B\].
    pub hits: ViewMut<'a>,
}

/// Where a launch reads and writes: addresses on the handle's device.
#[derive(Clone, Copy, Debug, Default)]
pub struct RankPointers {
    /// f \[B, D\], on any element, without `width`.
    pub logits: Option<DevicePtr>,
    /// f \[B, d\], on any element, with `width`.
    pub hidden: Option<DevicePtr>,
    /// f \[D, d\], on any element, with `width`.
    pub weight: Option<DevicePtr>,
    /// i64 or u32 \[B\].
    pub targets: DevicePtr,
    /// u32 \[B\].
    pub rank: DevicePtr,
    /// u8 \[B\].
    pub hits: DevicePtr,
    /// On 16 bytes.
    pub workspace: DevicePtr,
    /// Of `workspace`: `Rank::workspace_bytes` or more.
    pub workspace_bytes: usize,
    /// 16 bytes on a multiple of 8, each 0xff before the first launch that is asked about; see `Rank::check_status`.
    pub status: DevicePtr,
}

impl Way {
    fn new(device: &Device, config: &RankConfig) -> Result<Self> {
        let RankConfig { dtype, rows, classes, width, .. } = *config;
        let image = fatbin!("spherical/rank");
        let kernel = |name: &str| device.kernel(OP, image, name, 0);
        if width.is_some() {
            let [row_tiles, class_tiles] = [rows, classes].map(|size| size.div_ceil(TILE));
            let run_tiles = (row_tiles * class_tiles / BUSY_BLOCKS).clamp(1, class_tiles);
            let bytes = stage_bytes(dtype);
            let of_targets = small_stage_bytes(dtype);
            return Ok(Self::Tiles {
                run_tiles: check::to_u32(OP, "classes", run_tiles)?,
                targets: Copies::new(device, OP, image, &format!("rank_{dtype}_targets"), of_targets + 256)?,
                tiles: Copies::new(device, OP, image, &format!("rank_{dtype}_tiles"), bytes + 512)?,
            });
        }
        let row_bytes = classes * dtype.size();
        if row_bytes <= RANK_LANES_BYTES as usize {
            let holds = |lanes: &u32| *lanes as usize * 64 >= row_bytes;
            let lanes = [4, 8, 16].into_iter().find(holds).unwrap_or(32);
            return Ok(Self::Lanes { lanes, kernel: kernel(&format!("rank_{dtype}_lanes"))? });
        }
        let parts =
            if rows >= RANK_BUSY_BLOCKS as usize { 1 } else { (row_bytes + 16).div_ceil(RANK_PART_BYTES as usize) };
        let parts = check::to_u32(OP, "classes", parts)?;
        Ok(Self::Parts { parts, clear: kernel("rank_clear")?, kernel: kernel(&format!("rank_{dtype}_parts"))? })
    }

    /// Whether the counts of a row come together in the workspace.
    fn has_counts(&self) -> bool {
        !matches!(self, Self::Lanes { .. } | Self::Parts { parts: 1, .. })
    }
}

impl Rank {
    /// # Errors
    /// `Size`, `Parameter` and `Dtype` for a field of `config` out of its range; `Driver` when the kernels do not load.
    pub fn new(device: &Device, config: RankConfig) -> Result<Self> {
        config.check()?;
        let way = Way::new(device, &config)?;
        let mut layout = Layout::default();
        let counts = layout.part(if way.has_counts() { 8 * config.rows } else { 0 });
        let target_logits = layout.part(if config.width.is_some() { 4 * config.rows } else { 0 });
        let (workspace_bytes, number) = (layout.bytes(), handle_number());
        Ok(Self { device: device.clone(), config, way, counts, target_logits, workspace_bytes, number })
    }

    /// What the handle was made for.
    pub fn config(&self) -> &RankConfig {
        &self.config
    }

    /// Bytes of workspace that a run needs.
    pub fn workspace_bytes(&self) -> usize {
        self.workspace_bytes
    }

    /// Puts the kernels on the stream. Ranks are 0 whose targets are out of range; `workspace.status()` tells the first.
    ///
    /// # Errors
    /// `Dtype`, `Shape`, `Length` and `WrongContext` for a tensor, the stream or the workspace; `Missing` and `Unused` for
    /// one that the configuration needs or does not; `WorkspaceTooSmall`; `Capturing` for a stream under capture; `Driver`
    /// when a launch is refused. Nothing is written then.
    pub fn run<'a>(
        &self,
        stream: &'a CudaStream,
        tensors: RankTensors<'a>,
        outputs: RankOutputs<'a>,
        workspace: &mut Workspace,
    ) -> Result<()> {
        let RankConfig { dtype, index_dtype, rows, classes, width, .. } = self.config;
        let expect = |tensor, dtype, shape| Expected { operation: OP, tensor, dtype, shape, device: &self.device };
        let d = width.unwrap_or(0);
        let (by_row, of_logits, of_hidden, of_weight) = ([rows], [rows, classes], [rows, d], [classes, d]);
        View::check_optional(tensors.logits.as_ref(), expect("logits", dtype, &of_logits))?;
        View::check_optional(tensors.hidden.as_ref(), expect("hidden", dtype, &of_hidden))?;
        View::check_optional(tensors.weight.as_ref(), expect("weight", dtype, &of_weight))?;
        tensors.targets.check(expect("targets", index_dtype, &by_row))?;
        outputs.rank.check(expect("rank", Dtype::U32, &by_row))?;
        outputs.hits.check(expect("hits", Dtype::U8, &by_row))?;
        self.check_presence(tensors.logits.is_some(), tensors.hidden.is_some(), tensors.weight.is_some())?;

        let (plain, _current) = self.device.enter_with(OP, stream)?;
        let asked = (self.number, self.expectation());
        let room = workspace.begin(OP, &self.device, plain, asked, self.workspace_bytes)?;
        // The guards order what else uses the slices; they go when the launches are on the stream.
        let read = |view: Option<View<'a>>| view.map(|view| view.pointer(stream));
        let (logits, hidden, weight) = (read(tensors.logits), read(tensors.hidden), read(tensors.weight));
        let (targets, _targets) = tensors.targets.pointer(stream);
        let (rank, _rank) = outputs.rank.pointer(stream);
        let (hits, _hits) = outputs.hits.pointer(stream);
        let pointers = RankPointers {
            logits: logits.as_ref().map(|(pointer, _)| *pointer),
            hidden: hidden.as_ref().map(|(pointer, _)| *pointer),
            weight: weight.as_ref().map(|(pointer, _)| *pointer),
            targets,
            rank,
            hits,
            workspace: room.memory,
            workspace_bytes: room.bytes,
            status: room.status,
        };
        // SAFETY: the views are of the handle's context, dtypes and shapes; their borrows and guards keep them until the
        // stream has read and written them; the workspace is ours until `end`.
        let launched = unsafe { self.launch(plain, &pointers) };
        workspace.end(OP, plain)?;
        launched
    }

    /// Puts the kernels on the stream, which may be captured into a graph. Ranks are 0 whose targets are out of range; the
    /// status tells the first.
    ///
    /// # Errors
    /// `WrongContext` for a stream of another context than the handle's; `Missing` and `Unused` for a tensor that the
    /// configuration needs or does not; `NullPointer`, `Misaligned` and `Overlap`; `WorkspaceTooSmall`; `Driver` when a
    /// launch is refused. Nothing is written then.
    ///
    /// # Safety
    /// On the handle's device, until the launches have run: the tensors have the handle's dtypes and shapes, those that are
    /// read are readable, those that are written, the workspace and the 16 bytes of the status are writable, and nothing
    /// else writes to any of them, nor reads what is written. The stream is alive.
    pub unsafe fn launch(&self, stream: Stream, pointers: &RankPointers) -> Result<()> {
        stream.check(OP, &self.device)?;
        self.check_pointers(pointers)?;
        let RankConfig { dtype, rows, classes, width, .. } = self.config;
        let params = self.params(pointers);
        let grid = |size: &'static str, blocks: usize| Ok([check::to_u32(OP, size, blocks)?, 1, 1]);
        // SAFETY: the caller vouches for the tensors, `check_pointers` for the room of the workspace; each kernel reads and
        // writes what its header says of tensors of these shapes.
        unsafe {
            match &self.way {
                Way::Lanes { lanes, kernel } => {
                    let blocks = (rows * *lanes as usize).div_ceil(RANK_THREADS as usize);
                    kernel.launch(OP, stream, grid("rows", blocks)?, RANK_THREADS, &params)
                }
                Way::Parts { parts, clear, kernel } => {
                    if *parts > 1 {
                        let blocks = rows.div_ceil(RANK_THREADS as usize);
                        clear.launch(OP, stream, grid("rows", blocks)?, RANK_THREADS, &params)?;
                    }
                    let blocks = grid("rows times classes in parts", rows * *parts as usize)?;
                    kernel.launch(OP, stream, blocks, RANK_THREADS, &params)
                }
                Way::Tiles { run_tiles, targets, tiles } => {
                    let operands = [pointers.hidden, pointers.weight].map(Option::unwrap_or_default);
                    let are_aligned = are_aligned(operands, width.unwrap_or(0), dtype);
                    let blocks = grid("rows", rows.div_ceil(SMALL_TILE))?;
                    targets.choose(are_aligned).launch(OP, stream, blocks, SMALL_THREADS, &params)?;
                    let runs = classes.div_ceil(TILE).div_ceil(*run_tiles as usize);
                    let blocks = blocks_of(OP, rows.div_ceil(TILE) * runs)?;
                    tiles.choose(are_aligned).launch(OP, stream, blocks, threads(dtype), &params)
                }
            }
        }
    }

    /// What the 16 bytes of a status, read from the device after a launch, say of the targets.
    ///
    /// # Errors
    /// `TargetOutOfRange` with the first entry that is neither `ignore_index` nor a class.
    pub fn check_status(&self, status: [u8; 16]) -> Result<()> {
        self.expectation().meets(status)
    }

    fn expectation(&self) -> Expectation {
        let RankConfig { ignore_index, classes, rows, .. } = self.config;
        Expectation { operation: OP, per_row: None, ignore_index, classes, rows, learning_rate: None }
    }

    /// The argument of every kernel.
    fn params(&self, pointers: &RankPointers) -> RankParams {
        let RankConfig { rows, classes, width, k, ignore_index, .. } = self.config;
        let optional = |pointer: Option<DevicePtr>| pointer.unwrap_or(DevicePtr::NULL);
        let (lanes, parts, run_tiles) = match self.way {
            Way::Lanes { lanes, .. } => (lanes, 1, 0),
            Way::Parts { parts, .. } => (0, parts, 0),
            Way::Tiles { run_tiles, .. } => (0, 0, run_tiles),
        };
        RankParams {
            logits: optional(pointers.logits).cast(),
            hidden: optional(pointers.hidden).cast(),
            weight: optional(pointers.weight).cast(),
            targets: pointers.targets.cast(),
            rank: pointers.rank.cast(),
            hits: pointers.hits.cast(),
            counts: self.counts.at(pointers.workspace).cast(),
            target_logits: self.target_logits.at(pointers.workspace).cast(),
            status: pointers.status.cast(),
            rows: rows as u64,
            classes: classes as u64,
            width: width.unwrap_or(0) as u64,
            ignore_index,
            index_dtype: index_dtype(self.config.index_dtype),
            targets_tensor: TARGETS_TENSOR,
            // There are fewer than 2^31 classes.
            k: u32::try_from(k).unwrap_or(u32::MAX),
            lanes,
            parts,
            run_tiles,
        }
    }

    /// Logits are there exactly when hidden and weight are not.
    fn check_presence(&self, has_logits: bool, has_hidden: bool, has_weight: bool) -> Result<()> {
        let RankConfig { dtype, rows, classes, width, .. } = self.config;
        let logits = if width.is_none() { Some((dtype, vec![rows, classes])) } else { None };
        check::presence(OP, "logits", has_logits, logits, "with width")?;
        let hidden = width.map(|width| (dtype, vec![rows, width]));
        check::presence(OP, "hidden", has_hidden, hidden, "without width")?;
        let weight = width.map(|width| (dtype, vec![classes, width]));
        check::presence(OP, "weight", has_weight, weight, "without width")
    }

    fn check_pointers(&self, pointers: &RankPointers) -> Result<()> {
        let RankConfig { dtype, index_dtype, rows, classes, width, .. } = self.config;
        self.check_presence(pointers.logits.is_some(), pointers.hidden.is_some(), pointers.weight.is_some())?;
        check::workspace(OP, pointers.workspace_bytes, self.workspace_bytes)?;
        let read = |tensor, pointer: Option<DevicePtr>, elements| {
            pointer.map_or(Span::NONE, |pointer| Span::read(tensor, pointer, elements, dtype.size()))
        };
        let width = width.unwrap_or(0);
        let spans = [
            read("logits", pointers.logits, rows * classes),
            read("hidden", pointers.hidden, rows * width),
            read("weight", pointers.weight, classes * width),
            Span::read("targets", pointers.targets, rows, index_dtype.size()),
            Span::written("rank", pointers.rank, rows, Dtype::U32.size()),
            Span::written("hits", pointers.hits, rows, Dtype::U8.size()),
            Span::written("the workspace", pointers.workspace, self.workspace_bytes.div_ceil(16), 16),
            Span::written("the status", pointers.status, 2, 8),
        ];
        check::spans(OP, &spans, None)
    }
}
