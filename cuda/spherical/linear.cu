// spherical.linear: a spherical loss over a linear head, and its gradient by hidden, without any of the head's logits but the
// targets'.
//
//   o_bk = w_k.h_b,  k < D      Q = W'W,  w = W'1         s_b = sum_k o_bk = w.h_b      q_b = sum_k o_bk^2 = h_b.Q h_b
//   the loss gives Ls, Lq and the Lck of its targets (losses.cuh)
//   grad_hidden_b = sum_k (Ls + 2 Lq o_bk) w_k + sum_j Lcj w_cj = 2 Lq Q h_b + Ls w + sum_j Lcj w_cj
//   z sees logits about their mean alone: Qc = sum_k (w_k - w/D)(w_k - w/D)', D sigma^2 = h_b.Qc h_b,
//   o_bc - mean = (w_c - w/D).h_b,  grad_hidden_b = 2 Lq Qc h_b + sum_j Lcj (w_cj - w/D): nothing of W that is common to its
//   rows is left to cancel.
//
// Shapes    hidden f [B, d], weight f [D, d], targets [B] or [B, K], values f32 [B, K], gram f32 [d, d] and row_sum f32 [d] or
//           neither -> loss, s, q f32 [B], target_logits f32 [B, K], grad_hidden f [B, d]; f = f32, f16, bf16. B = 0 launches
//           nothing.
// Source    Vincent, de Brebisson, Bouthillier 2015 (the sums by way of Q); de Brebisson and Vincent 2016 (the losses).
// Work      2 B d^2 + 8 B K d, whatever D, products three of tf32. The Gram, where it is not given: D d^2 (half of it, the other
//           is its mirror image), in f32 for z and f32, else on the tensor cores of f.
// Traffic   Q, w, hidden and the K rows of W for each row, twice: 4 d^2 + 2 B d (sizeof f + 4) + 2 B K d sizeof f bytes, mostly
//           from L2, and grad_hidden. The Gram: W once for its sums, once per tile of 128 columns, and 65,536 bytes a tile and
//           split, written and read once.
// Numerics  f32, the sums of columns f64. The Gram's sums are of LINEAR_FOLD classes each, which are then added in order. A
//           row's dot products are one warp's, each lane's in the order of d: a row's outputs depend on no other row. What q and
//           sigma lose is relative to sum_k (sum_i |h_i| |w_ki|)^2, with the w about their mean for z where the Gram is formed
//           here or given so; of a plain Gram that is given, z takes D sigma^2 = q - s^2/D, which cancels.
#include <type_traits>

#include "../common/matmul.cuh"
#include "losses.cuh"
#include "spherical.h"

namespace oblate {
constexpr int TILE = LINEAR_TILE;
constexpr uint32_t THREADS = LINEAR_THREADS;
constexpr int GROUP = 8;  // elements of d that a lane has together

__device__ __forceinline__ uint32_t tiles_of(uint64_t size) { return static_cast<uint32_t>((size + TILE - 1) / TILE); }

__device__ __forceinline__ uint32_t pairs_of(const LinearParams& p) {
  if (p.formed_gram == nullptr) return 0;
  const uint32_t tiles = tiles_of(p.width);
  return tiles * (tiles + 1) / 2;
}

// The tile of a pair.
__device__ __forceinline__ TileAt pair_at(const LinearParams& p, uint32_t pair) {
  uint32_t m = 0;
  for (const uint32_t tiles = tiles_of(p.width); pair >= tiles - m; ++m) pair -= tiles - m;
  return {m, m + pair};
}

// ---- the Gram

// Column j of a slice of the classes.
template <class f>
__device__ __forceinline__ void sums(const LinearParams& p) {
  const uint64_t j = static_cast<uint64_t>(blockIdx.x) * THREADS + threadIdx.x, slice = blockIdx.y;
  if (j >= p.width) return;
  const f* const weight = static_cast<const f*>(p.weight);
  const uint64_t begin = p.classes * slice / p.slices, end = p.classes * (slice + 1) / p.slices;
  double sum = 0.0;
#pragma unroll 8
  for (uint64_t k = begin; k < end; ++k) sum += static_cast<double>(widen(weight[k * p.width + j]));
  p.sums[slice * p.width + j] = sum;
}

__device__ __forceinline__ double column_sum(const LinearParams& p, uint64_t j) {
  double sum = 0.0;
  for (uint32_t slice = 0; slice < p.slices; ++slice) sum += p.sums[slice * p.width + j];
  return sum;
}

// A split's part of a tile, `Product` made by `make(begin, classes, tile)`.
template <class Product, class Make>
__device__ __forceinline__ void gram_tile(const LinearParams& p, Make&& make) {
  const uint32_t pairs = pairs_of(p), pair = blockIdx.x % pairs, split = blockIdx.x / pairs;
  const TileAt at = pair_at(p, pair);
  const uint64_t begin = split * p.split_classes, classes = min(p.split_classes, p.classes - begin);
  const uint64_t m0 = static_cast<uint64_t>(at.m) * TILE, n0 = static_cast<uint64_t>(at.n) * TILE;
  float* const to = p.partials + static_cast<uint64_t>(blockIdx.x) * TILE * TILE;
  Product product = make(begin, classes, m0, n0);
  bool is_first = true;
  const auto add = [&](auto& sums) {
    using Sums = std::remove_reference_t<decltype(sums)>;
#pragma unroll
    for (int i = 0; i < Sums::MI; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float* const of_row = to + (sums.row(i, half) - m0) * TILE + (sums.column(0) - n0);
#pragma unroll
        for (int j = 0; j < Sums::NJ; ++j) {
          auto* const pair = reinterpret_cast<float2*>(of_row + 8 * j);
          float2 sum = make_float2(sums.at[i][j][2 * half], sums.at[i][j][2 * half + 1]);
          if (!is_first) {
            const float2 before = *pair;
            sum = make_float2(before.x + sum.x, before.y + sum.y);
          }
          *pair = sum;
        }
      }
    }
    is_first = false;
  };
  product.template folded_tiles<LINEAR_FOLD>(m0, n0, 1, add, add);
}

template <class f, bool ALIGNED>
__device__ __forceinline__ void gram(const LinearParams& p) {
  using Product = Matmul<Medium<f>, f, true, true, ALIGNED>;
  extern __shared__ uint4 stages[];
  gram_tile<Product>(p, [&](uint64_t begin, uint64_t classes, uint64_t, uint64_t) {
    const f* const weight = static_cast<const f*>(p.weight) + begin * p.width;
    return Product(stages, {weight, p.width, classes, p.width}, {weight, p.width, classes, p.width});
  });
}

template <class f>
__device__ __forceinline__ void centred_gram(const LinearParams& p) {
  using Centred = Widened<f, true>;
  using Product = MatmulOf<Medium<float>, float, Centred, Centred, true>;
  extern __shared__ uint4 stages[];
  gram_tile<Product>(p, [&](uint64_t begin, uint64_t classes, uint64_t m0, uint64_t n0) {
    auto* const means = reinterpret_cast<float*>(reinterpret_cast<char*>(stages) + Product::SHARED_BYTES);
    const uint64_t first = threadIdx.x < TILE ? m0 : n0, j = first + threadIdx.x % TILE;
    means[threadIdx.x] = j < p.width ? static_cast<float>(column_sum(p, j) / static_cast<double>(p.classes)) : 0.f;
    __syncthreads();  // every column's mean
    const f* const weight = static_cast<const f*>(p.weight) + begin * p.width;
    return Product(stages, {weight, p.width, classes, p.width, means},
                   {weight, p.width, classes, p.width, means + TILE});
  });
}

// Some rows of a tile of the Gram, of all splits in order, and their mirror image; or elements of row_sum.
__device__ __forceinline__ void finish(const LinearParams& p) {
  constexpr uint32_t ROWS = LINEAR_PART_ROWS, PARTS = TILE / ROWS;
  __shared__ float mirror[ROWS][TILE + 1];
  const uint32_t pairs = pairs_of(p);
  if (blockIdx.x >= pairs * PARTS) {
    const uint64_t j = static_cast<uint64_t>(blockIdx.x - pairs * PARTS) * THREADS + threadIdx.x;
    if (j < p.width && p.formed_row_sum != nullptr) p.formed_row_sum[j] = static_cast<float>(column_sum(p, j));
    return;
  }
  const uint32_t pair = blockIdx.x / PARTS, first = blockIdx.x % PARTS * ROWS;
  const TileAt at = pair_at(p, pair);
  const uint64_t m0 = static_cast<uint64_t>(at.m) * TILE + first, n0 = static_cast<uint64_t>(at.n) * TILE;
  for (uint32_t e = threadIdx.x; e < ROWS * TILE; e += THREADS) {
    const uint32_t row = e / TILE, column = e % TILE;
    const float* from = p.partials + (static_cast<uint64_t>(pair) * TILE + first) * TILE + e;
    float sum = 0.f;
    for (uint32_t split = 0; split < p.splits; ++split, from += static_cast<uint64_t>(pairs) * TILE * TILE)
      sum += *from;
    const uint64_t i = m0 + row, j = n0 + column;
    if (i <= j && i < p.width && j < p.gram_stride) p.formed_gram[i * p.gram_stride + j] = sum;  // 0 beyond the width
    mirror[row][column] = sum;
  }
  __syncthreads();  // every element of these rows
  for (uint32_t e = threadIdx.x; e < ROWS * TILE; e += THREADS) {
    const uint32_t row = e % ROWS, column = e / ROWS;
    const uint64_t i = m0 + row, j = n0 + column;
    if (i < j && j < p.width) p.formed_gram[j * p.gram_stride + i] = mirror[row][column];
  }
}

// ---- the rows

template <class f, bool ALIGNED>
__device__ __forceinline__ void products(const LinearParams& p) {
  using Hidden = std::conditional_t<sizeof(f) == 4, Operand<float, false>, Widened<f, false>>;
  using Product = MatmulOf<Small<float>, float, Hidden, Operand<float, false>, ALIGNED>;
  constexpr uint32_t SIDE = Small<float>::BM;
  extern __shared__ uint4 stages[];
  const auto tiles = [](uint64_t size) { return static_cast<uint32_t>((size + SIDE - 1) / SIDE); };
  const TileAt at = tile_at(blockIdx.x, tiles(p.rows), tiles(p.width), 8);
  // Q is symmetric: its columns are its rows.
  Product product(stages, {static_cast<const f*>(p.hidden), p.rows, p.width, p.width},
                  {p.gram, p.width, p.width, p.gram_stride});
  product.tiles(static_cast<uint64_t>(at.m) * SIDE, static_cast<uint64_t>(at.n) * SIDE, 1,
                [&](auto& sums) { store(sums, p.products, p.rows, p.width, p.stride, true); });
}

// Rows of elements of T that lie `stride` apart; whole: each begins on 16 bytes.
template <class T>
struct Rows {
  T* at;
  uint64_t stride;
  bool whole;

  __device__ __forceinline__ Rows(T* at, uint64_t stride)
      : at(at), stride(stride), whole((reinterpret_cast<uintptr_t>(at) | (stride * sizeof(T))) % 16 == 0) {}

  // Elements j to j + GROUP of a row, 0 beyond `width`.
  __device__ __forceinline__ void load(uint64_t row, uint64_t j, uint64_t width, float (&x)[GROUP]) const {
    using f = std::remove_const_t<T>;
    const T* const from = at + row * stride + j;
    if (whole && j + GROUP <= width) {
#pragma unroll
      for (int e = 0; e < GROUP; e += PER_VECTOR<f>) {
        widen_vector<f>(*reinterpret_cast<const uint4*>(from + e), x + e);
      }
      return;
    }
#pragma unroll
    for (int e = 0; e < GROUP; ++e) x[e] = j + e < width ? widen(from[e]) : 0.f;
  }

  __device__ __forceinline__ void store(uint64_t row, uint64_t j, uint64_t width, const float (&x)[GROUP]) const {
    T* const to = at + row * stride + j;
    if (whole && j + GROUP <= width) {
#pragma unroll
      for (int e = 0; e < GROUP; e += PER_VECTOR<T>) store_vector(to + e, narrow_vector<T>(x + e));
      return;
    }
#pragma unroll
    for (int e = 0; e < GROUP; ++e) {
      if (j + e < width) to[e] = narrow<T>(x[e]);
    }
  }
};

// Calls body(j) for each group of elements of d that the lane has.
template <class Body>
__device__ __forceinline__ void each_group(const LinearParams& p, Body&& body) {
  for (uint64_t j = lane_index() * GROUP; j < p.width; j += WARP * GROUP) body(j);
}

// The class of an entry of targets, NO_TARGET where it is dropped or none.
__device__ __forceinline__ uint32_t class_of(const LinearParams& p, uint64_t entry, bool& is_wrong) {
  const int64_t named = load_index(p.targets, p.index_dtype, entry);
  const bool is_class = named >= 0 && static_cast<uint64_t>(named) < p.classes;
  is_wrong = named != p.ignore_index && !is_class;
  return named != p.ignore_index && is_class ? static_cast<uint32_t>(named) : NO_TARGET;
}

__device__ __forceinline__ float value_of(const LinearParams& p, uint64_t entry) {
  return p.values == nullptr ? 1.f : p.values[entry];
}

// The sum of a row's values that name a class.
__device__ __forceinline__ float named_value(const LinearParams& p, uint64_t first, uint32_t of) {
  float sum = 0.f;
  bool is_wrong;
  for (uint64_t e = first + lane_index(); e < first + p.targets_per_row; e += WARP) {
    if (class_of(p, e, is_wrong) == of) sum += value_of(p, e);
  }
  return warp_sum(sum);
}

// A row, by one warp.
template <class f>
__device__ __forceinline__ void row_loss(const LinearParams& p, uint64_t b) {
  const uint32_t lane = lane_index();
  const auto classes = static_cast<float>(p.classes);
  const bool is_z = p.loss_kind == LOSS_Z, is_squared_error = p.loss_kind == LOSS_SQUARED_ERROR;
  const Rows<const f> hidden(static_cast<const f*>(p.hidden), p.width);
  const Rows<const f> weight(static_cast<const f*>(p.weight), p.width);
  const Rows<const float> products(p.products, p.stride), row_sum(p.row_sum, 0);
  float quadratic = 0.f, s = 0.f;
  each_group(p, [&](uint64_t j) {
    float h[GROUP], product[GROUP], sum[GROUP];
    hidden.load(b, j, p.width, h);
    products.load(b, j, p.width, product);
    row_sum.load(0, j, p.width, sum);
#pragma unroll
    for (int e = 0; e < GROUP; ++e) {
      quadratic = fmaf(h[e], product[e], quadratic);
      s = fmaf(h[e], sum[e], s);
    }
  });
  quadratic = warp_sum(quadratic);
  s = warp_sum(s);
  const float of_all = 1.f / classes, mean = s * of_all;
  float q = quadratic, m2 = quadratic;
  if (p.gram_is_centred) {
    q = fmaf(s, mean, quadratic);
  } else {
    m2 = fmaf(-s, mean, quadratic);
  }
  if (m2 < 0.f) m2 = 0.f;  // what rounding left; NaN stays
  Moments moments{classes, is_z ? 0.f : mean, 0.f, m2};
  if (!isfinite(q) && !is_z) moments = {classes, s, 0.f, q};
  const SphericalLoss<LinearParams> spherical(p, moments);

  const uint64_t first = b * p.targets_per_row;
  float loss = is_squared_error ? q : 0.f, slope = 0.f, offset = 0.f;
  bool kept = false, valid = true;
#pragma unroll 1
  for (uint64_t entry = first; entry < first + p.targets_per_row; ++entry) {
    bool is_wrong;
    const uint32_t c = class_of(p, entry, is_wrong);
    if (is_wrong && lane == 0) report(p.status, STATUS_TARGET_OUT_OF_RANGE, p.targets_tensor, entry);
    kept = kept || is_wrong || c != NO_TARGET;
    valid = valid && !is_wrong;
    float o = 0.f, about_mean = 0.f, excess = 0.f;
    if (c != NO_TARGET) {
      each_group(p, [&](uint64_t j) {
        float h[GROUP], w[GROUP], sum[GROUP];
        hidden.load(b, j, p.width, h);
        weight.load(c, j, p.width, w);
        row_sum.load(0, j, p.width, sum);
#pragma unroll
        for (int e = 0; e < GROUP; ++e) {
          o = fmaf(h[e], w[e], o);
          about_mean = fmaf(h[e], fmaf(-sum[e], of_all, w[e]), about_mean);
        }
      });
      o = warp_sum(o);
      about_mean = warp_sum(about_mean);
      const float value = value_of(p, entry);
      TargetTerms terms = spherical.target(is_z ? about_mean : o);
      if (is_squared_error) terms.loss += named_value(p, first, c);
      loss = fmaf(value, terms.loss, loss);
      slope = fmaf(value, terms.slope, slope);
      offset = fmaf(value, terms.offset, offset);
      excess = value * terms.excess;
    }
    if (lane != 0) continue;
    p.excesses[entry] = excess;
    if (p.target_logits != nullptr) p.target_logits[entry] = o;
  }
  SphericalRow row = spherical.row(slope, offset, upstream(p, b));
  loss = weighted(p, b, loss);
  if (!valid) loss = s = q = row.factor = NAN;
  if (!kept) loss = 0.f;
  if (lane == 0) {
    p.loss[b] = loss;
    if (p.s != nullptr) p.s[b] = s;
    if (p.q != nullptr) p.q[b] = q;
  }
  __syncwarp();  // the first lane's excesses
  if (!valid && p.target_logits != nullptr) {
    for (uint64_t entry = first + lane; entry < first + p.targets_per_row; entry += WARP) p.target_logits[entry] = NAN;
  }
  if (p.grad_hidden == nullptr) return;

  // 2 Lq of the product, and what multiplies row_sum.
  const float of_product = row.scale * row.slope * row.factor;
  float of_row_sum = is_z ? 0.f : fmaf(row.shift, row.slope, row.offset) * row.factor;
  if (p.gram_is_centred && !is_z) of_row_sum = fmaf(of_product, mean, of_row_sum);
  if (!p.gram_is_centred && is_z) of_row_sum = -of_product * mean;
  const Rows<f> grad_hidden(static_cast<f*>(p.grad_hidden), p.width);
  each_group(p, [&](uint64_t j) {
    float gradient[GROUP] = {}, product[GROUP], sum[GROUP];
    if (kept) {
      products.load(b, j, p.width, product);
      row_sum.load(0, j, p.width, sum);
#pragma unroll
      for (int e = 0; e < GROUP; ++e) gradient[e] = fmaf(of_product, product[e], of_row_sum * sum[e]);
#pragma unroll 1
      for (uint64_t entry = first; entry < first + p.targets_per_row; ++entry) {
        bool is_wrong;
        const uint32_t c = class_of(p, entry, is_wrong);
        if (c == NO_TARGET) continue;
        const float excess = p.excesses[entry] * row.factor;
        float w[GROUP];
        weight.load(c, j, p.width, w);
#pragma unroll
        for (int e = 0; e < GROUP; ++e)
          gradient[e] = fmaf(excess, is_z ? fmaf(-sum[e], of_all, w[e]) : w[e], gradient[e]);
      }
    }
    grad_hidden.store(b, j, p.width, gradient);
  });
}

template <class f>
__device__ __forceinline__ void rows(const LinearParams& p) {
  const uint64_t b = static_cast<uint64_t>(blockIdx.x) * (THREADS / WARP) + warp_index();
  if (b < p.rows) row_loss<f>(p, b);
}
}  // namespace oblate

#define LINEAR_ENTRY(kernel, dtype, threads, ...)                         \
  extern "C" __global__ void __launch_bounds__(threads, 1)                \
      linear_##dtype##_##kernel(const __grid_constant__ LinearParams p) { \
    oblate::__VA_ARGS__(p);                                               \
  }
#define LINEAR_ENTRIES(dtype, f)                                                             \
  LINEAR_ENTRY(sums, dtype, LINEAR_THREADS, sums<f>)                                         \
  LINEAR_ENTRY(gram, dtype, oblate::Medium<f>::THREADS, gram<f, true>)                       \
  LINEAR_ENTRY(gram_unaligned, dtype, oblate::Medium<f>::THREADS, gram<f, false>)            \
  LINEAR_ENTRY(centred_gram, dtype, oblate::Medium<float>::THREADS, centred_gram<f>)         \
  LINEAR_ENTRY(products, dtype, oblate::Small<float>::THREADS, products<f, true>)            \
  LINEAR_ENTRY(products_unaligned, dtype, oblate::Small<float>::THREADS, products<f, false>) \
  LINEAR_ENTRY(rows, dtype, LINEAR_THREADS, rows<f>)
LINEAR_ENTRIES(f32, float)
LINEAR_ENTRIES(f16, __half)
LINEAR_ENTRIES(bf16, __nv_bfloat16)

extern "C" __global__ void __launch_bounds__(LINEAR_THREADS) linear_finish(const __grid_constant__ LinearParams p) {
  oblate::finish(p);
}
