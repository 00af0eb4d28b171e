// Rows by hand: shares them out.
#include "kernels/x86/host_rows.h"

#include <algorithm>

namespace torchweld::x86 {
namespace {

int64_t product(const int64_t* sizes, size_t first, size_t last) {
  int64_t n = 1;
  for (size_t d = first; d < last; ++d) n *= sizes[d];
  return n;
}

}  // namespace

int64_t HostRows::rows() const { return product(sizes, 0, kept); }
int64_t HostRows::columns() const { return product(sizes, kept, dims); }

DType type_of_values(RowsOp op, DType in) {
  if (op == RowsOp::kAny || op == RowsOp::kAll) return DType::kBool;
  if (op == RowsOp::kLargest || op == RowsOp::kSmallest) return in;
  return is_floating(in) ? in : DType::kI64;
}

void run_host_rows(const HostRows& call, const void* x, void* values, int64_t* places,
                   const ParallelFor& parallel) {
  constexpr int64_t kLeastElements = 1 << 15;  // fewer are done before a thread has woken up
  const auto share = [&](int64_t begin, int64_t end) {
    if (is_running(call.op)) {
      sum_along_rows(call, x, values, begin, end);
    } else {
      reduce_rows(call, x, values, places, begin, end);
    }
  };
  const int64_t rows = call.rows(), columns = call.columns();
  if (!parallel || rows * columns <= kLeastElements) return share(0, rows);
  parallel(rows, std::max<int64_t>(1, kLeastElements / columns), share);
}

}  // namespace torchweld::x86
