// What the bench times: loops whose warp instructions it counts, and a launch that does nothing.

extern "C" __global__ void empty() {}

// Integer and f32 arithmetic on registers.
extern "C" __global__ void arithmetic(const float* x, float* y, int rounds) {
  float a = x[threadIdx.x], b = 1.0f;
  int k = static_cast<int>(threadIdx.x);
#pragma unroll 8
  for (int i = 0; i < rounds; ++i) {
    a = fmaf(a, 0.999f, b);
    k = k * 5 + i;
    b = fmaxf(b, a) - 0.5f;
    k ^= k >> 3;
  }
  y[blockIdx.x * blockDim.x + threadIdx.x] = a + b + static_cast<float>(k);
}

// Contiguous loads and stores of 4 bytes, with the index arithmetic of a loop.
extern "C" __global__ void copy(const float* x, float* y, int rounds) {
  const int stride = blockDim.x;
  const float* from = x + blockIdx.x * stride * rounds + threadIdx.x;
  float* to = y + blockIdx.x * stride * rounds + threadIdx.x;
#pragma unroll 4
  for (int i = 0; i < rounds; ++i) to[i * stride] = from[i * stride];
}

// Loads and stores of shared memory: a row of a tile goes to the next, an element to each lane.
extern "C" __global__ void shared(const float* x, float* y, int rounds) {
  constexpr int ROWS = 8;
  __shared__ float tile[ROWS][256];
  float a = x[threadIdx.x];
  for (int row = 0; row < ROWS; ++row) tile[row][threadIdx.x] = a + static_cast<float>(row);
  for (int i = 0; i < rounds; ++i) {
#pragma unroll
    for (int row = 0; row < ROWS; ++row) {
      asm volatile("" ::: "memory");  // a register could hold the element: none but this thread touches it
      a += tile[row][threadIdx.x];
      tile[(row + 3) % ROWS][threadIdx.x] = a;
    }
  }
  y[blockIdx.x * blockDim.x + threadIdx.x] = a;
}

// Matrix products of 16 x 8 x 16 in bf16, four chains of sums a warp. The factors differ by element and lie between 1/8
// and 8 in magnitude.
extern "C" __global__ void mma(const float* x, float* y, int rounds) {
  float sums[4][4] = {};
  unsigned factors[6];
  unsigned seed = threadIdx.x * 0x9e3779b9u + 1u;
  for (unsigned& pair : factors) {
    seed = seed * 1664525u + 1013904223u;
    // Of each half: the sign, the exponent's field from 124 to 129, the fraction.
    const unsigned low = (seed >> 16) & 0x807fu | (124u + (seed >> 4) % 6u) << 7;
    seed = seed * 1664525u + 1013904223u;
    const unsigned high = (seed >> 16) & 0x807fu | (124u + (seed >> 4) % 6u) << 7;
    pair = low | high << 16;
  }
  for (int i = 0; i < rounds; ++i) {
#pragma unroll
    for (auto& sum : sums) {
      asm volatile(
          "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
          : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
          : "r"(factors[0]), "r"(factors[1]), "r"(factors[2]), "r"(factors[3]), "r"(factors[4]), "r"(factors[5]));
    }
  }
  float total = x[threadIdx.x];
  for (auto& sum : sums) total += sum[0] + sum[1] + sum[2] + sum[3];
  y[blockIdx.x * blockDim.x + threadIdx.x] = total;
}
