// Shortest paths by rounds of Bellman and Ford: a thread an edge, atomicMin, until a round changes nothing.
extern "C" __global__ void shortest_paths(const int3* edges, unsigned* distances, int* changed, int n) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= n) return;
  const int3 edge = edges[t];
  const unsigned from = *static_cast<volatile unsigned*>(&distances[edge.x]);
  if (from == 0xffffffffu) return;
  const unsigned through = from + static_cast<unsigned>(edge.z);
  if (atomicMin(&distances[edge.y], through) > through) atomicExch(changed, 1);
}
