// What a kernel did, counted: the only view of its speed that a machine without a GPU has.
#pragma once

#include <cstdint>

namespace torchweld::virtual_gpu {

/// Sums over launches. A request is one instruction of one warp.
struct Statistics {
  int64_t launches = 0;
  int64_t warp_instructions = 0, thread_instructions = 0;
  int64_t global_requests = 0;
  int64_t sectors = 0;        ///< of 32 bytes, that global requests touched
  int64_t ideal_sectors = 0;  ///< that the bytes asked for would fill
  int64_t shared_requests = 0;
  int64_t wavefronts = 0;        ///< passes over the banks of shared memory
  int64_t ideal_wavefronts = 0;  ///< without two words in one bank

  /// Adds one request of a warp.
  void count_global(uint32_t active, const uint64_t* addresses, int bytes);
  void count_shared(uint32_t active, const uint64_t* addresses, int bytes);
};

}  // namespace torchweld::virtual_gpu
