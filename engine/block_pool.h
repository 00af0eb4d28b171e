// Memory for small results: LibTorch's allocator asks the C library for aligned memory, which its
// caches don't serve, and that costs as much as the rest of a small call.
#pragma once

#include <c10/core/Allocator.h>

#include <cstddef>

namespace torchweld {

/// Results of at most this many bytes come from the pool.
inline constexpr size_t kMostBlockBytes = size_t{32} << 10;

/// Memory for a result on the CPU, 64-byte aligned. When the tensor dies it is kept for the next
/// result of the thread that it died on, at most 512 KiB a thread.
///
/// Threads  any; no lock. Throws  c10::Error when there is no memory.
c10::DataPtr allocate_block(size_t bytes);

}  // namespace torchweld
