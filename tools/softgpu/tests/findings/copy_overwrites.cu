// An asynchronous copy fills a stage again that another thread may still read.
extern "C" __global__ void copy_overwrites(const int* x, int* y, int n) {
  __shared__ __align__(16) int stage[64];
  const int i = static_cast<int>(threadIdx.x);
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(&stage[i]));
  int sum = 0;
  for (int k = 0; k < 2; ++k) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(x + (i + k) % n) : "memory");
    asm volatile("cp.async.wait_all;" ::: "memory");
    __syncthreads();
    sum += stage[63 - i];
#ifndef FAULT
    __syncthreads();
#endif
  }
  if (i < n) y[i] = sum;
}
