// Exclusive prefix sums within segments of `width` lanes, by shfl.up, whose predicate says who has a left neighbour.
extern "C" __global__ void scan_warp(const int* x, int* y, int width) {
  const int lane = threadIdx.x % width;
  int sum = x[threadIdx.x];
  for (int step = 1; step < width; step *= 2) {
    const int left = __shfl_up_sync(0xffffffffu, sum, step, width);
    if (lane >= step) sum += left;
  }
  y[threadIdx.x] = sum - x[threadIdx.x];
}
