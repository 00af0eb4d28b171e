// Non-maximum suppression as two kernels of the device: which boxes overlap, then which stay.
#pragma once

#include <memory>
#include <string>

#include "kernels/cuda/loaded_programs.h"
#include "kernels/suppression.h"

namespace torchweld::cuda {

/// Compiles at the first launch and launches; thread-safe.
///
/// Memory    of boxes squared only a strip at a time: 512 bytes a box, 40 MB for 80000.
/// Numerics  float32 and float64 bit by bit as the host's; of halves sides are rounded, areas are
///           f32, as in torchvision's kernel. NaN overlaps nothing.
/// Source    torchvision/csrc/ops/cuda/nms_kernel.cu for the mask of 64 boxes a word
class Suppression {
 public:
  explicit Suppression(std::shared_ptr<Compiler> compiler) : programs_(std::move(compiler)) {}

  static bool accepts(DType dtype) {
    return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kF16;
  }
  static Source source_of(DType dtype);
  /// Of both kernels, compiled if they were not.
  KernelListing listing(DType dtype);
  /// Doesn't wait.
  void launch(const SuppressionShape& shape, const SuppressionPointers& pointers, Stream stream);

 private:
  const LoadedPrograms::Loaded& loaded(DType dtype);

  LoadedPrograms programs_;
};

}  // namespace torchweld::cuda
