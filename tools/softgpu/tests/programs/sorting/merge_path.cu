// Two sorted runs merged by many threads: each finds by bisection along its diagonal where its share begins.
extern "C" __global__ void merge_path(const int* a, int a_length, const int* b, int b_length, int* merged, int share) {
  const int diagonal = (blockIdx.x * blockDim.x + threadIdx.x) * share, total = a_length + b_length;
  if (diagonal >= total) return;
  int low = max(0, diagonal - b_length), high = min(diagonal, a_length);
  while (low < high) {
    const int middle = (low + high) / 2;
    if (a[middle] <= b[diagonal - 1 - middle])
      low = middle + 1;
    else
      high = middle;
  }
  int i = low, j = diagonal - low;
  for (int at = diagonal; at < min(diagonal + share, total); ++at)
    merged[at] = j >= b_length || (i < a_length && a[i] <= b[j]) ? a[i++] : b[j++];
}
