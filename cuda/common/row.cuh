// A chunk of a row: from global memory into its slot of shared memory, from there into registers with each element in
// the lane that its index says, and the gradient back. One warp does all of it; no chunk waits for another.
//
// A row may begin between two vectors. Its chunks are copied by the address's own aligned 16-byte vectors, and shifted
// when they are read from the slot: vector i of the chunk, its elements [V i, V i + V), lies in the aligned vectors A_i
// and A_{i+1}, and belongs to lane i mod 32 wherever the row lies in memory. The gradient is not shifted back: it is
// computed element by element, so aligned vectors are read from the slot and written whole; the elements at the edges
// of the row that fill no vector are written one by one. Nothing outside the tensor is read, nothing outside the row
// is written or has a part in a result; neighbours' elements that share a vector with the row's are loaded and left.
#pragma once

#include "cp_async.cuh"
#include "index.cuh"
#include "reduce.cuh"
#include "row.h"
#include "vector.cuh"

namespace oblate {
constexpr uint32_t VECTOR_BYTES = 16;
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

template <class T>
__device__ __forceinline__ T* global_pointer(uint64_t address) {
  return static_cast<T*>(__cvta_global_to_generic(address));
}

// A vector that sticks out of the tensor: its elements inside, and zeros.
template <class f>
__device__ __forceinline__ void copy_edge(unsigned char* slot, uint64_t address, const RowTensor<f>& tensor) {
#pragma unroll 1
  for (uint32_t e = 0; e < VECTOR_BYTES; e += sizeof(f)) {
    const bool inside = address + e >= tensor.begin && address + e < tensor.end();
    *reinterpret_cast<f*>(slot + e) = inside ? *global_pointer<const f>(address + e) : narrow<f>(0.f);
  }
}

// Starts the copy of [begin, end) of a row, rounded outwards to vectors, into the slot of its chunk.
template <class f>
__device__ __forceinline__ void copy_chunk(unsigned char* slot, const RowTensor<f>& tensor, const ChunkSpan& span,
                                           uint64_t begin, uint64_t end) {
  const uint32_t first = (begin - span.slot) / VECTOR_BYTES;
  const uint32_t last = (end - span.slot + VECTOR_BYTES - 1) / VECTOR_BYTES;
  const bool first_sticks_out = span.slot + first * VECTOR_BYTES < tensor.begin;
  const bool last_sticks_out = span.slot + last * VECTOR_BYTES > tensor.end();
  const uint32_t first_whole = first + first_sticks_out, last_whole = last - last_sticks_out;
  const unsigned char* const from = global_pointer<const unsigned char>(span.slot) + lane_index() * VECTOR_BYTES;
  unsigned char* const to = slot + lane_index() * VECTOR_BYTES;
#pragma unroll
  for (uint32_t j = 0; j * WARP < SLOT_BYTES / VECTOR_BYTES; ++j) {
    const uint32_t v = lane_index() + j * WARP;
    if (v >= first_whole && v < last_whole) cp_async_16(to + j * WARP * VECTOR_BYTES, from + j * WARP * VECTOR_BYTES);
  }
  if (!first_sticks_out && !last_sticks_out) return;
  const uint32_t edge = lane_index() == 0 ? first : last - 1;  // two lanes may fill one vector, alike
  if ((lane_index() == 0 && first_sticks_out) || (lane_index() == 1 && last_sticks_out)) {
    copy_edge<f>(slot + edge * VECTOR_BYTES, span.slot + edge * VECTOR_BYTES, tensor);
  }
}

// What the chunk's statistics need, and what its gradient needs when the row is read a second time: then sectors that
// another warp writes, which may already hold its gradient where that lies in place of the logits, are not read again.
template <class f>
__device__ __forceinline__ void copy_for_statistics(unsigned char* slot, const RowTensor<f>& tensor,
                                                    const ChunkSpan& span) {
  copy_chunk(slot, tensor, span, span.begin, least(sector_ceil(span.end), span.row_end));
}
template <class f>
__device__ __forceinline__ void copy_for_gradient(unsigned char* slot, const RowTensor<f>& tensor,
                                                  const ChunkSpan& span) {
  if (span.gradient_begin < span.gradient_end) {
    copy_chunk(slot, tensor, span, span.gradient_begin, span.gradient_end);
  }
}

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

// Writes the gradient of a chunk's sectors: whole vectors, and element by element what lies at the edges of the row, or
// everything where logits and gradient do not agree modulo 16. The bits are the same.
template <class f, class Gradient>
__device__ __forceinline__ void store_gradient(const unsigned char* slot, const RowTensor<f>& tensor,
                                               const ChunkSpan& span, void* grad_logits, Gradient gradient) {
  unsigned char* const to = static_cast<unsigned char*>(grad_logits) + (span.slot - tensor.begin);
  const bool by_vectors = reinterpret_cast<uint64_t>(to) % VECTOR_BYTES == 0;
  // Offsets from the slot's start: [begin, head) and [tail, end) are the edges.
  const uint32_t begin = span.gradient_begin - span.slot, end = span.gradient_end - span.slot;
  const uint32_t first = sector_ceil(span.begin) - span.slot, head = min(first, end);
  const uint32_t tail = by_vectors ? max(head, end - end % VECTOR_BYTES) : head;
#pragma unroll
  for (uint32_t j = 0; j < LANE_VECTORS; ++j) {
    const uint32_t at = first + (lane_index() + j * WARP) * VECTOR_BYTES;
    if (at < tail) {
      float x[PER_VECTOR<f>];
      widen_vector<f>(*reinterpret_cast<const uint4*>(slot + at), x);
#pragma unroll
      for (int e = 0; e < PER_VECTOR<f>; ++e) x[e] = gradient(x[e]);
      // Not an assignment: nvcc 13.0 takes one of four f32 apart into four stores of 4 bytes.
      __stwb(reinterpret_cast<uint4*>(to + at), narrow_vector<f>(x));
    }
  }
#pragma unroll 1
  for (uint32_t at = begin + lane_index() * sizeof(f); at < end - (tail - head); at += WARP * sizeof(f)) {
    const uint32_t from = at < head ? at : at + (tail - head);
    *reinterpret_cast<f*>(to + from) = narrow<f>(gradient(widen(*reinterpret_cast<const f*>(slot + from))));
  }
}
}  // namespace oblate
