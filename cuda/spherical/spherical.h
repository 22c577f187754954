// The parameters and constants that the kernels of spherical share with the host. Plain C: one struct by value is the
// whole argument list of a kernel. Pointers are device pointers; "null" marks an optional tensor that is absent.
//
// How a row is cut. A chunk is CHUNK_BYTES of a row's logits, counted from the row's first element: what one warp holds
// in registers (1024 elements of 16 bits, 512 of 32). SEGMENT_CHUNKS chunks are a segment; a row's last chunk and last
// segment may be short. A chunk's statistics have one fixed tree, a segment's chunks another, segments merge in index
// order. The variant below decides only which warp computes a chunk, so it never changes a bit of any output. Rows of half
// a chunk or less have an order of their own: as many of them to a warp as fit a chunk together.
//
//   chunks = ceil(classes * sizeof f / CHUNK_BYTES)        segments = ceil(chunks / SEGMENT_CHUNKS)
//   rounds = ceil(chunks / BLOCK_WARPS)                     warps = ceil(chunks / rounds)
//   packed = PACKED_MOST_ROWS, halved until packed * classes * sizeof f <= CHUNK_BYTES
//
// Variants, for OP = dense, softmax_cross_entropy and T = f32, f16, bf16. All shared memory named is dynamic.
//
//   when                                      launches in order  grid             threads      shared memory
//   packed >= 2                               OP_T_packed  ceil(rows/(w*packed))  32 * w       PACKED_BYTES
//   else, chunks = 1                          OP_T_warp          ceil(rows/w)     32 * w       w * SLOT_BYTES
//   block (below)                             OP_T_block         rows             32 * warps   chunks * SLOT_BYTES
//   else, rows < STREAM_ROWS                  OP_T_partials      rows * segments  512          16 * SLOT_BYTES
//     (few long rows)                         OP_T_finish        ceil(rows/w)     32 * w       0
//                                             OP_T_gradient      rows * segments  512          16 * SLOT_BYTES
//   else                                      OP_T_stream        rows             512          32 * SLOT_BYTES
//
// block: chunks <= SEGMENT_CHUNKS; or chunks * SLOT_BYTES <= limit, with a gradient to write from shared memory. limit
// leaves two blocks on an SM: 76 KiB on 8.0, 108 KiB on 9.0 and 10.0, 44 KiB on 8.6, 8.9 and 12.0. w is
// ROW_WARPS, 8, or less (below); 16 stands for MAX_WARPS, 32 for MAX_WARPS * STREAM_STAGES. "gradient" is grad_logits !=
// null; OP_T_gradient is left out without it. No rows: no launch. The grid is (n, 1, 1); rows and classes are at most
// 2^31 - 1.
//
// Several targets a row (dense, K = targets_per_row > 1) take entry_bytes = 4 * (3 K | 1) a row, of shared memory behind
// what is named above where those of the rows that a block has at a time fit, else of the workspace. They fit
//
//   packed, warp, finish   w * packed, w, w rows in TARGETS_BYTES: w is the most of 8, 4, 2, 1 that do. Rows of which not
//                          even `packed` do have OP_T_warp
//   block                  1 row in limit - chunks * SLOT_BYTES
//   stream                 1 row in 8 KiB
//   gradient               1 row, where finish's fit
//
// Reductions (reduction.cu). none: the launches above write loss [rows]. sum: they write row losses to workspace, then
// reduction_sum adds them. mean: reduction_denominator first (the gradient needs it), then as sum. Launches: none 1,
// sum 2, mean 3; two more each for few long rows (one without gradient).
//
// Workspace. Each part starts at a multiple of 256 bytes; those that a call does not need are absent (null).
//   row losses            4 * rows                    reduction sum or mean
//   row penalties         4 * rows                    the same, softmax_cross_entropy with a penalty
//   denominator           4                           mean
//   target_entries        rows * entry_bytes          dense, targets_per_row > 1, where they are not in shared memory,
//                                                     and between OP_T_finish and OP_T_gradient
//   partials              16 * rows * segments        OP_T_partials, OP_T_finish
//   coefficients          32 * rows                   OP_T_finish, OP_T_gradient
// Nothing in it needs to be cleared.
//
// Alignment. logits and grad_logits: one element; 16-byte accesses are used whatever the address, on both sides when
// their addresses agree modulo 16. grad_logits may be logits itself; otherwise no output overlaps an input. Others: one
// element of theirs; status 8 bytes; partials and coefficients 16.
#pragma once

#include <stdint.h>

#include "../common/row.h"
#include "../common/status.h"
#include "factored.h"
#include "hierarchical_softmax.h"
#include "linear.h"
#include "rank.h"

#define REDUCTION_THREADS 1024

// Loss of spherical.dense (`loss_kind`).
#define LOSS_SQUARED_ERROR 0u
#define LOSS_LOG_SPHERICAL_SOFTMAX 1u
#define LOSS_LOG_TAYLOR_SOFTMAX 2u
#define LOSS_Z 3u

// dtype of targets (`index_dtype`).
#define INDEX_I64 0u
#define INDEX_U32 1u

// spherical.dense: loss and grad_logits of a spherical loss on given logits.
typedef struct {
  const void* logits;        // f [rows, classes]
  const void* targets;       // i64 or u32 [rows, targets_per_row]
  const float* values;       // f32 [rows, targets_per_row]; null: ones
  const float* row_weights;  // f32 [rows]; null: ones
  const float* grad_loss;    // f32 [rows] (grad_loss_stride 1) or [] (0); null: ones
  const float* denominator;  // f32 [] from reduction_denominator; null: 1. Divides the gradient, not the row losses
  float* loss;               // f32 [rows]: row losses times row_weights
  void* grad_logits;         // f [rows, classes]; null: none wanted
  void* target_entries;      // [rows] of 4 * (3 * targets_per_row | 1) bytes, workspace; null where it is not needed
  void* partials;            // [rows, segments] of 16 bytes, workspace of partials and finish
  void* coefficients;        // [rows] of 32 bytes, workspace of finish and gradient
  Status* status;            // see common/status.h
  uint64_t rows;
  uint64_t classes;
  uint64_t targets_per_row;     // 1 for targets [rows]
  int64_t ignore_index;         // entries equal to it are dropped
  uint32_t loss_kind;           // LOSS_*
  uint32_t index_dtype;         // INDEX_*
  uint32_t grad_loss_stride;    // elements from one row's upstream gradient to the next: 1, or 0 for a scalar
  uint32_t targets_tensor;      // what status.tensor shall say
  float a;                      // z: > 0
  float b;                      // z
  float epsilon;                // log_spherical_softmax: > 0
  uint32_t targets_are_shared;  // 1: several targets a row are kept in shared memory; 0: in target_entries
} DenseParams;

// spherical.softmax_cross_entropy: log-softmax with label smoothing and a penalty on the log-sum-exp.
typedef struct {
  const void* logits;        // f [rows, classes]; -inf is a masked class
  const void* targets;       // i64 or u32 [rows]
  const float* row_weights;  // f32 [rows]; null: ones
  const float* grad_loss;    // f32 [rows] (grad_loss_stride 1) or [] (0); null: ones
  const float* denominator;  // f32 [] from reduction_denominator; null: 1. Divides the gradient, not the row losses
  float* loss;               // f32 [rows]: row losses times row_weights, without the penalty
  float* penalty;            // f32 [rows]: lse_penalty * lse^2 times row_weights; null: not wanted
  float* lse;                // f32 [rows]; null: not wanted
  void* grad_logits;         // f [rows, classes], of loss + penalty; null: none wanted
  void* partials;            // [rows, segments] of 16 bytes, workspace of partials and finish
  void* coefficients;        // [rows] of 32 bytes, workspace of finish and gradient
  Status* status;            // see common/status.h
  uint64_t rows;
  uint64_t classes;
  int64_t ignore_index;
  uint32_t index_dtype;       // INDEX_*
  uint32_t grad_loss_stride;  // elements from one row's upstream gradient to the next: 1, or 0 for a scalar
  uint32_t targets_tensor;    // what status.tensor shall say
  float label_smoothing;      // in [0, 1]
  float lse_penalty;          // 0: none
  uint32_t reserved;          // 0: the struct's size is a multiple of 8 without hidden padding
} SoftmaxCrossEntropyParams;

// spherical.linear_cross_entropy: softmax_cross_entropy of the logits hidden weight' + bias, which are never stored.
//
// A tile is LINEAR_TILE rows by LINEAR_TILE classes (or elements of width). The classes are cut into runs of run_tiles tiles
// of them, at most LINEAR_MOST_RUNS runs, by their number alone; a block has one run of LINEAR_TILE rows at a time. The
// gradient goes by chunks of chunk_classes classes, a multiple of LINEAR_FOLD or all tiles of classes, each two launches over
// grad_logits of the chunk; its size changes no bit of an output. Tiles of a launch are counted along rows first.
//
//   launches in order (T = f32, f16, bf16; each but finish and segments also as .._unaligned, where width or the base of
//   hidden or weight is no multiple of 16 bytes)      grid                                   threads  dynamic shared memory
//   linear_cross_entropy_T_forward           row tiles * runs                                LT       stages + 512
//   linear_cross_entropy_finish              ceil(rows / 32)                                 256      0
//   linear_cross_entropy_segments            ceil(segment_count / 8), with segments          256      0
//   linear_cross_entropy_f16_widen           at most 1024, where grad_weight is wanted       256      0
//   per chunk, with a gradient:
//     linear_cross_entropy_T_grad_logits     row tiles * ceil(chunk tiles / chunk_run_tiles) LT       stages + 1024
//     linear_cross_entropy_f16_narrow        at most 1024                                    256      0
//     linear_cross_entropy_T_products        weight tiles + hidden tiles + bias blocks       LT       stages
//
// LT is 128 threads and the stages 65,536 bytes for f16 and bf16; for f32 256 and 98,304. weight tiles: chunk tiles * width
// tiles, where grad_weight is wanted; hidden tiles: row tiles * width tiles; bias blocks: ceil(chunk classes / LT), where
// grad_bias is wanted. No rows: products alone, for the zeros of grad_weight and grad_bias.
//
// Workspace, each part at a multiple of 256 bytes, absent (null) where not needed:
//   row losses, row penalties, denominator   as above
//   partials           16 * rows * runs
//   target_logits      4 * rows
//   log_probabilities  4 * rows                              segments
//   coefficients       32 * rows                             gradient
//   unscales           4 * rows                              gradient, f16
//   wide_hidden        4 * rows * (width to a multiple of 4)  grad_weight, f16
//   grad_logits        sizeof f * rows * chunk_classes       gradient
//   wide_grad_logits   4 * rows * chunk_classes              gradient, f16
//   hidden_sums        4 * rows * width                      gradient, f16 and bf16
//   bias_partials      4 * row tiles * chunk_classes         grad_bias
#define LINEAR_TILE 128
#define LINEAR_FOLD 2048u
#define LINEAR_MOST_RUNS 128u
typedef struct {
  const void* hidden;        // f [rows, width]
  const void* weight;        // f [classes, width]
  const void* bias;          // f [classes]; -inf is a masked class; null: zeros
  const void* targets;       // i64 or u32 [rows]
  const float* row_weights;  // f32 [rows]; null: ones
  const float* grad_loss;    // f32 [rows] (grad_loss_stride 1) or [] (0); null: ones
  const uint32_t* segments;  // u32 [segment_count + 1], ascending, at most rows; null: none
  const float* denominator;  // f32 [] from reduction_denominator; null: 1. Divides the gradient, not the row losses
  float* loss;               // f32 [rows]: row losses times row_weights, without the penalty
  float* penalty;            // f32 [rows]: lse_penalty * lse^2 times row_weights; null: not wanted
  float* lse;                // f32 [rows]; null: not wanted
  float* target_logits;      // f32 [rows]
  float* segment_loss;       // f32 [segment_count]; null without segments
  void* grad_hidden;         // f [rows, width]; null: no gradient is wanted
  void* grad_weight;         // f or f32 [classes, width]; null: not wanted
  void* grad_bias;           // f [classes]; null: not wanted
  void* partials;            // [runs, rows] of 16 bytes, workspace of forward and finish
  float* log_probabilities;  // f32 [rows], workspace of finish and segments
  void* coefficients;        // [rows] of 32 bytes, workspace of finish and grad_logits
  float* unscales;           // f32 [rows], workspace of f16: what each row of grad_logits lacks, a power of two
  float* wide_hidden;        // f32 [rows, width to a multiple of 4], workspace of f16: hidden, for grad_weight
  float* wide_grad_logits;   // f32 [rows, chunk_classes], workspace of f16: of this chunk, not scaled
  void* grad_logits;         // f [rows, chunk_classes], workspace: of this chunk
  float* hidden_sums;  // f32 [rows, width], workspace: grad_hidden up to this chunk; grad_hidden itself where f is f32
  float* bias_partials;  // f32 [row tiles, chunk_classes], workspace: of this chunk
  Status* status;        // see common/status.h
  uint64_t rows;
  uint64_t classes;
  uint64_t width;
  uint64_t segment_count;
  uint64_t chunk_begin;  // this chunk's first class
  int64_t ignore_index;
  uint32_t chunk_classes;       // from one row of grad_logits to the next: a multiple of LINEAR_TILE
  uint32_t chunk_run_tiles;     // tiles of classes that a block of grad_logits has at a time
  uint32_t run_tiles;           // tiles of classes of a run
  uint32_t index_dtype;         // INDEX_*
  uint32_t grad_loss_stride;    // elements from one row's upstream gradient to the next: 1, or 0 for a scalar
  uint32_t targets_tensor;      // what status.tensor shall say of targets
  uint32_t segments_tensor;     // and of segments
  uint32_t grad_weight_is_f32;  // 1: grad_weight is f32, whatever f
  float label_smoothing;        // in [0, 1]
  float lse_penalty;            // 0: none
  float softcap;                // o <- softcap tanh(o / softcap); 0: none
  uint32_t reserved;            // 0: the struct's size is a multiple of 8 without hidden padding
} LinearCrossEntropyParams;

// reduction_denominator: grid 1, REDUCTION_THREADS. What `mean` divides by: the sum of row_weights over the rows that
// are not ignored, their number without weights; 1 when there is no such row, so that the mean is 0.
typedef struct {
  const void* targets;       // i64 or u32 [rows, targets_per_row]
  const float* row_weights;  // f32 [rows]; null: ones
  float* denominator;        // f32 []
  uint64_t rows;
  uint64_t targets_per_row;
  int64_t ignore_index;
  uint32_t index_dtype;  // INDEX_*
  uint32_t reserved;     // 0
} ReductionDenominatorParams;

// reduction_sum: grid 1, or 2 when there is a penalty, REDUCTION_THREADS. Adds the row values in a fixed order.
typedef struct {
  const float* row_losses;     // f32 [rows]
  const float* row_penalties;  // f32 [rows]; null: none (grid 1)
  const float* denominator;    // f32 [] from reduction_denominator for mean; null for sum
  float* loss;                 // f32 []
  float* penalty;              // f32 []; null with row_penalties
  uint64_t rows;
} ReductionSumParams;
