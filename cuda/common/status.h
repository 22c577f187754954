// What a kernel says about the data that only the device sees. Plain C, shared by device and host.
//
// The caller owns one Status and fills its 16 bytes with 0xff before the launches that it asks about (one asynchronous
// memset in stream order). A kernel lowers the fields by integer atomicMin, so that the answer is the least offending
// index whatever the schedule; the row that it belongs to gets NaN. Afterwards: code STATUS_CLEAR means nothing found.
#pragma once

#include <stdint.h>

#define STATUS_CLEAR 0xffffffffu
#define STATUS_TARGET_OUT_OF_RANGE 1u    // neither ignore_index nor in [0, classes); tensor "targets"
#define STATUS_SEGMENTS_OUT_OF_ORDER 2u  // less than the one before, or more than rows; tensor "segments"
#define STATUS_SINGULAR_STEP 3u          // a layer cannot be recovered after it; index: of the step
#define STATUS_OFFSETS_OUT_OF_ORDER 4u   // they do not ascend from 0 to classes; tensor "cluster_offsets"

// A tensor that is checked after another adds 1 << STATUS_INDEX_BITS to its indices, so that the first one's is told.
#define STATUS_INDEX_BITS 56u

typedef struct {
  uint32_t code;    // STATUS_CLEAR or what was found
  uint32_t tensor;  // the caller's number for the offending tensor, as given in the params (`targets_tensor`)
  uint64_t index;   // the least offending flat index in that tensor, with the tensor's rank in the bits above
} Status;
