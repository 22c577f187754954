// C = A B' of one tile in 8-bit floats, for compute_89: e4m3 and e5m2, also one by the other.
#define MATMUL(name, types)                                                                                 \
  extern "C" __global__ void matmul_##name(const unsigned* a, const unsigned* b, float* c, int steps) {     \
    const int g = threadIdx.x / 4, t = threadIdx.x % 4, words = 8 * steps;                                  \
    float sum[4] = {};                                                                                      \
    for (int w = t; w < words; w += 8) {                                                                    \
      const unsigned *high = a + g * words + w, *low = high + 8 * words, *column = b + g * words + w;       \
      asm volatile("mma.sync.aligned.m16n8k32.row.col.f32." types                                           \
                   ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"                             \
                   : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])                                 \
                   : "r"(high[0]), "r"(low[0]), "r"(high[4]), "r"(low[4]), "r"(column[0]), "r"(column[4])); \
    }                                                                                                       \
    for (int i = 0; i < 4; ++i) c[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = sum[i];                          \
  }
MATMUL(e4m3, "e4m3.e4m3")
MATMUL(e5m2, "e5m2.e5m2")
MATMUL(e4m3_e5m2, "e4m3.e5m2")
