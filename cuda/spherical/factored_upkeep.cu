// spherical.factored between steps: a layer is loaded, kept well conditioned, and written out as W.
//
//   load      centre = W'1/D (z alone; else 0), V = W - 1 centre', U = T = I, omega = 0, row_sum = V'1, Q = V'V
//   newton    T <- T (2 I - U'T)                          takes the error E of U'T = I + E to -E^2
//   measure   the largest singular value of U and the least, by way of T; and the largest |U'T - I|
//   invert    T = U^-T afresh, where newton would not converge
//   refactor  V <- V U; U = T = I                         W, Q, row_sum and omega stay as they are
//   expand    W = V U + 1 (omega + centre)'
//
// Shapes    weight [D, d] in and out; the state of factored.h. f32.
// Source    Vincent, de Brebisson, Bouthillier 2015 (the step and why U must be kept well conditioned), Schulz 1933 (newton).
// Work      load D d^2 flops, newton 4 d^3, refactor and expand 2 D d^2.
// Traffic   load 12 D d bytes and the tiles of Q; expand and refactor 8 D d.
// Numerics  Sums over the classes in f64, or of every 2048 by themselves. The start of `measure` is fixed: its singular
//           values are those after MEASURE_STEPS steps of the power method, from below.
#include "../common/matmul.cuh"
#include "../common/solve.cuh"
#include "spherical.h"

namespace oblate {
constexpr int THREADS = FACTORED_THREADS;
constexpr int MEASURE_STEPS = 16;
constexpr uint32_t FOLD = 2048;  // classes of a sum of its own in Q
using UpkeepTile = Small<float>;

__device__ __forceinline__ uint32_t tiles_of(uint64_t size) {
  return static_cast<uint32_t>((size + FACTORED_TILE - 1) / FACTORED_TILE);
}
__device__ __forceinline__ uint64_t thread_of_grid() {
  return static_cast<uint64_t>(blockIdx.x) * THREADS + threadIdx.x;
}
__device__ __forceinline__ uint64_t threads_of_grid() { return static_cast<uint64_t>(gridDim.x) * THREADS; }

// ---- load

// Column j of a slice of the classes.
__device__ __forceinline__ void load_sums(const FactoredParams& p) {
  const uint64_t j = thread_of_grid(), slice = blockIdx.y, slices = gridDim.y;
  if (j >= p.width) return;
  const float* const matrix = p.sums_are_of_v ? p.v : p.weight;
  const uint64_t stride = p.sums_are_of_v ? p.stride : p.width;
  double sum = 0.0;
  for (uint64_t c = p.classes * slice / slices; c < p.classes * (slice + 1) / slices; ++c) {
    sum += static_cast<double>(matrix[c * stride + j]);
  }
  p.sums[slice * p.width + j] = sum;
}

__device__ __forceinline__ double column_sum(const FactoredParams& p, uint64_t j) {
  double sum = 0.0;
  for (uint32_t slice = 0; slice < p.slices; ++slice) sum += p.sums[slice * p.width + j];
  return sum;
}

__device__ __forceinline__ void load(const FactoredParams& p) {
  const auto classes = static_cast<double>(p.classes);
  for (uint64_t j = thread_of_grid(); j < p.width; j += threads_of_grid()) {
    p.centre[j] = p.is_centred ? static_cast<float>(column_sum(p, j) / classes) : 0.f;
    p.omega[j] = 0.f;
  }
  for (uint64_t e = thread_of_grid(); e < p.classes * p.width; e += threads_of_grid()) {
    const uint64_t c = e / p.width, j = e % p.width;
    const float centre = p.is_centred ? static_cast<float>(column_sum(p, j) / classes) : 0.f;
    p.v[c * p.stride + j] = p.weight[e] - centre;
  }
}

// The identity, in U and in T.
__device__ __forceinline__ void reset(const FactoredParams& p) {
  for (uint64_t e = thread_of_grid(); e < p.width * p.width; e += threads_of_grid()) {
    const uint64_t i = e / p.width, j = e % p.width;
    p.u[i * p.stride + j] = p.t[i * p.stride + j] = i == j ? 1.f : 0.f;
  }
}

// A tile of Q on or above the diagonal, and its mirror image; the first one of a row, row_sum too.
__device__ __forceinline__ void load_gram(const FactoredParams& p) {
  extern __shared__ uint4 stages[];
  using Product = Matmul<UpkeepTile, float, true, true, true>;
  uint32_t t = blockIdx.x, m = 0;
  for (const uint32_t tiles = tiles_of(p.width); t >= tiles - m; ++m) t -= tiles - m;
  if (t == 0 && threadIdx.x < FACTORED_TILE) {
    const uint64_t j = static_cast<uint64_t>(m) * FACTORED_TILE + threadIdx.x;
    if (j < p.width) p.row_sum[j] = p.is_centred ? 0.f : static_cast<float>(column_sum(p, j));
  }
  Product product(stages, {p.v, p.width, p.classes, p.stride}, {p.v, p.width, p.classes, p.stride});
  bool is_first = true;
  const auto add = [&](auto& sums) {
    sums.each([&](uint64_t i, uint64_t j, float& sum) {
      if (i > j || j >= p.width) return;
      float& element = p.q[i * p.stride + j];
      element = is_first ? sum : element + sum;
      p.q[j * p.stride + i] = element;
    });
    is_first = false;
  };
  product.template folded_tiles<FOLD>(m * FACTORED_TILE, (m + t) * FACTORED_TILE, 1, add, add);
}

// ---- T as the inverse of U'

// 2 I - U'T; and T, which the next launch replaces.
__device__ __forceinline__ void newton_residual(const FactoredParams& p) {
  extern __shared__ uint4 stages[];
  const TileAt at = tile_at(blockIdx.x, tiles_of(p.width), tiles_of(p.width), 8);
  Matmul<UpkeepTile, float, true, true, true> product(stages, {p.u, p.width, p.width, p.stride},
                                                      {p.t, p.width, p.width, p.stride});
  product.tiles(at.m * FACTORED_TILE, at.n * FACTORED_TILE, 1, [&](auto& sums) {
    sums.each([&](uint64_t i, uint64_t j, float& sum) {
      if (i >= p.width || j >= p.width) return;
      p.residual[i * p.stride + j] = (i == j ? 2.f : 0.f) - sum;
      p.copy[i * p.stride + j] = p.t[i * p.stride + j];
    });
  });
}

__device__ __forceinline__ void newton(const FactoredParams& p) {
  extern __shared__ uint4 stages[];
  const TileAt at = tile_at(blockIdx.x, tiles_of(p.width), tiles_of(p.width), 8);
  Matmul<UpkeepTile, float, false, true, true> product(stages, {p.copy, p.width, p.width, p.stride},
                                                       {p.residual, p.width, p.width, p.stride});
  product.tiles(at.m * FACTORED_TILE, at.n * FACTORED_TILE, 1,
                [&](auto& sums) { store(sums, p.t, p.width, p.width, p.stride, true); });
}

// T' = U^-1: the factors of a copy of U, then the columns of its inverse, each a row of T.
__device__ __forceinline__ void invert(const FactoredParams& p) {
  extern __shared__ uint4 space[];
  for (uint32_t j = threadIdx.x; j < p.width; j += THREADS) {
    float norm = 0.f;
    for (uint64_t i = 0; i < p.width; ++i) {
      const float element = p.u[i * p.stride + j];
      p.copy[i * p.stride + j] = element;
      norm = fmaxf(norm, fabsf(element));
    }
    p.norms[j] = norm;
  }
  __syncthreads();
  factor<THREADS>(p.copy, static_cast<uint32_t>(p.width), p.stride, p.norms, p.pivots, reinterpret_cast<float*>(space),
                  FACTORED_SHARED / 4, [] {});
}

__device__ __forceinline__ void invert_substitute(const FactoredParams& p) {
  const uint64_t j = thread_of_grid();
  if (j >= p.width) return;
  float* const column = p.t + j * p.stride;
  for (uint64_t i = 0; i < p.width; ++i) column[i] = i == j ? 1.f : 0.f;
  substitute(p.copy, static_cast<uint32_t>(p.width), p.stride, p.pivots, column, 1);
}

// ---- measure

// The largest singular value of a matrix: |A'A x|^(1/2) after steps that keep |x| = 1. x and y have `width` elements.
__device__ __forceinline__ float largest_singular(const FactoredParams& p, const float* a, float* x, float* y) {
  __shared__ double partials[MEASURE_STEPS][THREADS / WARP];
  __shared__ float norm;
  float largest = 0.f;
  // No eigenvector of a matrix that one meets is orthogonal to it.
  for (uint32_t j = threadIdx.x; j < p.width; j += THREADS) x[j] = 1.f + 0.5f * __sinf(static_cast<float>(j % 4096));
#pragma unroll 1
  for (int step = 0; step < MEASURE_STEPS; ++step) {
    __syncthreads();  // x
    for (uint64_t i = warp_index(); i < p.width; i += THREADS / WARP) {
      float sum = 0.f;
      for (uint64_t j = lane_index(); j < p.width; j += WARP) sum = fmaf(a[i * p.stride + j], x[j], sum);
      sum = warp_sum(sum);
      if (lane_index() == 0) y[i] = sum;
    }
    __syncthreads();  // y = A x
    double square = 0.0;
    for (uint64_t j = threadIdx.x; j < p.width; j += THREADS) {
      float sum = 0.f;
      for (uint64_t i = 0; i < p.width; ++i) sum = fmaf(a[i * p.stride + j], y[i], sum);
      square += static_cast<double>(sum) * static_cast<double>(sum);
      x[j] = sum;
    }
    square = block_sum<THREADS>(square, partials[step]);
    if (threadIdx.x == 0) norm = static_cast<float>(sqrt(square));
    __syncthreads();
    largest = sqrtf(norm);
    for (uint64_t j = threadIdx.x; j < p.width; j += THREADS) x[j] /= norm;
  }
  __syncthreads();
  return largest;
}

// newton_residual has run: 2 I - U'T is there.
__device__ __forceinline__ void measure(const FactoredParams& p) {
  __shared__ float partials[THREADS / WARP];
  float most = 0.f;
  for (uint64_t i = 0; i < p.width; ++i) {
    for (uint64_t j = threadIdx.x; j < p.width; j += THREADS) {
      const float error = fabsf(p.residual[i * p.stride + j] - (i == j ? 1.f : 0.f));
      most = error > most || isnan(error) ? error : most;
    }
  }
#pragma unroll
  for (int step = WARP / 2; step > 0; step /= 2) {
    const float other = __shfl_xor_sync(ALL_LANES, most, step);
    most = other > most || isnan(other) ? other : most;
  }
  if (lane_index() == 0) partials[warp_index()] = most;
  __syncthreads();
  for (const float other : partials) most = other > most || isnan(other) ? other : most;
  float* const space = p.vectors;  // of 4 vectors
  const float of_u = largest_singular(p, p.u, space, space + p.stride);
  const float of_t = largest_singular(p, p.t, space + 2 * p.stride, space + 3 * p.stride);
  if (threadIdx.x == 0) {
    p.measured[FACTORED_LARGEST] = of_u;
    p.measured[FACTORED_LEAST] = 1.f / of_t;
    p.measured[FACTORED_INVERSE_ERROR] = most;
  }
}

// ---- V and W

// Rows of V times U, in their place: a block's are in shared memory, as many columns at a time as there is room for the
// sums of a column to stay in order.
__device__ __forceinline__ void refactor(const FactoredParams& p) {
  extern __shared__ uint4 space[];
  constexpr int ROWS = FACTORED_REFACTOR_ROWS;
  auto* const panel = reinterpret_cast<float*>(space);
  const uint64_t first = static_cast<uint64_t>(blockIdx.x) * p.refactor_rows;
  const auto count = static_cast<uint32_t>(min(static_cast<uint64_t>(p.refactor_rows), p.classes - first));
  for (uint64_t e = threadIdx.x; e < count * p.width; e += THREADS) {
    panel[e] = p.v[(first + e / p.width) * p.stride + e % p.width];
  }
  __syncthreads();
  for (uint64_t j = threadIdx.x; j < p.width; j += THREADS) {
    float sums[ROWS] = {};
    for (uint64_t k = 0; k < p.width; ++k) {
      const float u = p.u[k * p.stride + j];
#pragma unroll
      for (int row = 0; row < ROWS; ++row) {
        if (row < count) sums[row] = fmaf(panel[row * p.width + k], u, sums[row]);
      }
    }
#pragma unroll
    for (int row = 0; row < ROWS; ++row) {
      if (row < count) p.v[(first + row) * p.stride + j] = sums[row];
    }
  }
}

// U without its diagonal, for expand: the product with that is an f32 multiplication, so that W is V to the bit while U is I.
__device__ __forceinline__ void off_diagonal(const FactoredParams& p) {
  for (uint64_t e = thread_of_grid(); e < p.width * p.width; e += threads_of_grid()) {
    const uint64_t i = e / p.width, j = e % p.width;
    p.copy[i * p.stride + j] = i == j ? 0.f : p.u[i * p.stride + j];
  }
}

__device__ __forceinline__ void expand(const FactoredParams& p) {
  extern __shared__ uint4 stages[];
  const TileAt at = tile_at(blockIdx.x, tiles_of(p.classes), tiles_of(p.width), 8);
  Matmul<UpkeepTile, float, false, true, true> product(stages, {p.v, p.classes, p.width, p.stride},
                                                       {p.copy, p.width, p.width, p.stride});
  product.tiles(static_cast<uint64_t>(at.m) * FACTORED_TILE, at.n * FACTORED_TILE, 1, [&](auto& sums) {
    sums.each([&](uint64_t c, uint64_t j, float& sum) {
      if (c >= p.classes || j >= p.width) return;
      p.expanded[c * p.width + j] =
          fmaf(p.v[c * p.stride + j], p.u[j * p.stride + j], p.centre[j]) + (sum + p.omega[j]);
    });
  });
}
}  // namespace oblate

#define UPKEEP_ENTRY(kernel)                                        \
  extern "C" __global__ void __launch_bounds__(oblate::THREADS, 1)  \
      factored_##kernel(const __grid_constant__ FactoredParams p) { \
    oblate::kernel(p);                                              \
  }
UPKEEP_ENTRY(load_sums)
UPKEEP_ENTRY(load)
UPKEEP_ENTRY(reset)
UPKEEP_ENTRY(load_gram)
UPKEEP_ENTRY(newton_residual)
UPKEEP_ENTRY(newton)
UPKEEP_ENTRY(invert)
UPKEEP_ENTRY(invert_substitute)
UPKEEP_ENTRY(measure)
UPKEEP_ENTRY(refactor)
UPKEEP_ENTRY(off_diagonal)
UPKEEP_ENTRY(expand)
