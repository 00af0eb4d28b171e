// Products of matrices made in the call, against sums in float64: shapes, layouts, batches,
// threads, memory that ends where the operands do.
#include "kernels/x86/batched_product.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "kernels/x86/isa.h"
#include "tests/kernels/guarded.h"

namespace torchweld::x86 {
namespace {

using testing::Guarded;

/// Floats that end where an unreadable page begins.
class Floats {
 public:
  Floats(int64_t count, float scale) : memory_(static_cast<size_t>(count) * sizeof(float)) {
    for (int64_t i = 0; i < count; ++i)
      data()[i] = scale * static_cast<float>((i * 7919 + 13) % 211 - 105) / 105;
  }
  float* data() const { return reinterpret_cast<float*>(memory_.data()); }

 private:
  Guarded memory_;
};

class BatchedProducts : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!host_isa()) GTEST_SKIP() << "no AVX2";
  }

  /// Two batches of three, over the second of which b may stand still.
  static BatchedProduct call_of(int64_t m, int64_t k, int64_t n, bool a_by_rows, bool b_by_rows,
                                bool b_stands) {
    BatchedProduct c;
    c.m = m;
    c.k = k;
    c.n = n;
    c.a_row = a_by_rows ? k : 1;
    c.a_column = a_by_rows ? 1 : m;
    c.b_row = b_by_rows ? n : 1;
    c.b_column = b_by_rows ? 1 : k;
    c.out_row = n + 2;
    c.dims = 2;
    c.sizes[0] = 2;
    c.sizes[1] = 3;
    c.a[0] = 3 * m * k;
    c.a[1] = m * k;
    c.b[0] = b_stands ? k * n : 3 * k * n;
    c.b[1] = b_stands ? 0 : k * n;
    c.out[0] = 3 * m * c.out_row;
    c.out[1] = m * c.out_row;
    return c;
  }

  static void expect_agreement(const BatchedProduct& c, const ParallelFor& parallel) {
    const Floats a(6 * c.m * c.k, 1), b(6 * c.k * c.n, 2), out(6 * c.m * c.out_row - 2, 3);
    // Aligned as a plan's are; what is past the end is a test's own.
    std::vector<float> scratch(static_cast<size_t>(c.scratch_bytes() / 4) + 32, NAN);
    auto* aligned =
        reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(scratch.data()) + 63) / 64 * 64);
    const Floats before(6 * c.m * c.out_row - 2, 3);
    run_batched_product(c, a.data(), b.data(), out.data(), aligned, parallel);
    for (int64_t i = 0; i < 6; ++i) {
      const float* x = a.data() + i / 3 * c.a[0] + i % 3 * c.a[1];
      const float* y = b.data() + i / 3 * c.b[0] + i % 3 * c.b[1];
      const int64_t first = i / 3 * c.out[0] + i % 3 * c.out[1];
      for (int64_t row = 0; row < c.m; ++row) {
        for (int64_t column = 0; column < c.n; ++column) {
          double want = 0, size = 0;
          for (int64_t j = 0; j < c.k; ++j) {
            const double product = static_cast<double>(x[row * c.a_row + j * c.a_column]) *
                                   y[j * c.b_row + column * c.b_column];
            want += product;
            size += std::abs(product);
          }
          ASSERT_NEAR(out.data()[first + row * c.out_row + column], want, 1e-6 * size)
              << c.m << "x" << c.k << "x" << c.n << ", matrix " << i << " at " << row << ", "
              << column;
        }
        if (i == 5 && row + 1 == c.m) continue;
        for (int64_t gap = c.n; gap < c.out_row; ++gap)
          ASSERT_EQ(out.data()[first + row * c.out_row + gap],
                    before.data()[first + row * c.out_row + gap]);
      }
    }
  }
};

TEST_F(BatchedProducts, OfAllShapesAndLayouts) {
  for (const int64_t m : {1, 2, 3, 5, 17, 40}) {
    for (const int64_t k : {1, 2, 7, 16, 65}) {
      for (const int64_t n : {1, 3, 8, 9, 16, 31, 32, 70}) {
        for (int layout = 0; layout < 8; ++layout)
          expect_agreement(
              call_of(m, k, n, (layout & 1) == 0, (layout & 2) == 0, (layout & 4) != 0), nullptr);
      }
    }
  }
}

TEST_F(BatchedProducts, ThreadsGiveTheSame) {
  const ParallelFor pieces = [](int64_t count, int64_t grain, const auto& run) {
    for (int64_t i = 0; i < count; i += grain) run(i, std::min(count, i + grain));
  };
  for (int layout = 0; layout < 4; ++layout) {
    const BatchedProduct c = call_of(130, 90, 70, (layout & 1) == 0, (layout & 2) == 0, false);
    EXPECT_GT(c.parts(), 1);
    expect_agreement(c, pieces);
    expect_agreement(c, nullptr);
  }
}

TEST_F(BatchedProducts, ReadWhatLiesWell) {
  EXPECT_EQ(call_of(1, 8, 64, true, true, false).way(), BatchedProduct::Way::kRows);
  EXPECT_EQ(call_of(1, 8, 64, true, false, false).way(), BatchedProduct::Way::kDots);
  EXPECT_EQ(call_of(9, 8, 64, true, false, false).way(), BatchedProduct::Way::kPacked);
  EXPECT_EQ(call_of(9, 8, 1, true, false, false).way(), BatchedProduct::Way::kDots);
  EXPECT_TRUE(call_of(9, 8, 64, false, true, false).turns());
  EXPECT_FALSE(call_of(1, 8, 64, false, true, false).turns());
}

}  // namespace
}  // namespace torchweld::x86
