// C = A B' in bf16 with f32 sums, as a tuned kernel is written: cp.async in three stages, ldmatrix, mma.
//
// Shapes    A bf16 [M, K], B bf16 [N, K] -> C f32 [M, N]; M and N multiples of 128, K of 32.
// Work      Grid (N / 128, M / 128): 256 threads for a tile of 128 x 128; a warp has 64 x 32 of it.
#include <cuda_bf16.h>

namespace {
constexpr int TILE = 128, DEPTH = 32, STAGES = 3, THREADS = 256;
constexpr int CHUNK = 8;  // elements of 16 bytes
constexpr int CHUNKS = DEPTH / CHUNK;

// A stage's rows of 64 bytes, four chunks each, swizzled: the 8 rows of a matrix that ldmatrix reads lie on all banks.
struct Tile {
  __nv_bfloat16 at[TILE * DEPTH];
  __device__ unsigned chunk(int row, int chunk) {
    const int to = row * DEPTH + CHUNK * (chunk ^ (row / 2 % CHUNKS));
    return static_cast<unsigned>(__cvta_generic_to_shared(at + to));
  }
};

__device__ void load_tile(Tile& tile, const __nv_bfloat16* from, int k) {
#pragma unroll
  for (int i = threadIdx.x; i < TILE * CHUNKS; i += THREADS) {
    const int row = i / CHUNKS, chunk = i % CHUNKS;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(tile.chunk(row, chunk)),
                 "l"(from + row * k + chunk * CHUNK)
                 : "memory");
  }
}

__device__ void ldmatrix_x4(unsigned (&to)[4], unsigned from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(from));
}
}  // namespace

extern "C" __global__ void __launch_bounds__(THREADS)
    gemm(const __nv_bfloat16* a, const __nv_bfloat16* b, float* c, int n, int k) {
  __shared__ __align__(128) Tile tile_a[STAGES], tile_b[STAGES];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int warp_row = 64 * (warp % 2), warp_column = 32 * (warp / 2);
  a += blockIdx.y * TILE * k;
  b += blockIdx.x * TILE * k;
  float sums[4][4][4] = {};
  const int steps = k / DEPTH;
  for (int stage = 0; stage < STAGES - 1; ++stage) {
    load_tile(tile_a[stage], a + stage * DEPTH, k);
    load_tile(tile_b[stage], b + stage * DEPTH, k);
    asm volatile("cp.async.commit_group;" ::: "memory");
  }
  for (int step = 0; step < steps; ++step) {
    asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 2) : "memory");
    __syncthreads();  // this step's tiles are there for all, and nobody still reads those of the step before
    const int next = step + STAGES - 1;
    if (next < steps) {
      load_tile(tile_a[next % STAGES], a + next * DEPTH, k);
      load_tile(tile_b[next % STAGES], b + next * DEPTH, k);
    }
    asm volatile("cp.async.commit_group;" ::: "memory");
    const int stage = step % STAGES;
#pragma unroll
    for (int half = 0; half < DEPTH / 16; ++half) {
      unsigned fa[4][4], fb[2][4];
#pragma unroll
      for (int i = 0; i < 4; ++i)
        ldmatrix_x4(fa[i], tile_a[stage].chunk(warp_row + 16 * i + lane % 16, 2 * half + lane / 16));
#pragma unroll
      for (int j = 0; j < 2; ++j)
        ldmatrix_x4(fb[j],
                    tile_b[stage].chunk(warp_column + 16 * j + lane % 8 + 8 * (lane / 16), 2 * half + lane / 8 % 2));
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          float(&sum)[4] = sums[i][j];
          asm volatile(
              "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
              "{%0,%1,%2,%3};"
              : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
              : "r"(fa[i][0]), "r"(fa[i][1]), "r"(fa[i][2]), "r"(fa[i][3]), "r"(fb[j / 2][2 * (j % 2)]),
                "r"(fb[j / 2][2 * (j % 2) + 1]));
        }
      }
    }
  }
  asm volatile("cp.async.wait_all;" ::: "memory");
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int row = blockIdx.y * TILE + warp_row + 16 * i + lane / 4;
      const int column = blockIdx.x * TILE + warp_column + 8 * j + 2 * (lane % 4);
      *reinterpret_cast<float2*>(c + row * n + column) = make_float2(sums[i][j][0], sums[i][j][1]);
      *reinterpret_cast<float2*>(c + (row + 8) * n + column) = make_float2(sums[i][j][2], sums[i][j][3]);
    }
  }
}
