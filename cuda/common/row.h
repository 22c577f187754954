// How a row kernel cuts a row. Plain C, shared by device and host.
#pragma once

#define CHUNK_BYTES 2048     // of a row, counted from its first element: a warp's four 16-byte vectors a lane
#define SLOT_BYTES 2080      // shared memory of a chunk: the 32-byte sectors that it touches, at most 65
#define SEGMENT_CHUNKS 16    // chunks merged by one tree: 16 Ki elements of 16 bits, 8 Ki of 32
#define ROW_WARPS 8          // warps in a block of OP_T_packed, OP_T_warp (a row each) and OP_T_finish (the same)
#define PACKED_MOST_ROWS 32  // rows of a warp of OP_T_packed: a lane each
#define PACKED_BYTES 20512   // shared memory of its block: a chunk a warp, a free vector after each row, one sector
#define TARGETS_BYTES 25600  // most shared memory of a block for several targets a row: 8 of each of 256 rows
#define BLOCK_WARPS 12       // most warps in a block of OP_T_block: two such blocks leave 80 registers a thread
#define MAX_WARPS 16         // warps in a block of the others: a chunk of a segment each
#define STREAM_STAGES 2      // chunks in flight to a warp of OP_T_stream
#define STREAM_ROWS 216      // fewer rows, a block each, leave SMs idle: two blocks for each of 108 SMs
