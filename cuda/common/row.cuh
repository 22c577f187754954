// A chunk of a row: from global memory into its slot of shared memory, from there into registers with each element in
// the lane that its index says, and the gradient back. One warp does all of it; no chunk waits for another.
//
// A row may begin between two vectors. Its chunks are copied by the address's own aligned 16-byte vectors, and shifted
// when they are read from the slot: vector i of the chunk, its elements [V i, V i + V), lies in the aligned vectors A_i
// and A_{i+1}, and belongs to lane i mod 32 wherever the row lies in memory. The gradient is not shifted back: it is
// computed element by element, so aligned vectors are read from the slot and written whole.
//
// The sectors that a row shares with its neighbours are read and written element by element (edges.cuh): no thread reads
// or writes a byte of another row, so that a gradient may take the place of its logits while other rows are still read.
#pragma once

#include "cp_async.cuh"
#include "edges.cuh"
#include "index.cuh"
#include "reduce.cuh"
#include "row.h"
#include "vector.cuh"

namespace oblate {
constexpr uint32_t CHUNK_VECTORS = CHUNK_BYTES / VECTOR_BYTES;
constexpr uint32_t LANE_VECTORS = CHUNK_VECTORS / WARP;
static_assert(SLOT_BYTES == CHUNK_BYTES + SECTOR_BYTES, "a chunk touches one sector more than it fills");

// Elements of a chunk, and those that a lane holds of it.
template <class f>
constexpr uint32_t CHUNK_ELEMENTS = CHUNK_BYTES / sizeof(f);
template <class f>
constexpr uint32_t LANE_ELEMENTS = CHUNK_ELEMENTS<f> / WARP;

// A tensor f [rows, classes] and its bytes in global memory.
template <class f>
struct RowTensor {
  uint64_t begin, rows, classes;

  __device__ __forceinline__ RowTensor(const void* tensor, uint64_t rows, uint64_t classes)
      : begin(__cvta_generic_to_global(tensor)), rows(rows), classes(classes) {}
  __device__ __forceinline__ uint64_t end() const { return begin + rows * classes * sizeof(f); }
  __device__ __forceinline__ uint32_t chunks() const { return chunks_of(classes, sizeof(f), CHUNK_BYTES); }
  __device__ __forceinline__ ChunkSpan span(uint64_t row, uint64_t chunk) const {
    return chunk_span(begin, row, classes, sizeof(f), chunk, CHUNK_BYTES);
  }
};

// What a chunk's warp copies into its slot, in bytes from the slot's start: whole sectors of the row, and what it has of
// those that it shares with other rows.
struct Copy {
  uint64_t slot;
  uint32_t begin, end;

  // What the chunk's statistics need: every sector that it touches.
  static __device__ __forceinline__ Copy for_statistics(const ChunkSpan& s) {
    const uint64_t begin = s.slot < s.row_begin ? s.row_begin : s.slot;
    return {s.slot, static_cast<uint32_t>(begin - s.slot),
            static_cast<uint32_t>(least(sector_ceil(s.end), s.row_end) - s.slot)};
  }
  // What its gradient needs when the row is read a second time: then sectors that another warp writes, which may already
  // hold its gradient, are not read again.
  static __device__ __forceinline__ Copy for_gradient(const ChunkSpan& s) {
    return {s.slot, static_cast<uint32_t>(s.gradient_begin - s.slot), static_cast<uint32_t>(s.gradient_end - s.slot)};
  }

  // Starts the copy of the whole sectors.
  __device__ __forceinline__ void start(unsigned char* to) const {
    const uint32_t first = sector_ceil(begin) + lane_index() * VECTOR_BYTES, last = sector_floor(end);
    const unsigned char* const from = global_pointer<const unsigned char>(slot);
#pragma unroll
    for (uint32_t j = 0; j * WARP * VECTOR_BYTES < SLOT_BYTES; ++j) {
      const uint32_t at = first + j * WARP * VECTOR_BYTES;
      if (at < last) cp_async_16(to + at, from + at);
    }
  }
  // Copies the rest, and waits for it.
  template <class f>
  __device__ __forceinline__ void edges(unsigned char* to) const {
    if ((begin | end) % SECTOR_BYTES == 0) return;
    const Edge<f> edge(begin, end);
    if (edge.is_shared) *reinterpret_cast<f*>(to + edge.at) = edge.load(slot);
  }
};

// The lane's elements of a chunk: vectors lane, lane + 32, ... of V elements each; `fill` for those beyond the row.
template <class element>
struct Chunk {
  using f = element;
  float x[LANE_ELEMENTS<f>];
  uint32_t count;     // elements of the chunk, in all lanes together
  const f* elements;  // they, in the slot, for what is seldom needed
  WarpLanes lanes;

  __device__ __forceinline__ Chunk(const unsigned char* slot, const ChunkSpan& span, float fill) {
    const uint32_t bytes = span.end - span.begin;
    const uint32_t offset = span.begin - span.slot;  // 0 to 31
    const uint32_t phase = offset % VECTOR_BYTES;
    const uint4* aligned = reinterpret_cast<const uint4*>(slot + (offset - phase));
    const uint32_t last = (phase + bytes - 1) / VECTOR_BYTES;  // what lies beyond was not copied
    count = bytes / sizeof(f);
    elements = reinterpret_cast<const f*>(slot + offset);
#pragma unroll
    for (uint32_t j = 0; j < LANE_VECTORS; ++j) {
      const uint32_t i = lane_index() + j * WARP;
      uint4 vector = aligned[i < last ? i : last];
      if (phase != 0) vector = shift_vector(vector, aligned[i + 1 < last ? i + 1 : last], phase);  // uniform in the row
      widen_vector<f>(vector, x + j * PER_VECTOR<f>);
    }
    refill(fill);
  }

  // Sets the elements beyond the row, of which only a row's last chunk has any.
  __device__ __forceinline__ void refill(float fill) {
    if (count == CHUNK_ELEMENTS<f>) return;
#pragma unroll
    for (uint32_t e = 0; e < LANE_ELEMENTS<f>; ++e) {
      const uint32_t i = lane_index() + e / PER_VECTOR<f> * WARP;
      if (i * PER_VECTOR<f> + e % PER_VECTOR<f> >= count) x[e] = fill;
    }
  }

  __device__ __forceinline__ void multiply(float factor) {
    if (factor == 1.f) return;  // uniform in the warp
#pragma unroll
    for (float& x_e : x) x_e *= factor;
  }

  // Takes the lane's elements one by one, where their order does not matter.
  template <class T, class Take>
  __device__ __forceinline__ T fold(T total, Take take) const {
#pragma unroll
    for (float x_e : x) take(total, x_e);
    return total;
  }

  // Adds up the lane's elements: each vector in order, then the vectors in order. T is float, or a few of them.
  template <class T, class Add>
  __device__ __forceinline__ T sum(T zero, Add add) const {
    T total = zero;
#pragma unroll
    for (uint32_t j = 0; j < LANE_VECTORS; ++j) {
      T vector = zero;
#pragma unroll
      for (uint32_t e = 0; e < PER_VECTOR<f>; ++e) add(vector, x[j * PER_VECTOR<f> + e]);
      total += vector;
    }
    return total;
  }
};

// Zeros in place of a chunk that was copied.
__device__ __forceinline__ void clear_slot(unsigned char* slot) {
#pragma unroll 1
  for (uint32_t v = lane_index(); v < SLOT_BYTES / VECTOR_BYTES; v += WARP) {
    reinterpret_cast<uint4*>(slot)[v] = make_uint4(0, 0, 0, 0);
  }
  __syncwarp();  // every lane's zeros before any lane reads the slot
}

// Puts the gradient of [begin, end), offsets from the slot's start, where `to` has the same offsets: whole sectors by
// vectors, those shared with other rows by elements, and all of them so where the slot and `to` do not agree modulo 16.
// The bits are the same.
template <class f, class Gradient>
__device__ __forceinline__ void store_gradient(const unsigned char* slot, unsigned char* to, uint32_t begin,
                                               uint32_t end, Gradient gradient) {
  const bool by_vectors = reinterpret_cast<uint64_t>(to) % VECTOR_BYTES == 0;
  const uint32_t first = sector_ceil(begin) + lane_index() * VECTOR_BYTES, last = by_vectors ? sector_floor(end) : 0;
#pragma unroll
  for (uint32_t j = 0; j < LANE_VECTORS; ++j) {
    const uint32_t at = first + j * WARP * VECTOR_BYTES;
    if (at < last) {
      float x[PER_VECTOR<f>];
      widen_vector<f>(*reinterpret_cast<const uint4*>(slot + at), x);
#pragma unroll
      for (int e = 0; e < PER_VECTOR<f>; ++e) x[e] = gradient(x[e]);
      store_vector(to + at, narrow_vector<f>(x));
    }
  }
  const Elements<f> rest(begin, end, by_vectors, lane_index(), WARP);
#pragma unroll 1
  for (uint32_t at = rest.first; at < end; at += rest.step) {
    *reinterpret_cast<f*>(to + at) = narrow<f>(gradient(widen(*reinterpret_cast<const f*>(slot + at))));
  }
}
}  // namespace oblate
