// Regions of images (roi_align, roi_pool) as one kernel of the device.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "kernels/cuda/compiler.h"
#include "kernels/regions.h"

namespace torchweld::cuda {

/// Compiles and launches; thread-safe.
///
/// Numerics  bit by bit those of the host's kernel (kernels/regions.h): halves are rounded after
///           each operation. A region whose image isn't there reads nothing and gives 0.
class Regions {
 public:
  explicit Regions(std::shared_ptr<Compiler> compiler);
  ~Regions();

  static bool accepts(const RegionShape& shape, std::string* why);
  static Source source_of(const RegionShape& shape);
  void prepare(const RegionShape& shape);
  /// Neither allocates nor waits after prepare.
  void launch(const RegionShape& shape, const RegionPointers& pointers, Stream stream);

 private:
  struct Compiled;
  const Compiled& compiled(const RegionShape& shape);

  std::shared_ptr<Compiler> compiler_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Compiled>> kernels_;  // by entry name
};

}  // namespace torchweld::cuda
