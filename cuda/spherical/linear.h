// The parameters of spherical.linear. Plain C, as spherical.h, whose words it uses; a word means what it means there.
//
//   launches in order (T = f32, f16, bf16)                                     grid                             threads
//   where the Gram or row_sum is not given:
//     linear_T_sums            row_sum, or a Gram about the mean               (column blocks, slices)          256
//     linear_T_gram            also .._unaligned; the Gram of W                pairs * splits                   LT
//     linear_T_centred_gram    instead, for z: that of W about its mean row    pairs * splits                   256
//     linear_finish                                                            pairs * 8 + column blocks        256
//   linear_T_products          also .._unaligned                               ceil(rows/64) * ceil(width/64)   128
//   linear_T_rows                                                              ceil(rows / 8)                   256
//
// A pair is a tile of LINEAR_TILE by LINEAR_TILE of the Gram on or above its diagonal, counted row by row; 0 where the Gram is
// given. The classes are cut into splits of split_classes, a multiple of LINEAR_FOLD, and into slices, both by D and d alone.
// LT and the stages are those of linear_cross_entropy; linear_T_centred_gram has 98,304 bytes of stages and 1,024 more,
// linear_T_products 65,536. column blocks: ceil(width / 256). _unaligned: as in linear_cross_entropy, of gram by weight, of
// products by hidden (f32) and gram.
//
// Workspace, each part at a multiple of 256 bytes, absent (null) where not needed:
//   row losses, denominator   as in spherical.h
//   gram          4 * width * stride           not given; stride: width to a multiple of 4
//   row_sum       4 * width                    not given
//   sums          8 * slices * width           not both given
//   partials      65,536 * pairs * splits      the Gram not given
//   products      4 * rows * stride
//   excesses      4 * rows * targets_per_row
#pragma once

#include <stdint.h>

#include "../common/status.h"

#define LINEAR_THREADS 256u
#define LINEAR_PART_ROWS 16u  // of a tile of the Gram, in a block of linear_finish

typedef struct {
  const void* hidden;        // f [rows, width]
  const void* weight;        // f [classes, width]
  const void* targets;       // i64 or u32 [rows, targets_per_row]
  const float* values;       // f32 [rows, targets_per_row]; null: ones
  const float* row_weights;  // f32 [rows]; null: ones
  const float* grad_loss;    // f32 [rows] (grad_loss_stride 1) or [] (0); null: ones
  const float* denominator;  // f32 [] from reduction_denominator; null: 1. Divides the gradient, not the row losses
  const float* gram;         // f32 [width, gram_stride], given or formed
  const float* row_sum;      // f32 [width], given or formed
  float* formed_gram;        // f32 [width, gram_stride]; null: given
  float* formed_row_sum;     // f32 [width]; null: given
  double* sums;              // f64 [slices, width], workspace: of the weight's columns
  float* partials;           // f32 [splits, pairs, LINEAR_TILE, LINEAR_TILE], workspace
  float* products;           // f32 [rows, stride], workspace: hidden gram
  float* excesses;           // f32 [rows, targets_per_row], workspace: of the targets' gradients
  float* loss;               // f32 [rows]: row losses times row_weights
  float* s;                  // f32 [rows]; null: not wanted
  float* q;                  // f32 [rows]; null: not wanted
  float* target_logits;      // f32 [rows, targets_per_row]; null: not wanted
  void* grad_hidden;         // f [rows, width]; null: not wanted
  Status* status;            // see common/status.h
  uint64_t rows;
  uint64_t classes;
  uint64_t width;
  uint64_t targets_per_row;  // 1 for targets [rows]
  uint64_t stride;           // from one row of products to the next
  uint64_t gram_stride;      // and of gram
  uint64_t split_classes;    // of a split
  int64_t ignore_index;      // entries equal to it are dropped
  uint32_t slices;
  uint32_t splits;
  uint32_t gram_is_centred;  // 1: the Gram of the weight's rows about their mean
  uint32_t loss_kind;        // LOSS_*
  uint32_t index_dtype;      // INDEX_*
  uint32_t grad_loss_stride;
  uint32_t targets_tensor;  // what status.tensor shall say
  float a;                  // z: > 0
  float b;                  // z
  float epsilon;            // log_spherical_softmax: > 0
} LinearParams;
