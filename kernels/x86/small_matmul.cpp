// Packing, the choice of instruction set, threads.
#include "kernels/x86/small_matmul.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "kernels/x86/isa.h"
#include "kernels/x86/matmul_isa.h"

namespace torchweld::x86 {

PackedMatrix pack(const float* w, int64_t k, int64_t n, int64_t stride_k, int64_t stride_n) {
  PackedMatrix packed;
  packed.k = k;
  packed.n = n;
  packed.panel = PackedMatrix::panel_of(n);
  const int64_t panels = (n + packed.panel - 1) / packed.panel;
  const int64_t floats = panels * k * packed.panel;
  // The widest vector of the last row of a narrow panel ends past it.
  const auto bytes = (static_cast<size_t>(floats) * 4 + 127) & ~size_t{63};
  float* data = static_cast<float*>(std::aligned_alloc(64, bytes));
  if (data == nullptr) throw std::bad_alloc();
  std::fill(data + floats, data + bytes / 4, 0.0f);
  packed.data =
      std::shared_ptr<const float>(data, [](const float* p) { std::free(const_cast<float*>(p)); });
  for (int64_t p = 0; p < panels; ++p) {
    for (int64_t i = 0; i < k; ++i) {
      for (int64_t j = 0; j < packed.panel; ++j) {
        const int64_t column = p * packed.panel + j;
        *data++ = column < n ? w[i * stride_k + column * stride_n] : 0.0f;
      }
    }
  }
  return packed;
}

void small_matmul(const MatmulCall& call) {
  static const bool wide = host_isa() == Isa::kAvx512;
  if (call.panel == 0) {
    dot_avx2(call);
  } else {
    wide ? matmul_avx512(call) : matmul_avx2(call);
  }
}

void small_matmul(const MatmulCall& call, const SplitWork& parallel) {
  // As launch.cpp: a piece that is worth a second thread takes some 60000 cycles. A cycle makes 16
  // products at best, and reads 8 weights from the cache of the last level.
  constexpr int64_t kGrainCycles = 60000, kBlock = 32;
  const int64_t cycles = std::max(call.m * call.k * call.n / 16, call.k * call.n / 8);
  if (cycles < 2 * kGrainCycles || !parallel) return small_matmul(call);
  if (call.n >= 8 * kBlock) {
    const int64_t blocks = (call.n + kBlock - 1) / kBlock;
    const auto columns = [&call](int64_t begin, int64_t end) {
      MatmulCall part = call;
      part.begin = begin * kBlock;
      part.end = std::min(end * kBlock, call.n);
      small_matmul(part);
    };
    // By reference, since a std::function of its own would allocate.
    parallel(blocks, std::max<int64_t>(1, blocks * kGrainCycles / cycles), std::ref(columns));
  } else {
    const auto rows = [&call](int64_t begin, int64_t end) {
      MatmulCall part = call;
      part.x += begin * call.x_row_stride;
      part.out += begin * call.out_row_stride;
      if (call.summand != nullptr) part.summand += begin * call.summand_row_stride;
      part.m = end - begin;
      small_matmul(part);
    };
    parallel(call.m, std::max<int64_t>(12, call.m * kGrainCycles / cycles), std::ref(rows));
  }
}

MatmulWay way_of_matmul(Isa isa, int64_t m, int64_t k, int64_t n, bool contiguous_rows) {
  const int64_t multiplies = m * k * n;
  // AVX-512 has been measured with fewer rows only, and sums in place are AVX2's.
  const bool wide = isa == Isa::kAvx512;
  const bool is_small = multiplies <= (wide ? 1 << 17 : 1 << 19);
  if (!is_small && m > (wide ? 8 : 16) && n > (wide ? 4 : 32)) return MatmulWay::kLibrary;
  // A panel of eight wastes half of it on four columns. Long rows hide what it takes to add up the
  // lanes, and large weights need no copy.
  const bool in_place = n <= 4 ? k >= 8 : k >= 256 && (!wide || m <= 4);
  return contiguous_rows && in_place ? MatmulWay::kInPlace : MatmulWay::kPacked;
}

}  // namespace torchweld::x86
