// Row sums by GCC's vector types for AVX2: LibTorch has eight lanes with AVX-512, too.
#include "kernels/x86/reduce.h"

#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx2")
#include "kernels/x86/cascade_sum.h"

namespace torchweld::x86 {
namespace {

template <class Lanes>
struct Order {
  using V = Lanes;
  static V zero() { return V{}; }
  static V add(V a, V b) { return a + b; }
};

using Eight [[gnu::vector_size(32)]] = float;
constexpr int64_t kLanes = 8;

Eight load(const float* p) {
  Eight v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

/// What is left of a row comes first, the sums of lanes then.
[[gnu::always_inline]] inline float sum_row(const float* x, int64_t n) {
  const int64_t vectors = n / kLanes;
  if (vectors == 0) return cascade_sum<Order<float>>(x, 1, n, [](const float* p) { return *p; });
  float sum = 0;
  for (int64_t i = vectors * kLanes; i < n; ++i) sum += x[i];
  const Eight lanes = cascade_sum<Order<Eight>>(x, kLanes, vectors, load);
  for (int64_t lane = 0; lane < kLanes; ++lane) sum += lanes[lane];
  return sum;
}

}  // namespace

void sum_rows(const float* x, int64_t rows, int64_t n, int64_t row_stride, float* out) {
  for (int64_t r = 0; r < rows; ++r) out[r] = sum_row(x + r * row_stride, n);
}

}  // namespace torchweld::x86
#pragma GCC pop_options
