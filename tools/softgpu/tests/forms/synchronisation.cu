// cuda::barrier, cuda::pipeline and cooperative groups: the forms that their headers are made of.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>

#include <cuda/atomic>
#include <cuda/barrier>
#include <cuda/pipeline>

#pragma nv_diag_suppress static_var_with_dynamic_init  // init() is called before the barrier is used

namespace cg = cooperative_groups;

extern "C" __global__ void barriers(int* out) {
  __shared__ cuda::barrier<cuda::thread_scope_block> barrier;
  if (threadIdx.x == 0) init(&barrier, blockDim.x);
  __syncthreads();
  for (int i = 0; i < 3; ++i) {
    auto token = barrier.arrive();
    out[threadIdx.x] += i;
    barrier.wait(static_cast<decltype(token)&&>(token));
  }
  if (threadIdx.x == 1) barrier.arrive_and_drop();
}

extern "C" __global__ void pipelines(const int4* in, int4* out) {
  __shared__ int4 tile[2][128];
  auto pipe = cuda::make_pipeline();
  for (int stage = 0; stage < 4; ++stage) {
    pipe.producer_acquire();
    cuda::memcpy_async(&tile[stage % 2][threadIdx.x], &in[stage * 128 + threadIdx.x],
                       cuda::aligned_size_t<16>(sizeof(int4)), pipe);
    pipe.producer_commit();
    pipe.consumer_wait();
    out[stage * 128 + threadIdx.x] = tile[stage % 2][threadIdx.x];
    pipe.consumer_release();
  }
}

extern "C" __global__ void groups(int* out) {
  auto block = cg::this_thread_block();
  auto tile = cg::tiled_partition<16>(block);
  int x = cg::reduce(tile, static_cast<int>(threadIdx.x), cg::plus<int>());
  x += cg::inclusive_scan(tile, x);
  auto active = cg::coalesced_threads();
  out[threadIdx.x] = x + active.thread_rank() + tile.any(x > 3) + tile.match_any(x & 3);
  block.sync();
}

extern "C" __global__ void atomics(int* a, unsigned long long* b, double* c) {
  cuda::atomic_ref<int, cuda::thread_scope_device> x(*a);
  x.fetch_add(1, cuda::memory_order_acq_rel);
  x.fetch_max(3, cuda::memory_order_relaxed);
  int seen = x.load(cuda::memory_order_acquire);
  x.compare_exchange_strong(seen, 5, cuda::memory_order_seq_cst);
  x.store(7, cuda::memory_order_release);
  cuda::atomic_thread_fence(cuda::memory_order_seq_cst, cuda::thread_scope_system);
  atomicAdd_block(c, 1.0);
  atomicCAS_system(b, 1ull, 2ull);
}
