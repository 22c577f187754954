// C = A B' of one tile in every type that the tensor core of sm_80 multiplies, its fragments straight from memory: in
// each type a row of A, and of B, is 8 words of 32 bits a step, and lane (g, t) holds words t and t + 4 of row g.
#define MATMUL(name, type, constraint, instruction)                                                                 \
  extern "C" __global__ void matmul_##name(const unsigned* a, const unsigned* b, type* c, int steps) {              \
    const int g = threadIdx.x / 4, t = threadIdx.x % 4, words = 8 * steps;                                          \
    type sum[4] = {};                                                                                               \
    for (int w = t; w < words; w += 8) {                                                                            \
      const unsigned *high = a + g * words + w, *low = high + 8 * words, *column = b + g * words + w;               \
      asm volatile(instruction " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"                             \
                   : "+" constraint(sum[0]), "+" constraint(sum[1]), "+" constraint(sum[2]), "+" constraint(sum[3]) \
                   : "r"(high[0]), "r"(low[0]), "r"(high[4]), "r"(low[4]), "r"(column[0]), "r"(column[4]));         \
    }                                                                                                               \
    for (int i = 0; i < 4; ++i) c[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = sum[i];                                  \
  }
MATMUL(bf16, float, "f", "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32")
MATMUL(f16, float, "f", "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32")
MATMUL(tf32, float, "f", "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32")
MATMUL(s8, int, "r", "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32")
MATMUL(u8, int, "r", "mma.sync.aligned.m16n8k32.row.col.s32.u8.u8.s32")
MATMUL(u8_s8, int, "r", "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32")
MATMUL(s8_saturated, int, "r", "mma.sync.aligned.m16n8k32.row.col.satfinite.s32.s8.s8.s32")
MATMUL(s4, int, "r", "mma.sync.aligned.m16n8k64.row.col.s32.s4.s4.s32")
MATMUL(u4, int, "r", "mma.sync.aligned.m16n8k64.row.col.s32.u4.u4.s32")

// f64 has a shape of its own: an element of A, of B and two of the sum a lane.
extern "C" __global__ void matmul_f64(const double* a, const double* b, double* c, int steps) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4, k = 4 * steps;
  double sum[2] = {};
  for (int i = t; i < k; i += 4)
    asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0,%1}, {%2}, {%3}, {%0,%1};"
                 : "+d"(sum[0]), "+d"(sum[1])
                 : "d"(a[g * k + i]), "d"(b[g * k + i]));
  c[g * 8 + 2 * t] = sum[0];
  c[g * 8 + 2 * t + 1] = sum[1];
}
