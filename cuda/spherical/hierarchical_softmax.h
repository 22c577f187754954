// The parameters of spherical.hierarchical_softmax. Plain C, as spherical.h, whose words it uses.
//
//   launches in order (T = f32, f16, bf16; rows and weights also as .._unaligned, where width or the base of hidden, weight
//   or cluster_weight is no multiple of 16 bytes)     grid                     threads
//   hierarchical_softmax_T_rows                       rows, at least 1         256
//   hierarchical_softmax_sort                         ceil((clusters + 1) / 8) 256     with grad_weight
//   hierarchical_softmax_T_weights                    classes + clusters       256     with grad_weight
//
// No dynamic shared memory. hierarchical_softmax_T_rows looks at cluster_offsets also where there are no rows.
//
// Workspace, each part at a multiple of 256 bytes, absent (null) where not needed:
//   row losses, denominator   as in spherical.h
//   coefficients       64 * rows             grad_weight
//   row_clusters       4 * rows              grad_weight
//   sorted_rows        4 * rows              grad_weight
//   starts             4 * (clusters + 2)    grad_weight
#pragma once

#include <stdint.h>

#include "../common/status.h"

#define HIERARCHICAL_THREADS 256u
#define HIERARCHICAL_KEPT 4096u  // logits of a row that a block keeps for its gradient

typedef struct {
  const void* hidden;              // f [rows, width]
  const void* weight;              // f [classes, width]
  const void* cluster_weight;      // f [clusters, width]
  const int64_t* cluster_offsets;  // i64 [clusters + 1], ascending from 0 to classes
  const void* targets;             // i64 or u32 [rows]
  const float* row_weights;        // f32 [rows]; null: ones
  const float* grad_loss;          // f32 [rows] (grad_loss_stride 1) or [] (0); null: ones
  const float* denominator;   // f32 [] from reduction_denominator; null: 1. Divides the gradient, not the row losses
  float* loss;                // f32 [rows]: row losses times row_weights
  void* grad_hidden;          // f [rows, width]; null: no gradient is wanted
  void* grad_weight;          // f or f32 [classes, width]; null: not wanted
  void* grad_cluster_weight;  // f or f32 [clusters, width]; null where grad_weight is
  void* coefficients;         // [rows, 2] of 32 bytes, workspace: of a row's gradient by clusters, and by classes
  uint32_t* row_clusters;  // u32 [rows], workspace: a row's cluster, `clusters` of an ignored row, one more of a wrong
  uint32_t* sorted_rows;   // u32 [rows], workspace: the rows by row_clusters, those of one in ascending order
  uint32_t* starts;        // u32 [clusters + 2], workspace: where in sorted_rows each begins
  Status* status;          // see common/status.h
  uint64_t rows;
  uint64_t classes;
  uint64_t clusters;
  uint64_t width;
  int64_t ignore_index;
  uint32_t index_dtype;         // INDEX_*
  uint32_t grad_loss_stride;    // elements from one row's upstream gradient to the next: 1, or 0 for a scalar
  uint32_t targets_tensor;      // what status.tensor shall say of targets
  uint32_t offsets_tensor;      // and of cluster_offsets
  uint32_t grad_weight_is_f32;  // 1: grad_weight and grad_cluster_weight are f32, whatever f
  uint32_t reserved;            // 0: the struct's size is a multiple of 8 without hidden padding
} HierarchicalSoftmaxParams;
