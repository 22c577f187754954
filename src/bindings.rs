//! The structs and constants of `cuda/*/*.h`, which host and device share. Written by `cargo xtask bindgen`, never edited.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    rustdoc::broken_intra_doc_links,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "what the headers say, as bindgen writes it; some constants are for the device alone"
)]

pub const CHUNK_BYTES: u32 = 2048;
pub const SLOT_BYTES: u32 = 2080;
pub const SEGMENT_CHUNKS: u32 = 16;
pub const ROW_WARPS: u32 = 8;
pub const PACKED_MOST_ROWS: u32 = 32;
pub const PACKED_BYTES: u32 = 20512;
pub const TARGETS_BYTES: u32 = 25600;
pub const BLOCK_WARPS: u32 = 12;
pub const MAX_WARPS: u32 = 16;
pub const STREAM_STAGES: u32 = 2;
pub const STREAM_ROWS: u32 = 216;
pub const STATUS_CLEAR: u32 = 4294967295;
pub const STATUS_TARGET_OUT_OF_RANGE: u32 = 1;
pub const STATUS_SEGMENTS_OUT_OF_ORDER: u32 = 2;
pub const STATUS_SINGULAR_STEP: u32 = 3;
pub const STATUS_OFFSETS_OUT_OF_ORDER: u32 = 4;
pub const STATUS_INDEX_BITS: u32 = 56;
pub const FACTORED_TILE: u32 = 64;
pub const FACTORED_THREADS: u32 = 128;
pub const FACTORED_SHARED: u32 = 65536;
pub const FACTORED_REFACTOR_ROWS: u32 = 8;
pub const FACTORED_MOST_SLICES: u32 = 256;
pub const FACTORED_LARGEST: u32 = 0;
pub const FACTORED_LEAST: u32 = 1;
pub const FACTORED_INVERSE_ERROR: u32 = 2;
pub const HIERARCHICAL_THREADS: u32 = 256;
pub const HIERARCHICAL_KEPT: u32 = 4096;
pub const LINEAR_THREADS: u32 = 256;
pub const LINEAR_PART_ROWS: u32 = 16;
pub const RANK_THREADS: u32 = 256;
pub const RANK_LANES_BYTES: u32 = 8192;
pub const RANK_PART_BYTES: u32 = 16384;
pub const RANK_BUSY_BLOCKS: u32 = 432;
pub const REDUCTION_THREADS: u32 = 1024;
pub const LOSS_SQUARED_ERROR: u32 = 0;
pub const LOSS_LOG_SPHERICAL_SOFTMAX: u32 = 1;
pub const LOSS_LOG_TAYLOR_SOFTMAX: u32 = 2;
pub const LOSS_Z: u32 = 3;
pub const INDEX_I64: u32 = 0;
pub const INDEX_U32: u32 = 1;
pub const LINEAR_TILE: u32 = 128;
pub const LINEAR_FOLD: u32 = 2048;
pub const LINEAR_MOST_RUNS: u32 = 128;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct Status {
    /// STATUS_CLEAR or what was found
    pub code: u32,
    /// the caller's number for the offending tensor, as given in the params (`targets_tensor`)
    pub tensor: u32,
    /// the least offending flat index in that tensor, with the tensor's rank in the bits above
    pub index: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of Status"][::core::mem::size_of::<Status>() - 16usize];
    ["Alignment of Status"][::core::mem::align_of::<Status>() - 8usize];
    ["Offset of field: Status::code"][::core::mem::offset_of!(Status, code) - 0usize];
    ["Offset of field: Status::tensor"][::core::mem::offset_of!(Status, tensor) - 4usize];
    ["Offset of field: Status::index"][::core::mem::offset_of!(Status, index) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct FactoredParams {
    /// f32 [classes, S]
    pub v: *mut f32,
    /// f32 [width, S]
    pub u: *mut f32,
    /// f32 [width, S]
    pub t: *mut f32,
    /// f32 [width, S]
    pub q: *mut f32,
    /// f32 [width]; zeros where is_centred
    pub row_sum: *mut f32,
    /// f32 [width]
    pub omega: *mut f32,
    /// f32 [width]; zeros unless is_centred
    pub centre: *mut f32,
    /// f32 [rows, width]
    pub hidden: *const f32,
    /// i64 or u32 [rows, targets_per_row]
    pub targets: *const ::core::ffi::c_void,
    /// f32 [rows, targets_per_row]; null: ones
    pub values: *const f32,
    /// f32 [rows]; null: ones
    pub row_weights: *const f32,
    /// f32 [rows] (grad_loss_stride 1) or [] (0); null: ones
    pub grad_loss: *const f32,
    /// f32 [rows], or [] with a reduction
    pub loss: *mut f32,
    /// f32 [rows, width]; null: not wanted
    pub grad_hidden: *mut f32,
    /// f32 [classes, width]
    pub weight: *const f32,
    /// f32 [classes, width]
    pub expanded: *mut f32,
    /// f32 [rows, S]: hidden, which it may be itself
    pub h: *mut f32,
    /// f32 [rows, S]: H Q
    pub hq: *mut f32,
    /// f32 [rows, S]: H U'
    pub uh: *mut f32,
    /// f32 [rows, S]: H T', then what is solved for; dual: [width, S], T'
    pub ht: *mut f32,
    /// f32 [rows, S]: sum_k Lc V[c]
    pub x: *mut f32,
    /// f32 [rows, S]: Lam H
    pub lh: *mut f32,
    /// f32 [rows, S]: the rows of the target's gradient, Y
    pub y: *mut f32,
    /// f32 [rows, S]
    pub z: *mut f32,
    /// f32 [rows, S]: R', where it is not ht
    pub r: *mut f32,
    /// f32 [rows, R], dual [width, S]: H H', then the factors of the small system
    pub c: *mut f32,
    /// f32 [rows, R]: HQ H'
    pub n: *mut f32,
    /// f32 [rows, R]: what Lam H is multiplied by in Z
    pub w1: *mut f32,
    /// f32 [rows * targets_per_row, S]: of each class that is named, sum Lc h
    pub groups: *mut f32,
    /// f32 [4, S]: p = H'Ls, H'r, A(row_sum), the new omega
    pub vectors: *mut f32,
    /// f32 [5, rows]: the row's loss, Lam, Ls, sum_k Lc, omega.h
    pub by_row: *mut f32,
    /// f32 [rows]: row_sum.h
    pub s: *mut f32,
    /// f32 [rows, targets_per_row]
    pub lc: *mut f32,
    /// f32 [rows], dual and of invert [width]
    pub norms: *mut f32,
    /// u32 [rows], dual and of invert [width]
    pub pivots: *mut u32,
    /// u32 [rows * targets_per_row]: the entries of targets, by class and place
    pub order: *mut u32,
    /// u32 [rows * targets_per_row]: the class of each entry, or NO_TARGET
    pub named: *mut u32,
    /// u32 [rows * targets_per_row]: of each entry the place in `order` of the first of its class
    pub heads: *mut u32,
    /// f32 []; null: 1
    pub denominator: *mut f32,
    /// f64 [slices, width]
    pub sums: *mut f64,
    /// f32 [width, S]: 2 I - U'T
    pub residual: *mut f32,
    /// f32 [width, S]: of T, or of U, whole or without its diagonal
    pub copy: *mut f32,
    /// f32 [3]: the largest and the least singular value of U, the largest |U'T - I|
    pub measured: *mut f32,
    /// see common/status.h; what is found there holds every later step back
    pub status: *mut Status,
    pub rows: u64,
    pub classes: u64,
    pub width: u64,
    /// 1 for targets [rows]
    pub targets_per_row: u64,
    /// the index of the step, which a status tells
    pub step: u64,
    /// entries equal to it are dropped
    pub ignore_index: i64,
    /// S
    pub stride: u32,
    /// R
    pub row_stride: u32,
    /// LOSS_*
    pub loss_kind: u32,
    /// INDEX_*
    pub index_dtype: u32,
    /// elements from one row's upstream gradient to the next: 1, or 0 for a scalar
    pub grad_loss_stride: u32,
    /// what status.tensor shall say of targets
    pub targets_tensor: u32,
    /// and of a singular step
    pub step_tensor: u32,
    /// 1: z, which sees logits about their mean alone
    pub is_centred: u32,
    /// 1: loss is []
    pub is_reduced: u32,
    /// load_sums: 1: of V, 0: of weight
    pub sums_are_of_v: u32,
    /// of load_sums
    pub slices: u32,
    /// of a block of refactor, at most FACTORED_REFACTOR_ROWS
    pub refactor_rows: u32,
    /// z: > 0
    pub a: f32,
    /// z
    pub b: f32,
    /// log_spherical_softmax: > 0
    pub epsilon: f32,
    /// learning_rate
    pub eta: f32,
    /// 1 - learning_rate weight_decay, above 0
    pub rho: f32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of FactoredParams"][::core::mem::size_of::<FactoredParams>() - 472usize];
    ["Alignment of FactoredParams"][::core::mem::align_of::<FactoredParams>() - 8usize];
    ["Offset of field: FactoredParams::v"][::core::mem::offset_of!(FactoredParams, v) - 0usize];
    ["Offset of field: FactoredParams::u"][::core::mem::offset_of!(FactoredParams, u) - 8usize];
    ["Offset of field: FactoredParams::t"][::core::mem::offset_of!(FactoredParams, t) - 16usize];
    ["Offset of field: FactoredParams::q"][::core::mem::offset_of!(FactoredParams, q) - 24usize];
    ["Offset of field: FactoredParams::row_sum"][::core::mem::offset_of!(FactoredParams, row_sum) - 32usize];
    ["Offset of field: FactoredParams::omega"][::core::mem::offset_of!(FactoredParams, omega) - 40usize];
    ["Offset of field: FactoredParams::centre"][::core::mem::offset_of!(FactoredParams, centre) - 48usize];
    ["Offset of field: FactoredParams::hidden"][::core::mem::offset_of!(FactoredParams, hidden) - 56usize];
    ["Offset of field: FactoredParams::targets"][::core::mem::offset_of!(FactoredParams, targets) - 64usize];
    ["Offset of field: FactoredParams::values"][::core::mem::offset_of!(FactoredParams, values) - 72usize];
    ["Offset of field: FactoredParams::row_weights"][::core::mem::offset_of!(FactoredParams, row_weights) - 80usize];
    ["Offset of field: FactoredParams::grad_loss"][::core::mem::offset_of!(FactoredParams, grad_loss) - 88usize];
    ["Offset of field: FactoredParams::loss"][::core::mem::offset_of!(FactoredParams, loss) - 96usize];
    ["Offset of field: FactoredParams::grad_hidden"][::core::mem::offset_of!(FactoredParams, grad_hidden) - 104usize];
    ["Offset of field: FactoredParams::weight"][::core::mem::offset_of!(FactoredParams, weight) - 112usize];
    ["Offset of field: FactoredParams::expanded"][::core::mem::offset_of!(FactoredParams, expanded) - 120usize];
    ["Offset of field: FactoredParams::h"][::core::mem::offset_of!(FactoredParams, h) - 128usize];
    ["Offset of field: FactoredParams::hq"][::core::mem::offset_of!(FactoredParams, hq) - 136usize];
    ["Offset of field: FactoredParams::uh"][::core::mem::offset_of!(FactoredParams, uh) - 144usize];
    ["Offset of field: FactoredParams::ht"][::core::mem::offset_of!(FactoredParams, ht) - 152usize];
    ["Offset of field: FactoredParams::x"][::core::mem::offset_of!(FactoredParams, x) - 160usize];
    ["Offset of field: FactoredParams::lh"][::core::mem::offset_of!(FactoredParams, lh) - 168usize];
    ["Offset of field: FactoredParams::y"][::core::mem::offset_of!(FactoredParams, y) - 176usize];
    ["Offset of field: FactoredParams::z"][::core::mem::offset_of!(FactoredParams, z) - 184usize];
    ["Offset of field: FactoredParams::r"][::core::mem::offset_of!(FactoredParams, r) - 192usize];
    ["Offset of field: FactoredParams::c"][::core::mem::offset_of!(FactoredParams, c) - 200usize];
    ["Offset of field: FactoredParams::n"][::core::mem::offset_of!(FactoredParams, n) - 208usize];
    ["Offset of field: FactoredParams::w1"][::core::mem::offset_of!(FactoredParams, w1) - 216usize];
    ["Offset of field: FactoredParams::groups"][::core::mem::offset_of!(FactoredParams, groups) - 224usize];
    ["Offset of field: FactoredParams::vectors"][::core::mem::offset_of!(FactoredParams, vectors) - 232usize];
    ["Offset of field: FactoredParams::by_row"][::core::mem::offset_of!(FactoredParams, by_row) - 240usize];
    ["Offset of field: FactoredParams::s"][::core::mem::offset_of!(FactoredParams, s) - 248usize];
    ["Offset of field: FactoredParams::lc"][::core::mem::offset_of!(FactoredParams, lc) - 256usize];
    ["Offset of field: FactoredParams::norms"][::core::mem::offset_of!(FactoredParams, norms) - 264usize];
    ["Offset of field: FactoredParams::pivots"][::core::mem::offset_of!(FactoredParams, pivots) - 272usize];
    ["Offset of field: FactoredParams::order"][::core::mem::offset_of!(FactoredParams, order) - 280usize];
    ["Offset of field: FactoredParams::named"][::core::mem::offset_of!(FactoredParams, named) - 288usize];
    ["Offset of field: FactoredParams::heads"][::core::mem::offset_of!(FactoredParams, heads) - 296usize];
    ["Offset of field: FactoredParams::denominator"][::core::mem::offset_of!(FactoredParams, denominator) - 304usize];
    ["Offset of field: FactoredParams::sums"][::core::mem::offset_of!(FactoredParams, sums) - 312usize];
    ["Offset of field: FactoredParams::residual"][::core::mem::offset_of!(FactoredParams, residual) - 320usize];
    ["Offset of field: FactoredParams::copy"][::core::mem::offset_of!(FactoredParams, copy) - 328usize];
    ["Offset of field: FactoredParams::measured"][::core::mem::offset_of!(FactoredParams, measured) - 336usize];
    ["Offset of field: FactoredParams::status"][::core::mem::offset_of!(FactoredParams, status) - 344usize];
    ["Offset of field: FactoredParams::rows"][::core::mem::offset_of!(FactoredParams, rows) - 352usize];
    ["Offset of field: FactoredParams::classes"][::core::mem::offset_of!(FactoredParams, classes) - 360usize];
    ["Offset of field: FactoredParams::width"][::core::mem::offset_of!(FactoredParams, width) - 368usize];
    ["Offset of field: FactoredParams::targets_per_row"]
        [::core::mem::offset_of!(FactoredParams, targets_per_row) - 376usize];
    ["Offset of field: FactoredParams::step"][::core::mem::offset_of!(FactoredParams, step) - 384usize];
    ["Offset of field: FactoredParams::ignore_index"][::core::mem::offset_of!(FactoredParams, ignore_index) - 392usize];
    ["Offset of field: FactoredParams::stride"][::core::mem::offset_of!(FactoredParams, stride) - 400usize];
    ["Offset of field: FactoredParams::row_stride"][::core::mem::offset_of!(FactoredParams, row_stride) - 404usize];
    ["Offset of field: FactoredParams::loss_kind"][::core::mem::offset_of!(FactoredParams, loss_kind) - 408usize];
    ["Offset of field: FactoredParams::index_dtype"][::core::mem::offset_of!(FactoredParams, index_dtype) - 412usize];
    ["Offset of field: FactoredParams::grad_loss_stride"]
        [::core::mem::offset_of!(FactoredParams, grad_loss_stride) - 416usize];
    ["Offset of field: FactoredParams::targets_tensor"]
        [::core::mem::offset_of!(FactoredParams, targets_tensor) - 420usize];
    ["Offset of field: FactoredParams::step_tensor"][::core::mem::offset_of!(FactoredParams, step_tensor) - 424usize];
    ["Offset of field: FactoredParams::is_centred"][::core::mem::offset_of!(FactoredParams, is_centred) - 428usize];
    ["Offset of field: FactoredParams::is_reduced"][::core::mem::offset_of!(FactoredParams, is_reduced) - 432usize];
    ["Offset of field: FactoredParams::sums_are_of_v"]
        [::core::mem::offset_of!(FactoredParams, sums_are_of_v) - 436usize];
    ["Offset of field: FactoredParams::slices"][::core::mem::offset_of!(FactoredParams, slices) - 440usize];
    ["Offset of field: FactoredParams::refactor_rows"]
        [::core::mem::offset_of!(FactoredParams, refactor_rows) - 444usize];
    ["Offset of field: FactoredParams::a"][::core::mem::offset_of!(FactoredParams, a) - 448usize];
    ["Offset of field: FactoredParams::b"][::core::mem::offset_of!(FactoredParams, b) - 452usize];
    ["Offset of field: FactoredParams::epsilon"][::core::mem::offset_of!(FactoredParams, epsilon) - 456usize];
    ["Offset of field: FactoredParams::eta"][::core::mem::offset_of!(FactoredParams, eta) - 460usize];
    ["Offset of field: FactoredParams::rho"][::core::mem::offset_of!(FactoredParams, rho) - 464usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct HierarchicalSoftmaxParams {
    /// f [rows, width]
    pub hidden: *const ::core::ffi::c_void,
    /// f [classes, width]
    pub weight: *const ::core::ffi::c_void,
    /// f [clusters, width]
    pub cluster_weight: *const ::core::ffi::c_void,
    /// i64 [clusters + 1], ascending from 0 to classes
    pub cluster_offsets: *const i64,
    /// i64 or u32 [rows]
    pub targets: *const ::core::ffi::c_void,
    /// f32 [rows]; null: ones
    pub row_weights: *const f32,
    /// f32 [rows] (grad_loss_stride 1) or [] (0); null: ones
    pub grad_loss: *const f32,
    /// f32 [] from reduction_denominator; null: 1. Divides the gradient, not the row losses
    pub denominator: *const f32,
    /// f32 [rows]: row losses times row_weights
    pub loss: *mut f32,
    /// f [rows, width]; null: no gradient is wanted
    pub grad_hidden: *mut ::core::ffi::c_void,
    /// f or f32 [classes, width]; null: not wanted
    pub grad_weight: *mut ::core::ffi::c_void,
    /// f or f32 [clusters, width]; null where grad_weight is
    pub grad_cluster_weight: *mut ::core::ffi::c_void,
    /// [rows, 2] of 32 bytes, workspace: of a row's gradient by clusters, and by classes
    pub coefficients: *mut ::core::ffi::c_void,
    /// u32 [rows], workspace: a row's cluster, `clusters` of an ignored row, one more of a wrong
    pub row_clusters: *mut u32,
    /// u32 [rows], workspace: the rows by row_clusters, those of one in ascending order
    pub sorted_rows: *mut u32,
    /// u32 [clusters + 2], workspace: where in sorted_rows each begins
    pub starts: *mut u32,
    /// see common/status.h
    pub status: *mut Status,
    pub rows: u64,
    pub classes: u64,
    pub clusters: u64,
    pub width: u64,
    pub ignore_index: i64,
    /// INDEX_*
    pub index_dtype: u32,
    /// elements from one row's upstream gradient to the next: 1, or 0 for a scalar
    pub grad_loss_stride: u32,
    /// what status.tensor shall say of targets
    pub targets_tensor: u32,
    /// and of cluster_offsets
    pub offsets_tensor: u32,
    /// 1: grad_weight and grad_cluster_weight are f32, whatever f
    pub grad_weight_is_f32: u32,
    /// 0: the struct's size is a multiple of 8 without hidden padding
    pub reserved: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of HierarchicalSoftmaxParams"][::core::mem::size_of::<HierarchicalSoftmaxParams>() - 200usize];
    ["Alignment of HierarchicalSoftmaxParams"][::core::mem::align_of::<HierarchicalSoftmaxParams>() - 8usize];
    ["Offset of field: HierarchicalSoftmaxParams::hidden"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, hidden) - 0usize];
    ["Offset of field: HierarchicalSoftmaxParams::weight"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, weight) - 8usize];
    ["Offset of field: HierarchicalSoftmaxParams::cluster_weight"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, cluster_weight) - 16usize];
    ["Offset of field: HierarchicalSoftmaxParams::cluster_offsets"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, cluster_offsets) - 24usize];
    ["Offset of field: HierarchicalSoftmaxParams::targets"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, targets) - 32usize];
    ["Offset of field: HierarchicalSoftmaxParams::row_weights"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, row_weights) - 40usize];
    ["Offset of field: HierarchicalSoftmaxParams::grad_loss"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, grad_loss) - 48usize];
    ["Offset of field: HierarchicalSoftmaxParams::denominator"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, denominator) - 56usize];
    ["Offset of field: HierarchicalSoftmaxParams::loss"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, loss) - 64usize];
    ["Offset of field: HierarchicalSoftmaxParams::grad_hidden"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, grad_hidden) - 72usize];
    ["Offset of field: HierarchicalSoftmaxParams::grad_weight"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, grad_weight) - 80usize];
    ["Offset of field: HierarchicalSoftmaxParams::grad_cluster_weight"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, grad_cluster_weight) - 88usize];
    ["Offset of field: HierarchicalSoftmaxParams::coefficients"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, coefficients) - 96usize];
    ["Offset of field: HierarchicalSoftmaxParams::row_clusters"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, row_clusters) - 104usize];
    ["Offset of field: HierarchicalSoftmaxParams::sorted_rows"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, sorted_rows) - 112usize];
    ["Offset of field: HierarchicalSoftmaxParams::starts"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, starts) - 120usize];
    ["Offset of field: HierarchicalSoftmaxParams::status"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, status) - 128usize];
    ["Offset of field: HierarchicalSoftmaxParams::rows"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, rows) - 136usize];
    ["Offset of field: HierarchicalSoftmaxParams::classes"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, classes) - 144usize];
    ["Offset of field: HierarchicalSoftmaxParams::clusters"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, clusters) - 152usize];
    ["Offset of field: HierarchicalSoftmaxParams::width"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, width) - 160usize];
    ["Offset of field: HierarchicalSoftmaxParams::ignore_index"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, ignore_index) - 168usize];
    ["Offset of field: HierarchicalSoftmaxParams::index_dtype"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, index_dtype) - 176usize];
    ["Offset of field: HierarchicalSoftmaxParams::grad_loss_stride"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, grad_loss_stride) - 180usize];
    ["Offset of field: HierarchicalSoftmaxParams::targets_tensor"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, targets_tensor) - 184usize];
    ["Offset of field: HierarchicalSoftmaxParams::offsets_tensor"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, offsets_tensor) - 188usize];
    ["Offset of field: HierarchicalSoftmaxParams::grad_weight_is_f32"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, grad_weight_is_f32) - 192usize];
    ["Offset of field: HierarchicalSoftmaxParams::reserved"]
        [::core::mem::offset_of!(HierarchicalSoftmaxParams, reserved) - 196usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct LinearParams {
    /// f [rows, width]
    pub hidden: *const ::core::ffi::c_void,
    /// f [classes, width]
    pub weight: *const ::core::ffi::c_void,
    /// i64 or u32 [rows, targets_per_row]
    pub targets: *const ::core::ffi::c_void,
    /// f32 [rows, targets_per_row]; null: ones
    pub values: *const f32,
    /// f32 [rows]; null: ones
    pub row_weights: *const f32,
    /// f32 [rows] (grad_loss_stride 1) or [] (0); null: ones
    pub grad_loss: *const f32,
    /// f32 [] from reduction_denominator; null: 1. Divides the gradient, not the row losses
    pub denominator: *const f32,
    /// f32 [width, gram_stride], given or formed
    pub gram: *const f32,
    /// f32 [width], given or formed
    pub row_sum: *const f32,
    /// f32 [width, gram_stride]; null: given
    pub formed_gram: *mut f32,
    /// f32 [width]; null: given
    pub formed_row_sum: *mut f32,
    /// f64 [slices, width], workspace: of the weight's columns
    pub sums: *mut f64,
    /// f32 [splits, pairs, LINEAR_TILE, LINEAR_TILE], workspace
    pub partials: *mut f32,
    /// f32 [rows, stride], workspace: hidden gram
    pub products: *mut f32,
    /// f32 [rows, targets_per_row], workspace: of the targets' gradients
    pub excesses: *mut f32,
    /// f32 [rows]: row losses times row_weights
    pub loss: *mut f32,
    /// f32 [rows]; null: not wanted
    pub s: *mut f32,
    /// f32 [rows]; null: not wanted
    pub q: *mut f32,
    /// f32 [rows, targets_per_row]; null: not wanted
    pub target_logits: *mut f32,
    /// f [rows, width]; null: not wanted
    pub grad_hidden: *mut ::core::ffi::c_void,
    /// see common/status.h
    pub status: *mut Status,
    pub rows: u64,
    pub classes: u64,
    pub width: u64,
    /// 1 for targets [rows]
    pub targets_per_row: u64,
    /// from one row of products to the next
    pub stride: u64,
    /// and of gram
    pub gram_stride: u64,
    /// of a split
    pub split_classes: u64,
    /// entries equal to it are dropped
    pub ignore_index: i64,
    pub slices: u32,
    pub splits: u32,
    /// 1: the Gram of the weight's rows about their mean
    pub gram_is_centred: u32,
    /// LOSS_*
    pub loss_kind: u32,
    /// INDEX_*
    pub index_dtype: u32,
    pub grad_loss_stride: u32,
    /// what status.tensor shall say
    pub targets_tensor: u32,
    /// z: > 0
    pub a: f32,
    /// z
    pub b: f32,
    /// log_spherical_softmax: > 0
    pub epsilon: f32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of LinearParams"][::core::mem::size_of::<LinearParams>() - 272usize];
    ["Alignment of LinearParams"][::core::mem::align_of::<LinearParams>() - 8usize];
    ["Offset of field: LinearParams::hidden"][::core::mem::offset_of!(LinearParams, hidden) - 0usize];
    ["Offset of field: LinearParams::weight"][::core::mem::offset_of!(LinearParams, weight) - 8usize];
    ["Offset of field: LinearParams::targets"][::core::mem::offset_of!(LinearParams, targets) - 16usize];
    ["Offset of field: LinearParams::values"][::core::mem::offset_of!(LinearParams, values) - 24usize];
    ["Offset of field: LinearParams::row_weights"][::core::mem::offset_of!(LinearParams, row_weights) - 32usize];
    ["Offset of field: LinearParams::grad_loss"][::core::mem::offset_of!(LinearParams, grad_loss) - 40usize];
    ["Offset of field: LinearParams::denominator"][::core::mem::offset_of!(LinearParams, denominator) - 48usize];
    ["Offset of field: LinearParams::gram"][::core::mem::offset_of!(LinearParams, gram) - 56usize];
    ["Offset of field: LinearParams::row_sum"][::core::mem::offset_of!(LinearParams, row_sum) - 64usize];
    ["Offset of field: LinearParams::formed_gram"][::core::mem::offset_of!(LinearParams, formed_gram) - 72usize];
    ["Offset of field: LinearParams::formed_row_sum"][::core::mem::offset_of!(LinearParams, formed_row_sum) - 80usize];
    ["Offset of field: LinearParams::sums"][::core::mem::offset_of!(LinearParams, sums) - 88usize];
    ["Offset of field: LinearParams::partials"][::core::mem::offset_of!(LinearParams, partials) - 96usize];
    ["Offset of field: LinearParams::products"][::core::mem::offset_of!(LinearParams, products) - 104usize];
    ["Offset of field: LinearParams::excesses"][::core::mem::offset_of!(LinearParams, excesses) - 112usize];
    ["Offset of field: LinearParams::loss"][::core::mem::offset_of!(LinearParams, loss) - 120usize];
    ["Offset of field: LinearParams::s"][::core::mem::offset_of!(LinearParams, s) - 128usize];
    ["Offset of field: LinearParams::q"][::core::mem::offset_of!(LinearParams, q) - 136usize];
    ["Offset of field: LinearParams::target_logits"][::core::mem::offset_of!(LinearParams, target_logits) - 144usize];
    ["Offset of field: LinearParams::grad_hidden"][::core::mem::offset_of!(LinearParams, grad_hidden) - 152usize];
    ["Offset of field: LinearParams::status"][::core::mem::offset_of!(LinearParams, status) - 160usize];
    ["Offset of field: LinearParams::rows"][::core::mem::offset_of!(LinearParams, rows) - 168usize];
    ["Offset of field: LinearParams::classes"][::core::mem::offset_of!(LinearParams, classes) - 176usize];
    ["Offset of field: LinearParams::width"][::core::mem::offset_of!(LinearParams, width) - 184usize];
    ["Offset of field: LinearParams::targets_per_row"]
        [::core::mem::offset_of!(LinearParams, targets_per_row) - 192usize];
    ["Offset of field: LinearParams::stride"][::core::mem::offset_of!(LinearParams, stride) - 200usize];
    ["Offset of field: LinearParams::gram_stride"][::core::mem::offset_of!(LinearParams, gram_stride) - 208usize];
    ["Offset of field: LinearParams::split_classes"][::core::mem::offset_of!(LinearParams, split_classes) - 216usize];
    ["Offset of field: LinearParams::ignore_index"][::core::mem::offset_of!(LinearParams, ignore_index) - 224usize];
    ["Offset of field: LinearParams::slices"][::core::mem::offset_of!(LinearParams, slices) - 232usize];
    ["Offset of field: LinearParams::splits"][::core::mem::offset_of!(LinearParams, splits) - 236usize];
    ["Offset of field: LinearParams::gram_is_centred"]
        [::core::mem::offset_of!(LinearParams, gram_is_centred) - 240usize];
    ["Offset of field: LinearParams::loss_kind"][::core::mem::offset_of!(LinearParams, loss_kind) - 244usize];
    ["Offset of field: LinearParams::index_dtype"][::core::mem::offset_of!(LinearParams, index_dtype) - 248usize];
    ["Offset of field: LinearParams::grad_loss_stride"]
        [::core::mem::offset_of!(LinearParams, grad_loss_stride) - 252usize];
    ["Offset of field: LinearParams::targets_tensor"][::core::mem::offset_of!(LinearParams, targets_tensor) - 256usize];
    ["Offset of field: LinearParams::a"][::core::mem::offset_of!(LinearParams, a) - 260usize];
    ["Offset of field: LinearParams::b"][::core::mem::offset_of!(LinearParams, b) - 264usize];
    ["Offset of field: LinearParams::epsilon"][::core::mem::offset_of!(LinearParams, epsilon) - 268usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct RankParams {
    /// f [rows, classes]; null where they are those of hidden and weight
    pub logits: *const ::core::ffi::c_void,
    /// f [rows, width]; null with logits
    pub hidden: *const ::core::ffi::c_void,
    /// f [classes, width]; null with logits
    pub weight: *const ::core::ffi::c_void,
    /// i64 or u32 [rows]
    pub targets: *const ::core::ffi::c_void,
    /// u32 [rows]; 0 for a row without a target
    pub rank: *mut u32,
    /// u8 [rows]: rank <= k; 0 for a row without a target
    pub hits: *mut u8,
    /// u64 [rows], workspace: greater logits so far, and in the upper half how many parts they are of
    pub counts: *mut u64,
    /// f32 [rows], workspace; NaN without a target
    pub target_logits: *mut f32,
    /// see common/status.h
    pub status: *mut Status,
    pub rows: u64,
    pub classes: u64,
    pub width: u64,
    pub ignore_index: i64,
    /// INDEX_*
    pub index_dtype: u32,
    /// what status.tensor shall say
    pub targets_tensor: u32,
    pub k: u32,
    /// of a row, in rank_T_lanes
    pub lanes: u32,
    /// of a row: blocks of rank_T_parts; parts of counts
    pub parts: u32,
    /// tiles of classes of a block of rank_T_tiles
    pub run_tiles: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of RankParams"][::core::mem::size_of::<RankParams>() - 128usize];
    ["Alignment of RankParams"][::core::mem::align_of::<RankParams>() - 8usize];
    ["Offset of field: RankParams::logits"][::core::mem::offset_of!(RankParams, logits) - 0usize];
    ["Offset of field: RankParams::hidden"][::core::mem::offset_of!(RankParams, hidden) - 8usize];
    ["Offset of field: RankParams::weight"][::core::mem::offset_of!(RankParams, weight) - 16usize];
    ["Offset of field: RankParams::targets"][::core::mem::offset_of!(RankParams, targets) - 24usize];
    ["Offset of field: RankParams::rank"][::core::mem::offset_of!(RankParams, rank) - 32usize];
    ["Offset of field: RankParams::hits"][::core::mem::offset_of!(RankParams, hits) - 40usize];
    ["Offset of field: RankParams::counts"][::core::mem::offset_of!(RankParams, counts) - 48usize];
    ["Offset of field: RankParams::target_logits"][::core::mem::offset_of!(RankParams, target_logits) - 56usize];
    ["Offset of field: RankParams::status"][::core::mem::offset_of!(RankParams, status) - 64usize];
    ["Offset of field: RankParams::rows"][::core::mem::offset_of!(RankParams, rows) - 72usize];
    ["Offset of field: RankParams::classes"][::core::mem::offset_of!(RankParams, classes) - 80usize];
    ["Offset of field: RankParams::width"][::core::mem::offset_of!(RankParams, width) - 88usize];
    ["Offset of field: RankParams::ignore_index"][::core::mem::offset_of!(RankParams, ignore_index) - 96usize];
    ["Offset of field: RankParams::index_dtype"][::core::mem::offset_of!(RankParams, index_dtype) - 104usize];
    ["Offset of field: RankParams::targets_tensor"][::core::mem::offset_of!(RankParams, targets_tensor) - 108usize];
    ["Offset of field: RankParams::k"][::core::mem::offset_of!(RankParams, k) - 112usize];
    ["Offset of field: RankParams::lanes"][::core::mem::offset_of!(RankParams, lanes) - 116usize];
    ["Offset of field: RankParams::parts"][::core::mem::offset_of!(RankParams, parts) - 120usize];
    ["Offset of field: RankParams::run_tiles"][::core::mem::offset_of!(RankParams, run_tiles) - 124usize];
};
/// spherical.dense: loss and grad_logits of a spherical loss on given logits.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct DenseParams {
    /// f [rows, classes]
    pub logits: *const ::core::ffi::c_void,
    /// i64 or u32 [rows, targets_per_row]
    pub targets: *const ::core::ffi::c_void,
    /// f32 [rows, targets_per_row]; null: ones
    pub values: *const f32,
    /// f32 [rows]; null: ones
    pub row_weights: *const f32,
    /// f32 [rows] (grad_loss_stride 1) or [] (0); null: ones
    pub grad_loss: *const f32,
    /// f32 [] from reduction_denominator; null: 1. Divides the gradient, not the row losses
    pub denominator: *const f32,
    /// f32 [rows]: row losses times row_weights
    pub loss: *mut f32,
    /// f [rows, classes]; null: none wanted
    pub grad_logits: *mut ::core::ffi::c_void,
    /// [rows] of 4 * (3 * targets_per_row | 1) bytes, workspace; null where it is not needed
    pub target_entries: *mut ::core::ffi::c_void,
    /// [rows, segments] of 16 bytes, workspace of partials and finish
    pub partials: *mut ::core::ffi::c_void,
    /// [rows] of 32 bytes, workspace of finish and gradient
    pub coefficients: *mut ::core::ffi::c_void,
    /// see common/status.h
    pub status: *mut Status,
    pub rows: u64,
    pub classes: u64,
    /// 1 for targets [rows]
    pub targets_per_row: u64,
    /// entries equal to it are dropped
    pub ignore_index: i64,
    /// LOSS_*
    pub loss_kind: u32,
    /// INDEX_*
    pub index_dtype: u32,
    /// elements from one row's upstream gradient to the next: 1, or 0 for a scalar
    pub grad_loss_stride: u32,
    /// what status.tensor shall say
    pub targets_tensor: u32,
    /// z: > 0
    pub a: f32,
    /// z
    pub b: f32,
    /// log_spherical_softmax: > 0
    pub epsilon: f32,
    /// 1: several targets a row are kept in shared memory; 0: in target_entries
    pub targets_are_shared: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of DenseParams"][::core::mem::size_of::<DenseParams>() - 160usize];
    ["Alignment of DenseParams"][::core::mem::align_of::<DenseParams>() - 8usize];
    ["Offset of field: DenseParams::logits"][::core::mem::offset_of!(DenseParams, logits) - 0usize];
    ["Offset of field: DenseParams::targets"][::core::mem::offset_of!(DenseParams, targets) - 8usize];
    ["Offset of field: DenseParams::values"][::core::mem::offset_of!(DenseParams, values) - 16usize];
    ["Offset of field: DenseParams::row_weights"][::core::mem::offset_of!(DenseParams, row_weights) - 24usize];
    ["Offset of field: DenseParams::grad_loss"][::core::mem::offset_of!(DenseParams, grad_loss) - 32usize];
    ["Offset of field: DenseParams::denominator"][::core::mem::offset_of!(DenseParams, denominator) - 40usize];
    ["Offset of field: DenseParams::loss"][::core::mem::offset_of!(DenseParams, loss) - 48usize];
    ["Offset of field: DenseParams::grad_logits"][::core::mem::offset_of!(DenseParams, grad_logits) - 56usize];
    ["Offset of field: DenseParams::target_entries"][::core::mem::offset_of!(DenseParams, target_entries) - 64usize];
    ["Offset of field: DenseParams::partials"][::core::mem::offset_of!(DenseParams, partials) - 72usize];
    ["Offset of field: DenseParams::coefficients"][::core::mem::offset_of!(DenseParams, coefficients) - 80usize];
    ["Offset of field: DenseParams::status"][::core::mem::offset_of!(DenseParams, status) - 88usize];
    ["Offset of field: DenseParams::rows"][::core::mem::offset_of!(DenseParams, rows) - 96usize];
    ["Offset of field: DenseParams::classes"][::core::mem::offset_of!(DenseParams, classes) - 104usize];
    ["Offset of field: DenseParams::targets_per_row"][::core::mem::offset_of!(DenseParams, targets_per_row) - 112usize];
    ["Offset of field: DenseParams::ignore_index"][::core::mem::offset_of!(DenseParams, ignore_index) - 120usize];
    ["Offset of field: DenseParams::loss_kind"][::core::mem::offset_of!(DenseParams, loss_kind) - 128usize];
    ["Offset of field: DenseParams::index_dtype"][::core::mem::offset_of!(DenseParams, index_dtype) - 132usize];
    ["Offset of field: DenseParams::grad_loss_stride"]
        [::core::mem::offset_of!(DenseParams, grad_loss_stride) - 136usize];
    ["Offset of field: DenseParams::targets_tensor"][::core::mem::offset_of!(DenseParams, targets_tensor) - 140usize];
    ["Offset of field: DenseParams::a"][::core::mem::offset_of!(DenseParams, a) - 144usize];
    ["Offset of field: DenseParams::b"][::core::mem::offset_of!(DenseParams, b) - 148usize];
    ["Offset of field: DenseParams::epsilon"][::core::mem::offset_of!(DenseParams, epsilon) - 152usize];
    ["Offset of field: DenseParams::targets_are_shared"]
        [::core::mem::offset_of!(DenseParams, targets_are_shared) - 156usize];
};
/// spherical.softmax_cross_entropy: log-softmax with label smoothing and a penalty on the log-sum-exp.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct SoftmaxCrossEntropyParams {
    /// f [rows, classes]; -inf is a masked class
    pub logits: *const ::core::ffi::c_void,
    /// i64 or u32 [rows]
    pub targets: *const ::core::ffi::c_void,
    /// f32 [rows]; null: ones
    pub row_weights: *const f32,
    /// f32 [rows] (grad_loss_stride 1) or [] (0); null: ones
    pub grad_loss: *const f32,
    /// f32 [] from reduction_denominator; null: 1. Divides the gradient, not the row losses
    pub denominator: *const f32,
    /// f32 [rows]: row losses times row_weights, without the penalty
    pub loss: *mut f32,
    /// f32 [rows]: lse_penalty * lse^2 times row_weights; null: not wanted
    pub penalty: *mut f32,
    /// f32 [rows]; null: not wanted
    pub lse: *mut f32,
    /// f [rows, classes], of loss + penalty; null: none wanted
    pub grad_logits: *mut ::core::ffi::c_void,
    /// [rows, segments] of 16 bytes, workspace of partials and finish
    pub partials: *mut ::core::ffi::c_void,
    /// [rows] of 32 bytes, workspace of finish and gradient
    pub coefficients: *mut ::core::ffi::c_void,
    /// see common/status.h
    pub status: *mut Status,
    pub rows: u64,
    pub classes: u64,
    pub ignore_index: i64,
    /// INDEX_*
    pub index_dtype: u32,
    /// elements from one row's upstream gradient to the next: 1, or 0 for a scalar
    pub grad_loss_stride: u32,
    /// what status.tensor shall say
    pub targets_tensor: u32,
    /// in [0, 1]
    pub label_smoothing: f32,
    /// 0: none
    pub lse_penalty: f32,
    /// 0: the struct's size is a multiple of 8 without hidden padding
    pub reserved: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of SoftmaxCrossEntropyParams"][::core::mem::size_of::<SoftmaxCrossEntropyParams>() - 144usize];
    ["Alignment of SoftmaxCrossEntropyParams"][::core::mem::align_of::<SoftmaxCrossEntropyParams>() - 8usize];
    ["Offset of field: SoftmaxCrossEntropyParams::logits"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, logits) - 0usize];
    ["Offset of field: SoftmaxCrossEntropyParams::targets"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, targets) - 8usize];
    ["Offset of field: SoftmaxCrossEntropyParams::row_weights"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, row_weights) - 16usize];
    ["Offset of field: SoftmaxCrossEntropyParams::grad_loss"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, grad_loss) - 24usize];
    ["Offset of field: SoftmaxCrossEntropyParams::denominator"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, denominator) - 32usize];
    ["Offset of field: SoftmaxCrossEntropyParams::loss"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, loss) - 40usize];
    ["Offset of field: SoftmaxCrossEntropyParams::penalty"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, penalty) - 48usize];
    ["Offset of field: SoftmaxCrossEntropyParams::lse"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, lse) - 56usize];
    ["Offset of field: SoftmaxCrossEntropyParams::grad_logits"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, grad_logits) - 64usize];
    ["Offset of field: SoftmaxCrossEntropyParams::partials"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, partials) - 72usize];
    ["Offset of field: SoftmaxCrossEntropyParams::coefficients"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, coefficients) - 80usize];
    ["Offset of field: SoftmaxCrossEntropyParams::status"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, status) - 88usize];
    ["Offset of field: SoftmaxCrossEntropyParams::rows"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, rows) - 96usize];
    ["Offset of field: SoftmaxCrossEntropyParams::classes"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, classes) - 104usize];
    ["Offset of field: SoftmaxCrossEntropyParams::ignore_index"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, ignore_index) - 112usize];
    ["Offset of field: SoftmaxCrossEntropyParams::index_dtype"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, index_dtype) - 120usize];
    ["Offset of field: SoftmaxCrossEntropyParams::grad_loss_stride"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, grad_loss_stride) - 124usize];
    ["Offset of field: SoftmaxCrossEntropyParams::targets_tensor"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, targets_tensor) - 128usize];
    ["Offset of field: SoftmaxCrossEntropyParams::label_smoothing"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, label_smoothing) - 132usize];
    ["Offset of field: SoftmaxCrossEntropyParams::lse_penalty"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, lse_penalty) - 136usize];
    ["Offset of field: SoftmaxCrossEntropyParams::reserved"]
        [::core::mem::offset_of!(SoftmaxCrossEntropyParams, reserved) - 140usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct LinearCrossEntropyParams {
    /// f [rows, width]
    pub hidden: *const ::core::ffi::c_void,
    /// f [classes, width]
    pub weight: *const ::core::ffi::c_void,
    /// f [classes]; -inf is a masked class; null: zeros
    pub bias: *const ::core::ffi::c_void,
    /// i64 or u32 [rows]
    pub targets: *const ::core::ffi::c_void,
    /// f32 [rows]; null: ones
    pub row_weights: *const f32,
    /// f32 [rows] (grad_loss_stride 1) or [] (0); null: ones
    pub grad_loss: *const f32,
    /// u32 [segment_count + 1], ascending, at most rows; null: none
    pub segments: *const u32,
    /// f32 [] from reduction_denominator; null: 1. Divides the gradient, not the row losses
    pub denominator: *const f32,
    /// f32 [rows]: row losses times row_weights, without the penalty
    pub loss: *mut f32,
    /// f32 [rows]: lse_penalty * lse^2 times row_weights; null: not wanted
    pub penalty: *mut f32,
    /// f32 [rows]; null: not wanted
    pub lse: *mut f32,
    /// f32 [rows]
    pub target_logits: *mut f32,
    /// f32 [segment_count]; null without segments
    pub segment_loss: *mut f32,
    /// f [rows, width]; null: no gradient is wanted
    pub grad_hidden: *mut ::core::ffi::c_void,
    /// f or f32 [classes, width]; null: not wanted
    pub grad_weight: *mut ::core::ffi::c_void,
    /// f [classes]; null: not wanted
    pub grad_bias: *mut ::core::ffi::c_void,
    /// [runs, rows] of 16 bytes, workspace of forward and finish
    pub partials: *mut ::core::ffi::c_void,
    /// f32 [rows], workspace of finish and segments
    pub log_probabilities: *mut f32,
    /// [rows] of 32 bytes, workspace of finish and grad_logits
    pub coefficients: *mut ::core::ffi::c_void,
    /// f32 [rows], workspace of f16: what each row of grad_logits lacks, a power of two
    pub unscales: *mut f32,
    /// f32 [rows, width to a multiple of 4], workspace of f16: hidden, for grad_weight
    pub wide_hidden: *mut f32,
    /// f32 [rows, chunk_classes], workspace of f16: of this chunk, not scaled
    pub wide_grad_logits: *mut f32,
    /// f [rows, chunk_classes], workspace: of this chunk
    pub grad_logits: *mut ::core::ffi::c_void,
    /// f32 [rows, width], workspace: grad_hidden up to this chunk; grad_hidden itself where f is f32
    pub hidden_sums: *mut f32,
    /// f32 [row tiles, chunk_classes], workspace: of this chunk
    pub bias_partials: *mut f32,
    /// see common/status.h
    pub status: *mut Status,
    pub rows: u64,
    pub classes: u64,
    pub width: u64,
    pub segment_count: u64,
    /// this chunk's first class
    pub chunk_begin: u64,
    pub ignore_index: i64,
    /// from one row of grad_logits to the next: a multiple of LINEAR_TILE
    pub chunk_classes: u32,
    /// tiles of classes that a block of grad_logits has at a time
    pub chunk_run_tiles: u32,
    /// tiles of classes of a run
    pub run_tiles: u32,
    /// INDEX_*
    pub index_dtype: u32,
    /// elements from one row's upstream gradient to the next: 1, or 0 for a scalar
    pub grad_loss_stride: u32,
    /// what status.tensor shall say of targets
    pub targets_tensor: u32,
    /// and of segments
    pub segments_tensor: u32,
    /// 1: grad_weight is f32, whatever f
    pub grad_weight_is_f32: u32,
    /// in [0, 1]
    pub label_smoothing: f32,
    /// 0: none
    pub lse_penalty: f32,
    /// o <- softcap tanh(o / softcap); 0: none
    pub softcap: f32,
    /// 0: the struct's size is a multiple of 8 without hidden padding
    pub reserved: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of LinearCrossEntropyParams"][::core::mem::size_of::<LinearCrossEntropyParams>() - 304usize];
    ["Alignment of LinearCrossEntropyParams"][::core::mem::align_of::<LinearCrossEntropyParams>() - 8usize];
    ["Offset of field: LinearCrossEntropyParams::hidden"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, hidden) - 0usize];
    ["Offset of field: LinearCrossEntropyParams::weight"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, weight) - 8usize];
    ["Offset of field: LinearCrossEntropyParams::bias"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, bias) - 16usize];
    ["Offset of field: LinearCrossEntropyParams::targets"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, targets) - 24usize];
    ["Offset of field: LinearCrossEntropyParams::row_weights"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, row_weights) - 32usize];
    ["Offset of field: LinearCrossEntropyParams::grad_loss"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, grad_loss) - 40usize];
    ["Offset of field: LinearCrossEntropyParams::segments"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, segments) - 48usize];
    ["Offset of field: LinearCrossEntropyParams::denominator"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, denominator) - 56usize];
    ["Offset of field: LinearCrossEntropyParams::loss"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, loss) - 64usize];
    ["Offset of field: LinearCrossEntropyParams::penalty"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, penalty) - 72usize];
    ["Offset of field: LinearCrossEntropyParams::lse"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, lse) - 80usize];
    ["Offset of field: LinearCrossEntropyParams::target_logits"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, target_logits) - 88usize];
    ["Offset of field: LinearCrossEntropyParams::segment_loss"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, segment_loss) - 96usize];
    ["Offset of field: LinearCrossEntropyParams::grad_hidden"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, grad_hidden) - 104usize];
    ["Offset of field: LinearCrossEntropyParams::grad_weight"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, grad_weight) - 112usize];
    ["Offset of field: LinearCrossEntropyParams::grad_bias"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, grad_bias) - 120usize];
    ["Offset of field: LinearCrossEntropyParams::partials"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, partials) - 128usize];
    ["Offset of field: LinearCrossEntropyParams::log_probabilities"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, log_probabilities) - 136usize];
    ["Offset of field: LinearCrossEntropyParams::coefficients"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, coefficients) - 144usize];
    ["Offset of field: LinearCrossEntropyParams::unscales"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, unscales) - 152usize];
    ["Offset of field: LinearCrossEntropyParams::wide_hidden"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, wide_hidden) - 160usize];
    ["Offset of field: LinearCrossEntropyParams::wide_grad_logits"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, wide_grad_logits) - 168usize];
    ["Offset of field: LinearCrossEntropyParams::grad_logits"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, grad_logits) - 176usize];
    ["Offset of field: LinearCrossEntropyParams::hidden_sums"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, hidden_sums) - 184usize];
    ["Offset of field: LinearCrossEntropyParams::bias_partials"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, bias_partials) - 192usize];
    ["Offset of field: LinearCrossEntropyParams::status"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, status) - 200usize];
    ["Offset of field: LinearCrossEntropyParams::rows"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, rows) - 208usize];
    ["Offset of field: LinearCrossEntropyParams::classes"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, classes) - 216usize];
    ["Offset of field: LinearCrossEntropyParams::width"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, width) - 224usize];
    ["Offset of field: LinearCrossEntropyParams::segment_count"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, segment_count) - 232usize];
    ["Offset of field: LinearCrossEntropyParams::chunk_begin"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, chunk_begin) - 240usize];
    ["Offset of field: LinearCrossEntropyParams::ignore_index"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, ignore_index) - 248usize];
    ["Offset of field: LinearCrossEntropyParams::chunk_classes"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, chunk_classes) - 256usize];
    ["Offset of field: LinearCrossEntropyParams::chunk_run_tiles"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, chunk_run_tiles) - 260usize];
    ["Offset of field: LinearCrossEntropyParams::run_tiles"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, run_tiles) - 264usize];
    ["Offset of field: LinearCrossEntropyParams::index_dtype"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, index_dtype) - 268usize];
    ["Offset of field: LinearCrossEntropyParams::grad_loss_stride"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, grad_loss_stride) - 272usize];
    ["Offset of field: LinearCrossEntropyParams::targets_tensor"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, targets_tensor) - 276usize];
    ["Offset of field: LinearCrossEntropyParams::segments_tensor"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, segments_tensor) - 280usize];
    ["Offset of field: LinearCrossEntropyParams::grad_weight_is_f32"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, grad_weight_is_f32) - 284usize];
    ["Offset of field: LinearCrossEntropyParams::label_smoothing"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, label_smoothing) - 288usize];
    ["Offset of field: LinearCrossEntropyParams::lse_penalty"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, lse_penalty) - 292usize];
    ["Offset of field: LinearCrossEntropyParams::softcap"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, softcap) - 296usize];
    ["Offset of field: LinearCrossEntropyParams::reserved"]
        [::core::mem::offset_of!(LinearCrossEntropyParams, reserved) - 300usize];
};
/// reduction_denominator: grid 1, REDUCTION_THREADS. What `mean` divides by: the sum of row_weights over the rows that
/// are not ignored, their number without weights; 1 when there is no such row, so that the mean is 0.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ReductionDenominatorParams {
    /// i64 or u32 [rows, targets_per_row]
    pub targets: *const ::core::ffi::c_void,
    /// f32 [rows]; null: ones
    pub row_weights: *const f32,
    /// f32 []
    pub denominator: *mut f32,
    pub rows: u64,
    pub targets_per_row: u64,
    pub ignore_index: i64,
    /// INDEX_*
    pub index_dtype: u32,
    /// 0
    pub reserved: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of ReductionDenominatorParams"][::core::mem::size_of::<ReductionDenominatorParams>() - 56usize];
    ["Alignment of ReductionDenominatorParams"][::core::mem::align_of::<ReductionDenominatorParams>() - 8usize];
    ["Offset of field: ReductionDenominatorParams::targets"]
        [::core::mem::offset_of!(ReductionDenominatorParams, targets) - 0usize];
    ["Offset of field: ReductionDenominatorParams::row_weights"]
        [::core::mem::offset_of!(ReductionDenominatorParams, row_weights) - 8usize];
    ["Offset of field: ReductionDenominatorParams::denominator"]
        [::core::mem::offset_of!(ReductionDenominatorParams, denominator) - 16usize];
    ["Offset of field: ReductionDenominatorParams::rows"]
        [::core::mem::offset_of!(ReductionDenominatorParams, rows) - 24usize];
    ["Offset of field: ReductionDenominatorParams::targets_per_row"]
        [::core::mem::offset_of!(ReductionDenominatorParams, targets_per_row) - 32usize];
    ["Offset of field: ReductionDenominatorParams::ignore_index"]
        [::core::mem::offset_of!(ReductionDenominatorParams, ignore_index) - 40usize];
    ["Offset of field: ReductionDenominatorParams::index_dtype"]
        [::core::mem::offset_of!(ReductionDenominatorParams, index_dtype) - 48usize];
    ["Offset of field: ReductionDenominatorParams::reserved"]
        [::core::mem::offset_of!(ReductionDenominatorParams, reserved) - 52usize];
};
/// reduction_sum: grid 1, or 2 when there is a penalty, REDUCTION_THREADS. Adds the row values in a fixed order.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ReductionSumParams {
    /// f32 [rows]
    pub row_losses: *const f32,
    /// f32 [rows]; null: none (grid 1)
    pub row_penalties: *const f32,
    /// f32 [] from reduction_denominator for mean; null for sum
    pub denominator: *const f32,
    /// f32 []
    pub loss: *mut f32,
    /// f32 []; null with row_penalties
    pub penalty: *mut f32,
    pub rows: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of ReductionSumParams"][::core::mem::size_of::<ReductionSumParams>() - 48usize];
    ["Alignment of ReductionSumParams"][::core::mem::align_of::<ReductionSumParams>() - 8usize];
    ["Offset of field: ReductionSumParams::row_losses"]
        [::core::mem::offset_of!(ReductionSumParams, row_losses) - 0usize];
    ["Offset of field: ReductionSumParams::row_penalties"]
        [::core::mem::offset_of!(ReductionSumParams, row_penalties) - 8usize];
    ["Offset of field: ReductionSumParams::denominator"]
        [::core::mem::offset_of!(ReductionSumParams, denominator) - 16usize];
    ["Offset of field: ReductionSumParams::loss"][::core::mem::offset_of!(ReductionSumParams, loss) - 24usize];
    ["Offset of field: ReductionSumParams::penalty"][::core::mem::offset_of!(ReductionSumParams, penalty) - 32usize];
    ["Offset of field: ReductionSumParams::rows"][::core::mem::offset_of!(ReductionSumParams, rows) - 40usize];
};
