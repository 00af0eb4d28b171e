#include "engine/page_pool.h"

#include <c10/core/CPUAllocator.h>

#include <iterator>
#include <list>
#include <mutex>

namespace torchweld {
namespace {

constexpr size_t kMostHeldBytes = size_t{512} << 20;

struct Block {
  c10::DataPtr memory;
  size_t bytes = 0;
};

/// Never destroyed: tensors may outlive every static object.
class Pool {
 public:
  static Pool& instance() {
    static Pool* const pool = new Pool;
    return *pool;
  }

  Block* take(size_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      for (auto it = free_.begin(); it != free_.end(); ++it) {
        if ((*it)->bytes != bytes) continue;
        Block* const block = *it;
        held_bytes_ -= bytes;
        free_.erase(it);
        return block;
      }
    }
    return new Block{c10::GetCPUAllocator()->allocate(bytes), bytes};
  }

  static void give_back(void* context) { instance().keep(static_cast<Block*>(context)); }

 private:
  /// The newest first; the oldest go when the pool is full.
  void keep(Block* block) {
    std::list<Block*> dropped;
    {
      const std::lock_guard lock(mutex_);
      free_.push_front(block);
      held_bytes_ += block->bytes;
      while (held_bytes_ > kMostHeldBytes) {
        held_bytes_ -= free_.back()->bytes;
        dropped.splice(dropped.end(), free_, std::prev(free_.end()));
      }
    }
    for (const Block* old : dropped) delete old;
  }

  std::mutex mutex_;
  std::list<Block*> free_;
  size_t held_bytes_ = 0;
};

}  // namespace

c10::DataPtr allocate_pooled(size_t bytes) {
  Block* const block = Pool::instance().take(bytes);
  return {block->memory.get(), block, &Pool::give_back, c10::Device(c10::kCPU)};
}

}  // namespace torchweld
