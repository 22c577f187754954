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
#include "reduction.cuh"

extern "C" __global__ void __launch_bounds__(REDUCTION_THREADS)
    reduction_denominator(const __grid_constant__ ReductionDenominatorParams p) {
  oblate::sum_of_weights<REDUCTION_THREADS>(p, p.denominator);
}

extern "C" __global__ void __launch_bounds__(REDUCTION_THREADS)
    reduction_sum(const __grid_constant__ ReductionSumParams p) {
  oblate::sum_of_rows<REDUCTION_THREADS>(blockIdx.x == 0 ? p.row_losses : p.row_penalties, p.rows, p.denominator,
                                         blockIdx.x == 0 ? p.loss : p.penalty);
}
