// Poolings by hand: shares them out.
#include "kernels/x86/windows.h"

#include <algorithm>

namespace torchweld::x86 {

void run_window_pool(const WindowPool& pool, const float* x, float* out, int64_t* places,
                     const ParallelFor& parallel) {
  constexpr int64_t kLeastElements = 1 << 15;  // fewer are done before a thread has woken up
  const int64_t tasks = pool.tasks();
  const int64_t elements = pool.images * pool.channels * pool.depth * pool.height * pool.width;
  const int64_t each = std::max<int64_t>(1, elements / tasks);
  if (!parallel || tasks * each <= kLeastElements)
    return pool_windows(pool, x, out, places, 0, tasks);
  parallel(tasks, std::max<int64_t>(1, kLeastElements / each),
           [&](int64_t begin, int64_t end) { pool_windows(pool, x, out, places, begin, end); });
}

}  // namespace torchweld::x86
