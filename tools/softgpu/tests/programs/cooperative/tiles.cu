// Cooperative groups of part of a warp: tiles of 8 and 4 that reduce, scan and shuffle, groups of the lanes that took a
// branch, and groups by a label.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
namespace cg = cooperative_groups;

extern "C" __global__ void tiles(const int* x, int* out, int n) {
  const cg::thread_block block = cg::this_thread_block();
  const auto tile8 = cg::tiled_partition<8>(block);
  const auto tile4 = cg::tiled_partition<4>(tile8);
  const int i = blockIdx.x * blockDim.x + block.thread_rank(), v = x[i];
  out[i] = cg::reduce(tile8, v, cg::plus<int>());
  out[n + i] = cg::reduce(tile4, v, cg::greater<int>());
  out[2 * n + i] = cg::inclusive_scan(tile8, v);
  out[3 * n + i] = cg::exclusive_scan(tile4, v, cg::plus<int>());
  out[4 * n + i] = tile8.shfl(v, (tile8.thread_rank() + 3) % 8);
  out[5 * n + i] = static_cast<int>(tile4.ballot(v % 2 == 0) | tile8.meta_group_rank() << 8);
  out[6 * n + i] = tile8.any(v > 900) + 2 * tile4.all(v < 500);
}

extern "C" __global__ void branches(const int* x, int* out, int n) {
  const cg::thread_block block = cg::this_thread_block();
  const int i = blockIdx.x * blockDim.x + block.thread_rank(), v = x[i];
  out[i] = out[n + i] = -1;
  if (v % 3 == 0) {
    const cg::coalesced_group active = cg::coalesced_threads();
    const int sum = cg::reduce(active, v, cg::plus<int>());  // those of the warp in here
    out[i] = sum;
    out[n + i] = active.shfl(v, active.num_threads() - 1);
  }
  const auto warp = cg::tiled_partition<32>(block);
  const cg::coalesced_group same = cg::labeled_partition(warp, v % 5);
  out[2 * n + i] = cg::reduce(same, v, cg::less<int>());
  out[3 * n + i] = cg::binary_partition(warp, v % 2 == 1).num_threads();
}

// One atomic for all lanes that take part, as compilers and libraries aggregate them.
extern "C" __global__ void aggregated(const int* x, int* kept, unsigned* count, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n || x[i] % 7 != 0) return;
  const cg::coalesced_group active = cg::coalesced_threads();
  unsigned first = 0;
  if (active.thread_rank() == 0) first = atomicAdd(count, active.num_threads());
  kept[active.shfl(first, 0) + active.thread_rank()] = x[i];
}
