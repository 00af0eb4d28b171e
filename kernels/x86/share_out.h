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

/// Work of `cycles` for each of [0, count), on several threads where that pays: as in launch.cpp, a
/// piece that is worth another one takes some 60000.
inline void share_out(int64_t count, int64_t cycles, const SplitWork& parallel,
                      const std::function<void(int64_t, int64_t)>& work) {
  constexpr int64_t kGrainCycles = 60000;
  if (!parallel || count * cycles < 2 * kGrainCycles) return work(0, count);
  // By reference, since a std::function of its own would allocate.
  parallel(count, std::max<int64_t>(1, kGrainCycles / std::max<int64_t>(1, cycles)),
           std::ref(work));
}

}  // namespace torchweld::x86
