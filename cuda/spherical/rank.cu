// spherical.rank: where the target's logit stands among those of its row, without sorting them.
//
//   rank = 1 + #{k: o_k > o_c}        hits = rank <= k        o given, or o = hidden weight', which is never in global memory
//
// Shapes    logits f [B, D], or hidden f [B, d] and weight f [D, d]; targets [B] -> rank u32 [B], hits u8 [B]; f = f32, f16,
//           bf16. B = 0 launches nothing. An ignored row: both 0.
// Source    The usual metric (mean rank, recall at k); counted in one pass as each logit is read or formed.
// Work      Logits: some lanes, a block, or several blocks a row. Head: 2 B D d on tensor cores, and first the targets' logits,
//           the diagonals of tiles of hidden by gathered rows of weight, 128 B d more.
// Traffic   Logits: every byte once, by 16-byte loads, and one sector a row for the target's logit. Head: of each 128 x 128
//           tile of logits its rows of hidden and weight, B D d / 64 elements in all, mostly from L2; 8 bytes of counts a row
//           and run of tiles.
// Numerics  Logits are compared as they are given, or as the f32 sums that they are in linear_cross_entropy. A target's logit
//           is formed as every other, in the order of d, so that equal rows of weight tie exactly: to the bit. Counts are
//           integers, so that nothing depends on the order in which they are added. Comparisons are IEEE's: nothing is
//           greater than NaN, and NaN than nothing; a row whose target's logit is NaN has rank 1.
#include "../common/edges.cuh"
#include "../common/matmul.cuh"
#include "spherical.h"
#include "targets.cuh"

namespace oblate {
template <class f, bool ALIGNED>
using Logits = Matmul<Medium<f>, f, false, false, ALIGNED>;
template <class f, bool ALIGNED>
using TargetLogits = MatmulOf<Small<f>, f, Operand<f, false>, Gathered<f>, ALIGNED>;
constexpr int TILE = LINEAR_TILE;

// The target of a row, NO_TARGET where it has none. `reports` is true of one thread a row.
__device__ __forceinline__ uint32_t target_of(const RankParams& p, uint64_t row, bool reports) {
  const int64_t target = load_index(p.targets, p.index_dtype, row);
  if (target == p.ignore_index) return NO_TARGET;
  if (target >= 0 && static_cast<uint64_t>(target) < p.classes) return static_cast<uint32_t>(target);
  if (reports) report(p.status, STATUS_TARGET_OUT_OF_RANGE, p.targets_tensor, row);
  return NO_TARGET;
}

__device__ __forceinline__ void store_rank(const RankParams& p, uint64_t row, bool has_target, uint32_t greater) {
  p.rank[row] = has_target ? greater + 1 : 0;
  p.hits[row] = has_target && greater < p.k;
}

// Adds the count of one of `parts` of a row; that of the last to arrive, whoever it is, completes it.
__device__ __forceinline__ void add_part(const RankParams& p, uint64_t row, uint32_t greater, uint32_t parts) {
  constexpr unsigned long long PART = 1ull << 32;
  auto* const count = reinterpret_cast<unsigned long long*>(p.counts + row);
  const unsigned long long before = atomicAdd(count, PART | greater);
  if (before / PART + 1 != parts) return;
  store_rank(p, row, target_of(p, row, false) != NO_TARGET, static_cast<uint32_t>(before) + greater);
}

// ---- given logits

// How many of the elements between two addresses are greater than `than`, of those that thread `index` of `threads` takes.
template <class f>
__device__ __forceinline__ uint32_t count_greater(uint64_t begin, uint64_t end, float than, uint32_t index,
                                                  uint32_t threads) {
  constexpr uint64_t VECTOR = sizeof(uint4), IN_FLIGHT = 4;
  const uint64_t first = min((begin + VECTOR - 1) / VECTOR * VECTOR, end), last = max(end / VECTOR * VECTOR, first);
  uint32_t count = 0;
  // What shares its vector with a neighbour, which may not be there to be read.
  const auto add_elements = [&](uint64_t from, uint64_t to) {
    for (uint64_t at = from + index * sizeof(f); at < to; at += threads * sizeof(f)) {
      count += widen(*global_pointer<const f>(at)) > than;
    }
  };
  add_elements(begin, first);
  add_elements(last, end);
  const auto* const vectors = global_pointer<const uint4>(first);
  const uint64_t vector_count = (last - first) / VECTOR;
  const auto add_vector = [&](uint4 vector) {
    float x[PER_VECTOR<f>];
    widen_vector<f>(vector, x);
#pragma unroll
    for (float x_e : x) count += x_e > than;
  };
  uint64_t i = index;
  for (; i + (IN_FLIGHT - 1) * threads < vector_count; i += IN_FLIGHT * threads) {
    uint4 in_flight[IN_FLIGHT];
#pragma unroll
    for (uint32_t j = 0; j < IN_FLIGHT; ++j) in_flight[j] = __ldg(vectors + i + j * threads);
#pragma unroll
    for (const uint4& vector : in_flight) add_vector(vector);
  }
  for (; i < vector_count; i += threads) add_vector(__ldg(vectors + i));
  return count;
}

// The address of a row of logits.
template <class f>
__device__ __forceinline__ uint64_t row_of(const RankParams& p, uint64_t row) {
  return __cvta_generic_to_global(static_cast<const f*>(p.logits) + row * p.classes);
}

// Lanes of a warp a row.
template <class f>
__device__ __forceinline__ void lanes(const RankParams& p) {
  const uint64_t thread = static_cast<uint64_t>(blockIdx.x) * RANK_THREADS + threadIdx.x, row = thread / p.lanes;
  const uint32_t index = threadIdx.x & (p.lanes - 1);
  uint32_t target = NO_TARGET, greater = 0;
  if (row < p.rows) target = target_of(p, row, index == 0);
  if (target != NO_TARGET) {
    const uint64_t begin = row_of<f>(p, row);
    const float o_c = widen(global_pointer<const f>(begin)[target]);
    greater = count_greater<f>(begin, begin + p.classes * sizeof(f), o_c, index, p.lanes);
  }
  for (uint32_t step = 1; step < p.lanes; step *= 2) greater += __shfl_xor_sync(ALL_LANES, greater, step);
  if (row < p.rows && index == 0) store_rank(p, row, target != NO_TARGET, greater);
}

// A block a part of a row.
template <class f>
__device__ __forceinline__ void parts(const RankParams& p) {
  __shared__ uint32_t of_warps[RANK_THREADS / WARP];
  const uint64_t row = blockIdx.x / p.parts, part = blockIdx.x % p.parts;
  const uint32_t target = target_of(p, row, part == 0 && threadIdx.x == 0);
  uint32_t greater = 0;
  if (target != NO_TARGET) {
    uint64_t begin = row_of<f>(p, row), end = begin + p.classes * sizeof(f);
    const float o_c = widen(global_pointer<const f>(begin)[target]);
    if (p.parts > 1) {
      const uint64_t first = begin / sizeof(uint4) * sizeof(uint4) + part * RANK_PART_BYTES;
      end = min(end, first + RANK_PART_BYTES);
      begin = min(max(begin, first), end);
    }
    greater = warp_sum(count_greater<f>(begin, end, o_c, threadIdx.x, RANK_THREADS));
  }
  if (lane_index() == 0) of_warps[warp_index()] = greater;
  __syncthreads();  // every warp's count
  if (threadIdx.x != 0) return;
  greater = 0;
  for (uint32_t of_warp : of_warps) greater += of_warp;
  if (p.parts > 1) {
    add_part(p, row, greater, p.parts);
  } else {
    store_rank(p, row, target != NO_TARGET, greater);
  }
}

// ---- a head

__device__ __forceinline__ void clear_count(const RankParams& p, uint64_t row) {
  if (row < p.rows) p.counts[row] = 0;
}

// The targets' logits: of each tile of hidden by the rows of weight that its rows' targets name, the diagonal.
template <class f, bool ALIGNED>
__device__ __forceinline__ void targets(const RankParams& p) {
  using Product = TargetLogits<f, ALIGNED>;
  constexpr int ROWS = Small<f>::BM;
  static_assert(Small<f>::BN == ROWS, "a diagonal");
  extern __shared__ uint4 shared[];
  auto* const named = reinterpret_cast<uint32_t*>(reinterpret_cast<char*>(shared) + Product::SHARED_BYTES);
  const uint64_t m0 = static_cast<uint64_t>(blockIdx.x) * ROWS;
  if (threadIdx.x < ROWS) {
    const uint64_t row = m0 + threadIdx.x;
    static_assert(NO_ROW == NO_TARGET, "zeros for a row without a target");
    named[threadIdx.x] = row < p.rows ? target_of(p, row, true) : NO_TARGET;
    clear_count(p, row);
  }
  __syncthreads();  // every row's target
  Product product(shared, {static_cast<const f*>(p.hidden), p.rows, p.width, p.width},
                  {static_cast<const f*>(p.weight), p.classes, p.width, p.width, named, ROWS, m0});
  product.tiles(m0, m0, 1, [&](auto& sums) {
    sums.each([&](uint64_t m, uint64_t n, float& o) {
      if (m == n && m < p.rows) p.target_logits[m] = named[m - m0] == NO_TARGET ? NAN : o;
    });
  });
}

// The logits of a run of tiles of classes.
template <class f, bool ALIGNED>
__device__ __forceinline__ void tiles(const RankParams& p) {
  using Product = Logits<f, ALIGNED>;
  using Tile = typename Product::Tile;
  using Sums = typename Product::Sums;
  constexpr int ROWS = 2 * Sums::MI;  // of a thread
  static_assert(Tile::BM == TILE && Tile::BN == TILE, "spherical.h");
  extern __shared__ uint4 shared[];
  auto* const than = reinterpret_cast<float*>(reinterpret_cast<char*>(shared) + Product::SHARED_BYTES);
  const auto tiles_of = [](uint64_t size) { return static_cast<uint32_t>((size + TILE - 1) / TILE); };
  const uint32_t tiles_n = tiles_of(p.classes), runs = (tiles_n + p.run_tiles - 1) / p.run_tiles;
  const TileAt at = tile_at(blockIdx.x, tiles_of(p.rows), runs, 16);
  const uint64_t m0 = static_cast<uint64_t>(at.m) * TILE;
  const uint32_t first = at.n * p.run_tiles;
  if (threadIdx.x < TILE) {
    const uint64_t row = m0 + threadIdx.x;
    than[threadIdx.x] = row < p.rows ? p.target_logits[row] : NAN;
  }
  uint32_t greater[ROWS] = {};
  Product product(shared, {static_cast<const f*>(p.hidden), p.rows, p.width, p.width},
                  {static_cast<const f*>(p.weight), p.classes, p.width, p.width});
  product.tiles(m0, static_cast<uint64_t>(first) * TILE, min(p.run_tiles, tiles_n - first), [&](Sums& sums) {
    const bool whole = sums.column(Sums::NJ - 1) + 1 < p.classes;
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
      const int i = r / 2, half = r % 2;
      const float o_c = than[sums.row(i, half) - m0];
#pragma unroll
      for (int j = 0; j < Sums::NJ; ++j) {
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          greater[r] += sums.at[i][j][2 * half + c] > o_c && (whole || sums.column(j) + c < p.classes);
        }
      }
    }
  });
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
  for (int r = 0; r < ROWS; ++r) {
#pragma unroll
    for (int step = 1; step < 4; step *= 2) greater[r] += __shfl_xor_sync(ALL_LANES, greater[r], step);
    const uint64_t row = m0 + Tile::WM * (warp % Tile::WARPS_M) + 16 * (r / 2) + 8 * (r % 2) + lane / 4;
    if (lane % 4 == 0 && row < p.rows) add_part(p, row, greater[r], runs * Tile::WARPS_N);
  }
}
}  // namespace oblate

#define RANK_ENTRY(kernel, dtype, f)                                  \
  extern "C" __global__ void __launch_bounds__(RANK_THREADS)          \
      rank_##dtype##_##kernel(const __grid_constant__ RankParams p) { \
    oblate::kernel<f>(p);                                             \
  }
#define RANK_TILE_ENTRY(kernel, Tile, dtype, f, copies, ALIGNED)              \
  extern "C" __global__ void __launch_bounds__(oblate::Tile<f>::THREADS, 1)   \
      rank_##dtype##_##kernel##copies(const __grid_constant__ RankParams p) { \
    oblate::kernel<f, ALIGNED>(p);                                            \
  }
#define RANK_ENTRIES(dtype, f)                                 \
  RANK_ENTRY(lanes, dtype, f)                                  \
  RANK_ENTRY(parts, dtype, f)                                  \
  RANK_TILE_ENTRY(targets, Small, dtype, f, , true)            \
  RANK_TILE_ENTRY(targets, Small, dtype, f, _unaligned, false) \
  RANK_TILE_ENTRY(tiles, Medium, dtype, f, , true)             \
  RANK_TILE_ENTRY(tiles, Medium, dtype, f, _unaligned, false)
RANK_ENTRIES(f32, float)
RANK_ENTRIES(f16, __half)
RANK_ENTRIES(bf16, __nv_bfloat16)

extern "C" __global__ void __launch_bounds__(RANK_THREADS) rank_clear(const __grid_constant__ RankParams p) {
  oblate::clear_count(p, static_cast<uint64_t>(blockIdx.x) * RANK_THREADS + threadIdx.x);
}
