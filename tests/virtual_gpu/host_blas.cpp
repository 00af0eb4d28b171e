#include "tests/virtual_gpu/host_blas.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>
#include <vector>

#include "kernels/half.h"
#include "torchweld/error.h"

namespace torchweld::virtual_gpu {
namespace {

double read(DType dtype, const void* base, int64_t at) {
  switch (dtype) {
    case DType::kF64:
      return static_cast<const double*>(base)[at];
    case DType::kF16:
      return f32_of_f16(static_cast<const uint16_t*>(base)[at]);
    case DType::kBF16:
      return f32_of_bf16(static_cast<const uint16_t*>(base)[at]);
    default:
      return static_cast<const float*>(base)[at];
  }
}

void write(DType dtype, void* base, int64_t at, double value) {
  const auto narrow = static_cast<float>(value);
  switch (dtype) {
    case DType::kF64:
      static_cast<double*>(base)[at] = value;
      break;
    case DType::kF16:
      static_cast<uint16_t*>(base)[at] = f16_of_f32(narrow);
      break;
    case DType::kBF16:
      static_cast<uint16_t*>(base)[at] = bf16_of_f32(narrow);
      break;
    default:
      static_cast<float*>(base)[at] = narrow;
  }
}

/// To the 10 bits of mantissa that TF32 keeps.
double tf32_of(double value) {
  const auto bits = std::bit_cast<uint32_t>(static_cast<float>(value));
  constexpr uint32_t kDropped = 13;
  if (!std::isfinite(value)) return value;
  const uint32_t half = (1u << (kDropped - 1)) - 1 + ((bits >> kDropped) & 1);  // ties to even
  return std::bit_cast<float>((bits + half) >> kDropped << kDropped);
}

/// op(matrix) as dense rows x columns, column-major.
std::vector<double> dense(DType dtype, const void* base, int64_t start, int64_t rows,
                          int64_t columns, int64_t ld, bool transposed) {
  std::vector<double> out(static_cast<size_t>(rows * columns));
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t r = 0; r < rows; ++r)
      out[static_cast<size_t>(c * rows + r)] =
          read(dtype, base, start + (transposed ? r * ld + c : c * ld + r));
  }
  return out;
}

double activated(cuda::Epilogue epilogue, double x) {
  switch (epilogue) {
    case cuda::Epilogue::kRelu:
      return x < 0 ? 0 : x;
    case cuda::Epilogue::kGelu:
      return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    case cuda::Epilogue::kNone:
      break;
  }
  return x;
}

void expect(bool condition, const cuda::BlasShape& shape, const char* what) {
  if (!condition)
    throw Error(ErrorCode::kDevice,
                std::string("host BLAS refuses ") + describe(shape) + ": " + what);
}

void check(const cuda::BlasShape& s, const cuda::BlasOperands& o) {
  expect(s.m > 0 && s.n > 0 && s.k > 0 && s.batch > 0, s, "a size isn't positive");
  expect(s.lda >= (s.transpose_a ? s.k : s.m), s, "lda is smaller than a column of A");
  expect(s.ldb >= (s.transpose_b ? s.n : s.k), s, "ldb is smaller than a column of B");
  expect(s.ldd >= s.m, s, "ldd is smaller than a column of D");
  expect(s.beta == 0 || s.ldc >= s.m, s, "ldc is smaller than a column of C");
  expect(o.a && o.b && o.d && o.workspace, s, "an operand or the workspace is missing");
  expect((s.beta == 0 || o.c) && (!s.has_bias || o.bias), s, "C or the bias is missing");
}

}  // namespace

void HostBlas::run(const cuda::BlasShape& s, const cuda::BlasOperands& o, bool allow_tf32,
                   cuda::Stream) {
  check(s, o);
  const bool tf32 = allow_tf32 && s.dtype == DType::kF32;
  std::vector<double> column(static_cast<size_t>(s.m));
  for (int64_t batch = 0; batch < s.batch; ++batch) {
    auto a = dense(s.dtype, o.a, batch * s.batch_a, s.m, s.k, s.lda, s.transpose_a);
    auto b = dense(s.dtype, o.b, batch * s.batch_b, s.k, s.n, s.ldb, s.transpose_b);
    if (tf32) {
      std::transform(a.begin(), a.end(), a.begin(), tf32_of);
      std::transform(b.begin(), b.end(), b.begin(), tf32_of);
    }
    for (int64_t j = 0; j < s.n; ++j) {
      std::fill(column.begin(), column.end(), 0.0);
      for (int64_t l = 0; l < s.k; ++l) {
        const double factor = b[static_cast<size_t>(j * s.k + l)];
        const double* of_a = a.data() + l * s.m;
        for (int64_t i = 0; i < s.m; ++i) column[static_cast<size_t>(i)] += of_a[i] * factor;
      }
      for (int64_t i = 0; i < s.m; ++i) {
        double value = s.alpha * column[static_cast<size_t>(i)];
        if (s.beta != 0) value += s.beta * read(s.dtype, o.c, batch * s.batch_c + j * s.ldc + i);
        if (s.has_bias) value += read(s.dtype, o.bias, i);
        write(s.dtype, o.d, batch * s.batch_d + j * s.ldd + i, activated(s.epilogue, value));
      }
    }
  }
}

}  // namespace torchweld::virtual_gpu
