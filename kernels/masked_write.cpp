// Elements in the order of memory to where a mask is true.
#include <cstring>

#include "kernels/by_index.h"

namespace torchweld {
namespace {

struct Masked {
  const ByIndexShape& shape;
  int64_t element_bytes;

  int64_t mask_stride(int dim) const { return shape.index[0].strides[static_cast<size_t>(dim)]; }

  int64_t count(int dim, const char* mask) const {
    if (dim == shape.rank) return *mask != 0;
    const int64_t size = shape.sizes[static_cast<size_t>(dim)], step = mask_stride(dim);
    if (step == 0) return size * count(dim + 1, mask);
    int64_t sum = 0;
    if (dim == shape.rank - 1) {
      for (int64_t i = 0; i < size; ++i) sum += mask[i * step] != 0;
    } else {
      for (int64_t i = 0; i < size; ++i) sum += count(dim + 1, mask + i * step);
    }
    return sum;
  }

  /// The element after those that were written.
  const char* write(int dim, char* table, const char* mask, const char* next) const {
    const auto d = static_cast<size_t>(dim);
    const int64_t size = shape.sizes[d], step = mask_stride(dim);
    const int64_t table_step = shape.table_strides[d] * element_bytes;
    if (dim < shape.rank - 1) {
      for (int64_t i = 0; i < size; ++i)
        next = write(dim + 1, table + i * table_step, mask + i * step, next);
      return next;
    }
    if (step == 0 && *mask == 0) return next;
    if (step == 0 && table_step == element_bytes) {
      std::memcpy(table, next, static_cast<size_t>(size * element_bytes));
      return next + size * element_bytes;
    }
    for (int64_t i = 0; i < size; ++i) {
      if (mask[i * step] == 0) continue;
      std::memcpy(table + i * table_step, next, static_cast<size_t>(element_bytes));
      next += element_bytes;
    }
    return next;
  }
};

}  // namespace

std::optional<NoPlace> write_masked(const ByIndexShape& s, const ByIndexPointers& at) {
  const Masked masked{s, size_of(s.dtype)};
  const auto* mask = static_cast<const char*>(at.index[0]);
  const int64_t count = masked.count(0, mask);
  if (count > s.index[0].extent) return NoPlace{0, count};
  masked.write(0, at.table, mask, at.operand);
  return std::nullopt;
}

}  // namespace torchweld
