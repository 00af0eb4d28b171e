// Row sums against float64.
#include "kernels/x86/reduce.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/x86/isa.h"

namespace torchweld::x86 {
namespace {

TEST(SumRows, MatchesFloat64) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const int64_t n : {0, 1, 3, 15, 16, 17, 63, 64, 65, 1000, 2048, 2049, 6144, 100003}) {
    const int64_t rows = 3, stride = n + 2;
    std::vector<float> x(static_cast<size_t>(rows * stride)), out(rows, -1);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>((i * 7919) % 1009) / 1009.0f;
    sum_rows(x.data(), rows, n, stride, out.data());
    for (int64_t r = 0; r < rows; ++r) {
      double sum = 0;
      for (int64_t i = 0; i < n; ++i) sum += x[static_cast<size_t>(r * stride + i)];
      // 32 additions in a leaf, log2(leaves) above it, and 6 to join the lanes.
      EXPECT_NEAR(out[static_cast<size_t>(r)], sum, 8 * 0x1p-24 * sum) << n;
    }
  }
}

TEST(SumRows, PassesNanAndInfinity) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  std::vector<float> x(100, 1);
  float out = 0;
  x[70] = INFINITY;
  sum_rows(x.data(), 1, 100, 100, &out);
  EXPECT_EQ(out, INFINITY);
  x[99] = NAN;
  sum_rows(x.data(), 1, 100, 100, &out);
  EXPECT_TRUE(std::isnan(out));
}

}  // namespace
}  // namespace torchweld::x86
