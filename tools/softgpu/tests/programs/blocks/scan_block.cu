// Inclusive prefix sums of a block's 256 integers, Hillis and Steele, two buffers in shared memory.
extern "C" __global__ void scan_block(const unsigned* x, unsigned* y) {
  __shared__ unsigned buffer[2][256];
  const unsigned t = threadIdx.x;
  int from = 0;
  buffer[0][t] = x[blockIdx.x * 256 + t];
  __syncthreads();
  for (unsigned step = 1; step < 256; step *= 2) {
    buffer[1 - from][t] = buffer[from][t] + (t >= step ? buffer[from][t - step] : 0);
    from = 1 - from;
    __syncthreads();
  }
  y[blockIdx.x * 256 + t] = buffer[from][t];
}
