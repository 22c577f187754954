// The reductions of one block: see reduction.cu.
#pragma once

#include "../common/reduce.cuh"
#include "targets.cuh"

namespace oblate {
template <class Params>
__device__ __forceinline__ bool is_ignored(const Params& p, uint64_t row) {
  for (uint64_t j = 0; j < p.targets_per_row; ++j) {
    if (load_index(p.targets, p.index_dtype, row * p.targets_per_row + j) != p.ignore_index) return false;
  }
  return true;
}

// Of the rows that are not ignored, their number without weights; 1 when there is none.
template <int THREADS, class Params>
__device__ __forceinline__ void sum_of_weights(const Params& p, float* denominator) {
  __shared__ double weights[THREADS / WARP];
  __shared__ uint32_t counts[THREADS / WARP];
  double weight = 0.0;
  uint32_t count = 0;
  for (uint64_t row = threadIdx.x; row < p.rows; row += THREADS) {
    if (is_ignored(p, row)) continue;
    weight += p.row_weights == nullptr ? 1.0 : static_cast<double>(p.row_weights[row]);
    ++count;
  }
  weight = block_sum<THREADS>(weight, weights);
  count = block_sum<THREADS>(count, counts);
  if (threadIdx.x == 0) *denominator = count == 0 ? 1.f : static_cast<float>(weight);
}

template <int THREADS>
__device__ __forceinline__ void sum_of_rows(const float* values, uint64_t rows, const float* denominator, float* to) {
  __shared__ double sums[THREADS / WARP];
  double sum = 0.0;
  for (uint64_t row = threadIdx.x; row < rows; row += THREADS) sum += static_cast<double>(values[row]);
  sum = block_sum<THREADS>(sum, sums);
  if (threadIdx.x != 0) return;
  if (denominator != nullptr) sum /= static_cast<double>(*denominator);
  *to = static_cast<float>(sum);
}
}  // namespace oblate
