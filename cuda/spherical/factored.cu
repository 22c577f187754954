// spherical.factored: one exact step of gradient descent on an output layer of D classes, at a cost without D in it.
//
//   W <- rho W - eta G'H        W = V U + 1 (omega + centre)', G = Lam O + Ls 1' + (targets) Lc, O = H W'
//
//   o_bk = V[c_bk].UH_b + omega.h_b;  q_b = h_b.HQ_b;  s_b = row_sum.h_b;  the loss gives Lam = 2 Lq, Ls and Lc (losses.cuh)
//   Y = sum_k Lc W[c] = X U + r omega';  grad_hidden = Lam HQ + Ls row_sum + Y              X = sum_k Lc V[c], r = sum_k Lc
//   R' = (1/rho) (I - (eta/rho) C Lam)^-1 H T'                                              C = H H'
//   Z = (-(eta/2) Lam N - eta (X UH' + r (omega.h)')) Lam H + rho (Lam HQ + Y)              N = HQ H', p = H'Ls
//         + Ls (A(row_sum) - (eta D/2) p - (eta/2) H'r)' - (eta/2) r p' - (eta/2) E H       E: rows that name a class together
//   U <- rho U - eta UH'Lam H;  T <- (1/rho) T + eta R Lam H;  V[c_bk] -= eta Lc_bk R'_b    A(x) = rho x - eta H'Lam H x
//   Q <- rho^2 Q - eta (H'Z + Z'H);  omega <- A(omega) - eta p;  row_sum <- A(row_sum) - eta (D p + H'r);  centre <- rho centre
//
// Shapes    V [D, d], U, T = U^-T, Q [d, d], row_sum, omega, centre [d]; H [B, d], targets [B] or [B, K], values [B, K] ->
//           loss [B] or [], grad_hidden [B, d], both of the W before the step. f32.
// Source    Vincent, de Brebisson, Bouthillier 2015 (Efficient Exact Gradient Update for training Deep Networks with Very
//           Large Sparse Targets), with E for classes that several rows name, K targets, weight decay, and losses whose Lam
//           may be negative. z sees logits about their mean alone: the layer is kept about its mean row, `centre`, so that
//           row_sum is 0 and sigma^2 = q / D cancels nothing.
// Work      B <= d: 2 (7 B d^2 + 5 B^2 d + 5 B K d) + (2/3) B^3 flops, tiles of 64 x 64, each product three of tf32. B > d:
//           the system (I - (eta/rho) H'Lam H) T_new' = T' in the place of the B x B one, R' = H T_new'.
// Traffic   State and workspace once or twice, 4 (8 d^2 + 20 B d + 4 B^2) bytes, and the K B rows of V twice: from L2.
// Launches  6; 8 where B > d. None depends on the host. What is wrong with the data (a target, a singular system) is found
//           before factored_update, which then leaves the state as it is.
// Numerics  f32 sums, dot products of a row by one warp. A row's loss and grad_hidden depend on no other row of the step,
//           but for the denominator of a mean. Entries of one class are added in the order of b and k.
#include "../common/matmul.cuh"
#include "../common/solve.cuh"
#include "losses.cuh"
#include "reduction.cuh"

namespace oblate {
constexpr int THREADS = FACTORED_THREADS;
using StepTile = Small<float>;
static_assert(StepTile::THREADS == THREADS && StepTile::BM == FACTORED_TILE && StepTile::BN == FACTORED_TILE,
              "factored.h");

template <bool A_STRIDED, bool B_STRIDED>
struct Product : Matmul<StepTile, float, A_STRIDED, B_STRIDED, true> {
  using Base = Matmul<StepTile, float, A_STRIDED, B_STRIDED, true>;
  using Base::Base;
  static_assert(Base::SHARED_BYTES == FACTORED_SHARED, "factored.h");
};

__device__ __forceinline__ uint32_t tiles_of(uint64_t size) {
  return static_cast<uint32_t>((size + FACTORED_TILE - 1) / FACTORED_TILE);
}

// Blocks of a launch that has several kinds of work: those of one kind follow those of another.
struct Blocks {
  uint32_t left = blockIdx.x;

  // Whether this block is one of the next `count`; its number among them is then `left`.
  __device__ __forceinline__ bool are(uint32_t count) {
    if (left < count) return true;
    left -= count;
    return false;
  }
};

__device__ __forceinline__ uint32_t entries_of(const FactoredParams& p) {
  return static_cast<uint32_t>(p.rows * p.targets_per_row);
}
// The parts of by_row.
__device__ __forceinline__ float* row_losses(const FactoredParams& p) { return p.by_row; }
__device__ __forceinline__ float* lam(const FactoredParams& p) { return p.by_row + p.rows; }
__device__ __forceinline__ float* l_s(const FactoredParams& p) { return p.by_row + 2 * p.rows; }
__device__ __forceinline__ float* l_c(const FactoredParams& p) { return p.by_row + 3 * p.rows; }
__device__ __forceinline__ float* omega_h(const FactoredParams& p) { return p.by_row + 4 * p.rows; }

// ---- prepare: what does not need the state

// The class of an entry of targets; NO_TARGET where it is ignored, or no class.
__device__ __forceinline__ uint32_t class_of(const FactoredParams& p, uint32_t entry) {
  const int64_t index = load_index(p.targets, p.index_dtype, entry);
  if (index == p.ignore_index || index < 0 || static_cast<uint64_t>(index) >= p.classes) return NO_TARGET;
  return static_cast<uint32_t>(index);
}

// An entry's place among all, by class, within a class by place: how many are before it. E^2 comparisons, of which a launch
// of E threads does not notice those of a few thousand entries.
__device__ __forceinline__ void order_entry(const FactoredParams& p, uint32_t entry) {
  __shared__ uint32_t others[THREADS];
  const uint32_t count = entries_of(p), own = entry < count ? class_of(p, entry) : NO_TARGET;
  uint32_t before = 0;
  for (uint32_t first = 0; first < count; first += THREADS) {
    const uint32_t other = first + threadIdx.x;
    others[threadIdx.x] = other < count ? class_of(p, other) : NO_TARGET;
    __syncthreads();
    for (uint32_t i = 0; i < min(static_cast<uint32_t>(THREADS), count - first); ++i) {
      before += others[i] < own || (others[i] == own && first + i < entry);
    }
    __syncthreads();
  }
  if (entry >= count) return;
  p.order[before] = entry;
  p.named[entry] = own;
}

__device__ __forceinline__ void prepare(const FactoredParams& p) {
  Blocks blocks;
  const uint32_t of_entries = (entries_of(p) + THREADS - 1) / THREADS;
  if (blocks.are(of_entries)) return order_entry(p, blocks.left * THREADS + threadIdx.x);
  if (blocks.are(1)) {
    if (p.denominator != nullptr) sum_of_weights<THREADS>(p, p.denominator);
    return;
  }
  const uint64_t threads = static_cast<uint64_t>(gridDim.x - of_entries - 1) * THREADS;
  for (uint64_t e = static_cast<uint64_t>(blocks.left) * THREADS + threadIdx.x; e < p.rows * p.width; e += threads) {
    p.h[e / p.width * p.stride + e % p.width] = p.hidden[e];
  }
}

// ---- products: HQ, UH, HT, C

__device__ __forceinline__ void products(const FactoredParams& p) {
  extern __shared__ uint4 stages[];
  const uint32_t tiles_m = tiles_of(p.rows), tiles_n = tiles_of(p.width), of_width = tiles_m * tiles_n;
  Blocks blocks;
  const float* b = p.q;
  float* to = p.hq;
  uint64_t columns = p.width, stride = p.stride;
  uint32_t across = tiles_n;
  if (!blocks.are(of_width)) {
    b = p.u;
    to = p.uh;
    if (!blocks.are(of_width)) {
      b = p.t;
      to = p.ht;
      if (!blocks.are(of_width)) {
        b = p.h;
        to = p.c;
        columns = p.rows;
        stride = p.row_stride;
        across = tiles_m;
      }
    }
  }
  const TileAt at = tile_at(blocks.left, tiles_m, across, 8);
  Product<false, false> product(stages, {p.h, p.rows, p.width, p.stride}, {b, columns, p.width, p.stride});
  product.tiles(at.m * FACTORED_TILE, at.n * FACTORED_TILE, 1,
                [&](auto& sums) { store(sums, to, p.rows, columns, stride, true); });
}

// ---- rows: the losses, and what they give of the gradient

// The sum of a row's values that name a class.
__device__ __forceinline__ float named_value(const FactoredParams& p, uint64_t first, uint32_t of) {
  float sum = 0.f;
  for (uint64_t e = first; e < first + p.targets_per_row; ++e) {
    if (p.named[e] == of) sum += p.values == nullptr ? 1.f : p.values[e];
  }
  return sum;
}

// A row, by one warp.
__device__ __forceinline__ void row_loss(const FactoredParams& p, uint64_t b) {
  const uint32_t lane = lane_index();
  const float *const h = p.h + b * p.stride, *const hq = p.hq + b * p.stride, *const uh = p.uh + b * p.stride;
  float q = 0.f, s = 0.f, omega = 0.f;
  for (uint64_t j = lane; j < p.width; j += WARP) {
    q = fmaf(hq[j], h[j], q);
    s = fmaf(p.row_sum[j], h[j], s);
    omega = fmaf(p.omega[j], h[j], omega);
  }
  q = warp_sum(q);
  s = warp_sum(s);
  omega = warp_sum(omega);
  const auto classes = static_cast<float>(p.classes);
  const float mean = s / classes, about_mean = q - s * mean;
  // Rounding may leave less than nothing.
  Moments moments{classes, mean, 0.f, about_mean < 0.f ? 0.f : about_mean};
  if (!isfinite(q)) moments = {classes, s, 0.f, q};
  const SphericalLoss<FactoredParams> spherical(p, moments);
  const bool is_squared_error = p.loss_kind == LOSS_SQUARED_ERROR;
  const uint64_t first = b * p.targets_per_row;
  float loss = is_squared_error ? q : 0.f, slope = 0.f, offset = 0.f;
  bool kept = false, valid = true;
#pragma unroll 1
  for (uint64_t e = first; e < first + p.targets_per_row; ++e) {
    const uint32_t c = p.named[e];
    if (c == NO_TARGET) {
      if (lane == 0) p.lc[e] = 0.f;
      if (load_index(p.targets, p.index_dtype, e) == p.ignore_index) continue;
      if (lane == 0) report(p.status, STATUS_TARGET_OUT_OF_RANGE, p.targets_tensor, p.step * entries_of(p) + e);
      kept = true;
      valid = false;
      continue;
    }
    kept = true;
    float o = 0.f;
    const float* const v = p.v + static_cast<uint64_t>(c) * p.stride;
    for (uint64_t j = lane; j < p.width; j += WARP) o = fmaf(v[j], uh[j], o);
    o = warp_sum(o) + omega;
    const float value = p.values == nullptr ? 1.f : p.values[e];
    TargetTerms terms = spherical.target(o);
    if (is_squared_error) terms.loss += named_value(p, first, c);
    loss = fmaf(value, terms.loss, loss);
    slope = fmaf(value, terms.slope, slope);
    offset = fmaf(value, terms.offset, offset);
    if (lane == 0) p.lc[e] = value * terms.excess;
  }
  SphericalRow row = spherical.row(slope, offset, upstream(p, b));
  loss = weighted(p, b, loss);
  if (!valid) loss = row.factor = NAN;
  if (!kept) {
    loss = 0.f;
    row = {0.f, 0.f, 0.f, 0.f, 0.f, 0.f, NO_TARGET, 1};
  }
  const float of_logits = row.scale * row.slope * row.factor;
  __syncwarp();  // the first lane's Lc
  float r = 0.f;
  for (uint64_t e = first; e < first + p.targets_per_row; ++e) {
    const float l = p.lc[e] * row.factor;
    __syncwarp();
    if (lane == 0) p.lc[e] = l;
    r += l;
  }
  __syncwarp();
  if (lane == 0) {
    (p.is_reduced ? row_losses(p) : p.loss)[b] = loss;
    lam(p)[b] = of_logits;
    l_s(p)[b] = fmaf(row.shift, row.slope, row.offset) * row.factor;
    l_c(p)[b] = r;
    omega_h(p)[b] = omega;
    p.s[b] = s;
  }
  float *const x = p.x + b * p.stride, *const lh = p.lh + b * p.stride;
  for (uint64_t j = lane; j < p.width; j += WARP) {
    float sum = 0.f;
    for (uint64_t e = first; e < first + p.targets_per_row; ++e) {
      const uint32_t c = p.named[e];
      if (c != NO_TARGET) sum = fmaf(p.lc[e], p.v[static_cast<uint64_t>(c) * p.stride + j], sum);
    }
    x[j] = sum;
    lh[j] = of_logits * h[j];
  }
}

__device__ __forceinline__ void rows(const FactoredParams& p) {
  extern __shared__ uint4 stages[];
  const uint32_t tiles_m = tiles_of(p.rows);
  Blocks blocks;
  if (blocks.are(tiles_m * tiles_m)) {
    const TileAt at = tile_at(blocks.left, tiles_m, tiles_m, 8);
    Product<false, false> product(stages, {p.hq, p.rows, p.width, p.stride}, {p.h, p.rows, p.width, p.stride});
    product.tiles(at.m * FACTORED_TILE, at.n * FACTORED_TILE, 1,
                  [&](auto& sums) { store(sums, p.n, p.rows, p.rows, p.row_stride, true); });
    return;
  }
  const uint64_t b = static_cast<uint64_t>(blocks.left) * (THREADS / WARP) + warp_index();
  if (b < p.rows) row_loss(p, b);
}

// ---- combine: Y and grad_hidden, the weights of Lam H in Z, the small system, classes that are named, vectors, the loss

__device__ __forceinline__ void target_rows(const FactoredParams& p, void* stages, TileAt at) {
  Product<false, true> product(stages, {p.x, p.rows, p.width, p.stride}, {p.u, p.width, p.width, p.stride});
  product.tiles(at.m * FACTORED_TILE, at.n * FACTORED_TILE, 1, [&](auto& sums) {
    sums.each([&](uint64_t b, uint64_t j, float& sum) {
      if (b >= p.rows || j >= p.width) return;
      const float y = fmaf(l_c(p)[b], p.omega[j], sum);
      p.y[b * p.stride + j] = y;
      if (p.grad_hidden == nullptr) return;
      p.grad_hidden[b * p.width + j] = fmaf(lam(p)[b], p.hq[b * p.stride + j], fmaf(l_s(p)[b], p.row_sum[j], y));
    });
  });
}

__device__ __forceinline__ void pair_weights(const FactoredParams& p, void* stages, TileAt at) {
  Product<false, false> product(stages, {p.x, p.rows, p.width, p.stride}, {p.uh, p.rows, p.width, p.stride});
  product.tiles(at.m * FACTORED_TILE, at.n * FACTORED_TILE, 1, [&](auto& sums) {
    sums.each([&](uint64_t b, uint64_t other, float& sum) {
      if (b >= p.rows || other >= p.rows) return;
      const float y_h = fmaf(l_c(p)[b], omega_h(p)[other], sum), n = p.n[b * p.row_stride + other];
      p.w1[b * p.row_stride + other] = -p.eta * fmaf(0.5f * lam(p)[b], n, y_h);
    });
  });
}

// I - (eta/rho) H'Lam H, where B > d.
__device__ __forceinline__ void dual_system(const FactoredParams& p, void* stages, TileAt at) {
  Product<true, true> product(stages, {p.h, p.width, p.rows, p.stride}, {p.lh, p.width, p.rows, p.stride});
  product.tiles(at.m * FACTORED_TILE, at.n * FACTORED_TILE, 1, [&](auto& sums) {
    sums.each([&](uint64_t i, uint64_t j, float& sum) {
      if (i < p.width && j < p.width) p.c[i * p.stride + j] = (i == j ? 1.f : 0.f) - p.eta / p.rho * sum;
    });
  });
}

// Makes C into I - (eta/rho) C Lam, or takes the dual system as it is; what a pivot is measured by is the column's largest
// term, before the identity cancels it. Then its factors.
template <bool IS_DUAL>
__device__ __forceinline__ void factor_system(const FactoredParams& p, void* space) {
  const auto n = static_cast<uint32_t>(IS_DUAL ? p.width : p.rows), stride = IS_DUAL ? p.stride : p.row_stride;
  for (uint32_t j = threadIdx.x; j < n; j += THREADS) {
    const float scale = IS_DUAL ? 0.f : p.eta / p.rho * lam(p)[j];
    float norm = 0.f;
    for (uint32_t i = 0; i < n; ++i) {
      float& at = p.c[static_cast<uint64_t>(i) * stride + j];
      const float one = i == j ? 1.f : 0.f, term = IS_DUAL ? one - at : scale * at;
      at = one - term;
      norm = fmaxf(norm, one + fabsf(term));
    }
    p.norms[j] = norm;
  }
  __syncthreads();
  factor<THREADS>(p.c, n, stride, p.norms, p.pivots, static_cast<float*>(space), FACTORED_SHARED / 4,
                  [&] { report(p.status, STATUS_SINGULAR_STEP, p.step_tensor, p.step); });
}

// Whether a place in `order` is the first of its class; its class.
__device__ __forceinline__ bool is_head(const FactoredParams& p, uint32_t place, uint32_t& of) {
  of = p.named[p.order[place]];
  return of != NO_TARGET && (place == 0 || p.named[p.order[place - 1]] != of);
}

// Calls f(entry, row) of the entries of a class, whose first place in `order` is `place`, in order.
template <class F>
__device__ __forceinline__ void each_of_class(const FactoredParams& p, uint32_t place, uint32_t of, F&& f) {
  for (; place < entries_of(p); ++place) {
    const uint32_t entry = p.order[place];
    if (p.named[entry] != of) return;
    f(entry, entry / p.targets_per_row);
  }
}

__device__ __forceinline__ void class_sum(const FactoredParams& p, uint32_t place) {
  uint32_t of;
  if (!is_head(p, place, of)) return;
  if (threadIdx.x == 0) each_of_class(p, place, of, [&](uint32_t entry, uint64_t) { p.heads[entry] = place; });
  for (uint64_t j = threadIdx.x; j < p.width; j += THREADS) {
    float sum = 0.f;
    each_of_class(p, place, of,
                  [&](uint32_t entry, uint64_t b) { sum = fmaf(p.lc[entry], p.h[b * p.stride + j], sum); });
    p.groups[static_cast<uint64_t>(place) * p.stride + j] = sum;
  }
}

// The four vectors of `vectors`, element j of each.
__device__ __forceinline__ void sums_over_rows(const FactoredParams& p, uint64_t j) {
  if (j >= p.width) return;
  float of_ls = 0.f, of_lc = 0.f, of_s = 0.f, of_omega = 0.f;
  for (uint64_t b = 0; b < p.rows; ++b) {
    const float h = p.h[b * p.stride + j], lh = p.lh[b * p.stride + j];
    of_ls = fmaf(l_s(p)[b], h, of_ls);
    of_lc = fmaf(l_c(p)[b], h, of_lc);
    of_s = fmaf(p.s[b], lh, of_s);
    of_omega = fmaf(omega_h(p)[b], lh, of_omega);
  }
  p.vectors[j] = of_ls;
  p.vectors[p.stride + j] = of_lc;
  p.vectors[2 * p.stride + j] = p.rho * p.row_sum[j] - p.eta * of_s;
  p.vectors[3 * p.stride + j] = p.rho * p.omega[j] - p.eta * (of_omega + of_ls);
}

template <bool IS_DUAL>
__device__ __forceinline__ void combine(const FactoredParams& p) {
  extern __shared__ uint4 stages[];
  const uint32_t tiles_m = tiles_of(p.rows), tiles_n = tiles_of(p.width);
  Blocks blocks;
  // The longest first.
  if constexpr (IS_DUAL) {
    if (blocks.are(tiles_n * tiles_n)) return dual_system(p, stages, tile_at(blocks.left, tiles_n, tiles_n, 8));
  } else {
    if (blocks.are(1)) return factor_system<false>(p, stages);
  }
  if (blocks.are(tiles_m * tiles_n)) return target_rows(p, stages, tile_at(blocks.left, tiles_m, tiles_n, 8));
  if (blocks.are(tiles_m * tiles_m)) return pair_weights(p, stages, tile_at(blocks.left, tiles_m, tiles_m, 8));
  if (blocks.are((p.width + THREADS - 1) / THREADS)) return sums_over_rows(p, blocks.left * THREADS + threadIdx.x);
  if (blocks.are(entries_of(p))) return class_sum(p, blocks.left);
  if (p.is_reduced) sum_of_rows<THREADS>(row_losses(p), p.rows, p.denominator, p.loss);
}

// ---- solve: Z, and R' of the small system

__device__ __forceinline__ void z_tile(const FactoredParams& p, void* stages, TileAt at) {
  Product<false, true> product(stages, {p.w1, p.rows, p.rows, p.row_stride}, {p.lh, p.width, p.rows, p.stride});
  product.tiles(at.m * FACTORED_TILE, at.n * FACTORED_TILE, 1, [&](auto& sums) {
    sums.each([&](uint64_t b, uint64_t j, float& sum) {
      if (b >= p.rows || j >= p.width) return;
      const float half = 0.5f * p.eta, ls = l_s(p)[b];
      const float of_p = p.vectors[j], of_r = p.vectors[p.stride + j], of_sum = p.vectors[2 * p.stride + j];
      float together = 0.f;
      for (uint64_t e = b * p.targets_per_row; e < (b + 1) * p.targets_per_row; ++e) {
        if (p.named[e] != NO_TARGET) {
          together = fmaf(p.lc[e], p.groups[static_cast<uint64_t>(p.heads[e]) * p.stride + j], together);
        }
      }
      const float of_rows = fmaf(lam(p)[b], p.hq[b * p.stride + j], p.y[b * p.stride + j]);
      const float of_ls = of_sum - half * (static_cast<float>(p.classes) * of_p + of_r);
      p.z[b * p.stride + j] = sum + p.rho * of_rows + ls * of_ls - half * (l_c(p)[b] * of_p + together);
    });
  });
}

// Column j of (1/rho) (I - (eta/rho) C Lam)^-1 H T', which is R'; is_dual: of (1/rho) (I - (eta/rho) H'Lam H)^-1 T'.
template <bool IS_DUAL>
__device__ __forceinline__ void solve_column(const FactoredParams& p, uint64_t j) {
  if (j >= p.width) return;
  float* const column = p.ht + j;
  const auto n = static_cast<uint32_t>(IS_DUAL ? p.width : p.rows);
  if (IS_DUAL) {
    for (uint64_t i = 0; i < p.width; ++i) column[i * p.stride] = p.t[j * p.stride + i];
  }
  substitute(p.c, n, IS_DUAL ? p.stride : p.row_stride, p.pivots, column, p.stride);
  for (uint64_t i = 0; i < n; ++i) column[i * p.stride] /= p.rho;
}

template <bool IS_DUAL>
__device__ __forceinline__ void solve(const FactoredParams& p) {
  extern __shared__ uint4 stages[];
  const uint32_t tiles_m = tiles_of(p.rows), tiles_n = tiles_of(p.width);
  Blocks blocks;
  if constexpr (IS_DUAL) {
    if (blocks.are(1)) return factor_system<true>(p, stages);
  } else {
    if (blocks.are((p.width + THREADS - 1) / THREADS)) {
      return solve_column<false>(p, blocks.left * THREADS + threadIdx.x);
    }
  }
  if (blocks.are(tiles_m * tiles_n)) z_tile(p, stages, tile_at(blocks.left, tiles_m, tiles_n, 8));
}

// R' = H T_new', where B > d.
__device__ __forceinline__ void project(const FactoredParams& p) {
  extern __shared__ uint4 stages[];
  const TileAt at = tile_at(blockIdx.x, tiles_of(p.rows), tiles_of(p.width), 8);
  Product<false, true> product(stages, {p.h, p.rows, p.width, p.stride}, {p.ht, p.width, p.width, p.stride});
  product.tiles(at.m * FACTORED_TILE, at.n * FACTORED_TILE, 1,
                [&](auto& sums) { store(sums, p.r, p.rows, p.width, p.stride, true); });
}

// ---- update: the state

// u <- rho u - eta UH'(Lam H), or t <- (1/rho) t + eta R (Lam H).
__device__ __forceinline__ void update_factor(const FactoredParams& p, void* stages, TileAt at, bool is_u) {
  const float *const a = is_u ? p.uh : p.r, scale = is_u ? p.rho : 1.f / p.rho, step = is_u ? -p.eta : p.eta;
  float* const to = is_u ? p.u : p.t;
  Product<true, true> product(stages, {a, p.width, p.rows, p.stride}, {p.lh, p.width, p.rows, p.stride});
  product.tiles(at.m * FACTORED_TILE, at.n * FACTORED_TILE, 1, [&](auto& sums) {
    sums.each([&](uint64_t i, uint64_t j, float& sum) {
      if (i >= p.width || j >= p.width) return;
      float& element = to[i * p.stride + j];
      element = fmaf(step, sum, scale * element);
    });
  });
}

// The tile of a pair that is not below the diagonal.
__device__ __forceinline__ TileAt upper_tile(uint32_t t, uint32_t tiles) {
  uint32_t m = 0;
  for (; t >= tiles - m; ++m) t -= tiles - m;
  return {m, m + t};
}

// A tile of Q and its mirror image: Q stays symmetric.
__device__ __forceinline__ void update_gram(const FactoredParams& p, void* stages, TileAt at) {
  typename Product<true, true>::Sums first;
#pragma unroll 1
  for (int pass = 0; pass < 2; ++pass) {
    Product<true, true> product(stages, {pass == 0 ? p.h : p.z, p.width, p.rows, p.stride},
                                {pass == 0 ? p.z : p.h, p.width, p.rows, p.stride});
    product.tiles(at.m * FACTORED_TILE, at.n * FACTORED_TILE, 1, [&](auto& sums) {
      if (pass == 0) {
        first = sums;
        return;
      }
#pragma unroll
      for (int i = 0; i < decltype(first)::MI; ++i) {
#pragma unroll
        for (int j = 0; j < decltype(first)::NJ; ++j) {
#pragma unroll
          for (int c = 0; c < 4; ++c) {
            const uint64_t m = sums.row(i, c / 2), n = sums.column(j) + c % 2;
            if (m > n || n >= p.width) continue;
            float& element = p.q[m * p.stride + n];
            element = p.rho * p.rho * element - p.eta * (first.at[i][j][c] + sums.at[i][j][c]);
            p.q[n * p.stride + m] = element;
          }
        }
      }
    });
  }
}

__device__ __forceinline__ void update_class(const FactoredParams& p, uint32_t place) {
  uint32_t of;
  if (!is_head(p, place, of)) return;
  float* const v = p.v + static_cast<uint64_t>(of) * p.stride;
  for (uint64_t j = threadIdx.x; j < p.width; j += THREADS) {
    float sum = 0.f;
    each_of_class(p, place, of,
                  [&](uint32_t entry, uint64_t b) { sum = fmaf(p.lc[entry], p.r[b * p.stride + j], sum); });
    v[j] = fmaf(-p.eta, sum, v[j]);
  }
}

__device__ __forceinline__ void update_vectors(const FactoredParams& p, uint64_t j) {
  if (j >= p.width) return;
  if (p.is_centred) {
    p.centre[j] *= p.rho;
  } else {
    const float of_p = p.vectors[j], of_r = p.vectors[p.stride + j];
    p.row_sum[j] = p.vectors[2 * p.stride + j] - p.eta * fmaf(static_cast<float>(p.classes), of_p, of_r);
  }
  p.omega[j] = p.vectors[3 * p.stride + j];
}

__device__ __forceinline__ void update(const FactoredParams& p) {
  extern __shared__ uint4 stages[];
  if (p.status->code != STATUS_CLEAR) return;
  const uint32_t tiles = tiles_of(p.width);
  Blocks blocks;
  if (blocks.are(tiles * (tiles + 1) / 2)) return update_gram(p, stages, upper_tile(blocks.left, tiles));
  for (const bool is_u : {true, false}) {
    if (blocks.are(tiles * tiles)) return update_factor(p, stages, tile_at(blocks.left, tiles, tiles, 8), is_u);
  }
  if (blocks.are((p.width + THREADS - 1) / THREADS)) return update_vectors(p, blocks.left * THREADS + threadIdx.x);
  if (blocks.are(entries_of(p))) update_class(p, blocks.left);
}

__device__ __forceinline__ void substitute_columns(const FactoredParams& p) {
  solve_column<true>(p, static_cast<uint64_t>(blockIdx.x) * THREADS + threadIdx.x);
}
}  // namespace oblate

#define FACTORED_ENTRY(kernel, role)                                \
  extern "C" __global__ void __launch_bounds__(oblate::THREADS, 1)  \
      factored_##kernel(const __grid_constant__ FactoredParams p) { \
    oblate::role(p);                                                \
  }
FACTORED_ENTRY(prepare, prepare)
FACTORED_ENTRY(products, products)
FACTORED_ENTRY(rows, rows)
FACTORED_ENTRY(combine, combine<false>)
FACTORED_ENTRY(combine_dual, combine<true>)
FACTORED_ENTRY(solve, solve<false>)
FACTORED_ENTRY(solve_dual, solve<true>)
FACTORED_ENTRY(substitute, substitute_columns)
FACTORED_ENTRY(project, project)
FACTORED_ENTRY(update, update)
