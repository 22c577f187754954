// Connected components: edges hook roots by compare-and-swap, the larger below the smaller; then every node finds its root.
__device__ int root(volatile int* parents, int node) {
  while (parents[node] != node) node = parents[node];
  return node;
}
extern "C" __global__ void hook(int* parents, const int2* edges, int n) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= n) return;
  int a = edges[t].x, b = edges[t].y;
  for (;;) {
    a = root(parents, a);
    b = root(parents, b);
    if (a == b) return;
    const int low = min(a, b), high = max(a, b);
    if (atomicCAS(&parents[high], high, low) == high) return;
  }
}
extern "C" __global__ void flatten(int* parents, int* labels, int n) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  if (t < n) labels[t] = root(parents, t);
}
