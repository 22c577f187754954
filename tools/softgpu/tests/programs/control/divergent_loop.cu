// Length of the Collatz sequence from i + 1: every lane leaves the loop at its own time, some by an early return.
extern "C" __global__ void divergent_loop(unsigned* length, unsigned limit) {
  unsigned long long x = blockIdx.x * blockDim.x + threadIdx.x + 1;
  unsigned* mine = &length[x - 1];
  if (x % 7 == 0) {
    *mine = 0;
    return;
  }
  unsigned steps = 0;
  while (x != 1) {
    if (++steps == limit) break;
    if (x % 2 == 0) {
      x /= 2;
      continue;
    }
    x = 3 * x + 1;
  }
  *mine = steps;
}
