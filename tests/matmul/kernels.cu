// The tiled matmul by itself, its tiles stored as they are: what tests/matmul checks.
//
//   C[m, n] = sum_k A[m, k] B[n, k]
//
// Grid as many blocks as one likes; entry points matmul_TILE_DTYPE_LAYOUT_COPY: LAYOUT names A and B, n with k contiguous, t
// with k strided.
#include "common/matmul.cuh"

struct MatmulParams {
  const void *a, *b;
  float* c;
  uint64_t m, n, k, a_stride, b_stride;
};

namespace oblate {
template <class Tile, class f, bool A_STRIDED, bool B_STRIDED, bool ALIGNED>
__device__ void store_product(const MatmulParams& p) {
  extern __shared__ uint4 stages[];
  using Product = Matmul<Tile, f, A_STRIDED, B_STRIDED, ALIGNED>;
  Product product(stages, {static_cast<const f*>(p.a), p.m, p.k, p.a_stride},
                  {static_cast<const f*>(p.b), p.n, p.k, p.b_stride});
  // Runs of two tiles, the last maybe of one.
  const auto tiles_m = static_cast<uint32_t>((p.m + Tile::BM - 1) / Tile::BM);
  const auto tiles_n = static_cast<uint32_t>((p.n + Tile::BN - 1) / Tile::BN), runs = (tiles_n + 1) / 2;
  for (uint32_t t = blockIdx.x; t < tiles_m * runs; t += gridDim.x) {
    const TileAt at = tile_at(t, tiles_m, runs, 2);
    product.tiles(static_cast<uint64_t>(at.m) * Tile::BM, static_cast<uint64_t>(at.n) * 2 * Tile::BN,
                  min(2u, tiles_n - 2 * at.n),
                  [&](typename Product::Sums& sums) { store(sums, p.c, p.m, p.n, p.n, p.n % 4 == 0); });
  }
}
}  // namespace oblate

#define ENTRY(tile, Tile, dtype, f, layout, A_STRIDED, B_STRIDED, copy, ALIGNED)            \
  extern "C" __global__ void __launch_bounds__(oblate::Tile<f>::THREADS, 1)                 \
      matmul_##tile##_##dtype##_##layout##_##copy(const __grid_constant__ MatmulParams p) { \
    oblate::store_product<oblate::Tile<f>, f, A_STRIDED, B_STRIDED, ALIGNED>(p);            \
  }
#define COPIES(tile, Tile, dtype, f, layout, A_STRIDED, B_STRIDED)         \
  ENTRY(tile, Tile, dtype, f, layout, A_STRIDED, B_STRIDED, aligned, true) \
  ENTRY(tile, Tile, dtype, f, layout, A_STRIDED, B_STRIDED, unaligned, false)
#define LAYOUTS(tile, Tile, dtype, f)            \
  COPIES(tile, Tile, dtype, f, nn, false, false) \
  COPIES(tile, Tile, dtype, f, nt, false, true)  \
  COPIES(tile, Tile, dtype, f, tn, true, false)  \
  COPIES(tile, Tile, dtype, f, tt, true, true)
#define DTYPES(tile, Tile)         \
  LAYOUTS(tile, Tile, f32, float)  \
  LAYOUTS(tile, Tile, f16, __half) \
  LAYOUTS(tile, Tile, bf16, __nv_bfloat16)
DTYPES(medium, Medium)
DTYPES(small, Small)
