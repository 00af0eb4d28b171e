#include "kernels/grain.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <utility>

namespace torchweld {
namespace {

// libgomp's workers spin for some milliseconds, unless there are more of them than processors.
constexpr int64_t kSpinNs = 200000;
// Cycles of a piece by nanoseconds until its thread begins: it has to save several times of that.
constexpr int64_t kCyclesByNs = 10;

int64_t now() {
  using std::chrono::nanoseconds;
  using std::chrono::steady_clock;
  return std::chrono::duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

/// The threads that one thread hands work to. OpenMP keeps them for each thread that does.
struct Helpers {
  int64_t grain = kGrainCycles;
  int64_t until = 0;  // when they go to sleep
};

Helpers& helpers() {
  static thread_local Helpers own;
  return own;
}

}  // namespace

int64_t grain_cycles() {
  const Helpers& own = helpers();
  return own.grain < kGrainCycles && now() < own.until ? own.grain : kGrainCycles;
}

ParallelFor watched(ParallelFor pool) {
  return [pool = std::move(pool)](int64_t count, int64_t grain,
                                  const std::function<void(int64_t, int64_t)>& work) {
    Helpers& own = helpers();
    const int64_t begun = now();
    std::atomic<int64_t> last = 0;  // of them to begin
    const auto noted = [&](int64_t begin, int64_t end) {
      if (&helpers() != &own) {
        const int64_t at = now();
        for (int64_t known = last; known < at && !last.compare_exchange_weak(known, at);) {
        }
      }
      work(begin, end);
    };
    pool(count, grain, std::cref(noted));
    if (last == 0) return;
    own.grain = std::clamp((last - begun) * kCyclesByNs, kLeastGrainCycles, kGrainCycles);
    own.until = now() + kSpinNs;
  };
}

}  // namespace torchweld
