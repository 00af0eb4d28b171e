// The arithmetic of values and storages.
#include "loader/graph.h"

#include <algorithm>
#include <numeric>

namespace torchweld {
namespace {

/// Steps of one stride that lie between an element of one value and an element of the other.
struct Between {
  int64_t stride = 0, least = 0, most = 0;
};

int64_t floor_of(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// Whether steps along these dims, the largest stride first, add up to `distance`.
bool reaches(int64_t distance, const std::vector<Between>& dims, size_t first) {
  if (first == dims.size()) return distance == 0;
  int64_t least = 0, most = 0;  // of the dims after this one
  for (size_t d = first + 1; d < dims.size(); ++d) {
    least += dims[d].least * dims[d].stride;
    most += dims[d].most * dims[d].stride;
  }
  const Between& dim = dims[first];
  const int64_t from = std::max(dim.least, -floor_of(most - distance, dim.stride)),
                to = std::min(dim.most, floor_of(distance - least, dim.stride));
  if (to - from > 1) return true;  // such dims lie between each other
  for (int64_t n = from; n <= to; ++n) {
    if (reaches(distance - n * dim.stride, dims, first + 1)) return true;
  }
  return false;
}

}  // namespace

int64_t Value::elements() const {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
}

bool Value::same_layout(const Value& other) const {
  return dtype == other.dtype && storage == other.storage && offset == other.offset &&
         sizes == other.sizes && strides == other.strides;
}

ValueId Graph::add(Value v) {
  values.push_back(std::move(v));
  return static_cast<ValueId>(values.size() - 1);
}

StorageId Graph::add(Storage s) {
  storages.push_back(s);
  return static_cast<StorageId>(storages.size() - 1);
}

std::vector<int64_t> contiguous_strides(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides(sizes.size());
  int64_t step = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = step;
    step *= std::max<int64_t>(sizes[i], 1);
  }
  return strides;
}

bool is_dense(const Value& value) {
  std::vector<size_t> order(value.sizes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::erase_if(order, [&](size_t d) { return value.sizes[d] == 1; });
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return value.strides[a] < value.strides[b]; });
  int64_t step = 1;
  for (const size_t d : order) {
    if (value.strides[d] != step) return false;
    step *= value.sizes[d];
  }
  return true;
}

int64_t extent_bytes(const Value& value) {
  if (value.elements() == 0) return 0;
  int64_t last = 0;
  for (size_t d = 0; d < value.sizes.size(); ++d) last += (value.sizes[d] - 1) * value.strides[d];
  return (last + 1) * size_of(value.dtype);
}

bool may_overlap(const Value& a, const Value& b) {
  if (a.storage != b.storage || a.elements() == 0 || b.elements() == 0) return false;
  const int64_t distance = b.offset * size_of(b.dtype) - a.offset * size_of(a.dtype);
  if (distance >= extent_bytes(a) || -distance >= extent_bytes(b)) return false;
  if (a.dtype != b.dtype || a.sizes.size() != b.sizes.size()) return true;
  std::vector<Between> dims;
  for (size_t d = 0; d < a.sizes.size(); ++d) {
    if (a.sizes[d] == 1 && b.sizes[d] == 1) continue;
    if (a.strides[d] != b.strides[d] || a.strides[d] <= 0) return true;
    dims.push_back({a.strides[d], 1 - b.sizes[d], a.sizes[d] - 1});
  }
  std::sort(dims.begin(), dims.end(),
            [](const Between& x, const Between& y) { return x.stride > y.stride; });
  return reaches(b.offset - a.offset, dims, 0);
}

}  // namespace torchweld
