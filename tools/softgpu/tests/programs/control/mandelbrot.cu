// Escape times in f32, every operation rounded on its own, so that they can be compared exactly.
extern "C" __global__ void mandelbrot(unsigned* steps, int width, int height) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= width || y >= height) return;
  const float cr = __fsub_rn(__fdiv_rn(__fmul_rn(3.f, x), width), 2.f);
  const float ci = __fsub_rn(__fdiv_rn(__fmul_rn(2.f, y), height), 1.f);
  float zr = 0.f, zi = 0.f;
  unsigned n = 0;
  for (; n < 200; ++n) {
    const float rr = __fmul_rn(zr, zr), ii = __fmul_rn(zi, zi);
    if (__fadd_rn(rr, ii) > 4.f) break;
    zi = __fadd_rn(__fmul_rn(__fmul_rn(2.f, zr), zi), ci);
    zr = __fadd_rn(__fsub_rn(rr, ii), cr);
  }
  steps[y * width + x] = n;
}
