// Permutes and merges dims; the ordering rule is the one of ATen's TensorIterator
// (reorder_dimensions).
#include "kernels/geometry.h"

#include <algorithm>
#include <utility>

namespace torchweld {
namespace {

struct Dim {
  int64_t size = 1;
  std::vector<int64_t> strides;  // one for each operand, in order of their say: stores first
};

// Negative: `a` belongs inside `b`; 0: nobody cares. A broadcast (stride 0) has no opinion.
int compare(const Dim& a, const Dim& b) {
  for (size_t i = 0; i < a.strides.size(); ++i) {
    const int64_t sa = std::abs(a.strides[i]);
    const int64_t sb = std::abs(b.strides[i]);
    if (sa == 0 || sb == 0) continue;
    if (sa != sb) return sa < sb ? -1 : 1;
    if (a.size != b.size) return a.size < b.size ? -1 : 1;
  }
  return 0;
}

// An insertion sort that steps over dims without an opinion: `compare` is not transitive, std::sort
// would be wrong.
void order_dims(std::vector<Dim>* dims) {
  for (size_t i = 1; i < dims->size(); ++i) {
    size_t at = i;
    for (size_t j = i; j-- > 0;) {
      const int order = compare((*dims)[at], (*dims)[j]);
      if (order < 0) {
        std::swap((*dims)[at], (*dims)[j]);
        at = j;
      } else if (order > 0) {
        break;
      }
    }
  }
}

bool mergeable(const Dim& inner, const Dim& outer) {
  for (size_t i = 0; i < inner.strides.size(); ++i) {
    if (outer.strides[i] != inner.strides[i] * inner.size) return false;
  }
  return true;
}

std::vector<Dim> merge_dims(const std::vector<Dim>& dims) {
  std::vector<Dim> merged;
  for (const Dim& dim : dims) {
    if (!merged.empty() && mergeable(merged.back(), dim)) {
      merged.back().size *= dim.size;
    } else {
      merged.push_back(dim);
    }
  }
  return merged;
}

StrideClass class_of(int64_t stride) {
  if (stride == 0) return StrideClass::kZero;
  return stride == 1 ? StrideClass::kOne : StrideClass::kAny;
}

// The dims with more than one element, innermost first, strides of stores before those of loads.
std::vector<Dim> live_dims(std::span<const int64_t> domain,
                           const std::vector<std::vector<int64_t>>& strides, size_t loads) {
  std::vector<Dim> dims;
  for (size_t d = domain.size(); d-- > 0;) {
    if (domain[d] == 1) continue;
    Dim dim{domain[d], {}};
    for (size_t i = loads; i < strides.size(); ++i) dim.strides.push_back(strides[i][d]);
    for (size_t i = 0; i < loads; ++i) dim.strides.push_back(strides[i][d]);
    dims.push_back(std::move(dim));
  }
  return dims;
}

}  // namespace

std::optional<Layout> coalesce(std::span<const int64_t> domain,
                               const std::vector<std::vector<int64_t>>& strides, int store_count) {
  const size_t operands = strides.size();
  const size_t stores = static_cast<size_t>(store_count);
  const size_t loads = operands - stores;
  int64_t elements = 1;
  for (const int64_t size : domain) elements *= size;

  std::vector<Dim> dims;
  if (elements > 1) {
    dims = live_dims(domain, strides, loads);
    order_dims(&dims);
    dims = merge_dims(dims);
  } else {
    dims.push_back({elements, std::vector<int64_t>(operands, 1)});
  }
  if (dims.size() > static_cast<size_t>(kMaxRank)) return std::nullopt;

  Layout layout;
  layout.rank = static_cast<int>(dims.size());
  layout.geometry.elements = elements;
  layout.geometry.strides.resize(operands);
  layout.classes.resize(operands);
  for (size_t d = 0; d < dims.size(); ++d) {
    const Dim& dim = dims[dims.size() - 1 - d];
    layout.geometry.sizes.push_back(dim.size);
    for (size_t i = 0; i < operands; ++i) {
      const int64_t stride = dim.strides[i < loads ? i + stores : i - loads];
      layout.geometry.strides[i].push_back(stride);
      layout.classes[i][d] = class_of(stride);
    }
  }
  return layout;
}

}  // namespace torchweld
