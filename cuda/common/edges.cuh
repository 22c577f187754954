// The edges of a stretch of memory: its elements in the sectors that it shares with what lies before and after it.
//
//   address      |.......|.......|.......|.......|       sectors of 32 bytes
//   stretch          [begin ........ end)
//   edges            |<->|               >|-|<           the rest is whole sectors, moved by vectors
//
// One warp moves both edges at once, an element a lane, so that nobody touches a byte outside its stretch and each sector
// is moved once. A vector that reached across an edge would be a data race with the neighbour's gradient, written in place
// of its logits, whether its bytes are used or not.
#pragma once

#include "index.cuh"
#include "reduce.cuh"
#include "vector.cuh"

namespace oblate {
template <class T>
__device__ __forceinline__ T* global_pointer(uint64_t address) {
  return static_cast<T*>(__cvta_global_to_generic(address));
}

// The lane's place in an edge of [begin, end), offsets from the start of a sector: the lower half of the lanes have the
// first sector's places (of 32-bit elements 8 lanes), the next as many the last sector's.
template <class f>
struct Edge {
  static constexpr uint32_t PLACES = SECTOR_BYTES / sizeof(f);

  uint32_t at;     // the place
  bool is_shared;  // it is in a sector that the stretch does not fill
  bool is_inside;  // and in the stretch

  __device__ __forceinline__ Edge(uint32_t begin, uint32_t end) {
    const uint32_t first = sector_floor(begin), last = sector_floor(end);
    const bool is_last = lane_index() >= PLACES;
    at = (is_last ? last : first) + lane_index() % PLACES * sizeof(f);
    // A sector that is both belongs to the first lanes.
    is_shared =
        is_last ? lane_index() < 2 * PLACES && end != last && (last != first || begin == first) : begin != first;
    is_inside = is_shared && at >= begin && at < end;
  }

  // The element; 0 for what is another's, so that whole vectors of the copy can be read.
  __device__ __forceinline__ f load(uint64_t sector) const {
    return is_inside ? *global_pointer<const f>(sector + at) : narrow<f>(0.f);
  }
};

// What a thread moves of [begin, end) element by element: those at first, first + step, ... before end. With the rest moved
// by vectors these are the edges, by the first warp.
template <class f>
struct Elements {
  uint32_t first, step;

  __device__ __forceinline__ Elements(uint32_t begin, uint32_t end, bool edges_alone, uint32_t thread,
                                      uint32_t threads) {
    first = begin + thread * sizeof(f);
    step = threads * sizeof(f);
    if (!edges_alone) return;
    first = step = end;
    if (thread >= WARP || (begin | end) % SECTOR_BYTES == 0) return;
    const Edge<f> edge(begin, end);
    if (edge.is_inside) first = edge.at;
  }
};

// Copies [begin, end) from shared memory, where `place` says that an offset lies, to `to` in global memory. Whole sectors
// go by vectors where the stretch and `to` agree modulo 16.
template <class f, class Place>
__device__ __forceinline__ void copy_out(unsigned char* to, uint32_t begin, uint32_t end, uint32_t thread,
                                         uint32_t threads, Place place) {
  const bool by_vectors = reinterpret_cast<uint64_t>(to) % VECTOR_BYTES == 0;
  const uint32_t last = by_vectors ? sector_floor(end) : 0;
#pragma unroll 1
  for (uint32_t at = sector_ceil(begin) + thread * VECTOR_BYTES; at < last; at += threads * VECTOR_BYTES) {
    __stwb(reinterpret_cast<uint4*>(to + at), *reinterpret_cast<const uint4*>(place(at)));
  }
  const Elements<f> rest(begin, end, by_vectors, thread, threads);
#pragma unroll 1
  for (uint32_t at = rest.first; at < end; at += rest.step) {
    *reinterpret_cast<f*>(to + at) = *reinterpret_cast<const f*>(place(at));
  }
}
}  // namespace oblate
