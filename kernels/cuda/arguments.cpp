#include "kernels/cuda/arguments.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace torchweld::cuda {

template <class T>
void ArgumentBuffer::append(T value) {
  std::memcpy(bytes_.data() + size_, &value, sizeof(T));
  size_ += sizeof(T);
}

void ArgumentBuffer::append_index(int64_t value) {
  if (wide_) {
    append(value);
  } else {
    append(static_cast<int32_t>(value));
  }
}

// Divisor<i32>: q = (high(n * factor) + n) >> shift, with shift = ceil(log2(d)) and
// factor = floor(2^32 * (2^shift - d) / d) + 1.
void ArgumentBuffer::append_divisor(int64_t divisor) {
  divisor = std::max<int64_t>(divisor, 1);  // an empty dim is divided by nothing
  if (wide_) return append(divisor);
  const auto d = static_cast<uint64_t>(divisor);
  const auto shift = static_cast<uint32_t>(std::bit_width(d - 1));
  const uint64_t factor = (((uint64_t{1} << shift) - d) << 32) / d + 1;
  append(static_cast<uint32_t>(factor));
  append(shift);
}

ArgumentBuffer::ArgumentBuffer(const KernelSpec& spec, const Geometry& geometry,
                               void* const* pointers, const Schedule& schedule, int params,
                               const Extents& extents)
    : wide_(schedule.wide) {
  const size_t operands = spec.loads.size() + spec.stores.size();
  for (size_t i = 0; i < operands; ++i) append(pointers[i]);
  for (size_t i = 0; i < static_cast<size_t>(std::max(params, 1)); ++i)
    append(i < geometry.params.size() ? geometry.params[i] : int64_t{0});
  append(extents.workspace);
  append(static_cast<int64_t>(extents.aligned));
  append_index(extents.count);
  append_index(extents.length);
  append_index(extents.chunk);
  append_index(extents.chunks);
  const auto rank = static_cast<size_t>(spec.rank);
  for (size_t d = 0; d < rank; ++d) append_index(geometry.sizes[d]);
  for (size_t i = 0; i < operands; ++i) {
    for (size_t d = 0; d < rank; ++d) append_index(geometry.strides[i][d]);
  }
  for (size_t d = 0; d < rank; ++d) {
    const int64_t size = geometry.sizes[d];
    append_divisor(d + 1 == rank ? (size + extents.vector - 1) / extents.vector : size);
  }
}

}  // namespace torchweld::cuda
