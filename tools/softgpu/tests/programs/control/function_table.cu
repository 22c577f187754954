// Functions called through a table in global memory, and one handed over as an argument: indirect calls in a divergent warp.
using Function = float (*)(float, float);
__device__ __noinline__ float sum(float a, float b) { return a + b; }
__device__ __noinline__ float difference(float a, float b) { return a - b; }
__device__ __noinline__ float product(float a, float b) { return a * b; }
__device__ __noinline__ float larger(float a, float b) { return fmaxf(a, b); }
__device__ Function table[4] = {sum, difference, product, larger};
__device__ __noinline__ float twice(Function f, float a, float b) { return f(f(a, b), b); }
extern "C" __global__ void function_table(const int* which, const float* a, const float* b, float* y, float* z) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const Function f = table[which[i]];
  y[i] = f(a[i], b[i]);
  z[i] = twice(table[(which[i] + 1) % 4], a[i], b[i]);
}
