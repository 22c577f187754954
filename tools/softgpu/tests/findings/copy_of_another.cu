// A thread's wait is for its own asynchronous copies: what others brought it may read behind a barrier.
extern "C" __global__ void copy_of_another(const int* x, int* y, int n) {
  __shared__ __align__(16) int stage[32];
  const int i = static_cast<int>(threadIdx.x);
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(&stage[i]));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(x + i % n) : "memory");
  asm volatile("cp.async.wait_all;" ::: "memory");
#ifndef FAULT
  __syncthreads();
#endif
  if (i < n) y[i] = stage[31 - i];
}
