// Sums in the order of LibTorch's, for kernels by hand; generated ones have emitted_cascade.h.
// Included by files that are compiled for one instruction set each; see matmul_isa.h.
#pragma once

#include <cstdint>

namespace torchweld::x86 {
namespace {

/// The sum of x[i * stride] for i below `count`: four sums over every fourth one, each in blocks of
/// sixteen and blocks of these. Source  at::native::row_sum in SumKernel.cpp, LibTorch 2.11.
template <class Isa, class Load>
[[gnu::always_inline]] inline typename Isa::V cascade_sum(const float* x, int64_t stride,
                                                          int64_t count, const Load& load) {
  using V = typename Isa::V;
  constexpr int kLevels = 3, kSums = 4;
  constexpr int64_t kBlock = 16;
  const int64_t rows = count / kSums;
  V sums[kSums];
  const auto sum_block = [&](int64_t block) __attribute__((always_inline)) {
    for (V& sum : sums) sum = Isa::zero();
    for (int64_t i = 0; i < block; ++i) {
      for (V& sum : sums) {
        sum = Isa::add(sum, load(x));
        x += stride;
      }
    }
  };
  if (rows <= kBlock) {
    sum_block(rows);
  } else {
    V level[kLevels][kSums];
    for (auto& of_level : level)
      for (V& sum : of_level) sum = Isa::zero();
    for (int64_t i = 0; i < rows;) {
      const int64_t block = rows - i < kBlock ? rows - i : kBlock;
      sum_block(block);
      i += block;
      for (int k = 0; k < kSums; ++k) level[0][k] = Isa::add(level[0][k], sums[k]);
      int64_t whole = kBlock * kBlock;
      for (int j = 1; j < kLevels && i % whole == 0; ++j, whole *= kBlock) {
        for (int k = 0; k < kSums; ++k) {
          level[j][k] = Isa::add(level[j][k], level[j - 1][k]);
          level[j - 1][k] = Isa::zero();
        }
      }
    }
    for (int k = 0; k < kSums; ++k)
      sums[k] = Isa::add(Isa::add(level[0][k], level[1][k]), level[2][k]);
  }
  for (int64_t i = rows * kSums; i < count; ++i, x += stride) sums[0] = Isa::add(sums[0], load(x));
  for (int k = 1; k < kSums; ++k) sums[0] = Isa::add(sums[0], sums[k]);
  return sums[0];
}

}  // namespace
}  // namespace torchweld::x86
