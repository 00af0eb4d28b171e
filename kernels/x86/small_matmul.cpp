// Packing, and the choice of instruction set.
#include "kernels/x86/small_matmul.h"

#include <cstdlib>
#include <new>

#include "kernels/x86/isa.h"
#include "kernels/x86/matmul_tile.h"

namespace torchweld::x86 {

PackedMatrix pack(const float* w, int64_t k, int64_t n, int64_t stride_k, int64_t stride_n) {
  PackedMatrix packed;
  packed.k = k;
  packed.n = n;
  packed.panel = n <= 16 ? 16 : 32;
  const int64_t panels = (n + packed.panel - 1) / packed.panel;
  const auto bytes = static_cast<size_t>((panels * k * packed.panel + 16) * 4) & ~size_t{63};
  float* data = static_cast<float*>(std::aligned_alloc(64, bytes + 64));
  if (data == nullptr) throw std::bad_alloc();
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

void small_matmul_columns(const float* x, int64_t m, int64_t x_row_stride, const PackedMatrix& w,
                          const float* bias, float* out, int64_t out_row_stride, int64_t begin,
                          int64_t end) {
  static const bool wide = host_isa() == Isa::kAvx512;
  const MatmulCall call{x,       m,    x_row_stride, w.data.get(),   w.k,   w.n,
                        w.panel, bias, out,          out_row_stride, begin, end};
  if (wide) {
    matmul_avx512(call);
  } else {
    matmul_avx2(call);
  }
}

void small_matmul(const float* x, int64_t m, int64_t x_row_stride, const PackedMatrix& w,
                  const float* bias, float* out, int64_t out_row_stride) {
  small_matmul_columns(x, m, x_row_stride, w, bias, out, out_row_stride, 0, w.n);
}

}  // namespace torchweld::x86
