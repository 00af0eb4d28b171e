// Numbers as a dtype's elements in memory.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/scalar.h"

namespace torchweld {

/// Each number rounded to `dtype`, floating, one after the other.
inline std::vector<uint8_t> bytes_of(DType dtype, const std::vector<double>& numbers) {
  const auto size = static_cast<size_t>(size_of(dtype));
  std::vector<uint8_t> bytes(numbers.size() * size);
  for (size_t i = 0; i < numbers.size(); ++i)
    store_scalar(dtype, scalar_of(compute_type(dtype), numbers[i]), bytes.data() + i * size);
  return bytes;
}

}  // namespace torchweld
