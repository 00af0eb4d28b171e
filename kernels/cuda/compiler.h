// Compiles sources for one device, or takes from disk what was compiled before.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "kernels/cuda/device.h"
#include "kernels/cuda/disk_cache.h"
#include "kernels/cuda/program.h"
#include "kernels/cuda/source.h"

namespace torchweld::cuda {

/// How many programs came from where.
struct CompilerCounts {
  int64_t compiled = 0;   ///< by NVRTC
  int64_t from_disk = 0;  ///< compiled by this or another process before
};

/// Thread-safe; compiles on several threads run side by side.
class Compiler {
 public:
  Compiler(std::shared_ptr<Device> device, const CacheOptions& options);

  /// Throws  Error kDevice when NVRTC is missing; kInternal when the source is refused.
  Program program_of(const Source& source);

  /// From now on `watcher` sees each source that is asked for, on any thread; for tests. Set it
  /// before other threads ask.
  void set_watcher(std::function<void(const Source&)> watcher) { watcher_ = std::move(watcher); }

  Device& device() const { return *device_; }
  const std::shared_ptr<Device>& shared_device() const { return device_; }
  CompilerCounts counts() const { return {compiled_, from_disk_}; }

 private:
  std::shared_ptr<Device> device_;
  DiskCache cache_;
  bool line_numbers_;
  std::function<void(const Source&)> watcher_;
  std::atomic<int64_t> compiled_{0}, from_disk_{0};
};

}  // namespace torchweld::cuda
