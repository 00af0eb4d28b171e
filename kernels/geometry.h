// From shapes and strides to the smallest loop nest that walks them: dims dropped, reordered and
// merged.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/kernel.h"

namespace torchweld {

/// A coalesced loop nest: what a launch needs, and what a spec may assume about it.
struct Layout {
  Geometry geometry;
  std::vector<std::array<StrideClass, kMaxRank>> classes;  ///< one for each operand, in their order
  int rank = 1;
  int reduced = 0;          ///< innermost dims that are a row
  std::vector<int> places;  ///< by dim of the domain: where a pinned one is now; -1 for others
};

/// Dims of a domain that may not be treated alike.
struct DimRoles {
  std::vector<bool> reduced = {};  ///< by dim: part of the row; empty: none
  std::vector<bool> pinned = {};   ///< by dim: its coordinate is read, so it stays a dim of its own
  bool any_order = false;          ///< nobody asks for places in a row
};

/// Coalesces a domain that several operands are addressed over.
///
/// Shapes   `domain` of any rank, outermost first; `strides[i]` as many element strides for operand
/// i, loads
///          first, then stores. The last `store_count` operands are stores.
/// Order    dims are permuted so that memory is walked as contiguously as possible; stores decide
/// first, then
///          loads in order. Dims of size 1 vanish, and dims that are one walk for every operand
///          merge.
/// Rows     reduced dims, `roles` says which, become the innermost ones and keep their order, since
/// positions in a row have one, unless `roles` says that nobody asks for it. There is then at least
/// one dim of either kind, if of size 1. Result   rank 1 to kMaxRank. A domain of one element or
/// none is a single dim in which every stride is 1, so
///          it shares the kernel of the contiguous case. Nullopt when more than kMaxRank dims
///          remain.
std::optional<Layout> coalesce(std::span<const int64_t> domain,
                               const std::vector<std::vector<int64_t>>& strides,
                               int store_count = 1, const DimRoles& roles = {});

}  // namespace torchweld
