// The planning thread: jobs in order, and no thread without one.
#include "engine/plan_thread.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace torchweld::testing {
namespace {

bool is_there(pid_t thread) {
  return std::filesystem::exists("/proc/self/task/" + std::to_string(thread));
}

TEST(PlanThread, RunsJobsInOrder) {
  PlanThread thread;
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) thread.post([&order, i] { order.push_back(i); });
  thread.wait();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
  thread.post([&] { thread.post([&] { order.push_back(6); }); });
  thread.wait();
  EXPECT_EQ(order.back(), 6);
}

TEST(PlanThread, EndsWhenNoJobIsLeft) {
  PlanThread thread;
  for (int i = 0; i < 3; ++i) {
    pid_t id = 0;
    bool was_there = false;
    thread.post([&] {
      id = gettid();
      was_there = is_there(id);
    });
    thread.wait();
    EXPECT_TRUE(was_there);
    for (int tries = 0; tries < 10000 && is_there(id); ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_FALSE(is_there(id));
  }
}

}  // namespace
}  // namespace torchweld::testing
