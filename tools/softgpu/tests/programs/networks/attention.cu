// Attention that never holds its scores, of one head a block row: bf16 Q, K, V of width 64, tiles of 64 keys, the online
// softmax in registers, both products on the tensor core; causal or not.
#include <cuda_bf16.h>
constexpr int WIDTH = 64, TILE = 64, ROWS = 64, PITCH = WIDTH + 8;  // 144 bytes: ldmatrix meets no bank conflict

__device__ unsigned shared_address(const void* p) { return static_cast<unsigned>(__cvta_generic_to_shared(p)); }

__device__ void load_tile(__nv_bfloat16 (*tile)[PITCH], const __nv_bfloat16* from, int rows) {
  for (int i = threadIdx.x; i < TILE * WIDTH / 8; i += blockDim.x) {
    const int row = i / (WIDTH / 8), column = i % (WIDTH / 8) * 8, bytes = row < rows ? 16 : 0;  // zeros past the end
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(&tile[row][column])),
                 "l"(from + (row < rows ? row : 0) * WIDTH + column), "r"(bytes)
                 : "memory");
  }
}

__device__ void multiply(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ unsigned pack(float low, float high) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const unsigned*>(&both);
}

extern "C" __global__ void __launch_bounds__(128)
    attention(const __nv_bfloat16* q, const __nv_bfloat16* k, const __nv_bfloat16* v, float* out, int length,
              int causal, float scale) {
  __shared__ __align__(16) __nv_bfloat16 q_tile[ROWS][PITCH], k_tile[TILE][PITCH], v_tile[TILE][PITCH];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, first_row = blockIdx.x * ROWS;
  const size_t head = static_cast<size_t>(blockIdx.y) * length * WIDTH;
  load_tile(q_tile, q + head + first_row * WIDTH, length - first_row);
  asm volatile("cp.async.wait_all;" ::: "memory");
  __syncthreads();
  unsigned a[4][4];
  for (int i = 0; i < 4; ++i)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(a[i][0]), "=r"(a[i][1]), "=r"(a[i][2]), "=r"(a[i][3])
                 : "r"(shared_address(&q_tile[16 * warp + lane % 16][16 * i + lane / 16 * 8])));
  float sums[8][4] = {}, high[2] = {-INFINITY, -INFINITY}, total[2] = {};
  const int row = first_row + 16 * warp + lane / 4;
  const int end = causal ? min(length, first_row + ROWS) : length;
  for (int first = 0; first < end; first += TILE) {
    __syncthreads();  // the last tile's readers are done with it
    load_tile(k_tile, k + head + first * WIDTH, length - first);
    load_tile(v_tile, v + head + first * WIDTH, length - first);
    asm volatile("cp.async.wait_all;" ::: "memory");
    __syncthreads();
    float scores[8][4] = {};
#pragma unroll
    for (int j = 0; j < 8; ++j)
#pragma unroll
      for (int i = 0; i < 4; i += 2) {
        unsigned b[4];
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(b[0]), "=r"(b[1]), "=r"(b[2]), "=r"(b[3])
                     : "r"(shared_address(&k_tile[8 * j + lane % 8][16 * i + lane / 8 * 8])));
        multiply(scores[j], a[i], b[0], b[1]);
        multiply(scores[j], a[i + 1], b[2], b[3]);
      }
    float tile_high[2] = {high[0], high[1]};
#pragma unroll
    for (int j = 0; j < 8; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int column = first + 8 * j + 2 * (lane % 4) + e % 2;
        const bool seen = column < length && (!causal || column <= row + 8 * (e / 2));
        scores[j][e] = seen ? scores[j][e] * scale : -INFINITY;
        tile_high[e / 2] = fmaxf(tile_high[e / 2], scores[j][e]);
      }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      for (int step = 1; step < 4; step *= 2)
        tile_high[half] = fmaxf(tile_high[half], __shfl_xor_sync(0xffffffffu, tile_high[half], step));
      const float shrink = high[half] == tile_high[half] ? 1.f : expf(high[half] - tile_high[half]);
      high[half] = tile_high[half];
      total[half] *= shrink;
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        sums[j][2 * half] *= shrink;
        sums[j][2 * half + 1] *= shrink;
      }
    }
#pragma unroll
    for (int j = 0; j < 8; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        scores[j][e] = expf(scores[j][e] - high[e / 2]);
        total[e / 2] += scores[j][e];
      }
      // The fragment of the scores' sum is that of the next product's first factor.
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const unsigned p[4] = {pack(scores[2 * i][0], scores[2 * i][1]), pack(scores[2 * i][2], scores[2 * i][3]),
                             pack(scores[2 * i + 1][0], scores[2 * i + 1][1]),
                             pack(scores[2 * i + 1][2], scores[2 * i + 1][3])};
#pragma unroll
      for (int j = 0; j < 8; j += 2) {
        unsigned b[4];
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(b[0]), "=r"(b[1]), "=r"(b[2]), "=r"(b[3])
                     : "r"(shared_address(&v_tile[16 * i + lane % 16][8 * j + lane / 16 * 8])));
        multiply(sums[j], p, b[0], b[1]);
        multiply(sums[j + 1], p, b[2], b[3]);
      }
    }
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    for (int step = 1; step < 4; step *= 2) total[half] += __shfl_xor_sync(0xffffffffu, total[half], step);
    if (row + 8 * half >= length) continue;
#pragma unroll
    for (int j = 0; j < 8; ++j)
#pragma unroll
      for (int e = 0; e < 2; ++e)
        out[head + (row + 8 * half) * WIDTH + 8 * j + 2 * (lane % 4) + e] = sums[j][2 * half + e] / total[half];
  }
}
