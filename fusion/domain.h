// The loop nest that the members of a group share, and how a member's tensors lie in it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// Shapes   `sizes` is the largest member's; `reduced[d]`, where rows are reduced, says which dims
/// make up a row. A member's result has all of the domain, or one element a row: with the reduced
/// dims of size 1 (kept) or without them (dropped).
struct Domain {
  std::vector<int64_t> sizes;
  std::vector<bool> reduced;  ///< empty: pointwise

  bool has_rows() const { return !reduced.empty(); }
  bool operator==(const Domain&) const = default;
};

enum class Space : uint8_t { kNone, kFull, kKept, kDropped };

/// How a result of these sizes lies in the domain; kNone when it doesn't.
Space space_of(const Domain& domain, const std::vector<int64_t>& sizes);

/// Element strides over the domain of an operand of a member whose result has `sizes`, to which the
/// operand broadcasts.
std::vector<int64_t> strides_in(const Domain& domain, const std::vector<int64_t>& sizes,
                                const Value& operand);

/// The domain of two groups together; nullopt when their members don't fit into one loop nest.
std::optional<Domain> common_domain(const Domain& a, const Domain& b);

/// Whether two values that are addressed by these strides over the domain are the same element
/// everywhere.
bool same_elements(const Domain& domain, const Value& a, const std::vector<int64_t>& a_strides,
                   const Value& b, const std::vector<int64_t>& b_strides);

}  // namespace torchweld
