// Work of the hand-written kernels on several threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

namespace torchweld::x86 {

/// Calls work(begin, end) for pieces of [0, count) of at least `grain`, on the threads of the
/// engine's LibTorch; handed in, since kernels never see LibTorch. Null: on the calling thread.
using SplitWork =
    std::function<void(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>&)>;

/// Called with rows [begin, end) of a result once they are there, on the thread that made them.
using AfterRows = std::function<void(int64_t begin, int64_t end)>;

/// Rows of so many columns that stay in the second cache until what follows has read them, and
/// that are enough to use each of the weights for.
inline int64_t rows_of_block(int64_t columns) {
  return std::max<int64_t>(24, 32768 / std::max<int64_t>(1, columns));
}

/// Two pieces of so much are worth a second thread that has to be woken; one that still spins is
/// worth it from a tenth on (bench/split, figures in docs/benchmarks.md).
inline constexpr int64_t kGrainCycles = 60000;

/// Work of `cycles` for each of [0, count), on several threads where that pays.
inline void share_out(int64_t count, int64_t cycles, const SplitWork& parallel,
                      const std::function<void(int64_t, int64_t)>& work) {
  if (!parallel || count * cycles < 2 * kGrainCycles) return work(0, count);
  // By reference, since a std::function of its own would allocate.
  parallel(count, std::max<int64_t>(1, kGrainCycles / std::max<int64_t>(1, cycles)),
           std::ref(work));
}

/// share_out() for rows of a result in blocks; `after`, if that isn't empty, follows each.
inline void share_out_rows(int64_t rows, int64_t block, int64_t row_cycles,
                           const SplitWork& parallel, const AfterRows& after,
                           const std::function<void(int64_t, int64_t)>& run) {
  const auto blocks = [&](int64_t begin, int64_t end) {
    const int64_t last = std::min(end * block, rows);
    if (!after) return run(begin * block, last);
    for (int64_t row = begin * block; row < last; row += block) {
      const int64_t row_end = std::min(row + block, last);
      run(row, row_end);
      after(row, row_end);
    }
  };
  share_out((rows + block - 1) / block, row_cycles * block, parallel, std::ref(blocks));
}

}  // namespace torchweld::x86
