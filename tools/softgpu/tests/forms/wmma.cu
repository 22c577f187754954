// nvcuda::wmma in every type: the forms that nvcc makes of it.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>

using namespace nvcuda;

template <class a, class c, int M, int N, int K, class row, class col>
__device__ void product(const a* A, const a* B, c* C, unsigned ldm) {
  wmma::fragment<wmma::matrix_a, M, N, K, a, row> x;
  wmma::fragment<wmma::matrix_b, M, N, K, a, col> y;
  wmma::fragment<wmma::accumulator, M, N, K, c> z;
  wmma::load_matrix_sync(x, A, ldm);
  wmma::load_matrix_sync(y, B, ldm);
  wmma::load_matrix_sync(z, C, N, wmma::mem_row_major);
  wmma::mma_sync(z, x, y, z);
  wmma::store_matrix_sync(C, z, N, wmma::mem_col_major);
}

extern "C" __global__ void halves(const __half* A, const __half* B, float* C, __half* H) {
  product<__half, float, 16, 16, 16, wmma::row_major, wmma::col_major>(A, B, C, 16);
  product<__half, float, 8, 32, 16, wmma::col_major, wmma::row_major>(A, B, C, 32);
  product<__half, __half, 32, 8, 16, wmma::row_major, wmma::row_major>(A, B, H, 16);
}
extern "C" __global__ void brains(const __nv_bfloat16* A, const __nv_bfloat16* B, float* C) {
  product<__nv_bfloat16, float, 16, 16, 16, wmma::row_major, wmma::col_major>(A, B, C, 16);
  product<__nv_bfloat16, float, 8, 32, 16, wmma::row_major, wmma::col_major>(A, B, C, 32);
}
extern "C" __global__ void integers(const signed char* A, const signed char* B, int* C) {
  product<signed char, int, 16, 16, 16, wmma::row_major, wmma::col_major>(A, B, C, 16);
  product<signed char, int, 32, 8, 16, wmma::col_major, wmma::col_major>(A, B, C, 32);
}
extern "C" __global__ void doubles(const double* A, const double* B, double* C) {
  product<double, double, 8, 8, 4, wmma::row_major, wmma::col_major>(A, B, C, 8);
}
extern "C" __global__ void tf32(const float* A, const float* B, float* C) {
  wmma::fragment<wmma::matrix_a, 16, 16, 8, wmma::precision::tf32, wmma::row_major> x;
  wmma::fragment<wmma::matrix_b, 16, 16, 8, wmma::precision::tf32, wmma::col_major> y;
  wmma::fragment<wmma::accumulator, 16, 16, 8, float> z;
  wmma::load_matrix_sync(x, A, 8);
  wmma::load_matrix_sync(y, B, 8);
  for (int i = 0; i < x.num_elements; ++i) x.x[i] = wmma::__float_to_tf32(x.x[i]);
  for (int i = 0; i < y.num_elements; ++i) y.x[i] = wmma::__float_to_tf32(y.x[i]);
  wmma::fill_fragment(z, 1.f);
  wmma::mma_sync(z, x, y, z);
  wmma::store_matrix_sync(C, z, 16, wmma::mem_row_major);
}
