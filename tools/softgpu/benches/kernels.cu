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

// Matrix products of 16 x 8 x 16 in bf16, four chains of sums a warp.
extern "C" __global__ void mma(const float* x, float* y, int rounds) {
  float sums[4][4] = {};
  const unsigned one = 0x3f803f80u, two = 0x40004000u;  // bf16 pairs of 1 and of 2
  for (int i = 0; i < rounds; ++i) {
#pragma unroll
    for (auto& sum : sums) {
      asm volatile(
          "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%4,%4,%4}, {%5,%5}, {%0,%1,%2,%3};"
          : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
          : "r"(one), "r"(two));
    }
  }
  float total = x[threadIdx.x];
  for (auto& sum : sums) total += sum[0] + sum[1] + sum[2] + sum[3];
  y[blockIdx.x * blockDim.x + threadIdx.x] = total;
}
