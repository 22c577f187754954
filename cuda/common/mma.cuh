// The tensor cores' products of one warp, and how their operands come from shared memory (PTX ISA, "Warp Level Matrix
// Multiply-Accumulate Instructions").
//
// Fragments, by lane: g = lane / 4, t = lane % 4.
//
//   sums 16 x 8      c0 c1: row g, columns 2t, 2t + 1          c2 c3: row g + 8
//   A 16 x 16 of 16 bits   a0: row g, columns 2t, 2t + 1       a1: row g + 8     a2, a3: the same, columns + 8
//   B 16 x 8  of 16 bits   b0: rows 2t, 2t + 1, column g       b1: rows + 8
//   A 16 x 8  of tf32      a0: row g, column t                 a1: row g + 8     a2, a3: the same, column + 4
//   B 8 x 8   of tf32      b0: row t, column g                 b1: row + 4
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

namespace oblate {
__device__ __forceinline__ void mma_16x8x16(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, __half) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
__device__ __forceinline__ void mma_16x8x16(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                                            __nv_bfloat16) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
// The low 13 bits of each operand do not count.
__device__ __forceinline__ void mma_16x8x8_tf32(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Four 8 x 8 matrices of 16 bits, each row 16 bytes; lanes 8 i to 8 i + 7 point to the rows of matrix i. Lane l gets columns
// 2t, 2t + 1 of row g of each; of 32-bit elements, column t of row g of each 8 x 4.
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&to)[4], uint32_t shared) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared)
               : "memory");
}
// The same, each matrix transposed.
__device__ __forceinline__ void ldmatrix_x4_trans(uint32_t (&to)[4], uint32_t shared) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared)
               : "memory");
}

// To nearest, ties away from zero; NaN, whose bits would carry over, stays NaN.
__device__ __forceinline__ float round_tf32(float x) {
  return isnan(x) ? x : __uint_as_float((__float_as_uint(x) + 0x1000u) & 0xffffe000u);
}

// x = hi + lo up to 2^-23 x: hi is x rounded to tf32's 10 bits, lo the rest, whose own low bits the product drops. NaN stays
// NaN in lo, where rounding would turn some into zero; |x| within 2^-12 of overflow becomes NaN.
__device__ __forceinline__ void split_tf32(uint32_t x, uint32_t& hi, uint32_t& lo) {
  hi = (x + 0x1000u) & 0xffffe000u;
  lo = __float_as_uint(__uint_as_float(x) - __uint_as_float(hi));
}
}  // namespace oblate
