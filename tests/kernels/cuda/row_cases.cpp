// Specs of rows.
#include <fmt/format.h>

#include <cmath>

#include "tests/kernels/cuda/cases.h"

namespace torchweld {
namespace {

std::string named(const char* what, DType dtype) {
  return fmt::format("{}_{}", what, name_of(dtype));
}

}  // namespace

Case reductions_case(DType dtype, int64_t rows, int64_t cols, int seed) {
  CaseBuilder b(named("reductions", dtype), {rows, cols}, {false, true});
  const DType type = compute_type(dtype);
  const int16_t x = b.load(dtype, {}, seed);
  BodyBuilder& body = b.body();
  // Integers of memory's width would wrap on the way; sums and products of a row do not fit halves.
  const DType wide = is_floating(dtype) ? type : DType::kI64;
  const int16_t summand = body.cast(x, wide);
  // Not of special values: sums and products of large numbers overflow in one order and not in
  // another.
  if (seed % 2 == 0) {
    b.store_row(body.emit(Prim::kSum, wide, summand), wide);
    b.store_row(body.emit(Prim::kProduct, wide, summand), wide);
  }
  b.store_row(body.emit(Prim::kLargest, type, x), dtype);
  b.store_row(body.emit(Prim::kSmallest, type, x), dtype);
  b.store_row(body.emit(Prim::kArgLargest, DType::kI64, x), DType::kI64);
  b.store_row(body.emit(Prim::kArgSmallest, DType::kI64, x), DType::kI64);
  Case c = b.finish();
  c.ulp = 8.0 * static_cast<double>(std::max<int64_t>(cols, 1));
  c.absolute = is_floating(dtype) ? 1e-6 * std::sqrt(static_cast<double>(cols)) : 0;
  return c;
}

Case softmax_case(DType dtype, int64_t rows, int64_t cols, bool over_columns, int seed) {
  const std::vector<int64_t> domain =
      over_columns ? std::vector<int64_t>{cols, rows} : std::vector<int64_t>{rows, cols};
  CaseBuilder b(named("softmax", dtype), domain, {over_columns, !over_columns});
  BodyBuilder& body = b.body();
  const DType type = compute_type(dtype);
  const int16_t x = b.load(dtype, {}, seed);
  const int16_t e = body.emit(Prim::kExp, type,
                              body.emit(Prim::kSub, type, x, body.emit(Prim::kLargest, type, x)));
  b.store(body.emit(Prim::kDiv, type, e, body.emit(Prim::kSum, type, e)), dtype);
  Case c = b.finish();
  c.ulp = 16 + 2 * std::sqrt(static_cast<double>(cols));
  return c;
}

Case layer_norm_case(DType dtype, int64_t rows, int64_t cols) {
  CaseBuilder b(named("layer_norm", dtype), {rows, cols}, {false, true});
  BodyBuilder& body = b.body();
  const DType type = compute_type(dtype);
  const int16_t x = b.load(dtype), weight = b.load(dtype, {0, 1}), bias = b.load(dtype, {0, 1}, 4);
  const int16_t share = body.constant(type, 1.0 / static_cast<double>(cols));
  const int16_t mean = body.emit(Prim::kMul, type, body.emit(Prim::kSum, type, x), share);
  const int16_t centred = body.emit(Prim::kSub, type, x, mean);
  const int16_t squares =
      body.emit(Prim::kSum, type, body.emit(Prim::kMul, type, centred, centred));
  const int16_t variance = body.emit(Prim::kMul, type, squares, share);
  const int16_t scale = body.emit(Prim::kRsqrt, type,
                                  body.emit(Prim::kAdd, type, variance, body.constant(type, 1e-5)));
  const int16_t normal = body.emit(Prim::kMul, type, centred, scale);
  b.store(body.emit(Prim::kFma, type, normal, weight, bias), dtype);
  b.store_row(mean, type);
  b.store_row(scale, type);
  Case c = b.finish();
  c.ulp = 64;
  c.absolute = dtype == DType::kF64   ? 1e-13
               : dtype == DType::kF32 ? 4e-6
               : dtype == DType::kF16 ? 4e-3
                                      : 3e-2;
  return c;
}

Case running_sum_case(DType dtype, int64_t rows, int64_t cols, bool over_columns) {
  const std::vector<int64_t> domain =
      over_columns ? std::vector<int64_t>{cols, rows} : std::vector<int64_t>{rows, cols};
  CaseBuilder b(named("running_sum", dtype), domain, {over_columns, !over_columns});
  const DType type = is_floating(dtype) ? compute_type(dtype) : DType::kI64;
  const int16_t x = b.body().cast(b.load(dtype), type);
  b.store(b.body().emit(Prim::kRunningSum, type, x), type);
  Case c = b.finish();
  c.ulp = 32;
  c.absolute = 1e-5 * std::sqrt(static_cast<double>(cols));
  return c;
}

Case pooling_case(DType dtype, int64_t n, int64_t height, int64_t width) {
  const int64_t down = (height - 3) / 2 + 1, right = (width - 3) / 2 + 1;
  CaseBuilder b(named("pooling", dtype), {n, down, right, 3, 3}, {false, false, false, true, true});
  const int16_t x = b.load(dtype, {height * width, 2 * width, 2, width, 1});
  const DType type = compute_type(dtype);
  b.store_row(b.body().emit(Prim::kLargest, type, x), dtype);
  b.store_row(b.body().emit(Prim::kArgLargest, DType::kI64, x), DType::kI64);
  return b.finish();
}

Case channels_case(DType dtype, int64_t n, int64_t channels, int64_t length) {
  CaseBuilder b(named("channels", dtype), {n, channels, length}, {true, false, true});
  const DType type = is_floating(dtype) ? compute_type(dtype) : DType::kI64;
  const int16_t x = b.body().cast(b.load(dtype), type);
  b.store_row(b.body().emit(Prim::kSum, type, x), type);
  b.store_row(b.body().emit(Prim::kSum, type, b.body().emit(Prim::kMul, type, x, x)), type);
  Case c = b.finish();
  c.ulp = 64;
  c.absolute = is_floating(dtype) ? 1e-5 * std::sqrt(static_cast<double>(n * length)) : 0;
  return c;
}

}  // namespace torchweld
