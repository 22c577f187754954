// f16 and bf16: packed arithmetic, comparisons through conversion, rounding on the way back.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
extern "C" __global__ void halves(const __half2* x, const __half2* y, __half2* fma, __half2* sum, const float* f,
                                  __nv_bfloat16* bf, __half* h, float* back) {
  const int t = threadIdx.x;
  fma[t] = __hfma2(x[t], y[t], x[t]);
  sum[t] = __hadd2(x[t], __hneg2(y[t]));
  bf[t] = __float2bfloat16(f[t]);
  h[t] = __float2half(f[t]);
  back[t] = __bfloat162float(bf[t]) + __half2float(h[t]);
}
