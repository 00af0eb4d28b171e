#include "tests/virtual_gpu/memory_map.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "torchweld/error.h"

namespace torchweld::virtual_gpu {
namespace {

constexpr int64_t kAlign = 256;
constexpr int64_t kRedzone = 4096;  // on either side; a kernel that walks off lands here
constexpr int64_t kMostBuried = 256 << 20;
constexpr int64_t kMostBytes = int64_t{8} << 30;

}  // namespace

void* MemoryMap::allocate(int64_t bytes) {
  if (bytes < 0 || bytes > kMostBytes)
    throw Error(ErrorCode::kOutOfMemory,
                "the virtual GPU has no " + std::to_string(bytes) + " bytes");
  auto allocation = std::make_unique<Allocation>();
  const int64_t total = std::max<int64_t>(bytes, 1) + 2 * kRedzone + kAlign;
  allocation->owned.reset(new char[static_cast<size_t>(total)]);
  auto start = reinterpret_cast<uint64_t>(allocation->owned.get()) + kRedzone;
  start = (start + kAlign - 1) / kAlign * kAlign;
  allocation->begin = reinterpret_cast<char*>(start);
  allocation->bytes = bytes;
  std::memset(allocation->begin, 0xff, static_cast<size_t>(bytes));
  const std::scoped_lock lock(mutex_);
  allocations_[start] = std::move(allocation);
  return reinterpret_cast<void*>(start);
}

void MemoryMap::release(void* memory) {
  if (memory == nullptr) return;
  const std::scoped_lock lock(mutex_);
  const auto it = allocations_.find(reinterpret_cast<uint64_t>(memory));
  if (it == allocations_.end() || it->second->freed || it->second->adopted)
    throw Error(ErrorCode::kDevice, "the virtual GPU is told to free what it never gave");
  bury(it->second.get());
}

/// Keeps the range as a trap; the oldest ones go for good.
void MemoryMap::bury(Allocation* allocation) {
  allocation->freed = true;
  allocation->shadow = {};
  std::memset(allocation->begin, 0xff, static_cast<size_t>(allocation->bytes));
  buried_.push_back(reinterpret_cast<uint64_t>(allocation->begin));
  buried_bytes_ += allocation->bytes;
  while (buried_bytes_ > kMostBuried) {
    const auto oldest = allocations_.find(buried_.front());
    buried_bytes_ -= oldest->second->bytes;
    allocations_.erase(oldest);
    buried_.pop_front();
  }
}

void MemoryMap::adopt(void* memory, int64_t bytes) {
  auto allocation = std::make_unique<Allocation>();
  allocation->begin = static_cast<char*>(memory);
  allocation->bytes = bytes;
  allocation->adopted = true;
  allocation->shadow.set_all_initialised();
  const std::scoped_lock lock(mutex_);
  allocations_[reinterpret_cast<uint64_t>(memory)] = std::move(allocation);
}

void MemoryMap::disown(void* memory) {
  const std::scoped_lock lock(mutex_);
  const auto it = allocations_.find(reinterpret_cast<uint64_t>(memory));
  if (it != allocations_.end() && it->second->adopted) allocations_.erase(it);
}

Allocation* MemoryMap::find(uint64_t address) {
  const std::scoped_lock lock(mutex_);
  auto it = allocations_.upper_bound(address);
  if (it != allocations_.begin()) {
    Allocation* before = std::prev(it)->second.get();
    if (before->holds(address, 1)) return before;
    const auto end = reinterpret_cast<uint64_t>(before->begin + before->bytes);
    if (!before->adopted && address < end + kRedzone) return before;
  }
  if (it == allocations_.end() || it->second->adopted) return nullptr;
  return it->first - address <= kRedzone ? it->second.get() : nullptr;
}

void MemoryMap::mark_initialised(const void* memory, int64_t bytes) {
  Allocation* allocation = find(reinterpret_cast<uint64_t>(memory));
  if (allocation == nullptr || allocation->adopted) return;
  const int64_t offset = static_cast<const char*>(memory) - allocation->begin;
  if (offset < 0 || offset + bytes > allocation->bytes) return;
  allocation->shadow.set_initialised(offset, bytes, allocation->bytes);
}

}  // namespace torchweld::virtual_gpu
