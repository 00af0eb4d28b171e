// The device's memory: which addresses belong to somebody, and which of them have been written.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "tests/virtual_gpu/shadow.h"

namespace torchweld::virtual_gpu {

/// A range of device memory, which is host memory.
struct Allocation {
  char* begin = nullptr;
  int64_t bytes = 0;
  bool freed = false;
  bool adopted = false;           ///< somebody else's memory
  std::unique_ptr<char[]> owned;  ///< with redzones on either side
  Shadow shadow;

  bool holds(uint64_t address, int64_t size) const {
    const auto start = reinterpret_cast<uint64_t>(begin);
    return address >= start &&
           address + static_cast<uint64_t>(size) <= start + static_cast<uint64_t>(bytes);
  }
};

/// Thread-safe. Freed ranges are kept for a while, so that their use is found and their addresses
/// aren't given out again at once.
class MemoryMap {
 public:
  /// Aligned to 256 bytes, full of NaN, uninitialised.
  void* allocate(int64_t bytes);
  void release(void* memory);

  /// Memory made elsewhere, which counts as initialised.
  void adopt(void* memory, int64_t bytes);
  void disown(void* memory);

  /// The range that an address lies in, or whose redzone it lies in; null when it is nobody's.
  Allocation* find(uint64_t address);
  void mark_initialised(const void* memory, int64_t bytes);

 private:
  void bury(Allocation* allocation);

  std::mutex mutex_;
  std::map<uint64_t, std::unique_ptr<Allocation>> allocations_;  // by their first byte
  std::deque<uint64_t> buried_;
  int64_t buried_bytes_ = 0;
};

}  // namespace torchweld::virtual_gpu
