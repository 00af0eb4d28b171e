#include "kernels/x86/batched_product.h"

#include <immintrin.h>

#include <algorithm>
#include <functional>

#include "kernels/x86/matmul.h"
#include "kernels/x86/share_out.h"
#include "kernels/x86/turn.h"

#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx2,fma")

namespace torchweld::x86 {
namespace {

constexpr int64_t kFewRows = 2;  // of a: more read a packed b in less time than they read b
constexpr int64_t kFewDots = 4;  // rows of a, or columns of b
constexpr int64_t kLineFloats = 16;

int64_t whole_lines(int64_t floats) {
  return (floats + kLineFloats - 1) / kLineFloats * kLineFloats;
}

int64_t packed_floats(const BatchedProduct& c) {
  if (c.way() != BatchedProduct::Way::kPacked) return 0;
  const int64_t panel = PackedMatrix::panel_of(c.n);
  // The widest vector of the last row of a narrow panel ends past it.
  return whole_lines((c.n + panel - 1) / panel * panel * c.k) + kLineFloats;
}

int64_t part_floats(const BatchedProduct& c) {
  return packed_floats(c) + (c.turns() ? whole_lines(c.m * c.k) : 0);
}

/// out[0 .. kVectors * 8) += the row of a times these columns of b.
template <int kVectors>
void columns_of_row(const BatchedProduct& c, const float* a, const float* b, float* out) {
  __m256 sums[kVectors];
  for (__m256& sum : sums) sum = _mm256_setzero_ps();
  for (int64_t i = 0; i < c.k; ++i, a += c.a_column, b += c.b_row) {
    const __m256 x = _mm256_broadcast_ss(a);
    for (int v = 0; v < kVectors; ++v)
      sums[v] = _mm256_fmadd_ps(x, _mm256_loadu_ps(b + 8 * v), sums[v]);
  }
  for (int v = 0; v < kVectors; ++v) _mm256_storeu_ps(out + 8 * v, sums[v]);
}

void last_columns_of_row(const BatchedProduct& c, const float* a, const float* b, float* out,
                         int64_t count) {
  alignas(32) static constexpr int32_t kLanes[] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                   0,  0,  0,  0,  0,  0,  0,  0};
  const __m256i lanes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kLanes + 8 - count));
  __m256 sum = _mm256_setzero_ps();
  for (int64_t i = 0; i < c.k; ++i, a += c.a_column, b += c.b_row)
    sum = _mm256_fmadd_ps(_mm256_broadcast_ss(a), _mm256_maskload_ps(b, lanes), sum);
  _mm256_maskstore_ps(out, lanes, sum);
}

void by_rows(const BatchedProduct& c, const float* a, const float* b, float* out) {
  for (int64_t row = 0; row < c.m; ++row, a += c.a_row, out += c.out_row) {
    int64_t j = 0;
    for (; j + 64 <= c.n; j += 64) columns_of_row<8>(c, a, b + j, out + j);
    for (; j + 16 <= c.n; j += 16) columns_of_row<2>(c, a, b + j, out + j);
    if (j + 8 <= c.n) {
      columns_of_row<1>(c, a, b + j, out + j);
      j += 8;
    }
    if (j < c.n) last_columns_of_row(c, a, b + j, out + j, c.n - j);
  }
}

void multiply(const BatchedProduct& c, const float* a, const float* b, float* out, float* scratch,
              const ParallelFor& parallel) {
  const BatchedProduct::Way way = c.way();
  if (way == BatchedProduct::Way::kRows) return by_rows(c, a, b, out);
  MatmulCall call;
  call.x = a;
  call.m = c.m;
  call.x_row_stride = c.a_row;
  if (c.turns()) {
    float* turned = scratch + packed_floats(c);
    turn(sizeof(float), reinterpret_cast<const char*>(a),
         c.a_column * static_cast<int64_t>(sizeof(float)), c.k, c.m,
         reinterpret_cast<char*>(turned), c.k * static_cast<int64_t>(sizeof(float)));
    call.x = turned;
    call.x_row_stride = c.k;
  }
  call.k = c.k;
  call.n = call.end = c.n;
  call.out = out;
  call.out_row_stride = c.out_row;
  call.w = b;
  call.w_row_stride = c.b_column;
  if (way == BatchedProduct::Way::kPacked) {
    call.panel = PackedMatrix::panel_of(c.n);
    MatrixLayout layout;
    layout.k = c.k;
    layout.n = c.n;
    layout.stride_k = c.b_row;
    layout.stride_n = c.b_column;
    pack_into(b, layout, call.panel, scratch);
    call.w = scratch;
  }
  matmul(call, parallel);
}

}  // namespace

int64_t BatchedProduct::matrices() const {
  int64_t count = 1;
  for (size_t d = 0; d < dims; ++d) count *= sizes[d];
  return count;
}

BatchedProduct::Way BatchedProduct::way() const {
  if (b_column == 1 && (m <= kFewRows || k == 1)) return Way::kRows;
  if (b_row == 1 && (m <= kFewDots || n <= kFewDots)) return Way::kDots;
  return Way::kPacked;
}

bool BatchedProduct::turns() const { return way() != Way::kRows && a_column != 1 && k != 1; }

int64_t BatchedProduct::parts() const {
  constexpr int64_t kMostParts = 16;
  const int64_t cycles = matrices() * m * k * n / 16;
  return std::clamp<int64_t>(cycles / kGrainCycles, 1, std::min(matrices(), kMostParts));
}

int64_t BatchedProduct::scratch_bytes() const {
  return parts() * part_floats(*this) * static_cast<int64_t>(sizeof(float));
}

void run_batched_product(const BatchedProduct& c, const float* a, const float* b, float* out,
                         float* scratch, const ParallelFor& parallel) {
  const int64_t matrices = c.matrices(), parts = parallel ? c.parts() : 1;
  const int64_t floats = part_floats(c);
  const auto run = [&](int64_t part, const ParallelFor& within) {
    for (int64_t i = matrices * part / parts; i < matrices * (part + 1) / parts; ++i) {
      int64_t left = i, at_a = 0, at_b = 0, at_out = 0;
      for (size_t d = c.dims; d-- > 0;) {
        const int64_t at = left % c.sizes[d];
        left /= c.sizes[d];
        at_a += at * c.a[d];
        at_b += at * c.b[d];
        at_out += at * c.out[d];
      }
      multiply(c, a + at_a, b + at_b, out + at_out, scratch + part * floats, within);
    }
  };
  if (parts == 1) return run(0, matrices == 1 ? parallel : nullptr);
  const auto work = [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) run(part, nullptr);
  };
  // By reference, since a std::function of its own would allocate.
  parallel(parts, 1, std::ref(work));
}

}  // namespace torchweld::x86
#pragma GCC pop_options
