// Small products against float64, on both instruction sets.
#include "kernels/x86/small_matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/x86/isa.h"
#include "kernels/x86/matmul_tile.h"

namespace torchweld::x86 {
namespace {

float element(int64_t i) { return static_cast<float>((i * 7919) % 1000) / 500.0f - 1.0f; }

struct Sizes {
  int64_t m, k, n;
};

void check(const Sizes& s, bool with_bias, bool wide) {
  const int64_t x_stride = s.k + 3, out_stride = s.n + 5;
  std::vector<float> x(static_cast<size_t>(s.m * x_stride)), w(static_cast<size_t>(s.k * s.n)),
      bias(static_cast<size_t>(s.n));
  for (size_t i = 0; i < x.size(); ++i) x[i] = element(static_cast<int64_t>(i));
  for (size_t i = 0; i < w.size(); ++i) w[i] = element(static_cast<int64_t>(i) + 17);
  for (size_t i = 0; i < bias.size(); ++i) bias[i] = element(static_cast<int64_t>(i) + 5);
  std::vector<float> out(static_cast<size_t>(s.m * out_stride), -77);
  const PackedMatrix packed = pack(w.data(), s.k, s.n, 1, s.k);
  const MatmulCall call{x.data(),
                        s.m,
                        x_stride,
                        packed.data.get(),
                        s.k,
                        s.n,
                        packed.panel,
                        with_bias ? bias.data() : nullptr,
                        out.data(),
                        out_stride,
                        0,
                        s.n};
  (wide ? matmul_avx512 : matmul_avx2)(call);
  for (int64_t i = 0; i < s.m; ++i) {
    for (int64_t j = 0; j < out_stride; ++j) {
      const float got = out[static_cast<size_t>(i * out_stride + j)];
      if (j >= s.n) {
        ASSERT_EQ(got, -77) << "written past column " << s.n;
        continue;
      }
      double sum = with_bias ? bias[static_cast<size_t>(j)] : 0, size = std::abs(sum);
      for (int64_t p = 0; p < s.k; ++p) {
        const double product =
            double{x[static_cast<size_t>(i * x_stride + p)]} * w[static_cast<size_t>(j * s.k + p)];
        sum += product;
        size += std::abs(product);
      }
      ASSERT_NEAR(got, sum, 0x1p-23 * size * std::sqrt(static_cast<double>(s.k) + 1))
          << i << ", " << j;
    }
  }
}

TEST(SmallMatmul, MatchesFloat64) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const bool wide : {false, true}) {
    if (wide && host_isa() != Isa::kAvx512) continue;
    for (const int64_t m : {1, 2, 3, 5, 8, 16, 19}) {
      for (const int64_t k : {0, 1, 2, 7, 64, 101}) {
        for (const int64_t n : {1, 2, 15, 16, 17, 32, 33, 64, 100})
          check({m, k, n}, n % 2 == 0, wide);
      }
    }
  }
}

TEST(SmallMatmul, ColumnsCanBeSplit) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const int64_t m = 3, k = 40, n = 75;
  std::vector<float> x(static_cast<size_t>(m * k)), w(static_cast<size_t>(k * n));
  for (size_t i = 0; i < x.size(); ++i) x[i] = element(static_cast<int64_t>(i));
  for (size_t i = 0; i < w.size(); ++i) w[i] = element(static_cast<int64_t>(i));
  const PackedMatrix packed = pack(w.data(), k, n, n, 1);
  std::vector<float> whole(static_cast<size_t>(m * n)), parts(whole.size());
  small_matmul(x.data(), m, k, packed, nullptr, whole.data(), n);
  small_matmul_columns(x.data(), m, k, packed, nullptr, parts.data(), n, 0, 32);
  small_matmul_columns(x.data(), m, k, packed, nullptr, parts.data(), n, 32, n);
  EXPECT_EQ(whole, parts);
}

}  // namespace
}  // namespace torchweld::x86
