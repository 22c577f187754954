// A small dense system A X = B by one block: LU with partial pivoting in panels of SOLVE_PANEL columns, then columns of X by
// as many blocks as one likes.
//
//   factor       A [n, n] -> L and U in its place, and the row that each column's pivot was exchanged with
//   substitute   column c of B [n, ...] -> column c of X, in its place; a thread each
//
// Source    Right-looking LU (Golub and Van Loan, Matrix Computations, 3.4), without exchanges in the columns of L that are
//           done: `substitute` exchanges as it comes to each panel.
// Work      2/3 n^3 and 2 n^2 a column, in fused multiply-adds. A panel is in shared memory where it fits. The rest of the
//           matrix belongs to the threads by columns: a thread has the panel's U of a column in registers, and every row
//           costs it one load, SOLVE_PANEL multiply-adds with entries of L that all lanes read at once, and one store.
// Traffic   The part of the matrix right of and below each panel, once a panel: n^3 / (3 SOLVE_PANEL) elements, from L2.
#pragma once

#include "reduce.cuh"

namespace oblate {
constexpr int SOLVE_PANEL = 32;
// A pivot so small has lost 14 of f32's 24 bits, and what is divided by it loses as many.
constexpr float SOLVE_SINGULAR = 0x1p-14f;
constexpr int SOLVE_PITCH = SOLVE_PANEL + 1;  // a thread a row: rows then begin on different banks

// Rows `begin` and on of one column of the matrix or of B, whose panel is [begin, begin + width): exchanged, multiplied by
// the inverse of the panel's unit lower triangle, and its rows below reduced.
__device__ __forceinline__ void eliminate(float* column, uint32_t stride, const float* panel, uint32_t pitch,
                                          const uint32_t* pivots, uint32_t begin, uint32_t width, uint32_t n) {
  float u[SOLVE_PANEL];
#pragma unroll 1
  for (uint32_t j = begin; j < begin + width; ++j) {
    float &here = column[static_cast<uint64_t>(j) * stride], &there = column[static_cast<uint64_t>(pivots[j]) * stride];
    const float upper = there;
    there = here;
    here = upper;
  }
  float* const at = column + static_cast<uint64_t>(begin) * stride;
  uint64_t here = 0, row = 0;  // one offset each, not one for every row of the panel
#pragma unroll
  for (int j = 0; j < SOLVE_PANEL; ++j) {
    u[j] = j < width ? at[here] : 0.f;
#pragma unroll
    for (int i = 0; i < j; ++i) {
      if (j < width) u[j] -= panel[row + i] * u[i];
    }
    if (j < width) at[here] = u[j];
    here = kept(here + stride);
    row = kept(row + pitch);
  }
  for (uint32_t i = width; i < n - begin; ++i) {
    const float* const of_row = panel + static_cast<uint64_t>(i) * pitch;
    float& x = at[static_cast<uint64_t>(i) * stride];
    float sum = x;
#pragma unroll
    for (int j = 0; j < SOLVE_PANEL; ++j) sum -= of_row[j] * u[j];
    x = sum;
  }
}

// `space` holds `room` floats of shared memory. `norms` has for each column what a pivot is measured by: of one that is
// SOLVE_SINGULAR of it or less, `singular` is told. n and stride may be anything; every thread of the block calls it.
template <int THREADS, class Singular>
__device__ __forceinline__ void factor(float* matrix, uint32_t n, uint32_t stride, const float* norms, uint32_t* pivots,
                                       float* space, uint32_t room, Singular&& singular) {
  __shared__ float largest[THREADS / WARP];
  __shared__ uint32_t largest_at[THREADS / WARP];
  for (uint32_t begin = 0; begin < n; begin += SOLVE_PANEL) {
    const uint32_t width = min(SOLVE_PANEL, n - begin), height = n - begin;
    float* const corner = matrix + static_cast<uint64_t>(begin) * stride + begin;
    const bool is_shared = static_cast<uint64_t>(height) * SOLVE_PITCH <= room;
    float* const panel = is_shared ? space : corner;
    const uint32_t pitch = is_shared ? SOLVE_PITCH : stride;
    __syncthreads();  // what the panel before wrote
    if (is_shared) {
      for (uint64_t e = threadIdx.x; e < static_cast<uint64_t>(height) * SOLVE_PANEL; e += THREADS) {
        const uint32_t i = e / SOLVE_PANEL, j = e % SOLVE_PANEL;
        panel[i * pitch + j] = j < width ? corner[static_cast<uint64_t>(i) * stride + j] : 0.f;
      }
      __syncthreads();
    }
    for (uint32_t j = 0; j < width; ++j) {
      // The largest entry on or below the diagonal, of equal ones the upper.
      float most = -1.f;
      uint32_t at = j;
      for (uint32_t i = j + threadIdx.x; i < height; i += THREADS) {
        const float magnitude = fabsf(panel[static_cast<uint64_t>(i) * pitch + j]);
        if (magnitude > most) {
          most = magnitude;
          at = i;
        }
      }
      const auto take = [&](float other, uint32_t other_at) {
        if (other > most || (other == most && other_at < at)) {
          most = other;
          at = other_at;
        }
      };
#pragma unroll
      for (int step = WARP / 2; step > 0; step /= 2) {
        take(__shfl_xor_sync(ALL_LANES, most, step), __shfl_xor_sync(ALL_LANES, at, step));
      }
      if (lane_index() == 0) {
        largest[warp_index()] = most;
        largest_at[warp_index()] = at;
      }
      __syncthreads();
      for (int warp = 0; warp < THREADS / WARP; ++warp) take(largest[warp], largest_at[warp]);
      if (threadIdx.x == 0) {
        pivots[begin + j] = begin + at;
        if (most >= 0.f && most <= SOLVE_SINGULAR * norms[begin + j])
          singular();  // of a column of NaN, most is still -1
      }
      if (at != j && threadIdx.x < width) {
        float &here = panel[static_cast<uint64_t>(j) * pitch + threadIdx.x],
              &there = panel[static_cast<uint64_t>(at) * pitch + threadIdx.x];
        const float upper = there;
        there = here;
        here = upper;
      }
      __syncthreads();
      const float* const pivot_row = panel + static_cast<uint64_t>(j) * pitch;
      const float pivot = pivot_row[j];
      for (uint32_t i = j + 1 + threadIdx.x; i < height; i += THREADS) {
        float* const row = panel + static_cast<uint64_t>(i) * pitch;
        const float l = row[j] / pivot;
        row[j] = l;
        for (uint32_t c = j + 1; c < width; ++c) row[c] -= l * pivot_row[c];
      }
      __syncthreads();
    }
    if (is_shared) {
      for (uint64_t e = threadIdx.x; e < static_cast<uint64_t>(height) * SOLVE_PANEL; e += THREADS) {
        const uint32_t i = e / SOLVE_PANEL, j = e % SOLVE_PANEL;
        if (j < width) corner[static_cast<uint64_t>(i) * stride + j] = panel[i * pitch + j];
      }
    }
    for (uint32_t c = begin + width + threadIdx.x; c < n; c += THREADS) {
      eliminate(matrix + c, stride, panel, pitch, pivots, begin, width, n);
    }
  }
}

// One column of B, by one thread; `matrix` and `pivots` as `factor` leaves them.
__device__ __forceinline__ void substitute(const float* matrix, uint32_t n, uint32_t stride, const uint32_t* pivots,
                                           float* column, uint32_t column_stride) {
  for (uint32_t begin = 0; begin < n; begin += SOLVE_PANEL) {
    eliminate(column, column_stride, matrix + static_cast<uint64_t>(begin) * stride + begin, stride, pivots, begin,
              min(SOLVE_PANEL, n - begin), n);
  }
  for (uint32_t end = n; end > 0;) {
    const uint32_t begin = (end - 1) / SOLVE_PANEL * SOLVE_PANEL, width = end - begin;
    float x[SOLVE_PANEL];
#pragma unroll
    for (int k = 0; k < SOLVE_PANEL; ++k) {
      const int j = SOLVE_PANEL - 1 - k;
      if (j >= width) {
        x[j] = 0.f;
        continue;
      }
      const float* const row = matrix + static_cast<uint64_t>(begin + j) * stride + begin;
      float& at = column[static_cast<uint64_t>(begin + j) * column_stride];
      float sum = at;
#pragma unroll
      for (int i = SOLVE_PANEL - 1; i > j; --i) {
        if (i < width) sum -= row[i] * x[i];
      }
      x[j] = sum / row[j];
      at = x[j];
    }
    for (uint32_t i = 0; i < begin; ++i) {
      const float* const row = matrix + static_cast<uint64_t>(i) * stride + begin;
      float& at = column[static_cast<uint64_t>(i) * column_stride];
      float sum = at;
#pragma unroll
      for (int j = 0; j < SOLVE_PANEL; ++j) {
        if (j < width) sum -= row[j] * x[j];
      }
      at = sum;
    }
    end = begin;
  }
}
}  // namespace oblate
