// spherical.factored: what its kernels share with the host. The layer is W = V U + 1 (omega + centre)', of which only V has
// a row for each class; T = U^-T, Q = (W - 1 centre)'(W - 1 centre), row_sum = (W - 1 centre)'1.
//
// A tile is FACTORED_TILE x FACTORED_TILE of a product; tiles(n) = ceil(n / FACTORED_TILE). B = rows, D = classes, d = width,
// K = targets_per_row, S = `stride`, d to a multiple of 4, R = `row_stride`, B to a multiple of 4. The small system is B x B
// where B <= d, else d x d: the dual form, whose kernels are those with _dual where a name has one. All have
// FACTORED_THREADS, t, threads and, where the list says so, FACTORED_SHARED bytes of dynamic shared memory.
//
//   a step, launches in order   blocks                                                                          shared
//   factored_prepare            ceil(B K / t) + 1 + (h = hidden ? 0 : min(1024, ceil(B d / t)))                 no
//   factored_products           3 tiles(B) tiles(d) + tiles(B)^2; dual 2 tiles(B) tiles(d)                      yes
//   factored_rows               tiles(B)^2 + ceil(B / 4)                                                        yes
//   factored_combine[_dual]     1 (dual: tiles(d)^2) + tiles(B) tiles(d) + tiles(B)^2 + ceil(d / t) + B K + 1   yes
//   factored_solve[_dual]       ceil(d / t) (dual: 1) + tiles(B) tiles(d)                                       yes
//   factored_substitute         ceil(d / t), dual alone                                                         no
//   factored_project            tiles(B) tiles(d), dual alone                                                   yes
//   factored_update             tiles(d) (tiles(d) + 1) / 2 + 2 tiles(d)^2 + ceil(d / t) + B K                  yes
//
//   upkeep                      blocks                                                                          shared
//   factored_load_sums          ceil(d / t) x slices, slices = min(FACTORED_MOST_SLICES, ceil(D / 1024))        no
//   factored_load               min(65536, ceil(D d / t))                                                       no
//   factored_reset              min(1024, ceil(d^2 / t))                                                        no
//   factored_load_gram          tiles(d) (tiles(d) + 1) / 2                                                     yes
//   factored_newton_residual    tiles(d)^2                                                                      yes
//   factored_newton             tiles(d)^2                                                                      yes
//   factored_measure            1                                                                               no
//   factored_invert             1                                                                               yes
//   factored_invert_substitute  ceil(d / t)                                                                     no
//   factored_refactor           ceil(D / refactor_rows)                               4 refactor_rows d bytes
//   factored_off_diagonal       min(1024, ceil(d^2 / t))                                                        no
//   factored_expand             tiles(D) tiles(d)                                                               yes
//
// Loading is load_sums, load, load_sums of V, reset, load_gram; newton is newton_residual, newton; measuring newton_residual,
// measure; inverting afresh invert, invert_substitute; refactoring refactor, reset;
// expanding off_diagonal, expand.
#pragma once

#include <stdint.h>

#include "../common/status.h"

#define FACTORED_TILE 64
#define FACTORED_THREADS 128
#define FACTORED_SHARED 65536
#define FACTORED_REFACTOR_ROWS 8
#define FACTORED_MOST_SLICES 256
// Places in `measured`.
#define FACTORED_LARGEST 0
#define FACTORED_LEAST 1
#define FACTORED_INVERSE_ERROR 2

typedef struct {
  // The state. Every row of a matrix begins at a multiple of 16 bytes.
  float* v;        // f32 [classes, S]
  float* u;        // f32 [width, S]
  float* t;        // f32 [width, S]
  float* q;        // f32 [width, S]
  float* row_sum;  // f32 [width]; zeros where is_centred
  float* omega;    // f32 [width]
  float* centre;   // f32 [width]; zeros unless is_centred
  // Of a step.
  const float* hidden;       // f32 [rows, width]
  const void* targets;       // i64 or u32 [rows, targets_per_row]
  const float* values;       // f32 [rows, targets_per_row]; null: ones
  const float* row_weights;  // f32 [rows]; null: ones
  const float* grad_loss;    // f32 [rows] (grad_loss_stride 1) or [] (0); null: ones
  float* loss;               // f32 [rows], or [] with a reduction
  float* grad_hidden;        // f32 [rows, width]; null: not wanted
  // Of load and expand.
  const float* weight;  // f32 [classes, width]
  float* expanded;      // f32 [classes, width]
  // Workspace of a step.
  float* h;            // f32 [rows, S]: hidden, which it may be itself
  float* hq;           // f32 [rows, S]: H Q
  float* uh;           // f32 [rows, S]: H U'
  float* ht;           // f32 [rows, S]: H T', then what is solved for; dual: [width, S], T'
  float* x;            // f32 [rows, S]: sum_k Lc V[c]
  float* lh;           // f32 [rows, S]: Lam H
  float* y;            // f32 [rows, S]: the rows of the target's gradient, Y
  float* z;            // f32 [rows, S]
  float* r;            // f32 [rows, S]: R', where it is not ht
  float* c;            // f32 [rows, R], dual [width, S]: H H', then the factors of the small system
  float* n;            // f32 [rows, R]: HQ H'
  float* w1;           // f32 [rows, R]: what Lam H is multiplied by in Z
  float* groups;       // f32 [rows * targets_per_row, S]: of each class that is named, sum Lc h
  float* vectors;      // f32 [4, S]: p = H'Ls, H'r, A(row_sum), the new omega
  float* by_row;       // f32 [5, rows]: the row's loss, Lam, Ls, sum_k Lc, omega.h
  float* s;            // f32 [rows]: row_sum.h
  float* lc;           // f32 [rows, targets_per_row]
  float* norms;        // f32 [rows], dual and of invert [width]
  uint32_t* pivots;    // u32 [rows], dual and of invert [width]
  uint32_t* order;     // u32 [rows * targets_per_row]: the entries of targets, by class and place
  uint32_t* named;     // u32 [rows * targets_per_row]: the class of each entry, or NO_TARGET
  uint32_t* heads;     // u32 [rows * targets_per_row]: of each entry the place in `order` of the first of its class
  float* denominator;  // f32 []; null: 1
  // Workspace of upkeep.
  double* sums;     // f64 [slices, width]
  float* residual;  // f32 [width, S]: 2 I - U'T
  float* copy;      // f32 [width, S]: of T, or of U, whole or without its diagonal
  float* measured;  // f32 [3]: the largest and the least singular value of U, the largest |U'T - I|
  Status* status;   // see common/status.h; what is found there holds every later step back
  uint64_t rows;
  uint64_t classes;
  uint64_t width;
  uint64_t targets_per_row;   // 1 for targets [rows]
  uint64_t step;              // the index of the step, which a status tells
  int64_t ignore_index;       // entries equal to it are dropped
  uint32_t stride;            // S
  uint32_t row_stride;        // R
  uint32_t loss_kind;         // LOSS_*
  uint32_t index_dtype;       // INDEX_*
  uint32_t grad_loss_stride;  // elements from one row's upstream gradient to the next: 1, or 0 for a scalar
  uint32_t targets_tensor;    // what status.tensor shall say of targets
  uint32_t step_tensor;       // and of a singular step
  uint32_t is_centred;        // 1: z, which sees logits about their mean alone
  uint32_t is_reduced;        // 1: loss is []
  uint32_t sums_are_of_v;     // load_sums: 1: of V, 0: of weight
  uint32_t slices;            // of load_sums
  uint32_t refactor_rows;     // of a block of refactor, at most FACTORED_REFACTOR_ROWS
  float a;                    // z: > 0
  float b;                    // z
  float epsilon;              // log_spherical_softmax: > 0
  float eta;                  // learning_rate
  float rho;                  // 1 - learning_rate weight_decay, above 0
} FactoredParams;
