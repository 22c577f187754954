// Targets, and what every loss on a row multiplies its gradient by.
#pragma once

#include "../common/status.cuh"
#include "../common/vector.cuh"
#include "spherical.h"

namespace oblate {
// Compared as i64, so that a u32 target never equals a negative ignore_index.
__device__ __forceinline__ int64_t load_index(const void* indices, uint32_t index_dtype, uint64_t i) {
  return index_dtype == INDEX_I64 ? static_cast<const int64_t*>(indices)[i]
                                  : static_cast<int64_t>(static_cast<const uint32_t*>(indices)[i]);
}

// The upstream gradient of the row's loss: grad_loss * row_weight / denominator, an absent one being 1.
template <class Params>
__device__ __forceinline__ float upstream(const Params& p, uint64_t row) {
  float w = p.grad_loss == nullptr ? 1.f : p.grad_loss[row * p.grad_loss_stride];
  if (p.row_weights != nullptr) w *= p.row_weights[row];
  return p.denominator == nullptr ? w : w / *p.denominator;
}

// No class: where a row's target would be.
constexpr uint32_t NO_TARGET = 0xffffffffu;

// Replaces the gradient of the row's only target, if it has one in [begin, end), by one lane.
template <class f, class Row>
__device__ __forceinline__ void store_target(const Row& row, f* gradient, uint64_t begin, uint64_t end) {
  if (row.target >= begin && row.target < end) gradient[row.target] = narrow<f>(row.target_gradient);
}

template <class Params>
__device__ __forceinline__ float weighted(const Params& p, uint64_t row, float loss) {
  return p.row_weights == nullptr ? loss : loss * p.row_weights[row];
}
}  // namespace oblate
