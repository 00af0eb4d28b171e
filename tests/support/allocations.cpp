#include "tests/support/allocations.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>

#include <cerrno>
#include <cstdlib>
#include <sstream>

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace torchweld::testing {
namespace {

struct Record {
  size_t size = 0;
  int depth = 0;
  void* frames[24];
};

constexpr int kRecords = 16;
thread_local bool counting = false;
thread_local int count = 0;
thread_local Record records[kRecords];

[[maybe_unused]] void note(size_t size) {
  if (!counting) return;
  counting = false;  // the walk over the stack may allocate
  if (count < kRecords) {
    records[count].size = size;
    records[count].depth = backtrace(records[count].frames, 24);
  }
  ++count;
  counting = true;
}

std::string name_of(void* frame) {
  Dl_info info;
  if (dladdr(frame, &info) == 0 || info.dli_sname == nullptr) return "?";
  int status = 0;
  char* plain = abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status);
  std::string name = plain != nullptr ? plain : info.dli_sname;
  std::free(plain);
  return name.substr(0, 100);
}

}  // namespace

AllocationCount::AllocationCount() {
  void* warm[1];
  backtrace(warm, 1);  // loads what it needs
  count = 0;
  counting = true;
}

AllocationCount::~AllocationCount() { counting = false; }

int AllocationCount::stop() {
  counting = false;
  return count;
}

std::string AllocationCount::callers() {
  std::ostringstream text;
  for (int i = 0; i < count && i < kRecords; ++i) {
    text << "\n" << records[i].size << " bytes by";
    for (int f = 2; f < records[i].depth && f < 12; ++f)
      text << "\n    " << name_of(records[i].frames[f]);
  }
  return text.str();
}

}  // namespace torchweld::testing

// A sanitizer's own allocator must stay: nothing is counted then.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" {

void* malloc(size_t size) {
  torchweld::testing::note(size);
  return __libc_malloc(size);
}

void* calloc(size_t n, size_t size) {
  torchweld::testing::note(n * size);
  return __libc_calloc(n, size);
}

void* realloc(void* old, size_t size) {
  torchweld::testing::note(size);
  return __libc_realloc(old, size);
}

int posix_memalign(void** out, size_t alignment, size_t size) {
  torchweld::testing::note(size);
  *out = __libc_memalign(alignment, size);
  return *out == nullptr && size != 0 ? ENOMEM : 0;
}

void* aligned_alloc(size_t alignment, size_t size) {
  torchweld::testing::note(size);
  return __libc_memalign(alignment, size);
}

}  // extern "C"
#endif
