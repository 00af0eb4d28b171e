// Keeps the pages of large results: the C library gives buffers past 32 MiB back to the system at
// once, and touching fresh pages costs several times what a fused kernel does.
#pragma once

#include <c10/core/Allocator.h>

#include <cstddef>

namespace torchweld {

/// Results below this come from LibTorch's allocator, whose memory the C library reuses by itself.
inline constexpr size_t kPooledBytes = size_t{16} << 20;

/// Memory for a result on the CPU, 64-byte aligned; goes back to a pool of at most 512 MiB when the
/// tensor dies.
///
/// Threads  any; one lock, held for a look into a small list.
/// Throws   c10::Error when there is no memory.
c10::DataPtr allocate_pooled(size_t bytes);

}  // namespace torchweld
