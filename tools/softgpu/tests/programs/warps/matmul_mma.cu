// One 16 x 8 tile of C = A B' on the tensor core: bf16 operands by cp.async and ldmatrix, f32 sums.
#include <cuda_bf16.h>
extern "C" __global__ void matmul_mma(const __nv_bfloat16* a, const __nv_bfloat16* b, float* c, int k) {
  __shared__ __align__(16) __nv_bfloat16 tile_a[16][16], tile_b[8][16];
  const unsigned lane = threadIdx.x;
  float sum[4] = {0.f, 0.f, 0.f, 0.f};
  for (int first = 0; first < k; first += 16) {
    const unsigned to_a = static_cast<unsigned>(__cvta_generic_to_shared(&tile_a[lane / 2][8 * (lane % 2)]));
    const __nv_bfloat16* from_a = a + (lane / 2) * k + first + 8 * (lane % 2);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to_a), "l"(from_a) : "memory");
    if (lane < 16) {
      const unsigned to_b = static_cast<unsigned>(__cvta_generic_to_shared(&tile_b[lane / 2][8 * (lane % 2)]));
      const __nv_bfloat16* from_b = b + (lane / 2) * k + first + 8 * (lane % 2);
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to_b), "l"(from_b) : "memory");
    }
    asm volatile("cp.async.commit_group;\ncp.async.wait_group 0;" ::: "memory");
    __syncwarp();
    unsigned fa[4], fb[2];
    const unsigned row_a = static_cast<unsigned>(__cvta_generic_to_shared(&tile_a[lane % 16][8 * (lane / 16)]));
    const unsigned row_b = static_cast<unsigned>(__cvta_generic_to_shared(&tile_b[lane % 8][8 * (lane / 8 % 2)]));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(fa[0]), "=r"(fa[1]), "=r"(fa[2]), "=r"(fa[3])
                 : "r"(row_a));
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];" : "=r"(fb[0]), "=r"(fb[1]) : "r"(row_b));
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(fa[0]), "r"(fa[1]), "r"(fa[2]), "r"(fa[3]), "r"(fb[0]), "r"(fb[1]));
    __syncwarp();
  }
  const int row = lane / 4, column = 2 * (lane % 4);
  c[row * 8 + column] = sum[0];
  c[row * 8 + column + 1] = sum[1];
  c[(row + 8) * 8 + column] = sum[2];
  c[(row + 8) * 8 + column + 1] = sum[3];
}
