// What reduction = sum and mean need beside the row kernels: the mean's denominator, and the sum of the row values.
//
//   denominator = sum of row_weights over the rows that are not ignored (their number without weights)
//   loss = sum_b loss_b [/ denominator]
//
// Shapes    targets [B] or [B, K], row_weights f32 [B] -> denominator f32 []; row values f32 [B] -> loss f32 []. A row is
//           ignored when each of its K targets is ignore_index; when all are, the denominator is 1 and the loss 0.
// Source    The definition of the reductions.
// Work      One block: row b belongs to thread b mod REDUCTION_THREADS, which adds its rows in order; then one tree.
// Traffic   Reads the targets and weights, or the row values, once: 1/D of what the row kernels move.
// Numerics  f64 sums, one rounding to f32 at the end: with n = ceil(B/1024) + 10, within u + n 2^-53 of exact relative
//           to the sum of absolute values. A few additions per row: f64 costs nothing here, even at 1/64 rate.
#include "../common/reduce.cuh"
#include "targets.cuh"

namespace oblate {
__device__ __forceinline__ bool is_ignored(const ReductionDenominatorParams& p, uint64_t row) {
  for (uint64_t j = 0; j < p.targets_per_row; ++j) {
    if (load_index(p.targets, p.index_dtype, row * p.targets_per_row + j) != p.ignore_index) return false;
  }
  return true;
}
}  // namespace oblate

extern "C" __global__ void __launch_bounds__(REDUCTION_THREADS)
    reduction_denominator(const __grid_constant__ ReductionDenominatorParams p) {
  __shared__ double weights[REDUCTION_THREADS / oblate::WARP];
  __shared__ uint32_t counts[REDUCTION_THREADS / oblate::WARP];
  double weight = 0.0;
  uint32_t count = 0;
  for (uint64_t row = threadIdx.x; row < p.rows; row += REDUCTION_THREADS) {
    if (oblate::is_ignored(p, row)) continue;
    weight += p.row_weights == nullptr ? 1.0 : static_cast<double>(p.row_weights[row]);
    ++count;
  }
  weight = oblate::block_sum<REDUCTION_THREADS>(weight, weights);
  count = oblate::block_sum<REDUCTION_THREADS>(count, counts);
  if (threadIdx.x == 0) *p.denominator = count == 0 ? 1.f : static_cast<float>(weight);
}

extern "C" __global__ void __launch_bounds__(REDUCTION_THREADS)
    reduction_sum(const __grid_constant__ ReductionSumParams p) {
  __shared__ double sums[REDUCTION_THREADS / oblate::WARP];
  const float* const values = blockIdx.x == 0 ? p.row_losses : p.row_penalties;
  double sum = 0.0;
  for (uint64_t row = threadIdx.x; row < p.rows; row += REDUCTION_THREADS) sum += static_cast<double>(values[row]);
  sum = oblate::block_sum<REDUCTION_THREADS>(sum, sums);
  if (threadIdx.x != 0) return;
  if (p.denominator != nullptr) sum /= static_cast<double>(*p.denominator);
  *(blockIdx.x == 0 ? p.loss : p.penalty) = static_cast<float>(sum);
}
