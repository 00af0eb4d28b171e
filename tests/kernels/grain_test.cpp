// When work is shared out, and in which pieces.
#include "kernels/grain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/x86/share_out.h"

namespace torchweld::testing {
namespace {

using Work = std::function<void(int64_t, int64_t)>;
using Ranges = std::vector<std::pair<int64_t, int64_t>>;

/// A pool whose other thread spins until it gets the second half of a call.
class SpinningPool {
 public:
  SpinningPool()
      : thread_([this] {
          while (!stop_) {
            if (const Work* work = work_.load()) {
              (*work)(half_, count_);
              work_ = nullptr;
            }
          }
        }) {}
  ~SpinningPool() {
    stop_ = true;
    thread_.join();
  }
  void run(int64_t count, const Work& work) {
    half_ = count / 2;
    count_ = count;
    work_ = &work;
    work(0, half_);
    while (work_ != nullptr) std::this_thread::yield();
  }

 private:
  std::atomic<const Work*> work_ = nullptr;
  std::atomic<bool> stop_ = false;
  int64_t half_ = 0, count_ = 0;
  std::thread thread_;
};

TEST(Grain, IsSmallWhileThreadsBeginSoon) {
  SpinningPool pool;
  const ParallelFor parallel =
      watched([&](int64_t count, int64_t, const Work& work) { pool.run(count, work); });
  // A busy machine may stop either thread in any of the tries.
  int64_t least = kGrainCycles;
  for (int i = 0; i < 10000 && least == kGrainCycles; ++i) {
    parallel(2, 1, [](int64_t, int64_t) {});
    least = std::min(least, grain_cycles());
  }
  EXPECT_LT(least, kGrainCycles);
  EXPECT_GE(least, kLeastGrainCycles);
  std::thread([] { EXPECT_EQ(grain_cycles(), kGrainCycles); }).join();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(grain_cycles(), kGrainCycles);
}

TEST(Grain, IsLargeWhereThreadsBeginLate) {
  const ParallelFor parallel = watched([](int64_t count, int64_t, const Work& work) {
    std::thread([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      work(0, count);
    }).join();
  });
  parallel(2, 1, [](int64_t, int64_t) {});
  EXPECT_EQ(grain_cycles(), kGrainCycles);
}

TEST(Grain, IsLargeWhereThereIsNoOtherThread) {
  int64_t sum = 0;
  watched([](int64_t count, int64_t, const Work& work) { work(0, count); })(
      7, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
  EXPECT_EQ(sum, 7);
  EXPECT_EQ(grain_cycles(), kGrainCycles);
}

TEST(ShareOut, GivesAThreadNoFewerThanTheLeast) {
  int64_t grain = 0;
  const ParallelFor parallel = [&](int64_t, int64_t least, const Work&) { grain = least; };
  x86::share_out(
      100, kGrainCycles, parallel, [](int64_t, int64_t) {}, 7);
  EXPECT_EQ(grain, 7);
}

/// What share_out_rows() runs when its pool makes pieces of so many units.
Ranges rows_of(int64_t rows, const x86::RowPieces& pieces, int64_t units, bool followed) {
  Ranges ran, came;
  const ParallelFor in_pieces = [=](int64_t count, int64_t, const Work& work) {
    for (int64_t i = 0; i < count; i += units) work(i, std::min(i + units, count));
  };
  x86::AfterRows after;
  if (followed) after = [&](int64_t begin, int64_t end) { came.emplace_back(begin, end); };
  x86::share_out_rows(rows, pieces, kGrainCycles, in_pieces, after,
                      [&](int64_t begin, int64_t end) { ran.emplace_back(begin, end); });
  EXPECT_EQ(came, followed ? ran : Ranges{});
  return ran;
}

TEST(ShareOut, OfRowsLeavesNoRemainderAlone) {
  EXPECT_EQ(rows_of(9, {4, 1, 1}, 1, false), (Ranges{{0, 4}, {4, 9}}));
  EXPECT_EQ(rows_of(8, {4, 1, 1}, 1, false), (Ranges{{0, 4}, {4, 8}}));
  EXPECT_EQ(rows_of(3, {4, 1, 1}, 1, false), (Ranges{{0, 3}}));
  EXPECT_EQ(rows_of(30, {4, 1, 8}, 9, true), (Ranges{{0, 8}, {8, 16}, {16, 24}, {24, 30}}));
  EXPECT_EQ(rows_of(27, {4, 1, 8}, 9, true), (Ranges{{0, 8}, {8, 16}, {16, 27}}));
  EXPECT_EQ(rows_of(27, {4, 1, 8}, 3, true), (Ranges{{0, 8}, {8, 12}, {12, 20}, {20, 27}}));
}

}  // namespace
}  // namespace torchweld::testing
