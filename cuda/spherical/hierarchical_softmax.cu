// spherical.hierarchical_softmax: a softmax over clusters of classes, and one over the classes of the target's cluster.
//
//   a = hidden cluster_weight'        o = hidden weight[begin, end)'        begin, end = the classes of target c's cluster u
//   loss = (lse a - a_u) + (lse o - o_c)
//   A = d loss/da = softmax a - [j = u]        O = d loss/do = softmax o - [k = c]
//   grad_hidden = A cluster_weight + O weight[begin, end)
//   grad_cluster_weight = A' hidden        grad_weight_k = sum of O_bk hidden_b over the rows b whose target's cluster has k
//
// Shapes    hidden f [B, d], weight f [D, d], cluster_weight f [C, d], cluster_offsets i64 [C + 1], targets [B] -> loss f32
//           [B], grad_hidden f [B, d], grad_weight [D, d] and grad_cluster_weight [C, d] (f or f32); f = f32, f16, bf16.
// Source    Goodman 2001 (Classes for fast maximum entropy training), Morin and Bengio 2005, at two levels; Milakov and
//           Gimelshein 2018 for the online normalizer.
// Work      With s classes in a cluster, forward 2 B (C + s) d flops, grad_hidden the same where C + s logits have room in
//           shared memory, the gradients of the weights 2 (1 + ceil(d / COLUMNS)) B (C + s) d: a product, and the logits again,
//           as for grad_hidden where they have none. On CUDA cores in f32, a row or a class to a block: its eight warps take
//           four vectors each in turn, form their logits, and add them up as they go.
// Traffic   B (C + s) d elements for each of these passes, mostly from L2: the rows of a cluster read the same weights. Each
//           gradient is written once. 72 bytes a row between launches, and the row clusters once a cluster: a warp finds the
//           rows of its cluster by looking at all of them, at 1/d of what the head over clusters costs.
// Numerics  f32 sums: of a logit V ceil(d / (32 V)) terms in a lane, V elements being 16 bytes, then a tree over lanes; of a
//           gradient a warp's terms in order, then those of the eight warps. d, C and the cluster's size fix the order for a
//           row, the rows of its cluster that for a class: a row's outputs do not depend on the batch. Nothing is rounded
//           on the way to an output. A class of less than 2^-149 of the row's largest probability counts as 0.
#include "softmax.cuh"

namespace oblate {
using TreeParams = HierarchicalSoftmaxParams;

constexpr uint32_t TREE_WARPS = HIERARCHICAL_THREADS / WARP;
constexpr uint32_t BATCH = 4;      // vectors that a warp has at a time: their loads are in flight together
constexpr uint32_t COLUMNS = 512;  // of a gradient at a time: 16 sums a lane
constexpr float QUARTER = 0.25f;   // of a loss: its terms may be four times what f32 holds, and a weight below 1
constexpr float ALL_QUARTERS = 4.f;

// V elements from the i-th of a vector of `width`, 0 beyond it.
template <class f, bool ALIGNED>
__device__ __forceinline__ void load_elements(const f* vector, uint64_t i, uint64_t width, float (&x)[PER_VECTOR<f>]) {
  if constexpr (ALIGNED) {
    widen_vector<f>(i < width ? *reinterpret_cast<const uint4*>(vector + i) : make_uint4(0, 0, 0, 0), x);
  } else {
#pragma unroll
    for (int e = 0; e < PER_VECTOR<f>; ++e) x[e] = i + e < width ? widen(vector[i + e]) : 0.f;
  }
}

// Rounded up to whole batches.
__device__ __forceinline__ uint64_t batches_of(uint64_t count) { return (count + BATCH - 1) / BATCH * BATCH; }

// What a pass goes over: consecutive rows of a matrix, or those of a list.
template <class f>
struct Vectors {
  const f* first;
  const uint32_t* rows;  // null: consecutive
  uint64_t width;
  uint32_t count;

  __device__ __forceinline__ const f* at(uint32_t i) const { return first + (rows == nullptr ? i : rows[i]) * width; }
};

// The products of four vectors with another, in every lane.
template <class f, bool ALIGNED>
__device__ __forceinline__ void form_logits(const f* with, const f* const (&at)[BATCH], uint64_t width,
                                            float (&o)[BATCH]) {
  constexpr int V = PER_VECTOR<f>;
#pragma unroll
  for (float& logit : o) logit = 0.f;
#pragma unroll 1
  for (uint64_t column = lane_index() * V; column < width; column += WARP * V) {
    float h[V];
    load_elements<f, ALIGNED>(with, column, width, h);
#pragma unroll
    for (uint32_t b = 0; b < BATCH; ++b) {
      float w[V];
      load_elements<f, ALIGNED>(at[b], column, width, w);
#pragma unroll
      for (int e = 0; e < V; ++e) o[b] = fmaf(h[e], w[e], o[b]);
    }
  }
#pragma unroll
  for (float& logit : o) logit = warp_sum(logit);
}

// Calls each(i, n, vectors) of the batches of this warp: n vectors from the i-th, what is beyond n being the last one.
template <class f, class Each>
__device__ __forceinline__ void each_batch(const Vectors<f>& vectors, Each&& each) {
  for (uint64_t i = warp_index() * BATCH; i < vectors.count; i += TREE_WARPS * BATCH) {
    const f* at[BATCH];
#pragma unroll
    for (uint32_t b = 0; b < BATCH; ++b) {
      at[b] = vectors.at(static_cast<uint32_t>(min(i + b, static_cast<uint64_t>(vectors.count - 1))));
    }
    each(static_cast<uint32_t>(i), static_cast<uint32_t>(min(vectors.count - i, static_cast<uint64_t>(BATCH))), at);
  }
}

// This warp's part of a softmax, and the target's logit, written by the warp that has it. With `kept` all logits are left
// there, for this warp.
template <class f, bool ALIGNED>
__device__ __forceinline__ OnlineSoftmax softmax_of_warp(const f* hidden, const Vectors<f>& vectors, uint32_t target,
                                                         float* target_logit, float* kept) {
  OnlineSoftmax s = OnlineSoftmax::none();
  each_batch(vectors, [&](uint32_t i, uint32_t n, const f* const(&at)[BATCH]) {
    float o[BATCH];
    form_logits<f, ALIGNED>(hidden, at, vectors.width, o);
    float top = s.max;
#pragma unroll
    for (uint32_t b = 0; b < BATCH; ++b) {
      if (b >= n) o[b] = -INFINITY;
      if (b < n && i + b == target && lane_index() == 0) *target_logit = o[b];
      top = fmaxf(top, o[b]);
    }
    if (kept != nullptr && lane_index() == 0) {
      uint4 words;
      memcpy(&words, o, 16);
      store_vector(kept + i, words);
    }
    const float base = OnlineSoftmax::base(top);
    float more = 0.f;
#pragma unroll
    for (const float logit : o) more += exp_approximate(logit - base);
    s.sum = (top == s.max ? s.sum : s.sum * exp_approximate(s.max - top)) + more;
    s.max = top;
  });
  return s;
}

// The constants of a softmax's gradient; `weight` is the upstream gradient.
__device__ __forceinline__ SoftmaxRow constants_of(const OnlineSoftmax& total, uint32_t target, float target_logit,
                                                   float weight) {
  SoftmaxRow row = {};
  row.base = total.max == INFINITY ? INFINITY : OnlineSoftmax::base(total.max);
  row.slope = weight / total.sum;
  row.masked = total.sum > 0.f ? 0.f : NAN;
  row.target = target;
  row.target_gradient = target_logit == -INFINITY ? row.masked : row.gradient(target_logit) - weight;
  return row;
}

__device__ __forceinline__ float quarter_of_loss(const OnlineSoftmax& total, float target_logit) {
  const float log_sum = total.sum == 0.f ? NAN : logf(total.sum);
  return fmaf(QUARTER, log_sum, QUARTER * total.max - QUARTER * target_logit);
}

__device__ __forceinline__ float gradient_of(const SoftmaxRow& row, uint32_t k, float o) {
  return k == row.target ? row.target_gradient : row.gradient(o);
}

// The sums of COLUMNS columns of a gradient: a warp's terms by its lanes, V elements in a row each.
template <class f>
struct ColumnSums {
  static constexpr int V = PER_VECTOR<f>;
  static constexpr int VECTORS = COLUMNS / (WARP * V);
  float at[VECTORS][V];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (auto& vector : at) {
#pragma unroll
      for (float& sum : vector) sum = 0.f;
    }
  }

  // gradient(i, logit) times each vector, whose columns begin at `column0`. The logits are those that are kept, or formed.
  template <bool ALIGNED, class Gradient>
  __device__ __forceinline__ void add(const f* with, const Vectors<f>& vectors, const float* kept, uint64_t column0,
                                      Gradient&& gradient) {
    each_batch(vectors, [&](uint32_t i, uint32_t n, const f* const(&at)[BATCH]) {
      float o[BATCH];
      if (kept != nullptr) {
        const uint4 words = *reinterpret_cast<const uint4*>(kept + i);
        memcpy(o, &words, 16);
      } else {
        form_logits<f, ALIGNED>(with, at, vectors.width, o);
      }
#pragma unroll
      for (uint32_t b = 0; b < BATCH; ++b) {
        if (b < n) add_one<ALIGNED>(gradient(i + b, o[b]), at[b], column0, vectors.width);
      }
    });
  }

  // The sum over all warps, at `to`, which has `width` columns. `parts` is [TREE_WARPS][COLUMNS].
  template <class out>
  __device__ __forceinline__ void store(float* parts, out* to, uint64_t column0, uint64_t width) const {
    __syncthreads();  // the parts of the columns before are read
    float* const own = parts + warp_index() * COLUMNS;
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) {
#pragma unroll
      for (int e = 0; e < V; e += 4) {
        uint4 words;
        memcpy(&words, &at[v][e], 16);
        store_vector(own + (v * WARP + lane_index()) * V + e, words);
      }
    }
    __syncthreads();  // every warp's part
    for (uint64_t i = threadIdx.x; i < min(width - column0, static_cast<uint64_t>(COLUMNS));
         i += HIERARCHICAL_THREADS) {
      float sum = parts[i];
#pragma unroll
      for (uint32_t warp = 1; warp < TREE_WARPS; ++warp) sum += parts[warp * COLUMNS + i];
      to[column0 + i] = narrow<out>(sum);
    }
  }

 private:
  template <bool ALIGNED>
  __device__ __forceinline__ void add_one(float g, const f* from, uint64_t column0, uint64_t width) {
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) {
      const uint64_t column = column0 + (v * WARP + lane_index()) * V;
      if (column >= width) break;
      float x[V];
      load_elements<f, ALIGNED>(from, column, width, x);
#pragma unroll
      for (int e = 0; e < V; ++e) at[v][e] = fmaf(g, x[e], at[v][e]);
    }
  }
};

// Whether cluster_offsets ascend from 0 to D: the same for all threads of the block. `reports` is true of one block.
__device__ __forceinline__ bool offsets_ascend(const TreeParams& p, bool reports) {
  bool right = true;
  for (uint64_t i = threadIdx.x; i <= p.clusters; i += HIERARCHICAL_THREADS) {
    const int64_t offset = p.cluster_offsets[i], D = static_cast<int64_t>(p.classes);
    const int64_t least = i == 0 ? 0 : i == p.clusters ? D : p.cluster_offsets[i - 1];
    const bool good = offset >= least && offset <= (i == 0 ? 0 : D);
    if (!good && reports) {
      report(p.status, STATUS_OFFSETS_OUT_OF_ORDER, p.offsets_tensor, i | uint64_t{1} << STATUS_INDEX_BITS);
    }
    right &= good;
  }
  return __syncthreads_and(right) != 0;
}

// The cluster of a class: the last whose first class is not beyond it, so that it is none without classes.
__device__ __forceinline__ uint32_t cluster_of(const TreeParams& p, uint64_t k) {
  uint64_t low = 0, high = p.clusters;
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    (static_cast<uint64_t>(p.cluster_offsets[middle]) <= k ? low : high) = middle;
  }
  return static_cast<uint32_t>(low);
}

template <class out>
__device__ __forceinline__ void fill(out* to, uint64_t width, float x) {
  for (uint64_t i = threadIdx.x; i < width; i += HIERARCHICAL_THREADS) to[i] = narrow<out>(x);
}

template <class f, bool ALIGNED>
__device__ __forceinline__ void rows(const TreeParams& p) {
  __shared__ OnlineSoftmax softmaxes[2][TREE_WARPS];
  __shared__ float target_logits[2];
  __shared__ alignas(16) float parts[TREE_WARPS * COLUMNS];
  __shared__ alignas(16) float logits[HIERARCHICAL_KEPT];
  const uint64_t row = blockIdx.x;
  const bool ascend = offsets_ascend(p, row == 0);
  if (row >= p.rows) return;  // there are none
  const int64_t target = load_index(p.targets, p.index_dtype, row);
  const bool ignored = target == p.ignore_index;
  const bool valid = ignored || (target >= 0 && static_cast<uint64_t>(target) < p.classes);
  f* const grad_hidden = p.grad_hidden == nullptr ? nullptr : static_cast<f*>(p.grad_hidden) + row * p.width;
  if (threadIdx.x == 0 && !valid) report(p.status, STATUS_TARGET_OUT_OF_RANGE, p.targets_tensor, row);
  if (!ascend || !valid || ignored) {
    const bool wrong = !ascend || !valid;
    if (threadIdx.x == 0) {
      p.loss[row] = wrong ? NAN : 0.f;
      if (p.row_clusters != nullptr) p.row_clusters[row] = static_cast<uint32_t>(p.clusters) + wrong;
    }
    if (grad_hidden != nullptr) fill(grad_hidden, p.width, wrong ? NAN : 0.f);
    return;
  }

  const uint32_t cluster = cluster_of(p, target);
  const uint64_t begin = p.cluster_offsets[cluster], end = p.cluster_offsets[cluster + 1];
  const auto class_in_cluster = static_cast<uint32_t>(target - begin);
  const f* const hidden = static_cast<const f*>(p.hidden) + row * p.width;
  const Vectors<f> clusters = {static_cast<const f*>(p.cluster_weight), nullptr, p.width,
                               static_cast<uint32_t>(p.clusters)};
  const Vectors<f> classes = {static_cast<const f*>(p.weight) + begin * p.width, nullptr, p.width,
                              static_cast<uint32_t>(end - begin)};
  // The gradient takes the logits from here where they have room, in whole batches.
  const uint64_t room_of_clusters = batches_of(p.clusters), room = room_of_clusters + batches_of(end - begin);
  float* const kept_clusters = grad_hidden != nullptr && room_of_clusters <= HIERARCHICAL_KEPT ? logits : nullptr;
  float* const kept_classes = grad_hidden != nullptr && room <= HIERARCHICAL_KEPT ? logits + room_of_clusters : nullptr;
  const OnlineSoftmax of_warp[2] = {
      softmax_of_warp<f, ALIGNED>(hidden, clusters, cluster, &target_logits[0], kept_clusters),
      softmax_of_warp<f, ALIGNED>(hidden, classes, class_in_cluster, &target_logits[1], kept_classes)};
  if (lane_index() == 0) {
    put(&softmaxes[0][warp_index()], of_warp[0]);
    put(&softmaxes[1][warp_index()], of_warp[1]);
  }
  __syncthreads();  // every warp's part, the targets' logits, and what a warp's first lane keeps for the others

  const uint32_t targets[2] = {cluster, class_in_cluster};
  const float weight = upstream(p, row);
  SoftmaxRow constants[2];
  float quarter = 0.f;
#pragma unroll
  for (int level = 0; level < 2; ++level) {
    OnlineSoftmax total = get(&softmaxes[level][0]);
#pragma unroll
    for (uint32_t warp = 1; warp < TREE_WARPS; ++warp) total = merge(total, get(&softmaxes[level][warp]));
    constants[level] = constants_of(total, targets[level], target_logits[level], weight);
    quarter += quarter_of_loss(total, target_logits[level]);
  }
  if (threadIdx.x == 0) {
    p.loss[row] = ALL_QUARTERS * weighted(p, row, quarter);
    if (p.row_clusters != nullptr) {
      p.row_clusters[row] = cluster;
#pragma unroll
      for (int level = 0; level < 2; ++level) {
        uint4 words[2] = {};
        memcpy(words, &constants[level], sizeof(SoftmaxRow));
        auto* const to = static_cast<uint4*>(p.coefficients) + 2 * (2 * row + level);
        store_vector(to, words[0]);
        store_vector(to + 1, words[1]);
      }
    }
  }
  if (grad_hidden == nullptr) return;
  for (uint64_t column0 = 0; column0 < p.width; column0 += COLUMNS) {
    ColumnSums<f> sums;
    sums.clear();
    sums.template add<ALIGNED>(hidden, clusters, kept_clusters, column0,
                               [&](uint32_t j, float a) { return gradient_of(constants[0], j, a); });
    sums.template add<ALIGNED>(hidden, classes, kept_classes, column0,
                               [&](uint32_t k, float o) { return gradient_of(constants[1], k, o); });
    sums.store(parts, grad_hidden, column0, p.width);
  }
}

// The rows of a cluster, in ascending order, by a warp: it counts those of the clusters before, which is where its own begin.
__device__ __forceinline__ void sort(const TreeParams& p) {
  // The ignored rows count as the cluster after the last; those that are wrong come behind them.
  const uint64_t cluster = static_cast<uint64_t>(blockIdx.x) * TREE_WARPS + warp_index();
  if (cluster > p.clusters) return;
  uint32_t at = 0;
  for (uint64_t row = lane_index(); row < p.rows; row += WARP) at += p.row_clusters[row] < cluster;
  at = warp_sum(at);
  if (lane_index() == 0) p.starts[cluster] = at;
  for (uint64_t first = 0; first < p.rows; first += WARP) {
    const uint64_t row = first + lane_index();
    const bool is_own = row < p.rows && p.row_clusters[row] == cluster;
    const uint32_t own = __ballot_sync(ALL_LANES, is_own);
    if (is_own) p.sorted_rows[at + __popc(own & ((1u << lane_index()) - 1))] = static_cast<uint32_t>(row);
    at += __popc(own);
  }
  if (lane_index() == 0 && cluster == p.clusters) p.starts[cluster + 1] = at;
}

// The gradient of one row of weight, or of cluster_weight: level 1, or 0.
template <class f, bool ALIGNED, class out>
__device__ __forceinline__ void weight_row(const TreeParams& p, int level, uint64_t k, float* parts) {
  const bool ascend = offsets_ascend(p, false);
  out* const to = static_cast<out*>(level == 0 ? p.grad_cluster_weight : p.grad_weight) + k * p.width;
  // A target out of range is of no cluster, so it may be of any.
  if (!ascend || p.starts[p.clusters + 1] < p.rows) return fill(to, p.width, NAN);
  const uint32_t cluster = level == 0 ? 0 : cluster_of(p, k);
  const uint32_t begin = level == 0 ? 0 : p.starts[cluster], end = p.starts[level == 0 ? p.clusters : cluster + 1];
  const auto own = static_cast<uint32_t>(level == 0 ? k : k - p.cluster_offsets[cluster]);
  const Vectors<f> rows = {static_cast<const f*>(p.hidden), p.sorted_rows + begin, p.width, end - begin};
  const f* const weight = static_cast<const f*>(level == 0 ? p.cluster_weight : p.weight) + k * p.width;
  const auto gradient = [&](uint32_t i, float o) {
    const auto* const from = static_cast<const uint4*>(p.coefficients) + 2 * (2 * uint64_t{rows.rows[i]} + level);
    const uint4 words[2] = {from[0], from[1]};
    SoftmaxRow row;
    memcpy(&row, words, sizeof row);
    return gradient_of(row, own, o);
  };
  for (uint64_t column0 = 0; column0 < p.width; column0 += COLUMNS) {
    ColumnSums<f> sums;
    sums.clear();
    sums.template add<ALIGNED>(weight, rows, nullptr, column0, gradient);
    sums.store(parts, to, column0, p.width);
  }
}

template <class f, bool ALIGNED>
__device__ __forceinline__ void weights(const TreeParams& p) {
  __shared__ alignas(16) float parts[TREE_WARPS * COLUMNS];
  const int level = blockIdx.x < p.classes ? 1 : 0;
  const uint64_t k = level == 1 ? blockIdx.x : blockIdx.x - p.classes;
  if (p.grad_weight_is_f32) {
    weight_row<f, ALIGNED, float>(p, level, k, parts);
  } else {
    weight_row<f, ALIGNED, f>(p, level, k, parts);
  }
}
}  // namespace oblate

#define TREE_ENTRY(kernel, dtype, f, copies, ALIGNED)                                                        \
  extern "C" __global__ void __launch_bounds__(HIERARCHICAL_THREADS, 2)                                      \
      hierarchical_softmax_##dtype##_##kernel##copies(const __grid_constant__ HierarchicalSoftmaxParams p) { \
    oblate::kernel<f, ALIGNED>(p);                                                                           \
  }
#define TREE_ENTRIES(dtype, f)                  \
  TREE_ENTRY(rows, dtype, f, , true)            \
  TREE_ENTRY(rows, dtype, f, _unaligned, false) \
  TREE_ENTRY(weights, dtype, f, , true)         \
  TREE_ENTRY(weights, dtype, f, _unaligned, false)
TREE_ENTRIES(f32, float)
TREE_ENTRIES(f16, __half)
TREE_ENTRIES(bf16, __nv_bfloat16)

extern "C" __global__ void __launch_bounds__(HIERARCHICAL_THREADS)
    hierarchical_softmax_sort(const __grid_constant__ HierarchicalSoftmaxParams p) {
  oblate::sort(p);
}
