// The bytes of a launch's one parameter, laid out as skeletons/places.cuh reads them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/cuda/schedule.h"

namespace torchweld::cuda {

/// What a launch says beside the geometry; places.cuh says what each means.
struct Extents {
  int64_t count = 0, length = 1, chunk = 0, chunks = 1;
  bool aligned = false;
  void* workspace = nullptr;
  int vector =
      1;  ///< of the entry: an innermost dim counts in vectors, and is divided by their number
};

/// A parameter on the stack: launches allocate nothing.
class ArgumentBuffer {
 public:
  ArgumentBuffer(const KernelSpec& spec, const Geometry& geometry, void* const* pointers,
                 const Schedule& schedule, int params, const Extents& extents);

  void* data() { return bytes_.data(); }

 private:
  template <class T>
  void append(T value);
  void append_index(int64_t value);
  void append_divisor(int64_t divisor);

  // kMaxOperands rows of kMaxRank strides of 8 bytes are 1.2 KB of it; the rest is for parameters.
  alignas(16) std::array<std::byte, 4000> bytes_;
  size_t size_ = 0;
  bool wide_;
};

/// Launch parameters that fit an ArgumentBuffer.
inline constexpr int kMaxParams = 128;

}  // namespace torchweld::cuda
