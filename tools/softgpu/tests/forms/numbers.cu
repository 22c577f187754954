// The intrinsics of cuda_fp16.h, cuda_bf16.h and cuda_fp8.h, of integers and of bits: the forms that nvcc makes of them.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

template <class two>
__device__ two functions(two x, two y) {
  two r = __hfma2(x, y, __hadd2(x, __hmul2(y, x)));
  r = __hmax2(__hmin2(r, x), __hsub2(x, y));
  r = __hfma2_relu(r, __habs2(y), __hneg2(x));
  r = h2exp2(h2sqrt(h2rcp(__hmax2_nan(r, y))));
  r = __hadd2(r, h2log2(h2rsqrt(h2tanh(x))));
  return __heq2(r, x) + h2floor(r) + h2rint(y);
}

extern "C" __global__ void halves(__half2* a, __nv_bfloat162* b) {
  a[0] = functions(a[1], a[2]);
  b[0] = functions(b[1], b[2]);
}

extern "C" __global__ void conversions(float* f, double* d, __half* h, __nv_bfloat16* b, long long* l,
                                       unsigned char* e) {
  h[0] = __float2half_rz(f[0]) + __int2half_rn(static_cast<int>(l[0])) + __double2half(d[0]);
  b[0] = __float2bfloat16_rd(f[1]) + __ull2bfloat16_rz(static_cast<unsigned long long>(l[1]));
  f[2] = __half2float(h[1]) + __bfloat162float(b[1]) + __double2float_ru(d[1]) + __ll2float_rd(l[2]);
  l[3] = __half2ll_rz(h[2]) + __float2ll_ru(f[3]) + __double2ull_rn(d[2]) + __bfloat162short_rz(b[2]);
  e[0] = __nv_cvt_float_to_fp8(f[4], __NV_SATFINITE, __NV_E4M3);
  e[1] = __nv_cvt_halfraw_to_fp8(h[3], __NV_SATFINITE, __NV_E5M2);
  h[4] = __half(__nv_cvt_fp8_to_halfraw(e[2], __NV_E4M3));
}

extern "C" __global__ void functions_of_reals(float* f, double* d) {
  f[0] = sinf(f[1]) + cosf(f[2]) + expf(f[3]) + logf(f[4]) + powf(f[5], f[6]) + tanhf(f[7]) + erff(f[8]);
  f[9] = __sinf(f[1]) + __cosf(f[2]) + __expf(f[3]) + __logf(f[4]) + __fdividef(f[5], f[6]) + __frsqrt_rn(f[7]);
  f[10] = __fmaf_rz(f[1], f[2], f[3]) + __fadd_rd(f[4], f[5]) + __fsqrt_ru(f[6]) + __frcp_rz(f[7]) + __saturatef(f[8]);
  d[0] = sin(d[1]) + exp(d[2]) + log(d[3]) + pow(d[4], d[5]) + rsqrt(d[6]) + cbrt(d[7]) + lgamma(d[8]);
  d[9] =
      __dadd_rz(d[1], d[2]) + __dmul_ru(d[3], d[4]) + __ddiv_rd(d[5], d[6]) + __dsqrt_rz(d[7]) + fma(d[1], d[2], d[3]);
}

extern "C" __global__ void integers(int* i, unsigned* u, long long* l) {
  u[0] = __dp4a(u[1], u[2], u[3]) + __dp2a_lo(u[4], u[5], u[6]) + __sad(i[0], i[1], u[7]) + __usad(u[1], u[2], u[3]);
  u[8] = __vadd4(u[1], u[2]) + __vabsdiffu4(u[3], u[4]) + __vmaxs2(u[5], u[6]) + __vcmpgtu4(u[7], u[1]) +
         __vsads2(u[1], u[2]);
  u[9] = __brev(u[1]) + __clz(i[2]) + __ffs(i[3]) + __popc(u[4]) + __fns(u[5], 3, 2) + __byte_perm(u[1], u[2], 0x5410);
  u[10] = __funnelshift_l(u[1], u[2], u[3]) + __funnelshift_rc(u[1], u[2], u[3]) + __umulhi(u[1], u[2]) +
          __mul24(i[1], i[2]);
  l[0] = __mul64hi(l[1], l[2]) + __clzll(l[3]) + __popcll(l[4]) + l[5] / l[6] + l[7] % 10 + __ffsll(l[8]);
  u[11] = __viaddmax_s32(i[1], i[2], i[3]) + __vimax3_u32(u[1], u[2], u[3]) + __rhadd(i[1], i[2]) + abs(i[4]);
}
