// Blocks for small results: aligned, used again on the thread that they died on.
#include "engine/block_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

namespace torchweld::testing {
namespace {

TEST(BlockPool, BlocksAreAlignedAndApart) {
  for (const size_t bytes : {1, 63, 64, 65, 128, 129, 1000, 4096, 4097, 32767, 32768}) {
    std::vector<c10::DataPtr> held;
    for (int i = 0; i < 20; ++i) {
      held.push_back(allocate_block(bytes));
      EXPECT_EQ(reinterpret_cast<uintptr_t>(held.back().get()) % 64, 0U);
      std::memset(held.back().get(), i, bytes);
    }
    for (int i = 0; i < 20; ++i) {
      const auto* const data = static_cast<const char*>(held[static_cast<size_t>(i)].get());
      EXPECT_EQ(data[0], i);
      EXPECT_EQ(data[bytes - 1], i);
    }
  }
}

TEST(BlockPool, ABlockIsUsedAgain) {
  const void* const first = allocate_block(100).get();
  EXPECT_EQ(allocate_block(100).get(), first);
  EXPECT_EQ(allocate_block(65).get(), first);
  EXPECT_NE(allocate_block(64).get(), first);
}

TEST(BlockPool, BlocksMayDieOnAnotherThreadAndAfterTheirOwn) {
  c10::DataPtr outlives;
  std::vector<c10::DataPtr> moved;
  for (int i = 0; i < 20; ++i) moved.push_back(allocate_block(300));
  std::thread other([&outlives, moved = std::move(moved)]() mutable {
    outlives = allocate_block(300);
    moved.clear();
  });
  other.join();
  std::memset(outlives.get(), 1, 300);
}

struct DiesLate {
  c10::DataPtr block;
};

TEST(BlockPool, BlocksMayDieWhenTheThreadsOwnAreGone) {
  std::thread([] {
    thread_local DiesLate late;  // made first, so it goes last
    late.block = allocate_block(64);
    allocate_block(64);
  }).join();
}

}  // namespace
}  // namespace torchweld::testing
