// Work of the hand-written kernels on several threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

#include "kernels/grain.h"

namespace torchweld::x86 {

/// Calls work(begin, end) for pieces of [0, count) of at least `grain`, on the threads of the
/// engine's LibTorch; handed in, since kernels never see LibTorch. Null: on the calling thread.
using SplitWork = ParallelFor;

/// Called with rows [begin, end) of a result once they are there, on the thread that made them.
using AfterRows = std::function<void(int64_t begin, int64_t end)>;

/// Rows of so many columns that stay in the second cache until what follows has read them, and
/// that are enough to use each of the weights for.
inline int64_t rows_of_block(int64_t columns) {
  return std::max<int64_t>(24, 32768 / std::max<int64_t>(1, columns));
}

/// Work of `cycles` for each of [0, count), in pieces of at least `least`, on several threads where
/// that pays.
inline void share_out(int64_t count, int64_t cycles, const SplitWork& parallel,
                      const std::function<void(int64_t, int64_t)>& work, int64_t least = 1) {
  if (!parallel || count * cycles < 2 * kLeastGrainCycles) return work(0, count);
  const int64_t grain = grain_cycles();
  if (count * cycles < 2 * grain) return work(0, count);
  // By reference, since a std::function of its own would allocate.
  parallel(count, std::max(least, grain / std::max<int64_t>(1, cycles)), std::ref(work));
}

/// How rows of a result are shared out, in numbers of them.
struct RowPieces {
  int64_t unit = 1;   ///< that stay together; the last ones have what is left over
  int64_t least = 1;  ///< on a thread
  int64_t block = 1;  ///< that AfterRows follows, about
};

/// share_out() for rows of a result; `after`, if that isn't empty, follows each block of them.
inline void share_out_rows(int64_t rows, const RowPieces& pieces, int64_t row_cycles,
                           const SplitWork& parallel, const AfterRows& after,
                           const std::function<void(int64_t, int64_t)>& run) {
  const int64_t units = std::max(std::min<int64_t>(1, rows), rows / pieces.unit);
  const auto some = [&](int64_t begin, int64_t end) {
    const int64_t last = end == units ? rows : end * pieces.unit;
    if (!after) return run(begin * pieces.unit, last);
    for (int64_t row = begin * pieces.unit, row_end; row < last; row = row_end) {
      row_end = last - row < pieces.block + pieces.unit ? last : row + pieces.block;
      run(row, row_end);
      after(row, row_end);
    }
  };
  share_out(units, row_cycles * pieces.unit, parallel, std::ref(some),
            (pieces.least + pieces.unit - 1) / pieces.unit);
}

}  // namespace torchweld::x86
