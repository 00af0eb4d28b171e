// Counts this thread's allocations. An executable that uses this has its malloc replaced.
#pragma once

#include <string>

namespace torchweld::testing {

/// Counts from its construction on, on its own thread.
class AllocationCount {
 public:
  AllocationCount();
  ~AllocationCount();
  AllocationCount(const AllocationCount&) = delete;
  AllocationCount& operator=(const AllocationCount&) = delete;

  /// Stops counting and gives the number of allocations.
  int stop();

  /// After stop(): size and callers of the first allocations, for a failing test's message.
  static std::string callers();
};

}  // namespace torchweld::testing
