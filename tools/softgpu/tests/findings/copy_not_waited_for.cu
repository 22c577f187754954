// Reads what an asynchronous copy brings before waiting for it.
extern "C" __global__ void copy_not_waited_for(const int* x, int* y, int n) {
  __shared__ __align__(16) int tile[32];
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(&tile[threadIdx.x]));
  if (threadIdx.x < n) asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(x + threadIdx.x));
  asm volatile("cp.async.commit_group;" ::: "memory");
#ifndef FAULT
  asm volatile("cp.async.wait_group 0;" ::: "memory");
#endif
  if (threadIdx.x < n) y[threadIdx.x] = tile[threadIdx.x];
  asm volatile("cp.async.wait_group 0;" ::: "memory");
}
