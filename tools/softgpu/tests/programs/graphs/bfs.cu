// Breadth-first search by levels: a thread a node of the frontier, which claims neighbours by compare-and-swap.
extern "C" __global__ void bfs(const int* starts, const int* neighbours, int* levels, const int* frontier, int* next,
                               int* next_length, int length, int level) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= length) return;
  const int node = frontier[t];
  for (int i = starts[node]; i < starts[node + 1]; ++i) {
    const int other = neighbours[i];
    if (atomicCAS(&levels[other], -1, level) == -1) next[atomicAdd(next_length, 1)] = other;
  }
}
