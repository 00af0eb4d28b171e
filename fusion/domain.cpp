#include "fusion/domain.h"

namespace torchweld {

Space space_of(const Domain& domain, const std::vector<int64_t>& sizes) {
  if (sizes == domain.sizes) return Space::kFull;
  if (!domain.has_rows()) return Space::kNone;
  std::vector<int64_t> kept = domain.sizes, dropped;
  for (size_t d = 0; d < kept.size(); ++d) {
    if (domain.reduced[d]) {
      kept[d] = 1;
    } else {
      dropped.push_back(kept[d]);
    }
  }
  if (sizes == kept) return Space::kKept;
  return sizes == dropped ? Space::kDropped : Space::kNone;
}

std::vector<int64_t> strides_in(const Domain& domain, const std::vector<int64_t>& sizes,
                                const Value& operand) {
  std::vector<int64_t> strides(sizes.size(), 0);
  const size_t skip = sizes.size() - operand.sizes.size();
  for (size_t d = 0; d < operand.sizes.size(); ++d)
    strides[skip + d] = operand.sizes[d] == 1 ? 0 : operand.strides[d];
  if (space_of(domain, sizes) != Space::kDropped) return strides;
  std::vector<int64_t> spread(domain.sizes.size(), 0);
  size_t next = 0;
  for (size_t d = 0; d < spread.size(); ++d) {
    if (!domain.reduced[d]) spread[d] = strides[next++];
  }
  return spread;
}

std::optional<Domain> common_domain(const Domain& a, const Domain& b) {
  if (a == b) return a;
  if (b.has_rows() && !a.has_rows() && space_of(b, a.sizes) != Space::kNone) return b;
  if (a.has_rows() && !b.has_rows() && space_of(a, b.sizes) != Space::kNone) return a;
  return std::nullopt;
}

bool same_elements(const Domain& domain, const Value& a, const std::vector<int64_t>& a_strides,
                   const Value& b, const std::vector<int64_t>& b_strides) {
  if (a.storage != b.storage || a.offset != b.offset || a.dtype != b.dtype) return false;
  for (size_t d = 0; d < domain.sizes.size(); ++d) {
    if (domain.sizes[d] != 1 && a_strides[d] != b_strides[d]) return false;
  }
  return true;
}

}  // namespace torchweld
