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

// Replaces the gradient of the row's only target, if it has one in [begin, end), by the first lane; that of element `begin`
// is at `gradient`.
template <class f, class Row, class Lanes>
__device__ __forceinline__ void store_target(const Row& row, f* gradient, uint32_t begin, uint32_t end,
                                             const Lanes& lanes) {
  if (lanes.index != 0 || row.target < begin || row.target >= end) return;
  gradient[row.target - begin] = narrow<f>(row.target_gradient);
}

// In the place of SeveralTargets, for losses that have one target a row.
struct OneTarget {
  template <class Params>
  __device__ __forceinline__ OneTarget(const Params&, unsigned char*, uint64_t, uint32_t) {}
  __device__ __forceinline__ static constexpr bool are_several() { return false; }
  __device__ __forceinline__ static constexpr bool any_in(uint32_t, uint32_t) { return false; }
  template <class Params>
  static __device__ __forceinline__ void stage(const Params&, unsigned char*, uint64_t, uint32_t, uint32_t, uint32_t,
                                               uint32_t) {}
  template <class Params, class Lanes>
  __device__ __forceinline__ void save(const Params&, uint64_t, const Lanes&) const {}
  template <class Params>
  __device__ __forceinline__ void restore(const Params&, uint64_t, uint32_t, uint32_t) const {}
};

template <class Params>
__device__ __forceinline__ float weighted(const Params& p, uint64_t row, float loss) {
  return p.row_weights == nullptr ? loss : loss * p.row_weights[row];
}
}  // namespace oblate
