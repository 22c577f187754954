// Insertion sort of 16 values a thread, in an array that is indexed at run time and so lives in local memory.
extern "C" __global__ void local_array(const int* x, int* y) {
  int values[16];
  const int first = (blockIdx.x * blockDim.x + threadIdx.x) * 16;
  for (int i = 0; i < 16; ++i) {
    int j = i;
    const int value = x[first + i];
    for (; j > 0 && values[j - 1] > value; --j) values[j] = values[j - 1];
    values[j] = value;
  }
  for (int i = 0; i < 16; ++i) y[first + i] = values[i];
}
