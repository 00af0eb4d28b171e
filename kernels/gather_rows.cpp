#include "kernels/gather_rows.h"

#include <cstring>

namespace torchweld {
namespace {

template <class Index>
int64_t gather(const GatherRows& call) {
  const auto* index = static_cast<const Index*>(call.index);
  char* out = call.out;
  for (int64_t i = 0; i < call.count; ++i, out += call.row_bytes) {
    int64_t row = index[i];
    if (call.wraps && row < 0) row += call.rows;
    if (row < 0 || row >= call.rows) return i;
    std::memcpy(out, call.table + row * call.row_stride, static_cast<size_t>(call.row_bytes));
  }
  return call.count;
}

}  // namespace

int64_t gather_rows(const GatherRows& call) {
  return call.narrow ? gather<int32_t>(call) : gather<int64_t>(call);
}

}  // namespace torchweld
