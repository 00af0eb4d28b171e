// Packing, the choice of instruction set, threads.
#include "kernels/x86/matmul.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "kernels/x86/isa.h"
#include "kernels/x86/matmul_isa.h"

namespace torchweld::x86 {

namespace {

/// Where the i-th of the packed rows begins.
int64_t place_of(const MatrixLayout& m, int64_t i) {
  if (m.inner == 1) return i * m.stride_k;
  const int64_t outer = m.k / m.inner, piece = m.piece > 0 ? m.piece : m.inner;
  const int64_t first = i / (piece * outer) * piece, width = std::min(piece, m.inner - first);
  const int64_t at = i - first * outer;
  return at / width * m.stride_k + (first + at % width) * m.stride_inner;
}

}  // namespace

void pack_into(const float* w, const MatrixLayout& layout, int64_t panel, float* to) {
  const int64_t k = layout.k, n = layout.n;
  if (layout.inner == 1 && layout.stride_k == 1 && panel >= 8)
    return pack_transposed_avx2(w, layout.stride_n, n, k, panel, to);
  for (int64_t column = 0; column < n; column += panel) {
    const int64_t count = std::min(panel, n - column);
    for (int64_t i = 0; i < k; ++i, to += panel) {
      const float* row = w + place_of(layout, i) + column * layout.stride_n;
      if (layout.stride_n == 1) {
        std::memcpy(to, row, static_cast<size_t>(count) * sizeof(float));
      } else {
        for (int64_t j = 0; j < count; ++j) to[j] = row[j * layout.stride_n];
      }
      std::fill(to + count, to + panel, 0.0f);
    }
  }
}

PackedMatrix pack(const float* w, const MatrixLayout& layout) {
  const int64_t k = layout.k, n = layout.n;
  PackedMatrix packed;
  packed.k = k;
  packed.n = n;
  packed.panel = layout.columns_of_panel();
  const int64_t panels = (n + packed.panel - 1) / packed.panel;
  const int64_t floats = panels * k * packed.panel;
  // The widest vector of the last row of a narrow panel ends past it.
  const auto bytes = (static_cast<size_t>(floats) * 4 + 127) & ~size_t{63};
  float* data = static_cast<float*>(std::aligned_alloc(64, bytes));
  if (data == nullptr) throw std::bad_alloc();
  std::fill(data + floats, data + bytes / 4, 0.0f);
  packed.data =
      std::shared_ptr<const float>(data, [](const float* p) { std::free(const_cast<float*>(p)); });
  pack_into(w, layout, packed.panel, data);
  return packed;
}

void matmul(const MatmulCall& call) {
  constexpr int64_t kFewestRows = 4;  // a tile's
  static const bool wide = host_isa() == Isa::kAvx512, amd = is_amd();
  const bool as_mkl = call.order.split == SummationOrder::Split::kMkl &&
                      call.outer * call.inner == 1 && call.offsets == nullptr;
  const bool few = call.n <= kMostFewColumns && call.m >= kFewestRows;
  if (call.panel == 1 || (call.panel == 0 && few)) {
    wide ? few_columns_avx512(call) : few_columns_avx2(call);
  } else if (call.panel == 0) {
    dot_avx2(call);
  } else if (call.order.rounds_products && amd) {
    wide ? rounded_avx512(call) : rounded_avx2(call);
  } else if (call.m == 1 && as_mkl && amd) {
    wide ? row_avx512(call) : row_avx2(call);
  } else {
    wide ? matmul_avx512(call) : matmul_avx2(call);
  }
}

void matmul(const MatmulCall& call, const SplitWork& parallel, const AfterRows& after) {
  constexpr int64_t kColumns = 32, kRows = 24;  // a piece's at least
  constexpr int64_t kUnit = 4;                  // one row alone would be summed in another order
  // A cycle makes 16 products at best, and reads 8 weights from the cache of the last level.
  const int64_t cycles = std::max(call.m * call.k * call.n / 16, call.k * call.n / 8);
  const auto rows = [&call](int64_t begin, int64_t end) {
    MatmulCall part = call;
    part.x += begin * call.x_row_stride;
    part.out += begin * call.out_row_stride;
    if (call.summand != nullptr) part.summand += begin * call.summand_row_stride;
    part.m = end - begin;
    matmul(part);
  };
  const int64_t block = after ? rows_of_block(call.n) : kRows;
  if (call.m > block && (after || call.n < 8 * kColumns)) {
    return share_out_rows(call.m, {kUnit, kRows, block}, cycles / call.m, parallel, after,
                          std::ref(rows));
  }
  const auto columns = [&call](int64_t begin, int64_t end) {
    MatmulCall part = call;
    part.begin = begin * kColumns;
    part.end = std::min(end * kColumns, call.n);
    matmul(part);
  };
  const int64_t count = (call.n + kColumns - 1) / kColumns;
  share_out(count, cycles / std::max<int64_t>(1, count), parallel, std::ref(columns));
  if (after) after(0, call.m);
}

bool is_best_in_place(int64_t m, int64_t k, int64_t n, bool contiguous_rows) {
  if (!contiguous_rows) return false;
  if (n <= 4) return k >= 8;  // a panel of eight wastes half of it on four columns
  // Packed, one row of x takes the order of MKL's sums, and less time while the weights stay in a
  // cache. Otherwise long rows hide what it takes to add up the lanes, and large weights need no
  // copy; with more rows of x, packed ones are read less often.
  constexpr int64_t kCached = int64_t{4} << 20;
  if (m == 1 && is_amd()) return k * n > kCached;
  return k >= 256 && m <= 2;
}

}  // namespace torchweld::x86
