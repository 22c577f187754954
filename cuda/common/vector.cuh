// Sixteen bytes of f32, f16 or bf16, and their elements as f32.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

namespace oblate {
template <class f>
constexpr int PER_VECTOR = 16 / sizeof(f);

// Whether f has f32's range.
template <class f>
constexpr bool IS_WIDE = true;
template <>
constexpr bool IS_WIDE<__half> = false;

__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ float widen(__half x) { return __half2float(x); }
__device__ __forceinline__ float widen(__nv_bfloat16 x) { return __bfloat162float(x); }

// Rounds to nearest even; what is beyond the type becomes infinite.
template <class f>
__device__ __forceinline__ f narrow(float x);
template <>
__device__ __forceinline__ float narrow<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ __half narrow<__half>(float x) {
  return __float2half_rn(x);
}
template <>
__device__ __forceinline__ __nv_bfloat16 narrow<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}

// The elements of one 32-bit word, the lower address first.
__device__ __forceinline__ void widen_word(uint32_t word, float (&x)[1], float) { x[0] = __uint_as_float(word); }
__device__ __forceinline__ void widen_word(uint32_t word, float (&x)[2], __half) {
  const float2 pair = __half22float2(*reinterpret_cast<const __half2*>(&word));
  x[0] = pair.x;
  x[1] = pair.y;
}
__device__ __forceinline__ void widen_word(uint32_t word, float (&x)[2], __nv_bfloat16) {
  x[0] = __uint_as_float(word << 16);  // bf16 is the upper half of f32
  x[1] = __uint_as_float(word & 0xffff0000u);
}

__device__ __forceinline__ uint32_t narrow_word(const float (&x)[1], float) { return __float_as_uint(x[0]); }
__device__ __forceinline__ uint32_t narrow_word(const float (&x)[2], __half) {
  const __half2 pair = __floats2half2_rn(x[0], x[1]);
  return *reinterpret_cast<const uint32_t*>(&pair);
}
__device__ __forceinline__ uint32_t narrow_word(const float (&x)[2], __nv_bfloat16) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(x[0], x[1]);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

template <class f>
__device__ __forceinline__ void widen_vector(uint4 v, float* x) {
  constexpr int PER_WORD = 4 / sizeof(f);
  const uint32_t words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
  for (int w = 0; w < 4; ++w) {
    float word[PER_WORD];
    widen_word(words[w], word, f());
#pragma unroll
    for (int e = 0; e < PER_WORD; ++e) x[w * PER_WORD + e] = word[e];
  }
}

template <class f>
__device__ __forceinline__ uint4 narrow_vector(const float* x) {
  constexpr int PER_WORD = 4 / sizeof(f);
  uint32_t words[4];
#pragma unroll
  for (int w = 0; w < 4; ++w) {
    float word[PER_WORD];
#pragma unroll
    for (int e = 0; e < PER_WORD; ++e) word[e] = x[w * PER_WORD + e];
    words[w] = narrow_word(word, f());
  }
  return make_uint4(words[0], words[1], words[2], words[3]);
}

// 16 bytes to global or to shared memory. Not an assignment: nvcc 13.0 takes one of four f32 apart into four stores.
__device__ __forceinline__ void store_vector(void* to, uint4 v) {
  asm volatile("st.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}

// The 16 bytes that start `bytes` (0 to 15, the same in the whole warp) into the 32 bytes lower, upper.
__device__ __forceinline__ uint4 shift_vector(uint4 lower, uint4 upper, uint32_t bytes) {
  uint32_t w[8] = {lower.x, lower.y, lower.z, lower.w, upper.x, upper.y, upper.z, upper.w};
  if (bytes & 8) {
#pragma unroll
    for (int i = 0; i < 6; ++i) w[i] = w[i + 2];
  }
  if (bytes & 4) {
#pragma unroll
    for (int i = 0; i < 5; ++i) w[i] = w[i + 1];
  }
  const uint32_t bits = 8 * (bytes & 3);
  return make_uint4(__funnelshift_r(w[0], w[1], bits), __funnelshift_r(w[1], w[2], bits),
                    __funnelshift_r(w[2], w[3], bits), __funnelshift_r(w[3], w[4], bits));
}
}  // namespace oblate
