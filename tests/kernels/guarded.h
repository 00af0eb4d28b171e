// Memory between pages that nobody may touch.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

namespace torchweld::testing {

/// Elements that end where an unreadable page begins, and start where one ends when they fill the
/// page.
class Guarded {
 public:
  explicit Guarded(size_t bytes) : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    total_ = (bytes + page_ - 1) / page_ * page_ + 2 * page_;
    map_ = static_cast<char*>(
        mmap(nullptr, total_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(map_, page_, PROT_NONE);
    mprotect(map_ + total_ - page_, page_, PROT_NONE);
    data_ = map_ + total_ - page_ - bytes;
  }
  ~Guarded() { munmap(map_, total_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  char* data() const { return data_; }

 private:
  size_t page_, total_ = 0;
  char* map_ = nullptr;
  char* data_ = nullptr;
};

}  // namespace torchweld::testing
