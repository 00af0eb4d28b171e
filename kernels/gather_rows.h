// Rows of a table at places that a vector of integers names, of any type: copies, on one thread.
#pragma once

#include <cstdint>

namespace torchweld {

/// out[i] = table[index[i]], rows of `row_bytes` that lie `row_stride` bytes apart in the table and
/// next to each other in `out`.
struct GatherRows {
  const char* table = nullptr;
  int64_t rows = 0, row_bytes = 0, row_stride = 0;
  const void* index = nullptr;
  bool narrow = false;  ///< the index is int32, otherwise int64
  bool wraps = false;   ///< -1 is the last row
  int64_t count = 0;
  char* out = nullptr;
};

/// The place of the first index that names no row, at which it stops; `count` when there is none.
int64_t gather_rows(const GatherRows& call);

}  // namespace torchweld
