// Row sums by GCC's vector types, so that one text serves both widths.
#include "kernels/x86/reduce.h"

#include "kernels/x86/isa.h"

namespace torchweld::x86 {
namespace {

using V = float __attribute__((vector_size(64), aligned(4)));

constexpr int64_t kVector = 16, kUnroll = 4, kStep = kVector * kUnroll;
constexpr int64_t kBlock = 32 * kStep;  // 2048 elements a leaf: 32 additions in each of 64 lanes

// A leaf: independent sums hide the latency of the addition.
template <class Tag>
[[gnu::always_inline]] inline float sum_leaf(const float* x, int64_t n) {
  V sums[kUnroll] = {};
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    for (int u = 0; u < kUnroll; ++u) sums[u] += *reinterpret_cast<const V*>(x + i + u * kVector);
  }
  for (; i + kVector <= n; i += kVector) sums[0] += *reinterpret_cast<const V*>(x + i);
  // Writing lanes of a vector one by one goes through memory; the last few elements have their own
  // sum.
  float rest = 0;
  for (int64_t j = i; j < n; ++j) rest += x[j];
  if (i == 0) return rest;
  const V sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  using Half = float __attribute__((vector_size(32)));
  using Quarter = float __attribute__((vector_size(16)));
  Half halves[2];
  __builtin_memcpy(halves, &sum, sizeof(sum));
  const Half half = halves[0] + halves[1];
  Quarter quarters[2];
  __builtin_memcpy(quarters, &half, sizeof(half));
  const Quarter quarter = quarters[0] + quarters[1];
  return ((quarter[0] + quarter[2]) + (quarter[1] + quarter[3])) + rest;
}

// Leaves added pairwise: partial[d] holds the sum of 2^d leaves.
template <class Tag>
[[gnu::always_inline]] inline float sum_row(const float* x, int64_t n) {
  if (n <= kBlock) return sum_leaf<Tag>(x, n);
  float partial[48];
  int depth = 0;
  uint64_t leaves = 0;
  for (int64_t i = 0; i < n; i += kBlock) {
    float sum = sum_leaf<Tag>(x + i, n - i < kBlock ? n - i : kBlock);
    for (uint64_t carry = leaves++; carry & 1; carry >>= 1) sum += partial[--depth];
    partial[depth++] = sum;
  }
  float sum = partial[--depth];
  while (depth > 0) sum += partial[--depth];
  return sum;
}

struct Narrow {};
struct Wide {};

[[gnu::target("avx2,fma")]] void sum_rows_avx2(const float* x, int64_t rows, int64_t n,
                                               int64_t stride, float* out) {
  for (int64_t r = 0; r < rows; ++r) out[r] = sum_row<Narrow>(x + r * stride, n);
}

[[gnu::target("avx512f,avx512vl")]] void sum_rows_avx512(const float* x, int64_t rows, int64_t n,
                                                         int64_t stride, float* out) {
  for (int64_t r = 0; r < rows; ++r) out[r] = sum_row<Wide>(x + r * stride, n);
}

}  // namespace

void sum_rows(const float* x, int64_t rows, int64_t n, int64_t row_stride, float* out) {
  static const bool wide = host_isa() == Isa::kAvx512;
  if (wide) {
    sum_rows_avx512(x, rows, n, row_stride, out);
  } else {
    sum_rows_avx2(x, rows, n, row_stride, out);
  }
}

}  // namespace torchweld::x86
