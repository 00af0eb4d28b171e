#include "loader/overlap.h"

#include <utility>

namespace torchweld {
namespace {

std::pair<const char*, const char*> range_of(const at::Tensor& t) {
  const auto* begin = static_cast<const char*>(t.const_data_ptr());
  int64_t last = 0;
  for (int64_t d = 0; d < t.dim(); ++d) last += (t.size(d) - 1) * t.stride(d);
  return {begin,
          t.numel() == 0 ? begin : begin + (last + 1) * static_cast<int64_t>(t.element_size())};
}

}  // namespace

bool overlap(const at::Tensor& a, const at::Tensor& b) {
  const auto [a0, a1] = range_of(a);
  const auto [b0, b1] = range_of(b);
  return a0 < b1 && b0 < a1;
}

}  // namespace torchweld
