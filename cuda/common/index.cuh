// Where the chunks of a row lie: addresses and counts alone, in 64 bits, so that the host can test them as they are.
//
// A row starts at any element. Its chunk c is the bytes [begin, end), CHUNK_BYTES of them (fewer in the last). Memory is
// moved by sectors of 32 bytes, so a chunk's warp copies the sectors that the chunk touches, and later writes the
// gradient of those sectors that *start* in the chunk; sector boundaries are those of the address:
//
//   address      |.......|.......|.......|.......|       sectors of 32 bytes
//   chunk c          [begin ........ end)
//   copied       |<-------------------->|                floor(begin) .. ceil(end), cut at the row's ends
//   gradient             |<------------>|                ceil(begin) .. ceil(end); chunk 0 starts at the row's begin
//
// Each sector of the gradient has one warp, and a full chunk has CHUNK_BYTES of them: four whole 512-byte requests.
//
// Rows that fit half a chunk are packed: as many of them to a warp as fit a chunk, a power of two. Those of a block are one
// stretch, and it moves every sector that they touch once.
#pragma once

#include <stdint.h>

#include "row.h"

#ifdef __CUDACC__
#define OBLATE_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define OBLATE_HOST_DEVICE inline
#endif

namespace oblate {
constexpr uint32_t SECTOR_BYTES = 32;
constexpr uint32_t VECTOR_BYTES = 16;

// The first sector boundary at or before an address or an offset, and at or after it.
template <class T>
OBLATE_HOST_DEVICE T sector_floor(T address) {
  return address / SECTOR_BYTES * SECTOR_BYTES;
}
template <class T>
OBLATE_HOST_DEVICE T sector_ceil(T address) {
  return sector_floor(address + SECTOR_BYTES - 1);
}
OBLATE_HOST_DEVICE uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

OBLATE_HOST_DEVICE uint64_t chunks_of(uint64_t classes, uint64_t element_bytes, uint64_t chunk_bytes) {
  return (classes * element_bytes + chunk_bytes - 1) / chunk_bytes;
}

// Byte addresses of one chunk of one row of a [rows, classes] tensor.
struct ChunkSpan {
  uint64_t row_begin, row_end;  // the row
  uint64_t begin, end;          // the chunk
  uint64_t slot;                // what lies at the start of the chunk's slot in shared memory: floor(begin)
  uint64_t gradient_begin;      // the gradient that this chunk's warp writes
  uint64_t gradient_end;
};

OBLATE_HOST_DEVICE ChunkSpan chunk_span(uint64_t tensor, uint64_t row, uint64_t classes, uint64_t element_bytes,
                                        uint64_t chunk, uint64_t chunk_bytes) {
  ChunkSpan s;
  s.row_begin = tensor + row * classes * element_bytes;
  s.row_end = s.row_begin + classes * element_bytes;
  s.begin = s.row_begin + chunk * chunk_bytes;
  s.end = least(s.begin + chunk_bytes, s.row_end);
  s.slot = sector_floor(s.begin);
  s.gradient_begin = chunk == 0 ? s.row_begin : least(sector_ceil(s.begin), s.row_end);
  s.gradient_end = least(sector_ceil(s.end), s.row_end);
  return s;
}

// Rows of a warp, each at most CHUNK_BYTES: 32, 16, ..., 1.
OBLATE_HOST_DEVICE uint32_t packed_rows(uint64_t classes, uint64_t element_bytes) {
  uint32_t rows = PACKED_MOST_ROWS;
  while (rows > 1 && rows * classes * element_bytes > CHUNK_BYTES) rows /= 2;
  return rows;
}

// Byte addresses of the rows of one block, and where they lie in its shared memory.
struct PackedSpan {
  uint64_t first, last;  // row, and the one after the last
  uint64_t begin, end;   // the stretch
  uint64_t slot;         // what lies at the start of shared memory: floor(begin)
  uint32_t stride;       // bytes there from one row to the next
  uint32_t reciprocal;   // free_vectors

  // Left free before vector v of shared memory. Exact for the at most 1025 vectors of a stretch: with n vectors a row, at
  // most 64, v/n is 1/n or more below its ceiling, and v times what the reciprocal is too large by below 2^20 / n.
  OBLATE_HOST_DEVICE uint32_t free_vectors(uint32_t v) const { return v * reciprocal >> 20; }
};

OBLATE_HOST_DEVICE PackedSpan packed_span(uint64_t tensor, uint64_t rows, uint64_t classes, uint64_t element_bytes,
                                          uint64_t block, uint32_t rows_of_block) {
  const uint64_t row_bytes = classes * element_bytes;
  PackedSpan s;
  s.first = block * rows_of_block;
  s.last = least(s.first + rows_of_block, rows);
  s.begin = tensor + s.first * row_bytes;
  s.end = tensor + s.last * row_bytes;
  s.slot = sector_floor(s.begin);
  const bool is_padded = s.slot == s.begin && row_bytes % SECTOR_BYTES == 0;
  s.stride = static_cast<uint32_t>(row_bytes) + (is_padded ? VECTOR_BYTES : 0);
  s.reciprocal = is_padded ? (1u << 20) / (static_cast<uint32_t>(row_bytes) / VECTOR_BYTES) + 1 : 0;
  return s;
}
}  // namespace oblate
