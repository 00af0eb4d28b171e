// Regions of images (roi_align, roi_pool) as one kernel of the device.
#pragma once

#include <memory>
#include <string>

#include "kernels/cuda/loaded_programs.h"
#include "kernels/regions.h"

namespace torchweld::cuda {

/// Compiles and launches; thread-safe.
///
/// Numerics  bit by bit those of the host's kernel (kernels/regions.h): halves are rounded after
///           each operation. A region whose image isn't there reads nothing and gives 0.
class Regions {
 public:
  explicit Regions(std::shared_ptr<Compiler> compiler) : programs_(std::move(compiler)) {}

  static bool accepts(const RegionShape& shape, std::string* why);
  static Source source_of(const RegionShape& shape);
  void prepare(const RegionShape& shape);
  /// Of the kernel for `shape`, compiled if it was not.
  KernelListing listing(const RegionShape& shape);
  /// Neither allocates nor waits after prepare.
  void launch(const RegionShape& shape, const RegionPointers& pointers, Stream stream);

 private:
  const LoadedPrograms::Loaded& loaded(const RegionShape& shape);

  LoadedPrograms programs_;
};

}  // namespace torchweld::cuda
