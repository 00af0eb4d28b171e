// Operands for timing a product: memory of its shape, filled with zeros.
#pragma once

#include <functional>

#include "kernels/cuda/blas.h"

namespace torchweld::cuda {

class ProductMemory {
 public:
  /// Throws  Error kOutOfMemory.
  ProductMemory(Device& device, const BlasShape& shape, int64_t workspace_bytes);
  ~ProductMemory();
  ProductMemory(const ProductMemory&) = delete;
  ProductMemory& operator=(const ProductMemory&) = delete;

  /// Microseconds of one run by the device's events: the mean of `runs` in a row, after two that
  /// aren't timed. Waits for the device.
  double time_us(int runs, const std::function<void(const BlasOperands&, Stream)>& run) const;

 private:
  void* zeros(int64_t bytes);

  Device& device_;
  Stream stream_;
  std::vector<void*> memory_;
  BlasOperands operands_;
};

}  // namespace torchweld::cuda
