// cuda/common/index.cuh on the host: every byte of a tensor is in one chunk, every byte of its gradient is written by one
// warp, short rows lie apart in their block's shared memory, and nothing wraps where a tensor is larger than 2^32 bytes.
// Prints what is wrong; exits with 1 then.
#include <cinttypes>
#include <cstdio>
#include <initializer_list>

#include "common/index.cuh"
#include "common/row.h"

namespace {
int failures = 0;

void check(bool holds, const char* what, uint64_t tensor, uint64_t classes, uint64_t chunk) {
  if (holds || ++failures > 10) return;
  std::printf("%s: tensor at %" PRIx64 ", %" PRIu64 " classes, chunk %" PRIu64 "\n", what, tensor, classes, chunk);
}

// The chunks of one row tile it, and so do the parts of its gradient; each part lies in what its warp copied.
void row(uint64_t tensor, uint64_t row, uint64_t classes, uint64_t element_bytes) {
  using namespace oblate;
  const uint64_t begin = tensor + row * classes * element_bytes, bytes = classes * element_bytes;
  const uint64_t chunks = chunks_of(classes, element_bytes, CHUNK_BYTES);
  uint64_t end = begin, gradient_end = begin;
  // All chunks of a short row, the first and the last of a long one.
  for (uint64_t chunk = 0; chunk < chunks; ++chunk) {
    if (chunk == 8 && chunks > 16) {
      chunk = chunks - 8;
      end = begin + chunk * CHUNK_BYTES;
      gradient_end = sector_ceil(end);
    }
    const ChunkSpan s = chunk_span(tensor, row, classes, element_bytes, chunk, CHUNK_BYTES);
    const bool last = chunk + 1 == chunks;
    check(s.row_begin == begin && s.row_end == begin + bytes, "the row", tensor, classes, chunk);
    check(s.begin == end && s.end > s.begin, "chunks follow each other", tensor, classes, chunk);
    check(last ? s.end == s.row_end : s.end - s.begin == CHUNK_BYTES, "a chunk's size", tensor, classes, chunk);
    check(s.slot % SECTOR_BYTES == 0 && s.begin - s.slot < SECTOR_BYTES, "the slot", tensor, classes, chunk);
    check(sector_ceil(s.end) - s.slot <= SLOT_BYTES, "a chunk fits its slot", tensor, classes, chunk);
    const bool whole = s.gradient_end % SECTOR_BYTES == 0 || s.gradient_end == s.row_end;
    check(s.gradient_begin == least(gradient_end, s.row_end) && whole, "whole sectors", tensor, classes, chunk);
    check(s.gradient_begin >= s.begin || s.gradient_begin == s.row_end, "copied", tensor, classes, chunk);
    check(s.gradient_end <= sector_ceil(s.end), "copied", tensor, classes, chunk);
    check(!last || s.gradient_end == s.row_end, "the gradient's end", tensor, classes, chunk);
    end = s.end;
    gradient_end = s.gradient_end;
  }
}

// The stretches of the blocks tile the tensor, and each byte of a row has a place of its own in shared memory: where the
// vector that holds it is copied to.
void packed(uint64_t tensor, uint64_t rows, uint64_t classes, uint64_t element_bytes) {
  using namespace oblate;
  const uint64_t row_bytes = classes * element_bytes, of_a_warp = packed_rows(classes, element_bytes);
  const bool is_most = of_a_warp == PACKED_MOST_ROWS || 2 * of_a_warp * row_bytes > CHUNK_BYTES;
  check(of_a_warp * row_bytes <= CHUNK_BYTES && is_most, "the most rows that fit a chunk", tensor, classes, 0);
  const uint32_t of_a_block = ROW_WARPS * static_cast<uint32_t>(of_a_warp);
  const uint64_t blocks = (rows + of_a_block - 1) / of_a_block;
  uint64_t end = tensor;
  for (uint64_t block = blocks > 3 ? blocks - 3 : 0; block < blocks; ++block) {
    if (block > 0 && end == tensor) end = tensor + block * of_a_block * row_bytes;
    const PackedSpan s = packed_span(tensor, rows, classes, element_bytes, block, of_a_block);
    check(s.first == block * of_a_block && s.begin == end && s.end > s.begin, "stretches follow", tensor, classes,
          block);
    check(s.slot % SECTOR_BYTES == 0 && s.begin - s.slot < SECTOR_BYTES, "the slot", tensor, classes, block);
    for (uint64_t byte = s.begin; byte < s.end; ++byte) {
      const uint32_t v = static_cast<uint32_t>((byte - s.slot) / 16);
      const uint64_t copied = (v + s.free_vectors(v)) * 16 + (byte - s.slot) % 16;
      const uint64_t of_row = (byte - s.begin) / row_bytes, in_row = (byte - s.begin) % row_bytes;
      check(copied == s.begin - s.slot + of_row * s.stride + in_row, "a byte's place", tensor, classes, block);
      check(copied - copied % 16 + 16 <= PACKED_BYTES, "rows fit their block", tensor, classes, block);
    }
    end = s.end;
  }
  check(end == tensor + rows * row_bytes, "the last stretch", tensor, classes, blocks);
}
}  // namespace

int main() {
  for (const uint64_t element_bytes : {2, 4}) {
    for (uint64_t tensor = 1 << 20; tensor < (1 << 20) + 64; tensor += element_bytes) {
      for (const uint64_t classes : {1, 2, 7, 15, 16, 17, 511, 512, 513, 1023, 1024, 1025, 5000, 30522, 50257}) {
        for (const uint64_t b : {0, 1, 2, 3}) row(tensor, b, classes, element_bytes);
      }
      for (uint64_t classes = 1; classes * element_bytes <= CHUNK_BYTES / 2; classes += classes < 70 ? 1 : 29) {
        for (const uint64_t rows : {1, 31, 32, 33, 70, 256, 600}) packed(tensor, rows, classes, element_bytes);
      }
      packed(tensor, (uint64_t{1} << 31) - 1, CHUNK_BYTES / 2 / element_bytes, element_bytes);
    }
    // A tensor of 2^31 - 1 rows of 2^31 - 1 classes would end at 2^64; one of 2^59 bytes, and rows of 2^33.
    const uint64_t most = (uint64_t{1} << 31) - 1;
    for (const uint64_t b : {uint64_t{0}, uint64_t{1} << 16, most >> 8}) row(uint64_t{1} << 60, b, most, element_bytes);
    for (const uint64_t b : {most - 1, most}) row((uint64_t{1} << 40) + element_bytes, b, 50257, element_bytes);
  }
  return failures != 0;
}
