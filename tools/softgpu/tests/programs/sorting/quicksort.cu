// Recursion on the device: a thread sorts its own run by quicksort, the smaller part by a call, runs of six by insertion.
__device__ __noinline__ void sort(int* x, int first, int last) {
  while (last - first > 6) {
    const int pivot = x[first + (last - first) / 2];
    int i = first, j = last - 1;
    while (i <= j) {
      while (x[i] < pivot) ++i;
      while (x[j] > pivot) --j;
      if (i <= j) {
        const int swapped = x[i];
        x[i++] = x[j];
        x[j--] = swapped;
      }
    }
    if (j + 1 - first < last - i) {
      sort(x, first, j + 1);
      first = i;
    } else {
      sort(x, i, last);
      last = j + 1;
    }
  }
  for (int i = first + 1; i < last; ++i) {
    const int v = x[i];
    int j = i;
    for (; j > first && x[j - 1] > v; --j) x[j] = x[j - 1];
    x[j] = v;
  }
}
extern "C" __global__ void quicksort(int* x, int length) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  sort(x + t * length, 0, length);
}
