// Loops whose instructions the bench counts: what the device does in a second, checks on.

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
