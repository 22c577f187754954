// C = A B' in bf16 as a library does it: tiles of 128 x 128 x 32 in three stages of shared memory by cp.async, chunks of
// 16 bytes swizzled so that ldmatrix meets no bank conflict, eight warps of 64 x 32, f32 sums.
#include <cuda_bf16.h>

constexpr int TILE = 128, DEPTH = 32, STAGES = 3, CHUNKS = DEPTH / 8;
struct Stage {
  __nv_bfloat16 a[TILE * DEPTH], b[TILE * DEPTH];
};

// A row is 64 bytes: two rows fill the banks, so the chunk is moved by the pair that its row is of.
__device__ unsigned chunk(const __nv_bfloat16* tile, int row, int chunk) {
  const int moved = chunk ^ (row / 2 % CHUNKS);
  return static_cast<unsigned>(__cvta_generic_to_shared(tile + row * DEPTH + 8 * moved));
}

__device__ void load_tile(__nv_bfloat16* tile, const __nv_bfloat16* from, int k) {
  for (int i = threadIdx.x; i < TILE * CHUNKS; i += 256) {
    const int row = i / CHUNKS, column = i % CHUNKS;
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(chunk(tile, row, column)),
                 "l"(from + static_cast<size_t>(row) * k + 8 * column)
                 : "memory");
  }
}

__device__ void load_matrices(unsigned (&r)[4], unsigned address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

__device__ void multiply(float (&sum)[4][4][4], const Stage& stage, int row, int column) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int k = 0; k < CHUNKS; k += 2) {
    unsigned a[4][4], b[2][4];
#pragma unroll
    for (int i = 0; i < 4; ++i) load_matrices(a[i], chunk(stage.a, row + 16 * i + lane % 16, k + lane / 16));
#pragma unroll
    for (int j = 0; j < 2; ++j)
      load_matrices(b[j], chunk(stage.b, column + 16 * j + lane % 8 + lane / 16 * 8, k + lane / 8 % 2));
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        float(&c)[4] = sum[i][j];
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[i][0]), "r"(a[i][1]), "r"(a[i][2]), "r"(a[i][3]), "r"(b[j / 2][j % 2 * 2]),
              "r"(b[j / 2][j % 2 * 2 + 1]));
      }
  }
}

extern "C" __global__ void __launch_bounds__(256)
    three_stages(const __nv_bfloat16* a, const __nv_bfloat16* b, float* c, int n, int k) {
  __shared__ __align__(128) Stage stages[STAGES];
  const int warp = threadIdx.x / 32, row = 64 * (warp / 4), column = 32 * (warp % 4), steps = k / DEPTH;
  a += static_cast<size_t>(blockIdx.y) * TILE * k;
  b += static_cast<size_t>(blockIdx.x) * TILE * k;
  const auto fetch = [&](int step) {
    if (step < steps) {
      load_tile(stages[step % STAGES].a, a + DEPTH * step, k);
      load_tile(stages[step % STAGES].b, b + DEPTH * step, k);
    }
    asm volatile("cp.async.commit_group;" ::: "memory");  // empty at the end, so that the count of groups stays
  };
  for (int step = 0; step < STAGES - 1; ++step) fetch(step);
  float sum[4][4][4] = {};
  for (int step = 0; step < steps; ++step) {
    asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 2) : "memory");
    __syncthreads();  // this step's tile is there for all, and the last one's readers are done with theirs
    fetch(step + STAGES - 1);
    multiply(sum, stages[step % STAGES], row, column);
  }
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const size_t r = static_cast<size_t>(blockIdx.y) * TILE + row + 16 * i + lane / 4 + 8 * half;
        float* to = c + r * n + blockIdx.x * TILE + column + 8 * j + 2 * (lane % 4);
        *reinterpret_cast<float2*>(to) = make_float2(sum[i][j][2 * half], sum[i][j][2 * half + 1]);
      }
}
