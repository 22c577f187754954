// D = 2 (A B + C) through nvcuda::wmma, a warp a tile: bf16, f16 in three shapes, also with f16 sums, tf32, s8, u8
// and f64.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>
using namespace nvcuda::wmma;

template <class T, class Element, class Sum, int M, int N, int K>
__device__ void multiply(const Element* a, const Element* b, const Sum* c, Sum* d, int n, int k) {
  const int row = M * blockIdx.y, column = N * blockIdx.x;
  fragment<matrix_a, M, N, K, T, row_major> a_tile;
  fragment<matrix_b, M, N, K, T, col_major> b_tile;
  fragment<accumulator, M, N, K, Sum> sum;
  load_matrix_sync(sum, c + row * n + column, n, mem_row_major);
  for (int i = 0; i < k; i += K) {
    load_matrix_sync(a_tile, a + row * k + i, k);
    load_matrix_sync(b_tile, b + column * k + i, k);
    mma_sync(sum, a_tile, b_tile, sum);
  }
  for (int i = 0; i < sum.num_elements; ++i) sum.x[i] = sum.x[i] + sum.x[i];
  store_matrix_sync(d + row * n + column, sum, n, mem_row_major);
}

#define WMMA(name, T, Element, Sum, M, N, K)                                                                       \
  extern "C" __global__ void wmma_##name(const Element* a, const Element* b, const Sum* c, Sum* d, int n, int k) { \
    multiply<T, Element, Sum, M, N, K>(a, b, c, d, n, k);                                                          \
  }
WMMA(bf16, __nv_bfloat16, __nv_bfloat16, float, 16, 16, 16)
WMMA(f16, __half, __half, float, 16, 16, 16)
WMMA(f16_wide, __half, __half, float, 8, 32, 16)
WMMA(f16_sum16, __half, __half, __half, 16, 16, 16)
WMMA(tf32, precision::tf32, float, float, 16, 16, 8)
WMMA(s8, signed char, signed char, int, 16, 16, 16)
WMMA(u8_tall, unsigned char, unsigned char, int, 32, 8, 16)
WMMA(f64, double, double, double, 8, 8, 4)
