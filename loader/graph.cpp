// The arithmetic of values and storages.
#include "loader/graph.h"

#include <algorithm>
#include <numeric>

namespace torchweld {

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

}  // namespace torchweld
