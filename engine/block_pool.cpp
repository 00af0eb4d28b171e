#include "engine/block_pool.h"

#include <c10/core/CPUAllocator.h>

#include <array>
#include <bit>
#include <utility>

namespace torchweld {
namespace {

constexpr size_t kLeastBytes = 64;
constexpr size_t kClasses = 10;  // 64 bytes to 32 KiB
static_assert(kLeastBytes << (kClasses - 1) == kMostBlockBytes);
constexpr int kKept = 8;  // of a class

void free_block(void* block) { c10::GetDefaultCPUAllocator()->raw_deallocate(block); }

/// A thread's free blocks. Trivially destructible, so that tensors may die after it: `closed` then
/// sends their memory straight back.
struct Blocks {
  struct Class {
    std::array<void*, kKept> blocks;
    int count;
  };
  std::array<Class, kClasses> classes;
  bool opened, closed;
};
thread_local Blocks blocks;

/// Gives a thread's blocks back when it ends.
struct Closer {
  ~Closer() {
    blocks.closed = true;
    for (Blocks::Class& c : blocks.classes) {
      while (c.count > 0) free_block(c.blocks[static_cast<size_t>(--c.count)]);
    }
  }
};

void open() {
  thread_local const Closer closer;
  (void)&closer;
  blocks.opened = true;
}

template <size_t kClass>
void give_back(void* block) {
  Blocks& mine = blocks;
  if (!mine.opened && !mine.closed) open();
  Blocks::Class& c = mine.classes[kClass];
  if (mine.closed || c.count == kKept) return free_block(block);
  c.blocks[static_cast<size_t>(c.count++)] = block;
}

template <size_t... kClass>
constexpr std::array<c10::DeleterFnPtr, kClasses> deleters(std::index_sequence<kClass...>) {
  return {&give_back<kClass>...};
}
constexpr auto kDeleters = deleters(std::make_index_sequence<kClasses>());

}  // namespace

c10::DataPtr allocate_block(size_t bytes) {
  // 64 bytes are class 0, up to 128 class 1, ...
  const auto index = bytes <= kLeastBytes
                         ? size_t{0}
                         : static_cast<size_t>(std::bit_width((bytes - 1) / kLeastBytes));
  Blocks::Class& c = blocks.classes[index];
  void* const block = c.count > 0
                          ? c.blocks[static_cast<size_t>(--c.count)]
                          : c10::GetDefaultCPUAllocator()->raw_allocate(kLeastBytes << index);
  return {block, block, kDeleters[index], c10::Device(c10::kCPU)};
}

}  // namespace torchweld
