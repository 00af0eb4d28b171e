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
  int pinned = -1;               // the domain's dim whose coordinate is read
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
  if (inner.pinned >= 0 || outer.pinned >= 0) return false;
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

// The dims of one kind, innermost first, strides of stores before those of loads.
std::vector<Dim> dims_of(std::span<const int64_t> domain,
                         const std::vector<std::vector<int64_t>>& strides, size_t loads,
                         const DimRoles& roles, bool reduced) {
  const auto is = [](const std::vector<bool>& role, size_t d) { return !role.empty() && role[d]; };
  std::vector<Dim> dims;
  for (size_t d = domain.size(); d-- > 0;) {
    if (domain[d] == 1 || is(roles.reduced, d) != reduced) continue;
    Dim dim{domain[d], {}, is(roles.pinned, d) ? static_cast<int>(d) : -1};
    for (size_t i = loads; i < strides.size(); ++i) dim.strides.push_back(strides[i][d]);
    for (size_t i = 0; i < loads; ++i) dim.strides.push_back(strides[i][d]);
    dims.push_back(std::move(dim));
  }
  if (!reduced || roles.any_order) order_dims(&dims);
  return merge_dims(dims);
}

// A dim of size 1, with strides that no walk takes: those of the next row, where rows are dense.
Dim single_dim(const std::vector<Dim>& inner, size_t operands) {
  Dim dim{1, std::vector<int64_t>(operands, 1)};
  for (size_t i = 0; i < operands && !inner.empty(); ++i) {
    const Dim& last = inner.back();
    if (last.strides[i] != 0) dim.strides[i] = last.strides[i] * std::max<int64_t>(last.size, 2);
  }
  return dim;
}

// All dims, innermost first, and how many of them are the row.
std::vector<Dim> ordered_dims(std::span<const int64_t> domain,
                              const std::vector<std::vector<int64_t>>& strides, size_t loads,
                              const DimRoles& roles, int64_t elements, int* reduced) {
  const bool rows =
      std::find(roles.reduced.begin(), roles.reduced.end(), true) != roles.reduced.end();
  if (!rows) {
    if (elements <= 1) return {{elements, std::vector<int64_t>(strides.size(), 1)}};
    return dims_of(domain, strides, loads, roles, false);
  }
  std::vector<Dim> dims = dims_of(domain, strides, loads, roles, true);
  if (dims.empty()) dims.push_back({1, std::vector<int64_t>(strides.size(), 1)});
  *reduced = static_cast<int>(dims.size());
  std::vector<Dim> kept = dims_of(domain, strides, loads, roles, false);
  if (kept.empty()) kept.push_back(single_dim(dims, strides.size()));
  dims.insert(dims.end(), kept.begin(), kept.end());
  return dims;
}

}  // namespace

std::optional<Layout> coalesce(std::span<const int64_t> domain,
                               const std::vector<std::vector<int64_t>>& strides, int store_count,
                               const DimRoles& roles) {
  const size_t operands = strides.size();
  const size_t stores = static_cast<size_t>(store_count);
  const size_t loads = operands - stores;
  int64_t elements = 1;
  for (const int64_t size : domain) elements *= size;

  Layout layout;
  const std::vector<Dim> dims =
      ordered_dims(domain, strides, loads, roles, elements, &layout.reduced);
  if (dims.size() > static_cast<size_t>(kMaxRank)) return std::nullopt;

  layout.rank = static_cast<int>(dims.size());
  layout.places.assign(domain.size(), -1);
  layout.geometry.elements = elements;
  layout.geometry.strides.resize(operands);
  layout.classes.resize(operands);
  for (size_t d = 0; d < dims.size(); ++d) {
    const Dim& dim = dims[dims.size() - 1 - d];
    if (dim.pinned >= 0) layout.places[static_cast<size_t>(dim.pinned)] = static_cast<int>(d);
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
