// The filter's rows in lanes and alone against the sum as it is written.
#include "kernels/recursive_filter.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace torchweld {
namespace {

template <class T>
void expect_sums(DType dtype, int64_t batch, int64_t channels, int64_t samples, int64_t order) {
  const RecursiveFilterShape s{dtype, batch, channels, samples, order};
  std::mt19937 random(7);
  std::uniform_real_distribution<T> number(T(-0.4), T(0.4));
  const auto numbers = [&](int64_t count) {
    std::vector<T> of(static_cast<size_t>(count));
    for (T& x : of) x = number(random);
    return of;
  };
  const int64_t padded = samples + order - 1;
  const std::vector<T> x = numbers(batch * channels * samples), a = numbers(channels * order);
  std::vector<T> got = numbers(batch * channels * padded), want = got;
  for (int64_t row = 0; row < batch * channels; ++row) {
    for (int64_t t = 0; t < samples; ++t) {
      T sum = x[static_cast<size_t>(row * samples + t)];
      for (int64_t k = 0; k < order; ++k) {
        sum -= want[static_cast<size_t>(row * padded + t + k)] *
               a[static_cast<size_t>(row % channels * order + k)];
      }
      want[static_cast<size_t>(row * padded + t + order - 1)] = sum;
    }
  }
  run_recursive_filter(s, {x.data(), a.data(), got.data()},
                       [](int64_t count, int64_t, const auto& work) {
                         work(0, count / 2);
                         work(count / 2, count);
                       });
  EXPECT_EQ(got, want) << batch << " x " << channels << " x " << samples << ", order " << order;
}

TEST(RecursiveFilter, GivesTheSumsOfItsDefinition) {
  for (const int64_t order : {1, 2, 3, 9}) {
    expect_sums<float>(DType::kF32, 1, 1, 300, order);
    expect_sums<float>(DType::kF32, 7, 3, 300, order);
    expect_sums<double>(DType::kF64, 4, 8, 128, order);
    expect_sums<float>(DType::kF32, 40, 1, 1, order);
    expect_sums<float>(DType::kF32, 40, 1, 0, order);
  }
}

}  // namespace
}  // namespace torchweld
