// The parameters of spherical.rank. Plain C, as spherical.h, whose words it uses.
//
//   from logits                                        launches in order  grid                     threads
//   row bytes <= RANK_LANES_BYTES                      rank_T_lanes       ceil(rows * lanes / 256)  256
//   else, rows >= RANK_BUSY_BLOCKS or one part a row   rank_T_parts       rows                      256
//   else                                               rank_clear         ceil(rows / 256)          256
//                                                      rank_T_parts       rows * parts              256
//
//   from hidden and weight (and .._unaligned, where width or a base is no multiple of 16 bytes)
//                                                      rank_T_targets     ceil(rows / 64)           128
//                                                      rank_T_tiles       row tiles * runs          LT
//
// lanes: the least power of two, 4 to 32, whose 64 bytes each hold the row, or 32. parts: ceil((row bytes + 16) /
// RANK_PART_BYTES), so many bytes each from the vector that the row begins in; 1 where rows alone fill the card. rank_T_tiles
// is laid out as linear_cross_entropy_T_forward, LT and tiles as there, in runs of run_tiles tiles of classes; its dynamic
// shared memory is the stages (65,536 bytes, of f32 98,304) and 512 bytes, that of rank_T_targets 32,768 (f32 65,536) and 256.
//
// Workspace, each part at a multiple of 256 bytes, absent (null) where not needed:
//   counts         8 * rows   several parts a row; hidden and weight
//   target_logits  4 * rows   hidden and weight
#pragma once

#include <stdint.h>

#include "../common/status.h"

#define RANK_THREADS 256u
#define RANK_LANES_BYTES 8192u
#define RANK_PART_BYTES 16384u
#define RANK_BUSY_BLOCKS 432u

typedef struct {
  const void* logits;   // f [rows, classes]; null where they are those of hidden and weight
  const void* hidden;   // f [rows, width]; null with logits
  const void* weight;   // f [classes, width]; null with logits
  const void* targets;  // i64 or u32 [rows]
  uint32_t* rank;       // u32 [rows]; 0 for a row without a target
  uint8_t* hits;        // u8 [rows]: rank <= k; 0 for a row without a target
  uint64_t* counts;  // u64 [rows], workspace: greater logits so far, and in the upper half how many parts they are of
  float* target_logits;  // f32 [rows], workspace; NaN without a target
  Status* status;        // see common/status.h
  uint64_t rows;
  uint64_t classes;
  uint64_t width;
  int64_t ignore_index;
  uint32_t index_dtype;     // INDEX_*
  uint32_t targets_tensor;  // what status.tensor shall say
  uint32_t k;
  uint32_t lanes;      // of a row, in rank_T_lanes
  uint32_t parts;      // of a row: blocks of rank_T_parts; parts of counts
  uint32_t run_tiles;  // tiles of classes of a block of rank_T_tiles
} RankParams;
